# SPDX-License-Identifier: BSD-2-Clause
"""Node's own tests, of the modules that exercise the system, on this host and in a VM.

CORTADO_NODE_TESTS names the folder test/ of the source that belongs to the node on the PATH."""

import os
import re
import shutil

import pytest

import beside

TESTS = os.environ.get("CORTADO_NODE_TESTS", "")
GUEST = "/srv/node/test"
MODULES = """async-hooks child-process cluster dgram dns fs http http2 https net os pipe process signal stdio stream timers tls tty
    worker""".split()

pytestmark = pytest.mark.skipif(not os.path.isdir(TESTS) or not shutil.which("node"), reason="CORTADO_NODE_TESTS names no tests")


def _test(folder, name, number):
    path = os.path.join(TESTS, folder, name)
    with open(path, encoding="utf-8", errors="replace") as f:
        source = f.read()
    env = {"NODE_TEST_DIR": "/tmp", "TEST_THREAD_ID": str(number), "TEST_SERIAL_ID": str(number)}
    for line in re.findall(r"^// Env:(.*)", source, re.M):
        env.update(word.split("=", 1) for word in line.split())
    flags = [w for line in re.findall(r"^//\s+Flags:(.*)", source, re.M) for w in line.split()]
    return {"name": "%s/%s" % (folder, name), "argv": [shutil.which("node")] + flags + [path], "cwd": TESTS, "env": env}


@pytest.mark.parametrize("folder", ["parallel", "sequential"])
@pytest.mark.parametrize("module", MODULES)
def test_module(module, folder, tmp_path):
    names = [n for n in sorted(os.listdir(os.path.join(TESTS, folder)))
             if re.match(r"test-%s[-.].*m?js$" % module, n)]
    tests = [_test(folder, name, i) for i, name in enumerate(names)]
    if not tests:
        pytest.skip("none there")
    worse = beside.compare(tests, tmp_path, {TESTS: GUEST}, jobs=2 if folder == "parallel" else 1)
    assert not worse, worse
