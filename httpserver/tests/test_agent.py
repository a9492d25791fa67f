# SPDX-License-Identifier: BSD-2-Clause
"""The agent on a plain Linux host, driven over its own REST interface, with small programs in the application's place."""
import ctypes
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import DEADLINE, free_port

SERVER = """
import http.server, sys
print("up", flush=True); print("oops", file=sys.stderr, flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.BaseHTTPRequestHandler).serve_forever()
"""


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


def test_output_that_nobody_takes(agent):
    """Stops the application, as a full pipe does, and not the API; nothing of it is lost."""
    a = agent([sys.executable, "-c", "import sys\nfor i in range(100000): print('line', i)\nprint('no more', file=sys.stderr)"],
              on_exit="poweroff")
    a.until(lambda app: "line 7000\n" in a.request("GET", "/v1/app/logs?stream=stdout")[1])
    assert a.json("/v1/app")["state"] == "running" and a.request("GET", "/v1/app/logs?stream=stderr")[1] == ""
    out, err = a.process.communicate(timeout=DEADLINE)
    assert out.decode() == "".join("line %d\n" % i for i in range(100000)) and err == b"no more\n"
    assert a.process.returncode == 0


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


def test_stop_between_two_runs(agent):
    """Is an end like another: the policy for the end holds, and the host is told."""
    for on_exit in ("keep", "poweroff"):
        a = agent([sys.executable, "-c", "import sys; sys.exit(3)"], restart="always", on_exit=on_exit)
        a.until(lambda app: app["state"] == "backoff")
        status, text, _ = a.request("POST", "/v1/app/stop")
        assert status == 202 and json.loads(text)["state"] in ("stopping", "exited")
        if on_exit == "poweroff":
            assert a.process.wait(DEADLINE) == 3
        else:
            app = a.until(lambda app: app["state"] == "exited")
            assert app["exit"]["code"] == 3 and a.request("POST", "/v1/app/stop")[0] == 409


def test_a_program_that_does_not_exist(agent):
    a = agent(["/no/such/program"])
    app = a.until(lambda app: True)
    assert app["pid"] is None
    assert a.request("POST", "/v1/app/start")[0] == 500


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
    name = ctypes.create_string_buffer("fünfzehn Zeicé".encode())
    with ThreadPoolExecutor(1) as pool:  # whose thread's name is cut in the middle of a character
        tid = pool.submit(lambda: ctypes.CDLL(None).prctl(15, name) or threading.get_native_id()).result()
        assert [t["name"] for t in a.json("/v1/os/threads")["threads"] if t["tid"] == tid] == ["f??nfzehn Zeic?"]
    metrics = samples(a.request("GET", "/metrics")[1])
    assert metrics["cortado_app_restarts_total"] == [({}, 0)] and "cortado_memory_total_bytes" in metrics
    status, text, _ = a.request("GET", "/v1/jvm")
    assert status == 404 and json.loads(text)["code"] == "not_java"


LABEL = r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\n"])*)"'


def samples(text):
    """Prometheus' text format 0.0.4, strictly: {name: [(labels, value)]}."""
    found, types, families = {}, {}, []
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("#"):
            word, name = re.fullmatch(r"# (HELP|TYPE) ([a-zA-Z_:][\w:]*) .+", line).groups()
            assert name not in found, "%s: %s after its samples" % (name, word)
            if word == "TYPE":
                assert name not in types and line.split()[3] in ("counter", "gauge", "histogram", "summary", "untyped")
                types[name] = line.split()[3]
            continue
        name, labels, value = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(%s(?:,%s)*)\})? (\S+)" % (LABEL, LABEL), line).group(1, 2, 7)
        family = name if name in types else re.sub(r"_(sum|count|bucket)$", "", name)
        assert family in types and (types[family] != "counter" or name.endswith("_total"))
        if family not in families[-1:]:
            assert family not in families, "%s: its samples are not together" % family
            families.append(family)
        labels = dict(re.findall(LABEL, labels or ""))
        assert labels not in [one for one, _ in found.get(name, [])]
        found.setdefault(name, []).append((labels, float(value)))
    return found


def test_metrics_of_the_runtime(agent, tmp_path):
    a = agent(["/bin/sleep", "60"], runtime="java")
    a.until(lambda app: app["pid"])
    _, f = glue_peer(a, tmp_path)
    pools = [{"name": 'a "b\\c\nd', "type": "heap", "used_bytes": 1, "committed_bytes": 2, "max_bytes": -1}, {"used_bytes": 3}]
    results = {"memory": {"pools": pools, "buffers": [{"name": "direct", "count": 1}, {}]}, "info": {"collector": "g1"},
               "gc": {"collectors": [{"name": "G1 Young", "count": 2, "time_seconds": 0.25}]}}

    def serve():
        for line in f:
            request = json.loads(line)
            f.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": results[request["method"]]}) + "\n")
            f.flush()

    threading.Thread(target=serve, daemon=True).start()
    metrics = samples(a.request("GET", "/metrics")[1])
    assert [v for _, v in metrics["jvm_memory_used_bytes"]] == [1, 3]
    assert metrics["jvm_gc_pause_seconds_sum"] == [({"gc": "G1 Young"}, 0.25)]


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
    result = {"collectors": [{"name": "nul \0, \U0001f600"}]}
    f.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}) + "\n")
    f.flush()
    r = c.getresponse()
    assert r.status == 200 and json.loads(r.read()) == result

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
