# SPDX-License-Identifier: BSD-2-Clause
"""What happens when files do not fit into memory: who reclaims, and what is said of it."""

import os
import random

import pytest


def figures(text):
    return {words[0]: int(words[1]) for words in (line.split() for line in text.splitlines()) if len(words) == 2 and words[1].isdigit()}


@pytest.mark.cortado_only
@pytest.mark.parametrize("cpus", ["1", "2"])
def test_more_files_than_memory(launch, tmp_path, cpus):
    """A thread in the background makes room, mostly before anybody has to; pages that come back are told from new ones."""
    often, large = tmp_path / "often", tmp_path / "large"
    often.write_bytes(random.Random(1).randbytes(10 << 20))
    large.write_bytes(random.Random(2).randbytes(30 << 20))
    script = "cat /proc/pressure/memory; for i in 1 2 3; do cat /often /often /large >/dev/null; done; cat /proc/vmstat /proc/pressure/memory"
    r = launch("-m", "32M", "--cpus", cpus, "--with", "%s:/often" % often, "--with", "%s:/large" % large, "busybox", "sh", "-c", script)
    assert r.status == 0, r
    v = figures(r.out)
    assert v["pgsteal_kswapd"] > v["pgsteal_direct"] and v["pgscan_kswapd"] >= v["pgsteal_kswapd"], r
    assert v["pgsteal_file"] == v["pgsteal_kswapd"] + v["pgsteal_direct"] > 3 * 4000, r
    assert v["workingset_refault_file"] >= v["workingset_activate_file"] >= v["workingset_restore_file"] > 0, r
    totals = [int(line.split("total=")[1]) for line in r.out.splitlines() if line.startswith("some")]
    assert totals[1] > totals[0], r


@pytest.mark.cortado_only
def test_watermarks(launch):
    """min_free_kbytes can be set; the other watermarks follow, and memory is kept free accordingly."""
    r = launch("-m", "64M", "busybox", "sh", "-c",
               "cat /proc/sys/vm/min_free_kbytes; echo 8192 > /proc/sys/vm/min_free_kbytes; cat /proc/sys/vm/min_free_kbytes; "
               "echo -1 > /proc/sys/vm/min_free_kbytes; cat /proc/zoneinfo")
    lines = r.out.split()
    assert 128 <= int(lines[0]) <= 4096 and lines[1] == "8192", r
    v = figures(r.out)
    assert v["min"] == 2048 and v["min"] < v["low"] < v["high"], r
    assert "Invalid argument" in r.err, r
