# SPDX-License-Identifier: BSD-2-Clause
"""bench boot: from QEMU's start to the program's first byte of output, and to the VM's end, beside a kernel that does nothing;
services from QEMU's start to their first good response, and what they cost when idle (footprint.py); the kernel's size; guest
instructions from the kernel's entry to main(). Root images are made before.

Systems: Cortado on both machines, and Linux on q35 (emulated microvm has no clock on which Linux boots reliably; with KVM
it is measured there too)."""

import os
import shutil
import subprocess
import tempfile
import threading
import time

from .. import launch, linux, paths, qemu, ui
from .. import kernel as cortado_kernel
from ..errors import CortadoError
from . import Row, footprint, program

TITLE = "boot"
_RUNS = 7
_PROGRAMS = {
    "hello (static C)": ([], None),
    "java -version": (["-m", "256M"], ["java", "-Xshare:auto", "-version"]),
    "node --version": (["-m", "256M"], ["node", "--version"]),
    "node -e (HTTP module loaded)": (["-m", "256M"], ["node", "-e", "require('http'); console.log('up')"]),
}


def systems(kind):
    found = {"cortado microvm": ["--machine", "microvm"], "cortado q35": ["--machine", "q35"], "linux q35": ["--guest", "linux", "--machine", "q35"]}
    if kind == "kvm":
        found["linux microvm"] = ["--guest", "linux", "--machine", "microvm"]
    return found


def measure(kind):
    words = systems(kind)
    rows = _programs(kind) + footprint.services(words)
    rows += footprint.smallest({name: w for name, w in words.items() if name != "cortado q35"}, _hello())
    rows.append(_size(words))
    if kind == "tcg":
        rows.append(_instructions(words))
    return rows, list(words)


def _programs(kind):
    rows = []
    names = list(systems(kind))
    empty = Row("a kernel that only ends: VM gone", "s")
    rows.append(empty)
    for run in range(_RUNS + 1):
        for name in names[:2]:
            took = _empty(systems(kind)[name])
            if run:
                empty.add(name, took)
    for what, (options, words) in _PROGRAMS.items():
        if words and not shutil.which(words[0]):
            continue
        first, end = Row(what + ": first output", "s"), Row(what + ": VM gone", "s")
        rows += [first, end]
        for run in range(_RUNS + 1):
            for name in names:  # alternating, so that the host's ups and downs meet all
                with ui.step("%s, %s, %d of %d" % (what, name, run, _RUNS)):
                    times = _once(systems(kind)[name] + options + (words or [_hello()]), name)
                if run:  # the first one fills caches
                    first.add(name, times[0])
                    end.add(name, times[1])
    return rows


def _hello():
    path = paths.build("guest", "static", "hello")
    if not os.path.exists(path):
        subprocess.run(["make", "-s", "-C", os.path.join(paths.ROOT, "tests", "guest"), "OUT=" + paths.build("guest"), path], check=True)
    return path


def _empty(words):
    """Seconds that a VM of the same devices lives whose kernel ends at once."""
    machine = program.machine(words + [_hello()])
    machine.kernel, machine.initrd = program.built("empty", ["-m32", "-nostdlib", "-static", "-Wl,-N,-e,start,--no-warn-rwx-segments,--build-id=none,-Ttext=0x100000"], "empty.S"), ""
    with tempfile.TemporaryDirectory(prefix="launch-%d-" % os.getpid(), dir=paths.runtime()) as work:
        command = qemu.command(machine, work)
        began = time.monotonic()
        status = qemu.start(command, os.path.join(work, "qemu.log")).wait(timeout=30)
        took = time.monotonic() - began
    if status != 0:
        raise CortadoError("QEMU ended with status %d when its kernel did" % status)
    return took


def _size(words):
    row = Row("kernel file", "KiB")
    for name in words:
        path = linux.guest()[0] if "--guest" in words[name] else cortado_kernel.path()
        row.add(name, os.stat(path).st_size / 1024)
    return row


def _instructions(words):
    row = Row("guest instructions from the kernel's entry to main()", "million")
    for name, system in words.items():
        with ui.step("counting instructions, " + name):
            row.add(name, program.counted(system, ["none"])[1]["boot"] / 1e6)
    return row


def _once(words, system):
    """(seconds to the first byte of output, seconds to the end)."""
    machine = program.machine(words)
    work = tempfile.mkdtemp(prefix="launch-%d-" % os.getpid(), dir=paths.runtime())
    read, write = os.pipe()
    seen = []

    def watch():
        while True:
            data = os.read(read, 65536)
            if not data:
                return
            if not seen:
                seen.append(time.monotonic())

    watcher = threading.Thread(target=watch)
    watcher.start()
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        began = time.monotonic()
        status = launch.run(machine, work, (null, write, write))
        ended = time.monotonic()
    finally:
        os.close(write)
        watcher.join()
        os.close(read)
        os.close(null)
        shutil.rmtree(work, ignore_errors=True)
    if status != 0 or not seen:
        raise CortadoError("%s ended with status %d under %s" % (words[-1], status, system))
    return seen[0] - began, ended - began
