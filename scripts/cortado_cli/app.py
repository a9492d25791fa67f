# SPDX-License-Identifier: BSD-2-Clause
"""An application as the user names it (folder, .jar, .js, image folder) becomes something to boot: a root image, the
manifest, and where its runtime lies in the guest."""

import dataclasses
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.parse
import zipfile

from . import appjson, closure, image, kernel, lock, manifest, paths, runtimes, setup, tree, ui
from .errors import CortadoError, HostLacks, ProgramNotExecutable, ProgramNotFound, UsageError

IMAGE_FILE = "image.json"
IMAGE_VERSION = 1
AGENT = appjson.OURS + "/agent"
COMMAND_LINE = "root=/dev/vda rootfstype=erofs console=ttyS0 init=" + AGENT


@dataclasses.dataclass
class App:
    manifest: dict
    home: str  # the runtime's place in the guest: JDK home, node, or the program
    root: str  # EROFS image
    kernel: str
    source: str  # what the user named


def load(path):
    """The App at PATH, built if need be."""
    if not os.path.exists(path):
        raise ProgramNotFound("%s: no such file or folder" % path)
    if os.path.isfile(path):
        return _build(manifest.of_file(path), os.path.dirname(os.path.abspath(path)), path)
    if os.path.isfile(os.path.join(path, IMAGE_FILE)):
        return _image_folder(path)
    if os.path.isfile(os.path.join(path, manifest.FILE)):
        return _build(manifest.load(path), os.path.abspath(path), path)
    raise UsageError("%s: neither %s nor %s in this folder" % (path, manifest.FILE, IMAGE_FILE))


# -- image folders ----------------------------------------------------------------------------------------------------


def write_image_folder(app, folder):
    """kernel.elf, root.erofs and image.json of APP into FOLDER, which other hosts can run."""
    os.makedirs(folder, exist_ok=True)
    strangers = set(os.listdir(folder)) - {"kernel.elf", "root.erofs", IMAGE_FILE}
    if strangers:
        raise UsageError("-o %s: the folder holds other files (%s); name an empty one" % (folder, sorted(strangers)[0]))
    digests = {}
    for name, source in (("kernel.elf", app.kernel), ("root.erofs", app.root)):
        place = os.path.join(folder, name)
        digests[name] = "sha256:" + _copy_with_digest(source, place + ".new")
        os.replace(place + ".new", place)
    description = {"version": IMAGE_VERSION, "name": app.manifest["name"], "command_line": COMMAND_LINE,
                   "ports": app.manifest["ports"], "memory": app.manifest["memory"], "cpus": app.manifest["cpus"],
                   "home": app.home, "digests": digests,
                   "manifest": {k: v for k, v in app.manifest.items() if k not in manifest.RUNTIMES or k == app.manifest["runtime"]}}
    with open(os.path.join(folder, IMAGE_FILE + ".new"), "w") as f:
        json.dump(description, f, indent=2, sort_keys=True)
        f.write("\n")
    os.replace(os.path.join(folder, IMAGE_FILE + ".new"), os.path.join(folder, IMAGE_FILE))


def _copy_with_digest(source, place):
    digest = hashlib.sha256()
    with open(source, "rb") as f, open(place, "wb") as out:
        while chunk := f.read(1 << 20):
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def _image_folder(folder):
    path = os.path.join(folder, IMAGE_FILE)
    try:
        with open(path) as f:
            data = json.load(f)
        if data["version"] != IMAGE_VERSION:
            raise CortadoError("%s: version %s is not known; this cortado knows version %d" % (path, data["version"], IMAGE_VERSION))
        found = manifest.check(data["manifest"], path)
        home = data["home"]
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise CortadoError("%s: damaged (%s: %s)" % (path, type(e).__name__, e))
    parts = [os.path.abspath(os.path.join(folder, name)) for name in ("root.erofs", "kernel.elf")]
    for part in parts:
        if not os.path.isfile(part):
            raise CortadoError("%s: missing; build the image again" % part)
    return App(found, home, parts[0], parts[1], folder)


# -- building ---------------------------------------------------------------------------------------------------------


def _build(m, folder, source):
    if m["build"]:
        _run_build(m["build"], folder)
    files = tree.FileTree()
    closure.add_base(files)
    needed = closure.Closure(files)
    home = {"java": _java, "node": _node, "program": _program}[m["runtime"]](m, folder, files, needed)
    for host, guest in m["files"].items():
        place = os.path.join(folder, host)
        if not os.path.exists(place):
            raise CortadoError("%s: files: %s does not exist" % (source, host))
        files.copy(place, guest.rstrip("/") + "/" + os.path.basename(host) if guest.endswith("/") and os.path.isfile(place) else guest)
    _agent(files, needed, m["runtime"])
    files.text("/etc/cortado/app.json", json.dumps(appjson.document(m, home), indent=2, sort_keys=True) + "\n")
    return App(m, home, image.root_image(files, compress=True), kernel.path(), source)


def _run_build(command, folder):
    with ui.step("building the application (%s)" % command):
        done = subprocess.run(command, shell=True, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise CortadoError("%s: the build command `%s` failed with status %d:\n%s"
                           % (os.path.join(folder, manifest.FILE), command, done.returncode, done.stdout.decode(errors="replace")[-4000:].rstrip()))


def _inside(path, folder, what):
    """PATH of the manifest as a host path; it must stay in the manifest's FOLDER."""
    place = os.path.normpath(os.path.join(folder, path))
    if os.path.isabs(path) or not (place + "/").startswith(folder.rstrip("/") + "/"):
        raise CortadoError("%s: %s: %s leads out of the folder; use \"files\" to bring it along"
                           % (os.path.join(folder, manifest.FILE), what, path))
    return place


def _java(m, folder, files, needed):
    java = m["java"]
    if m["main"]:
        jar = _inside(m["main"], folder, "main")
        main_class = manifest.main_class_of(jar, os.path.join(folder, m["main"]))
        if not main_class and not java["main_class"]:
            raise ProgramNotExecutable("%s: its MANIFEST.MF names no Main-Class; set java.main_class in %s" % (jar, manifest.FILE))
        files.copy(jar, appjson.in_app(m["main"]))
        _jar_libraries(jar, folder, files, {jar})
    for entry in java["classpath"]:
        pattern = _inside(entry, folder, "java.classpath")
        found = glob.glob(pattern) if pattern.endswith("*") else [pattern]
        for place in found:
            if not os.path.exists(place):
                raise CortadoError("%s: java.classpath: %s does not exist" % (os.path.join(folder, manifest.FILE), entry))
            files.copy(place, appjson.in_app(os.path.relpath(place, folder)))
            _jar_libraries(place, folder, files, {place})
    home = runtimes.find_jdk(java["home"])
    if not home:
        if java["home"] != "auto":
            raise CortadoError("java.home: %s is no JDK (there is no lib/server/libjvm.so)" % java["home"])
        raise HostLacks("this host has no JDK 17 or later; `scripts/cortado setup` installs openjdk-17-jdk-headless")
    if java["modules"] == "all":
        runtimes.add_jdk(needed, home)
        return home
    small = _jlink(home, java["modules"], [os.path.join(folder, p) for p in ([m["main"]] if m["main"] else []) + java["classpath"]])
    guest = "/usr/lib/jvm/cortado"
    files.copy(small, guest, skip=runtimes.jdk_skip)
    needed.folder_libraries(small)
    return guest


def _jar_libraries(jar, folder, files, done):
    """What the manifest of JAR names as its Class-Path (relative URLs), and those name in turn, as far as it lies in FOLDER."""
    if not zipfile.is_zipfile(jar):
        return
    for word in manifest.jar_attributes(jar, jar).get("Class-Path", "").split():
        library = os.path.normpath(os.path.join(os.path.dirname(jar), urllib.parse.unquote(word)))
        inside = (library + "/").startswith(folder.rstrip("/") + "/")
        if inside and library not in done and os.path.exists(library):
            done.add(library)
            files.copy(library, appjson.in_app(os.path.relpath(library, folder)))
            _jar_libraries(library, folder, files, done)


def _jlink(home, modules, jars):
    """A JDK with MODULES only ("auto": what jdeps finds in JARS), cached."""
    jlink, jdeps = os.path.join(home, "bin", "jlink"), os.path.join(home, "bin", "jdeps")
    if not os.path.exists(jlink) or not os.path.isdir(os.path.join(home, "jmods")):
        raise HostLacks("java.modules needs jlink and jmods, which %s lacks; install a full JDK or use \"all\"" % home)
    if modules == "auto":
        words = [jdeps, "--ignore-missing-deps", "--multi-release", "base", "--print-module-deps"] + jars
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise CortadoError('java.modules "auto": jdeps failed; list the modules instead:\n%s' % done.stderr.decode(errors="replace").strip())
        modules = sorted(set(done.stdout.decode().strip().splitlines()[-1].split(",")))
    wanted = sorted(set(modules) | {"java.management", "jdk.management", "java.instrument"})  # the glue's own
    key = hashlib.sha256(("%s %s %s" % (home, os.stat(jlink).st_mtime_ns, wanted)).encode()).hexdigest()[:24]
    place = paths.build("jlink", key)
    with lock.exclusive(place + ".lock"):
        if not os.path.isdir(place):
            with ui.step("linking a JDK of %d modules" % len(wanted)), tempfile.TemporaryDirectory(dir=os.path.dirname(place)) as work:
                out = os.path.join(work, "jdk")
                words = [jlink, "--add-modules", ",".join(wanted), "--strip-debug", "--no-header-files", "--no-man-pages",
                         "--generate-cds-archive", "--output", out]
                done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                if done.returncode != 0:
                    raise CortadoError("jlink failed:\n%s" % done.stdout.decode(errors="replace").strip())
                os.rename(out, place)
    return place


def _node(m, folder, files, needed):
    main = _inside(m["main"], folder, "main")
    if not os.path.isfile(main):
        raise ProgramNotFound("%s: no such file" % os.path.join(folder, m["main"]))
    if os.path.isfile(os.path.join(folder, manifest.FILE)):
        files.copy(folder, "/app", skip=lambda p: os.path.basename(p) in (".git", manifest.FILE))
    else:
        _script_with_imports(main, folder, files)
    program = shutil.which("node") or shutil.which("nodejs")
    if not program:
        raise HostLacks("this host has no node; `scripts/cortado setup` installs nodejs")
    needed.program(os.path.realpath(program))
    return os.path.realpath(program)


_IMPORT = re.compile(r"""(?:require\(|import\(|from|import)\s*['"](\.{1,2}/[^'"]+)['"]""")


def _script_with_imports(main, folder, files):
    """A lone script: it, what it imports by relative paths below its folder, and a package.json and node_modules beside."""
    waiting, done = [main], set()
    for name in ("package.json", "node_modules"):
        if os.path.exists(os.path.join(folder, name)):
            files.copy(os.path.join(folder, name), "/app/" + name)
    while waiting:
        path = waiting.pop()
        if path in done or not (path + "/").startswith(folder.rstrip("/") + "/"):
            continue
        done.add(path)
        files.copy(path, appjson.in_app(os.path.relpath(path, folder)))
        with open(path, encoding="utf-8", errors="replace") as f:
            for name in _IMPORT.findall(f.read()) if path.endswith((".js", ".mjs", ".cjs")) else ():
                base = os.path.normpath(os.path.join(os.path.dirname(path), name))
                for candidate in (base, base + ".js", base + ".json", base + ".cjs", base + ".mjs", base + "/index.js"):
                    if os.path.isfile(candidate):
                        waiting.append(candidate)
                        break


def _program(m, folder, files, needed):
    """`main` below the folder goes to /app; otherwise it is a program of this host, at its own place."""
    local = os.path.join(folder, m["main"])
    if not m["main"].startswith("/") and os.path.exists(local):
        program = closure.find_program(_inside(m["main"], folder, "main"))
        needed.program(program)
        files.copy(program, appjson.in_app(m["main"]))
        return appjson.in_app(m["main"])
    program = closure.find_program(m["main"])
    needed.program(program)
    return program


def _agent(files, needed, runtime):
    """The agent and the runtime's glue, built when their sources are newer."""
    setup.require("gcc", "make", "libmicrohttpd-dev", "libjansson-dev")
    agent, glue = paths.build("agent"), paths.build("glue")
    _make("httpserver", agent)
    files.copy(os.path.join(agent, "agent"), AGENT)
    needed.libraries(os.path.join(agent, "agent"))
    if runtime == "program":
        return
    parts = ["jvm-host", "vm/libjvm.so"] if runtime == "java" else ["node-glue.js"]
    _make("runtime-glue", glue, parts)
    for name in parts:
        files.copy(os.path.join(glue, name), appjson.OURS + "/" + name)
    if runtime == "java":
        needed.libraries(os.path.join(glue, "jvm-host"))


def _make(part, out, targets=()):
    words = ["make", "-s", "-C", os.path.join(paths.ROOT, part), "OUT=" + out] + [os.path.join(out, t) for t in targets]
    with lock.exclusive(out + ".lock"), ui.step("building %s" % part):
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise CortadoError("`%s` failed:\n%s" % (" ".join(words), done.stdout.decode(errors="replace")[-3000:].rstrip()))
