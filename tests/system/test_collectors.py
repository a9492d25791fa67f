# SPDX-License-Identifier: BSD-2-Clause
"""Every collector of OpenJDK, with and without huge pages, and thousands of threads, on 1 to 16 virtual CPUs. A sample of it all runs
without --full."""

import json
import shutil

import vm
from cortado_cli import accel
from services import running
from test_java import classes  # noqa: F401  (a fixture)

COLLECTORS = ["Serial", "Parallel", "G1", "Z", "Shenandoah"]
PAGES = {"small": ([], ""), "transparent": (["-XX:+UseTransparentHugePages"], ""), "pool": (["-XX:+UseLargePages"], "hugepages=240")}
CPUS = [1, 2, 4, 16]
# Emulated CPUs take turns on one host thread: code that HotSpot patches under the feet of another CPU breaks QEMU's parallel
# emulation (docs/architecture.md), which would be blamed on the kernel.
TURNS = [] if accel.kvm_works()[0] else ["--accel", "tcg-single"]
# More CPUs than test_java.py has, and another collector than test_services.py has.
SAMPLE = {("Parallel", "small", 4), ("G1", "transparent", 16)}
SERVICE_SAMPLE = {("Z", "transparent", 1)}


def pytest_generate_tests(metafunc):
    everything = metafunc.config.getoption("full")
    if "collector" in metafunc.fixturenames:
        sample = SERVICE_SAMPLE if metafunc.function is test_orders else SAMPLE
        chosen = [(c, p, n) for c in COLLECTORS for p in PAGES for n in CPUS if everything or (c, p, n) in sample]
        metafunc.parametrize("collector, pages, cpus", chosen, ids=["%s-%s-%d" % c for c in chosen])
    elif "cpus" in metafunc.fixturenames:
        metafunc.parametrize("cpus", CPUS if everything else [2])


def test_hello(classes, collector, pages, cpus):  # noqa: F811
    options, words = PAGES[pages]
    r = vm.cortado("launch", "-m", "1G", "--cpus", cpus, *TURNS, "--append", words, "--with", classes + ":/cls", "java",
                   "-XX:+Use%sGC" % collector, "-Xmx128m", *options, "-cp", "/cls", "HelloWorld", timeout=300)
    assert r.status == 0 and "caught 200" in r.out and "total 2400000" in r.out and "warning" not in r.err + r.out, r


def test_two_thousand_threads(classes, cpus):  # noqa: F811
    r = vm.cortado("launch", "-m", "1G", "--cpus", cpus, *TURNS, "--with", classes + ":/cls", "java", "-Xmx128m", "-cp", "/cls",
                   "ManyThreads", "2000", timeout=300)
    assert (r.status, r.out) == (0, "alive 2000\ninterrupted 2000\n"), r


def test_orders(tmp_path, collector, pages, cpus):
    """The sample service, which is built, started, used and stopped."""
    options, words = PAGES[pages]
    app = shutil.copytree(vm.ROOT + "/apps/java/orders", str(tmp_path / "orders"))
    with open(app + "/cortado.json") as f:
        manifest = json.load(f)
    manifest["java"] = {"options": ["-XX:+Use%sGC" % collector] + options, "heap": "128M"}
    with open(app + "/cortado.json", "w") as f:
        json.dump(manifest, f)
    with running(app, "-m", "1G", "--cpus", cpus, *TURNS, "--append", words, "-p", "0:8080", "--api", "0") as s:
        for i in range(30):
            assert s.json("POST", "/orders", {"customer": "ann", "item": "cup", "quantity": i + 1, "price": 2})["total"] == 2.0 * (i + 1)
        assert s.json("POST", "/v1/jvm/gc", port="api")["committed_bytes"] > 0
        assert len(s.json("GET", "/orders")["orders"]) == 30
        assert any(collector.lower() in c["name"].lower() or collector in ("Serial", "Parallel")
                   for c in s.json("GET", "/v1/jvm/gc", port="api")["collectors"])
