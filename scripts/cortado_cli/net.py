# SPDX-License-Identifier: BSD-2-Clause
"""Published ports: -p [ADDR:]HOST:GUEST. ADDR is 127.0.0.1 unless given; HOST 0 takes a free port."""

import dataclasses
import ipaddress
import socket

from .errors import CortadoError, UsageError

LOOPBACK = "127.0.0.1"


@dataclasses.dataclass
class Published:
    address: str
    host: int
    guest: int

    def chosen(self):
        """(address, host port, guest port) with a free port in place of 0; raises when the port is taken."""
        with socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((self.address, self.host))
            except OSError as e:
                raise CortadoError("port %s:%d cannot be used: %s; choose another one with -p HOST:%d (HOST 0: any free port)"
                                   % (self.address, self.host, e.strerror, self.guest))
            return self.address, s.getsockname()[1], self.guest


def parse_ports(words):
    return [parse_port(word) for word in words]


def parse_port(word):
    parts = word.rsplit(":", 2)
    if len(parts) == 2:
        parts.insert(0, LOOPBACK)
    if len(parts) != 3:
        raise UsageError("-p %s: write [ADDR:]HOST:GUEST, as in -p 8080:8080" % word)
    return Published(_address(parts[0], word), _port(parts[1], word, 0), _port(parts[2], word, 1))


def parse_api(word):
    """--api [ADDR:]PORT: (address, port)."""
    address, _, port = word.rpartition(":")
    return _address(address or LOOPBACK, word, "--api"), _port(port, word, 0, "--api")


def _address(text, word, option="-p"):
    text = text.strip("[]")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise UsageError("%s %s: `%s` is no IP address" % (option, word, text))


def _port(text, word, least, option="-p"):
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= 65535:
        raise UsageError("%s %s: `%s` is no port number (%d..65535)" % (option, word, text, least))
    return int(text)
