# SPDX-License-Identifier: BSD-2-Clause
"""A network namespace with a TAP device for one VM, for measurements and tests; needs root.

The namespace has no name: it exists as long as this process, a socket or a VM is in it, so that nothing of it can stay
behind. Sockets and processes made inside `with namespace.entered():` belong to it."""

import contextlib
import ctypes
import os
import subprocess

from .errors import HostLacks

TAP, HOST, GUEST = "tap0", "10.77.0.1", "10.77.0.2"
GUEST_WORD = "ip=%s::%s:255.255.255.0::eth0:off:%s" % (GUEST, HOST, HOST)
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Namespace:
    """10.77.0.1 is the host's end of the TAP device, 10.77.0.2 the VM. Use it as a context manager."""

    def __init__(self):
        if os.geteuid() != 0:
            raise HostLacks("a network namespace needs root")
        try:
            with open("/proc/thread-self/ns/net") as home:
                _check(_libc.unshare(_CLONE_NEWNET))
                self._file = open("/proc/thread-self/ns/net")
                _check(_libc.setns(home.fileno(), _CLONE_NEWNET))
        except OSError as e:
            raise HostLacks("no network namespace can be made here: %s" % e.strerror)

    @contextlib.contextmanager
    def entered(self):
        """This thread and what it starts are in the namespace meanwhile."""
        with open("/proc/thread-self/ns/net") as home:
            _check(_libc.setns(self._file.fileno(), _CLONE_NEWNET))
            try:
                yield
            finally:
                _check(_libc.setns(home.fileno(), _CLONE_NEWNET))

    def command(self, *words, timeout=60):
        """Standard output of a command run inside; raises when it fails."""
        with self.entered():
            return subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=timeout, text=True).stdout

    def ip(self, *words):
        return self.command("ip", *words)

    def __enter__(self):
        self.ip("link", "set", "lo", "up")
        self.ip("tuntap", "add", TAP, "mode", "tap")
        self.ip("address", "add", HOST + "/24", "dev", TAP)
        self.ip("link", "set", TAP, "up")
        return self

    def __exit__(self, *_):
        self._file.close()
