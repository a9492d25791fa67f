# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's machine protocol: one connection, commands in, answers out. QEMU serves one client at a time, so connections
are short. Source: docs/interop/qmp-spec in QEMU."""

import json
import socket

from .errors import CortadoError


class Qmp:
    def __init__(self, path, timeout=5.0):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(path)
            self.file = self.sock.makefile("rb")
            self._line()  # the greeting
            self.call("qmp_capabilities")
        except OSError as e:
            self.sock.close()
            raise CortadoError("QEMU's control socket %s: %s" % (path, e.strerror or e))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def _line(self):
        line = self.file.readline()
        if not line:
            raise CortadoError("QEMU closed its control socket")
        return json.loads(line)

    def call(self, command, **arguments):
        """The command's return value; raises with QEMU's own words when it fails."""
        try:
            self.sock.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
            while True:
                answer = self._line()
                if "return" in answer:
                    return answer["return"]
                if "error" in answer:
                    raise CortadoError("QEMU: %s: %s" % (command, answer["error"].get("desc", "failed")))
        except OSError as e:
            raise CortadoError("QEMU's control socket: %s" % (e.strerror or e))
