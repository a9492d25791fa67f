# SPDX-License-Identifier: BSD-2-Clause
"""The debugging kernel, with its assertions, under the programs of tests/stress: hostile arguments, failing allocations, everything at once."""

import os
import subprocess

import pytest

import vm

STRESS = os.path.join(os.path.dirname(vm.GUEST), "stress")
pytestmark = pytest.mark.cortado_only


@pytest.fixture(scope="module")
def debugging():
    """The environment in which launch takes the debugging kernel."""
    build = os.path.join(os.path.dirname(vm.GUEST), "kernel-debug")
    subprocess.run(["make", "-s", "-j2", "-C", vm.ROOT, "DEBUG=1", "BUILD=" + build], check=True)
    subprocess.run(["make", "-s", "-C", os.path.join(vm.ROOT, "tests", "stress"), "OUT=" + STRESS], check=True)
    return {"CORTADO_KERNEL": os.path.join(build, "kernel.elf")}


def run(environment, *words, timeout):
    r = vm.cortado("launch", "-m", "512M", *words, timeout=timeout, env=environment)
    bad = [line for line in r.out.splitlines() if line.startswith("not ok")]
    assert not bad and r.status == 0 and "ok " in r.out, "\n".join(bad) + "\n" + repr(r)


def test_everything_at_once(debugging):
    run(debugging, "--cpus", "4", STRESS + "/churn", "4", "5", timeout=120)


def test_hostile_arguments(debugging):
    run(debugging, "--cpus", "2", STRESS + "/fuzz_calls", "7000", "24", "500", timeout=150)


@pytest.mark.parametrize("program", ["alloc_failures", "alloc_failures_files", "alloc_failures_ipc"])
def test_failing_allocations(debugging, program):
    run(debugging, STRESS + "/" + program, timeout=240)


@pytest.mark.parametrize("program", ["threads", "signals", "futex_pi", "process"])
def test_semantics(debugging, program):
    """Lock order, list integrity, page accounting and stack canaries are looked at on the way."""
    run(debugging, "--cpus", "2", "%s/glibc/%s" % (vm.GUEST, program), timeout=150)


def test_hello(debugging):
    r = vm.cortado("launch", vm.GUEST + "/static/hello", env=debugging)
    assert r.status == 0 and r.out, r
