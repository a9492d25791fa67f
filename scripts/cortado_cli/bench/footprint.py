# SPDX-License-Identifier: BSD-2-Clause
"""The part of bench boot about services: how soon the first good response comes, what the idle VM costs the host, and the
smallest memory in which each program still does its work.

An emulator's translation buffers are in QEMU's memory and its own threads in its CPU time, the same for both guests."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

from .. import paths, ui, vm
from . import Row, service

_RUNS = 3
_SETTLE = 20.0  # seconds: the compilers of the runtime end their work, free page reporting hands back what booting used
_IDLE = 10.0  # seconds over which an idle VM's CPU time is read
_ATTEMPT = 0.5  # seconds for a response: QEMU's user network loses what comes before the guest listens
_LIMIT = 30.0  # seconds; a guest that needs more for its first response has too little memory
_MIB = 1 << 20


def services(systems):
    """Rows of each service under each of SYSTEMS, {name: words of `cortado run`}."""
    rows = []
    for app, path in service.PATHS.items():
        response, memory = Row(app + ": first good response", "s"), Row(app + ", idle: host memory", "MiB")
        touched, cpu = Row(app + ", idle: guest memory that the host holds", "MiB"), Row(app + ", idle: of a host core", "%")
        rows += [response, memory, touched, cpu]
        for run in range(_RUNS):
            for system, words in systems.items():
                with ui.step("%s, %s, %d of %d" % (app, system, run + 1, _RUNS)), service.running(words, app) as record:
                    _get(record["ports"][0]["host"], path, _LIMIT)
                    response.add(system, _age(record))
                    time.sleep(_SETTLE)
                    before = _cpu(record["pid"])
                    time.sleep(_IDLE)
                    cpu.add(system, 100 * (_cpu(record["pid"]) - before) / _IDLE)
                    held = _held(record["pid"])
                    memory.add(system, sum(pss for _, _, pss in held) / _MIB)
                    touched.add(system, _of_guest(held, record["memory_bytes"]) / _MIB)
    return rows


def smallest(systems, hello):
    """Rows of the least memory under each of SYSTEMS, {name: words of `cortado launch`}: of the program HELLO, and of a Java
    and a Node HTTP service without the agent. Found by halving, to the grain shown."""
    jar = os.path.join(paths.ROOT, "apps", "java", "orders", "orders.jar")
    script = os.path.join(paths.ROOT, "apps", "node", "hello", "server.js")
    cases = {
        "hello (static C)": (1, 96, lambda words: _says_hello(words + [hello])),
        "Node HTTP": (4, 160, lambda words: _serves(words + ["--with", script + ":/app/server.js"], ["node", "/app/server.js"], "/")),
        "Java HTTP, -Xmx32m": (4, 160, lambda words: _serves(words + ["--with", jar + ":/app/orders.jar"],
                                                             ["java", "-Xmx32m", "-jar", "/app/orders.jar"], "/orders")),
    }
    rows = []
    for what, (grain, most, works) in cases.items():
        row = Row("%s: smallest memory, in steps of %d" % (what, grain), "MiB")
        rows.append(row)
        for system, words in systems.items():
            fails, enough = 4 - grain, most  # QEMU is given 4 MiB at least
            while enough - fails > grain:
                size = fails + (enough - fails) // (2 * grain) * grain
                with ui.step("%s, %s, in %d MiB" % (what, system, size)):
                    if works(words + ["-m", "%dM" % size]):
                        enough = size
                    else:
                        fails = size
            row.add(system, enough)
    return rows


def _says_hello(words):
    done = subprocess.run([service.COMMAND, "launch"] + words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=_LIMIT)
    return done.stdout == b"hello\n"


def _serves(words, program, path):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    limit = time.monotonic() + _LIMIT
    with tempfile.TemporaryFile() as output, subprocess.Popen([service.COMMAND, "launch", "-p", "%d:8080" % port] + words + program,
                                                              stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process:
        try:
            while process.poll() is None and time.monotonic() < limit:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    _get(port, path, _ATTEMPT)
                    return True
                time.sleep(0.1)
        finally:
            process.send_signal(signal.SIGTERM)
    return False


def _get(port, path, timeout):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise http.client.HTTPException("status %d" % response.status)
    finally:
        connection.close()


def _age(record):
    """Seconds since the VM's process began."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - vm.process_start(record["pid"]) / os.sysconf("SC_CLK_TCK")


def _cpu(pid):
    """CPU seconds of a process."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _held(pid):
    """[(first address, end, proportional set size in bytes)] of a process's mappings."""
    with open("/proc/%d/smaps" % pid) as f:
        text = f.read()
    return [(int(a, 16), int(b, 16), int(pss) << 10)
            for a, b, pss in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) .*?^Pss:\s+(\d+)", text, re.M | re.S)]


def _of_guest(held, size):
    """What of HELD is the guest's memory: neighbours that together are SIZE bytes."""
    for i, (first, _, _) in enumerate(held):
        end, pss = first, 0
        for a, b, part in held[i:]:
            if a != end or b - first > size:
                break
            end, pss = b, pss + part
            if end - first == size:
                return pss
    raise ValueError("no mapping of %d bytes" % size)
