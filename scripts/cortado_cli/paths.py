# SPDX-License-Identifier: BSD-2-Clause
"""Where things are on the host: the project, its build folder, and the XDG folders for state, sockets and caches."""

import os
import stat

from .errors import CortadoError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def build(*parts):
    """A path below the build folder: the project's own, or a cache folder where the project is read-only."""
    base = os.environ.get("CORTADO_BUILD")
    if not base:
        base = os.path.join(ROOT, "build")
        if not os.access(base if os.path.isdir(base) else ROOT, os.W_OK):
            base = os.path.join(_home("XDG_CACHE_HOME", ".cache"), "cortado")
    return os.path.join(base, *parts)


def _home(variable, default):
    value = os.environ.get(variable, "")
    return value if os.path.isabs(value) else os.path.join(os.path.expanduser("~"), default)


def state(*parts):
    """Logs and vm.json of each VM; they outlive it."""
    return os.path.join(_home("XDG_STATE_HOME", ".local/state"), "cortado", *parts)


def cache(*parts):
    """What was found out about this host."""
    return os.path.join(_home("XDG_CACHE_HOME", ".cache"), "cortado", *parts)


def runtime():
    """The folder for sockets, private to this user; made if missing."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(base) and os.path.isdir(base) and os.access(base, os.W_OK):
        path = os.path.join(base, "cortado")
    else:
        # /tmp is shared: the folder carries the user's number and is refused when somebody else made it.
        path = "/tmp/cortado-%d" % os.getuid()
    os.makedirs(path, mode=0o700, exist_ok=True)
    info = os.lstat(path)
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise CortadoError("%s belongs to another user; set XDG_RUNTIME_DIR to a folder of your own" % path)
    return path
