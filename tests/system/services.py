# SPDX-License-Identifier: BSD-2-Clause
"""Services under `cortado run`: started detached, asked over HTTP, stopped at the end whatever happened."""

import contextlib
import http.client
import json
import os
import select
import threading
import uuid

import vm

READY_SECONDS = 120


class Service:
    def __init__(self, name):
        self.name = name
        self.ports = {}
        for line in vm.cortado("port", name).out.splitlines():
            guest, host = line.split(" -> ")
            self.ports[guest.strip()] = host.strip()

    def http(self, method, path, body=None, port="8080", timeout=60):
        """(status, body) of one request to the service (or to the API: port="api")."""
        connection = http.client.HTTPConnection(self.ports[port], timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def json(self, method, path, body=None, **options):
        status, text = self.http(method, path, body, **options)
        assert status < 300, (method, path, status, text)
        return json.loads(text)

    def app(self):
        return self.json("GET", "/v1/app", port="api")

    def until(self, condition, seconds=60):
        """Ask GET /v1/app until CONDITION(answer) holds."""
        app = None
        for _ in range(int(seconds / 0.2)):
            with contextlib.suppress(OSError, http.client.HTTPException):  # not up yet
                app = self.app()
                if condition(app):
                    return app
            select.select([], [], [], 0.2)
        raise AssertionError("%s: timed out; last answer %s" % (self.name, app))

    def state(self):
        """vm.json of this VM."""
        base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
        with open(os.path.join(base, "cortado", self.name, "vm.json")) as f:
            return json.load(f)

    def host_bytes(self):
        """Host memory that QEMU holds now."""
        with open("/proc/%d/status" % self.state()["pid"]) as f:
            return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmRSS"))


@contextlib.contextmanager
def running(app, *options, wait=True, arguments=(), cwd=None):
    name = "t-" + uuid.uuid4().hex[:8]
    words = ["run", "-d", "--name", name, *(["--wait"] if wait else []), *options, app]
    result = vm.cortado(*words, *(["--", *arguments] if arguments else []), timeout=READY_SECONDS, cwd=cwd)
    try:
        assert result.status == 0 and result.out == name + "\n", result
        yield Service(name)
    finally:
        vm.cortado("stop", "-t", "5", name, timeout=30)


@contextlib.contextmanager
def answering(service, path="/health"):
    """The statuses that SERVICE gave, asked again and again meanwhile; 0 where it gave none."""
    statuses, end = [], threading.Event()

    def ask():
        while not end.is_set():
            try:
                statuses.append(service.http("GET", path, timeout=10)[0])
            except (OSError, http.client.HTTPException):
                statuses.append(0)
            end.wait(0.1)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        end.set()
        thread.join()
