# SPDX-License-Identifier: BSD-2-Clause
"""When a VM is ready: its agent says so, on the control port or at /readyz of the published API.

Attempts over the user network are short and frequent: a connection made before the guest listens is lost in there, and
the loss shows only as a time-out."""

import http.client
import time

from . import api

_ATTEMPT = 0.5
_PAUSE = 0.05


def wait(found, timeout=None):
    """True when FOUND (a Vm) has become ready; False when it ended first, or after TIMEOUT seconds."""
    limit = None if timeout is None else time.monotonic() + timeout
    while True:
        if any(e["event"] == "ready" for e in found.events()):
            return True
        if not found.running():
            return False
        if found.record.get("api") and _answers(found):
            return True
        if limit is not None and time.monotonic() > limit:
            return False
        time.sleep(_PAUSE)


def _answers(found):
    try:
        return api.request(found, "GET", "/readyz", timeout=_ATTEMPT)[0] == 200
    except (OSError, http.client.HTTPException):
        return False
