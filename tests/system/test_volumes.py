# SPDX-License-Identifier: BSD-2-Clause
"""Volumes: folders and files of the host in a VM, by `launch --volume` and `run --volume`."""

import hashlib
import json
import os
import signal
import subprocess
import time

import pytest

import vm

pytestmark = pytest.mark.cortado_only
# What 9P2000.L has no message for: O_TMPFILE, SEEK_DATA and fallocate, exchanging renames. Linux's v9fs fails here too.
NOT_IN_9P = {"files": {"open_flags", "holes", "names"}}


@pytest.fixture
def shared(tmp_path):
    folder = tmp_path / "shared, with a comma"
    folder.mkdir()
    return folder


def sh(launch, volumes, script, more=(), **options):
    words = [w for v in volumes for w in ("--volume", v)]
    return launch(*more, *words, "busybox", "sh", "-c", script, **options)


@pytest.mark.everywhere
def test_both_ways(launch, shared):
    (shared / "host").write_text("from the host\n")
    (shared / "old").mkdir()
    r = sh(launch, ["%s:/new/place" % shared], """
        cd /new/place && cat host && echo from the guest >guest && chmod 640 guest && mkdir -p a/b && mv guest a/b/g && ln -s g a/b/l &&
        ln a/b/g a/hard && rmdir old && mv a/b a/c && cat a/c/l && echo more >>a/c/g && stat -f -c %t . && pwd && ls -a | tr '\\n' ' ';
        grep p9_fids_live /proc/cortado/counters""")
    assert r.status == 0, r
    lines = r.out.splitlines()
    assert lines[:2] == ["from the host", "from the guest"], r
    assert lines[2:5] == ["1021997", "/new/place", ". .. a host p9_fids_live %s" % lines[4].split()[-1]], r
    assert int(lines[4].split()[-1]) < 20, r  # one for a name that is remembered, none for what is closed
    assert (shared / "a" / "hard").read_text() == "from the guest\nmore\n"
    assert os.readlink(shared / "a" / "c" / "l") == "g"
    assert os.stat(shared / "a" / "hard").st_mode & 0o777 == 0o640 and not (shared / "old").exists()


@pytest.mark.parametrize("program", ["file_sharing", "files", "abi_files", "memory"])
def test_guest_suites_on_a_volume(launch, shared, program):
    r = launch("--volume", "%s:/tmp" % shared, "%s/glibc/%s" % (vm.GUEST, program), timeout=150)
    failed = {line.split()[2].rstrip(":") for line in r.out.splitlines() if line.startswith("not ok ")}
    assert failed == NOT_IN_9P.get(program, set()) and not r.timed_out and r.out.startswith(("ok", "not ok")), r
    assert os.listdir(shared) == []


def test_loose_cache(launch, shared):
    tail = "-device" if any(o == "microvm" for o in launch.options) else "-pci"
    words = "-fsdev local,id=x,path='%s',security_model=none -device virtio-9p%s,fsdev=x,mount_tag=loose" % (str(shared).replace(",", ",,"), tail)
    r = launch("--qemu", words, "--append", "volume=loose:/tmp:cache=loose", vm.GUEST + "/glibc/file_sharing", timeout=150)
    assert r.status == 0 and os.listdir(shared) == [], r


def test_read_only(launch, shared):
    (shared / "f").write_text("kept")
    r = sh(launch, ["%s:/v:ro" % shared], "cat /v/f; echo x >/v/f; rm /v/f; mkdir /v/d; mount -o remount,rw /v && echo y >/v/f; grep -c ' /v 9p r[ow]' /proc/mounts")
    assert r.out.startswith("kept") and r.err.count("Read-only file system") >= 3, r
    assert (shared / "f").read_text() == "kept" and os.listdir(shared) == ["f"]


def test_single_file(launch, shared, tmp_path):
    (shared / "conf").write_text("one\n")
    (shared / "secret").write_text("not for the guest")
    r = sh(launch, ["%s:/etc/app/conf" % (shared / "conf"), "%s:/etc/app/fixed:ro" % (shared / "conf")],
           "cat /etc/app/conf; echo two >>/etc/app/conf; cat /etc/app/fixed; echo x >>/etc/app/fixed; find /run -name secret")
    assert r.out == "one\none\ntwo\n", r
    assert (shared / "conf").read_text() == "one\ntwo\n" and os.stat(shared / "conf").st_nlink == 1


def test_inside_one_another(launch, shared, tmp_path):
    (tmp_path / "inner").mkdir()
    r = sh(launch, ["%s:/data/in/ner" % (tmp_path / "inner"), "%s:/data" % shared], "echo i >/data/in/ner/f; echo o >/data/f")
    assert r.status == 0 and (tmp_path / "inner" / "f").read_text() == "i\n" and (shared / "f").read_text() == "o\n", r


def test_kept_over_restarts_and_mapped_stores(launch, shared):
    assert sh(launch, ["%s:/v" % shared], "head -c 5000 /dev/zero >/v/f; echo 1 >/v/n").status == 0
    r = launch("--volume", "%s:/v" % shared, vm.GUEST + "/glibc/file_sharing", "-", "/v/f", "stored")
    assert r.status == 0, r
    assert (shared / "f").read_bytes() == b"stored" + b"\0" * 4994
    r = sh(launch, ["%s:/v" % shared], "cat /v/n; head -c 6 /v/f")
    assert r.out == "1\nstored", r


def test_more_than_memory(launch, shared):
    """300 MB in a VM of 64, copied inside by two processes at once; what comes out is what went in."""
    block = hashlib.sha512(b"seed").digest() * 16384  # 1 MiB
    with open(shared / "in", "wb") as f:
        for i in range(300):
            f.write(i.to_bytes(8, "little") + block[8:])
    r = sh(launch, ["%s:/v" % shared], "cd /v; dd if=in of=out bs=1M count=150 conv=notrunc 2>/dev/null & dd if=in of=out bs=64k skip=2400 seek=2400 conv=notrunc 2>/dev/null; wait", timeout=150, more=["-m", "64M"])
    assert r.status == 0, r
    assert _digest(shared / "in") == _digest(shared / "out")


def test_mapping_more_than_memory(launch, shared):
    r = launch("-m", "64M", "--volume", "%s:/v" % shared, vm.GUEST + "/glibc/file_sharing", "+", "/v/f", "100", timeout=120)
    assert r.status == 0, r
    with open(shared / "f", "rb") as f:
        assert f.read() == b"".join(bytes([k % 251]) * 4096 for k in range(100 << 8))


def _digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").digest() if hasattr(hashlib, "file_digest") else _slow_digest(f)


def _slow_digest(f):
    h = hashlib.sha256()
    while data := f.read(1 << 20):
        h.update(data)
    return h.digest()


def test_killed_vm_loses_nothing_synced(shared):
    """QEMU dies at once; what the guest had fsynced is there, and a new VM finds it."""
    words = [vm.COMMAND, "launch", "--volume", "%s:/v" % shared, "busybox", "sh", "-c",
             "i=0; while :; do i=$((i+1)); echo line $i >>/v/log; sync; dd if=/dev/zero of=/v/d bs=4k count=1 conv=fsync 2>/dev/null; echo $i; done"]
    p = subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(20):
            last = int(p.stdout.readline())
    finally:
        os.killpg(p.pid, signal.SIGKILL)  # QEMU dies with its parent
        p.wait()
        p.stdout.close()
    lines = (shared / "log").read_text().splitlines()
    assert lines[: last] == ["line %d" % (i + 1) for i in range(last)]


def test_mount_by_a_program(launch, shared):
    tail = "-device" if any(o == "microvm" for o in launch.options) else "-pci"
    words = "-fsdev local,id=x,path='%s',security_model=none -device virtio-9p%s,fsdev=x,mount_tag=mine" % (str(shared).replace(",", ",,"), tail)
    r = launch("--qemu", words, "busybox", "sh", "-c", """
        mkdir /m && mount -t 9p -o trans=virtio,version=9p2000.L,msize=131072,cache=loose mine /m && echo x >/m/f && umount /m &&
        mount -t 9p mine /m && cat /m/f && umount /m; grep p9_fids_live /proc/cortado/counters
        mount -t 9p other /m; mount -t 9p -o version=9p2000.u mine /m""")
    assert r.out == "x\np9_fids_live 0\n" and "No such file" in r.err and "Invalid argument" in r.err, r


def test_missing_device_ends_the_boot(launch):
    r = launch("--append", "volume=none:/v", "busybox", "true")
    assert r.status == 125 and "volume none" in r.err, r


@pytest.mark.parametrize("word,said", [("/no/such:/x", "No such file"), ("/tmp:x", "SRC:DST"), ("/tmp", "SRC:DST"), ("/tmp:/x:rw", "`rw`"),
                                       ("/tmp:/x:", "SRC:DST"), (":/x", "SRC:DST"), ("/tmp:/", "/ is the image"), ("/dev/null:/x", "neither")])
def test_wrong_use(word, said):
    for command, status in (("launch", 125), ("run", 125)):
        r = vm.cortado(command, "--volume", word, *(["true"] if command == "launch" else [vm.ROOT + "/apps/node/hello"]))
        assert r.status == status and word.split(":")[0] in r.err and said in r.err and "Traceback" not in r.err, r
    r = vm.cortado("run", "-d", "--volume", word, vm.ROOT + "/apps/node/hello")
    assert r.status == 2 and said in r.err, r


def test_twice_and_disk_images(tmp_path):
    r = vm.cortado("launch", "--volume", "/tmp:/x", "--volume", "/:/x/", "true")
    assert r.status == 125 and "/x is taken" in r.err, r
    image = tmp_path / "disk.img"
    image.write_bytes(b"\0" * 1080 + b"\x53\xef" + b"\0" * 3000)
    r = vm.cortado("launch", "--volume", "%s:/x" % image, "true")
    assert r.status == 125 and "ext2/3/4" in r.err, r


def test_run_and_inspect(shared, tmp_path):
    """Under the agent, in the background: the application's file is on the host, and inspect tells of the volume."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "cortado.json").write_text(json.dumps({"version": 1, "name": "vols", "runtime": "program", "main": "/usr/bin/busybox",
                                                  "args": ["sh", "-c", "echo started >/data/said; sleep 1000"]}))
    (shared / "said").write_text("")
    (tmp_path / "run").mkdir()
    env = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    r = vm.cortado("run", "-d", "--quiet", "--volume", "%s:/data" % shared, str(app), env=env, timeout=120)
    assert r.status == 0, r
    name = r.out.strip()
    try:
        deadline = time.monotonic() + 40
        while not (shared / "said").read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (shared / "said").read_text() == "started\n", vm.cortado("logs", name, env=env)
        told = json.loads(vm.cortado("inspect", name, env=env).out)
        assert told["volumes"] == [{"source": str(shared), "target": "/data", "read_only": False}], told
    finally:
        vm.cortado("stop", "-t", "3", name, env=env)
