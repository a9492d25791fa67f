# SPDX-License-Identifier: BSD-2-Clause
"""The agent on a plain Linux host, driven over its own REST interface, with small programs in the application's place."""
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys

import pytest

AGENT = os.environ["AGENT"]
DEADLINE = 20

SERVER = """
import http.server, sys
print("up", flush=True); print("oops", file=sys.stderr, flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.BaseHTTPRequestHandler).serve_forever()
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Agent:
    def __init__(self, tmp, argv, **over):
        self.port = free_port()
        config = {"name": "t", "runtime": "program", "argv": argv, "cwd": str(tmp), "env": {"PATH": os.environ["PATH"]},
                  "on_exit": "keep", "api": {"port": self.port, "access": "full", "plain": True}}
        config.update(over)
        path = tmp / "app.json"
        path.write_text(json.dumps(config))
        self.process = subprocess.Popen([AGENT, "--config", str(path), "--glue", str(tmp / "glue.sock")],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def request(self, method, path, body=None, headers={}):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        c.request(method, path, body, headers)
        r = c.getresponse()
        return r.status, r.read().decode(), dict(r.getheaders())

    def json(self, path):
        return json.loads(self.request("GET", path)[1])

    def until(self, condition):
        """Poll GET /v1/app until CONDITION(answer); the agent has no event to wait for from outside."""
        poll = select.poll()
        for _ in range(DEADLINE * 20):
            try:
                app = self.json("/v1/app")
                if condition(app):
                    return app
            except OSError:
                assert self.process.poll() is None, self.process.stderr.read().decode()
            poll.poll(50)
        pytest.fail(f"timed out; last answer {app}")

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)


@pytest.fixture
def agent(tmp_path):
    started = []

    def start(argv, **over):
        started.append(Agent(tmp_path, argv, **over))
        return started[-1]

    yield start
    for a in started:
        a.end()


def server(port):
    return [sys.executable, "-c", SERVER, str(port)]


def test_ready_follows_the_declared_ports(agent):
    port = free_port()
    a = agent(server(port), ports=[port])
    app = a.until(lambda app: app["ready"])
    assert app["state"] == "running" and app["pid"] > 0 and app["restarts"] == 0 and app["exit"] is None
    assert a.request("GET", "/readyz")[0] == 200 and a.request("GET", "/livez")[0] == 200


def test_logs_by_stream_and_tail(agent):
    port = free_port()
    a = agent(server(port), ports=[port])
    a.until(lambda app: app["ready"])
    assert a.request("GET", "/v1/app/logs?stream=stdout")[1] == "up\n"
    assert a.request("GET", "/v1/app/logs?stream=stderr&tail=1")[1] == "oops\n"
    assert a.request("GET", "/v1/app/logs?stream=nothing")[0] == 400
    assert a.request("GET", "/v1/app/logs?tail=-1")[0] == 400


def test_followers_see_new_lines(agent):
    a = agent([sys.executable, "-uc", "import sys\nfor l in sys.stdin: pass\nprint('a')\nimport time; time.sleep(1); print('b')"])
    c = http.client.HTTPConnection("127.0.0.1", a.port, timeout=DEADLINE)
    a.until(lambda app: True)
    c.request("GET", "/v1/app/logs?follow=true")
    r = c.getresponse()
    assert r.readline() == b"a\n" and r.readline() == b"b\n"
    c.close()


def test_a_killed_application_leaves_the_api(agent):
    port = free_port()
    a = agent(server(port), ports=[port])
    pid = a.until(lambda app: app["ready"])["pid"]
    os.kill(pid, signal.SIGKILL)
    app = a.until(lambda app: app["state"] == "failed")
    assert app["exit"] == {"code": None, "signal": 9, "reason": "signal"} and app["pid"] is None
    assert a.request("GET", "/livez")[0] == 503 and a.request("GET", "/readyz")[0] == 503
    assert a.request("POST", "/v1/app/start")[0] == 202
    a.until(lambda app: app["ready"])
    assert a.request("GET", "/livez")[0] == 200


def test_exit_status_is_told_and_restart_honoured(agent):
    a = agent([sys.executable, "-c", "import sys; sys.exit(3)"], restart="on-failure:1")
    app = a.until(lambda app: app["state"] == "failed")
    assert app["restarts"] == 1 and app["exit"] == {"code": 3, "signal": None, "reason": "exit"}


def test_no_restart_after_success_on_failure(agent):
    a = agent(["/bin/true"], restart="on-failure")
    app = a.until(lambda app: app["state"] == "exited")
    assert app["restarts"] == 0 and app["exit"]["code"] == 0


def test_a_program_that_cannot_be_started(agent):
    a = agent(["/no/such/program"], restart="always")
    app = a.until(lambda app: app["state"] == "failed")
    assert app["exit"] == {"code": 127, "signal": None, "reason": "exit"} and app["pid"] is None
    assert a.request("POST", "/v1/app/start")[0] == 500
    a = agent(["/etc/passwd"], on_exit="poweroff")
    assert a.process.wait(DEADLINE) == 126


def test_stop_terminates_then_kills(agent):
    a = agent([sys.executable, "-uc", "import signal\nsignal.signal(15, signal.SIG_IGN)\nprint('up')\nwhile 1: signal.pause()"])
    a.until(lambda app: app["state"] == "running" and a.request("GET", "/v1/app/logs")[1])
    assert a.request("POST", "/v1/app/stop", '{"grace_seconds": 0.2}')[0] == 202
    app = a.until(lambda app: app["state"] == "exited")
    assert app["exit"] == {"code": None, "signal": 9, "reason": "stopped"}
    assert a.request("POST", "/v1/app/stop")[0] == 409


def test_a_program_that_does_not_exist(agent):
    a = agent(["/no/such/program"])
    app = a.until(lambda app: True)
    assert app["pid"] is None
    assert a.request("POST", "/v1/app/start")[0] == 500


def test_requests_that_are_refused(agent):
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    assert a.request("GET", "/v1/app", headers={"Host": "evil.example"})[0] == 421
    status, text, _ = a.request("GET", "/v1/app", headers={"Origin": "http://evil.example"})
    assert status == 403 and json.loads(text)["code"] == "foreign_origin"
    assert a.request("GET", "/v1/app", headers={"Origin": f"http://127.0.0.1:{a.port}"})[0] == 200
    assert a.request("GET", "/nothing")[0] == 404
    status, _, headers = a.request("DELETE", "/v1/app")
    assert status == 405 and headers["Allow"] == "GET"
    assert a.request("POST", "/v1/app/stop", "{bad")[0] == 400
    assert a.request("POST", "/v1/app/stop", '{"grace_seconds": "x"}')[0] == 400
    assert a.request("POST", "/v1/app/stop", "x" * 70000)[0] == 413
    with socket.create_connection(("127.0.0.1", a.port), timeout=DEADLINE) as s:
        s.sendall(b"GARBAGE\r\n\r\n\x00\xff")
        s.shutdown(socket.SHUT_WR)
        s.recv(4096)
    assert a.json("/v1/app")["state"] in ("starting", "running")


def raw(a, head, body=b""):
    """What comes back, to the end, for a request that http.client would not send."""
    with socket.create_connection(("127.0.0.1", a.port), timeout=DEADLINE) as s:
        s.sendall(b"\r\n".join([*head, b"Connection: close", b"", body]))
        return b"".join(iter(lambda: s.recv(65536), b""))


@pytest.mark.parametrize("head,body,status", [
    ([b"GET /v1/app%00x HTTP/1.1", b"Host: localhost"], b"", 404),
    ([b"GET /v1/app/logs?stream=stdout%00 HTTP/1.1", b"Host: localhost"], b"", 400),
    ([b"GET /v1/app/logs?follow=maybe HTTP/1.1", b"Host: localhost"], b"", 400),
    ([b"GET /v1/app HTTP/1.1", b"Host: localhost", b"Host: evil.example"], b"", 400),
    ([b"POST /v1/app/stop HTTP/1.1", b"Host: localhost", b"Content-Length: 2", b"Content-Length: 3"], b"{}", 400),
    ([b"POST /v1/app/stop HTTP/1.1", b"Host: localhost", b"Content-Length: 5", b"Transfer-Encoding: chunked"], b"0\r\n\r\n", 400),
    ([b"POST /v1/app/stop HTTP/1.1", b"Host: localhost", b"Content-Length: 100000000", b"Expect: 100-continue"], b"", 413)])
def test_requests_that_mean_two_things(agent, head, body, status):
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    assert raw(a, head, body).startswith(b"HTTP/1.1 %d " % status)
    assert a.json("/v1/app")["state"] in ("starting", "running")


def test_clients_that_never_finish_keep_nobody_out(agent):
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    slow = [socket.create_connection(("127.0.0.1", a.port), timeout=DEADLINE) for _ in range(64)]
    for s in slow:
        s.sendall(b"GET /v1/app HTTP/1.1\r\nHost: localhost\r\n")
    for s in slow:  # a byte now and then is not enough
        try:
            while True:
                select.select([s], [], [], 1)[0] or s.sendall(b"x")
                if select.select([s], [], [], 0)[0]:
                    assert s.recv(1) == b""
                    break
        except ConnectionError:
            pass
    assert a.json("/v1/app")["state"] in ("starting", "running")


def test_read_only_access(agent):
    port = free_port()
    a = agent(["/bin/sleep", "60"], api={"port": port, "access": "read-only", "plain": True})
    a.port = port
    a.until(lambda app: app["pid"])
    status, text, _ = a.request("POST", "/v1/app/stop")
    assert status == 403 and json.loads(text)["code"] == "read_only"


def test_no_plain_http_unless_the_command_says_so(agent, tmp_path):
    port = free_port()
    a = agent([sys.executable, "-c", "import sys; sys.exit(5)"], api={"port": port, "access": "full"}, on_exit="poweroff")
    assert a.process.wait(DEADLINE) == 5
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_system_resources(agent):
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    assert a.json("/v1/os")["kernel"] == "Linux"
    memory = a.json("/v1/os/memory")
    assert 0 < memory["available_bytes"] <= memory["total_bytes"]
    threads = a.json("/v1/os/threads")["threads"]
    assert any(t["pid"] == a.process.pid for t in threads)
    metrics = a.request("GET", "/metrics")[1]
    assert "cortado_app_restarts_total 0" in metrics and "cortado_memory_total_bytes" in metrics
    paths = a.json("/openapi.json")["paths"]
    assert "/v1/app/logs" in paths and "post" in paths["/v1/app/stop"]
    status, text, _ = a.request("GET", "/v1/jvm")
    assert status == 404 and json.loads(text)["code"] == "not_java"


@pytest.mark.parametrize("status", [0, 7])
def test_the_application_decides_the_agents_status(agent, status):
    a = agent([sys.executable, "-c", f"import sys; sys.exit({status})"], on_exit="poweroff")
    assert a.process.wait(DEADLINE) == status


def glue_peer(agent, tmp_path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(DEADLINE)
    s.connect(str(tmp_path / "glue.sock"))
    f = s.makefile("rw")
    f.write('{"jsonrpc":"2.0","method":"hello","params":{"runtime":"java"}}\n')
    f.flush()
    for _ in range(3):  # each answer is a round of the agent's loop: accepted, read
        agent.json("/v1/app")
    return s, f


def test_runtime_answers_reach_the_client(agent, tmp_path):
    a = agent(["/bin/sleep", "60"], runtime="java")
    a.until(lambda app: app["pid"])
    assert a.request("GET", "/v1/jvm/gc")[0] == 503
    s, f = glue_peer(a, tmp_path)
    c = http.client.HTTPConnection("127.0.0.1", a.port, timeout=DEADLINE)
    c.request("GET", "/v1/jvm/gc")
    request = json.loads(f.readline())
    while request["method"] != "gc":  # the agent may ask for its own purposes
        f.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": {}}) + "\n")
        f.flush()
        request = json.loads(f.readline())
    assert a.json("/v1/app")["runtime"] == "java"  # others are served meanwhile
    f.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": {"collectors": []}}) + "\n")
    f.flush()
    r = c.getresponse()
    assert r.status == 200 and json.loads(r.read()) == {"collectors": []}

    c.request("GET", "/v1/jvm/memory")
    f.readline()
    s.shutdown(socket.SHUT_RDWR)
    assert c.getresponse().status == 503


def test_a_client_that_goes_away_while_the_runtime_thinks(agent, tmp_path):
    a = agent(["/bin/sleep", "60"], runtime="java")
    a.until(lambda app: app["pid"])
    s, f = glue_peer(a, tmp_path)
    for path in ("/v1/jvm/threads", "/metrics"):
        c = http.client.HTTPConnection("127.0.0.1", a.port, timeout=DEADLINE)
        c.request("GET", path)
        request = json.loads(f.readline())
        c.close()
        f.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": {}}) + "\n")
        f.flush()
        if path == "/metrics":
            request = json.loads(f.readline())
            f.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": {}}) + "\n")
            f.flush()
        assert a.json("/v1/app")["pid"]
