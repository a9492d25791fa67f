# SPDX-License-Identifier: BSD-2-Clause
"""The Linux guest that Cortado is measured beside, and that its own tests are checked on: Debian's cloud kernel with a
small initramfs that keeps lean mode's contract (tests/bench/linux-guest/init.c).

It is tuned: no firmware-loaded decompressor (the kernel is unpacked here and started by PVH, as ours is), no initramfs
beyond one static program and the drivers it needs, no console output, mitigations off, no udev, no service manager.

The kernel is downloaded with apt and unpacked under the build folder; nothing is installed on the host."""

import glob
import lzma
import os
import re
import shutil
import struct
import subprocess
import tempfile

from . import lock, lz4, paths, ui
from .errors import CortadoError, HostLacks

_MODULES = ["virtio_mmio", "virtio_pci", "virtio_blk", "virtio_console", "virtio_net", "virtio-rng", "virtio_balloon",
            "erofs", "qemu_fw_cfg", "virtiofs"]
# Emulated microvm has no clock that Linux calibrates on reliably: every other boot hangs there.
MACHINE = "q35"
_WORDS = "rdinit=/init mitigations=off nokaslr panic=-1 random.trust_cpu=on"


def apply(m):
    """Make the qemu.Machine M boot this guest instead of Cortado's kernel."""
    m.kernel, m.initrd = guest()
    m.append += " " + _WORDS


def guest():
    """(kernel, initramfs), made if missing."""
    base = paths.build("linux")
    with lock.exclusive(os.path.join(base, "lock")):
        kernel = _unpacked(_kernel(base), os.path.join(base, "vmlinux"))
        initrd = os.path.join(base, "initrd")
        source = os.path.join(paths.ROOT, "tests", "bench", "linux-guest", "init.c")
        if not os.path.exists(initrd) or os.stat(initrd).st_mtime_ns < max(os.stat(source).st_mtime_ns, os.stat(__file__).st_mtime_ns):
            _initramfs(base, source, initrd)
    return kernel, initrd


def _kernel(base):
    found = glob.glob(os.path.join(base, "tree", "boot", "vmlinuz-*-cloud-amd64"))
    if found:
        return found[0]
    if not shutil.which("apt-get"):
        raise HostLacks("the Linux guest needs Debian's cloud kernel, and there is no apt-get to download it with")
    with ui.step("downloading Debian's cloud kernel"), tempfile.TemporaryDirectory(dir=base) as work:
        shown = _output(["apt-cache", "depends", "linux-image-cloud-amd64"])
        package = re.search(r"Depends: (linux-image-[\w.+-]+)", shown)
        if not package:
            raise HostLacks("apt knows no linux-image-cloud-amd64; `apt-get update` may help")
        _output(["apt-get", "download", "-q", package.group(1)], cwd=work)
        _output(["dpkg-deb", "-x", glob.glob(os.path.join(work, "*.deb"))[0], os.path.join(work, "tree")])
        os.rename(os.path.join(work, "tree"), os.path.join(base, "tree"))
    return glob.glob(os.path.join(base, "tree", "boot", "vmlinuz-*-cloud-amd64"))[0]


def _unpacked(image, vmlinux):
    """The ELF kernel inside a bzImage, or the image itself when it is packed in a way that we cannot read here.
    Source: Documentation/x86/boot in Linux."""
    if os.path.exists(vmlinux) and os.stat(vmlinux).st_mtime_ns >= os.stat(image).st_mtime_ns:
        return vmlinux
    with open(image, "rb") as f:
        data = f.read()
    if data[0x202:0x206] != b"HdrS":
        return image
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = ((data[0x1F1] or 4) + 1) * 512 + offset
    packed = data[start : start + length]
    try:
        with ui.step("unpacking the Linux kernel"):
            elf = lz4.unpack_legacy(packed) if packed[:4] == lz4.MAGIC else lzma.LZMADecompressor().decompress(packed)
    except (ValueError, lzma.LZMAError):
        return image
    if elf[:4] != b"\x7fELF":
        return image
    with open(vmlinux + ".new", "wb") as f:
        f.write(elf)
    os.rename(vmlinux + ".new", vmlinux)
    return vmlinux


def _initramfs(base, source, initrd):
    compiler = shutil.which("musl-gcc") or shutil.which("gcc")
    if not compiler:
        raise HostLacks("the Linux guest's init needs a C compiler; `scripts/cortado setup test` installs one")
    archive = _Cpio()
    program = os.path.join(base, "init")
    _output([compiler, "-static", "-Os", "-s", "-Wall", "-o", program, source])
    with open(program, "rb") as f:
        archive.file("init", f.read(), 0o100755)
    archive.file("modules", b"", 0o040755)
    archive.file("dev", b"", 0o040755)
    archive.device("dev/console", 5, 1)
    order = []
    for name in _MODULES:
        _module(base, name, order, archive)
    archive.file("modules/order", "".join(n + "\n" for n in order).encode(), 0o100644)
    with open(initrd + ".new", "wb") as f:
        f.write(archive.finish())
    os.rename(initrd + ".new", initrd)


def _module(base, name, order, archive):
    pattern = re.sub("[-_]", "[-_]", name)
    found = glob.glob(os.path.join(base, "tree", "lib", "modules", "**", pattern + ".ko"), recursive=True)
    if not found or name.replace("_", "-") in (o[:-3].replace("_", "-") for o in order):
        return  # built in, or already there
    with open(found[0], "rb") as f:
        data = f.read()
    depends = re.search(rb"\0depends=([^\0]*)\0", data)
    for other in (depends.group(1).decode() if depends else "").split(","):
        if other:
            _module(base, other, order, archive)
    archive.file("modules/%s.ko" % name, data, 0o100644)
    order.append(name + ".ko")


class _Cpio:
    """A "newc" archive, the initramfs format."""

    def __init__(self):
        self.parts, self.count = [], 0

    def file(self, name, data, mode, device=(0, 0)):
        self.count += 1
        encoded = name.encode() + b"\0"
        fields = [self.count, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1], len(encoded), 0]
        header = b"070701" + b"".join(b"%08x" % f for f in fields) + encoded
        self.parts += [header, b"\0" * (-len(header) % 4), data, b"\0" * (-len(data) % 4)]

    def device(self, name, major, minor):
        self.file(name, b"", 0o020600, (major, minor))

    def finish(self):
        self.file("TRAILER!!!", b"", 0)
        return b"".join(self.parts)


def _output(words, cwd=None):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd)
    if done.returncode != 0:
        raise CortadoError("`%s` failed:\n%s" % (" ".join(words), done.stdout.decode(errors="replace").strip()))
    return done.stdout.decode(errors="replace")
