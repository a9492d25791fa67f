# SPDX-License-Identifier: BSD-2-Clause
"""Reads of an ELF file what deciding its library closure needs. Every offset is checked: files may be anything."""

import struct

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
ET_EXEC, ET_DYN = 2, 3
EM_X86_64 = 62
DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_SONAME, DT_RPATH, DT_RUNPATH = 1, 5, 10, 14, 15, 29


class NotElf(Exception):
    pass


class Elf:
    """interp: str or None; needed: [str]; rpath, runpath: [str]; soname; machine; kind (ET_*); is_64."""

    def __init__(self, path):
        self.path = path
        self.interp = None
        self.needed, self.rpath, self.runpath = [], [], []
        self.soname = None
        try:
            with open(path, "rb") as f:
                self._read(f)
        except (struct.error, OverflowError, ValueError, UnicodeError) as e:
            raise NotElf("%s: damaged ELF file (%s)" % (path, e))

    def _read(self, f):
        header = f.read(64)
        if len(header) < 64 or header[:4] != b"\x7fELF":
            raise NotElf("%s: no ELF file" % self.path)
        self.is_64 = header[4] == 2 and header[5] == 1
        self.kind, self.machine = struct.unpack_from("<HH", header, 16)
        if not self.is_64:
            return
        (phoff,) = struct.unpack_from("<Q", header, 32)
        phentsize, phnum = struct.unpack_from("<HH", header, 54)
        if phentsize != 56 or not phnum:
            return
        f.seek(phoff)
        table = f.read(phentsize * phnum)
        segments = [struct.unpack_from("<IIQQQQQQ", table, i * 56) for i in range(len(table) // 56)]
        self.loads = [(s[3], s[2], s[5]) for s in segments if s[0] == PT_LOAD]  # vaddr, offset, file size
        dynamic = None
        for kind, _, offset, _, _, size, _, _ in segments:
            if kind == PT_INTERP:
                f.seek(offset)
                self.interp = f.read(min(size, 4096)).split(b"\0")[0].decode()
            elif kind == PT_DYNAMIC:
                f.seek(offset)
                dynamic = f.read(min(size, 1 << 20))
        if dynamic:
            self._dynamic(f, dynamic)

    def _dynamic(self, f, data):
        entries = []
        for i in range(len(data) // 16):
            tag, value = struct.unpack_from("<qQ", data, i * 16)
            if tag == 0:
                break
            entries.append((tag, value))
        values = dict(entries)
        if DT_STRTAB not in values:
            return
        where = values[DT_STRTAB]
        for vaddr, offset, size in self.loads:
            if vaddr <= where < vaddr + size:
                f.seek(where - vaddr + offset)
                break
        else:
            return
        strings = f.read(min(values.get(DT_STRSZ, 0), 16 << 20))

        def text(at):
            end = strings.index(b"\0", at)
            return strings[at:end].decode()

        for tag, value in entries:
            if tag == DT_NEEDED:
                self.needed.append(text(value))
            elif tag == DT_SONAME:
                self.soname = text(value)
            elif tag == DT_RPATH:
                self.rpath = text(value).split(":")
            elif tag == DT_RUNPATH:
                self.runpath = text(value).split(":")


def is_elf(path):
    try:
        with open(path, "rb") as f:
            return f.read(4) == b"\x7fELF"
    except OSError:
        return False


def pvh_entry(path):
    """The physical address at which a hypervisor starts the kernel PATH (Xen's ELF note 18), or None."""
    try:
        with open(path, "rb") as f:
            header = f.read(64)
            (phoff,) = struct.unpack_from("<Q", header, 32)
            size, count = struct.unpack_from("<HH", header, 54)
            f.seek(phoff)
            table = f.read(size * count)
            for i in range(count):
                kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", table, i * size)
                if kind != PT_NOTE:
                    continue
                f.seek(offset)
                notes = f.read(min(length, 1 << 16))
                at = 0
                while at + 12 <= len(notes):
                    names, descs, number = struct.unpack_from("<III", notes, at)
                    value = at + 12 + (names + 3 & ~3)
                    if number == 18 and notes[at + 12 : at + 16] == b"Xen\0":
                        return int.from_bytes(notes[value : value + min(descs, 8)], "little")
                    at = value + (descs + 3 & ~3)
    except (OSError, struct.error):
        pass
    return None
