# SPDX-License-Identifier: BSD-2-Clause
"""When a VM is ready: its agent says so, on the control port or at /readyz of the published API.

Attempts over the user network are short and frequent: a connection made before the guest listens is lost in there, and
the loss shows only as a time-out."""

import http.client
import time

from . import api

_ATTEMPT = 0.5
_PAUSE = 0.05
_CRASHES = 3  # ends before the first readiness that make a crash loop


def wait(found, timeout=None):
    """Wait until FOUND (a Vm) is ready or clearly will not be. The event that decided: "ready"; "failed" or "exited" (the
    application ended for good, the VM may still be up); "backoff" (it ended for the third time and is about to be started
    again); None when the VM has ended or TIMEOUT seconds have passed."""
    limit = None if timeout is None else time.monotonic() + timeout
    while True:
        running = found.running()  # asked before the events: they are complete then
        names = [e["event"] for e in found.events()]
        for name in ("ready", "failed", "exited"):
            if name in names:
                return name
        if names.count("backoff") >= _CRASHES:
            return "backoff"
        if not running:
            return None
        if found.record.get("api") and _answers(found):
            return "ready"
        if limit is not None and time.monotonic() > limit:
            return None
        time.sleep(_PAUSE)


def _answers(found):
    try:
        return api.request(found, "GET", "/readyz", timeout=_ATTEMPT)[0] == 200
    except (OSError, http.client.HTTPException):
        return False
