# SPDX-License-Identifier: BSD-2-Clause
"""Ending a VM gracefully: the agent is asked over the API; without one, the ACPI power button."""

import http.client
import time

from . import api, qmp
from .errors import CortadoError


def gracefully(found, timeout):
    """Ask FOUND to power off. True when it ended within TIMEOUT seconds."""
    limit = time.monotonic() + timeout
    asked = False
    if found.record.get("api"):
        try:
            asked = api.request(found, "POST", "/v1/os/poweroff", b"{}", timeout=min(2.0, max(0.1, timeout)))[0] < 400
        except (OSError, http.client.HTTPException, CortadoError):
            pass  # it may still be booting, or stuck: the button is next
    if not asked and found.running():
        try:
            with qmp.Qmp(found.qmp, timeout=2.0) as q:
                q.call("system_powerdown")
        except CortadoError:
            pass
    return found.wait(max(0.0, limit - time.monotonic()))
