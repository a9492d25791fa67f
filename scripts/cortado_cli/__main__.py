# SPDX-License-Identifier: BSD-2-Clause
"""Entry point; started by scripts/cortado as `python3 -I`, so the package's parent folder is not on sys.path yet."""

import os
import sys


def _standard_fds_exist():
    """Give every closed standard descriptor /dev/null, before any file of ours can take its number."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != fd:
                os.dup2(null, fd)
                os.close(null)


_standard_fds_exist()
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if sys.stdout is None:
    sys.stdout = open(1, "w", closefd=False)
if sys.stderr is None:
    sys.stderr = open(2, "w", closefd=False)

from cortado_cli.cli import main  # noqa: E402  (the path above must be set first)

sys.exit(main(sys.argv[1:]))
