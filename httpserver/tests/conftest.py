# SPDX-License-Identifier: BSD-2-Clause
"""The agent on a plain Linux host, as a process of its own with small programs in the application's place."""
import http.client
import json
import os
import select
import signal
import socket
import subprocess

import pytest

AGENT = os.environ["AGENT"]
DEADLINE = 20

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
