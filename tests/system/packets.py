# SPDX-License-Identifier: BSD-2-Clause
"""Hostile frames, sent raw from the host's end of a namespace. Each kind is a generator of frames; what is random in it
comes from a seed, so that a failure can be had again. The frames claim to come from STRANGER, so that what a guest rightly
believes of them is not about the tests' own host; where a kind does forge the host's or the guest's own addresses, Linux
would not believe it either, or recover by itself."""

import contextlib
import random
import socket
import struct

import network

STRANGER, STRANGER_MAC = "10.77.0.66", bytes.fromhex("020000000066")
BROADCAST = b"\xff" * 6
PORT = 8080


def sums(data):
    """The Internet checksum (RFC 1071) of DATA."""
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(to, kind, payload, source=STRANGER_MAC):
    return to + source + struct.pack(">H", kind) + payload


def ip4(payload, proto=6, source=STRANGER, target=network.GUEST, options=b"", fragment=0, ident=7, length=None, ihl=None, version=4, ttl=64, bad_sum=False):
    ihl = 5 + len(options) // 4 if ihl is None else ihl
    length = 20 + len(options) + len(payload) if length is None else length
    head = struct.pack(">BBHHHBBH4s4s", version << 4 | ihl, 0, length & 0xFFFF, ident, fragment, ttl, proto, 0, socket.inet_aton(source),
                       socket.inet_aton(target)) + options
    check = sums(head) ^ (0x5555 if bad_sum else 0)
    return head[:10] + struct.pack(">H", check) + head[12:] + payload


def _pseudo4(source, target, proto, length):
    return socket.inet_aton(source) + socket.inet_aton(target) + struct.pack(">BBH", 0, proto, length)


def tcp(flags, options=b"", payload=b"", sport=4000, dport=PORT, seq=1000, ack=0, window=1024, offset=None, source=STRANGER, target=network.GUEST,
        bad_sum=False, urgent=0):
    offset = 5 + (len(options) + 3) // 4 if offset is None else offset
    segment = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset << 4 & 0xF0, flags, window, 0, urgent)
    segment += options + b"\0" * (-len(options) % 4) + payload
    check = sums(_pseudo4(source, target, 6, len(segment)) + segment) ^ (0x1111 if bad_sum else 0)
    return segment[:16] + struct.pack(">H", check) + segment[18:]


def udp(payload, dport=9999, length=None, check=None, source=STRANGER):
    length = 8 + len(payload) if length is None else length
    datagram = struct.pack(">HHHH", 4000, dport, length & 0xFFFF, 0) + payload
    if check is None:
        check = sums(_pseudo4(source, network.GUEST, 17, len(datagram)) + datagram) or 0xFFFF
    return datagram[:6] + struct.pack(">H", check) + datagram[8:]


def icmp(kind, code, body):
    message = struct.pack(">BBH", kind, code, 0) + body
    return message[:2] + struct.pack(">H", sums(message)) + message[4:]


def arp(op, sender_mac, sender, target, target_mac=b"\0" * 6, hw=1, proto=0x800, sizes=(6, 4)):
    return struct.pack(">HHBBH6s4s6s4s", hw, proto, *sizes, op, sender_mac, socket.inet_aton(sender), target_mac, socket.inet_aton(target))


def ip6(payload, next_header, source, target, hops=255, length=None):
    return struct.pack(">IHBB16s16s", 6 << 28, len(payload) if length is None else length, next_header, hops, socket.inet_pton(socket.AF_INET6, source),
                       socket.inet_pton(socket.AF_INET6, target)) + payload


def icmp6(kind, code, body, source, target):
    message = struct.pack(">BBH", kind, code, 0) + body
    pseudo = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target) + struct.pack(">II", len(message), 58)
    return message[:2] + struct.pack(">H", sums(pseudo + message)) + message[4:]


# -- kinds: f(guest's MAC, random.Random) -> frames -------------------------------------------------------------------


def noise(to, r):
    """Frames of no sense at all, of every length; and sensible headers with noise behind."""
    for n in list(range(1, 80)) + [256, 600, 1499, 1500]:
        yield to + STRANGER_MAC + r.randbytes(n)
        yield ethernet(to, r.choice((0x800, 0x806, 0x86DD)), r.randbytes(n))
        yield ethernet(to, 0x800, ip4(r.randbytes(n), proto=r.randrange(256)))


def flips(to, r):
    """A good request for a connection with some bytes changed or cut off, its sums sometimes made good again."""
    good = ip4(tcp(2, b"\2\4\5\xb4\4\2\x08\x0a\0\0\0\1\0\0\0\0\1\3\3\7"))
    for _ in range(600):
        frame = bytearray(good)
        for _ in range(r.randint(1, 4)):
            frame[r.randrange(len(frame))] = r.randrange(256)
        if r.random() < 0.5:
            frame[10:12] = b"\0\0"
            frame[10:12] = struct.pack(">H", sums(bytes(frame[:20])))
        yield ethernet(to, 0x800, bytes(frame[: r.randint(1, len(frame))] if r.random() < 0.3 else frame))


def ip_headers(to, r):
    """Wrong versions, header lengths, total lengths, sums, sources, options."""
    segment = tcp(2)
    for ihl in range(16):
        yield ethernet(to, 0x800, ip4(segment, ihl=ihl))
        yield ethernet(to, 0x800, ip4(segment, version=ihl))
    for length in list(range(0, 64)) + [1500, 9000, 65535]:
        yield ethernet(to, 0x800, ip4(segment, length=length))
    yield ethernet(to, 0x800, ip4(segment, bad_sum=True))
    for source in ("127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", network.GUEST, "10.77.0.255", "240.0.0.1"):
        yield ethernet(to, 0x800, ip4(tcp(2, source=source), source=source))
        yield ethernet(to, 0x800, ip4(icmp(8, 0, b"echo"), proto=1, source=source))
    for kind in range(256):  # options: routes, records, time stamps; too short, too long, pointing outside
        for length in (0, 1, 2, 3, 40, 255):
            yield ethernet(to, 0x800, ip4(segment, options=bytes((kind, length, r.randrange(256), r.randrange(256))) * r.randint(1, 10)))


def fragments(to, r):
    """Overlaps, holes, ends that disagree, fragments beyond 64 KiB, and more heads without tails than anybody keeps."""
    body = udp(bytes(3000))

    def piece(start, end, more, ident):
        return ethernet(to, 0x800, ip4(body[start:end], proto=17, fragment=start // 8 | (0x2000 if more else 0), ident=ident))

    yield from (piece(0, 1480, True, 1), piece(1400, 2880, True, 1), piece(2880, 3008, False, 1))
    yield from (piece(0, 1480, True, 2), piece(0, 1480, True, 2), piece(8, 800, False, 2), piece(1480, 3008, False, 2))
    yield from (piece(1480, 3008, False, 3), piece(1480, 1488, False, 3), piece(2000, 2960, True, 3), piece(0, 1480, True, 3))
    for ident in range(10, 20):
        yield ethernet(to, 0x800, ip4(bytes(1400), proto=17, fragment=0x1FFF | r.choice((0, 0x2000)), ident=ident))
        yield ethernet(to, 0x800, ip4(bytes(r.randint(0, 7)), proto=17, fragment=0x2000 | r.randrange(4), ident=ident))
    for ident in range(1000, 3000):
        yield ethernet(to, 0x800, ip4(bytes(1400), proto=17, fragment=0x2000, ident=ident))


def segments(to, r):
    """Every combination of flags (what port scanners send), wrong offsets and sums, options that make no sense."""
    for flags in range(256):
        for port in (PORT, 1):
            yield ethernet(to, 0x800, ip4(tcp(flags, payload=r.randbytes(r.choice((0, 1, 600))), dport=port, sport=2000 + flags, urgent=r.randrange(65536))))
    for offset in range(16):
        yield ethernet(to, 0x800, ip4(tcp(2, offset=offset)))
    yield ethernet(to, 0x800, ip4(tcp(2, bad_sum=True)))
    for n in range(20):
        yield ethernet(to, 0x800, ip4(tcp(2)[:n]))
    for kind in range(40):
        for length in (0, 1, 2, 3, 4, 11, 34, 255):
            yield ethernet(to, 0x800, ip4(tcp(2, options=(bytes((kind, length)) + r.randbytes(38))[: 4 * r.randint(1, 10)], sport=5000 + kind)))
    # Itself as the peer (the LAND attack), a broadcast as the target.
    yield ethernet(to, 0x800, ip4(tcp(2, source=network.GUEST, sport=PORT), source=network.GUEST))
    yield ethernet(to, 0x800, ip4(tcp(2, target="10.77.0.255"), target="10.77.0.255"))


def blind(to, r):
    """Attacks on the open connections of the host's end: resets, requests and data at random places (RFC 5961)."""
    for _ in range(1500):
        flags = r.choice((4, 2, 0x14, 0x12, 0x18, 0x11, 0x10))
        segment = tcp(flags, payload=r.randbytes(r.choice((0, 40))), sport=r.randrange(32768, 61000), seq=r.getrandbits(32), ack=r.getrandbits(32),
                      source=network.HOST)
        yield ethernet(to, 0x800, ip4(segment, source=network.HOST))


def syn_flood(to, r):
    """Requests for connections from addresses that never answer."""
    for _ in range(4000):
        source = "10.77.0.%d" % r.randint(100, 250)
        yield ethernet(to, 0x800, ip4(tcp(2, b"\2\4\5\xb4", sport=r.randrange(1024, 65536), seq=r.getrandbits(32), source=source), source=source))


def datagrams(to, r):
    for length in (0, 1, 7, 8, 9, 100, 65535):
        for check in (None, 0, 0x1234):
            yield ethernet(to, 0x800, ip4(udp(b"payload", length=length, check=check), proto=17))
    for port in range(0, 65536, 97):
        yield ethernet(to, 0x800, ip4(udp(b"scan", dport=port), proto=17))
    for proto in range(256):
        yield ethernet(to, 0x800, ip4(bytes(8), proto=proto))
    for n in range(8):
        yield ethernet(to, 0x800, ip4(bytes(n), proto=17))


def icmp_messages(to, r):
    """Every type and code, errors about packets that were never sent, redirects, echoes in a flood, large and broadcast."""
    inner = ip4(tcp(0x10, source=network.GUEST, target=network.HOST, sport=PORT), source=network.GUEST, target=network.HOST)
    for kind in range(0, 256):
        for code in (0, 1, 4, 13, 255):
            yield ethernet(to, 0x800, ip4(icmp(kind, code, r.randbytes(4) + inner[: r.choice((0, 3, 19, 20, 24, 28, 40))]), proto=1))
    for mtu in (0, 1, 67, 68, 552, 1500, 65535):
        yield ethernet(to, 0x800, ip4(icmp(3, 4, struct.pack(">HH", 0, mtu) + inner[:28]), proto=1))
    yield ethernet(to, 0x800, ip4(icmp(5, 1, socket.inet_aton(STRANGER) + inner[:28]), proto=1, source=network.HOST))
    for n in range(12):
        yield ethernet(to, 0x800, ip4(icmp(8, 0, r.randbytes(n)), proto=1))
    for n in range(2000):
        yield ethernet(to, 0x800, ip4(icmp(8, 0, struct.pack(">HH", 1, n) + bytes(n % 1400)), proto=1))
    yield ethernet(BROADCAST, 0x800, ip4(icmp(8, 0, bytes(64)), proto=1, target="10.77.0.255"))


def arp_oddities(to, r):
    """Wrong sizes and kinds; the guest's own address claimed; the host's claimed with addresses that cannot be; floods."""
    for n in range(28):
        yield ethernet(to, 0x806, arp(1, STRANGER_MAC, STRANGER, network.GUEST)[:n])
    for options in ({"hw": 6}, {"proto": 0x86DD}, {"sizes": (0, 0)}, {"sizes": (255, 255)}, {"sizes": (6, 16)}):
        yield ethernet(to, 0x806, arp(1, STRANGER_MAC, STRANGER, network.GUEST, **options))
    for op in (0, 1, 2, 3, 8, 9, 65535):
        yield ethernet(to, 0x806, arp(op, STRANGER_MAC, network.GUEST, network.GUEST))
        yield ethernet(to, 0x806, arp(op, STRANGER_MAC, "0.0.0.0", network.GUEST))
        yield ethernet(to, 0x806, arp(op, BROADCAST, network.HOST, network.GUEST))
        yield ethernet(to, 0x806, arp(op, b"\1\0\x5e\0\0\1", network.HOST, network.GUEST))
        for odd in ("224.0.0.1", "127.0.0.1", "255.255.255.255", "192.0.2.9"):
            yield ethernet(to, 0x806, arp(op, STRANGER_MAC, odd, network.GUEST))
            yield ethernet(to, 0x806, arp(op, STRANGER_MAC, STRANGER, odd))
    for n in range(3000):  # more neighbours than anybody keeps
        yield ethernet(BROADCAST, 0x806, arp(1, b"\2\0\0\1" + struct.pack(">H", n), "10.77.%d.%d" % (1 + n // 250, n % 250), network.GUEST))


def poison(to, r):
    """The host's address with another station's: what it costs is the time until the host speaks itself."""
    yield ethernet(to, 0x806, arp(2, STRANGER_MAC, network.HOST, network.GUEST, to))


def nd_oddities(to, r):
    """Neighbour discovery and IPv6 headers: wrong hop limits, options of length 0, multicast targets, false routers."""
    guest = link_local(to)
    stranger, nodes = "fe80::66", "ff02::1"
    target = socket.inet_pton(socket.AF_INET6, guest)

    def send(kind, body, source=stranger, destination=guest, **options):
        return ethernet(to, 0x86DD, ip6(icmp6(kind, options.pop("code", 0), body, source, destination), 58, source, destination, **options))

    for kind in (133, 134, 135, 136, 137):
        body = bytes(4) + target
        for option in (b"", b"\1\1" + STRANGER_MAC, b"\2\1" + STRANGER_MAC, b"\1\0" + STRANGER_MAC, b"\1\2" + STRANGER_MAC, b"\1\xff" + STRANGER_MAC, b"\1"):
            for source in (stranger, "::", "ff02::1", guest, "::1"):
                yield send(kind, body + option, source)
            yield send(kind, body + option, hops=64)
            yield send(kind, body + option, code=1)
            yield send(kind, bytes(4) + socket.inet_pton(socket.AF_INET6, nodes) + option)
        for n in range(len(body)):
            yield send(kind, body[:n])
    prefix = struct.pack(">BBBBII4x16s", 3, 4, 64, 0xC0, 1800, 1800, socket.inet_pton(socket.AF_INET6, "2001:db8:66::"))
    for change in range(len(prefix)):  # a false router's options, each byte wrong once; no router: lifetime 0
        bad = prefix[:change] + bytes((r.randrange(256),)) + prefix[change + 1 :]
        yield send(134, struct.pack(">BBHII", 64, 0, 0, 0, 0) + bad, destination=nodes)
    for n in range(300):
        yield send(135, bytes(4) + target + b"\1\1" + STRANGER_MAC, "fe80::1:%x" % n)
    for header in range(256):
        yield ethernet(to, 0x86DD, ip6(r.randbytes(40), header, stranger, guest))
    for length in (0, 1, 39, 41, 65535):
        yield ethernet(to, 0x86DD, ip6(bytes(40), 58, stranger, guest, length=length))
    chain = b"".join(bytes((0, 0, 1, 4, 0, 0, 0, 0)) for _ in range(100))
    yield ethernet(to, 0x86DD, ip6(chain + icmp6(128, 0, b"echo", stranger, guest), 0, stranger, guest))
    for offset in (0, 8, 8, 1480, 65528):  # fragments that overlap, and end beyond 64 KiB
        yield ethernet(to, 0x86DD, ip6(struct.pack(">BBHI", 58, 0, offset | (offset < 1480), 9) + bytes(64), 44, stranger, guest))


def router_flood(to, r):
    """Routers and prefixes without end; what they say holds for two seconds."""
    for n in range(400):
        source, nodes = "fe80::2:%x" % n, "ff02::1"
        prefix = struct.pack(">BBBBII4x16s", 3, 4, 64, 0xC0, 2, 2, socket.inet_pton(socket.AF_INET6, "2001:db8:%x::" % (0x1000 + n)))
        advert = icmp6(134, 0, struct.pack(">BBHII", 64, 0, 2, 0, 0) + prefix, source, nodes)
        yield ethernet(to, 0x86DD, ip6(advert, 58, source, nodes))


KINDS = [noise, flips, ip_headers, fragments, segments, blind, syn_flood, datagrams, icmp_messages, arp_oddities, poison, nd_oddities, router_flood]


def link_local(mac):
    """The address that an interface makes of its MAC (RFC 4291)."""
    return "fe80::%02x%02x:%02xff:fe%02x:%02x%02x" % (mac[0] ^ 2, *mac[1:])


# -- sending ----------------------------------------------------------------------------------------------------------


def guest_mac(namespace):
    """As the host's end knows it after a request."""
    namespace.text("/")
    words = namespace.ip("neighbour", "show", network.GUEST).split()
    return bytes.fromhex(words[words.index("lladdr") + 1].replace(":", ""))


def send(namespace, frames):
    """Send FRAMES; returns how many the device took (it drops what its queue, or its rules for lengths, cannot take)."""
    sent = 0
    with namespace.entered():
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with contextlib.closing(s):
        s.bind((network.TAP, 0))
        for frame in frames:
            with contextlib.suppress(OSError):
                sent += s.send(frame) > 0
    return sent


def seeded(kind):
    return random.Random(kind.__name__)
