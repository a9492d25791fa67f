# SPDX-License-Identifier: BSD-2-Clause
"""`cortado launch`: an unmodified program of the host in a VM of its own, lean mode (the program is init, no agent).

stdin, stdout and stderr are the program's and nothing else's; the exit status is its own."""

import os
import shutil
import signal
import tempfile

from . import accel, closure, environment, image, kernel, linux, net, paths, qemu, result, sizes, streams, tree, ui, volumes
from .errors import CORTADO_FAILED, CortadoError

PORTS = ("org.cortado.stdin", "org.cortado.stdout", "org.cortado.stderr", "org.cortado.control")


def main(ns):
    ui.transient = True
    _, root, init, folder, env = prepare(ns)
    machine = describe(ns, root, init, folder, env)
    work = tempfile.mkdtemp(prefix="launch-%d-" % os.getpid(), dir=paths.runtime())
    linked = paths.state(".volumes-%d" % os.getpid())
    try:
        volumes.prepare(machine.volumes, [work, linked])
        return run(machine, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(linked, ignore_errors=True)


def prepare(ns):
    """(program's host path, root image, its path in the guest, working directory, environment)."""
    program = closure.find_program(ns.program)
    env = environment.collect(ns.env, ns.env_file, environment.DEFAULT)
    return (program,) + gather(program, ns.with_, env) + (env,)


def gather(program, with_words, env):
    """(root image, path of PROGRAM in the guest, working directory in the guest)."""
    files = tree.FileTree()
    closure.add_base(files)
    needed = closure.Closure(files, [p for p in env.get("LD_LIBRARY_PATH", "").split(":") if p])
    needed.program(program)
    for extra in closure.add_with(files, with_words):
        needed.companion(extra)
    # The same working directory as here where the guest has it, so that relative arguments mean the same.
    folder = files.resolve(os.getcwd())
    entry = files.entries.get(folder)
    if entry is None or entry.kind != "dir":
        folder = "/"
    init = program if not program.startswith(tuple(t + "/" for t in tree.VOLATILE)) else files.resolve(program)
    return image.root_image(files), init, folder


def describe(ns, root, init, folder, env):
    words = ["root=/dev/vda", "rootfstype=erofs", "console=ttyS0", qemu.word("init", init)]
    if folder != "/":
        words.append(qemu.word("cwd", folder))
    if ns.net != "none" and not any(w.startswith("ip=") for w in ns.append.split()):
        words.append(qemu.USER_NET_WORD if ns.net == "user" else "ip=dhcp")
    if not ns.console and not any(w == "debug" or w.startswith("loglevel=") for w in ns.append.split()):
        words.append("quiet")
    if ns.append:
        words.append(ns.append)
    m = qemu.Machine(
        kernel="",
        append=" ".join(words),
        machine=ns.machine or (linux.MACHINE if ns.guest == "linux" else "microvm"),
        accel=accel.choose(ns.accel),
        memory=sizes.parse(ns.memory or "256M", "-m"),
        cpus=ns.cpus or 1,
        root=root,
        net=ns.net,
        forwards=[p.chosen() for p in net.parse_ports(ns.publish)],
        console=os.path.abspath(ns.console) if ns.console else "",
        volumes=volumes.parse(ns.volume),
        extra=ns.qemu,
    )
    m.fw_cfg["opt/org.cortado/argv"] = environment.strings([ns.program] + ns.args)
    m.fw_cfg["opt/org.cortado/env"] = environment.strings("%s=%s" % item for item in env.items())
    if ns.guest == "linux":
        linux.apply(m)
    else:
        m.kernel = kernel.path()
    return m


class _Stopped(Exception):
    def __init__(self, number):
        self.number = number


def _stop(number, _frame):
    raise _Stopped(number)


def run(m, work, std=(0, 1, 2)):
    """Boot M with the standard descriptors STD, wait for its end, and return the exit status for this process."""
    ports = {name: streams.Port() for name in PORTS}
    m.ports = {name: port.chardev() for name, port in ports.items()}
    m.console = m.console or os.path.join(work, "console.log")
    log = os.path.join(work, "qemu.log")
    words = qemu.command(m, work)
    handled = {n: signal.signal(n, _stop) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    process = None
    try:
        process = qemu.start(words, log, [p.far for p in ports.values()])
        for port in ports.values():
            port.started()
        streams.pump_in(ports[PORTS[0]], std[0])
        outputs = [streams.pump_out(ports[PORTS[1]], std[1]), streams.pump_out(ports[PORTS[2]], std[2])]
        control = streams.Control(ports[PORTS[3]])
        status = process.wait()
        for thread in outputs + [control.thread]:
            thread.join()
    except _Stopped as stop:
        return 128 + stop.number
    finally:
        for number, action in handled.items():
            signal.signal(number, action)
        if process and process.poll() is None:
            process.kill()
            process.wait()
    event = control.last(*result.FINAL_EVENTS)
    code, text = result.of_event(event)
    if text:
        ui.error("", text) if code == CORTADO_FAILED else ui.plain(text)
    if event is None or event["event"] == "panic":
        raise CortadoError(_what_happened(status, m, log))
    return code


def _what_happened(status, m, log):
    """Why the VM ended without saying how its program did."""
    parts = ["the VM ended before its program did (QEMU's exit status %d)" % status]
    for title, path in (("QEMU said", log), ("end of the console log", m.console)):
        text = qemu.tail(path)
        if text:
            parts.append("%s:\n%s" % (title, text))
    return "\n".join(parts)
