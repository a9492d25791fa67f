# SPDX-License-Identifier: BSD-2-Clause
"""Messages to the person at the terminal. Everything goes to stderr: stdout belongs to the guest or to a result."""

import os
import sys
import time

quiet = False
transient = False  # launch: stderr is the program's, so progress on a terminal is wiped again


def is_terminal():
    try:
        return os.isatty(2)
    except OSError:
        return False


def say(text):
    """One line, unless --quiet."""
    if not quiet:
        _write(text + "\n")


def plain(text):
    """A line that even --quiet prints."""
    _write(text + "\n")


def warn(text):
    _write("cortado: %s\n" % text)


def error(command, text):
    _write("cortado%s: %s\n" % (" " + command if command else "", text))


def _write(text):
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # nobody listens any more; the exit status still tells


class step:
    """`with step("building the image"):` shows the step and its time on a terminal, nothing elsewhere.

    A step that ends within half a second leaves no trace, so that a cached start stays silent."""

    def __init__(self, text):
        self.text = text

    def __enter__(self):
        self.start = time.monotonic()
        self.shown = is_terminal() and not quiet
        if self.shown:
            _write("  %s ..." % self.text)
        return self

    def __exit__(self, kind, value, trace):
        if not self.shown:
            return
        took = time.monotonic() - self.start
        if kind is None and (took < 0.5 or transient):
            _write("\r\x1b[K")
        else:
            _write("\r\x1b[K  %s: %s, %.1f s\n" % (self.text, "failed" if kind else "done", took))
