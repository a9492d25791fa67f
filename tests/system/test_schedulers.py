# SPDX-License-Identifier: BSD-2-Clause
"""Others' test programs for threads, timers and locks, unmodified: rt-tests and sysbench. And very many threads."""

import re
import subprocess

import pytest

import vm

HACKBENCH = [["-T", "-g", "2", "-l", "30"], ["-T", "-p", "-g", "2", "-l", "30"], ["-g", "1", "-l", "20"]]
SYSBENCH = [["threads", "--threads=8", "--events=100", "--time=0"], ["mutex", "--threads=8", "--mutex-num=64", "--mutex-locks=500"],
            ["memory", "--threads=2", "--memory-total-size=50M"]]


@pytest.mark.parametrize("words", HACKBENCH, ids=" ".join)
def test_hackbench(launch, words):
    r = launch("-m", "512M", "hackbench", *words, timeout=120)
    assert r.status == 0 and re.search(r"^Time: \d", r.out, re.M), r


@pytest.mark.parametrize("words", [["-t", "2"], ["-t", "2", "-p", "80", "-m"]], ids=" ".join)
def test_cyclictest(launch, words):
    r = launch("-m", "256M", "cyclictest", *words, "-l", "100", "-q", timeout=120)
    found = re.findall(r"^T: \d .*C: *(\d+) Min: *(\d+) .*Max: *(\d+)", r.out, re.M)
    assert r.status == 0 and len(found) == 2 and int(found[0][0]) >= 100, r


@pytest.mark.parametrize("words", SYSBENCH, ids=lambda w: w[0])
def test_sysbench(launch, words):
    r = launch("-m", "256M", "sysbench", *words, "run", timeout=120)
    assert r.status == 0 and "Threads fairness" in r.out and "FATAL" not in r.out, r


def test_ten_thousand_threads(launch, tmp_path):
    program = str(tmp_path / "threads")
    subprocess.run(["gcc", "-O1", "-pthread", "-o", program, vm.ROOT + "/tests/system/apps/threads.c"], check=True)
    r = launch("-m", "512M", program, "10000", timeout=150)
    assert (r.status, r.out) == (0, "all run\nall ended\n"), r


@pytest.mark.cortado_only
def test_hundred_cpus(tmp_path):
    """More than a machine word has bits. They take turns, or a small host would do little else than change threads."""
    program = str(tmp_path / "threads")
    subprocess.run(["gcc", "-O1", "-pthread", "-o", program, vm.ROOT + "/tests/system/apps/threads.c"], check=True)
    r = vm.cortado("launch", "-m", "512M", "--machine", "q35", "--cpus", 100, "--accel", "tcg-single", program, "1000", timeout=150)
    assert (r.status, r.out) == (0, "all run\nall ended\n"), r
