# SPDX-License-Identifier: BSD-2-Clause
"""`cortado bench [NAME...] [--json FILE]`: figures of Cortado beside the tuned Linux guest (linux.py), taken in the same
run, alternating, on this host. Every row is shown, also those that Linux wins. Figures from emulation are labelled."""

import importlib
import json
import os
import platform
import statistics

from .. import accel, ui
from ..errors import UsageError
from ..manage import print_table

NAMES = ("boot", "kernel", "http", "net")


class Row:
    """One measurement: NAME with its UNIT, and the samples of each system. TARGET: what part of Linux's value Cortado's is
    meant to be."""

    def __init__(self, name, unit, lower_is_better=True, target=None):
        self.name, self.unit, self.lower, self.target = name, unit, lower_is_better, target
        self.samples = {}

    def add(self, system, value):
        self.samples.setdefault(system, []).append(value)

    def median(self, system):
        values = self.samples.get(system)
        return statistics.median(values) if values else None

    def ratio(self):
        """Cortado's median as a part of Linux's."""
        ours, theirs = self.median("cortado"), self.median("linux")
        return ours / theirs if ours and theirs else None

    def record(self):
        found = {"unit": self.unit, "lower_is_better": self.lower, "samples": self.samples,
                 "median": {s: self.median(s) for s in self.samples}}
        if self.target:
            found.update(ratio=self.ratio(), target_ratio=self.target)
        return found


def show(rows, systems):
    aims = any(row.target for row in rows)
    table = [("",) + tuple(systems) + (("ratio", "target") if aims else ("better",))]
    for row in rows:
        cells, best = [], None
        for system in systems:
            value = row.median(system)
            cells.append("-" if value is None else _cell(value, row, row.samples[system]))
            if value is not None and (best is None or (value < best[0]) == row.lower):
                best = (value, system)
        if aims:
            last = (_fraction(row.ratio()), _fraction(row.target))
        else:
            last = (best[1] if best else "-",)
        table.append((row.name,) + tuple(cells) + last)
    print_table(table)


def _cell(value, row, samples):
    text = _number(value) + (" " + row.unit if row.unit else "")
    return text if len(samples) == 1 else "%s (%s..%s)" % (text, _number(min(samples)), _number(max(samples)))


def _fraction(ratio):
    return "-" if ratio is None else "1/%.1f" % (1 / ratio)


def _number(value):
    return "%.0f" % value if value >= 100 else "%.1f" % value if value >= 10 else "%.2f" % value


def main(ns):
    unknown = [n for n in ns.bench if n not in NAMES]
    if unknown:
        raise UsageError("no benchmark `%s`; there are: %s" % (unknown[0], ", ".join(NAMES)))
    kind = accel.choose("auto")
    result = {"accel": kind, "cpu": _cpu(), "host_cpus": os.cpu_count(), "kernel": platform.release(),
              "load_average": os.getloadavg()[0], "benchmarks": {}}
    if kind == "tcg":
        ui.plain("The CPU is emulated (tcg): compare the columns, not these figures with real machines.")
    if result["load_average"] > 0.5 * (os.cpu_count() or 1):
        ui.plain("This host is busy (load %.1f on %d CPUs): the figures are rough." % (result["load_average"], os.cpu_count()))
    for name in ns.bench or NAMES:
        module = importlib.import_module("cortado_cli.bench." + name)
        print("%s (%s): median (least..most)" % (module.TITLE, kind), flush=True)
        rows, systems = module.measure(kind)
        show(rows, systems)
        print(flush=True)
        result["benchmarks"][name] = {row.name: row.record() for row in rows}
    if ns.json:
        with open(ns.json, "w") as f:
            json.dump(result, f, indent=2, sort_keys=True)
            f.write("\n")
    return 0


def _cpu():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
