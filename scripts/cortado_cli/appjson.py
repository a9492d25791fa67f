# SPDX-License-Identifier: BSD-2-Clause
"""/etc/cortado/app.json: what the agent is told. The image holds the resolved manifest; each run adds, by fw_cfg
opt/org.cortado/config.json, the same document with that run's values (the agent merges it key by key over the image's).

Keys beside the manifest's own (httpserver/README.md describes how the agent reads them):
  argv       the program and all its arguments, options and main included
  env        the application's whole environment
  cwd        "/app"
  api.plain  true when the API is published on the host's loopback over the user network only"""

import os
import re

from . import environment

OURS = "/usr/lib/cortado"
# Of the VM's memory, when the manifest leaves the heap to us. The rest is for metaspace, code, threads and page cache.
_AUTO_HEAP_PERCENT = 50


def document(m, home, arguments=(), env=None, ports=None, api_plain=False, on_exit=None):
    """The document for manifest M. HOME is the JDK's or node's place in the guest."""
    doc = {key: m[key] for key in ("version", "name", "runtime", "restart")}
    doc["on_exit"] = on_exit or m["on_exit"]
    doc["env"] = dict(environment.DEFAULT, **(m["env"] if env is None else env))
    doc["argv"] = _argv(m, home, doc["env"]) + m["args"] + list(arguments)
    doc["cwd"] = "/app"
    doc["ports"] = m["ports"] if ports is None else ports
    doc["api"] = dict(m["api"], plain=api_plain)
    return doc


def _argv(m, home, env):
    if m["runtime"] == "node":
        return [home, "--require", OURS + "/node-glue.js"] + m["node"]["options"] + [in_app(m["main"])]
    if m["runtime"] == "program":
        return [home]
    java = m["java"]
    words = [OURS + "/jvm-host", home + "/lib/server/libjvm.so"]
    words += _heap_options(java, env) + java["options"]
    classpath = [in_app(p) for p in java["classpath"]]
    if java["main_class"]:
        if m["main"]:
            classpath.insert(0, in_app(m["main"]))
        if "/" in java["main_class"]:  # MODULE/CLASS
            return words + ["-p", ":".join(classpath) or "/app", "-m", java["main_class"]]
        return words + ["-cp", ":".join(classpath) or "/app", java["main_class"]]
    return words + ["-jar", in_app(m["main"])]


def _heap_options(java, env):
    # What the environment says comes before the command line, which would win.
    said = [word for name in ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS") for word in env.get(name, "").split()] if java["heap"] == "auto" else []
    if any(o.startswith(("-Xmx", "-XX:MaxHeapSize=", "-XX:MaxRAMPercentage=")) for o in java["options"] + said):
        return []
    heap = java["heap"]
    percent = re.fullmatch(r"(\d+)%", heap)
    if heap == "auto" or percent:
        share = percent.group(1) if percent else str(_AUTO_HEAP_PERCENT)
        # HotSpot takes the second one where memory is small (below about 250 MiB).
        return ["-XX:MaxRAMPercentage=" + share, "-XX:MinRAMPercentage=" + share]
    return ["-Xmx" + re.sub(r"(?i)i?b$", "", heap).lower()] if re.search(r"[a-zA-Z]", heap) else ["-Xmx%sm" % heap]


def in_app(path):
    """Guest path of the manifest's relative PATH."""
    return path if path.startswith("/") else os.path.normpath("/app/" + path)
