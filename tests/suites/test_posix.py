# SPDX-License-Identifier: BSD-2-Clause
"""The Open POSIX Test Suite (Debian's source package posixtestsuite), one interface after the other in one VM."""

import glob
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

import listed
import vm

SOURCE = sorted(glob.glob(vm.ROOT + "/build/suites/posixtestsuite-*/conformance"))
SECONDS = 60
# Need more time than a program has here under TCG: a thousand processes, or as many threads as there may be.
LEFT_OUT = {"interfaces/shm_open/23-1", "interfaces/pthread_create/1-6"}
FLAGS = ["-O1", "-w", "-std=gnu99", "-D_POSIX_C_SOURCE=200112L", "-D_GNU_SOURCE"]

pytestmark = pytest.mark.skipif(not SOURCE or os.geteuid(), reason="no posixtestsuite under build/suites, or not root")


def _build(folder, name):
    out = os.path.join(folder, name)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    words = ["gcc", *FLAGS, "-I", os.path.dirname(SOURCE[-1]) + "/include", "-s", "-o", out, "%s/%s.c" % (SOURCE[-1], name), "-lrt"]
    built = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    return name if built else None  # some are no programs, some are not meant for this C library


@pytest.mark.parametrize("part", ["definitions", "behavior", "interfaces"])
def test_part(part, tmp_path):
    names = sorted(os.path.relpath(p, SOURCE[-1])[:-2] for p in glob.glob("%s/%s/**/*.c" % (SOURCE[-1], part), recursive=True))
    folder = str(tmp_path / "programs")
    with ThreadPoolExecutor(2) as pool:
        names = [n for n in pool.map(lambda n: _build(folder, n), names) if n and n not in LEFT_OUT]
    runner = listed.build_runner(tmp_path)
    host = listed.on_host(folder, runner, names, SECONDS, tmp_path / "list")
    words = ["--with", "/bin/sleep", "--with", "/bin/ls"]
    guest = listed.in_vm(folder, runner, names, SECONDS, tmp_path / "list", words)
    bad = listed.worse(host, guest)
    if bad:  # many judge elapsed time, which a busy machine does not keep: those once more
        names = [n for n in names if any(b.startswith(n + ":") for b in bad)]
        bad = listed.worse({n: host[n] for n in names}, listed.in_vm(folder, runner, names, SECONDS, tmp_path / "list", words))
    assert not bad, "\n".join(bad)
