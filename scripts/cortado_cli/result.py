# SPDX-License-Identifier: BSD-2-Clause
"""What the guest's last event means for this process: an exit status, and a line for stderr where a fault is told."""

import errno
import signal

from .errors import CORTADO_FAILED, NOT_EXECUTABLE, NOT_FOUND

FINAL_EVENTS = ("exit", "exec-failed", "panic")
_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGABRT, signal.SIGSYS}


def of_event(event):
    """(exit status, text for stderr or "") of the guest's final EVENT; None counts as a failure of Cortado."""
    if event is None:
        return CORTADO_FAILED, ""
    text = str(event.get("text") or "")
    if event["event"] == "panic":
        return CORTADO_FAILED, "kernel panic: " + text
    if event["event"] == "exec-failed":
        absent = event.get("errno") in (errno.ENOENT, errno.ENOTDIR)
        return NOT_FOUND if absent else NOT_EXECUTABLE, text
    number = event.get("signal")
    if number:
        return 128 + int(number), text if int(number) in _FAULTS else ""
    return int(event.get("code") or 0) & 0xFF, ""
