# SPDX-License-Identifier: BSD-2-Clause
"""`cortado top [N]`: what VMs use of the host, and what their applications say of themselves. Repeats on a terminal."""

import os
import sys
import time

from . import manage, qmp, sizes, vm
from .errors import CortadoError

_PERIOD = 2.0


def main(ns):
    if ns.name:
        vm.find_running(ns.name)
    before = {}
    once = ns.once or not os.isatty(1)
    while True:
        found = [v for v in vm.every() if v.running() and ns.name in (None, v.name)]
        now = {v.name: (time.monotonic(), _cpu_seconds(v.record["pid"])) for v in found}
        if once and not before:
            before = now
            time.sleep(0.5)  # a share of the CPU needs two readings
            continue
        if not once:
            sys.stdout.write("\x1b[H\x1b[J")
        _table(found, before, now)
        sys.stdout.flush()
        if once:
            return 0
        before = now
        time.sleep(_PERIOD)


def _table(found, before, now):
    rows = [("NAME", "CPU", "HOST-RSS", "MEMORY", "KEEPS", "STATE", "UP")]
    for v in found:
        share = "-"
        if v.name in before and now[v.name][0] > before[v.name][0]:
            share = "%.0f%%" % (100 * (now[v.name][1] - before[v.name][1]) / (now[v.name][0] - before[v.name][0]))
        rows.append((v.name, share, sizes.show(_resident(v.record["pid"])), sizes.show(v.record["memory_bytes"]), _keeps(v), _state(v),
                     sizes.show_duration(time.time() - v.record["started"])))
    manage.print_table(rows)


def _cpu_seconds(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0.0


def _resident(pid):
    try:
        with open("/proc/%d/statm" % pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _keeps(v):
    try:
        with qmp.Qmp(v.qmp, timeout=1.0) as q:
            return sizes.show(q.call("query-balloon")["actual"])
    except CortadoError:
        return "-"


def _state(v):
    import http.client
    import json

    from . import api

    if not v.record.get("api"):
        return "running"
    try:
        status, _, body = api.request(v, "GET", "/v1/app", timeout=1.0)
        data = json.loads(body) if status == 200 else {}
        return "%s%s" % (data.get("state", "?"), ", ready" if data.get("ready") else "")
    except (OSError, ValueError, http.client.HTTPException):
        return "starting"
