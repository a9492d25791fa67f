# SPDX-License-Identifier: BSD-2-Clause
"""Everything a program of the host needs in the guest: interpreter, shared libraries, script interpreters, the tree of
the runtime it belongs to (runtimes.py), and the files that C libraries read on their own.

A library that a program opens with dlopen() at run time cannot be known from outside: the user names it (--with)."""

import os
import shutil
import stat

from . import ldso, runtimes
from .elf import EM_X86_64, ET_DYN, ET_EXEC, Elf, NotElf, is_elf
from .errors import CortadoError, ProgramNotExecutable, ProgramNotFound

_MAX_INTERPRETERS = 4  # of scripts whose interpreter is a script, as in Linux
# Opened by name inside the C library.
_GLIBC_EXTRAS = ["libgcc_s.so.1", "libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"]
_GLIBC_FILES = ["/etc/ld.so.cache", "/usr/lib/locale/C.utf8", "/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache"]
_ETC_FILES = ["/etc/protocols", "/etc/services", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/localtime", "/etc/os-release",
              "/usr/lib/ssl/certs", "/usr/lib/ssl/openssl.cnf"]  # where Debian's OpenSSL looks, Node with it: links into /etc


def find_program(name, path=None):
    """Absolute host path of NAME, as a shell would find it. Raises ProgramNotFound or ProgramNotExecutable."""
    if "/" in name:
        found = os.path.abspath(name)
        if not os.path.lexists(found):
            raise ProgramNotFound("%s: no such file" % name)
        if not os.path.exists(found):
            raise ProgramNotFound("%s: a symbolic link that leads nowhere" % name)
    else:
        found = shutil.which(name, os.F_OK, path=path) if name else None
        if not found:
            raise ProgramNotFound("%s: command not found on this host's PATH" % (name or "''"))
        found = os.path.abspath(shutil.which(name, path=path) or found)
    mode = os.stat(found).st_mode
    if stat.S_ISDIR(mode):
        raise ProgramNotExecutable("%s: is a folder, not a program" % name)
    if not stat.S_ISREG(mode) or not mode & 0o111:
        raise ProgramNotExecutable("%s: not executable (chmod +x it)" % name)
    return found


class Closure:
    """Adds programs and what they need to TREE (a FileTree)."""

    def __init__(self, tree, library_path=()):
        self.tree = tree
        self.library_path = list(library_path)
        self.done = set()  # host paths of ELF files whose libraries are in
        self.glibc = False

    def program(self, path, depth=0):
        """The executable PATH (absolute host path) with all it needs."""
        self.tree.host_path(path)
        try:
            with open(path, "rb") as f:
                head = f.read(256)
        except OSError as e:
            raise ProgramNotExecutable("%s: %s" % (path, e.strerror))
        if head.startswith(b"#!"):
            self._script(path, head, depth)
            return
        try:
            elf = Elf(path)
        except NotElf as e:
            raise ProgramNotExecutable("%s: neither an ELF program nor a script with #!" % path) from e
        if not elf.is_64 or elf.machine != EM_X86_64 or elf.kind not in (ET_DYN, ET_EXEC):
            raise ProgramNotExecutable("%s: no program for 64-bit x86" % path)
        self.libraries(path)
        runtimes.complete(self, path, elf)

    def _script(self, path, head, depth):
        if depth >= _MAX_INTERPRETERS:
            raise ProgramNotExecutable("%s: interpreters nested too deeply" % path)
        words = head[2:].split(b"\n")[0].decode("utf-8", "surrogateescape").split()
        if not words:
            raise ProgramNotExecutable("%s: its #! line names no interpreter" % path)
        if not os.path.exists(words[0]):
            raise ProgramNotFound("%s: its interpreter %s does not exist" % (path, words[0]))
        self.program(words[0], depth + 1)
        if os.path.basename(words[0]) == "env":
            named = [w for w in words[1:] if not w.startswith("-") and "=" not in w]
            if named:
                self.program(find_program(named[0]), depth + 1)

    def companion(self, path):
        """What the ELF file PATH, brought along beside the program, needs: its libraries, and its runtime when it has one."""
        self.libraries(path, strict=False)
        elf = Elf(path)
        if elf.is_64 and elf.machine == EM_X86_64 and elf.interp:
            runtimes.complete(self, path, elf)

    def libraries(self, path, strict=True):
        """The interpreter and shared libraries of the ELF file PATH, recursively. With STRICT a missing one is an
        error; without (a plug-in among many) it is left out, as its user would find it missing on the host too."""
        self._walk(path, [], None, strict, {})

    def _walk(self, path, loaders, rules, strict, loaded):
        real = os.path.realpath(path)
        if real in self.done:
            return
        self.done.add(real)
        try:
            elf = Elf(path)
        except (OSError, NotElf):
            if strict:
                raise
            return
        if not elf.is_64 or elf.machine != EM_X86_64:
            return
        if elf.interp:
            if not os.path.exists(elf.interp):
                raise ProgramNotFound("%s: its interpreter %s does not exist on this host" % (path, elf.interp))
            self.tree.host_path(elf.interp)
            rules = ldso.linker(elf.interp)
        if rules is None:
            rules = ldso.linker(None)
        if isinstance(rules, ldso.Glibc) and (elf.interp or elf.needed):
            self._glibc_extras(rules)
        for name in elf.needed:
            if isinstance(rules, ldso.Musl) and name.startswith(("libc.so", "libc.musl")):
                continue  # musl's linker is its libc
            if name in loaded:
                continue
            found = ldso.find(name, elf, loaders, rules, self.library_path)
            if not found:
                if strict:
                    raise CortadoError("%s needs the library %s, which is not on this host" % (path, name))
                continue
            loaded[name] = found
            self.tree.host_path(os.path.abspath(found))
            self._walk(found, [elf] + loaders, rules, strict, loaded)

    def _glibc_extras(self, rules):
        if self.glibc:
            return
        self.glibc = True
        for name in _GLIBC_EXTRAS:
            for candidate in rules.configured(name):
                if os.path.exists(candidate):
                    self.tree.host_path(os.path.abspath(candidate))
                    self.libraries(candidate, strict=False)
                    break
        for path in _GLIBC_FILES:
            if os.path.exists(path):
                self.tree.host_path(path)

    def folder_libraries(self, folder, skip=None):
        """What the ELF files below FOLDER need beyond it."""
        for base, folders, files in os.walk(folder):
            if skip:
                folders[:] = [d for d in folders if not skip(os.path.join(base, d))]
            for name in sorted(files):
                path = os.path.join(base, name)
                if not (skip and skip(path)) and is_elf(path):
                    self.libraries(path, strict=False)


def add_base(tree):
    """The folders that every guest has and the files below /etc that C libraries read."""
    for path in ("/proc", "/sys", "/dev", "/run", "/var", "/app", "/etc", "/usr", "/mnt", "/home"):
        tree.skeleton(path)
    tree.skeleton("/tmp", 0o1777)
    tree.skeleton("/root", 0o700)
    for path in ("/var/lib", "/var/log", "/var/cache", "/var/spool"):
        tree.skeleton(path)
    tree.skeleton("/var/tmp", 0o1777)
    tree.link("/var/run", "/run")
    tree.link("/var/lock", "/run/lock")
    tree.skeleton("/run/lock", 0o1777)
    for name in ("bin", "lib", "lib64", "sbin"):  # a merged /usr wherever the host has one
        if os.path.islink("/" + name):
            tree.link("/" + name, os.readlink("/" + name))
            tree.folder("/" + name)
    for path in _ETC_FILES:
        if os.path.exists(path):
            tree.host_path(path)
    tree.text("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n")
    tree.text("/etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n")
    tree.text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
              "protocols: files\nservices: files\n")
    tree.text("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 cortado\n::1 localhost ip6-localhost ip6-loopback\n")
    tree.text("/etc/hostname", "cortado\n")
    tree.link("/etc/resolv.conf", "/proc/net/pnp")
    tree.link("/etc/mtab", "/proc/self/mounts")


def add_with(tree, words):
    """The --with PATH[:GUEST] options. Returns the host paths of ELF programs among them."""
    programs = []
    for word in words:
        host, colon, guest = word.rpartition(":")
        if not colon or not guest.startswith("/") or not os.path.exists(host):
            host, guest = word, ""
        if not os.path.exists(host):
            raise CortadoError("--with %s: no such file or folder" % word)
        absolute = os.path.abspath(host)
        if guest:
            if guest.endswith("/") and not os.path.isdir(host):
                guest += os.path.basename(host)
            tree.copy(absolute, guest)
        else:
            tree.host_path(absolute)
        if os.path.isfile(absolute) and is_elf(absolute):
            programs.append(absolute)
    return programs
