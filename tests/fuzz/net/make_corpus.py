#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Seeds for the network fuzzers, one folder each: make_corpus.py OUT."""
import os
import struct
import sys

out = sys.argv[1]


def put(kind, name, data):
    os.makedirs(f"{out}/{kind}", exist_ok=True)
    with open(f"{out}/{kind}/{name}", "wb") as f:
        f.write(data)


def rec(frame, flags=1):
    return struct.pack("<HB", len(frame), flags) + frame


def wait(ms):
    return struct.pack("<H", 0x8000 | ms)


eth4 = bytes(12) + b"\x08\x00"
eth6 = bytes(12) + b"\x86\xdd"


def ip4(proto, payload, frag=0):
    return eth4 + struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, frag, 64, proto, 0,
                              bytes((10, 0, 0, 2)), bytes((10, 0, 0, 1))) + payload


def tcp(flags, payload=b"", opts=b"", mine=True, seq=0x1000, ack=0x100):
    opts += bytes(-len(opts) % 4)
    return ip4(6, struct.pack(">HHIIBBHHH", 1, 0x100 if mine else 80, seq, ack, (20 + len(opts)) * 4, flags, 1000, 0, 0)
               + opts + payload)


def icmp6(kind, body, dst=bytes((255, 2)) + bytes(13) + b"\1"):
    src = bytes((0xfe, 0x80)) + bytes(13) + b"\2"
    p = bytes((kind, 0, 0, 0)) + body
    return eth6 + struct.pack(">IHBB", 0x60000000, len(p), 58, 255) + src + dst + p


sack = bytes((1, 1, 5, 10)) + struct.pack(">II", 1, 100)
put("packet", "tcp", rec(tcp(0x10, b"hello")) + rec(tcp(0x10, b"later", seq=0x1100)) + rec(tcp(0x18, b"mid", seq=0x1005))
    + rec(tcp(0x10, opts=sack)) + wait(500) + rec(tcp(0x11)) + wait(1000) + rec(tcp(0x14)))
put("packet", "syn", rec(tcp(2, opts=bytes((2, 4, 5, 180, 4, 2, 1, 3, 3, 7)), mine=False)) + rec(tcp(0x10, mine=False)))
put("packet", "urg", rec(tcp(0x38, b"abc")))
put("packet", "udp", rec(ip4(17, struct.pack(">HHHH", 9, 53, 12, 0) + b"data")) + rec(ip4(17, struct.pack(">HHHH", 9, 54, 12, 0) + b"none")))
put("packet", "frag", rec(ip4(17, struct.pack(">HHHH", 9, 53, 24, 0) + b"x" * 8, 0x2000)) + rec(ip4(17, b"y" * 8, 2)))
put("packet", "icmp", rec(ip4(1, bytes((8, 0, 0, 0, 0, 1, 0, 1)) + b"ping"))
    + rec(ip4(1, bytes((3, 4, 0, 0, 0, 0, 2, 0)) + tcp(0x10)[14:42])) + rec(ip4(2, bytes((0x11, 0, 0, 0, 0, 0, 0, 0)))))
put("packet", "igmp3", rec(ip4(2, bytes((0x11, 100, 0, 0, 224, 0, 0, 251, 2, 125, 0, 1, 10, 0, 0, 9)))) + wait(9000))
put("packet", "mld2", rec(icmp6(130, bytes((0x27, 0x10, 0, 0)) + bytes(16) + bytes((2, 125, 0, 0)))) + wait(9000))
arp = bytes(12) + b"\x08\x06" + struct.pack(">HHBBH", 1, 0x800, 6, 4, 1) + b"\2\0\0\0\0\2" + bytes((10, 0, 0, 2)) + bytes(6) + bytes((10, 0, 0, 1))
put("packet", "arp", rec(arp) + rec(arp[:21] + b"\2" + arp[22:]))
prefix = bytes((3, 4, 64, 0xc0)) + struct.pack(">III", 3600, 1800, 0) + bytes((0x20, 1, 0x0d, 0xb8)) + bytes(12)
put("packet", "ra", wait(1100) + rec(icmp6(134, struct.pack(">BBHII", 64, 0, 1800, 0, 0) + bytes((1, 1, 2, 0, 0, 0, 0, 2))
                                      + prefix + bytes((5, 1, 0, 0, 0, 0, 5, 0)))))
put("packet", "ns", rec(icmp6(135, bytes(4) + bytes((0xfe, 0x80)) + bytes(13) + b"\1" + bytes((1, 1, 2, 0, 0, 0, 0, 2)))))
put("packet", "na", rec(icmp6(136, bytes((0x60, 0, 0, 0)) + bytes((0xfe, 0x80)) + bytes(13) + b"\2" + bytes((2, 1, 2, 0, 0, 0, 0, 2)))))
put("packet", "ext", rec(eth6 + struct.pack(">IHBB", 0x60000000, 24, 0, 64) + bytes(15) + b"\1" + bytes(15) + b"\1"
                         + bytes((60, 0, 1, 4, 0, 0, 0, 0)) + bytes((44, 0, 5, 2, 0, 0, 1, 0)) + bytes((17, 0, 0, 1, 0, 0, 0, 9))))

fixed = bytes(236) + struct.pack(">I", 0x63825363)
put("dhcp", "ack", fixed + bytes((53, 1, 5, 1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 0, 2, 6, 8, 1, 1, 1, 1, 8, 8, 8, 8, 51, 4, 0, 0,
                                  14, 16, 54, 4, 10, 0, 0, 2, 121, 8, 16, 10, 1, 10, 0, 0, 9, 0, 15, 3, 97, 46, 98, 52, 1, 3, 255)))


def nl(kind, flags, body):
    return struct.pack("<IHHII", 16 + len(body), kind, flags, 1, 0) + body


def attr(kind, data):
    return struct.pack("<HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


for kind in (18, 22, 26, 30):
    put("netlink", f"dump{kind}", nl(kind, 0x301, b"\0"))
put("netlink", "newaddr", nl(20, 5, struct.pack("<BBBBI", 2, 24, 0, 0, 2) + attr(2, bytes((10, 1, 0, 1))) + attr(1, bytes((10, 1, 0, 1)))))
put("netlink", "newroute", nl(24, 0x405, struct.pack("<BBBBBBBBI", 2, 8, 0, 0, 254, 3, 0, 1, 0) + attr(1, bytes((11, 0, 0, 0)))
                             + attr(5, bytes((10, 0, 0, 2))) + attr(4, struct.pack("<I", 2)) + attr(8, attr(2, struct.pack("<I", 1400)))))
put("netlink", "getroute", nl(26, 1, struct.pack("<BBBBBBBBI", 2, 32, 0, 0, 0, 0, 0, 0, 0) + attr(1, bytes((10, 0, 0, 2)))))
put("netlink", "newneigh", nl(28, 5, struct.pack("<BxHIHBB", 2, 0, 2, 128, 0, 1)[:12] + attr(1, bytes((10, 0, 0, 8))) + attr(2, b"\2\0\0\0\0\7")))
put("netlink", "link", nl(16, 5, struct.pack("<BxHIII", 0, 0, 2, 1, 1) + attr(4, struct.pack("<I", 1400))) + nl(18, 1, struct.pack("<BxHIII", 0, 0, 0, 0, 0) + attr(3, b"eth0\0")))
for protocol in (6, 17, 255):
    put("netlink", f"diag{protocol}", nl(20, 0x301, struct.pack("<BBBBI", 2, protocol, 255, 0, 0xffffffff) + bytes(48)
                                          + attr(1, struct.pack("<BBHBBH", 2, 8, 12, 0, 0, 80))))
put("netlink", "diag-host", nl(20, 0x301, struct.pack("<BBBBI", 2, 6, 255, 0, 0xffffffff) + bytes(48)
                               + attr(1, struct.pack("<BBHBBHi4s", 7, 16, 20, 2, 8, 0, -1, bytes((10, 0, 0, 0))))))
put("netlink", "diag-one", nl(20, 1, struct.pack("<BBBBI", 2, 6, 2, 0, 0xffffffff) + struct.pack(">HH", 80, 0) + bytes(36) + b"\xff" * 8))


def fragment(flags, ident, off, n):
    return struct.pack("<BBHH", flags, ident, off, n)


put("reassembly", "in-order", fragment(2, 1, 0, 1480) + fragment(2, 1, 185, 1480) + fragment(0, 1, 370, 100))
put("reassembly", "backwards", fragment(1, 2, 20, 80) + fragment(3, 2, 10, 80) + fragment(3, 2, 0, 80))
put("reassembly", "overlap", fragment(2, 3, 0, 800) + fragment(2, 3, 50, 800) + fragment(4, 200, 0, 0) + fragment(4, 200, 0, 0))
put("reassembly", "two", fragment(2, 4, 0, 8) + fragment(3, 4, 0, 8) + fragment(0, 4, 1, 9) + fragment(1, 4, 1, 9))


def option(what, level, number, value):
    return struct.pack("<BBBB", what, level, number, len(value)) + value


one = struct.pack("<I", 1)
put("options", "tcp", b"".join(option(what, 3, n, one) for what in (16, 8) for n in range(1, 38)))
put("options", "socket", b"".join(option(what, 0, n, one) for what in (0, 8, 19, 27) for n in range(1, 80)))
put("options", "ip", b"".join(option(what, level, n, one) for level in (1, 2) for what in (3, 11, 20, 28) for n in range(1, 80)))
put("options", "buffers", option(16, 0, 8, struct.pack("<I", 2000)) + option(17, 0, 7, one) + option(48, 3, 10, struct.pack("<I", 1)))
put("options", "names", option(0, 3, 13, b"reno") + option(16, 3, 13, b"cubic\0") + option(3, 0, 25, b"eth0") + option(3, 1, 35, bytes((224, 0, 0, 9)) + bytes(4)))
