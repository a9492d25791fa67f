# SPDX-License-Identifier: BSD-2-Clause
"""What can go wrong, and the exit status that says so.

Foreground `run` and `launch` pass the guest program's status on, so their own failures are 125 (as with env, timeout
and container tools), 126 and 127. Every other command: 1 failed, 2 wrong use, 3 the host lacks something."""

FAILED = 1
WRONG_USE = 2
HOST_LACKS = 3
CORTADO_FAILED = 125
NOT_EXECUTABLE = 126
NOT_FOUND = 127
INTERRUPTED = 130


class CortadoError(Exception):
    """A failure with a message for the user: it names the file or option at fault and how to mend it."""

    status = FAILED


class UsageError(CortadoError):
    status = WRONG_USE


class HostLacks(CortadoError):
    """Something must be installed or enabled on this host."""

    status = HOST_LACKS


class ProgramNotFound(CortadoError):
    status = NOT_FOUND


class ProgramNotExecutable(CortadoError):
    status = NOT_EXECUTABLE
