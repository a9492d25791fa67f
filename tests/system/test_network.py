# SPDX-License-Identifier: BSD-2-Clause
"""Services on a TAP device: load, memory, names, TLS, both directions, errors, hostile packets; Node and a fat jar."""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import zipfile

import pytest

import network
import packets
import vm
from services import running

_why = network.why_not()
needs_tap = pytest.mark.skipif(bool(_why), reason=_why)
pytestmark = pytest.mark.cortado_only

APPS = vm.ROOT + "/tests/system/apps"
LEAST_REQUESTS = 20000
LARGE = 20 << 20
HOST = "http://%s" % network.HOST


@contextlib.contextmanager
def served():
    with network.Namespace() as n:
        n.serve_dns()
        n.serve_http()
        yield n


@pytest.fixture
def namespace():
    """For one VM of the test's own."""
    with served() as n:
        yield n


@pytest.fixture(scope="module")
def java(tmp_path_factory):
    """The namespace of apps/network, for all tests of this file that talk to Java."""
    folder = tmp_path_factory.mktemp("network")
    with served() as n:
        n.serve_http(network.certificates(folder))
        network.java_app(folder, files={"trust.p12": "/app/trust.p12"},
                         options=["-Djavax.net.ssl.trustStore=/app/trust.p12", "-Djavax.net.ssl.trustStorePassword=secret"])
        with n.service(folder):
            yield n


# -- load -------------------------------------------------------------------------------------------------------------


def kernel_bytes(namespace):
    """What the kernel holds for itself: all that is neither free nor the application's nor cached."""
    m = {k: int(v) for k, v in (line.split() for line in namespace.text("/file?/proc/cortado/memory").splitlines())}
    return m["total_bytes"] - m["free_bytes"] - m["page_cache_bytes"] - m["anon_bytes"] - m["ballooned_bytes"]


def load(namespace, seconds):
    """(requests made, complaints) of wrk with 64 connections."""
    out = namespace.command("wrk", "-t", "1", "-c", "64", "-d", "%ds" % seconds, "--timeout", "20s", "http://%s:8080/" % network.GUEST,
                            timeout=seconds + 60)
    return int(re.search(r"(\d+) requests in", out).group(1)), re.findall(r".*(?:errors|Non-2xx).*", out)


@needs_tap
def test_load_without_errors_or_growth(java):
    load(java, 5)  # fills caches, makes the JVM compile, starts its threads
    before, made = kernel_bytes(java), 0
    while made < LEAST_REQUESTS:
        n, complaints = load(java, 5)
        assert n > 0 and not complaints, (n, complaints)
        made += n
    # A connection holds some KiB, a request's packets likewise; 20,000 of either would be 40 MiB and more.
    assert kernel_bytes(java) - before < 256 << 10, "the kernel held %d bytes more after %d requests" % (kernel_bytes(java) - before, made)


@needs_tap
def test_connections_leave_nothing(java):
    """Connections that end in every way: kept, closed by either side, reset with data unread."""
    def churn():
        for i in range(150):
            with java.connect() as s:
                if i % 3:
                    s.sendall(b"GET /bytes?%d HTTP/1.1\r\nHost: x\r\n%s\r\n" % (i * 100, b"Connection: close\r\n" if i % 2 else b""))
                    s.recv(1)
                if i % 5 == 0:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    churn()
    before = kernel_bytes(java)
    churn()
    assert kernel_bytes(java) - before < 160 << 10


# -- as a client ------------------------------------------------------------------------------------------------------


@needs_tap
def test_names(java):
    del java.dns.asked[:]
    assert java.text("/resolve?host.test") == network.HOST
    assert ("host.test", 1) in java.dns.asked
    assert java.text("/resolve?two.test").split() == network.NAMES["two.test"]
    assert java.text("/resolve?six.test").replace("0:0:0:0:0", ":").replace(":::", "::") == "2001:db8::6"
    status, text = java.http("GET", "/resolve?none.test")
    assert status == 500 and text.startswith(b"java.net.UnknownHostException: none.test"), text


@needs_tap
def test_https(java):
    assert java.text("/fetch?https://host.test/") == "200 hello from the host\n"
    # The certificate is for the name, not for the address.
    status, text = java.http("GET", "/fetch?https://%s/" % network.HOST)
    assert status == 500 and b"SSLHandshakeException" in text, text


@needs_tap
def test_loopback_round_trips(java):
    """Medians under 50 ms once warm, and nobody waits for a delayed acknowledgement (40 ms). Other work on this machine
    costs time too, so the best of some rounds counts."""
    medians, quickest = {}, {}
    for _ in range(6):
        for line in java.text("/loopback?40").splitlines():
            what, tenth, median = line.rsplit(" ", 2)
            quickest[what] = min(float(tenth), quickest.get(what, 1e9))
            medians[what] = min(float(median), medians.get(what, 1e9))
        assert len(medians) == 4
        if max(medians.values()) < 50 and max(quickest.values()) < 40:
            return
    raise AssertionError((medians, quickest))


@needs_tap
def test_large_bodies_both_ways(java):
    expected = network.digest(network.pattern(LARGE))
    assert java.text("/upload?%s/ %d" % (HOST, LARGE)) == expected + "\n" + expected
    assert java.text("/download?%s/bytes?%d" % (HOST, LARGE)) == expected
    assert java.http("POST", "/digest", network.pattern(LARGE)) == (200, expected.encode())
    assert network.digest(java.http("GET", "/bytes?%d" % LARGE)[1]) == expected


@needs_tap
@pytest.mark.parametrize("words,telling", [
    (network.HOST + " 1 10000", "java.net.ConnectException: Connection refused"),
    ("203.0.113.1 80 10000", "java.net.NoRouteToHostException: No route to host"),
    ("10.77.0.99 80 20000", "java.net.NoRouteToHostException: No route to host"),  # nobody has that address
    ("198.51.100.1 80 1000", "java.net.SocketTimeoutException: Connect timed out"),
    ("255.255.255.255 80 1000", "java.net.SocketException: Network is unreachable"),
    ("127.0.0.1 1 1000", "java.net.ConnectException: Connection refused"),
    (network.HOST + " 80 1000", "connected"),
])
def test_connect_errors(java, words, telling):
    assert java.http("GET", "/connect?" + words)[1].decode().startswith(telling)


@needs_tap
def test_ipv6_on_the_link(java):
    address = "%s%%%s" % (packets.link_local(packets.guest_mac(java)), network.TAP)
    with java.entered():
        s = socket.create_connection((address, 8080), 20)
    with s:
        s.sendall(b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\nConnection: close\r\n\r\n" + network.pattern(3000000))
        answer = b"".join(iter(lambda: s.recv(4096), b""))
    assert answer.endswith(network.digest(network.pattern(3000000)).encode())


# -- hostile packets --------------------------------------------------------------------------------------------------


def counters(namespace):
    """Everything counted about packets, by name."""
    text = namespace.text("/file?/proc/net/snmp") + namespace.text("/file?/proc/net/netstat")
    lines, found = text.splitlines(), {}
    for names, values in zip(lines[::2], lines[1::2]):
        group = names.split()[0]
        found.update((group + name, int(value)) for name, value in zip(names.split()[1:], values.split()[1:]))
    for line in namespace.text("/file?/proc/cortado/counters").splitlines():
        found[line.split()[0]] = int(line.split()[1])
    return found


# kind -> what must have counted some of its frames
COUNTED = {
    "noise": ["Ip:InHdrErrors", "Ip:InUnknownProtos", "arp_malformed"],
    "flips": ["Ip:InHdrErrors", "tcp_malformed", "Tcp:InCsumErrors"],
    "ip_headers": ["Ip:InHdrErrors", "Ip:InAddrErrors"],
    "fragments": ["Ip:ReasmFails", "frag_overlaps", "frag_evictions"],
    "segments": ["tcp_malformed", "Tcp:OutRsts"],
    "blind": ["Tcp:OutRsts"],
    "syn_flood": ["TcpExt:SyncookiesSent"],
    "datagrams": ["Udp:NoPorts", "Udp:InErrors", "Ip:InUnknownProtos"],
    "icmp_messages": ["Icmp:InErrors", "Icmp:OutEchoReps"],
    "arp_oddities": ["arp_malformed", "arp_conflicts"],
    "poison": [],
    "nd_oddities": ["icmp6_malformed", "ip6_bad_adverts"],
    "router_flood": ["ip6_adverts_refused"],
}


@needs_tap
@pytest.mark.parametrize("kind", packets.KINDS, ids=lambda k: k.__name__)
def test_hostile_frames(java, kind):
    to, before = packets.guest_mac(java), counters(java)
    with java.connect() as bystander:
        packets.send(java, kind(to, packets.seeded(kind)))
        if kind is packets.poison:
            java.ip("neighbour", "flush", "dev", network.TAP)  # the host asks, and so tells where it is
        java.until_answered()
        bystander.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert bystander.recv(100).startswith(b"HTTP/1.1 200")
    after = counters(java)
    for name in COUNTED[kind.__name__]:
        assert after[name] > before[name], name
    assert java.text("/file?/proc/net/if_inet6").count("eth0") <= 16


def arp_table(namespace):
    """{address: link address} of the guest."""
    lines = namespace.text("/file?/proc/net/arp").splitlines()[1:]
    return {line.split()[0]: line.split()[3] for line in lines}


@needs_tap
def test_whom_arp_believes(java):
    to, first, second = packets.guest_mac(java), bytes.fromhex("020000000a01"), bytes.fromhex("020000000a02")
    asker, announcer, other = "10.77.0.71", "10.77.0.72", "10.77.0.73"

    def say(*words):
        packets.send(java, [packets.ethernet(to, 0x806, packets.arp(*w, network.GUEST), w[1]) for w in words])

    # Who asks is known; not so who answers unasked, and what is neither. Another answer within a second does not count.
    say((2, first, announcer), (3, first, other), (1, first, asker), (2, second, asker))
    table = arp_table(java)
    assert table[asker] == "02:00:00:00:0a:01" and announcer not in table and other not in table
    select.select([], [], [], 1.2)
    say((2, second, asker))
    assert arp_table(java)[asker] == "02:00:00:00:0a:02"
    say((1, first, asker))  # whoever asks is where he says
    assert arp_table(java)[asker] == "02:00:00:00:0a:01"


@needs_tap
def test_frames_before_the_interface_is_up(namespace, tmp_path):
    """Frames that arrive while the guest boots do not cost it its network."""
    (tmp_path / "http.js").write_text("require('http').createServer((q, r) => r.end('up')).listen(8080)")
    frame = packets.ethernet(packets.BROADCAST, 0x806, packets.arp(1, packets.STRANGER_MAC, packets.STRANGER, "10.77.0.99"))
    flood = _Flood(namespace, frame)
    with flood, namespace.service(tmp_path / "http.js"):
        namespace.until_answered()
    assert flood.sent > 100


class _Flood:
    """FRAME every half millisecond, by a process of its own so that this one's pauses do not matter."""

    def __init__(self, namespace, frame):
        self.namespace, self.sent = namespace, 0
        self.code = ("import os, socket, time, signal\n"
                     "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind((%r, 0)); n = 0; go = [1]\n"
                     "signal.signal(signal.SIGTERM, lambda *_: go.clear())\n"
                     "while go and os.getppid() != 1:\n"
                     "    try: n += s.send(%r) > 0\n"
                     "    except OSError: pass\n"
                     "    time.sleep(.0005)\n"
                     "print(n)") % (network.TAP, frame)

    def __enter__(self):
        with self.namespace.entered():
            self.process = subprocess.Popen(["/usr/bin/python3", "-c", self.code], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.sent = int(self.process.communicate(timeout=20)[0] or 0)


# -- Node -------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def launched_node(namespace, *options):
    """`launch node /app/http.js`, once it listens."""
    words = [vm.COMMAND, "launch", *options, "--with", APPS + "/network/http.js:/app/http.js", "node", "/app/http.js", "word"]
    with namespace.entered() if namespace else contextlib.nullcontext():
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        assert process.stdout.readline() == b"listening word\n", process.communicate()
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


@needs_tap
def test_node_serves_and_fetches(namespace):
    with launched_node(namespace, "--net", "tap:" + network.TAP, "--append", namespace.words):
        assert namespace.text("/") == "hello from node\n"
        assert namespace.text("/fetch?http://host.test/") == "200 hello from the host\n"
        assert namespace.text("/lookup?two.test").split() == namespace.text("/resolve?two.test").split() == network.NAMES["two.test"]
        for path, code in (("/lookup?none.test", b"ENOTFOUND"), ("/resolve?none.test", b"ENOTFOUND"), ("/fetch?http://host.test:81/", b"ECONNREFUSED"),
                           ("/fetch?http://127.0.0.1:81/", b"ECONNREFUSED"), ("/fetch?http://203.0.113.1/", b"EHOSTUNREACH")):
            assert namespace.http("GET", path) == (502, code)


def test_node_on_a_published_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with launched_node(None, "-p", "%d:8080" % port):
        out = subprocess.run(["curl", "-s", "-m", "30", "http://127.0.0.1:%d/" % port], stdout=subprocess.PIPE, check=True).stdout
        assert out == b"hello from node\n"


# -- a fat jar --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A jar with Shop and all that it needs, as build tools make them."""
    folder = tmp_path_factory.mktemp("some where")
    libraries = ["/usr/share/java/%s.jar" % n for n in ("tomcat10-embed-core", "tomcat10-embed-el", "jakarta-annotation-api")]
    subprocess.run(["javac", "--release", "17", "-cp", ":".join(libraries), "-d", str(folder), APPS + "/shop/Shop.java"], check=True)
    with zipfile.ZipFile(folder / "shop.jar", "w", zipfile.ZIP_DEFLATED) as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nMain-Class: Shop\r\nMulti-Release: true\r\n\r\n")
        jar.write(folder / "Shop.class", "Shop.class")
        taken = set(jar.namelist())
        for library in libraries:
            with zipfile.ZipFile(library) as z:
                for name in z.namelist():
                    if name not in taken and not name.endswith(("/", "module-info.class")):
                        taken.add(name)
                        jar.writestr(name, z.read(name))
    return folder / "shop.jar"


def test_fat_jar(shop, tmp_path):
    with running(shop, "-p", "0:8080", "--api", "0", cwd=tmp_path) as s:
        assert s.http("GET", "/items") == (200, "{}\n")
        assert s.http("PUT", "/items?cup=3.50")[0] == 204
        assert s.http("GET", "/items") == (200, "{cup=3.50}\n")
        assert s.http("GET", "/nothing")[0] == 404
        assert s.json("GET", "/v1/app", port="api")["state"] == "running"


# -- bad input --------------------------------------------------------------------------------------------------------


def told(r, status, *words):
    return r.status == status and all(w in r.err for w in words) and "Traceback" not in r.err and not r.out


@pytest.mark.parametrize("name", ["none.jar", "none.js", "none", "no/such/folder"])
def test_missing_application(tmp_path, name):
    assert told(r := vm.cortado("run", name, cwd=tmp_path), 127, "run: " + name), r
    assert told(r := vm.cortado("run", "-d", name, cwd=tmp_path), 1, name), r
    assert told(r := vm.cortado("build", name, cwd=tmp_path), 1, name), r


def test_jar_that_is_no_zip(tmp_path):
    (tmp_path / "bad.jar").write_bytes(b"PK\3\4" + os.urandom(2000))
    assert told(r := vm.cortado("run", "bad.jar", cwd=tmp_path), 126, "bad.jar", "jar"), r


def test_unreadable_jar(shop, tmp_path):
    """Cut off in the middle, as by a download that broke."""
    (tmp_path / "cut.jar").write_bytes(shop.read_bytes()[:100000])
    assert told(r := vm.cortado("run", "cut.jar", cwd=tmp_path), 126, "cut.jar"), r


def test_port_in_use(shop):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        assert told(r := vm.cortado("run", "-p", "%d:8080" % number, shop), 125, str(number), "in use", "-p"), r


def test_heap_beyond_memory(tmp_path):
    network.java_app(tmp_path, heap="600M")
    assert told(r := vm.cortado("run", tmp_path), 125, "600M", "memory"), r
    network.java_app(tmp_path, options=["-Xmx300m"])
    assert told(r := vm.cortado("run", "-m", "200M", tmp_path), 125, "-Xmx300m", "-m 200M"), r
