# SPDX-License-Identifier: BSD-2-Clause
"""bench memory: what a service VM costs the host once it is ready and idle: QEMU's proportional set size, and the guest's own
view. An emulator's translation buffers are in it, the same for both."""

import json
import re
import time

from .. import ui
from . import Row, service

TITLE = "memory"
_RUNS = 3
_SETTLE = 3.0  # seconds for free page reporting to hand back what booting used


def measure(_kind):
    rows = []
    for app in service.APPS:
        host, guest = Row(app + ": host memory", "MiB"), Row(app + ": guest used", "MiB")
        rows += [host, guest]
        for run in range(_RUNS):
            for system in service.SYSTEMS:
                with ui.step("%s, %s, %d of %d" % (app, system, run + 1, _RUNS)), service.running(system, app) as record:
                    time.sleep(_SETTLE)
                    host.add(system, _pss(record["pid"]))
                    memory = json.loads(service.cortado("api", record["name"], "GET", "/v1/os/memory"))
                    guest.add(system, (memory["total_bytes"] - memory["available_bytes"]) / (1 << 20))
    return rows, list(service.SYSTEMS)


def _pss(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1)) / 1024
