# SPDX-License-Identifier: BSD-2-Clause
"""An unmodified OpenJDK under launch."""

import glob
import os
import shutil
import subprocess

import pytest

import vm

COLLECTORS = ["Serial", "Parallel", "G1"]


@pytest.fixture(scope="session")
def classes(tmp_path_factory):
    out = tmp_path_factory.mktemp("classes")
    subprocess.run(["javac", "--release", "17", "-d", str(out)] + glob.glob(vm.ROOT + "/tests/system/java/*.java"), check=True)
    return str(out)


@pytest.mark.everywhere
def test_version(launch):
    r = launch("java", "-version", timeout=90)
    assert r.status == 0 and "Runtime Environment" in r.err and r.out == "", r


@pytest.mark.parametrize("collector", COLLECTORS)
def test_hello_world(launch, classes, collector):
    r = launch("-m", "512M", "--cpus", "2", "--with", classes + ":/cls", "java", "-XX:+Use%sGC" % collector, "-cp", "/cls", "HelloWorld", "4",
               timeout=150)
    assert r.status == 4, r
    assert r.out.splitlines() == ["Hello, World", "caught 200", "total 2400000", "stack overflow caught", "file text"], r


def test_z_collector(launch, classes):
    r = launch("-m", "768M", "--with", classes + ":/cls", "java", "-XX:+UseZGC", "-Xmx256m", "-cp", "/cls", "HelloWorld", timeout=200)
    assert r.status == 0 and "total 2400000" in r.out, r


@pytest.mark.parametrize("options, words", [
    ("-XX:+UseShenandoahGC -Xmx128m", ""),
    ("-XX:+UseSerialGC -Xmx128m -XX:+UseTransparentHugePages", ""),
    ("-XX:+UseSerialGC -Xmx128m -XX:+UseLargePages", "hugepages=220"),
])
def test_memory_options(launch, classes, options, words):
    r = launch("-m", "1G", "--cpus", "2", "--append", words, "--with", classes + ":/cls", "java", *options.split(), "-cp", "/cls", "HelloWorld",
               timeout=200)
    assert r.status == 0 and "total 2400000" in r.out and "warning" not in r.err + r.out, r


def test_uncaught_exception(launch, tmp_path):
    (tmp_path / "Bad.java").write_text("public class Bad { public static void main(String[] a) { throw new RuntimeException(\"oh\"); } }")
    subprocess.run(["javac", "-d", str(tmp_path), str(tmp_path / "Bad.java")], check=True)
    r = launch("--with", "%s:/cls" % tmp_path, "java", "-cp", "/cls", "Bad", timeout=90)
    assert r.status == 1 and "java.lang.RuntimeException: oh" in r.err, r


def test_loopback(launch, classes):
    r = launch("-m", "512M", "--with", classes + ":/cls", "java", "-cp", "/cls", "Loopback", timeout=150)
    assert (r.status, r.out) == (0, "100 small, large true\n"), r


def test_children(launch, classes):
    r = launch("-m", "512M", "--with", classes + ":/cls", "--with", "/usr/bin/busybox", "java", "-cp", "/cls", "Children", timeout=120)
    assert (r.status, r.out) == (0, "child yes\nstatus 6\nrefused\n"), r


def test_memory_is_the_guests(launch, classes):
    r = launch("-m", "400M", "--cpus", "2", "--with", classes + ":/cls", "java", "-XshowSettings:system", "-Xlog:os+container=info", "-XX:+PrintFlagsFinal",
               "-version", timeout=90)
    heap = next(int(line.split()[3]) for line in r.out.splitlines() if " MaxHeapSize " in line)
    assert r.status == 0 and 80 << 20 <= heap <= 220 << 20, r


TOOLS = """
cd /tmp
java -XX:NativeMemoryTracking=summary -XX:StartFlightRecording=filename=/tmp/end.jfr -Xlog:gc:file=gc.log -cp /cls Patient >out & p=$!
until grep -q patient out; do sleep 0.1; done
echo out $(sed -n s/patient.//p out) $p
kill -QUIT $p
until grep -q "JNI global refs" out; do sleep 0.1; done
echo dump $(grep -c '^"resting".*waiting on condition' out)
echo native $("$J/jcmd" $p VM.native_memory summary | grep -c ^Total:)
kill $p; wait $p; echo status $?
echo recording $("$J/jfr" summary end.jfr | grep -c "jdk.ThreadStart ") log $(grep -c Using gc.log)
echo left $(ls /tmp/hsperfdata_root /tmp/.java_pid* /tmp/.attach_pid* 2>/dev/null | grep -c "^[0-9/]*$p")
echo 'class A { public static void main(String[] a) { System.out.println("ran " + a.length); } }' >A.java
java A.java 1 2
"""


def test_tools_of_the_jdk(launch, classes, tmp_path):
    """Inside, and on a JVM inside: dumps, the attach interface, recordings, the compiler."""
    home = os.path.realpath(shutil.which("java"))[:-len("/java")]
    (tmp_path / "tools.sh").write_text("J=%s\n%s" % (home, TOOLS))
    programs = [w for name in ("java", "grep", "sed", "sleep", "ls") for w in ("--with", shutil.which(name))]
    r = launch("-m", "768M", "--with", classes + ":/cls", "--with", "%s:/tools.sh" % (tmp_path / "tools.sh"), *programs, "sh", "/tools.sh", timeout=300)
    pid = r.out.split()[1]
    assert r.out.splitlines() == ["out %s %s" % (pid, pid), "dump 1", "native 1", "status 143", "recording 1 log 1", "left 0", "ran 2"], r
