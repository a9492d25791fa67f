# SPDX-License-Identifier: BSD-2-Clause
"""What two ends of a connection can do to each other, one case a function: our stack (Peer, see command.h) and this host's own,
reached by ordinary sockets. A case asserts that every byte comes as it was sent, that things go on, and that nothing stays behind."""
import errno
import select
import socket
import struct
import subprocess
import time

OURS, THEIRS = "10.0.0.1", "10.0.0.2"
ESTABLISHED, FIN_WAIT2, CLOSE, CLOSE_WAIT = 1, 5, 7, 8
LIMIT = 30
PATTERN = bytes(k * 7 & 255 for k in range(256)) * 300
SOL_TCP = socket.IPPROTO_TCP


def pattern(start, n):
    return PATTERN[start % 256:start % 256 + n]


class Peer:
    """The process PROGRAM: a host on tap0, behind a link."""

    def __init__(self, program, seed, link=(0, 0, 0, 0, 1)):
        self.process = subprocess.Popen([program, "tap0", str(seed)] + [str(v) for v in link], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n", "linux-peer did not start"
        subprocess.run(["ip", "address", "add", THEIRS + "/24", "dev", "tap0"], check=True)
        subprocess.run(["ip", "link", "set", "tap0", "up"], check=True)
        self.listening = self("sockets")

    def __call__(self, *words):
        self.process.stdin.write((" ".join(str(w) for w in words) + "\n").encode())
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def link(self, **values):
        for name, v in values.items():
            assert self("set", name, v) == 0, name

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def quiet(self):
        """No connection and no memory of one is left, but TIME-WAITs."""
        until(lambda: self("sockets") == self.listening, "%d sockets are left" % self("sockets"))
        until(lambda: self("memory") == 0, "memory is left")


def until(condition, what, limit=LIMIT):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.003)


class Conn:
    """A connection: S is Linux's socket, ID ours."""

    def __init__(self, peer, s, ident):
        self.peer, self.s, self.id = peer, s, ident
        self.sent = self.got = 0  # by Linux
        s.setblocking(False)

    def __call__(self, word, *words):
        return self.peer(word, self.id, *words)

    def step_in(self, total):
        """Linux sends up to TOTAL bytes in all, and we read. False: nothing happened."""
        n = 0
        if self.sent < total:
            try:
                n = self.s.send(pattern(self.sent, min(total - self.sent, 65536)))
            except BlockingIOError:
                pass
            self.sent += n
        r = self("recv", 65536, 0)
        assert r >= 0 or r == -errno.EAGAIN, "recv: %d" % r
        return r if r > 0 else (0 if n == 0 else None)

    def to_us(self, n):
        total, have, end = self.sent + n, 0, time.monotonic() + LIMIT
        while have < n:
            r = self.step_in(total)
            have += r or 0
            if r == 0:
                assert time.monotonic() < end, "%d of %d bytes came" % (have, n)
                time.sleep(0.002)

    def to_linux(self, n):
        left, have, end = n, 0, time.monotonic() + LIMIT
        while have < n:
            r = self("send", min(left, 65536), 0) if left else -errno.EAGAIN
            assert r > 0 or r == -errno.EAGAIN, "send: %d" % r
            left -= max(r, 0)
            have += self.read()
            if r < 0:
                assert time.monotonic() < end, "%d of %d bytes came" % (have, n)
                time.sleep(0.002)

    def read(self):
        try:
            part = self.s.recv(65536)
        except BlockingIOError:
            return 0
        assert part == pattern(self.got, len(part)), "wrong bytes at %d" % self.got
        self.got += len(part)
        return len(part)

    def both(self, n):
        self.to_us(n)
        self.to_linux(n)

    def finish(self):
        """Linux closes first, and the end arrives on both sides."""
        self.s.setblocking(True)
        self.s.settimeout(LIMIT)
        self.s.shutdown(socket.SHUT_WR)
        until(lambda: self("recv", 1, 0) == 0, "no end of file for us")
        self("close")
        while True:
            part = self.s.recv(65536)
            if not part:
                break
        self.s.close()
        self.peer.quiet()


def into(peer, port=80, before=None):
    """Linux connects to us."""
    l = peer("new")
    if before:
        before(l)
    peer("opt", l, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    assert peer("bind", l, port) == 0 and peer("listen", l, 8) == 0
    s = socket.create_connection((OURS, port), timeout=LIMIT)
    got = []
    until(lambda: got.append(peer("accept", l)) or got[-1] >= 0, "nothing to accept")
    peer("close", l)
    return Conn(peer, s, got[-1])


def out(peer, before=None, listening=None):
    """We connect to Linux. LISTENING prepares its listener."""
    with socket.socket() as l:
        l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listening:
            listening(l)
        l.bind((THEIRS, 0))
        l.listen(8)
        l.settimeout(LIMIT)
        ident = peer("new")
        if before:
            before(ident)
        assert peer("connect", ident, l.getsockname()[1]) == -errno.EINPROGRESS
        s = l.accept()[0]
    until(lambda: peer("state", ident) == ESTABLISHED, "not established")
    return Conn(peer, s, ident)


def sysctl(name, value):
    with open("/proc/sys/net/ipv4/" + name, "w") as f:
        f.write(str(value))


def abort(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


# -- ends --------------------------------------------------------------------------------------------------------------


def resets(peer):
    c = into(peer)
    c.both(5000)
    abort(c.s)
    until(lambda: c("state") == CLOSE, "the reset did not arrive")
    assert c("recv", 1, 0) == -errno.ECONNRESET and c("recv", 1, 0) == 0
    c("close")
    c = out(peer)
    c.both(5000)
    c("linger", 0)
    c("close")
    until(lambda: select.select([c.s], [], [], 0)[0], "no reset for Linux")
    try:
        c.s.recv(1)
        raise AssertionError("no error")
    except ConnectionResetError:
        c.s.close()
    peer.quiet()


def refusals(peer):
    ident = peer("new")
    assert peer("connect", ident, 9999) == -errno.EINPROGRESS
    until(lambda: peer("state", ident) == CLOSE, "no refusal")
    assert peer("get", ident, socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    peer("close", ident)
    try:
        socket.create_connection((OURS, 9999), timeout=LIMIT)
        raise AssertionError("connected")
    except ConnectionRefusedError:
        peer.quiet()


def half_open(peer):
    """One end is gone without a word; what the other one sends brings a reset."""
    c = into(peer)
    c.both(100)
    peer.link(down=1)
    abort(c.s)
    peer("sockets")  # it has taken the reset off the device when it answers the next command
    peer.link(down=0)
    assert c("send", 10, 0) == 10
    until(lambda: c("state") == CLOSE, "we were not told")
    assert c("recv", 1, 0) == -errno.ECONNRESET
    c("close")
    c = out(peer)
    peer.link(down=1)
    c("linger", 0)
    c("close")
    time.sleep(0.01)
    peer.link(down=0)
    c.s.send(b"?")
    until(lambda: c.s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET, "Linux was not told")
    c.s.close()
    peer.quiet()


def half_closed(peer):
    for way in (into, out):
        c = way(peer)
        c("shutdown", 1)
        c.s.settimeout(LIMIT)
        assert c.s.recv(1) == b""
        c.s.setblocking(False)
        c.to_us(100000)
        c.finish()


def simultaneous_open(peer):
    refusals(peer)  # both know each other's link address now
    peer.link(delay_ms=50)
    ident = peer("new")
    assert peer("bind", ident, 7000) == 0
    s = socket.socket()
    s.bind((THEIRS, 0))
    s.setblocking(False)
    assert s.connect_ex((OURS, 7000)) == errno.EINPROGRESS
    assert peer("connect", ident, s.getsockname()[1]) == -errno.EINPROGRESS
    until(lambda: peer("state", ident) == ESTABLISHED, "we are in state %d" % peer("state", ident))
    until(lambda: select.select([], [s], [], 0)[1], "Linux is not connected")
    c = Conn(peer, s, ident)
    peer.link(delay_ms=1)
    c.both(30000)
    c.finish()


def simultaneous_close(peer):
    c = into(peer)
    c.both(3000)
    peer.link(delay_ms=50)
    port = c.s.getsockname()[1]
    c.s.close()
    c("close")
    until(lambda: peer("timewait") == 1, "we are not in TIME-WAIT")
    line = ":%04X " % port

    def state():
        with open("/proc/net/tcp") as f:
            return [row.split()[3] for row in f if row.split()[1].endswith(line.strip())]
    until(lambda: state() in ([], ["06"]), "Linux is in state %s" % state())
    peer.quiet()


# -- windows -----------------------------------------------------------------------------------------------------------


def shrunk_windows(peer):
    for side in ("squeeze0", "squeeze1"):
        c = into(peer)
        c.both(60000)
        for field in (50, 20, 100):  # scaled; one less is what passes
            peer.link(**{side: field})
            (c.to_linux if side == "squeeze1" else c.to_us)(4000)
        peer.link(**{side: 1})  # closed
        time.sleep(0.3)
        peer.link(**{side: 0})
        c.both(60000)
        c.finish()


def linux_does_not_read(peer):
    c = out(peer, listening=lambda l: l.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192))
    total = 0
    end = time.monotonic() + 1.2  # long enough for some probes
    while time.monotonic() < end:
        r = c("send", 20000, 0)
        total += max(r, 0)
        time.sleep(0.005)
    until(lambda: c.read() >= 0 and c.got == total, "only a part of %d bytes" % total)
    c.both(50000)
    c.finish()


def we_do_not_read(peer):
    c = into(peer, before=lambda l: peer("opt", l, socket.SOL_SOCKET, socket.SO_RCVBUF, 8000))
    end = time.monotonic() + 1.2
    while time.monotonic() < end:
        try:
            c.sent += c.s.send(pattern(c.sent, 20000))
        except BlockingIOError:
            time.sleep(0.005)
    have = 0
    end = time.monotonic() + LIMIT
    while have < c.sent:
        r = c("recv", 65536, 0)
        assert r >= 0 or r == -errno.EAGAIN, r
        have += max(r, 0)
        assert time.monotonic() < end, "only %d of %d" % (have, c.sent)
    c.both(50000)
    c.finish()


def urgent(peer):
    c = into(peer)
    c.s.send(pattern(0, 3))
    c.s.send(b"!", socket.MSG_OOB)
    c.sent = 3
    got = []
    until(lambda: got.append(c("recv", 1, 1)) or got[-1] == ord("!"), "no urgent byte")
    until(lambda: c("recv", 10, 2) == 3, "no data before it")
    assert c("mark") == 0 and c("recv", 10, 0) == 3 and c("mark") == 1
    c.to_us(2000)
    assert c("send", 5, 0) == 5 and c("send", 1, socket.MSG_OOB) == 1
    c.s.settimeout(LIMIT)
    until(lambda: select.select([], [], [c.s], 0)[2], "no urgent byte for Linux")
    assert c.s.recv(1, socket.MSG_OOB) == b"!"
    c.s.setblocking(False)
    until(lambda: c.read() == 5, "no data before it")
    c.to_linux(2000)
    c.finish()


# -- options -----------------------------------------------------------------------------------------------------------


def over_bad_link(peer, way):
    """A handshake that fails would only cost time."""
    peer.link(loss=0, reorder=0, dup=0, corrupt=0)
    c = way(peer)
    peer.link(loss=300, reorder=1000, dup=100, corrupt=100)
    return c


def without_options(peer):
    """Linux does without one option after the other, we without the same one, over a bad link."""
    for name, ours in (("tcp_sack", "sack"), ("tcp_timestamps", "timestamps"), ("tcp_window_scaling", "window_scaling")):
        sysctl(name, 0)
        for way in (into, out):
            c = over_bad_link(peer, way)
            c.both(25000)
            c.finish()
        sysctl(name, 1)
        peer.link(**{ours: 0})
        for way in (into, out):
            c = over_bad_link(peer, way)
            c.both(25000)
            c.finish()
        peer.link(**{ours: 1})


def congestion_notification(peer):
    for value in (1, 0, 2):
        sysctl("tcp_ecn", value)
        for way in (into, out):
            c = over_bad_link(peer, way)
            c.both(50000)
            c.finish()
    peer.link(ecn=1)
    c = over_bad_link(peer, out)
    options = c.s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5]
    assert options & 8, "Linux did not grant what we asked for"
    c.both(50000)
    c.finish()
    peer.link(ecn=2)


def linux_cookies(peer):
    sysctl("tcp_syncookies", 2)
    for timestamps in (1, 0):
        peer.link(timestamps=timestamps)
        c = out(peer)
        c.both(100000)
        c.finish()
    sysctl("tcp_syncookies", 1)


def our_cookies(peer):
    peer.link(syncookies=2)
    for timestamps in (1, 0):
        sysctl("tcp_timestamps", timestamps)
        before = peer("cookies")
        c = into(peer)
        assert peer("cookies") == before + 1, "no cookie came back"
        c.both(100000)
        c.finish()
    sysctl("tcp_timestamps", 1)


def fastopen_client(peer):
    """We ask for a cookie, then send data with our SYN."""
    sysctl("tcp_fastopen", 3)
    with socket.socket() as l:
        l.bind((THEIRS, 0))
        l.setsockopt(SOL_TCP, socket.TCP_FASTOPEN, 5)
        l.listen(8)
        l.settimeout(LIMIT)
        port = l.getsockname()[1]
        for expected in (-errno.EINPROGRESS, 400):
            ident = peer("new")
            peer.link(delay_ms=100)
            assert peer("tfo", ident, port, 400) == expected
            s = l.accept()[0]
            c = Conn(peer, s, ident)
            if expected > 0:  # it is there before the handshake is complete
                assert peer("state", ident) == 2 and s.recv(1000) == pattern(0, 400)
                c.got = 400
                info = s.getsockopt(SOL_TCP, socket.TCP_INFO, 104)
                assert info[5] & 32, "TCPI_OPT_SYN_DATA"
            peer.link(delay_ms=1)
            until(lambda: peer("state", ident) == ESTABLISHED, "not established")
            c.both(20000)
            c.finish()


def fastopen_server(peer):
    sysctl("tcp_fastopen", 3)
    peer.link(fastopen=3)
    ident = peer("new")
    assert peer("bind", ident, 81) == 0 and peer("opt", ident, SOL_TCP, socket.TCP_FASTOPEN, 5) == 0 and peer("listen", ident, 8) == 0
    for first in (True, False):
        s = socket.socket()
        s.setblocking(first)
        peer.link(delay_ms=1 if first else 100)
        assert s.sendto(pattern(0, 300), 0x20000000, (OURS, 81)) == 300  # EINPROGRESS would mean that Linux has no cookie
        got = []
        until(lambda: got.append(peer("accept", ident)) or got[-1] >= 0, "nothing to accept")
        c = Conn(peer, s, got[-1])
        c.sent = 300
        if not first:
            assert c("state") == 3 and c("recv", 1000, 0) == 300 and c("send", 50, 0) == 50
            until(lambda: c.read() == 50, "no early answer")
        else:
            until(lambda: c("recv", 1000, 0) == 300, "no data")
        peer.link(delay_ms=1)
        c.both(20000)
        s.setblocking(True)
        s.shutdown(socket.SHUT_WR)
        until(lambda: c("recv", 1, 0) == 0, "no end of file")
        c("close")
        s.close()
    peer("close", ident)
    peer.quiet()


# -- paths -------------------------------------------------------------------------------------------------------------


def path_mtu(peer):
    for mtu in (1300, 900):
        peer.link(path_mtu=mtu)
        for way in (into, out):
            c = way(peer)
            c.both(80000)
            c.finish()


def our_black_hole(peer):
    c = into(peer)
    c.both(20000)
    peer.link(path_mtu=900, blackhole=1)
    c.to_linux(60000)
    peer.link(path_mtu=0, blackhole=0)
    c.both(20000)
    c.finish()


def linux_black_hole(peer):
    sysctl("tcp_mtu_probing", 1)
    c = into(peer)
    c.both(20000)
    peer.link(path_mtu=1200, blackhole=1)
    c.to_us(60000)
    c.finish()
    sysctl("tcp_mtu_probing", 0)


def outage(peer):
    """Longer than a few timeouts, in the middle of a flow both ways."""
    c = into(peer)
    c.both(50000)
    sent = c("send", 30000, 0)
    assert sent > 0
    peer.link(down=1)
    time.sleep(2)
    peer.link(down=0)
    until(lambda: c.read() >= 0 and c.got == 50000 + sent, "what was sent before did not come")
    c.both(50000)
    c.finish()


QUICK = (resets, refusals, half_open, half_closed, simultaneous_open, simultaneous_close, shrunk_windows, linux_does_not_read,
         we_do_not_read, urgent, without_options, congestion_notification, linux_cookies, our_cookies, fastopen_client,
         fastopen_server, path_mtu, our_black_hole)
FULL = (linux_black_hole, outage)
