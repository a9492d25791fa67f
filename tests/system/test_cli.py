# SPDX-License-Identifier: BSD-2-Clause
"""The command line without a VM: exit statuses, messages that name the fault and its mend, manifests, library closures."""

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile

import pytest

import vm
from cortado_cli import closure, environment, image, ldso, manifest, sizes, tree
from cortado_cli.errors import CortadoError, UsageError


def cli(*words, **options):
    return vm.cortado(*words, timeout=options.pop("timeout", 30), **options)


# -- statuses ---------------------------------------------------------------------------------------------------------


def test_help_and_version():
    assert cli("--help").status == 0 and cli("--version").status == 0
    assert cli("launch", "--help").status == 0


@pytest.mark.parametrize("words", [[], ["nonsense"], ["ps", "--bogus"], ["balloon"], ["test", "nonsense"], ["api", "x", "FETCH", "/"], ["logs", "x", "--tail", "-5"],
                                   ["bench", "nonsense"], ["setup", "everything"]])
def test_wrong_use(words):
    r = cli(*words)
    assert r.status == 2 and r.err and "Traceback" not in r.err, r


@pytest.mark.parametrize("words,status", [(["launch"], 125), (["launch", "--bogus", "true"], 125), (["launch", "-m", "12Q", "true"], 125),
                                          (["launch", "-m", "1M", "true"], 125), (["launch", "--cpus", "0", "true"], 125),
                                          (["launch", "-p", "99999:1", "true"], 125), (["launch", "-e", "=x", "true"], 125),
                                          (["launch", "--net", "weird", "true"], 125), (["launch", "--with", "/no/such", "true"], 125),
                                          (["launch", "/no/such"], 127), (["launch", "no-such-program-here"], 127),
                                          (["launch", "/etc/passwd"], 126), (["launch", "/etc"], 126), (["launch", ""], 127),
                                          (["run", "/no/such"], 127), (["run", "-d", "/no/such"], 1), (["run"], 125)])
def test_statuses(words, status):
    r = cli(*words)
    assert r.status == status and r.err and r.out == "" and "Traceback" not in r.err, r


@pytest.mark.parametrize("words", [["stop"], ["logs"], ["inspect"], ["wait"], ["port"], ["balloon"], ["top"], ["gdb"]])
def test_no_such_vm(words, tmp_path):
    r = cli(*words, "no-such-vm", env={"XDG_STATE_HOME": str(tmp_path)})
    assert r.status == 1 and "no-such-vm" in r.err, r


def test_through_links_and_from_anywhere(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(vm.COMMAND)
    (tmp_path / "second").symlink_to("link")
    r = subprocess.run([str(tmp_path / "second"), "--version"], cwd="/", stdout=subprocess.PIPE)
    assert r.returncode == 0 and b"cortado" in r.stdout
    r = subprocess.run(["sh", "-c", "exec ./second ps <&- >/dev/null 2>&1"], cwd=tmp_path)
    assert r.returncode == 0


def bare_path(folder):
    """A PATH with nothing but what the launcher itself needs."""
    bare = folder / "bin"
    bare.mkdir()
    for name in ("dirname", "readlink", "sh"):
        os.symlink(shutil.which(name), bare / name)
    os.symlink(os.path.realpath(sys.executable), bare / "python3")
    return str(bare)


def test_setup_refuses_to_install(tmp_path):
    r = cli("setup", "--no-install", env={"PATH": bare_path(tmp_path)})
    assert r.status == 3 and "qemu-system-x86" in r.err, r
    r = cli("setup", "test", "--no-install")
    assert r.status in (0, 3), r


def test_missing_tools_are_named(tmp_path):
    r = cli("launch", "/bin/true", env={"PATH": bare_path(tmp_path), "CORTADO_BUILD": str(tmp_path / "build"), "CORTADO_KERNEL": "/bin/true"})
    assert r.status == 125 and ("erofs-utils" in r.err or "qemu-system-x86" in r.err) and "setup" in r.err, r


# -- manifests --------------------------------------------------------------------------------------------------------

GOOD = {"version": 1, "runtime": "java", "main": "app.jar"}


@pytest.mark.parametrize("change,telling", [
    ({"jvm": {}}, 'unknown key "jvm"'),
    ({"memroy": "1G"}, 'did you mean "memory"'),
    ({"java": {"heep": "1G"}}, 'java.heep'),
    ({"version": 2}, "version 2"),
    ({"version": None}, "version"),
    ({"version": "1"}, "version"),
    ({"runtime": "ruby"}, "runtime"),
    ({"main": 5}, "main"),
    ({"ports": ["8080"]}, "ports"),
    ({"ports": [0]}, "ports"),
    ({"ports": [70000]}, "ports"),
    ({"cpus": 0}, "cpus"),
    ({"cpus": True}, "cpus"),
    ({"memory": "lots"}, "memory"),
    ({"env": {"A": 1}}, "env"),
    ({"env": {"1A": "x"}}, "env"),
    ({"name": "Has Space"}, "name"),
    ({"restart": "sometimes"}, "restart"),
    ({"restart": "on-failure:x"}, "restart"),
    ({"on_exit": "reboot"}, "on_exit"),
    ({"api": {"port": 9000, "acess": "full"}}, "api.acess"),
    ({"api": {"access": "all"}}, "api.access"),
    ({"node": {"options": []}}, "node"),
    ({"files": {"a": "relative"}}, "files"),
    ({"java": {"heap": "512M"}, "memory": "256M"}, "does not fit"),
    ({"java": {"heap": "120%"}}, "java.heap"),
    ({"java": {"heap": "64M", "options": ["-Xmx100m"]}}, "-Xmx100m"),
    ({"java": {"options": ["-Xmx1g"]}, "memory": "256M"}, "does not fit"),
    ({"java": {"modules": 5}}, "java.modules"),
])
def test_bad_manifests(change, telling):
    with pytest.raises(manifest.ManifestError) as e:
        manifest.check(dict(GOOD, **change), "x/cortado.json")
    assert telling in str(e.value) and "x/cortado.json" in str(e.value)


def test_good_manifest():
    m = manifest.check(dict(GOOD, **{"$schema": "y", "x-note": 5, "java": {"x-a": 1, "heap": "75%"}}), "/some/My App/cortado.json")
    assert m["name"] == "my-app" and m["java"]["heap"] == "75%" and m["api"] == {"port": 9000, "access": "full"} and m["memory"] == "256M"


@pytest.mark.parametrize("text,telling", [("{", "line 1"), ("[]", "one object"), ('{"version": 1, "version": 1}', "twice"), ("", "line 1")])
def test_no_manifest_at_all(tmp_path, text, telling):
    (tmp_path / "cortado.json").write_text(text)
    r = cli("build", tmp_path)
    assert r.status == 1 and telling in r.err and "cortado.json" in r.err, r


def test_jars(tmp_path):
    (tmp_path / "cortado.json").write_text(json.dumps(GOOD))
    r = cli("build", tmp_path)
    assert r.status == 1 and "app.jar: no such file" in r.err, r
    (tmp_path / "app.jar").write_text("this is no zip")
    r = cli("build", tmp_path)
    assert r.status == 1 and "not a jar" in r.err, r
    with zipfile.ZipFile(tmp_path / "app.jar", "w") as z:
        z.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\n\r\n")
    r = cli("build", tmp_path / "app.jar")
    assert r.status == 1 and "Main-Class" in r.err, r


def test_build_command_fails(tmp_path):
    (tmp_path / "cortado.json").write_text(json.dumps(dict(GOOD, build="echo the reason; exit 3")))
    r = cli("build", tmp_path)
    assert r.status == 1 and "the reason" in r.err and "status 3" in r.err, r


def test_not_an_application(tmp_path):
    r = cli("build", tmp_path)
    assert r.status == 2 and "cortado.json" in r.err, r
    (tmp_path / "a.txt").write_text("")
    assert cli("build", tmp_path / "a.txt").status == 2


# -- parts ------------------------------------------------------------------------------------------------------------


def test_sizes():
    assert sizes.parse("256M", "") == 256 << 20 and sizes.parse("1.5G", "") == 3 << 29 and sizes.parse("64", "") == 64 << 20
    assert sizes.parse("512KiB", "") == 512 << 10 and sizes.parse("1gb", "") == 1 << 30
    for bad in ("", "M", "-1M", "0", "1X", "1e9", "99999T"):
        with pytest.raises(UsageError):
            sizes.parse(bad, "-m")


def test_environment(tmp_path):
    file = tmp_path / "f"
    file.write_text("A=1\n\n#c\nB=x=y\n")
    assert environment.collect(["A=2", "UNSET_HERE"], [str(file)]) == {"A": "2", "B": "x=y"}
    assert environment.strings(["a", ""]) == b"a\0\0"


def test_tree_follows_links(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("x")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "cycle").symlink_to("cycle")
    t = tree.FileTree()
    t.copy(str(tmp_path / "real"), "/data")
    assert t.get("/data/file").size == 1
    t.link("/d", "data")
    t.text("/d/more", "yy")
    assert t.get("/data/more").size == 2
    with pytest.raises(CortadoError):
        t.text("/data/file/below", "")
    with pytest.raises(CortadoError):
        t.host_path(str(tmp_path / "cycle"))
    with pytest.raises(CortadoError):
        t.folder("relative")
    # Content below /tmp is stored elsewhere, and a link leads there.
    t.host_path(str(tmp_path / "link" / "file"))
    assert t.get(str(tmp_path / "link" / "file")).kind == "file"
    assert all(e.kind in ("dir", "link") for p, e in t.entries.items() if p.startswith("/tmp/"))


def test_fingerprint_follows_content(tmp_path):
    def make():
        t = tree.FileTree()
        t.copy(str(tmp_path), "/x")
        return t.fingerprint()

    (tmp_path / "a").write_text("1")
    first = make()
    assert make() == first
    (tmp_path / "a").write_text("22")
    assert make() != first


def test_library_search(tmp_path):
    """RUNPATH with $ORIGIN, a library that needs another, and one that is missing."""
    lib = tmp_path / "lib"
    lib.mkdir()
    (tmp_path / "two.c").write_text("int two(void) { return 2; }")
    (tmp_path / "one.c").write_text("int two(void); int one(void) { return two() - 1; }")
    (tmp_path / "main.c").write_text("int one(void); int main(void) { return one(); }")
    run = lambda *w: subprocess.run(w, check=True, cwd=tmp_path)  # noqa: E731
    run("gcc", "-shared", "-fPIC", "-o", "lib/libtwo-x.so", "two.c")
    run("gcc", "-shared", "-fPIC", "-o", "lib/libone-x.so", "one.c", "-Llib", "-ltwo-x", "-Wl,-rpath,$ORIGIN")
    run("gcc", "-o", "main", "main.c", "-Llib", "-lone-x", "-Wl,-rpath,$ORIGIN/lib,-rpath-link,lib")
    t = tree.FileTree()
    closure.add_base(t)
    closure.Closure(t).program(str(tmp_path / "main"))
    for name in ("libone-x.so", "libtwo-x.so"):
        assert t.get(str(lib / name)).kind == "file"
    assert t.get("/lib64/ld-linux-x86-64.so.2").kind == "file"
    (lib / "libtwo-x.so").unlink()
    with pytest.raises(CortadoError) as e:
        closure.Closure(tree.FileTree()).program(str(tmp_path / "main"))
    assert "libtwo-x.so" in str(e.value)


def test_linker_cache():
    assert "libc.so.6" in ldso._read_cache("/etc/ld.so.cache")
    assert ldso._read_cache("/etc/passwd") == {} and ldso._read_cache("/no/such") == {}


def test_image_is_reproducible(tmp_path):
    digests = set()
    for build in ("a", "b"):
        (tmp_path / "cortado.json").write_text(json.dumps({"version": 1, "name": "t", "runtime": "program", "main": "/usr/bin/busybox"}))
        env = {"CORTADO_BUILD": str(tmp_path / build), "CORTADO_KERNEL": "/bin/true"}
        r = cli("build", tmp_path, "-o", tmp_path / ("image-" + build), env=env, timeout=120)
        assert r.status == 0 and r.out.strip() == str(tmp_path / ("image-" + build)), r
        digests.add(json.loads((tmp_path / ("image-" + build) / "image.json").read_text())["digests"]["root.erofs"])
    assert len(digests) == 1


def test_image_cache_is_bounded(tmp_path):
    for name, size, hours in (("new", 600, 0), ("recent", 600, 0.5), ("old", 300, 5), ("older", 300, 6), ("oldest", 1, 15 * 24)):
        (tmp_path / (name + ".erofs")).write_bytes(bytes(size))
        os.utime(tmp_path / (name + ".erofs"), (time.time() - hours * 3600,) * 2)
    image._forget_unused(tmp_path, keep_bytes=1500)
    assert sorted(os.listdir(tmp_path)) == ["new.erofs", "old.erofs", "recent.erofs"]
    image._forget_unused(tmp_path, keep_bytes=100)
    assert sorted(os.listdir(tmp_path)) == ["new.erofs", "recent.erofs"]
