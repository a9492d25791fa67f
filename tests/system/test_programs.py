# SPDX-License-Identifier: BSD-2-Clause
"""Single programs under launch: exit statuses, streams, arguments, environment, faults."""

import hashlib
import os
import re
import subprocess

import pytest

import vm

FORMS = ["glibc", "no-pie", "static", "static-pie", "musl"]


@pytest.mark.everywhere
def test_hello(launch):
    r = launch(vm.GUEST + "/glibc/hello", "7", "a b", "c")
    assert (r.status, r.out, r.err) == (7, "hello a b c\n", ""), r


@pytest.mark.parametrize("form", FORMS)
def test_hello_in_every_form(launch, form):
    r = launch("%s/%s/hello" % (vm.GUEST, form), "42")
    assert (r.status, r.out, r.err) == (42, "hello\n", ""), r


@pytest.mark.parametrize("form", FORMS)
def test_null_read(launch, form):
    r = launch("%s/%s/crash" % (vm.GUEST, form), "null")
    assert r.status == 139 and r.out == "before null\n", r


FAULTS = {"write": 139, "readonly": 139, "noncanonical": 139, "execute": 139, "divide": 136, "illegal": 132, "trap": 133,
          "abort": 134, "stack": 139, "term": 143, "kill": 137}


@pytest.mark.parametrize("how", FAULTS)
def test_faults(launch, how):
    r = launch(vm.GUEST + "/glibc/crash", how)
    assert r.status == FAULTS[how] and r.out == "before %s\n" % how, r


@pytest.mark.cortado_only
def test_fault_is_told(launch):
    r = launch(vm.GUEST + "/glibc/crash", "null")
    assert r.status == 139, r
    assert "SIGSEGV" in r.err and "0x0" in r.err and len(r.err.splitlines()) == 1, r


@pytest.mark.everywhere
def test_shell(launch):
    r = launch("busybox", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (r.status, r.out, r.err) == (7, "out\n", "err\n"), r


def test_shell_with_children(launch):
    script = "for i in 1 2 3 4 5; do busybox echo $i | busybox cat; done; (exit 3) || echo was $?; busybox true && echo fine"
    r = launch("busybox", "sh", "-c", script)
    assert (r.status, r.out, r.err) == (0, "1\n2\n3\n4\n5\nwas 3\nfine\n", ""), r


def test_pipeline(launch):
    r = launch("busybox", "sh", "-c", "busybox seq 20000 | busybox sort -rn | busybox head -n 1; busybox seq 100 | busybox wc -l")
    assert (r.status, r.out) == (0, "20000\n100\n"), r


def test_dash(launch):
    r = launch("sh", "-c", "echo $0 $1; exit 9", "name", "arg")
    assert (r.status, r.out, r.err) == (9, "name arg\n", ""), r


@pytest.mark.cortado_only
def test_unknown_call_is_named_once(launch, tmp_path):
    r = launch(vm.GUEST + "/glibc/syscalls", "unknown_call")
    assert r.status == 0 and r.out == "ok unknown_call\n", r


def test_environment(launch, tmp_path):
    env = tmp_path / "env"
    env.write_text("# comment\nFROM_FILE=a b=c\nX=file\n")
    r = launch("-e", "X=1", "-e", "HOST_SET", "-e", "EMPTY=", "--env-file", env, "busybox", "env", env={"HOST_SET": "yes"})
    lines = r.out.splitlines()
    for line in ("X=1", "HOST_SET=yes", "EMPTY=", "FROM_FILE=a b=c", "HOME=/root"):
        assert line in lines, r
    assert not any(line.startswith("USER=") for line in lines), r


def test_arguments_are_exact(launch):
    words = ["", "a  b", "--", "-x", "tab\there", "quote\"'s", "ünï", "x" * 5000]
    r = launch("busybox", "printf", "[%s]", *words)
    assert r.out == "".join("[%s]" % w for w in words), r


def test_output_is_exact(launch, tmp_path):
    data = os.urandom(3 << 20)
    path = tmp_path / "data"
    path.write_bytes(data)
    r = launch("--with", "%s:/data" % path, "busybox", "cat", "/data", timeout=120)
    assert r.status == 0 and hashlib.sha256(r.out_bytes).digest() == hashlib.sha256(data).digest(), len(r.out_bytes)


def test_input_is_exact(launch):
    data = os.urandom(1 << 20)
    r = launch("busybox", "sha256sum", stdin=data, timeout=120)
    assert r.out.split()[0] == hashlib.sha256(data).hexdigest(), r


def test_through_and_back(launch):
    data = os.urandom(2 << 20)
    r = launch("busybox", "cat", stdin=data, timeout=120)
    assert r.status == 0 and r.out_bytes == data, (r.status, len(r.out_bytes), r.err)


def test_both_outputs_at_once(launch):
    r = launch("busybox", "sh", "-c", "busybox seq 30000 & busybox seq 30000 >&2; wait", timeout=120)
    expected = "".join("%d\n" % i for i in range(1, 30001))
    assert r.out == expected and r.err == expected, (len(r.out), len(r.err))


@pytest.mark.parametrize("how", ["closed", "null", "empty"])
def test_no_input(launch, how):
    with open(os.devnull, "rb") as null:
        stdin = {"closed": None, "null": null, "empty": b""}[how]
        r = launch("busybox", "wc", "-c", stdin=stdin)
    assert (r.status, r.out.strip()) == (0, "0"), r


def test_input_that_nobody_reads(launch):
    r = launch("busybox", "true", stdin=b"x" * 500000)
    assert r.status == 0, r


@pytest.mark.cortado_only
def test_reader_goes_away(launch):
    words = " ".join([vm.COMMAND, "launch"] + launch.options + ["busybox", "yes"])
    r = subprocess.run(["timeout", "60", "sh", "-c", words + " | head -n 2; exit ${PIPESTATUS:-0}"], stdout=subprocess.PIPE)
    assert r.stdout == b"y\ny\n" and r.returncode == 0, r


def test_relative_files_and_directory(launch, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file.txt").write_text("content\n")
    r = launch("--with", "sub", "busybox", "cat", "sub/file.txt", cwd=tmp_path)
    assert (r.status, r.out) == (0, "content\n"), r
    absolute = str(tmp_path / "sub" / "file.txt")
    r = launch("--with", absolute, "busybox", "cat", absolute)
    assert (r.status, r.out) == (0, "content\n"), r


def test_script(launch, tmp_path):
    script = tmp_path / "script.sh"
    script.write_text("#!/bin/sh\necho script $1\nexit 5\n")
    script.chmod(0o755)
    r = launch(script, "arg")
    assert (r.status, r.out) == (5, "script arg\n"), r


def test_writable_folders(launch):
    r = launch("busybox", "sh", "-c", "for d in /tmp /run /var /var/tmp /dev/shm; do echo $d >$d/file && busybox cat $d/file; done")
    assert r.out == "/tmp\n/run\n/var\n/var/tmp\n/dev/shm\n" and r.status == 0, r


def test_interrupt(launch):
    process = subprocess.Popen([vm.COMMAND, "launch"] + launch.options + ["busybox", "sh", "-c", "echo up; busybox sleep 100"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    assert process.stdout.readline() == b"up\n"
    process.send_signal(2)
    assert process.wait(20) == 130
    process.stdout.close()
    process.stderr.close()


@pytest.mark.parametrize("megabytes", [1, 16])
def test_many_small_writes(launch, megabytes):
    r = launch("busybox", "dd", "if=/dev/zero", "bs=1k", "count=%d" % (megabytes << 10), timeout=120)
    assert len(r.out_bytes) == megabytes << 20, r


@pytest.mark.cortado_only
def test_reading_proc_again_and_again_costs_no_memory(launch):
    script = """
        used() { while read -r name active rest; do case $name in dentry|inode) echo $name $active;; esac; done < /proc/slabinfo; }
        many() { i=0; while [ $i -lt 100 ]; do for f in /proc/1/stat /proc/self/task/1/comm /proc/1/fd/0 /sys/devices/system/cpu/cpu0/online; do
                 [ -e $f ]; done; read -r x < /proc/1/stat; i=$((i + 1)); done; }
        many; used; many; used"""
    r = launch("/usr/bin/busybox", "sh", "-c", script)
    figures = [int(line.split()[1]) for line in r.out.splitlines()]
    assert r.status == 0 and len(figures) == 4, r
    assert figures[2] - figures[0] < 30 and figures[3] - figures[1] < 30, figures


@pytest.mark.cortado_only
def test_kernel_messages(launch, tmp_path):
    """Words that ask for messages, and where these go: never among the program's own output."""
    console = tmp_path / "console.log"
    r = launch("--console", str(console), "--append", "bootchart strace=hello", vm.GUEST + "/static/hello")
    assert (r.status, r.out, r.err) == (0, "hello\n", ""), r
    text = console.read_text()
    assert "bootchart: " in text and "vfs_boot_mounts" in text
    assert re.search(r'write\(1, "hello\\n", 6\) += 6', text), text
