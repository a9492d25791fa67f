# SPDX-License-Identifier: BSD-2-Clause
"""Runs a list of test programs (programs.py) on this host and in a VM: what passes here must pass there."""

import json
import os
import shutil
import subprocess
import sys

import vm

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3.11"
LIBRARY = "/usr/lib/python3.11"
TOOLS = """sh bash cat chmod cp cut date echo env expr false free grep head id kill ln ls mkdir mkfifo mv printf ps pwd python3 rm sed sleep sort
    stty tail touch tr true tty uname uptime wc which""".split()
PASSES = (0, 95)  # 95: jtreg's own programs


def _results(text):
    found = {}
    for line in text.splitlines():
        if line.startswith('{"name"'):
            result = json.loads(line)
            found[result["name"]] = result
    return found


def compare(tests, tmp_path, bring, slower=6, limit=60, jobs=2, memory="2G", also=()):
    """TESTS: programs.py's, for the host; BRING: {host's folder: the guest's}, also replaced in the tests' words; ALSO: what the
    guest has at the same place. Returns what passes on the host only, as text."""
    here, there = tmp_path / "here", tmp_path / "there"
    text = "".join(json.dumps(t) + "\n" for t in tests)
    here.write_text(text)
    runner = os.path.join(HERE, "programs.py")
    host = subprocess.run([PYTHON, runner, str(jobs), str(limit), str(here)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, timeout=limit * len(tests) + 60).stdout.decode()
    expected = [name for name, r in _results(host).items() if r["status"] in PASSES]
    for folder, guest in bring.items():
        text = text.replace(folder, guest)
    there.write_text("".join(line + "\n" for line in text.splitlines() if json.loads(line)["name"] in set(expected)))
    words = ["launch", "-m", memory, "--cpus", "2", "-e", "HOME=/root", "--with", LIBRARY]
    for name in TOOLS:
        if shutil.which(name):
            words += ["--with", "/usr/bin/" + name]
    for folder, guest in bring.items():
        words += ["--with", "%s:%s" % (folder, guest)]
    words += ["--with", runner + ":/programs.py", "--with", "%s:/list" % there]
    for name in {t["argv"][0] for t in tests} | set(also):
        words += ["--with", name]
    r = vm.cortado(*words, PYTHON, "/programs.py", str(jobs), str(limit * slower), "/list",
                    timeout=60 + limit * slower + 15 * slower * len(expected))
    got = _results(r.out)
    sys.stdout.write("%d of %d pass here, %d of them there\n"
                     % (len(expected), len(tests), sum(v["status"] in PASSES for v in got.values())))
    worse = []
    for name in expected:
        now = got.get(name, {"status": "no result", "output": r.err[-300:]})
        if now["status"] not in PASSES:
            worse.append("%s: %s\n%s" % (name, now["status"], now["output"][-1500:]))
    return "\n".join(worse)
