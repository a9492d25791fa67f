# SPDX-License-Identifier: BSD-2-Clause
"""Java behind a cable that loses, delays and reorders frames: bulk data and requests, in both directions."""

import contextlib

import pytest

import network
from wire import Wire

pytestmark = [pytest.mark.cortado_only, pytest.mark.skipif(bool(network.why_not()), reason=network.why_not())]
REQUESTS = 12
HOST = "http://%s" % network.HOST


@pytest.fixture(scope="module")
def link(tmp_path_factory):
    """(namespace, wire) with apps/network at the wire's other end."""
    folder = tmp_path_factory.mktemp("lossy")
    network.java_app(folder)
    with contextlib.ExitStack() as stack:
        n = stack.enter_context(network.Namespace())
        n.serve_http()
        wire = stack.enter_context(Wire(n, str(folder), seed=1))
        stack.enter_context(n.service(folder, "--machine", "q35", "--qemu", wire.device, net="none"))
        n.text("/")
        yield n, wire


@pytest.mark.parametrize("loss,delay,early,size", [
    (0, 0, 0, 1 << 20),
    (0.01, 0, 0, 1 << 20),
    (0.1, 0, 0, 128 << 10),
    (0, 0.005, 0.25, 1 << 20),
    (0.02, 0.03, 0.1, 256 << 10),
])
def test_both_ways(link, loss, delay, early, size):
    n, wire = link
    expected = network.digest(network.pattern(size))
    before = wire.lost
    wire.loss, wire.delay, wire.early = loss, delay, early
    try:
        assert n.http("POST", "/digest", network.pattern(size)) == (200, expected.encode())
        assert network.digest(n.http("GET", "/bytes?%d" % size)[1]) == expected
        assert n.text("/upload?%s/ %d" % (HOST, size)) == expected + "\n" + expected
        assert n.text("/download?%s/bytes?%d" % (HOST, size)) == expected
        for i in range(REQUESTS):  # each on a connection of its own: its opening and its end may be what is lost
            assert n.http("POST", "/echo", b"%d" % i) == (200, b"%d" % i)
            assert n.text("/fetch?%s/" % HOST) == "200 hello from the host\n"
    finally:
        wire.loss, wire.delay, wire.early = 0, 0, 0
    assert (wire.lost > before) == (loss > 0)
