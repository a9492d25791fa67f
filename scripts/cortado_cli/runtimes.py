# SPDX-License-Identifier: BSD-2-Clause
"""Language runtimes keep most of themselves in folders that no ELF header names. Each is recognised by the structure of
its installation, not by the name of the command, and brings what it needs:

  JDK     a program in BIN beside lib/modules or lib/jvm.cfg: the whole tree less jmods, debug symbols and sources
  Node    an ELF file that reads /usr/share/nodejs/..., or whose libnode does (Debian keeps parts of Node's library there)
  Python  a program pythonX.Y with PREFIX/lib/pythonX.Y/os.py
"""

import mmap
import os
import re

_JDK_LEFT_OUT = re.compile(r"/(jmods|src\.zip|docs|demo|sample|man)$|\.debuginfo$|\.diz$")


def complete(closure, path, elf):
    """Add to CLOSURE what the runtime of program PATH (its ELF header read) needs."""
    real = os.path.realpath(path)
    home = jdk_home(real)
    if home:
        add_jdk(closure, home)
    elif os.path.basename(real).startswith("node") or any(n.startswith("libnode.so") for n in elf.needed):
        _node(closure, real)
    else:
        _python(closure, real)


# -- Java -------------------------------------------------------------------------------------------------------------


def jdk_home(program):
    """The JDK that the real path PROGRAM belongs to, or None."""
    home = os.path.dirname(os.path.dirname(program))
    if os.path.basename(os.path.dirname(program)) != "bin":
        return None
    if any(os.path.exists(os.path.join(home, "lib", name)) for name in ("modules", "jvm.cfg")):
        return home
    return None


def jdk_skip(path):
    return bool(_JDK_LEFT_OUT.search(path))


def add_jdk(closure, home):
    """The JDK tree HOME at its own place. Debian's conf/ and cacerts are links into /etc, which come along."""
    closure.tree.host_path(home, skip=jdk_skip)
    closure.folder_libraries(home, skip=jdk_skip)


def java_version(home):
    """Major version from HOME/release, or 0."""
    try:
        with open(os.path.join(home, "release")) as f:
            found = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', f.read(), re.M)
    except OSError:
        return 0
    return int(found.group(1)) if found else 0


def find_jdk(wanted="auto"):
    """Home of the JDK to use: WANTED itself, or JAVA_HOME, `java` on PATH, the newest in /usr/lib/jvm that is 17 or
    later and has a libjvm. None when there is none."""
    if wanted != "auto":
        return wanted if _has_libjvm(wanted) else None
    candidates = [os.environ.get("JAVA_HOME", "")]
    for folder in os.environ.get("PATH", "/usr/bin").split(":"):
        java = os.path.join(folder, "java")
        if os.access(java, os.X_OK):
            candidates.append(jdk_home(os.path.realpath(java)) or "")
            break
    try:
        installed = [os.path.join("/usr/lib/jvm", name) for name in os.listdir("/usr/lib/jvm")]
    except OSError:
        installed = []
    candidates += sorted(installed, key=lambda h: (java_version(h) == 17, java_version(h)), reverse=True)
    for home in candidates:
        if home and _has_libjvm(home) and java_version(home) >= 17:
            return os.path.realpath(home)
    return None


def _has_libjvm(home):
    return os.path.isfile(os.path.join(home, "lib", "server", "libjvm.so"))


# -- Node, Python -----------------------------------------------------------------------------------------------------


def _node(closure, real):
    named = set()
    for path in [real] + [p for p in closure.done if os.path.basename(p).startswith("libnode.so")]:
        with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data.find(b"/usr/share/nodejs/") >= 0:
                named.update(re.findall(rb"/usr/share/nodejs/[\w./@+-]+", data))
    for name in sorted(named):
        path = name.decode()
        if os.path.exists(path):
            closure.tree.host_path(path)


def _python(closure, real):
    name = re.match(r"python(\d\.\d+)$", os.path.basename(real))
    if not name:
        return
    library = os.path.join(os.path.dirname(os.path.dirname(real)), "lib", "python" + name.group(1))
    if os.path.exists(os.path.join(library, "os.py")):
        def skip(path):
            return path.endswith(("/__pycache__", "/test", "/idlelib", "/ensurepip"))

        closure.tree.host_path(library, skip=skip)
        closure.folder_libraries(library, skip=skip)
