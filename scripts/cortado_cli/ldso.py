# SPDX-License-Identifier: BSD-2-Clause
"""Finds shared libraries as the dynamic linkers do (ld.so(8) of glibc; musl's dynlink): RPATH of the object and of
those that loaded it, LD_LIBRARY_PATH, RUNPATH, the linker's cache, its configured and its built-in folders."""

import glob
import mmap
import os
import struct

from .elf import EM_X86_64, Elf, NotElf

_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_CACHE_X86_64 = 0x0303  # ELF, libc6, 64-bit x86
_BUILT_IN = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]


class Glibc:
    def __init__(self):
        self.cache = _read_cache("/etc/ld.so.cache")
        self.folders = _BUILT_IN if self.cache else _configured("/etc/ld.so.conf", 0) + _BUILT_IN

    def configured(self, name):
        """Candidates from the cache and the folders that need no help of the object."""
        if name in self.cache:
            yield self.cache[name]
        for folder in self.folders:
            yield os.path.join(folder, name)


class Musl:
    def __init__(self, interp):
        self.folders = ["/lib", "/usr/local/lib", "/usr/lib"]
        prefix = os.path.dirname(os.path.dirname(interp))
        try:
            with open(os.path.join(prefix, "etc", "ld-musl-x86_64.path")) as f:
                self.folders = f.read().replace("\n", ":").split(":")
        except OSError:
            pass

    def configured(self, name):
        for folder in self.folders:
            if folder:
                yield os.path.join(folder, name)


def is_musl(interp):
    return bool(interp) and os.path.basename(interp).startswith("ld-musl-")


def linker(interp):
    """The rules of the dynamic linker INTERP (its path in PT_INTERP)."""
    return Musl(interp) if is_musl(interp) else _glibc()


_glibc_instance = None


def _glibc():
    global _glibc_instance
    if _glibc_instance is None:
        _glibc_instance = Glibc()
    return _glibc_instance


def find(name, elf, loaders, rules, library_path=()):
    """Host path of library NAME wanted by ELF (an Elf), whose chain of loaders is LOADERS (nearest first), or None."""
    if "/" in name:
        return name if _fits(name) else None
    candidates = []
    if not elf.runpath:
        for loader in [elf] + list(loaders):
            if not loader.runpath:
                candidates += _expanded(loader.rpath, loader, name)
    candidates += [os.path.join(folder, name) for folder in library_path if folder]
    candidates += _expanded(elf.runpath, elf, name)
    for path in candidates:
        if _fits(path):
            return path
    for path in rules.configured(name):
        if _fits(path):
            return path
    return None


def _expanded(folders, elf, name):
    origin = os.path.dirname(os.path.realpath(elf.path))
    for folder in folders:
        if folder:
            for token, value in (("ORIGIN", origin), ("LIB", "lib/x86_64-linux-gnu"), ("PLATFORM", "x86_64")):
                folder = folder.replace("${%s}" % token, value).replace("$" + token, value)
            yield os.path.join(folder, name)


def _fits(path):
    try:
        elf = Elf(path)
    except (OSError, NotElf):
        return False
    return elf.is_64 and elf.machine == EM_X86_64


def _read_cache(path):
    """{soname: path} of an ld.so.cache in its new format; {} when there is none or it is of another kind."""
    try:
        with open(path, "rb") as f:
            data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return {}
    start = data.find(_CACHE_MAGIC)  # an old-format table may come first
    if start < 0:
        return {}
    found = {}
    try:
        (count,) = struct.unpack_from("<I", data, start + len(_CACHE_MAGIC))
        for i in range(count):
            flags, key, value, _, hwcap = struct.unpack_from("<iIIIQ", data, start + 48 + i * 24)
            if flags != _CACHE_X86_64 or hwcap:
                continue  # other machines; variants for richer CPUs, which the linker can do without
            found.setdefault(_cstring(data, start + key), _cstring(data, start + value))
    except (struct.error, ValueError, UnicodeError):
        return {}
    return found


def _cstring(data, at):
    end = data.find(b"\0", at)
    if end < 0:
        raise ValueError("unterminated string")
    return data[at:end].decode()


def _configured(path, depth):
    folders = []
    try:
        with open(path) as f:
            lines = f.read().splitlines()
    except OSError:
        return folders
    for line in lines:
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "include" and depth < 8:
            for pattern in words[1:]:
                for name in sorted(glob.glob(os.path.join(os.path.dirname(path), pattern))):
                    folders += _configured(name, depth + 1)
        elif words[0].startswith("/"):
            folders.append(words[0])
    return folders
