# SPDX-License-Identifier: BSD-2-Clause
"""The management API of a VM, from outside: one HTTP request over the published loopback port.

`cortado api N METHOD PATH [BODY]` prints the answer's body on stdout; the exit status is 0 for 2xx and 3xx answers."""

import http.client
import os
import sys

from . import vm
from .errors import CortadoError, UsageError

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def address(found):
    """(address, port) of the running VM's API; raises when it is not published."""
    where = found.record.get("api")
    if not where:
        raise CortadoError("%s was started without a published API (--net none or api.access none)" % found.name)
    return where["address"], where["port"]


def request(found, method, path, body=None, timeout=30.0):
    """(status, content type, body bytes)."""
    host, port = address(found)
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    headers = {"Accept": "application/json, text/plain, */*"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read()
    finally:
        connection.close()


def call(found, method, path, body=None, timeout=30.0):
    """As request, but every failure is a CortadoError."""
    try:
        return request(found, method, path, body, timeout)
    except http.client.InvalidURL:
        raise UsageError("%s is no path: write spaces and controls as %%XX" % path)
    except (OSError, http.client.HTTPException) as e:
        raise CortadoError("%s: its API does not answer (%s)" % (found.name, getattr(e, "strerror", None) or type(e).__name__))


def main_api(ns):
    method = ns.method.upper()
    if method not in _METHODS:
        raise UsageError("%s is no HTTP method; use one of %s" % (ns.method, ", ".join(_METHODS)))
    path = ns.path if ns.path.startswith("/") else "/" + ns.path
    found = vm.find_running(ns.name)
    status, _, answer = call(found, method, path, _body(ns.body))
    out = sys.stdout.buffer
    out.write(answer)
    if answer and not answer.endswith(b"\n") and (os.isatty(1) or status >= 400):
        out.write(b"\n")
    out.flush()
    if status >= 400:
        raise CortadoError("%s %s: HTTP %d" % (method, path, status))
    return 0


def _body(word):
    if word is None:
        return None
    if word == "-":
        return sys.stdin.buffer.read()
    if word.startswith("@"):
        try:
            with open(word[1:], "rb") as f:
                return f.read()
        except OSError as e:
            raise UsageError("%s: %s" % (word[1:], e.strerror))
    return word.encode()


main = main_api
