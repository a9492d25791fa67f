# SPDX-License-Identifier: BSD-2-Clause
"""The sample services as VMs: what a new user does, over the user network, with the management API."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest

import vm

sys.path.insert(0, vm.ROOT + "/httpserver/tests")

import openapi
from services import answering, running

ORDERS = vm.ROOT + "/apps/java/orders"
HELLO = vm.ROOT + "/apps/node/hello"
PUBLISH = ("-p", "0:8080", "--api", "0")


@pytest.mark.parametrize("machine,cpus", [("q35", 1), ("microvm", 2)])
def test_orders(machine, cpus):
    with running(ORDERS, "--machine", machine, "--cpus", cpus, "-e", "SHIP_AFTER_SECONDS=3600",
                 "-e", "JAVA_TOOL_OPTIONS=-XX:MaxRAMPercentage=70", *PUBLISH) as s:
        order = s.json("POST", "/orders", {"customer": "ann", "item": "cup", "quantity": 2, "price": 3.5})
        assert order["id"] == 1 and order["total"] == 7.0 and order["state"] == "open"
        assert s.json("GET", "/orders/1")["customer"] == "ann"
        assert len(s.json("GET", "/orders")["orders"]) == 1
        assert s.json("DELETE", "/orders/1")["state"] == "cancelled"
        assert s.http("GET", "/orders/99")[0] == 404
        assert s.http("POST", "/orders", {"customer": "", "item": "x", "quantity": 1, "price": 1})[0] == 400
        assert s.http("GET", "/readyz", port="api")[0] == 200

        app = s.app()
        assert app["state"] == "running" and app["ready"] and app["restarts"] == 0
        assert s.json("GET", "/v1/os", port="api")["cpus"] == cpus
        memory = s.json("GET", "/v1/os/memory", port="api")["total_bytes"]
        assert memory > 200 << 20 and s.json("GET", "/v1/jvm/memory", port="api")["heap"]["max_bytes"] > memory * 0.6
        assert any("java" in t["name"] or "jvm" in t["name"] for t in s.json("GET", "/v1/os/threads", port="api")["threads"])
        assert "init=" in s.json("GET", "/v1/os/cmdline", port="api")["cmdline"]
        assert s.http("GET", "/v1/os/dmesg", port="api")[0] == 200
        assert s.json("GET", "/v1/jvm", port="api")["version"].startswith("17.")
        assert s.json("GET", "/v1/jvm/memory", port="api")["heap"]["used_bytes"] > 0
        assert s.json("GET", "/v1/jvm/gc", port="api")["collectors"]
        assert s.json("POST", "/v1/jvm/gc", port="api")["committed_bytes"] > 0
        threads = s.json("GET", "/v1/jvm/threads", port="api")["threads"]
        assert any(t["name"] == "main" or t.get("stack") for t in threads)
        metrics = s.http("GET", "/metrics", port="api")[1]
        assert 'jvm_memory_used_bytes{area="heap"' in metrics and "cortado_app_ready 1" in metrics

        document = s.json("GET", "/openapi.json", port="api")
        for path, item in document["paths"].items():  # it tells of every answer, to the last field
            if "get" in item and "application/json" in item["get"]["responses"]["2XX"]["content"] and path != "/openapi.json":
                assert not openapi.misfit(s.json("GET", path, port="api"), openapi.answers(document, "get", path)), path
        assert not openapi.misfit(s.json("POST", "/v1/jvm/gc", port="api"), openapi.answers(document, "post", "/v1/jvm/gc"))

        assert "orders: listening on port 8080" in vm.cortado("logs", s.name).out
        assert s.name in vm.cortado("ps").out
        assert s.json("POST", "/v1/app/stop", port="api")["state"] in ("stopping", "exited")
        assert s.until(lambda a: a["state"] == "exited")["exit"]["reason"] == "stopped"
        assert s.json("POST", "/v1/app/start", port="api")
        s.until(lambda a: a["ready"])
        assert s.json("GET", "/stats")["orders"] == 0


def test_node_service():
    with running(HELLO, *PUBLISH) as s:
        assert s.json("GET", "/")["message"] == "hello"
        assert s.json("POST", "/greetings", {"name": "a", "text": "b"}) == {"name": "a", "text": "b"}
        assert s.http("POST", "/greetings", {"name": 1})[0] == 400
        stats = s.json("GET", "/stats")
        assert stats["memory"]["rss"] > 0 and stats["cpus"] == 1
        assert s.app()["runtime"] == "node"
        assert "nodejs_heap_size_used_bytes" in s.http("GET", "/metrics", port="api")[1]
        assert vm.cortado("stop", s.name).status == 0
        assert "hello: stopped" in vm.cortado("logs", s.name).out


def test_foreground_run_streams_and_stops_on_interrupt():
    process = subprocess.Popen([vm.COMMAND, "run", "-p", "0:8080", HELLO], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        assert process.stdout.readline() == b"hello: listening on port 8080\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def death(tmp_path_factory):
    """A Java program that ends in the way its first argument says."""
    folder = tmp_path_factory.mktemp("death")
    source = vm.ROOT + "/tests/system/apps/death/Death.java"
    subprocess.run(["javac", "--release", "17", "-d", str(folder), source], check=True)
    shutil.copy("/bin/busybox", folder / "busybox")
    (folder / "cortado.json").write_text(
        '{"version": 1, "name": "death", "runtime": "java",'
        ' "java": {"main_class": "Death", "heap": "64M", "options": ["-XX:MaxDirectMemorySize=1g"]},'
        ' "memory": "192M", "files": {"Death.class": "/app/Death.class", "busybox": "/app/busybox"}}')
    return str(folder)


@pytest.mark.parametrize("how,exit", [
    ("halt", {"code": 3, "signal": None, "reason": "exit"}),
    ("throw", {"code": 1, "signal": None, "reason": "exit"}),
    ("kill", {"code": None, "signal": 9, "reason": "signal"}),
    ("memory", {"code": None, "signal": 9, "reason": "oom"}),
    ("crash", {"code": None, "signal": 6, "reason": "signal"}),
])
def test_the_api_outlives_the_runtime(death, how, exit):
    with running(death, "--api", "0", wait=False, arguments=[how]) as s:
        app = s.until(lambda a: a["state"] == "failed")
        memory = app["exit"].pop("memory", None)
        assert app["exit"] == exit and app["pid"] is None
        if how == "memory":
            assert memory["limit_bytes"] // 2 < memory["anon_bytes"] <= memory["limit_bytes"] <= 192 << 20, memory
            assert memory["total_vm_bytes"] > memory["anon_bytes"] > memory["free_bytes"], memory
        else:
            assert memory is None
        assert s.http("GET", "/livez", port="api")[0] == 503
        assert s.http("GET", "/v1/jvm", port="api")[0] == 503
        log = s.http("GET", "/v1/app/logs", port="api")[1]
        assert "dying: " + how in log and (how != "crash" or ("saved as:\n# /dev/stderr" in log and "Death.main" in log and "END." in log)), log


def test_debugger_and_management_from_the_host(tmp_path):
    classes = tmp_path / "classes"
    sources = [vm.ROOT + "/tests/system/java/%s.java" % n for n in ("Patient", "Manage")]
    subprocess.run(["javac", "--release", "17", "-d", str(classes)] + sources, check=True)
    debug, jmx = _free_ports(2)  # the same inside, since JMX tells its clients the port to come back to
    remote = ["-Dcom.sun.management.jmxremote." + o for o in
              ("port=%d" % jmx, "rmi.port=%d" % jmx, "authenticate=false", "ssl=false", "host=0.0.0.0")]
    options = ["-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:%d" % debug, "-Djava.rmi.server.hostname=127.0.0.1"] + remote
    (tmp_path / "cortado.json").write_text(json.dumps({
        "version": 1, "name": "patient", "runtime": "java", "java": {"main_class": "Patient", "options": options, "classpath": ["classes"]},
        "ports": [debug, jmx]}))
    with running(str(tmp_path), "-p", "%d:%d" % (debug, debug), "-p", "%d:%d" % (jmx, jmx)):
        client = subprocess.run(["java", "-cp", str(classes), "Manage", str(jmx)], stdout=subprocess.PIPE, timeout=60)
        assert client.stdout == b"true\nTIMED_WAITING\n"
        words = ["jdb", "-connect", "com.sun.jdi.SocketAttach:hostname=127.0.0.1,port=%d" % debug]
        debugger = subprocess.run(words, input=b"threads\nsuspend\nwhere all\nresume\nquit\n", stdout=subprocess.PIPE, timeout=60).stdout.decode()
        assert "resting" in debugger and "Patient.rest" in debugger, debugger


def _free_ports(n):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def test_balloon_takes_and_gives_back():
    """Ten times over without drift, and the service answers all the while."""
    with running(ORDERS, "-m", "512M", *PUBLISH) as s:
        smallest = []
        for _ in range(10):
            s.json("POST", "/load", {"mib": 300})
            full = s.host_bytes()
            s.json("POST", "/load", {"mib": 0})
            with answering(s) as statuses:
                small = vm.cortado("balloon", s.name, "192M", "--timeout", "20", timeout=60)
                assert small.status == 0, small
                assert s.json("GET", "/v1/balloon", port="api")["actual_bytes"] == 192 << 20
                smallest.append(s.host_bytes())
                assert smallest[-1] < full - (150 << 20)
                back = vm.cortado("balloon", s.name, "512M", "--timeout", "20", timeout=60)
                assert back.status == 0, back
                assert s.json("GET", "/v1/balloon", port="api")["actual_bytes"] == 512 << 20
            assert statuses and set(statuses) == {200}
        assert max(smallest) < smallest[0] + (32 << 20), smallest
        s.json("POST", "/load", {"mib": 250})


def test_restart_with_the_balloon_inflated():
    """A runtime that starts while the host holds half of the memory sizes itself by all of it, and may use it once it is back."""
    with running(ORDERS, "-m", "512M", *PUBLISH) as s:
        heap = s.json("GET", "/v1/jvm/memory", port="api")["heap"]["max_bytes"]
        assert heap > 256 << 20
        small = vm.cortado("balloon", s.name, "208M", "--timeout", "20", timeout=60)
        assert small.status == 0, small
        before = s.app()["pid"]
        s.http("POST", "/v1/app/restart", {}, port="api")
        s.until(lambda a: a["ready"] and a["pid"] not in (None, before))
        assert s.json("GET", "/v1/balloon", port="api")["boot_bytes"] == 512 << 20
        assert s.json("GET", "/v1/jvm/memory", port="api")["heap"]["max_bytes"] == heap
        back = vm.cortado("balloon", s.name, "512M", "--timeout", "20", timeout=60)
        assert back.status == 0, back
        s.json("POST", "/load", {"mib": 300})
        assert s.app()["pid"] not in (None, before) and s.app()["restarts"] <= 1
        s.json("POST", "/load", {"mib": 0})
