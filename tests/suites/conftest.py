# SPDX-License-Identifier: BSD-2-Clause
"""Options as `cortado test` gives them to every pytest suite, and the helpers of tests/system."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))


def pytest_addoption(parser):
    parser.addoption("--shard", default="0/1")
    parser.addoption("--counts", default="")
    parser.addoption("--full", action="store_true")


def pytest_collection_modifyitems(config, items):
    shard, of = (int(x) for x in config.getoption("shard").split("/"))
    items[:] = items[shard::of]


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    path = config.getoption("counts")
    if path:
        stats = terminalreporter.stats
        with open(path, "w") as f:
            json.dump({k: len(stats.get(k, [])) for k in ("passed", "failed", "error", "skipped")}, f)
