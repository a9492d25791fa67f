# SPDX-License-Identifier: BSD-2-Clause
"""`cortado balloon N [SIZE]`: how much memory a VM keeps. QEMU holds the target; the guest works towards it."""

import time

from . import qmp, sizes, vm
from .errors import CortadoError, UsageError

_PAUSE = 0.1
_NEAR = 1 << 20  # a guest gives whole 4 KiB pages, but its own view of its memory may be off by the firmware's


def main(ns):
    found = vm.find_running(ns.name)
    boot = found.record["memory_bytes"]
    if ns.size is None:
        with qmp.Qmp(found.qmp) as q:
            actual = q.call("query-balloon")["actual"]
        print("%s keeps %s of %s" % (found.name, sizes.show(actual), sizes.show(boot)))
        return 0
    target = sizes.parse(ns.size, "SIZE")
    if target > boot:
        raise UsageError("%s was started with %s; it cannot keep %s" % (found.name, sizes.show(boot), ns.size))
    limit = time.monotonic() + ns.timeout
    with qmp.Qmp(found.qmp) as q:
        q.call("balloon", value=target)
        while True:
            actual = q.call("query-balloon")["actual"]
            if abs(actual - target) <= _NEAR:
                print("%s keeps %s of %s" % (found.name, sizes.show(actual), sizes.show(boot)))
                return 0
            if time.monotonic() >= limit:
                raise CortadoError("%s keeps %s after %g s; %s was asked for" % (found.name, sizes.show(actual), ns.timeout, sizes.show(target)))
            time.sleep(min(_PAUSE, max(0.0, limit - time.monotonic())))
