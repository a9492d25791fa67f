# SPDX-License-Identifier: BSD-2-Clause
"""A network of its own for VMs: a namespace with a TAP device, addresses, and servers on the host's end of it.

    10.77.0.1  the host's end: DNS on port 53, HTTP on 80, HTTPS on 443 (certificate of a CA made here)
    10.77.0.2  the VM, by `ip=`; it routes everything through the host's end, which forwards nothing:
               198.51.100.0/24 swallows packets, 203.0.113.0/24 answers "host unreachable"
"""

import contextlib
import hashlib
import http.client
import http.server
import json
import os
import select
import socket
import ssl
import struct
import subprocess
import threading
import uuid

import vm

from cortado_cli import netns
from cortado_cli.errors import HostLacks
from cortado_cli.netns import GUEST, HOST, TAP

PATTERN = bytes((i * 31 + i // 251) & 255 for i in range(8191))  # Network.java pours the same
NAMES = {  # what the DNS server knows: name -> addresses
    "host.test": [HOST],
    "two.test": ["192.0.2.1", "192.0.2.2"],
    "six.test": ["2001:db8::6"],
}
READY_SECONDS = 120


def why_not():
    """Why this host cannot make namespaces and TAP devices; "" when it can."""
    try:
        with netns.Namespace():
            return ""
    except HostLacks as e:
        return str(e)
    except (OSError, subprocess.CalledProcessError) as e:
        return "no TAP device can be made here: %s" % e


class Namespace(netns.Namespace):
    def __init__(self):
        super().__init__()
        self._servers = []

    def __enter__(self):
        super().__enter__()
        self.ip("link", "set", TAP, "txqueuelen", "10000")  # so that floods reach the guest
        self.ip("route", "add", "blackhole", "198.51.100.0/24")
        self.ip("route", "add", "unreachable", "203.0.113.0/24")
        with self.entered(), open("/proc/sys/net/ipv4/ip_forward", "w") as f:
            f.write("1")
        return self

    def __exit__(self, *error):
        for server in self._servers:
            server.shutdown()
            server.server_close()
        super().__exit__(*error)

    # -- servers on the host's end ---------------------------------------------------------------------------------

    def serve_dns(self):
        with self.entered():
            self.dns = _DnsServer((HOST, 53))
        self._start(self.dns)

    def serve_http(self, context=None):
        """HTTP, or HTTPS with the ssl.SSLContext CONTEXT."""
        with self.entered():
            server = http.server.ThreadingHTTPServer((HOST, 443 if context else 80), _Handler)
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        self._start(server)

    def _start(self, server):
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    # -- the VM ----------------------------------------------------------------------------------------------------

    words = netns.GUEST_WORD

    @contextlib.contextmanager
    def service(self, app, *options, net="tap:" + TAP):
        """`run APP` on the TAP device; the name of the VM, once it says that it is ready."""
        name = "t-" + uuid.uuid4().hex[:8]
        with self.entered():
            r = vm.cortado("run", "-d", "--wait", "--name", name, "--net", net, "--append", self.words, *options, app,
                           timeout=READY_SECONDS)
        try:
            assert r.status == 0 and r.out == name + "\n", r
            yield name
        finally:
            vm.cortado("stop", "-t", "5", name, timeout=30)

    def connect(self, timeout=20, port=8080):
        with self.entered():
            return socket.create_connection((GUEST, port), timeout)

    def http(self, method, path, body=None, timeout=240):
        """(status, body) of one request to the VM's port 8080."""
        connection = http.client.HTTPConnection(GUEST, 8080, timeout=timeout)
        with contextlib.closing(connection):
            with self.entered():
                connection.connect()
            connection.request(method, path.replace(" ", "%20"), body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def text(self, path):
        """The body of GET PATH as text, which must be a success."""
        status, body = self.http("GET", path)
        assert status == 200, (path, status, body)
        return body.decode()

    def until_answered(self, seconds=30):
        for _ in range(int(seconds / 0.2)):
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.http("GET", "/", timeout=5)[0] == 200:
                    return
            select.select([], [], [], 0.2)
        raise AssertionError("%s: no answer for %d s" % (GUEST, seconds))


def java_app(folder, files=None, **java):
    """apps/network, built in FOLDER, which may hold FILES for it."""
    subprocess.run(["javac", "--release", "17", "-d", str(folder), vm.ROOT + "/tests/system/apps/network/Network.java"], check=True)
    classes = sorted(p.name for p in folder.glob("*.class"))
    subprocess.run(["jar", "--create", "--file", "network.jar", "--main-class", "Network", *classes], cwd=folder, check=True)
    (folder / "cortado.json").write_text(json.dumps({
        "version": 1, "name": "network", "runtime": "java", "main": "network.jar", "memory": "512M", "cpus": 1, "ports": [8080],
        "java": java, "files": files or {}}))


def pattern(length):
    return (PATTERN * (length // len(PATTERN) + 1))[:length]


def digest(data):
    return "%d %s" % (len(data), hashlib.sha256(data).hexdigest())


class _Handler(http.server.BaseHTTPRequestHandler):
    """GET /: hello. GET /bytes?N: N bytes of the pattern. POST: length and SHA-256 of the body."""

    def do_GET(self):
        path, _, query = self.path.partition("?")
        self._answer(pattern(int(query)) if path == "/bytes" else b"hello from the host\n")

    def do_POST(self):
        self._answer(digest(self.rfile.read(int(self.headers["Content-Length"]))).encode())

    def _answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class _DnsServer:
    """DNS over UDP (RFC 1035), of NAMES. Keeps the questions in `asked`."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.asked = []

    def serve_forever(self, poll_interval):
        while True:
            query, peer = self.socket.recvfrom(4096)
            if not query:
                return
            with contextlib.suppress(IndexError, struct.error, UnicodeDecodeError):
                self.socket.sendto(self._answer(query), peer)

    def shutdown(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RD)  # ends the recvfrom, whatever it says itself

    def server_close(self):
        self.socket.close()

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, (kind,) = ".".join(labels).lower(), struct.unpack_from(">H", query, at + 1)
        self.asked.append((name, kind))
        family, wanted = (socket.AF_INET6, ":") if kind == 28 else (socket.AF_INET, ".")
        found = [a for a in NAMES.get(name, []) if kind in (1, 28) and wanted in a]
        records = [socket.inet_pton(family, a) for a in found]
        answer = query[:2] + struct.pack(">HHHHH", 0x8580 | (0 if name in NAMES else 3), 1, len(records), 0, 0) + query[12 : at + 5]
        for data in records:
            answer += struct.pack(">HHHIH", 0xC00C, kind, 1, 60, len(data)) + data
        return answer


def certificates(folder):
    """The ssl.SSLContext of a server host.test; FOLDER/trust.p12 becomes a trust store with its CA (password: secret)."""
    def tool(*words):
        subprocess.run(words, cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    tool("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Test CA")
    tool("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "host.key", "-out", "host.csr", "-subj", "/CN=host.test",
         "-addext", "subjectAltName=DNS:host.test")
    tool("openssl", "x509", "-req", "-in", "host.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-copy_extensions",
         "copy", "-out", "host.pem")
    tool("keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", "ca.pem", "-keystore", "trust.p12", "-storetype", "PKCS12", "-storepass",
         "secret")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "host.pem"), os.path.join(folder, "host.key"))
    return context
