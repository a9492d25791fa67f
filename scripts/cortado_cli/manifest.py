# SPDX-License-Identifier: BSD-2-Clause
"""cortado.json: reading, checking, defaults. Every complaint names the file, the key and what would be right.

A manifest is a plain dict in the shape of the file, with every default filled in; paths stay relative to the folder."""

import difflib
import json
import os
import re
import zipfile

from . import sizes
from .errors import CortadoError, ProgramNotExecutable, ProgramNotFound, UsageError

FILE = "cortado.json"
VERSION = 1
RUNTIMES = ("java", "node", "program")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")

_STRING, _STRINGS, _PORT, _PORTS, _CPUS, _MAP = "a string", "a list of strings", "a port number", "a list of port numbers", \
    "a number from 1 to 255", "an object of strings"
# key -> type; a dict is an object with these keys, a tuple the allowed strings
_SCHEMA = {
    "version": "the number 1",
    "name": _STRING,
    "runtime": RUNTIMES,
    "main": _STRING,
    "args": _STRINGS,
    "build": _STRING,
    "java": {"home": _STRING, "options": _STRINGS, "classpath": _STRINGS, "main_class": _STRING, "heap": _STRING,
             "modules": '"all", "auto" or a list of module names'},
    "node": {"options": _STRINGS},
    "env": _MAP,
    "memory": _STRING,
    "cpus": _CPUS,
    "ports": _PORTS,
    "files": _MAP,
    "restart": _STRING,
    "on_exit": ("auto", "keep", "poweroff"),
    "api": {"port": _PORT, "access": ("none", "read-only", "full")},
}
DEFAULTS = {
    "version": VERSION, "runtime": "", "main": "", "args": [], "build": "",
    "java": {"home": "auto", "options": [], "classpath": [], "main_class": "", "heap": "auto", "modules": "all"},
    "node": {"options": []},
    "env": {}, "memory": "256M", "cpus": 1, "ports": [], "files": {}, "restart": "no", "on_exit": "auto",
    "api": {"port": 9000, "access": "full"},
}


class ManifestError(CortadoError):
    pass


def load(folder):
    """The checked manifest of FOLDER."""
    path = os.path.join(folder, FILE)
    try:
        with open(path, encoding="utf-8") as f:
            text = f.read()
    except OSError as e:
        raise ManifestError("%s: %s" % (path, e.strerror))
    except UnicodeDecodeError:
        raise ManifestError("%s: not UTF-8 text" % path)
    try:
        data = json.loads(text, object_pairs_hook=_no_duplicates)
    except ValueError as e:
        where = "line %d, column %d: %s" % (e.lineno, e.colno, e.msg) if isinstance(e, json.JSONDecodeError) else str(e)
        raise ManifestError("%s: %s" % (path, where))
    return check(data, path)


def _no_duplicates(pairs):
    result = {}
    for key, value in pairs:
        if key in result:
            raise ValueError('the key "%s" stands there twice' % key)
        result[key] = value
    return result


def check(data, path):
    """DATA (the parsed file PATH) with defaults filled in; raises ManifestError."""
    if not isinstance(data, dict):
        raise ManifestError("%s: the file must hold one object { ... }" % path)
    # The version comes first: keys of another version would only be complained about wrongly.
    version = data.get("version")
    if version is None:
        raise ManifestError('%s: "version" is missing; add "version": %d' % (path, VERSION))
    if version != VERSION or isinstance(version, bool):
        raise ManifestError("%s: version %s is not known; this cortado knows version %d" % (path, json.dumps(version), VERSION))
    _check_object(data, _SCHEMA, "", path)
    result = _with_defaults(data, DEFAULTS)
    _check_meaning(result, data, path)
    return result


def _check_object(data, schema, prefix, path):
    for key, value in data.items():
        if key == "$schema" or key.startswith("x-"):
            continue
        if key not in schema:
            near = difflib.get_close_matches(key, schema, 1)
            hint = 'did you mean "%s"?' % near[0] if near else "known keys: %s" % ", ".join(sorted(schema))
            raise ManifestError('%s: unknown key "%s%s"; %s' % (path, prefix, key, hint))
        _check_value(value, schema[key], prefix + key, path)


def _check_value(value, kind, key, path):
    if isinstance(kind, dict):
        good = isinstance(value, dict)
        if good:
            _check_object(value, kind, key + ".", path)
        kind = "an object"
    elif isinstance(kind, tuple):
        good = value in kind
        kind = "one of " + ", ".join('"%s"' % k for k in kind)
    elif kind == _STRING:
        good = isinstance(value, str) and "\0" not in value
    elif kind == _STRINGS:
        good = isinstance(value, list) and all(isinstance(v, str) and "\0" not in v for v in value)
    elif kind == _MAP:
        good = isinstance(value, dict) and all(isinstance(v, str) and "\0" not in v for v in value.values())
    elif kind == _PORT:
        good = _is_port(value)
    elif kind == _PORTS:
        good = isinstance(value, list) and all(_is_port(v) for v in value)
    elif kind == _CPUS:
        good = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 255
    elif key == "java.modules":
        good = value in ("all", "auto") or isinstance(value, list) and value and all(isinstance(v, str) for v in value)
    else:
        good = True
    if not good:
        raise ManifestError("%s: %s must be %s, not %s" % (path, key, kind, json.dumps(value)[:60]))


def _is_port(value):
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535


def _with_defaults(data, defaults):
    result = {}
    for key, default in defaults.items():
        value = data.get(key, default)
        result[key] = _with_defaults(value, default) if isinstance(default, dict) and default else value
    if "name" in data:
        result["name"] = data["name"]
    return result


def _check_meaning(m, data, path):
    if "name" in data and not _NAME.fullmatch(m["name"]):
        raise ManifestError("%s: name: \"%s\" may have small letters, digits, '.', '_' and '-' only" % (path, m["name"]))
    m.setdefault("name", clean_name(os.path.basename(os.path.dirname(os.path.abspath(path)))))
    if not m["runtime"]:
        m["runtime"] = _runtime_of(m["main"])
        if not m["runtime"]:
            raise ManifestError('%s: "runtime" is missing; use one of %s' % (path, ", ".join(RUNTIMES)))
    if not m["main"] and not (m["runtime"] == "java" and m["java"]["main_class"]):
        raise ManifestError('%s: "main" is missing: the %s to run' % (path, {"java": "jar", "node": ".js file"}.get(m["runtime"], "program")))
    if not re.fullmatch(r"no|always|on-failure(:[1-9]\d*)?", m["restart"]):
        raise ManifestError('%s: restart: "%s" is none of no, on-failure[:N], always' % (path, m["restart"]))
    for name in m["env"]:
        if not _ENV_NAME.fullmatch(name):
            raise ManifestError('%s: env: "%s" is no variable name' % (path, name))
    for source, place in m["files"].items():
        if not place.startswith("/"):
            raise ManifestError('%s: files: "%s" goes to "%s", which must begin with /' % (path, source, place))
    for section in RUNTIMES[:2]:
        if section in data and m["runtime"] != section:
            raise ManifestError('%s: "%s" has options for another runtime; this one is "%s"' % (path, section, m["runtime"]))
    memory = _size(m["memory"], "memory", path)
    check_heap(m, memory, path)


def check_heap(m, memory, path):
    """Raise unless the Java heap of manifest M fits MEMORY bytes."""
    if m["runtime"] != "java":
        return
    heap, options = m["java"]["heap"], m["java"]["options"]
    given = [o for o in options if o.startswith(("-Xmx", "-XX:MaxHeapSize="))]
    if given and heap != "auto":
        raise ManifestError('%s: java.heap is "%s", and java.options has %s; keep one of them' % (path, heap, given[-1]))
    percent = re.fullmatch(r"(\d{1,3})%", heap)
    if percent:
        if not 1 <= int(percent.group(1)) <= 95:
            raise ManifestError("%s: java.heap: %s is outside 1%%..95%%" % (path, heap))
        return
    if heap != "auto":
        size, what = _size(heap, "java.heap", path), "java.heap %s" % heap
    elif given:
        digits = re.fullmatch(r"(?:-Xmx|-XX:MaxHeapSize=)(\d+)([kKmMgGtT]?)", given[-1])
        if not digits:
            raise ManifestError("%s: java.options: %s is no size" % (path, given[-1]))
        size = int(digits.group(1)) << {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[digits.group(2).lower()]
        what = given[-1]
    else:
        return
    if size >= memory:
        raise ManifestError("%s: %s does not fit the VM's memory, %s; give it more memory or less heap (the JVM needs about 60M beside its heap)"
                            % (path, what, sizes.show(memory)))


def _size(text, key, path):
    try:
        return sizes.parse(text, key)
    except UsageError as e:
        raise ManifestError("%s: %s" % (path, e))


def _runtime_of(main):
    extension = os.path.splitext(main)[1]
    return {".jar": "java", ".js": "node", ".mjs": "node", ".cjs": "node"}.get(extension, "")


def clean_name(text):
    """A VM name made of TEXT."""
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")
    return name[:48] or "app"


def of_file(path):
    """The manifest of a lone .jar or .js file."""
    runtime = _runtime_of(path)
    if not runtime:
        raise UsageError("%s: an application is a folder with %s, a .jar, a .js, or an image folder" % (path, FILE))
    data = {"version": VERSION, "name": clean_name(os.path.splitext(os.path.basename(path))[0]), "runtime": runtime,
            "main": os.path.basename(path)}
    return check(data, path)


def main_class_of(jar, what):
    """The Main-Class of the JAR file (may be ""). WHAT names it in errors."""
    if not os.path.isfile(jar):
        raise ProgramNotFound("%s: no such file" % what)
    if not zipfile.is_zipfile(jar):
        raise ProgramNotExecutable("%s: not a jar (it is no zip file)" % what)
    attributes = jar_attributes(jar, what)
    return attributes.get("Main-Class", "")


def jar_attributes(jar, what):
    """The main attributes of a jar's META-INF/MANIFEST.MF."""
    try:
        with zipfile.ZipFile(jar) as z:
            text = z.read("META-INF/MANIFEST.MF").decode("utf-8", "replace")
    except KeyError:
        return {}
    except (OSError, zipfile.BadZipFile, RuntimeError) as e:
        raise ProgramNotExecutable("%s: damaged jar: %s" % (what, e))
    section = re.sub(r"\r\n?", "\n", text).split("\n\n")[0].replace("\n ", "")
    return dict(line.split(": ", 1) for line in section.split("\n") if ": " in line)
