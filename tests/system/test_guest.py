# SPDX-License-Identifier: BSD-2-Clause
"""The checking programs of tests/guest, inside VMs. Each prints ok and not-ok lines of its own."""

import glob
import os

import pytest

import vm

PROGRAMS = sorted(os.path.basename(p)[:-2] for p in glob.glob(vm.ROOT + "/tests/guest/*.c"))
CHECKS = [p for p in PROGRAMS if p not in ("hello", "crash")]


@pytest.mark.everywhere
@pytest.mark.parametrize("program", CHECKS)
def test_glibc(launch, program):
    _check(launch, "glibc", program)


@pytest.mark.parametrize("program", CHECKS)
def test_musl(launch, program):
    _check(launch, "musl", program)


def _check(launch, form, program):
    r = launch("-m", "256M", "%s/%s/%s" % (vm.GUEST, form, program), timeout=150)
    bad = [line for line in r.out.splitlines() if not line.startswith("ok ")]
    assert not bad and not r.timed_out and r.status == 0, "\n".join(bad) + "\n" + repr(r)
    assert r.out.startswith("ok "), r
