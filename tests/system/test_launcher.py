# SPDX-License-Identifier: BSD-2-Clause
"""The runtime glue on this host: jvm-host beside the JDK's own `java` (the same words give the same output and exit status), and
who speaks to the agent. These are ordinary Linux programs, so that no VM is needed to tell; a socket stands for the agent's."""

import glob
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

import vm

SOURCES = vm.ROOT + "/tests/system/java/launcher"
HOME = os.path.realpath(shutil.which("java") or "/usr/bin/java")[:-len("/bin/java")]
GLUE = os.path.join(os.environ.get("CORTADO_BUILD") or vm.ROOT + "/build", "glue")
OURS = [GLUE + "/jvm-host", HOME + "/lib/server/libjvm.so"]

pytestmark = pytest.mark.skipif(not os.path.exists(HOME + "/lib/libjli.so"), reason="no JDK here")


def _javac(*words):
    subprocess.run(["javac", "--release", "17", *words], check=True)


def _jar(path, folder, manifest="", *more):
    path.with_suffix(".mf").write_text(manifest)
    subprocess.run(["jar", "--create", "--file", str(path), "--manifest", str(path.with_suffix(".mf")), "-C", str(folder), ".", *more],
                   check=True)


@pytest.fixture(scope="module")
def apps(tmp_path_factory):
    """A folder with the programs in every form that `java` takes."""
    root = tmp_path_factory.mktemp("launcher")
    subprocess.run(["make", "-s", "-C", vm.ROOT + "/runtime-glue", "OUT=" + GLUE], check=True)
    _javac("-d", str(root / "cls"), *(SOURCES + "/%s.java" % n for n in ("Main", "Endings", "Names")))
    _javac("-d", str(root / "lib"), SOURCES + "/Library.java")
    _javac("-d", str(root / "agentcls"), SOURCES + "/Agent.java")
    _javac("-d", str(root / "mods" / "org.example"), *glob.glob(SOURCES + "/module/**/*.java", recursive=True))
    for number in ("1", "17"):
        folder = root / ("v" + number)
        folder.mkdir()
        (folder / "Versioned.java").write_text('public class Versioned { public static String name() { return "version %s"; } }' % number)
        _javac("-d", str(folder), str(folder / "Versioned.java"))
    jars = root / "jars and \u00e9"
    jars.mkdir()
    _jar(jars / "library.jar", root / "lib")
    _jar(jars / "versioned.jar", root / "v1", "Multi-Release: true\n", "--release", "17", "-C", str(root / "v17"), ".")
    _jar(jars / "agent.jar", root / "agentcls", "Premain-Class: Agent\nCan-Retransform-Classes: true\n")
    shutil.copytree(root / "cls", root / "full")
    shutil.copytree(root / "agentcls", root / "full", dirs_exist_ok=True)
    _jar(jars / "app.jar", root / "full", "Main-Class: Main\nClass-Path: library.jar versioned.jar\nLauncher-Agent-Class: Agent\n"
         "Add-Opens: java.base/java.lang\nEnable-Native-Access: ALL-UNNAMED\n")
    _jar(jars / "empty.jar", root / "lib")
    _jar(root / "plain.jar", root / "cls")
    (root / "args").write_text('-cp cls\n-Dx="of a file" # comment\nMain one \'two words\'\n')
    (root / "options").write_text("-Dx=options -ea\n")
    (root / "flags").write_text("+PrintConcurrentLocks\nMaxHeapSize=50331648\n")
    (root / ".hotspotrc").write_text("NoSuchFlag=1\n")
    (root / "Source.java").write_text('class Source { public static void main(String[] a) { System.out.println("source " + a.length); System.exit(4); } }')
    return root


class Runtime:
    """The agent's end of the control connection: takes greetings, and asks QUESTIONS."""

    def __init__(self, path):
        self.hellos, self.questions, self.answers = [], [], []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._take, args=(connection,), daemon=True).start()

    def _take(self, connection):
        with connection, connection.makefile("rw", encoding="utf-8") as lines:
            line = lines.readline()
            if line:
                self.hellos.append(json.loads(line))
                for number, method in enumerate(self.questions):
                    lines.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": {}}) + "\n")
                    lines.flush()
                    self.answers.append(json.loads(lines.readline()))
            lines.read()  # until the runtime ends


@pytest.fixture
def agent(tmp_path):
    a = Runtime(str(tmp_path / "glue.sock"))
    yield str(tmp_path / "glue.sock"), a
    a.listener.close()


def _run(words, cwd, env):
    r = subprocess.run(words, cwd=cwd, input=b"some input", stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                       env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **env})
    return r.returncode, r.stdout.decode(), r.stderr.decode()


JAR = "jars and \u00e9/app.jar"
CASES = {
    "class": ("-cp cls -Dx=1 Main a", {}),
    "words": (["-cp", "cls", "-server", "-Xss2m", "-ea", "Main", "", "a b", "\u00fc", "-server", "@args"], {}),
    "status": ("-cp cls -Dstatus=300 Main", {}),
    "argument file": ("@args @args", {}),
    "no argument file": ("-cp cls --disable-@files @args", {}),
    "missing argument file": ("@nowhere", {}),
    "JDK_JAVA_OPTIONS": ("-cp cls Main", {"JDK_JAVA_OPTIONS": "-Dx='a b' @options"}),
    "JDK_JAVA_OPTIONS with a class": ("-cp cls Main", {"JDK_JAVA_OPTIONS": "-cp cls Main"}),
    "JAVA_TOOL_OPTIONS": ("-cp cls Main", {"JAVA_TOOL_OPTIONS": "-Dx=tool", "_JAVA_OPTIONS": "-Dstatus=3"}),
    "CLASSPATH": ("Main", {"CLASSPATH": "cls"}),
    "VMOptionsFile": ("-XX:VMOptionsFile=options -cp cls Main", {}),
    "Flags": ("-XX:Flags=flags -cp cls Main", {}),
    "missing flags": ("-XX:Flags=nowhere -cp cls Main", {}),
    "bad flag": ("-XX:+NoSuchFlag -cp cls Main", {}),
    "bad option": ("-nosuchoption -cp cls Main", {}),
    "bad size": ("-Xmx1q -cp cls Main", {}),
    "missing class": ("-cp cls Missing", {}),
    "wrong case": ("-cp cls main", {}),
    "slashes": ("-cp cls Main/", {}),
    "no main": (["-cp", "cls", "Endings$NoMain"], {}),
    "instance main": (["-cp", "cls", "Endings$InstanceMain"], {}),
    "static initializer": (["-cp", "cls", "Endings$BadStart"], {}),
    "jar": (["-Dopened=1", "-jar", JAR, "a"], {}),
    "missing jar": ("-jar nowhere.jar", {}),
    "jar without main": (["-jar", "jars and \u00e9/empty.jar"], {}),
    "no jar": ("-jar args", {}),
    "wildcard": (["-cp", "cls:jars and \u00e9/*", "Main"], {}),
    "module": ("-p mods -m org.example/org.example.App a b", {}),
    "module=": ("--module-path mods --module=org.example/org.example.App a b", {}),
    "missing module": ("-p mods -m no.such/Main", {}),
    "source": ("Source.java a b", {}),
    "java agent": (["-javaagent:jars and \u00e9/agent.jar=o", "-cp", "cls", "Main"], {}),
    "missing agent": ("-javaagent:nowhere.jar -cp cls Main", {}),
    "missing library": ("-agentlib:nosuch -cp cls Main", {}),
    "version": ("-version", {}),
    "long version": ("--version", {}),
    "show version": ("-showversion -cp cls Main", {}),
    "full version": ("-fullversion", {}),
    "dry run": ("--dry-run -cp cls Main", {}),
    "describe module": ("-d java.logging", {}),
    "nothing": ("", {}),
    "libraries": ("-cp cls Main", {"LD_LIBRARY_PATH": HOME + "/lib/server"}),
    **{how: ("-Xmx32m -cp cls Endings " + how, {}) for how in
       ("throw", "handler", "thread", "exit", "halt", "halt-in-hook", "lingering", "daemon", "memory")},
    "exit on memory": ("-Xmx32m -XX:+ExitOnOutOfMemoryError -cp cls Endings memory", {}),
    "command on memory": (["-Xmx32m", "-XX:OnOutOfMemoryError=echo full", "-cp", "cls", "Endings", "memory"], {}),
}


@pytest.mark.parametrize("case", CASES)
def test_as_java(case, apps, agent):
    words, env = CASES[case]
    words = words.split() if isinstance(words, str) else words
    expected = _run([HOME + "/bin/java"] + words, apps, env)
    got = _run(OURS + words, apps, dict(env, CORTADO_GLUE=agent[0]))
    assert _comparable(got) == _comparable(expected)


def _comparable(result):
    """Whether memory's end has a stack trace depends on what is left at that moment."""
    status, out, err = result
    return status, out, re.sub(r"(OutOfMemoryError: .*\n)(\tat .*\n)*", r"\1", err)


def test_own_defaults_give_way_to_the_users(apps, agent):
    def sampling(*words, **env):
        status, out, err = _run(OURS + [*words, "-XX:+PrintFlagsFinal", "-version"], apps, dict(env, CORTADO_GLUE=agent[0]))
        assert status == 0, err
        return re.search(r"PerfDataSamplingInterval += (\d+)", out)[1]

    assert sampling() == "1000"
    assert sampling("-XX:PerfDataSamplingInterval=70") == "70"
    assert sampling(JAVA_TOOL_OPTIONS="-XX:PerfDataSamplingInterval=80") == "80"


def test_the_control_connection_is_there(apps, agent):
    for words in (["-server", "-cp", "cls", "Main"], ["-p", "mods", "-m", "org.example/org.example.App"], ["-jar", JAR]):
        known = len(agent[1].hellos)
        with subprocess.Popen(OURS + words, cwd=apps, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "CORTADO_GLUE": agent[0]}) as java:
            assert _until(lambda: len(agent[1].hellos) > known), words
            java.communicate(timeout=60)  # it waits for the end of its input
        assert agent[1].hellos[-1]["params"]["runtime"] == "java" and java.returncode == 0


def test_names_that_are_hard_to_pass_on(apps, agent):
    agent[1].questions = ["threads", "info"]
    with subprocess.Popen(OURS + ["-cp", "cls", "-Dx=\U0001f600", "Names"], cwd=apps, stdin=subprocess.PIPE,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "CORTADO_GLUE": agent[0]}) as java:
        assert _until(lambda: len(agent[1].answers) == 2), agent[1].answers
        java.communicate(b"x", timeout=60)
    names = {t["name"] for t in agent[1].answers[0]["result"]["threads"]}
    assert names >= {"caf\u00e9 \u65e5", "\U0001f600", "half \ufffd", "\ufffd half", "nul \0 tab \t \x7f", '"\\'}, names
    assert "-Dx=\U0001f600" in agent[1].answers[1]["result"]["options"]


def _until(condition, seconds=60):
    for _ in range(seconds * 20):
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_archives_that_java_made(apps, agent):
    """A CDS archive of the application, made with `java`, is good for jvm-host, and the other way round."""
    for name, maker, user in (("java.jsa", [HOME + "/bin/java"], OURS), ("host.jsa", OURS, [HOME + "/bin/java"])):
        env = {"CORTADO_GLUE": agent[0]}
        made = _run(maker + ["-XX:ArchiveClassesAtExit=" + name, "-cp", "plain.jar", "Main"], apps, env)
        assert made[0] == 0, made
        used = _run(user + ["-Xshare:on", "-XX:SharedArchiveFile=" + name, "-Xlog:class+load", "-cp", "plain.jar", "Main"], apps, env)
        assert used[0] == 0 and re.search(r" Main source: shared objects file \(top\)", used[1]), used


NODE = """
const { fork } = require('child_process'), { Worker, isMainThread } = require('worker_threads');
if (process.env.CORTADO_GLUE) console.log('seen');
if (isMainThread && !process.send)
  fork(__filename).on('exit', (code) => new Worker(__filename).on('exit', () => setTimeout(() => console.log('end', code), 200)));
"""


def test_only_the_first_node_process_connects(apps, agent, tmp_path):
    (tmp_path / "app.js").write_text(NODE)
    r = _run(["node", "--require", GLUE + "/node-glue.js", str(tmp_path / "app.js")], tmp_path, {"CORTADO_GLUE": agent[0]})
    assert r == (0, "end 0\n", "") and len(agent[1].hellos) == 1
