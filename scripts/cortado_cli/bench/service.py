# SPDX-License-Identifier: BSD-2-Clause
"""A service VM for measurements: started detached through the public command, ended for sure."""

import contextlib
import os
import subprocess

from .. import paths, ready, vm
from ..errors import CortadoError

COMMAND = os.path.join(paths.ROOT, "scripts", "cortado")
# Both on q35 with the same devices: only the guest's kernel differs.
SYSTEMS = {"cortado": ["--machine", "q35"], "linux": ["--machine", "q35", "--guest", "linux"]}
APPS = {"node hello": ["-m", "256M", "--cpus", "1", os.path.join(paths.ROOT, "apps", "node", "hello")],
        "java orders": ["-m", "384M", "--cpus", "1", os.path.join(paths.ROOT, "apps", "java", "orders")]}
PATHS = {"node hello": "/", "java orders": "/orders"}
_LIMIT = 120  # seconds until a service is ready


def cortado(*words, timeout=180):
    done = subprocess.run([COMMAND] + list(words), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, text=True)
    if done.returncode != 0:
        raise CortadoError("`cortado %s` failed:\n%s" % (" ".join(words), done.stderr.strip()))
    return done.stdout


@contextlib.contextmanager
def running(words, app):
    """The record (vm.json's content) of APP, just ready, under the system that WORDS of `cortado run` choose."""
    name = "bench-%d" % os.getpid()
    cortado("run", "-d", "--quiet", "--name", name, "-p", "0:8080", *words, *APPS[app])
    try:
        found = vm.find(name)
        if ready.wait(found, _LIMIT) != "ready":
            raise CortadoError("%s is not ready after %d s" % (app, _LIMIT))
        yield found.record
    finally:
        cortado("stop", name)
