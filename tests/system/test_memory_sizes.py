# SPDX-License-Identifier: BSD-2-Clause
"""Every guest memory size: small ones, odd ones, not only round ones."""

import pytest

import vm

SMALLEST = 6  # MiB in which hello must still run
LARGEST = 128


def outcome(machine, size):
    return vm.cortado("launch", "--machine", machine, "-m", "%dM" % size, vm.GUEST + "/glibc/hello", "3", timeout=60)


@pytest.mark.cortado_only
@pytest.mark.parametrize("first", range(SMALLEST, LARGEST, 41))
@pytest.mark.parametrize("machine", ["microvm", "q35"])
def test_every_size(machine, first):
    failed = []
    for size in range(first, min(first + 41, LARGEST + 1)):
        r = outcome(machine, size)
        if (r.status, r.out) != (3, "hello\n"):
            failed.append("%d MiB: %r" % (size, r))
    assert not failed, "\n".join(failed)


@pytest.mark.cortado_only
@pytest.mark.parametrize("machine", ["microvm", "q35"])
def test_too_small_is_said(machine):
    """A VM that cannot work ends with a message and a status; it does not hang."""
    for size in range(1, SMALLEST):
        r = outcome(machine, size)
        assert not r.timed_out and (r.status == 3 or (r.status == 125 and r.err)), r


@pytest.mark.cortado_only
@pytest.mark.parametrize("kilobytes", [33333, 65540, 100001 * 4 // 4, 131068])
def test_odd_sizes(kilobytes):
    r = vm.cortado("launch", "-m", "%dK" % (kilobytes // 8 * 8), vm.GUEST + "/static/hello", "3", timeout=60)
    assert (r.status, r.out) == (3, "hello\n"), r


def test_large(launch):
    if vm.free_memory_mib() < 3000:
        pytest.skip("not enough memory on this host")
    r = launch("-m", "6G", "busybox", "grep", "MemTotal", "/proc/meminfo")
    assert r.status == 0 and int(r.out.split()[1]) > 5 << 20, r


@pytest.mark.cortado_only
def test_figures_agree(launch):
    r = launch("-m", "256M", "busybox", "cat", "/proc/meminfo")
    figures = {line.split(":")[0]: int(line.split()[1]) for line in r.out.splitlines()}
    assert 200 << 10 < figures["MemTotal"] <= 256 << 10 and figures["MemFree"] > 150 << 10, r


@pytest.mark.cortado_only
@pytest.mark.parametrize("word,shown", [("always", "[always] madvise never"), ("madvise", "always [madvise] never"),
                                        ("never", "always madvise [never]"), ("sometimes", "always [madvise] never")])
def test_transparent_hugepage_word(launch, word, shown):
    r = launch("-m", "64M", "--append", "transparent_hugepage=" + word, "busybox", "cat", "/sys/kernel/mm/transparent_hugepage/enabled")
    assert r.out.strip() == shown, r


@pytest.mark.cortado_only
def test_half_a_terabyte():
    """Far more than the host has: of RAM that is not used, nothing is touched, nor is much of its map."""
    r = vm.cortado("launch", "--machine", "q35", "-m", "512G", "--qemu",
                   "-object memory-backend-ram,id=m,size=512G,reserve=off -machine memory-backend=m", "head", "-1", "/proc/meminfo", timeout=60)
    assert r.status == 0 and int(r.out.split()[1]) >> 20 >= 500, r
