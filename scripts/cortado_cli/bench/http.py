# SPDX-License-Identifier: BSD-2-Clause
"""bench http: requests a second and latency of the sample services under wrk, through QEMU's user network, which costs both
guests the same."""

import re
import subprocess

from .. import setup, ui
from ..errors import CortadoError
from . import Row, service

TITLE = "http"
_RUNS = 3
_SECONDS = 8
_WARM_ROUNDS = 10


def measure(_kind):
    setup.require("wrk")
    rows = []
    for app, path in service.PATHS.items():
        rate, tail = Row(app + ": requests", "/s", lower_is_better=False), Row(app + ": 99th percentile", "ms")
        rows += [rate, tail]
        for run in range(_RUNS):
            for system in service.SYSTEMS:
                with ui.step("%s, %s, %d of %d" % (app, system, run + 1, _RUNS)):
                    with service.running(service.SYSTEMS[system], app) as record:
                        port = record["ports"][0]
                        url = "http://%s:%d%s" % (port["address"], port["host"], path)
                        _warm(url)
                        result = _wrk(url, _SECONDS)
                        rate.add(system, result[0])
                        tail.add(system, result[1])
    return rows, list(service.SYSTEMS)


def _warm(url):
    """Until the code is compiled: two readings in a row within a tenth of each other, or a limit."""
    last = 0.0
    for _ in range(_WARM_ROUNDS):
        rate = _wrk(url, 3)[0]
        if last and abs(rate - last) <= last / 10:
            return
        last = rate


def _wrk(url, seconds):
    """(requests a second, 99th percentile in ms)."""
    words = ["wrk", "-t1", "-c8", "-d%d" % seconds, "--timeout", "30s", "--latency", url]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    tail = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout)
    if done.returncode != 0 or not rate or not tail or "Non-2xx" in done.stdout:
        raise CortadoError("`%s` failed:\n%s" % (" ".join(words), done.stdout.strip()))
    return float(rate.group(1)), float(tail.group(1)) * {"us": 0.001, "ms": 1, "s": 1000}[tail.group(2)]
