# SPDX-License-Identifier: BSD-2-Clause
"""The benchmarks' own programs (tests/bench): built, run in a VM, and counted instruction by instruction (count.c)."""

import os
import shutil
import subprocess
import tempfile

from .. import cli, elf, kernel, launch, linux, paths
from ..errors import CortadoError


def built(name, options, source=None):
    """Path of the program made of tests/bench/SOURCE (NAME.c) with the compiler's OPTIONS."""
    source = os.path.join(paths.ROOT, "tests", "bench", source or name + ".c")
    path = paths.build("bench", name)
    if not os.path.exists(path) or os.stat(path).st_mtime_ns < os.stat(source).st_mtime_ns:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        subprocess.run(["gcc", "-O2", "-Wall"] + options + ["-o", path, source], check=True)
    return path


def operations():
    """The program that measures the kernel's basic operations."""
    return built("kernel", ["-static", "-pthread"])


def machine(words):
    """The qemu.Machine of `cortado launch WORDS`."""
    ns = cli.parse(["launch"] + words)
    _, root, init, folder, env = launch.prepare(ns)
    return launch.describe(ns, root, init, folder, env)


def output(words):
    """What `cortado launch WORDS` printed; raises unless it ended with status 0."""
    described = machine(words)
    work = tempfile.mkdtemp(prefix="launch-%d-" % os.getpid(), dir=paths.runtime())
    try:
        with open(os.path.join(work, "output"), "w+") as out, open(os.devnull) as null:
            status = launch.run(described, work, (null.fileno(), out.fileno(), out.fileno()))
            out.seek(0)
            text = out.read()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if status != 0:
        raise CortadoError("the benchmark program ended with status %d:\n%s" % (status, text.strip()))
    return text


def counted(words, arguments=()):
    """(output, {mark: instructions}) of operations() with ARGUMENTS under the system that WORDS choose. Mark "boot" counts from
    the kernel's entry to the program's main(), the others number its operations. Emulation only."""
    plugin = built("count.so", ["-shared", "-fPIC", "-fvisibility=hidden"], "count.c")
    entry = elf.pvh_entry(linux.guest()[0] if "linux" in words else kernel.path())
    with tempfile.TemporaryDirectory(prefix="cortado-bench-") as work:
        out = os.path.join(work, "counts")
        option = "-plugin file=%s,out=%s%s" % (plugin, out, ",entry=%#x" % entry if entry else "")
        text = output(list(words) + ["--accel", "tcg", "--qemu=" + option, operations(), *arguments])
        with open(out) as f:
            return text, {mark: int(count) for mark, count in (line.split() for line in f)}
