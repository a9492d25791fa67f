# SPDX-License-Identifier: BSD-2-Clause
"""bench net: what serving costs the virtual CPU, over a TAP device in a namespace of its own.

On few cores a throughput figure also measures the host's scheduler. So the one vCPU is pinned to a core, the load and
QEMU's other threads to the rest, and the figure is the vCPU thread's CPU time per request (read from the host); requests
a second and the 99th percentile stand beside it. Systems alternate within each round."""

import contextlib
import json
import os
import re
import resource
import socket
import subprocess
import tempfile
import time

from .. import linux, netns, paths, qmp, setup, ui
from ..errors import CortadoError
from . import Row, service

TITLE = "net"
ROUNDS = 9
_SECONDS = 2
_WARM_SECONDS = 1
_IDLE = (10, 10000)
_SERVICES = {"apps/node/hello": "/", "apps/java/orders": "/orders"}
# Until the runtime's compilers are done, whatever the system: HotSpot's share this one virtual CPU with the requests, for
# two or three minutes. Rounds of so many seconds until so many requests were answered; at most so many rounds.
_SERVICE_SECONDS, _WARM_REQUESTS, _WARM_ROUNDS = 5, 25000, 60
_PORT = 8080
_IPERF_PAUSE = 0.5  # its server closes and opens its port between two tests
_GIB = 1 << 30


def measure(_kind):
    setup.require("wrk", "iperf3", "iproute2")
    linux.guest()  # downloaded now: inside the namespace there is no way to do it
    table = _Table()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        server, iperf = _program(folder, "server", _server()), _program(folder, "iperf", "/usr/bin/iperf3", ["-s"], 5201)
        for number in range(ROUNDS):
            for system in service.SYSTEMS:
                note = "%s, %d of %d" % (system, number + 1, ROUNDS)
                with ui.step("epoll server, " + note), _Guest(system, server) as guest:
                    _epoll_server(table, system, guest)
                with ui.step("iperf3, " + note), _Guest(system, iperf) as guest:
                    _streams(table, system, guest)
    for app, path in _SERVICES.items():
        _service(table, app, path)
    return list(table.rows.values()), list(service.SYSTEMS)


class _Table:
    def __init__(self):
        self.rows = {}

    def add(self, system, name, value, unit, lower_is_better=True):
        self.rows.setdefault(name, Row(name, unit, lower_is_better)).add(system, value)


def _server():
    program = paths.build("bench", "server")
    source = os.path.join(paths.ROOT, "tests", "bench", "server", "server.c")
    if not os.path.exists(program) or os.stat(program).st_mtime < os.stat(source).st_mtime:
        os.makedirs(os.path.dirname(program), exist_ok=True)
        subprocess.run(["gcc", "-static", "-O2", "-Wall", "-o", program, source], check=True)
    return program


def _program(folder, name, program, args=(), port=_PORT):
    """An app folder that runs PROGRAM."""
    app = os.path.join(folder, name)
    os.mkdir(app)
    with open(os.path.join(app, "cortado.json"), "w") as f:
        json.dump({"version": 1, "name": name, "runtime": "program", "main": program, "args": list(args), "ports": [port]}, f)
    return app


class _Guest:
    """APP in a one-CPU VM under SYSTEM on a TAP device; the vCPU alone on the first of this process's cores."""

    def __init__(self, system, app):
        self.system, self.app = system, app

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        try:
            self.namespace = self._stack.enter_context(netns.Namespace())
            self.namespace.command("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535")
            with self.namespace.entered():
                name = "bench-%s-%d" % (self.system, os.getpid())
                service.cortado("run", "-d", "--wait", "--quiet", "--cpus", "1", "-m", "384M", "--name", name,
                                "--net", "tap:" + netns.TAP, "--append", netns.GUEST_WORD, *service.SYSTEMS[self.system], self.app)
            self._stack.callback(service.cortado, "stop", "-t", "5", name)
            record = json.loads(service.cortado("inspect", name))
            with qmp.Qmp(os.path.join(paths.runtime(), name, "qmp.sock")) as q:
                self.vcpu = q.call("query-cpus-fast")[0]["thread-id"]
            self._pin(record["pid"])
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _pin(self, pid):
        cores = sorted(os.sched_getaffinity(0))
        self.others = cores[1:] or cores
        for task in os.listdir("/proc/%d/task" % pid):
            os.sched_setaffinity(int(task), cores[:1] if int(task) == self.vcpu else self.others)

    def cpu_seconds(self):
        with open("/proc/%d/schedstat" % self.vcpu) as f:
            return int(f.read().split()[0]) / 1e9

    def load(self, *words, timeout=120):
        """(the vCPU's CPU seconds meanwhile, output) of a load generator on the other cores."""
        with self.namespace.entered():
            before = self.cpu_seconds()
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=timeout, preexec_fn=lambda: os.sched_setaffinity(0, self.others))
            spent = self.cpu_seconds() - before
        if done.returncode != 0:
            raise CortadoError("%s: `%s` failed:\n%s" % (self.system, " ".join(words), done.stdout.strip()))
        return spent, done.stdout

    def requests(self, path, connections, seconds, *more):
        """(vCPU microseconds per request, requests a second, 99th percentile in ms) under wrk."""
        spent, text = self.load("wrk", "-t1", "-c%d" % connections, "-d%d" % seconds, "--timeout", "30s", "--latency", *more,
                                "http://%s:%d%s" % (netns.GUEST, _PORT, path))
        count = re.search(r"(\d+) requests in", text)
        rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
        tail = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
        if not count or not rate or not tail or "Non-2xx" in text or not int(count.group(1)):
            raise CortadoError("%s: wrk said:\n%s" % (self.system, text.strip()))
        return (spent / int(count.group(1)) * 1e6, float(rate.group(1)), float(tail.group(1)) * {"us": 1e-3, "ms": 1, "s": 1e3}[tail.group(2)])

    def available(self):
        """The guest's available memory in bytes."""
        with self.namespace.entered(), socket.create_connection((netns.GUEST, _PORT), 30) as s:
            s.sendall(b"GET /mem HTTP/1.1\r\nConnection: close\r\n\r\n")
            data = b""
            while part := s.recv(4096):
                data += part
        return int(data.rsplit(b"\r\n", 1)[1])


def _requests(table, system, guest, what, path, connections, *more, seconds=_SECONDS):
    cost, rate, tail = guest.requests(path, connections, seconds, *more)
    table.add(system, what + ": vCPU time per request", cost, "us")
    table.add(system, what + ": rate", rate, "/s", lower_is_better=False)
    table.add(system, what + ": 99th percentile", tail, "ms")
    return cost


def _service(table, app, path):
    """Both systems' VMs stay, so that they warm up once; only one of them is asked at a time."""
    with contextlib.ExitStack() as stack:
        guests = {}
        for system in service.SYSTEMS:
            with ui.step("%s, %s, warming up" % (app, system)):
                guests[system] = stack.enter_context(_Guest(system, os.path.join(paths.ROOT, app)))
                _warm(guests[system], path)
        for number in range(ROUNDS):
            for system, guest in guests.items():
                with ui.step("%s, %s, %d of %d" % (app, system, number + 1, ROUNDS)):
                    _requests(table, system, guest, app, path, 8, seconds=_SERVICE_SECONDS)


def _warm(guest, path):
    answered = 0
    for _ in range(_WARM_ROUNDS):
        answered += guest.requests(path, 8, _SERVICE_SECONDS)[1] * _SERVICE_SECONDS
        if answered >= _WARM_REQUESTS:
            return


def _epoll_server(table, system, guest):
    guest.requests("/", 8, _WARM_SECONDS)
    for connections in (1, 64, 1024):
        _requests(table, system, guest, "epoll server, %d connections" % connections, "/", connections)
    _requests(table, system, guest, "epoll server, a connection for each request", "/", 16, "-H", "Connection: close")
    held, costs, available = [], [], []
    try:
        for count in _IDLE:
            _hold(guest, held, count)
            available.append(guest.available())
            costs.append(_requests(table, system, guest, "epoll server, %d idle connections" % count, "/", 64))
    finally:
        for s in held:
            s.close()
    table.add(system, "cost beside 10,000 idle connections against 10", costs[1] / costs[0], "times")
    table.add(system, "memory of an idle connection", (available[0] - available[1]) / (_IDLE[1] - _IDLE[0]), "bytes")


def _hold(guest, held, count):
    with guest.namespace.entered():
        while len(held) < count:
            held.append(socket.create_connection((netns.GUEST, _PORT), 30))


def _streams(table, system, guest):
    for name, more in (("to the guest", []), ("from the guest", ["-R"])):
        time.sleep(_IPERF_PAUSE)
        spent, text = guest.load("iperf3", "-c", netns.GUEST, "-t", str(_SECONDS), "-O", "1", "-J", *more)
        result = json.loads(text)
        if "error" in result:
            raise CortadoError("%s: iperf3 said: %s" % (system, result["error"]))
        count = sum(i["sum"]["bytes"] for i in result["intervals"])  # the warm-up's bytes cost time as well
        table.add(system, "iperf3 %s: vCPU time per GiB" % name, spent * _GIB / count, "s")
        table.add(system, "iperf3 %s: rate" % name, result["end"]["sum_received"]["bits_per_second"] / 1e6, "Mbit/s", lower_is_better=False)
