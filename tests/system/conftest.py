# SPDX-License-Identifier: BSD-2-Clause
"""System tests: whole VMs, driven through scripts/cortado only.

--guest linux   the same tests on Debian's kernel, which shows whether a failure is the test's or the kernel's
--full          every configuration and size instead of a sample
--shard I/N     every Nth test from the Ith, for running in parallel
--counts FILE   totals as JSON, for `cortado test`"""

import json
import subprocess

import pytest

import vm

CONFIGURATIONS = [("microvm", 1), ("microvm", 2), ("q35", 1), ("q35", 2)]


def pytest_addoption(parser):
    parser.addoption("--guest", default="cortado", choices=("cortado", "linux"))
    parser.addoption("--full", action="store_true")
    parser.addoption("--shard", default="0/1")
    parser.addoption("--counts", default="")


def pytest_configure(config):
    config.addinivalue_line("markers", "everywhere: run on each machine with 1 and 2 CPUs, also without --full")
    config.addinivalue_line("markers", "cortado_only: not meaningful on the Linux guest")


def pytest_generate_tests(metafunc):
    """A test that takes `launch` runs in every configuration with --full or when marked `everywhere`; else in one,
    chosen by its name so that the configurations are shared out evenly and for ever the same."""
    if "launch" not in metafunc.fixturenames:
        return
    # Debian's kernel does not boot reliably on an emulated microvm.
    possible = CONFIGURATIONS if metafunc.config.getoption("guest") == "cortado" else CONFIGURATIONS[2:]
    chosen = possible
    if not metafunc.config.getoption("full") and not metafunc.definition.get_closest_marker("everywhere"):
        number = sum(metafunc.function.__name__.encode())
        chosen = [possible[number % len(possible)]]
    metafunc.parametrize("launch", chosen, ids=["%s-%d" % c for c in chosen], indirect=True)


def pytest_collection_modifyitems(config, items):
    shard, of = (int(x) for x in config.getoption("shard").split("/"))
    kept = items[shard::of]
    if config.getoption("guest") != "cortado":
        for item in kept:
            if item.get_closest_marker("cortado_only"):
                item.add_marker(pytest.mark.skip(reason="Cortado only"))
    items[:] = kept


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    path = config.getoption("counts")
    if path:
        stats = terminalreporter.stats
        counts = {k: len(stats.get(k, [])) for k in ("passed", "failed", "error", "skipped")}
        with open(path, "w") as f:
            json.dump(counts, f)


@pytest.fixture
def launch(request):
    return vm.Launcher(request.config.getoption("guest"), *request.param)


@pytest.fixture(scope="session")
def full(request):
    return request.config.getoption("full")


@pytest.fixture(scope="session", autouse=True)
def guest_programs():
    """The programs of tests/guest, built."""
    subprocess.run(["make", "-s", "-C", vm.ROOT + "/tests/guest"], check=True, stdin=subprocess.DEVNULL)
    return vm.GUEST
