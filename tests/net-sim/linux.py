#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Our TCP against this host's: linux.py LINUX_PEER [full]. Both talk over a TAP device in a network namespace made for it, through
links that lose, reorder, duplicate, corrupt and delay frames both ways; then come the cases of linux_cases.py. FULL: all of it with
ten seeds, and what takes long. Prints a line a case; needs root and /dev/net/tun."""
import os
import socket
import struct
import subprocess
import sys
import threading
import time

import linux_cases

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


def run(name, part, *args):
    """One line. False: it failed."""
    began = time.monotonic()
    try:
        part(*args)
    except (AssertionError, OSError) as e:
        print("not ok linux: %s: %r" % (name, e), flush=True)
        return False
    print("ok   linux: %s (%.1f s)" % (name, time.monotonic() - began), flush=True)
    return True


def run_link(program, seed, case):
    name, *link, bulk, count = case
    peer = linux_cases.Peer(program, seed, link)
    try:
        return all(run("%s, %s" % (name, part.__name__), part, n)
                   for part, n in ((bulk_in, bulk), (bulk_out, bulk), (both_ways, bulk // 2), (requests, count), (called_back, bulk // 4)))
    finally:
        peer.close()


def run_hand(program, seed, part):
    peer = linux_cases.Peer(program, seed)
    try:
        return run(part.__name__.replace("_", " "), part, peer)
    finally:
        peer.close()


def inside(program, full):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    seeds = range(1, 11) if full else (1,)
    good = [run_link(program, 100 * seed + i, case) for seed in seeds for i, case in enumerate(CASES)]
    good += [run_hand(program, seed, part) for seed in seeds
             for part in linux_cases.QUICK + (linux_cases.FULL if full else ())]
    return 0 if all(good) else 1


def main():
    full = sys.argv[2:3] == ["full"]
    if len(sys.argv) == 4:
        return inside(sys.argv[1], full)
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun") or subprocess.call(["unshare", "-n", "true"], stderr=subprocess.DEVNULL):
        print("skipped: needs root, /dev/net/tun and network namespaces")
        return 0
    return subprocess.call(["unshare", "-n", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]),
                            "full" if full else "quick", "inside"])


sys.exit(main())
