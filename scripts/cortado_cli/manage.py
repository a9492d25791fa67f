# SPDX-License-Identifier: BSD-2-Clause
"""ps, port, logs, inspect, wait, stop, gdb: looking at VMs and ending them."""

import json
import os
import sys
import time

from . import shutdown, sizes, ui, vm
from .errors import CortadoError, UsageError


def main_ps(ns):
    found = [v for v in vm.every() if ns.all or v.running()]
    if ns.json:
        print(json.dumps([_summary(v) for v in found], indent=2, sort_keys=True))
        return 0
    rows = [("NAME", "STATE", "UP", "MEMORY", "CPUS", "PORTS", "API", "APP")]
    for v in found:
        r, running = v.record, v.running()
        ports = ",".join("%s:%d->%d" % (p["address"], p["host"], p["guest"]) for p in r["ports"]) if running else ""
        where = "%s:%d" % (r["api"]["address"], r["api"]["port"]) if running and r["api"] else ""
        rows.append((v.name, "running" if running else "exited (%d)" % v.exit_status(),
                     sizes.show_duration(time.time() - r["started"]) if running else "-", sizes.show(r["memory_bytes"]),
                     str(r["cpus"]), ports or "-", where or "-", r["app"]))
    print_table(rows)
    return 0


def print_table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def _summary(v):
    data = dict(v.record, state=v.state(), log=v.file("app.log"), console_log=v.file("console.log"))
    if not v.running():
        data["exit_status"] = v.exit_status()
        data["ended"] = v.ended_at()
    return data


def main_inspect(ns):
    v = vm.find(ns.name)
    print(json.dumps(dict(_summary(v), events=v.events()), indent=2, sort_keys=True))
    return 0


def main_port(ns):
    v = vm.find_running(ns.name)
    ports = v.record["ports"]
    if ns.guest is None:
        for p in ports:
            print("%d -> %s:%d" % (p["guest"], p["address"], p["host"]))
        if v.record["api"]:
            print("api -> %s:%d" % (v.record["api"]["address"], v.record["api"]["port"]))
        return 0
    if ns.guest == "api" and v.record["api"]:
        print("%s:%d" % (v.record["api"]["address"], v.record["api"]["port"]))
        return 0
    for p in ports:
        if str(p["guest"]) == ns.guest:
            print("%s:%d" % (p["address"], p["host"]))
            return 0
    raise CortadoError("%s publishes no port %s" % (v.name, ns.guest))


def main_logs(ns):
    v = vm.find(ns.name)
    path = v.file("console.log" if ns.console else "app.log")
    out = sys.stdout.buffer
    try:
        f = open(path, "rb")
    except FileNotFoundError:
        if not ns.follow:
            return 0
        f = None
    if f and ns.tail >= 0:
        _seek_lines(f, ns.tail)
    while True:
        running = v.running()  # before reading: what comes after the end is then read still
        if f is None and os.path.exists(path):
            f = open(path, "rb")
        while f and (data := f.read(65536)):
            out.write(data)
        out.flush()
        if not ns.follow or not running:
            return 0
        v.wait(0.1)


def _seek_lines(f, count):
    """Position F at the start of its last COUNT lines."""
    end = at = f.seek(0, os.SEEK_END)
    found = 0
    if count == 0:
        return
    while at > 0:
        step = min(65536, at)
        at -= step
        f.seek(at)
        block = f.read(step)
        for i in range(len(block) - 1, -1, -1):
            if block[i] == 10 and at + i != end - 1:
                found += 1
                if found == count:
                    f.seek(at + i + 1)
                    return
    f.seek(0)


def main_wait(ns):
    v = vm.find(ns.name)
    v.wait()
    print(v.exit_status())
    return 0


def main_stop(ns):
    failed = 0
    for name in ns.name:
        try:
            v = vm.find(name)
        except CortadoError as e:
            ui.error("stop", str(e))
            failed = 1
            continue
        if v.running() and not shutdown.gracefully(v, ns.time):
            v.kill()
        v.forget_sockets()
        print(name)
    return failed


def main_gdb(ns):
    """Attach gdb, with the kernel's symbols, to the VM's debug port."""
    from . import kernel, qmp

    v = vm.find_running(ns.name)
    socket_path = os.path.join(v.runtime_folder, "gdb.sock")
    with qmp.Qmp(v.qmp) as q:
        q.call("human-monitor-command", **{"command-line": "gdbserver unix:%s,server=on,wait=off" % socket_path})
    words = ["gdb", "-q", "-ex", "target remote %s" % socket_path, kernel.debug_path()]
    try:
        os.execvp("gdb", words)
    except OSError as e:
        raise UsageError("gdb: %s; install gdb, or attach a debugger of yours to %s" % (e.strerror, socket_path))
