# SPDX-License-Identifier: BSD-2-Clause
"""bench kernel: what basic operations of the kernel cost (tests/bench/kernel.c), with one and two CPUs, alternating between the
systems; and, where the CPU is emulated, the guest instructions that they take (tests/bench/count.c), which do not depend on
this host's load. The instructions of a boot are those from the kernel's entry to the program's main()."""

import os
import re
import shutil
import subprocess
import tempfile

from .. import cli, elf, launch, linux, paths, ui
from .. import kernel as cortado_kernel
from ..errors import CortadoError
from . import Row

TITLE = "kernel"
_RUNS = 5
_SYSTEMS = {"cortado": [], "linux": ["--guest", "linux"]}
# In the program's order: name there -> (operation, Cortado's aim as a part of Linux's time)
_ROWS = {
    "getppid": ("getppid by syscall()", 1 / 3),
    "clock": ("clock_gettime", 1.0),
    "futex": ("futex, there and back, one CPU", 1 / 3),
    "pipe": ("pipe, there and back, one CPU", 1 / 5),
    "thread": ("pthread create and join", 1 / 4),
    "page": ("mmap, touch, munmap: a page", 1 / 15),
    "pread": ("pread of 4 KiB from the page cache", 1 / 2),
}


def measure(kind):
    program = _built("kernel", ["-static", "-pthread"])
    rows = []
    for cpus in (1, 2):
        timed = {name: Row("%s, %d CPU%s" % (text, cpus, "s"[: cpus - 1]), "ns", target=aim) for name, (text, aim) in _ROWS.items()}
        rows += timed.values()
        for run in range(_RUNS):
            for system, words in _SYSTEMS.items():
                with ui.step("%d CPUs, %s, %d of %d" % (cpus, system, run + 1, _RUNS)):
                    for name, ns, ops in _results(words + ["--cpus", str(cpus), program]):
                        timed[name].add(system, ns / ops)
    if kind == "tcg":
        rows += _instructions(program)
    return rows, list(_SYSTEMS)


def _instructions(program):
    """Rows of guest instructions per operation, one CPU."""
    plugin = _built("count.so", ["-shared", "-fPIC", "-fvisibility=hidden"], "count.c")
    boot = Row("instructions: kernel's entry to main()", "")
    rows = {name: Row("instructions: " + text, "", target=aim) for name, (text, aim) in _ROWS.items()}
    for system, words in _SYSTEMS.items():
        entry = elf.pvh_entry(cortado_kernel.path() if system == "cortado" else linux.guest()[0])
        with ui.step("counting instructions, " + system), tempfile.TemporaryDirectory(prefix="cortado-bench-") as work:
            out = os.path.join(work, "counts")
            option = "-plugin file=%s,out=%s%s" % (plugin, out, ",entry=%#x" % entry if entry else "")
            results = _results(words + ["--accel", "tcg", "--qemu=" + option, program])
            with open(out) as f:
                counts = dict(line.split() for line in f)
        if "boot" in counts:
            boot.add(system, int(counts["boot"]))
        for number, name in enumerate(_ROWS):
            ops = next(ops for found, _, ops in results if found == name)
            rows[name].add(system, int(counts[str(number)]) / ops)
    return [boot] + list(rows.values())


def _built(name, options, source=None):
    source = os.path.join(paths.ROOT, "tests", "bench", source or name + ".c")
    path = paths.build("bench", name)
    if not os.path.exists(path) or os.stat(path).st_mtime_ns < os.stat(source).st_mtime_ns:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        subprocess.run(["gcc", "-O2", "-Wall"] + options + ["-o", path, source], check=True)
    return path


def _results(words):
    """[(row, ns, operations)] of the program run as `cortado launch WORDS`, both systems on the same machine."""
    ns = cli.parse(["launch", "--machine", "q35"] + words)
    _, root, init, folder, env = launch.prepare(ns)
    machine = launch.describe(ns, root, init, folder, env)
    work = tempfile.mkdtemp(prefix="launch-%d-" % os.getpid(), dir=paths.runtime())
    try:
        with open(os.path.join(work, "output"), "w+") as out, open(os.devnull) as null:
            status = launch.run(machine, work, (null.fileno(), out.fileno(), out.fileno()))
            out.seek(0)
            text = out.read()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    found = re.findall(r"^(\w+) (\d+) (\d+)$", text, re.M)
    if status != 0 or [name for name, _, _ in found] != list(_ROWS):
        raise CortadoError("the benchmark program ended with status %d:\n%s" % (status, text.strip()))
    return [(name, int(took), int(ops)) for name, took, ops in found]
