# SPDX-License-Identifier: BSD-2-Clause
"""Records of VMs: $XDG_STATE_HOME/cortado/NAME/vm.json and the logs beside it.

vm.json holds what does not change after the start; nobody rewrites it. Whether a VM runs is asked of the process (its id
and start time, so that a reused id is not taken for it), and how it ended is read from control.jsonl, which QEMU itself
writes. So no process of ours has to stay behind for a detached VM."""

import json
import os
import re
import select
import shutil
import signal
import time

from . import paths, result, streams
from .errors import CORTADO_FAILED, CortadoError

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}")
_SIGNALLED = 128
_SHOWN = 10  # names in an error


class Vm:
    def __init__(self, name, record):
        self.name, self.record = name, record

    @property
    def folder(self):
        return paths.state(self.name)

    def file(self, name):
        return os.path.join(self.folder, name)

    @property
    def runtime_folder(self):
        return os.path.join(paths.runtime(), self.name)

    @property
    def qmp(self):
        return os.path.join(self.runtime_folder, "qmp.sock")

    def running(self):
        return alive(self.record.get("pid"), self.record.get("pid_start"))

    def events(self):
        """The guest's events so far, oldest first."""
        try:
            with open(self.file("control.jsonl"), "rb") as f:
                lines = f.read().splitlines()
        except OSError:
            return []
        return [e for e in map(streams.parse_event, lines) if e]

    def final_event(self):
        return next((e for e in reversed(self.events()) if e["event"] in result.FINAL_EVENTS), None)

    def exit_status(self):
        """The status of an ended VM: its program's; 137 when it was killed; 125 when Cortado failed."""
        event = self.final_event()
        if event:
            return result.of_event(event)[0]
        try:
            with open(self.file("stopped")) as f:
                return int(f.read())
        except (OSError, ValueError):
            return CORTADO_FAILED

    def state(self):
        return "running" if self.running() else "exited"

    def ended_at(self):
        """When it ended, as near as the files tell."""
        times = []
        for name in ("control.jsonl", "app.log", "console.log", "stopped"):
            try:
                times.append(os.stat(self.file(name)).st_mtime)
            except OSError:
                pass
        return max(times, default=self.record.get("started", 0))

    def wait(self, timeout=None):
        """True once it has ended, False after TIMEOUT seconds."""
        limit = None if timeout is None else time.monotonic() + timeout
        try:
            fd = os.pidfd_open(self.record["pid"])
        except (OSError, KeyError):
            return True
        try:
            if not self.running():
                return True
            poller = select.poll()
            poller.register(fd, select.POLLIN)
            left = None if limit is None else max(0, (limit - time.monotonic()) * 1000)
            return bool(poller.poll(left)) or not self.running()
        finally:
            os.close(fd)

    def kill(self, status=_SIGNALLED + signal.SIGKILL):
        """End it at once, and note STATUS as its own."""
        with open(self.file("stopped"), "w") as f:
            f.write(str(status))
        if self.running():
            try:
                os.kill(self.record["pid"], signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.wait(10)

    def save(self):
        path = self.file("vm.json")
        with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            json.dump(self.record, f, indent=2, sort_keys=True)
            f.write("\n")
        os.replace(path + ".new", path)

    def forget_sockets(self):
        shutil.rmtree(self.runtime_folder, ignore_errors=True)
        shutil.rmtree(self.file("volumes"), ignore_errors=True)  # links to single files


def process_start(pid):
    """The start time of process PID in clock ticks since boot, or None. A zombie counts as ended."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError, ValueError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def alive(pid, start):
    return isinstance(pid, int) and process_start(pid) is not None and process_start(pid) == start


def valid_name(name):
    return bool(_NAME.fullmatch(name))


def find(name):
    """The VM NAME; raises when there is none."""
    if valid_name(name):
        try:
            with open(paths.state(name, "vm.json")) as f:
                return Vm(name, json.load(f))
        except OSError:
            pass
        except ValueError:
            raise CortadoError("%s: damaged record; `cortado clean` removes it" % paths.state(name, "vm.json"))
    known = [v.name for v in every()]
    shown = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
    raise CortadoError("no VM named %s%s" % (name, "; there are: " + shown if known else ""))


def find_running(name):
    found = find(name)
    if not found.running():
        raise CortadoError("%s is not running (it ended with status %d)" % (name, found.exit_status()))
    return found


def every():
    """All recorded VMs, the newest first."""
    found = []
    try:
        names = os.listdir(paths.state())
    except OSError:
        return []
    for name in names:
        try:
            with open(paths.state(name, "vm.json")) as f:
                found.append(Vm(name, json.load(f)))
        except (OSError, ValueError):
            continue
    return sorted(found, key=lambda v: v.record.get("started", 0), reverse=True)
