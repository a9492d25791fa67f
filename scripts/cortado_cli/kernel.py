# SPDX-License-Identifier: BSD-2-Clause
"""The kernel that VMs boot: build/kernel/kernel.elf, made by `make` in the project when its sources are newer.
$CORTADO_KERNEL names another one (a debug build, say)."""

import os
import subprocess

from . import lock, paths, setup, ui
from .errors import CortadoError

_FOLDERS = ("kernel", "fs", "net")


def path():
    """Path of an up-to-date kernel."""
    named = os.environ.get("CORTADO_KERNEL")
    if named:
        if not os.path.isfile(named):
            raise CortadoError("CORTADO_KERNEL=%s: no such file" % named)
        return os.path.abspath(named)
    elf = paths.build("kernel", "kernel.elf")
    if not _fresh(elf):
        with lock.exclusive(paths.build("kernel.lock")):
            if not _fresh(elf):
                _build(elf)
    return elf


def debug_path():
    """The same kernel with symbols, for gdb."""
    return os.path.join(os.path.dirname(path()), "kernel.debug.elf")


def _fresh(elf):
    try:
        made = os.stat(elf).st_mtime_ns
        newest = os.stat(os.path.join(paths.ROOT, "Makefile")).st_mtime_ns
    except OSError:
        return False
    return max(newest, max(_newest(os.path.join(paths.ROOT, f)) for f in _FOLDERS)) <= made


def _newest(folder):
    newest = 0
    for base, _, files in os.walk(folder):
        for name in files:
            if name.endswith((".c", ".h", ".S", ".ld")):
                newest = max(newest, os.stat(os.path.join(base, name)).st_mtime_ns)
    return newest


def _build(elf):
    setup.require("gcc", "make", "linux-libc-dev")
    # Relative, as plain `make` has it: the dependencies that one writes are for the other, too.
    folder = os.path.relpath(os.path.dirname(elf), paths.ROOT)
    words = ["make", "-s", "-C", paths.ROOT, "-j%d" % (os.cpu_count() or 1), "BUILD=" + folder]
    with ui.step("building the kernel"):
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise CortadoError("building the kernel failed (`%s`):\n%s"
                           % (" ".join(words), done.stdout.decode(errors="replace")[-3000:].strip()))
    if os.path.exists(elf):
        os.utime(elf)  # make leaves it alone when only a comment's object came out the same
