# SPDX-License-Identifier: BSD-2-Clause
"""Volumes: --volume SRC:DST[:ro], a folder or file of this host at DST in the guest, over virtio-9p.

QEMU serves the folder as the user who runs it. security_model=none: the host sees ordinary files, links and modes, its own
kernel decides what that user may do, and files made inside belong to that user. The mapped models would keep the guest's
owners in extended attributes and leave files of mode 0600 and links that are none, which nobody on the host could use.

A single file is served through a folder of its own that holds a hard link to it: sharing the folder it lies in would let the
guest reach its neighbours."""

import dataclasses
import errno
import os
import posixpath
import stat

from .errors import CortadoError, UsageError

_LINK = "file"


@dataclasses.dataclass
class Volume:
    source: str  # as given
    path: str  # what it really is
    target: str
    read_only: bool
    is_file: bool
    folder: str = ""  # what QEMU serves

    def record(self):
        return {"source": self.path, "target": self.target, "read_only": self.read_only}


def parse(words):
    """The volumes of the --volume WORDS, in the order to mount them."""
    found = [_parse(word) for word in words]
    for i, v in enumerate(found):
        if any(v.target == other.target for other in found[:i]):
            raise UsageError("--volume %s:%s: %s is taken by another --volume" % (v.source, v.target, v.target))
    return sorted(found, key=lambda v: v.target.count("/"))  # what lies inside another one comes after it


def _parse(word):
    source, _, target = word.rpartition(":")
    option = ""
    if not target.startswith("/") and ":/" in source:
        option = target
        source, _, target = source.rpartition(":")
        if option and option != "ro":
            raise UsageError("--volume %s: `%s` is no option; there is only ro" % (word, option))
    if not source or not target.startswith("/") or word.endswith(":"):
        raise UsageError("--volume %s: write SRC:DST[:ro], DST an absolute path in the guest" % word)
    target = "/" + posixpath.normpath(target).lstrip("/")
    if target == "/":
        raise UsageError("--volume %s: / is the image itself; choose a folder below it" % word)
    if any(c in target for c in "\n\0"):
        raise UsageError("--volume %s: a newline in DST" % word)
    return Volume(source, os.path.realpath(source), target, option == "ro", _is_file(word, source))


def _is_file(word, source):
    """False for a folder; raises for what can be no volume."""
    try:
        mode = os.stat(source).st_mode
    except OSError as e:
        raise UsageError("--volume %s: %s: %s" % (word, source, e.strerror))
    if stat.S_ISDIR(mode):
        if not os.access(source, os.R_OK | os.X_OK):
            raise UsageError("--volume %s: %s: you may not read this folder" % (word, source))
        return False
    if not stat.S_ISREG(mode):
        raise UsageError("--volume %s: %s is neither a folder nor a file" % (word, source))
    if _is_ext(source):
        raise UsageError("--volume %s: %s is a disk image with ext2/3/4, which cannot be mounted yet; give a folder" % (word, source))
    return True


def _is_ext(path):
    try:
        with open(path, "rb") as f:
            f.seek(1024 + 56)
            return f.read(2) == b"\x53\xef"
    except OSError as e:
        raise UsageError("--volume: %s: %s" % (path, e.strerror))


def prepare(volumes, folders):
    """Have each volume's folder to serve. FOLDERS: places of the VM's own for those of single files."""
    for i, v in enumerate(volumes):
        v.folder = _link(v, [os.path.join(f, "volumes", str(i)) for f in folders]) if v.is_file else v.path


def _link(v, places):
    reason = ""
    for place in places:
        os.makedirs(place, mode=0o700, exist_ok=True)
        try:
            os.link(v.path, os.path.join(place, _LINK))
            return place
        except OSError as e:
            reason = "it lies on another file system than %s" % place if e.errno == errno.EXDEV else e.strerror
    raise CortadoError("--volume %s: a single file is passed on as a hard link, which cannot be made here: %s; give the folder %s instead"
                       % (v.source, reason, os.path.dirname(v.path)))


def text(volumes):
    """What the kernel reads: opt/org.cortado/volumes."""
    lines = []
    for i, v in enumerate(volumes):
        options = [name for name, wanted in (("ro", v.read_only), ("file", v.is_file)) if wanted]
        lines.append(":".join([tag(i), v.target] + ([",".join(options)] if options else [])))
    return b"".join(os.fsencode(line) + b"\0" for line in lines)


def tag(index):
    return "cortado%d" % index
