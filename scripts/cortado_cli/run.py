# SPDX-License-Identifier: BSD-2-Clause
"""`cortado run`: an application in a VM under the management agent, in the foreground (its output streamed, its exit
status ours) or detached (a record in the state folder, no process of ours left behind)."""

import json
import os
import secrets
import shutil
import signal
import sys
import threading
import time

from . import accel, app, appjson, environment, linux, lock, manifest, net, paths, qemu, qmp, ready, result, shutdown, sizes, streams, ui, vm, volumes
from .errors import CORTADO_FAILED, INTERRUPTED, CortadoError, UsageError

_GRACE = 10.0
_ATTEMPTS = 4
_START_LIMIT = 20.0  # for QEMU itself to get up, on a busy host
_OUT, _ERR, _CONTROL = "org.cortado.stdout", "org.cortado.stderr", "org.cortado.control"


def main(ns):
    if ns.wait and not ns.detach:
        raise UsageError("--wait goes with -d; in the foreground the `ready` line tells")
    began = time.monotonic()
    found = app.load(ns.app)
    for attempt in range(_ATTEMPTS):
        try:
            running = _start(ns, found)
            break
        except _PortTaken as e:
            # Between our choice of a free port and QEMU's use of it somebody else was quicker.
            if attempt == _ATTEMPTS - 1:
                raise CortadoError(str(e))
    return running.run(ns, began)


class _PortTaken(CortadoError):
    pass


def _start(ns, found):
    machine, published, api_at, config = _describe(ns, found)
    with lock.exclusive(paths.state(".lock")):
        this = _claim_name(ns.name, found.manifest["name"])
        this.record = {
            "name": this.name, "app": os.path.abspath(ns.app), "runtime": found.manifest["runtime"], "started": time.time(),
            "machine": machine.machine, "accel": machine.accel, "memory_bytes": machine.memory, "cpus": machine.cpus,
            "net": machine.net, "ports": [dict(zip(("address", "host", "guest"), p)) for p in published],
            "api": {"address": api_at[0], "port": api_at[1]} if api_at else None,
            "volumes": [v.record() for v in machine.volumes], "kernel": machine.kernel, "root": machine.root, "command_line": machine.append, "argv": config["argv"],
        }
        machine.name = this.name
        machine.qmp = this.qmp
        machine.console = this.file("console.log")
        volumes.prepare(machine.volumes, [this.runtime_folder, this.folder])
        if not ns.quiet and machine.accel != "kvm":
            ui.say("cortado: no usable KVM here: the CPU is emulated, about ten times slower" if ns.accel == "auto"
                   else "cortado: the CPU is emulated, about ten times slower")
        return (_Detached if ns.detach else _Foreground)(machine, this)


# -- description ------------------------------------------------------------------------------------------------------


def _describe(ns, found):
    """(qemu.Machine, published ports, API's (address, port) or None, config document)."""
    m = found.manifest
    memory = sizes.parse(ns.memory or m["memory"], "-m" if ns.memory else "memory")
    manifest.check_heap(m, memory, "-m %s" % ns.memory if ns.memory else ns.app)
    network = ns.net or "user"
    published = _published(ns, m, network)
    api_at = _api(ns, m, network, [p[1] for p in published])
    env = environment.collect(ns.env, ns.env_file, m["env"])
    shared = volumes.parse(ns.volume)
    declared = m["ports"] or [guest for _, _, guest in published]
    on_exit = "poweroff" if m["on_exit"] == "auto" and not ns.detach else None
    config = appjson.document(m, found.home, ns.args, env, declared, bool(api_at), on_exit)
    if not api_at:
        config["api"]["access"] = "none"
    words = [app.COMMAND_LINE]
    if network != "none" and not any(w.startswith("ip=") for w in ns.append.split()):
        words.append(qemu.USER_NET_WORD if network == "user" else "ip=dhcp")
    if not any(w == "debug" or w.startswith("loglevel=") for w in ns.append.split()):
        words.append("quiet")
    machine = qemu.Machine(
        kernel=found.kernel, append=" ".join(w for w in words + [ns.append] if w), root=found.root, machine=ns.machine or "q35",
        accel=accel.choose(ns.accel), memory=memory, cpus=ns.cpus or m["cpus"], net=network,
        mac="" if network == "user" else "52:54:00:%s:%s:%s" % tuple(secrets.token_hex(1) for _ in range(3)),
        forwards=published + ([(api_at[0], api_at[1], m["api"]["port"])] if api_at else []), balloon=True, extra=ns.qemu)
    machine.fw_cfg["opt/org.cortado/config.json"] = json.dumps(config).encode()
    machine.volumes = shared
    if ns.guest == "linux":
        linux.apply(machine)
    return machine, published, api_at, config


def _published(ns, m, network):
    if ns.publish and network != "user":
        raise UsageError("-p works with --net user only; with --net %s the guest's ports are reached at its own address" % network)
    if ns.publish or network != "user":
        return [p.chosen() for p in net.parse_ports(ns.publish)]
    # Declared ports go to the same ports on loopback, or to free ones where these are taken.
    chosen = []
    for port in m["ports"]:
        try:
            chosen.append(net.Published(net.LOOPBACK, port, port).chosen())
        except CortadoError:
            chosen.append(net.Published(net.LOOPBACK, 0, port).chosen())
    return chosen


def _api(ns, m, network, taken):
    if network != "user" or m["api"]["access"] == "none":
        if ns.api:
            raise UsageError("--api needs --net user and api.access other than \"none\"")
        return None
    address, port = net.parse_api(ns.api) if ns.api else (net.LOOPBACK, 0)
    if address not in (net.LOOPBACK, "::1"):
        raise UsageError("--api %s: the API speaks plain HTTP, so it is published on loopback only; use --api PORT and a tunnel" % ns.api)
    while True:
        chosen = net.Published(address, port, m["api"]["port"]).chosen()
        if chosen[1] not in taken:
            return chosen[:2]


def _claim_name(wanted, default):
    """A Vm with a free name and empty folders."""
    name = wanted or default
    if not vm.valid_name(name):
        raise UsageError("--name %s: use letters, digits, '.', '_' and '-'" % name)
    number = 1
    while _taken(name):
        if wanted:
            raise CortadoError("--name %s: a VM of that name is running; stop it or choose another name" % name)
        number += 1
        name = "%s-%d" % (default, number)
    this = vm.Vm(name, {})
    shutil.rmtree(this.folder, ignore_errors=True)
    shutil.rmtree(this.runtime_folder, ignore_errors=True)
    os.makedirs(this.folder, mode=0o700)
    os.makedirs(this.runtime_folder, mode=0o700)
    return this


def _taken(name):
    try:
        return vm.find(name).running()
    except CortadoError:
        return False


# -- running ----------------------------------------------------------------------------------------------------------


class _Running:
    def __init__(self, machine, this):
        """Start QEMU and record it. Under the lock of the state folder."""
        self.vm, self.machine = this, machine
        self.prepare()
        words = qemu.command(machine, this.runtime_folder)
        self.process = qemu.start(words, this.file("qemu.log"), self.inherited(), isinstance(self, _Detached))
        this.record["pid"] = self.process.pid
        this.record["pid_start"] = vm.process_start(self.process.pid)
        self._await_qemu()
        this.save()

    def _await_qemu(self):
        """Return once QEMU has taken all its options (it serves QMP then); raise when it refused one."""
        deadline = time.monotonic() + _START_LIMIT
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                with qmp.Qmp(self.vm.qmp, timeout=_START_LIMIT):
                    return
            except CortadoError:
                time.sleep(0.005)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            raise self.failure("none: it did not start")
        if self.process.returncode != 0:
            kind = _PortTaken if "host forwarding rule" in qemu.tail(self.vm.file("qemu.log")) else CortadoError
            raise kind(str(self.failure(self.process.returncode)))

    def ready_line(self, began):
        urls = "".join("  http://%s:%d" % (p["address"], p["host"]) for p in self.vm.record["ports"][:1])
        ui.say("ready in %.1f s (%s)%s" % (time.monotonic() - began, self.machine.accel, urls))

    def failure(self, status):
        parts = ["%s: the VM ended before its application did (QEMU's exit status %s)" % (self.vm.name, status)]
        for title, name in (("QEMU said", "qemu.log"), ("end of the console log", "console.log")):
            text = qemu.tail(self.vm.file(name))
            if text:
                parts.append("%s:\n%s" % (title, text))
        return CortadoError("\n".join(parts))


class _Detached(_Running):
    def prepare(self):
        log = qemu.comma(self.vm.file("app.log"))
        self.machine.ports = {_OUT: "file,id=ID,append=on,path=" + log, _ERR: "file,id=ID,append=on,path=" + log,
                              _CONTROL: "file,id=ID,path=" + qemu.comma(self.vm.file("control.jsonl"))}

    def inherited(self):
        return ()

    def run(self, ns, began):
        if ns.wait:
            self._await_ready(began)
        print(self.vm.name)
        return 0


    def _await_ready(self, began):
        name, outcome = self.vm.name, ready.wait(self.vm)
        if outcome == "ready":
            self.ready_line(began)
            return
        if outcome is None:
            self.process.wait()
            if self.vm.final_event() is None:
                raise self.failure(self.process.returncode)
        status = next((e["status"] for e in reversed(self.vm.events()) if "status" in e), None)
        raise CortadoError("%s ended with status %s before it was ready%s; `cortado logs %s` shows its output"
                           % (name, self.vm.exit_status() if status is None else status,
                              ", again and again, and is still being restarted" if outcome == "backoff" else "", name))


class _Foreground(_Running):
    def prepare(self):
        self.ports = {_OUT: streams.Port(self.vm.file("app.log")), _ERR: streams.Port(self.vm.file("app.log")),
                      _CONTROL: streams.Port(self.vm.file("control.jsonl"))}
        self.machine.ports = {name: port.chardev() for name, port in self.ports.items()}
        self.interrupts = 0
        self.handled = {n: signal.signal(n, self.interrupted) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def inherited(self):
        return [p.far for p in self.ports.values()]

    def interrupted(self, number, _frame):
        """The first signal asks the application to end; the second one ends the VM."""
        self.interrupts += 1
        self.last_signal = number
        if self.interrupts == 1:
            threading.Thread(target=self._stop, daemon=True).start()
        else:
            self.vm.kill()

    def _stop(self):
        if not shutdown.gracefully(self.vm, _GRACE):
            self.vm.kill()

    def run(self, ns, began):
        for port in self.ports.values():
            port.started()
        outputs = [streams.pump_out(self.ports[_OUT], 1), streams.pump_out(self.ports[_ERR], 2)]
        control = streams.Control(self.ports[_CONTROL])
        threading.Thread(target=self._tell_ready, args=(began,), daemon=True).start()
        status = self.process.wait()
        for thread in outputs + [control.thread]:
            thread.join()
        self.vm.forget_sockets()
        if self.interrupts:
            return INTERRUPTED if self.last_signal == signal.SIGINT else 128 + self.last_signal
        event = control.last(*result.FINAL_EVENTS)
        code, text = result.of_event(event)
        if event is None or event["event"] == "panic":
            if text:
                ui.error("run", text)
            raise self.failure(status)
        if text:
            ui.plain(text)
        if code == CORTADO_FAILED and event["event"] != "exit":
            raise self.failure(status)
        return code

    def _tell_ready(self, began):
        if ready.wait(self.vm) == "ready" and not self.interrupts:
            sys.stdout.flush()
            self.ready_line(began)
