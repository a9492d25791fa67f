# SPDX-License-Identifier: BSD-2-Clause
"""The guest's root file tree before it becomes an image: guest path -> folder, link, host file or made text.

Invariants:
 1. every entry's parent is a real folder in the tree (never a link), so that staging cannot be led outside;
 2. adding a host path also adds every symbolic link that its look-up crosses, so it resolves in the guest as on the host;
 3. nothing is stored below folders that the guest covers at boot (VOLATILE: tmpfs). Such content goes to STORE + path,
    and only folders and links stand in its place; the guest starts those tmpfs with a copy of them.
"""

import hashlib
import os
import stat

from .errors import CortadoError

VOLATILE = ("/tmp", "/run", "/var", "/dev", "/proc", "/sys")
STORE = "/.image"
_MAX_LINKS = 40


class Entry:
    __slots__ = ("kind", "host", "text", "mode", "size", "mtime")

    def __init__(self, kind, host=None, text=None, mode=0o755, size=0, mtime=0):
        self.kind, self.host, self.text, self.mode, self.size, self.mtime = kind, host, text, mode, size, mtime


class FileTree:
    def __init__(self):
        self.entries = {"/": Entry("dir")}

    # -- reading ---------------------------------------------------------------------------------------------------

    def resolve(self, path):
        """The real guest path that PATH (absolute) leads to through the tree's links; the rest need not exist."""
        for _ in range(_MAX_LINKS):
            walked = "/"
            parts = [p for p in path.split("/") if p not in ("", ".")]
            for i, part in enumerate(parts):
                if part == "..":
                    walked = os.path.dirname(walked)
                    continue
                here = os.path.join(walked, part)
                entry = self.entries.get(here)
                if entry is not None and entry.kind == "link":
                    path = os.path.join(walked, entry.text, *parts[i + 1 :])
                    break
                walked = here
            else:
                return walked
        raise CortadoError("%s: too many levels of symbolic links" % path)

    def get(self, path):
        return self.entries.get(self.resolve(path))

    def fingerprint(self):
        """Changes when any path, link, mode, made text, or a host file's identity, size or time changes."""
        digest = hashlib.sha256()
        for path in sorted(self.entries):
            e = self.entries[path]
            fields = (path, e.kind, e.host or "", e.text or "", "%o %d %d" % (e.mode, e.size, e.mtime))
            digest.update("\0".join(fields).encode("utf-8", "surrogateescape") + b"\n")
        return digest.hexdigest()

    def content_bytes(self):
        return sum(e.size for e in self.entries.values())

    # -- adding ----------------------------------------------------------------------------------------------------

    def skeleton(self, path, mode=0o755):
        """A folder that the guest keeps as a folder of its own even below a volatile one (so: writable there)."""
        self.entries[path] = Entry("dir", mode=mode)

    def folder(self, path, mode=0o755):
        """Make the folder PATH and its parents; existing links on the way are followed. Returns its real path."""
        path = self._home(self.resolve(_clean(path)))
        walked = "/"
        for part in path.split("/"):
            if part:
                walked = os.path.join(walked, part)
                entry = self.entries.get(walked)
                if entry is None:
                    self.entries[walked] = Entry("dir", mode=mode if walked == path else 0o755)
                elif entry.kind != "dir":
                    raise CortadoError("%s is a file in the image, so it cannot hold %s" % (walked, path))
        return path

    def text(self, path, text, mode=0o644):
        """A file with the given TEXT (str), replacing what was there."""
        size = len(text.encode("utf-8", "surrogateescape"))
        self._put(path, Entry("text", text=text, mode=mode, size=size))

    def link(self, path, target):
        path = _clean(path)
        parent = self.folder(os.path.dirname(path))
        self.entries[os.path.join(parent, os.path.basename(path))] = Entry("link", text=target, mode=0o777)

    def file(self, path, host):
        """The regular file HOST of the host at guest PATH."""
        info = os.stat(host)
        if not stat.S_ISREG(info.st_mode):
            raise CortadoError("%s is no regular file" % host)
        self._put(path, Entry("file", host=os.path.realpath(host), mode=stat.S_IMODE(info.st_mode), size=info.st_size,
                              mtime=info.st_mtime_ns))

    def host_path(self, path, skip=None):
        """Host PATH (absolute) at the same place, links as links, folders with all they hold.

        SKIP(path) tells which paths below a folder to leave out."""
        self._host(_clean(path), skip, 0)

    def copy(self, host, guest, skip=None):
        """The file or folder HOST at another place, GUEST. Links inside a folder that lead outside it, or nowhere in
        it, are replaced by what they lead to."""
        host = os.path.realpath(host)
        if not os.path.isdir(host):
            self.file(guest, host)
            return
        self._copy_folder(host, _clean(guest), host, skip, 0)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _put(self, path, entry):
        real = self._home(self.resolve(_clean(path)))
        existing = self.entries.get(real)
        if existing is not None and existing.kind == "dir":
            raise CortadoError("%s is a folder in the image, so a file cannot stand there" % path)
        parent = self.folder(os.path.dirname(real))
        self.entries[os.path.join(parent, os.path.basename(real))] = entry

    def _home(self, path):
        """Where content for PATH really goes (invariant 3). Makes the link that leads there from a volatile folder:
        at the first place on the way that is not one of the tree's own folders, which stay writable in the guest."""
        top = next((t for t in VOLATILE if path.startswith(t + "/")), None)
        if top is None:
            return path
        self.entries.setdefault(top, Entry("dir", mode=0o1777 if top == "/tmp" else 0o755))
        place = top
        for part in path[len(top) + 1 :].split("/"):
            place = os.path.join(place, part)
            entry = self.entries.get(place)
            if entry is None or entry.kind != "dir":
                self.entries[place] = Entry("link", text=STORE + place, mode=0o777)
                return STORE + path
        return path  # a folder of the skeleton itself

    def _host(self, path, skip, depth):
        if depth > _MAX_LINKS:
            raise CortadoError("%s: too many levels of symbolic links" % path)
        walked = "/"
        parts = [p for p in path.split("/") if p]
        for i, part in enumerate(parts):
            here = os.path.join(walked, part)
            if os.path.islink(here):
                target = os.readlink(here)
                if here not in self.entries:
                    self.link(here, target)
                self._host(_clean(os.path.join(walked, target, *parts[i + 1 :])), skip, depth + 1)
                return
            walked = here
        info = os.lstat(path)
        if stat.S_ISDIR(info.st_mode):
            self._host_folder(path, stat.S_IMODE(info.st_mode), skip, depth)
        elif stat.S_ISREG(info.st_mode):
            self.file(path, path)
        # devices, sockets and pipes have no meaning in an image

    def _host_folder(self, path, mode, skip, depth):
        self.folder(path, mode)
        for name in sorted(_names(path)):
            child = os.path.join(path, name)
            if skip and skip(child):
                continue
            if os.path.islink(child) and not os.path.exists(child):
                self.link(child, os.readlink(child))  # dangling on the host: the same in the guest
            else:
                self._host(child, skip, depth)

    def _copy_folder(self, host, guest, top, skip, depth):
        if depth > 64:
            raise CortadoError("%s: nested too deeply (a link to its own parent?)" % host)
        self.folder(guest, stat.S_IMODE(os.stat(host).st_mode))
        for name in sorted(_names(host)):
            source, place = os.path.join(host, name), os.path.join(guest, name)
            if skip and skip(source):
                continue
            if os.path.islink(source):
                target = os.readlink(source)
                inside = os.path.normpath(os.path.join(os.path.dirname(source), target))
                if not os.path.isabs(target) and (inside + "/").startswith(top + "/") or not os.path.exists(source):
                    self.link(place, target)
                    continue
            if os.path.isdir(source):
                self._copy_folder(source, place, top, skip, depth + 1)
            elif os.path.isfile(source):
                self.file(place, source)


def _names(folder):
    try:
        return os.listdir(folder)
    except OSError as e:
        raise CortadoError("%s: %s" % (folder, e.strerror))


def _clean(path):
    """PATH without empty and `.` parts and `..`; it must be absolute."""
    if not path.startswith("/"):
        raise CortadoError("%s: a path in the guest must begin with /" % path)
    return os.path.normpath("/" + path.lstrip("/"))
