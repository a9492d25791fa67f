# SPDX-License-Identifier: BSD-2-Clause
"""Runs the public command as a user would, with a hard limit on time, and leaves nothing running."""

import os
import signal
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMAND = os.path.join(ROOT, "scripts", "cortado")
GUEST = os.path.join(os.environ.get("CORTADO_BUILD") or os.path.join(ROOT, "build"), "guest")

sys.path.insert(0, os.path.join(ROOT, "scripts"))


class Result:
    def __init__(self, words, status, out, err, timed_out):
        self.words, self.status, self.out_bytes, self.err_bytes, self.timed_out = words, status, out, err, timed_out
        self.out, self.err = out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    def __repr__(self):
        end = "TIMED OUT" if self.timed_out else "status %s" % self.status
        return "%s: %s\n--- stdout\n%s\n--- stderr\n%s" % (" ".join(self.words), end, self.out[-3000:], self.err[-3000:])


def cortado(*words, timeout=60, stdin=b"", env=None, cwd=None, pass_fds=()):
    """Run `scripts/cortado WORDS`. STDIN: bytes, or a file object, or None for a closed descriptor."""
    words = [COMMAND] + [str(w) for w in words]
    options = {"stdin": subprocess.PIPE if isinstance(stdin, bytes) else stdin}
    if stdin is None:
        options = {"preexec_fn": lambda: os.close(0)}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, cwd=cwd,
                               env=dict(os.environ, **(env or {})), pass_fds=pass_fds, **options)
    timed_out = False
    try:
        out, err = process.communicate(stdin if isinstance(stdin, bytes) else None, timeout=timeout)
    except subprocess.TimeoutExpired:
        timed_out = True
        os.killpg(process.pid, signal.SIGTERM)
        try:
            out, err = process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
    return Result(words, process.returncode, out, err, timed_out)


class Launcher:
    """launch with the options that a test's configuration chose."""

    def __init__(self, guest, machine=None, cpus=None):
        self.options = []
        if guest != "cortado":
            self.options += ["--guest", guest]
        if machine:
            self.options += ["--machine", machine]
        if cpus:
            self.options += ["--cpus", str(cpus)]
        self.guest = guest

    def __call__(self, *words, timeout=60, **options):
        return cortado("launch", *self.options, *words, timeout=timeout, **options)


def free_memory_mib():
    with open("/proc/meminfo") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("MemAvailable")) >> 10
