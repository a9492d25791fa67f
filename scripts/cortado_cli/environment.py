# SPDX-License-Identifier: BSD-2-Clause
"""The guest program's environment: -e K=V, -e K (this process's value), --env-file FILE, over a small default."""

import os
import re

from .errors import UsageError

DEFAULT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def collect(words, files, base=()):
    """{name: value} of BASE, then the env FILES, then the -e WORDS; later ones win."""
    result = dict(base)
    for path in files:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as f:
                lines = f.read().splitlines()
        except OSError as e:
            raise UsageError("--env-file %s: %s" % (path, e.strerror))
        for number, line in enumerate(lines, 1):
            if line.strip() and not line.lstrip().startswith("#"):
                _add(result, line, "--env-file %s, line %d" % (path, number))
    for word in words:
        _add(result, word, "-e " + word)
    return result


def _add(result, word, what):
    name, equals, value = word.partition("=")
    if not _NAME.fullmatch(name):
        raise UsageError("%s: `%s` is no variable name; write K=V" % (what, name))
    if equals:
        result[name] = value
    elif name in os.environ:
        result[name] = os.environ[name]


def strings(values):
    """VALUES as the fw_cfg file holds them: each ended by NUL."""
    return b"".join(os.fsencode(v) + b"\0" for v in values)
