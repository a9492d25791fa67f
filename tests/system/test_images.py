# SPDX-License-Identifier: BSD-2-Clause
"""Bad root images and bad kernel words: a message and an end, never a hang, never a silent success."""

import os
import random
import subprocess

import pytest

import vm

pytestmark = pytest.mark.cortado_only


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A root image with the hello program, made by the same tools."""
    folder = tmp_path_factory.mktemp("image")
    stage = folder / "root"
    (stage / "bin").mkdir(parents=True)
    for name in ("dev", "proc", "sys", "tmp", "run", "var"):
        (stage / name).mkdir()
    with open(vm.GUEST + "/static/hello", "rb") as f:
        (stage / "bin" / "hello").write_bytes(f.read())
    (stage / "bin" / "hello").chmod(0o755)
    path = folder / "root.erofs"
    subprocess.run(["mkfs.erofs", "--quiet", str(path), str(stage)], check=True)
    return path


def boot(path, *words, memory="64M", init="/bin/hello"):
    """launch with another root image as second disk."""
    drive = "-drive if=none,id=other,format=raw,readonly=on,file=%s -device virtio-blk-device,drive=other" % path
    return vm.cortado("launch", "-m", memory, "--machine", "microvm", "--qemu", drive, "--append",
                      " ".join(("root=/dev/vdb", "init=" + init) + words), vm.GUEST + "/static/hello", "3", timeout=40)


def test_other_root(image):
    r = boot(image)
    assert (r.status, r.out) == (3, "hello\n"), r


def refused(r):
    return not r.timed_out and r.status == 125 and "panic" in r.err


def test_empty_disk(tmp_path):
    path = tmp_path / "empty"
    path.write_bytes(b"\0" * (1 << 20))
    assert refused(boot(path)), "an empty disk was accepted"


@pytest.mark.parametrize("part", [0.001, 0.3, 0.9])
def test_truncated(image, tmp_path, part):
    data = image.read_bytes()
    path = tmp_path / "short"
    path.write_bytes(data[: max(512, int(len(data) * part) // 512 * 512)])
    r = boot(path)
    assert not r.timed_out and r.status != 3, r


def test_corrupt(image, tmp_path, full):
    """Random damage: whatever it hits, the VM ends by itself. When the damage spares what is used, hello still works."""
    data = image.read_bytes()
    for seed in range(60 if full else 8):
        chance = random.Random(seed)
        bad = bytearray(data)
        where = range(1024, 1200) if seed % 2 else range(len(data))
        for _ in range(chance.choice((1, 8, 300))):
            bad[chance.choice(where)] = chance.randrange(256)
        path = tmp_path / ("bad-%d" % seed)
        path.write_bytes(bytes(bad))
        r = boot(path)
        assert not r.timed_out, "seed %d: %r" % (seed, r)
        os.unlink(path)


@pytest.mark.parametrize("word", ["root=/dev/vdz", "root=nonsense", "rootfstype=ext9"])
def test_wrong_root(word):
    r = vm.cortado("launch", "--append", word, vm.GUEST + "/static/hello", "3", timeout=40)
    assert refused(r), r


def test_no_such_init():
    r = vm.cortado("launch", "--append", "init=/no/such", vm.GUEST + "/static/hello", timeout=40)
    assert not r.timed_out and r.status in (125, 127) and "/no/such" in r.err, r


GARBAGE = ["=", "root=", "==", "\"", "a=\"b", "x" * 1500, "loglevel=99999999999999", "maxcpus=0", "maxcpus=-1", "ip=:::::::::", "ip=garbage", "ip=1.2.3.4",
           "console=", "console=tty99", "mem=1", "hugepages=999999999", "cwd=/no/such/place", "-", "quiet quiet quiet", "\x01\x02\x7f", "K=V=W"]


@pytest.mark.parametrize("word", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_words(word):
    """Words that mean nothing do no harm; words that cannot be met are told."""
    r = vm.cortado("launch", "--append", word, vm.GUEST + "/static/hello", "3", timeout=40)
    assert not r.timed_out, r
    assert (r.status, r.out) == (3, "hello\n") or (r.status == 125 and r.err), r
