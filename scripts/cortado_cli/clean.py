# SPDX-License-Identifier: BSD-2-Clause
"""`cortado clean`: removes what was built, and the records and sockets of VMs that have ended."""

import os
import shutil

from . import paths, ui, vm


def main(_ns):
    running = [v.name for v in vm.every() if v.running()]
    shutil.rmtree(paths.build(), ignore_errors=True)
    for base in (paths.state(), paths.runtime()):
        try:
            names = os.listdir(base)
        except OSError:
            continue
        for name in names:
            path = os.path.join(base, name)
            if name not in running and os.path.isdir(path) and not _in_use(name):
                shutil.rmtree(path, ignore_errors=True)
    if running:
        ui.say("cortado clean: still running, so kept: %s" % ", ".join(running))
    return 0


def _in_use(name):
    """Folders of launches carry the launching process's id."""
    kind, _, rest = name.partition("-")
    pid = rest.split("-")[0]
    return kind == "launch" and pid.isdigit() and os.path.exists("/proc/" + pid)
