# SPDX-License-Identifier: BSD-2-Clause
"""An exclusive lock between processes, by flock(2) on a file; released when the holder ends, however it ends."""

import contextlib
import fcntl
import os


@contextlib.contextmanager
def exclusive(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
