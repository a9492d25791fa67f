#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Our TCP against this host's: linux.py LINUX_PEER. Both talk over a TAP device in a network namespace made for it, through links
that lose, reorder, duplicate, corrupt and delay frames both ways. Prints a line a case; needs root and /dev/net/tun."""
import os
import socket
import struct
import subprocess
import sys
import threading
import time

OURS, THEIRS = "10.0.0.1", "10.0.0.2"
#        name                     loss reorder dup corrupt delay_ms (of 10,000), bytes of bulk, requests
CASES = (("a good link",            0,     0,   0,     0,     1, 4000000, 300),
         ("1 % lost",             100,     0,   0,     0,     5, 2000000, 100),
         ("3 % lost, 20 ms",      300,     0,   0,     0,    10, 500000, 30),
         ("10 % lost",           1000,     0,   0,     0,     2, 200000, 30),
         ("5 % lost, reordered",  500,  2500,   0,     0,     3, 300000, 30),
         ("reordered",              0,  3000,   0,     0,     2, 2000000, 100),
         ("twice, and damaged",   100,  1000, 1000,  300,     2, 500000, 50))
LIMIT = 60


def connect(port):
    s = socket.create_connection((OURS, port), timeout=LIMIT)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def read_all(s):
    parts = []
    while True:
        part = s.recv(1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)


def pattern(n):
    return (bytes(k * 7 & 255 for k in range(256)) * (n // 256 + 1))[:n]


def bulk_in(n):
    """Linux sends; we count and sum up."""
    data = os.urandom(n)
    total = 0
    for byte in data:
        total = (total * 31 + byte) & 0xffffffff
    with connect(9) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        answer = read_all(s)
    assert answer == b"%d %d\n" % (n, total), answer


def bulk_out(n):
    """We send; Linux compares."""
    with connect(19) as s:
        s.sendall(struct.pack("<I", n))
        got = read_all(s)
    assert got == pattern(n), "%d of %d bytes, or wrong ones" % (len(got), n)


def both_ways(n):
    """An echo of a stream, so that data and acknowledgements share segments."""
    data, got = os.urandom(n), []
    with connect(7) as s:
        def reader():
            got.append(read_all(s))
        t = threading.Thread(target=reader)
        t.start()
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        t.join(LIMIT)
    assert got and got[0] == data, "the echo differs"


def requests(n):
    with connect(7) as s:
        for i in range(n):
            question = b"%06d" % i + b"x" * (i * 37 % 1400)
            s.sendall(question)
            answer = b""
            while len(answer) < len(question):
                part = s.recv(1 << 16)
                assert part, "the connection ended"
                answer += part
            assert answer == question


def called_back(n):
    """We open the connection."""
    with socket.create_server((THEIRS, 0)) as listener:
        listener.settimeout(LIMIT)
        with connect(20) as s:
            s.sendall(struct.pack("<II", listener.getsockname()[1], n))
            c, _ = listener.accept()
            with c:
                c.settimeout(LIMIT)
                got = read_all(c)
    assert got == pattern(n), "%d of %d bytes, or wrong ones" % (len(got), n)


def run_case(peer, index, case):
    name, *link, bulk, count = case
    with subprocess.Popen([peer, "tap0", str(index + 1)] + [str(v) for v in link], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as p:
        try:
            assert p.stdout.readline() == b"ready\n", "linux-peer did not start"
            subprocess.run(["ip", "address", "add", THEIRS + "/24", "dev", "tap0"], check=True)
            subprocess.run(["ip", "link", "set", "tap0", "up"], check=True)
            for part, n in ((bulk_in, bulk), (bulk_out, bulk), (both_ways, bulk // 2), (requests, count), (called_back, bulk // 4)):
                began = time.monotonic()
                try:
                    part(n)
                    print("ok   linux: %s, %s (%.1f s)" % (name, part.__name__, time.monotonic() - began), flush=True)
                except (AssertionError, OSError) as e:
                    print("not ok linux: %s, %s: %r" % (name, part.__name__, e), flush=True)
                    return False
        finally:
            p.stdin.close()
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
    return True


def main():
    if len(sys.argv) == 3 and sys.argv[2] == "inside":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        good = [run_case(sys.argv[1], i, case) for i, case in enumerate(CASES)]
        return 0 if all(good) else 1
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun") or subprocess.call(["unshare", "-n", "true"], stderr=subprocess.DEVNULL):
        print("skipped: needs root, /dev/net/tun and network namespaces")
        return 0
    return subprocess.call(["unshare", "-n", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]), "inside"])


sys.exit(main())
