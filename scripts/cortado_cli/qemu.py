# SPDX-License-Identifier: BSD-2-Clause
"""One QEMU process: from a description of the machine to a command line, and the process's life.

Machines: q35 (PCI) and microvm (virtio-mmio). The kernel is loaded by PVH (-kernel); everything the guest is told beyond
its kernel words goes by fw_cfg files, which do not show in the host's process list."""

import ctypes
import dataclasses
import os
import shlex
import signal
import subprocess

from . import setup, volumes
from .errors import CortadoError, UsageError

MACHINES = ("q35", "microvm")
_OPTIONS = {
    "q35": "q35,usb=off,vmport=off,smbus=off,sata=off,smm=off",
    "microvm": "microvm,auto-kernel-cmdline=off",
}
LEAST_MEMORY = 4 << 20  # firmware and kernel must at least be loaded to say what is wrong
# Static, so that a boot waits for nobody: the addresses that QEMU's user network hands out anyway.
USER_NET_WORD = "ip=10.0.2.15::10.0.2.2:255.255.255.0::eth0:off:10.0.2.3"


@dataclasses.dataclass
class Machine:
    kernel: str
    append: str
    machine: str = "microvm"
    accel: str = "tcg"
    memory: int = 256 << 20  # bytes
    cpus: int = 1
    initrd: str = ""
    root: str = ""  # EROFS image: /dev/vda, read-only
    net: str = "user"  # user, none, tap:NAME
    mac: str = ""
    forwards: list = dataclasses.field(default_factory=list)  # (address, host port, guest port)
    fw_cfg: dict = dataclasses.field(default_factory=dict)  # name -> bytes
    ports: dict = dataclasses.field(default_factory=dict)  # virtio-serial port name -> chardev words after the id
    volumes: list = dataclasses.field(default_factory=list)  # volumes.Volume, prepared
    console: str = ""  # file for the serial console
    qmp: str = ""  # socket path
    balloon: bool = False
    gdb: str = ""  # -gdb argument
    name: str = "cortado"
    extra: str = ""  # the user's --qemu words


def command(m, folder):
    """QEMU's argument list for M. FOLDER takes the fw_cfg files."""
    if m.memory < LEAST_MEMORY:
        raise UsageError("-m: %dK is too little for any guest; give it at least 4M, 32M for a small program" % (m.memory >> 10))
    words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    words += ["-name", m.name, "-machine", _OPTIONS[m.machine], "-m", "%dk" % (m.memory >> 10), "-smp", str(m.cpus)]
    if m.accel == "kvm":
        words += ["-accel", "kvm", "-cpu", "host"]
    else:
        words += ["-accel", "tcg,thread=" + ("single" if m.accel == "tcg-single" else "multi"), "-cpu", "max"]
    if m.machine == "microvm":
        words += ["-global", "virtio-mmio.force-legacy=false"]
    words += ["-kernel", m.kernel, "-append", m.append]
    if m.initrd:
        words += ["-initrd", m.initrd]
    if m.volumes:
        m.fw_cfg["opt/org.cortado/volumes"] = volumes.text(m.volumes)
    for i, (name, data) in enumerate(sorted(m.fw_cfg.items())):
        path = os.path.join(folder, "fw_cfg.%d" % i)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
            f.write(data)
        words += ["-fw_cfg", "name=%s,file=%s" % (name, comma(path))]

    if m.root:
        words += ["-drive", "if=none,id=root,format=raw,readonly=on,file=" + comma(m.root)] + _device(m, "virtio-blk", "drive=root")
    words += _net(m)
    words += _device(m, "virtio-rng", "")
    if m.balloon:
        words += _device(m, "virtio-balloon", "id=balloon0,deflate-on-oom=on,free-page-reporting=on")
    for i, v in enumerate(m.volumes):
        words += ["-fsdev", "local,id=volume%d,path=%s,security_model=none,multidevs=remap%s" % (i, comma(v.folder), ",readonly=on" if v.read_only else "")]
        words += _device(m, "virtio-9p", "fsdev=volume%d,mount_tag=%s" % (i, volumes.tag(i)))
    if m.ports:
        words += _device(m, "virtio-serial", "max_ports=%d" % (len(m.ports) + 2))
        for i, (name, chardev) in enumerate(m.ports.items()):
            words += ["-chardev", chardev.replace("ID", "port%d" % i, 1)]
            words += ["-device", "virtserialport,chardev=port%d,name=%s" % (i, name)]
    if m.console:
        words += ["-chardev", "file,id=console,path=" + comma(m.console), "-serial", "chardev:console"]
    if m.qmp:
        words += ["-qmp", "unix:%s,server=on,wait=off" % comma(m.qmp)]
    if m.gdb:
        words += ["-gdb", m.gdb]
    return words + shlex.split(m.extra)


def _device(m, name, options):
    suffix = "-device" if m.machine == "microvm" else "-pci"
    return ["-device", name + suffix + ("," + options if options else "")]


def _net(m):
    if m.net == "none":
        return []
    if m.net == "user":
        backend = "user,id=net0"
        for address, host, guest in m.forwards:
            backend += ",hostfwd=tcp:%s:%d-:%d" % (address, host, guest)
    elif m.net.startswith("tap:") and len(m.net) > 4:
        backend = "tap,id=net0,ifname=%s,script=no,downscript=no" % comma(m.net[4:])
    else:
        raise UsageError("--net %s: use user, none or tap:NAME" % m.net)
    options = "netdev=net0"
    if m.mac:
        options += ",mac=" + m.mac
    if m.machine != "microvm":
        options += ",romfile="  # no boot ROM: we never boot from the network
    return ["-netdev", backend] + _device(m, "virtio-net", options)


def comma(text):
    """QEMU's option lists end a value at a comma unless it is doubled."""
    return text.replace(",", ",,")


def word(key, value):
    """The kernel word KEY=VALUE, quoted when it must be."""
    if '"' in value or "\n" in value:
        raise CortadoError("%s: a double quote or newline cannot be passed in %s=" % (value, key))
    return '%s="%s"' % (key, value) if " " in value or not value else "%s=%s" % (key, value)


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def start(words, log, pass_fds=(), detached=False):
    """Start QEMU; its own messages go to the file LOG. In the foreground it dies with this process."""
    setup.require("qemu-system-x86")
    try:
        with open(log, "wb") as out:
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, pass_fds=pass_fds,
                                    start_new_session=True, preexec_fn=None if detached else _die_with_parent)
    except OSError as e:
        raise CortadoError("%s: %s" % (words[0], e.strerror))


def tail(path, lines=20):
    """The last LINES lines of the text file PATH, without control characters; "" when there are none."""
    try:
        with open(path, "rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - 16384))
            text = f.read().decode("utf-8", "replace")
    except OSError:
        return ""
    text = "".join(c for c in text if c in "\n\t" or c.isprintable())
    return "\n".join(text.strip().splitlines()[-lines:])
