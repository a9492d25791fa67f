# SPDX-License-Identifier: BSD-2-Clause
"""Whether KVM works here, found out by running a guest: /dev/kvm may open and still not be able to run one (nested
hosts, missing hardware support). The answer is kept until the next boot of the host or a change of QEMU or /dev/kvm."""

import json
import os
import shutil
import struct
import subprocess
import tempfile

from . import paths, setup
from .errors import HostLacks

_GOOD = 33  # isa-debug-exit: (0x10 << 1) | 1
_LIMIT = 10


def choose(wanted):
    """"kvm", "tcg" or "tcg-single" for the option value WANTED (those and auto)."""
    if wanted in ("tcg", "tcg-single"):
        return wanted
    works, why = kvm_works()
    if works:
        return "kvm"
    if wanted == "kvm":
        raise HostLacks("--accel kvm: %s; use --accel tcg (emulation) or a host with KVM" % why)
    return "tcg"


def kvm_works():
    """(bool, reason when it does not)."""
    if not os.path.exists("/dev/kvm"):
        return False, "this host has no /dev/kvm"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False, "/dev/kvm is there but not for this user (join the group kvm)"
    setup.require("qemu-system-x86")
    key, file = _identity(), paths.cache("kvm.json")
    try:
        with open(file) as f:
            known = json.load(f)
        if known["key"] == key:
            return known["works"], known["why"]
    except (OSError, ValueError, KeyError):
        pass
    works, why = _try()
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(file), delete=False) as f:
            json.dump({"key": key, "works": works, "why": why}, f)
        os.rename(f.name, file)
    except OSError:
        pass  # found out again next time
    return works, why


def _identity():
    with open("/proc/sys/kernel/random/boot_id") as f:
        boot = f.read().strip()
    qemu = os.stat(shutil.which("qemu-system-x86_64"))
    kvm = os.stat("/dev/kvm")
    return "%s %d %d %d" % (boot, qemu.st_mtime_ns, kvm.st_rdev, kvm.st_mode)


def _try():
    """Run a guest whose only instructions write to the debug-exit port."""
    with tempfile.TemporaryDirectory(prefix="cortado-kvm-") as folder:
        kernel = os.path.join(folder, "probe.elf")
        with open(kernel, "wb") as f:
            f.write(_probe_kernel())
        words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "microvm",
                 "-accel", "kvm", "-cpu", "host", "-m", "16", "-no-reboot", "-kernel", kernel,
                 "-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  timeout=_LIMIT)
        except subprocess.TimeoutExpired:
            return False, "KVM did not finish a three-instruction guest in %d s" % _LIMIT
    if done.returncode == _GOOD:
        return True, ""
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    said = next((line for line in lines if "KVM" in line or "kvm" in line), lines[-1] if lines else "")
    return False, "KVM cannot run a guest here" + (" (%s)" % said.replace("qemu-system-x86_64: ", "") if said else "")


# Entered in 32-bit protected mode at 0x101000: goes to long mode with tables of its own (2 MiB mapped), then writes
# 0x10 to the debug-exit port. Enough to fail where KVM takes only guests that were changed for it.
#   lgdt 0x101100; tables at 0x102000, 0x103000; cr3; cr4 |= PAE; efer |= LME; cr0 |= PG; ljmp $8,$0x101080
#   (at 0x80, 64-bit) rax = ~0 >> 60; inc eax; out al,$0xf4; 1: hlt; jmp 1b     (at 0x100) the GDT's descriptor, the GDT
_CODE = (
    "0f011500111000bf00201000c70703301000c70500301000830000000f22df0f20e083c8200f22e0b9800000c00f320d000100000f30"
    "0f20c00d000000800f22c0ea801010000800"
)
_CODE_64 = "4831c048ffc848c1e83cffc0e6f4f4ebfd"
_GDT = "0f000811100000000000000000000000ffff0000009baf00"


def _probe_kernel():
    """A PVH kernel (ELF note 18 holds the 32-bit entry point)."""
    base = 0x100000
    code = bytes.fromhex(_CODE).ljust(0x80, b"\0") + bytes.fromhex(_CODE_64)
    code = code.ljust(0x100, b"\0") + bytes.fromhex(_GDT)
    note = struct.pack("<III4sI", 4, 4, 18, b"Xen\0", base + 0x1000)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, base + 0x1000, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 7, 0x1000, base + 0x1000, base + 0x1000, len(code), 0x4000, 0x1000)
    notes = struct.pack("<IIQQQQQQ", 4, 4, 176, base, base, len(note), len(note), 4)
    return (header + load + notes + note).ljust(0x1000, b"\0") + code
