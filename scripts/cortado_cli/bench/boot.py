# SPDX-License-Identifier: BSD-2-Clause
"""bench boot: from QEMU's start to the program's first byte of output, and to the VM's end. Root images are made before.

Systems: Cortado on both machines, and Linux on q35 (emulated microvm has no clock on which Linux boots reliably; with KVM
it is measured there too)."""

import os
import shutil
import tempfile
import threading
import time

from .. import cli, launch, paths, ui
from ..errors import CortadoError
from . import Row

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
    rows = []
    names = list(systems(kind))
    for program, (options, words) in _PROGRAMS.items():
        if words and not shutil.which(words[0]):
            continue
        first, end = Row(program + ": first output", "s"), Row(program + ": VM gone", "s")
        rows += [first, end]
        for run in range(_RUNS + 1):
            for name in names:  # alternating, so that the host's ups and downs meet all
                with ui.step("%s, %s, %d of %d" % (program, name, run, _RUNS)):
                    times = _once(systems(kind)[name] + options + (words or [_hello()]), name)
                if run:  # the first one fills caches
                    first.add(name, times[0])
                    end.add(name, times[1])
    return rows, names


def _hello():
    import subprocess

    path = paths.build("guest", "static", "hello")
    if not os.path.exists(path):
        subprocess.run(["make", "-s", "-C", os.path.join(paths.ROOT, "tests", "guest"), "OUT=" + paths.build("guest"), path], check=True)
    return path


def _once(words, system):
    """(seconds to the first byte of output, seconds to the end)."""
    ns = cli.parse(["launch"] + words)
    program, root, init, folder, env = launch.prepare(ns)
    machine = launch.describe(ns, root, init, folder, env)
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
        raise CortadoError("%s ended with status %d under %s" % (program, status, system))
    return seen[0] - began, ended - began
