# SPDX-License-Identifier: BSD-2-Clause
"""Applications under `run`: building, readiness, ports, logs, the API, the balloon, ending; and image folders."""

import glob
import http.client
import json
import os
import signal
import socket
import subprocess
import time

import pytest

import vm

HELLO = vm.ROOT + "/apps/node/hello"
ORDERS = vm.ROOT + "/apps/java/orders"


class Host:
    """A state folder of its own, and an end for every VM in it."""

    def __init__(self, folder, guest):
        self.env = {"XDG_STATE_HOME": str(folder / "state"), "XDG_RUNTIME_DIR": str(folder / "run")}
        (folder / "run").mkdir()
        self.guest = ["--guest", guest] if guest != "cortado" else []

    def __call__(self, command, *words, timeout=60, **options):
        if command == "run":
            words = tuple(self.guest) + words
        return vm.cortado(command, *words, timeout=timeout, env=dict(self.env, **options.pop("env", {})), **options)

    def start(self, *words):
        r = self("run", "-d", "--wait", "--quiet", *words, timeout=120)
        assert r.status == 0, r
        return r.out.strip()

    def port(self, name, guest):
        address, port = self("port", name, str(guest)).out.strip().rsplit(":", 1)
        return address, int(port)

    def get(self, name, path="/", port=8080, method="GET", body=None):
        connection = http.client.HTTPConnection(*self.port(name, port), timeout=20)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def stop_all(self):
        r = self("ps", "--json")
        for found in json.loads(r.out or "[]"):
            self("stop", "-t", "5", found["name"])


@pytest.fixture
def host(tmp_path_factory, request):
    h = Host(tmp_path_factory.mktemp("h"), request.config.getoption("guest"))
    yield h
    h.stop_all()


def app(folder, script, name="t", **more):
    folder.mkdir(exist_ok=True)
    (folder / "main.js").write_text(script)
    (folder / "cortado.json").write_text(json.dumps(dict({"version": 1, "name": name, "runtime": "node", "main": "main.js", "memory": "256M"}, **more)))
    return folder


SERVER = "require('http').createServer((q, r) => r.end('at ' + q.url)).listen(8080, () => console.log('listening'));"


def test_output_that_nobody_takes(host, tmp_path):
    """The application waits; the API does not."""
    (tmp_path / "cortado.json").write_text(json.dumps({"version": 1, "name": "y", "runtime": "program", "main": "/usr/bin/busybox",
                                                       "args": ["yes"], "on_exit": "keep"}))
    process = subprocess.Popen([vm.COMMAND, "run", "--quiet", "--api", "0"] + host.guest + [str(tmp_path)], env=dict(os.environ, **host.env),
                               stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout.read(2) == b"y\n"
        seen = 0
        while (size := len(host("logs", "y").out)) > seen:
            seen = size
        for _ in range(3):
            assert json.loads(host("api", "y", "GET", "/v1/app", timeout=20).out)["state"] == "running"
        assert host("stop", "-t", "20", "y").status == 0
    finally:
        process.stdout.close()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("machine", ["q35", "microvm"])
def test_detached_life(host, machine, request):
    if machine == "microvm" and request.config.getoption("guest") == "linux":
        pytest.skip("Debian's kernel does not boot reliably there")
    r = host("run", "-d", "--wait", "--name", "h", "--machine", machine, HELLO, timeout=120)
    assert (r.status, r.out) == (0, "h\n") and "ready in " in r.err and "http://127.0.0.1:" in r.err, r
    assert host.get("h") == (200, '{"message":"hello"}')
    listed = json.loads(host("ps", "--json").out)
    assert [v["name"] for v in listed] == ["h"] and listed[0]["state"] == "running"
    assert "listening" in host("logs", "h").out
    r = host("api", "h", "GET", "/v1/app")
    assert r.status == 0 and json.loads(r.out)["state"] == "running" and json.loads(r.out)["ready"] is True, r
    assert host("api", "h", "GET", "/no/such").status == 1
    r = host("run", "-d", "--name", "h", HELLO)
    assert r.status == 1 and "h" in r.err and "running" in r.err, r
    assert "h " in host("top", "h", "--once").out
    r = host("stop", "h")
    assert (r.status, r.out) == (0, "h\n"), r
    assert host("ps").out.count("\n") == 1 and "exited (0)" in host("ps", "-a").out
    assert host("wait", "h").out == "0\n" and host("logs", "h").out
    assert host("api", "h", "GET", "/v1/app").status == 1
    assert json.loads(host("inspect", "h").out)["exit_status"] == 0


def test_java_service(host):
    name = host.start(ORDERS)
    status, body = host.get(name, "/orders", method="POST", body=json.dumps({"customer": "c", "items": [{"sku": "s", "quantity": 2, "price": 3}]}))
    assert status < 500, body
    assert host.get(name, "/orders")[0] == 200
    r = host("api", name, "GET", "/v1/jvm")
    assert r.status == 0 and json.loads(r.out)["version"].startswith("17"), r
    r = host("api", name, "GET", "/metrics")
    assert "jvm_memory_used_bytes" in r.out, r


def test_foreground_status_and_output(host, tmp_path):
    folder = app(tmp_path / "a", "console.log('out', process.argv.slice(2).join(), process.env.X); console.error('err'); process.exitCode = 5", args=["m"])
    r = host("run", "--quiet", "-e", "X=y", str(folder), "--", "one", "--two", timeout=90)
    assert (r.status, r.out, r.err) == (5, "out m,one,--two y\n", "err\n"), r


def test_killed_application(host, tmp_path):
    folder = app(tmp_path / "a", "process.kill(process.pid, 'SIGKILL')")
    r = host("run", "--quiet", str(folder), timeout=90)
    assert r.status == 137, r


def test_foreground_interrupt(host, tmp_path):
    folder = app(tmp_path / "a", "process.on('SIGTERM', () => { console.log('bye'); process.exit(0) });" + SERVER, ports=[8080])
    process = subprocess.Popen([vm.COMMAND, "run"] + host.guest + [str(folder)], env=dict(os.environ, **host.env), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True, text=True)
    try:
        lines = [process.stderr.readline() for _ in range(2)]
        assert any("ready in" in line for line in lines), lines
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 130 and out == "listening\nbye\n", (process.returncode, out)
    finally:
        if process.poll() is None:
            process.kill()


def test_failure_keeps_the_api(host, tmp_path):
    folder = app(tmp_path / "a", "console.log('x'); setTimeout(() => process.exit(3), 300)", name="f")
    name = host.start(str(folder))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        state = json.loads(host("api", name, "GET", "/v1/app").out)
        if state["state"] in ("failed", "exited"):
            break
    assert state["exit"]["code"] == 3, state
    assert host("stop", name).status == 0
    assert host("wait", name).out == "3\n"


def test_wait_tells_a_failure(host, tmp_path):
    folder = app(tmp_path / "a", "console.log('x'); process.exit(3)", name="w", ports=[8080])
    r = host("run", "-d", "--wait", "--quiet", str(folder), timeout=120)
    assert r.status == 1 and r.out == "" and "w ended with status 3 before it was ready" in r.err, r
    assert json.loads(host("api", "w", "GET", "/v1/app").out)["state"] == "failed"


def test_wait_tells_a_crash_loop(host, tmp_path):
    folder = app(tmp_path / "a", "process.exit(4)", name="w", ports=[8080], restart="always")
    r = host("run", "-d", "--wait", "--quiet", str(folder), timeout=120)
    assert r.status == 1 and "w ended with status 4 before it was ready, again and again" in r.err, r
    assert json.loads(host("api", "w", "GET", "/v1/app").out)["state"] in ("backoff", "starting")


def test_restart_policy(host, tmp_path):
    script = "const f = '/tmp/n'; const fs = require('fs'); const n = fs.existsSync(f) ? +fs.readFileSync(f) : 0; fs.writeFileSync(f, '' + (n + 1));" \
             "console.log('start', n); process.exit(n < 2 ? 1 : 0)"
    folder = app(tmp_path / "a", script, restart="on-failure:5")
    r = host("run", "--quiet", str(folder), timeout=120)
    assert r.status == 0 and r.out == "start 0\nstart 1\nstart 2\n", r


def test_ports(host, tmp_path):
    folder = app(tmp_path / "a", SERVER, ports=[8080])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        r = host("run", "-d", "-p", "%d:8080" % number, str(folder))
        assert r.status == 1 and str(number) in r.err and "-p" in r.err, r
    name = host.start("-p", "127.0.0.1:0:8080", "--api", "0", str(folder))
    assert host.get(name, "/x") == (200, "at /x")
    assert host("port", name, "99").status == 1
    r = host("run", "-d", "--api", "0.0.0.0:9999", str(folder))
    assert r.status == 2 and "loopback" in r.err, r


def test_many_requests(host):
    name = host.start(HELLO)
    connection = http.client.HTTPConnection(*host.port(name, 8080), timeout=20)
    for _ in range(300):
        connection.request("GET", "/")
        assert connection.getresponse().read() == b'{"message":"hello"}'
    connection.close()


def test_two_at_once(host, tmp_path):
    first, second = host.start(HELLO), host.start(HELLO)
    assert first != second and host.get(first)[0] == host.get(second)[0] == 200
    assert sorted(v["name"] for v in json.loads(host("ps", "--json").out)) == sorted([first, second])


@pytest.mark.cortado_only
def test_balloon(host):
    name = host.start("-m", "256M", HELLO)
    r = host("balloon", name, "160M", "--timeout", "30")
    assert r.status == 0 and "160M of 256M" in r.out, r
    figures = json.loads(host("api", name, "GET", "/v1/balloon").out)
    assert figures["boot_bytes"] > figures["actual_bytes"] and abs(figures["actual_bytes"] - (160 << 20)) <= 2 << 20, figures
    assert host.get(name)[0] == 200
    assert host("balloon", name, "256M").status == 0
    assert host("balloon", name, "300M").status == 2
    assert host("balloon", name, "2M", "--timeout", "2").status == 1
    assert host("balloon", name, "256M").status == 0 and host.get(name)[0] == 200


def test_log_options(host, tmp_path):
    folder = app(tmp_path / "a", "for (let i = 1; i <= 2000; i++) console.log('line', i)")
    r = host("run", "-d", str(folder))
    name = r.out.strip()
    assert host("wait", name).out == "0\n"
    out = host("logs", name).out
    assert out == "".join("line %d\n" % i for i in range(1, 2001)), out[-200:]
    assert host("logs", "--tail", "3", name).out == "line 1998\nline 1999\nline 2000\n"
    assert host("logs", "--tail", "0", name).out == ""
    assert host("logs", "-f", name).out == out


def test_image_folder(host, tmp_path):
    folder = app(tmp_path / "a", "console.log('from an image', process.argv[2])", name="i")
    r = host("build", str(folder), "-o", str(tmp_path / "image"), timeout=120)
    assert r.status == 0 and sorted(os.listdir(tmp_path / "image")) == ["image.json", "kernel.elf", "root.erofs"], r
    assert subprocess.run(["fsck.erofs", str(tmp_path / "image" / "root.erofs")], stdout=subprocess.DEVNULL).returncode == 0
    r = host("run", "--quiet", str(tmp_path / "image"), "--", "arg", timeout=90)
    assert (r.status, r.out) == (0, "from an image arg\n"), r
    (tmp_path / "image" / "image.json").write_text("{")
    assert host("run", str(tmp_path / "image")).status == 125
    (tmp_path / "image" / "other").write_text("")
    assert host("build", str(folder), "-o", str(tmp_path / "image")).status == 2


@pytest.mark.cortado_only
def test_corrupt_image_folder(host, tmp_path):
    folder = app(tmp_path / "a", "console.log('x')", name="i")
    image = tmp_path / "image"
    assert host("build", str(folder), "-o", str(image), timeout=120).status == 0
    with open(image / "root.erofs", "r+b") as f:
        f.seek(1024)
        f.write(b"\xff" * 512)
    r = host("run", "--quiet", str(image), timeout=60)
    assert r.status == 125 and not r.timed_out and "panic" in r.err, r
    with open(image / "root.erofs", "r+b") as f:
        f.truncate(100 << 10)
    r = host("run", "--quiet", str(image), timeout=60)
    assert r.status != 0 and not r.timed_out, r


def test_program_runtime(host, tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "cortado.json").write_text(json.dumps({"version": 1, "runtime": "program", "main": "/usr/bin/busybox", "args": ["sh", "-c", "echo $0 $1; exit 8", "a"]}))
    r = host("run", "--quiet", str(folder), "--", "b", timeout=60)
    assert (r.status, r.out) == (8, "a b\n"), r


def test_lone_files(host, tmp_path):
    (tmp_path / "lib.js").write_text("module.exports = 'imported'")
    (tmp_path / "x.js").write_text("console.log(require('./lib'), process.cwd())")
    r = host("run", "--quiet", str(tmp_path / "x.js"), timeout=90)
    assert (r.status, r.out) == (0, "imported /app\n"), r
    (tmp_path / "M.java").write_text("public class M { public static void main(String[] a) { System.out.println(\"jar \" + a[0]); System.exit(4); } }")
    subprocess.run(["javac", "-d", ".", "M.java"], cwd=tmp_path, check=True)
    subprocess.run(["jar", "cfe", "m.jar", "M", "M.class"], cwd=tmp_path, check=True)
    r = host("run", "--quiet", "m.jar", "--", "arg", cwd=tmp_path, timeout=90)
    assert (r.status, r.out) == (4, "jar arg\n"), r


def test_java_modules_and_libraries(host, tmp_path):
    """A main class in a module, and one whose libraries stand in manifests, on paths with spaces."""
    sources = vm.ROOT + "/tests/system/java/launcher/"
    folder = tmp_path / "an app \u00e9"
    subprocess.run(["javac", "-d", str(folder / "org.example"), *glob.glob(sources + "module/**/*.java", recursive=True)], check=True)
    manifest = {"version": 1, "name": "m", "runtime": "java", "args": ["a"],
                "java": {"classpath": ["org.example"], "main_class": "org.example/org.example.App"}}
    (folder / "cortado.json").write_text(json.dumps(manifest))
    r = host("run", "--quiet", str(folder), "--", "b", timeout=90)
    assert (r.status, r.out) == (0, "module org.example 2\n"), r

    subprocess.run(["javac", "-d", str(tmp_path / "cls"), sources + "Library.java", sources + "Main.java"], check=True)
    for path, mf, name in (("app \u00e9.jar", "Class-Path: more%20jars/a.jar\nMain-Class: Main\n", "Main.class"),
                           ("more jars/a.jar", "Class-Path: b.jar\n", "no"), ("more jars/b.jar", "", "Library.class")):
        (folder / path).parent.mkdir(exist_ok=True)
        (tmp_path / "mf").write_text(mf)
        words = ["-C", str(tmp_path / "cls"), name] if name != "no" else []
        subprocess.run(["jar", "cfm", str(folder / path), str(tmp_path / "mf"), *words], check=True)
    manifest.update(main="app \u00e9.jar", java={"options": ["@/app/more options"]}, files={"more options": "/app/"})
    (folder / "more options").write_text('-Dx="of a file" -Dstatus=6\n')
    (folder / "cortado.json").write_text(json.dumps(manifest))
    r = host("run", "--quiet", str(folder), timeout=90)
    assert r.status == 6 and r.out.startswith("[a] x=of a file cp=/app/app \u00e9.jar command=/app/app \u00e9.jar a ") and "\nlibrary\n" in r.out, r
