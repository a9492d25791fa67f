# SPDX-License-Identifier: BSD-2-Clause
"""Root images: a FileTree becomes an EROFS image by mkfs.erofs, reproducibly (fixed times, owner and volume id).

Images are cached under build/roots/KEY.erofs, where KEY covers every path, mode, link, made text and each host file's
identity, size and time; so a second start of the same program builds nothing. A half-made image is never seen: it is
made under another name, checked by fsck.erofs, then renamed."""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time

from . import lock, paths, setup, ui
from .errors import CortadoError

# 1980-01-01: zero would read as "no such file" to programs that use the time so (java.io.File.lastModified).
_TIME = "315532800"
_UUID = "c0a7ad00-0000-4000-8000-000000000001"
# Mapped by page faults, or compressed already: these stay as they are. Extended regular expressions on image paths.
_UNCOMPRESSED = [r"\.so(\.[0-9.]+)?$", r"\.jsa$", r"/lib/modules$", r"\.(jar|zip|gz|xz|zst|png|jpg|jpeg|webp|woff2|jmod)$"]
_KEEP_SECONDS = 14 * 86400
_KEEP_BYTES = 4 << 30
_RECENT_SECONDS = 3600  # somebody may be about to start it


def root_image(tree, compress=False):
    """Path of the image of TREE, made if it is not cached."""
    key = hashlib.sha256(("2 %s %s" % (compress, tree.fingerprint())).encode()).hexdigest()[:32]
    path = paths.build("roots", key + ".erofs")
    if _usable(path):
        return path
    with lock.exclusive(paths.build("roots", key + ".lock")):
        if not _usable(path):
            with ui.step("building the root image, %d MiB" % (tree.content_bytes() >> 20)):
                _make(tree, path, compress)
            _forget_unused(os.path.dirname(path))
    return path


def _usable(path):
    try:
        os.utime(path)  # last use, for _forget_unused
        return True
    except OSError:
        return False


def _make(tree, path, compress):
    setup.require("erofs-utils")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    work = tempfile.mkdtemp(prefix="stage-", dir=os.path.dirname(path))
    try:
        stage, image = os.path.join(work, "root"), os.path.join(work, "image")
        _stage(tree, stage)
        words = ["mkfs.erofs", "--quiet", "-T" + _TIME, "-U", _UUID, "--all-root", "-x-1"]
        if compress:
            hints = os.path.join(work, "hints")
            _write_hints(tree, hints)
            words += ["-zlz4hc", "--compress-hints=" + hints]
        _tool(words + [image, stage])
        _tool(["fsck.erofs", image])
        os.rename(image, path)
    except OSError as e:
        raise CortadoError("building %s: %s" % (path, e))
    finally:
        _remove(work)


def _stage(tree, stage):
    """The tree as real files: hard links where possible (nothing is copied), else copies."""
    os.mkdir(stage)
    folders = []
    for path in sorted(tree.entries):
        entry, place = tree.entries[path], stage + path
        if entry.kind == "dir":
            if path != "/":
                os.mkdir(place)
            folders.append((place, entry.mode))
        elif entry.kind == "link":
            os.symlink(entry.text, place)
        elif entry.kind == "text":
            with open(place, "w", encoding="utf-8", errors="surrogateescape") as f:
                f.write(entry.text)
            os.chmod(place, entry.mode)
        else:
            _link_or_copy(entry, place)
    for place, mode in reversed(folders):
        os.chmod(place, mode | 0o700)


def _link_or_copy(entry, place):
    try:
        os.link(entry.host, place)
        return
    except OSError:
        pass  # another file system, or not allowed for files of others
    try:
        shutil.copyfile(entry.host, place)
    except OSError as e:
        raise CortadoError("%s: cannot be read: %s" % (entry.host, e.strerror))
    os.chmod(place, entry.mode)


def _write_hints(tree, path):
    with open(path, "w") as f:
        for pattern in _UNCOMPRESSED:
            f.write("0 %s\n" % pattern)
        for name, entry in tree.entries.items():
            # Programs without a telling name; a path that the hint file's syntax cannot hold is compressed, no more.
            if entry.kind == "file" and entry.mode & 0o111 and ".so" not in name and not re.search(r"\s", name):
                f.write("0 ^/?%s$\n" % re.sub(r"([][\\^$.|?*+(){}])", r"\\\1", name[1:]))
        f.write("4096 .*\n")


def _tool(words):
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as e:
        raise CortadoError("%s: %s" % (words[0], e.strerror))
    if done.returncode != 0:
        raise CortadoError("%s failed:\n%s" % (words[0], done.stdout.decode(errors="replace").strip()))


def _remove(folder):
    """rmtree that also removes read-only folders."""
    for base, folders, _ in os.walk(folder):
        for name in folders:
            if not os.path.islink(os.path.join(base, name)):
                os.chmod(os.path.join(base, name), 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _forget_unused(folder, keep_bytes=_KEEP_BYTES):
    """Drop cached images that nothing used for two weeks; beyond KEEP_BYTES the longest unused ones, recent ones excepted.
    A VM that runs keeps its image open, so it loses nothing."""
    found, now, total = [], time.time(), 0
    for entry in os.scandir(folder):
        with contextlib.suppress(OSError):
            if entry.name.endswith((".erofs", ".lock")):
                found.append((entry.stat().st_mtime, entry.stat().st_size, entry.path))
    for used, size, path in sorted(found, reverse=True):
        total += size
        if now - used > (_KEEP_SECONDS if total <= keep_bytes else _RECENT_SECONDS):
            with contextlib.suppress(OSError):
                os.unlink(path)
