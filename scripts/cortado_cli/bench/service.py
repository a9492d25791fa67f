# SPDX-License-Identifier: BSD-2-Clause
"""A service VM for measurements: started detached through the public command, ended for sure."""

import contextlib
import json
import os
import subprocess

from .. import paths
from ..errors import CortadoError

SYSTEMS = {"cortado": [], "linux": ["--guest", "linux"]}
APPS = {"node hello": ["-m", "256M", "--cpus", "1", os.path.join(paths.ROOT, "apps", "node", "hello")],
        "java orders": ["-m", "384M", "--cpus", "1", os.path.join(paths.ROOT, "apps", "java", "orders")]}


def cortado(*words, timeout=180):
    done = subprocess.run([os.path.join(paths.ROOT, "scripts", "cortado")] + list(words), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, text=True)
    if done.returncode != 0:
        raise CortadoError("`cortado %s` failed:\n%s" % (" ".join(words), done.stderr.strip()))
    return done.stdout


@contextlib.contextmanager
def running(system, app):
    """The record (vm.json's content) of APP under SYSTEM, ready."""
    name = "bench-%d" % os.getpid()
    # Both on q35 with the same devices: only the guest's kernel differs.
    cortado("run", "-d", "--wait", "--quiet", "--machine", "q35", "--name", name, "-p", "0:8080", *SYSTEMS[system], *APPS[app])
    try:
        yield json.loads(cortado("inspect", name))
    finally:
        cortado("stop", name)
