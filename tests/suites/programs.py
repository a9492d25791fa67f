# SPDX-License-Identifier: BSD-2-Clause
"""Runs test programs, each in a session of its own with a time limit, and reports each as a line of JSON.

    programs.py JOBS SECONDS [LIST]      LIST (or standard input): a line of JSON a test: {"name", "argv", "cwd", "env", "limit", "keep"}

A result: {"name", "status" (as waitpid gives it through subprocess; null: out of time), "seconds", "output" (unless 0)}; "keep" reports
the output of a success, too. What a test leaves running is killed with it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

TAIL = 6000
lock = threading.Lock()


def descendants(session):
    """Processes of SESSION, from /proc."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as f:
                    if int(f.read().rpartition(")")[2].split()[3]) == session:
                        found.append(int(name))
            except (OSError, IndexError):
                pass
    return found


def end(session):
    for pid in descendants(session):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass


def run(test, default):
    env = dict(os.environ, **test.get("env", {}))
    start = time.monotonic()
    with tempfile.TemporaryFile() as out:
        p = subprocess.Popen(test["argv"], cwd=test.get("cwd"), env=env, stdin=subprocess.DEVNULL, stdout=out,
                             stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = p.wait(test.get("limit", default))
        except subprocess.TimeoutExpired:
            status = None
            out.flush()
        end(p.pid)
        p.wait()
        result = {"name": test["name"], "status": status, "seconds": round(time.monotonic() - start, 2)}
        if status != 0 or test.get("keep"):
            size = out.seek(0, os.SEEK_END)
            out.seek(max(0, size - TAIL))
            result["output"] = out.read().decode("utf-8", "replace")
    return result


def main(jobs, limit, source):
    tests = iter([json.loads(line) for line in source if line.strip()])

    def work():
        while True:
            with lock:
                test = next(tests, None)
            if test is None:
                return
            try:
                result = run(test, limit)
            except OSError as e:
                result = {"name": test["name"], "status": "error", "seconds": 0, "output": str(e)}
            with lock:
                print(json.dumps(result), flush=True)

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def reap_orphans():
    """As process 1, stay behind to reap what nobody waits for, and let a child do the work."""
    child = os.fork()
    if child:
        while True:
            pid, status = os.wait()
            if pid == child:
                os._exit(os.waitstatus_to_exitcode(status) & 255)


if __name__ == "__main__":
    if os.getpid() == 1:
        reap_orphans()
    main(int(sys.argv[1]), float(sys.argv[2]), open(sys.argv[3]) if len(sys.argv) > 3 else sys.stdin)
