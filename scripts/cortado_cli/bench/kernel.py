# SPDX-License-Identifier: BSD-2-Clause
"""bench kernel: what basic operations of the kernel cost (tests/bench/kernel.c), with one and two CPUs, alternating between the
systems; and, where the CPU is emulated, the guest instructions that they take (tests/bench/count.c), which do not depend on
this host's load."""

import re

from .. import ui
from ..errors import CortadoError
from . import Row, program

TITLE = "kernel"
_RUNS = 5
_SYSTEMS = {"cortado": ["--machine", "q35"], "linux": ["--machine", "q35", "--guest", "linux"]}
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
    rows = []
    for cpus in (1, 2):
        timed = {name: Row("%s, %d CPU%s" % (text, cpus, "s"[: cpus - 1]), "ns", target=aim) for name, (text, aim) in _ROWS.items()}
        rows += timed.values()
        for run in range(_RUNS):
            for system, words in _SYSTEMS.items():
                with ui.step("%d CPUs, %s, %d of %d" % (cpus, system, run + 1, _RUNS)):
                    for name, ns, ops in _results(program.output(words + ["--cpus", str(cpus), program.operations()])):
                        timed[name].add(system, ns / ops)
    if kind == "tcg":
        rows += _instructions()
    return rows, list(_SYSTEMS)


def _instructions():
    """Rows of guest instructions per operation, one CPU."""
    rows = {name: Row("instructions: " + text, "", target=aim) for name, (text, aim) in _ROWS.items()}
    for system, words in _SYSTEMS.items():
        with ui.step("counting instructions, " + system):
            text, counts = program.counted(words)
        for number, (name, _, ops) in enumerate(_results(text)):
            rows[name].add(system, counts[str(number)] / ops)
    return list(rows.values())


def _results(text):
    """[(row, ns, operations)] that the program printed."""
    found = re.findall(r"^(\w+) (\d+) (\d+)$", text, re.M)
    if [name for name, _, _ in found] != list(_ROWS):
        raise CortadoError("the benchmark program printed:\n%s" % text.strip())
    return [(name, int(took), int(ops)) for name, took, ops in found]
