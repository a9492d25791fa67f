# SPDX-License-Identifier: BSD-2-Clause
"""`cortado test [SUITE...]`: what CI runs. Each suite says its own totals; the last line is `N passed, N failed`.

Output of the suites is in build/test/SUITE.log; of a failing one the telling lines are shown."""

import contextlib
import dataclasses
import functools
import glob
import json
import os
import re
import subprocess
import sys
import threading
import time

from . import kernel, paths, ui
from .errors import FAILED, CortadoError, HostLacks, UsageError

_WORKERS = 2  # processes at a time that keep a processor busy
_TESTERS = 3  # pytests at a time: a part of what they do is to wait for virtual machines
_JOBS = "-j%d" % _WORKERS
_LONG = ["test_network.py", "test_lossy_link.py", "test_services.py", "test_stress.py", "test_java.py", "test_run.py"]  # begun first, so that none of them runs alone at the end
_HOSTILE = {"packet": 150, "options": 150, "netlink": 150, "reassembly": 100, "dhcp": 50}  # seconds for the network's fuzz targets: ten minutes
_SHOWN = 60  # lines of a failing suite


@dataclasses.dataclass
class Count:
    passed: int = 0
    failed: int = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed


class Suite:
    """Runs commands with their output in one log, and counts results in it."""

    def __init__(self, name, ns):
        self.name, self.ns, self.count = name, ns, Count()
        self.log_path = paths.build("test", name + ".log")
        os.makedirs(os.path.dirname(self.log_path), exist_ok=True)
        self.log = open(self.log_path, "w+")

    def command(self, words, limit):
        """Run WORDS; returns (exit status, its output). A run over LIMIT seconds is ended, and counts as failed."""
        start = self.log.seek(0, os.SEEK_END)
        self.log.write("$ %s\n" % " ".join(words))
        self.log.flush()
        process = subprocess.Popen(words, cwd=paths.ROOT, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            status = 124
            self.log.write("not ok %s: over its limit of %d s\n" % (self.name, limit))
            self.log.flush()
        self.log.seek(start)
        text = self.log.read()
        return status, text

    def make(self, words, limit, good=r"^ok\b.*?(?:\((\d+) tests\))?$", bad=r"^(?:FAIL|not ok)\b", show=False):
        """`make WORDS`, counting lines that match GOOD (its group: how many) and BAD. SHOW: print the good ones, too."""
        status, text = self.command(["make", "--no-print-directory", "-O", _JOBS] + words, limit)
        result = Count()
        for line in text.splitlines():
            found = re.search(good, line)
            if found:
                if show:
                    print("    " + line, flush=True)
                result.passed += int(found.group(1)) if found.groups() and found.group(1) else 1
            elif re.search(bad, line):
                result.failed += 1
        if status != 0 and not result.failed:
            result.failed = 1
        self.count.add(result)

    def side_by_side(self, starts, most, limit):
        """Call STARTS, which start a _Job each, MOST at a time in the order given; all jobs within LIMIT seconds."""
        deadline = time.monotonic() + limit
        waiting, running = list(starts), []
        while waiting or running:
            while waiting and len(running) < most and time.monotonic() < deadline:
                running.append(waiting.pop(0)())
            if time.monotonic() >= deadline:
                for job in running:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(job.process.pid, 15)  # the tests end their VMs
                    job.process.wait()
                self.count.failed += len(waiting)
                waiting = []
            for job in [j for j in running if j.process.poll() is not None]:
                running.remove(job)
                self.log.write(job.output())
                self.count.add(job.count())
            time.sleep(0.1)
        self.log.flush()

    def pytest(self, jobs, limit):
        """Run pytest once with each of JOBS, lists of words."""
        self.side_by_side([functools.partial(_Pytest, self, n, words) for n, words in enumerate(jobs)], _TESTERS, limit)

    def finish(self, took):
        self.log.flush()
        print("%-8s %d passed, %d failed (%.0f s)" % (self.name, self.count.passed, self.count.failed, took), flush=True)
        if self.count.failed:
            self.log.seek(0)
            lines = [line.rstrip() for line in self.log if re.match(r"(FAIL|not ok|ERROR|E  |.*\berror:|    )", line)]
            for line in lines[:_SHOWN]:
                print("    " + line[:300])
            print("    the whole log: %s" % self.log_path, flush=True)
        self.log.close()


class _Job:
    """A process of SUITE, the NUMBERth, that runs WORDS with a log of its own."""

    def __init__(self, suite, number, words):
        self.name = "%s.%d" % (suite.name, number)
        self.log = open(paths.build("test", self.name + ".log"), "w+")
        self.log.write("$ %s\n" % " ".join(words))
        self.log.flush()
        self.process = subprocess.Popen(words, cwd=paths.ROOT, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
                                        start_new_session=True)

    def output(self):
        with self.log:
            self.log.seek(0)
            return self.log.read() + ("not ok %s: status %d\n" % (self.name, self.process.returncode) if self.process.returncode else "")

    def count(self):
        return Count(self.process.returncode == 0, self.process.returncode != 0)


class _Pytest(_Job):
    def __init__(self, suite, number, words):
        self.counts = paths.build("test", "%s.%d.json" % (suite.name, number))
        if os.path.exists(self.counts):
            os.unlink(self.counts)
        line = [_python_with_pytest(), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--counts=" + self.counts, "--tb=short"]
        super().__init__(suite, number, line + words + (["--full"] if suite.ns.full else []))

    def count(self):
        """What it wrote; without its file it counts as one failure."""
        try:
            with open(self.counts) as f:
                data = json.load(f)
        except (OSError, ValueError):
            return Count(0, 1)
        failed = data["failed"] + data["error"]
        return Count(data["passed"], failed or (1 if self.process.returncode not in (0, 5) else 0))


@functools.cache
def _python_with_pytest():
    for python in ("/usr/bin/python3", sys.executable, "python3"):
        try:
            if subprocess.call([python, "-c", "import pytest"], stderr=subprocess.DEVNULL) == 0:
                return python
        except OSError:
            pass
    raise HostLacks("this host lacks python3-pytest; `scripts/cortado setup test` installs it")


# -- suites -----------------------------------------------------------------------------------------------------------


def _unit(s):
    s.make(["-C", "tests/unit", "check"], 1200)
    s.make(["-s", "check-percpu"], 600)
    s.make(["-s", "check-docs"], 60)


def _models(s):
    """The models, then the code that they stand for under ThreadSanitizer."""
    s.make(["-k", "-C", "tests/models"], 900, good=r"\bstates\b", show=True)
    s.make(["-C", "tests/unit", "check", "AREA=sched", "SAN=thread", "BUILD=build/unit-tsan"], 600)


def _agent(s):
    s.make(["-C", "httpserver/tests", "check"], 600, good=r"^ok\b|^(\d+) passed")


def _net(s):
    s.make(["-C", "tests/net-sim", "check"], 600)
    s.make(["-C", "tests/net-sim", "check-linux", "CASES=" + ("full" if s.ns.full else "quick")], 3600 if s.ns.full else 300)


def _fuzz(s):
    folders = [os.path.dirname(f) for f in sorted(glob.glob(os.path.join(paths.ROOT, "tests", "fuzz", "*", "Makefile")))]
    for folder in folders:
        s.command(["make", "-s", _JOBS, "-C", folder], 300)
    times = 3 if s.ns.full else 1
    jobs = [["net", "TARGET=" + target, "SECONDS=%d" % (seconds * times)] for target, seconds in _HOSTILE.items()]
    jobs += [[os.path.basename(f), "SECONDS=%d" % (10 * times)] for f in folders if os.path.basename(f) != "net"]
    s.side_by_side([functools.partial(_Job, s, n, ["make", "-s", "-C", "tests/fuzz/" + words[0], "run"] + words[1:])
                    for n, words in enumerate(jobs)], _WORKERS, 900 * times)


def _guest(s):
    """The guest programs on this host's Linux, which shows that they test rightly; then in VMs."""
    s.make(["-s", "-C", "tests/guest", "check-host"], 600, good=r"^(\d+) passed")
    s.pytest([["tests/system/test_guest.py", "--shard=%d/%d" % (i, _TESTERS)] for i in range(_TESTERS)], 900 if not s.ns.full else 3600)


def _system(s):
    subprocess.run(["make", "-s", _JOBS, "-C", os.path.join(paths.ROOT, "tests", "guest")], stdin=subprocess.DEVNULL)
    # A file at a time: the tests of one file may publish the same port.
    files = {os.path.basename(f) for f in glob.glob(os.path.join(paths.ROOT, "tests", "system", "test_*.py"))} - {"test_guest.py"}
    order = sorted(files, key=lambda name: (_LONG.index(name) if name in _LONG else len(_LONG), name))
    s.pytest([["tests/system/" + name] for name in order], 1200 if not s.ns.full else 7200)


def _suites(s):
    """Other people's suites: an hour or more, by name only."""
    s.pytest([["tests/suites"]], 3 * 3600)


def _collectors(s):
    """Every collector of OpenJDK with every kind of page on 1 to 16 virtual CPUs: an hour or more, by name only."""
    words = ["tests/system/test_collectors.py"] + ([] if s.ns.full else ["--full"])
    s.pytest([words + ["--shard=%d/%d" % (i, _TESTERS)] for i in range(_TESTERS)], 3 * 3600)


_SUITES = {"unit": _unit, "agent": _agent, "models": _models, "net": _net, "fuzz": _fuzz, "guest": _guest, "system": _system,
           "suites": _suites, "collectors": _collectors}
_BY_NAME = {"suites", "collectors"}
_PATIENT = {"agent"}  # mostly waits: runs beside those that come after it
_NEEDS = {"models": "tests/models/Makefile", "agent": "httpserver/tests/Makefile", "net": "tests/net-sim/Makefile"}


def _by_default(name):
    return name not in _BY_NAME and (name not in _NEEDS or os.path.exists(os.path.join(paths.ROOT, _NEEDS[name])))


def _run(suite):
    began = time.monotonic()
    suite.count.failed += 1  # unless it comes to its end
    _SUITES[suite.name](suite)
    suite.count.failed -= 1
    suite.finish(time.monotonic() - began)


def main(ns):
    wanted = ns.suite or [n for n in _SUITES if _by_default(n)]
    unknown = [n for n in wanted if n not in _SUITES]
    if unknown:
        raise UsageError("no test suite `%s`; there are: %s" % (unknown[0], ", ".join(_SUITES)))
    total = Count()
    if {"guest", "system"} & set(wanted):
        try:
            kernel.path()  # built once, before tests run side by side
        except CortadoError as e:
            ui.error("test", str(e))
            print("kernel   0 passed, 1 failed", flush=True)
            total.failed += 1
            wanted = [n for n in wanted if n not in ("guest", "system")]
    suites = [Suite(name, ns) for name in wanted]
    threads = []
    for suite in suites:
        if suite.name in _PATIENT:
            threads.append(threading.Thread(target=_run, args=(suite,), daemon=True))
            threads[-1].start()
        else:
            _run(suite)
    for thread in threads:
        thread.join()
    for suite in suites:
        total.add(suite.count)
    print("%d passed, %d failed" % (total.passed, total.failed), flush=True)
    return FAILED if total.failed else 0
