# SPDX-License-Identifier: BSD-2-Clause
"""An unmodified Node.js under launch."""

import pytest

import vm


@pytest.mark.everywhere
def test_version(launch):
    r = launch("node", "--version", timeout=90)
    assert r.status == 0 and r.out.startswith("v") and r.err == "", r


def test_services_of_node(launch):
    script = vm.ROOT + "/tests/system/node/check.js"
    r = launch("-m", "512M", "--with", script + ":/check.js", "--with", "/usr/bin/busybox", "node", "/check.js", timeout=150)
    assert r.status == 9, r
    assert r.out.splitlines() == ["file text b", "hash 2d711642", "http done", "worker 42", "child out 1", "os linux true true true"], r


def test_uncaught_error(launch):
    r = launch("node", "-e", "throw new Error('oh')", timeout=90)
    assert r.status == 1 and "Error: oh" in r.err, r


def test_input_and_output(launch):
    r = launch("node", "-e", "process.stdin.pipe(process.stdout)", stdin=b"some input\n" * 5000, timeout=90)
    assert r.status == 0 and r.out_bytes == b"some input\n" * 5000, (r.status, len(r.out_bytes), r.err)
