# SPDX-License-Identifier: BSD-2-Clause
"""OpenJDK's own tests: jtreg compiles and runs them on this host; each program of a test that passed then runs in a VM, by
the command that jtreg notes in the test's result.

CORTADO_JDK_TESTS names the folder test/ of the source that belongs to JAVA_HOME's JDK."""

import json
import os
import re
import shutil
import subprocess

import pytest

import beside

TESTS = os.environ.get("CORTADO_JDK_TESTS", "")
HOME = os.environ.get("JAVA_HOME", "/usr/lib/jvm/java-17-openjdk-amd64")
FACTOR = "8.0"  # for the tests' own time limits in the VM
FOLDERS = """java/net/Socket java/net/ServerSocket java/net/DatagramSocket java/net/MulticastSocket java/net/InetAddress
    java/net/NetworkInterface java/net/httpclient java/nio/channels java/nio/file java/nio/Buffer java/io/File java/io/FileInputStream
    java/io/RandomAccessFile java/lang/ProcessBuilder java/lang/ProcessHandle java/lang/RuntimeTests java/lang/Thread java/lang/management
    java/util/concurrent java/util/zip com/sun/management com/sun/net/httpserver jdk/jfr/api sun/management""".split()
# Meant to fail, or with a policy that allows jtreg's own folders only.
LEFT_OUT = re.compile(r"AsynchronousChannelGroup/BadProperties|unixdomain/Security")

pytestmark = pytest.mark.skipif(not os.path.isdir(TESTS) or not shutil.which("jtreg"),
                                reason="CORTADO_JDK_TESTS names no tests, or jtreg is not installed")


def _plain(text):
    """A section of a .jtr file without its escapes."""
    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", lambda m: chr(int(m[1][1:], 16)) if len(m[1]) > 1 else {"n": "\n", "t": "\t"}.get(m[1], m[1]), text)


def _exports(modules):
    for word in modules.split():
        package, _, how = word.partition(":")
        if "/" in package:
            if how != "open":
                yield "--add-exports %s=ALL-UNNAMED" % package
            if "open" in how:
                yield "--add-opens %s=ALL-UNNAMED" % package


def _arguments(section, command):
    """The content of the file of arguments that jtreg's wrapper reads: the class, and the rest in one string."""
    main = re.search(r"-Dtest\.main\.class=(\S+)", command)
    words = re.search(r"^command: (.*)", section, re.M).group(1).split()
    after = command.rpartition(".jta")[2].split()
    if words[0] != "main":
        return "com.sun.javatest.regtest.agent.%sRunner" % {"testng": "TestNG", "junit": "JUnit"}[words[0]], after
    name = main.group(1).strip("'")
    # A class that the test starts itself goes by another name: the first word that is no option.
    at = next((i for i, w in enumerate(words) if w.rpartition("/")[2] == name),
              next(i for i, w in enumerate(words[1:], 1) if not w.startswith("-")))
    return words[at].rpartition("/")[2], words[at + 1:]


def _programs(result, name, scratch):
    with open(result, encoding="utf-8", errors="replace") as f:
        text = f.read()
    if not re.search(r"^execStatus=Passed", text, re.M):
        return
    modules = re.search(r"^modules=(.*)", text, re.M)
    flags = "-XX:+ErrorFileToStdout -XX:TieredStopAtLevel=1 " + " ".join(_exports(_plain(modules.group(1)) if modules else ""))
    for number, section in enumerate(re.split(r"^#section:", text, flags=re.M)):
        rerun = re.search(r"^-+rerun:\S+?(\*?)-+\n(.*?)(?=^-{10}|^result: )", section, re.M | re.S)
        if section.split("\n")[0] not in ("main", "driver", "testng", "junit") or not rerun:
            continue
        command = _plain(rerun.group(2)) if rerun.group(1) else rerun.group(2)
        folder = "%s/%s-%d" % (scratch, name.replace("/", "."), number)
        command = re.sub(r"^cd \S+ &&", "mkdir -p %s && cd %s &&" % (folder, folder), command)
        command = re.sub(r"-Dtest.timeout.factor=\S+", "-Dtest.timeout.factor=" + FACTOR, command)
        command = command.replace("bin/java \\\n", "bin/java %s \\\n" % flags, 1)
        wrapped = re.search(r"MainWrapper (\S+\.jta)", command)
        if wrapped:
            main, rest = _arguments(section, command)
            content = "%s\\0%s\\0" % (main, " ".join(rest))
            command = "mkdir -p %s && printf '%%b' '%s' >%s.jta && " % (scratch, content, folder) + command.replace(
                wrapped.group(1), folder + ".jta")
        yield {"name": "%s#%d" % (name, number), "argv": ["/bin/sh", "-c", command]}


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder(folder, tmp_path):
    suite, work = os.path.join(TESTS, "jdk"), tmp_path / "work"
    if not os.path.isdir(os.path.join(suite, folder)):
        pytest.skip("not in this source")
    subprocess.run(["jtreg", "-jdk:" + HOME, "-agentvm", "-a", "-concurrency:2", "-timeoutFactor:2", "-ignore:quiet", "-verbose:fail",
                    "-k:!headful&!printer", "-w:%s" % work, "-r:%s" % (tmp_path / "report"), folder], cwd=suite, timeout=3600,
                   env=dict(os.environ, JT_JAVA=HOME))
    tests = []
    for base, _, files in sorted(os.walk(work)):
        for name in sorted(files):
            path = os.path.join(base, name)
            if name.endswith(".jtr") and not LEFT_OUT.search(path):
                tests += _programs(path, os.path.relpath(path, work)[:-4], "/tmp/jt")
    libraries = ["/usr/lib/x86_64-linux-gnu/" + n for n in ("libstdc++.so.6", "libgcc_s.so.1", "libz.so.1")]
    also = [HOME, HOME + "/bin/java", os.path.realpath("/etc/java-17-openjdk"), "/usr/share/jtreg", "/usr/share/java"] + libraries
    bring = {str(work): "/srv/work", os.path.join(suite, folder): "/srv/test/jdk/" + folder, os.path.join(TESTS, "lib"): "/srv/test/lib",
             TESTS: "/srv/test"}
    worse = beside.compare(tests, tmp_path, bring, limit=120, also=also)
    assert not worse, worse
