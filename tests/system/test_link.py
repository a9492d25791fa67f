# SPDX-License-Identifier: BSD-2-Clause
"""The network device as the machine changes it: carrier, announcements, packed rings, several queues. QEMU is told by QMP."""

import contextlib
import os
import re
import select
import subprocess
import time

import pytest

import network
import vm
from cortado_cli.qmp import Qmp

pytestmark = pytest.mark.cortado_only
needs_tap = pytest.mark.skipif(bool(network.why_not()), reason=network.why_not())
FLOOD = 'socket S, 2, 2, 0; $to = pack "Snx0C4x8", 2, 9, 10, 99, 0, 1; send S, "x", 0, $to while 1'
PACKED = " ".join("-global virtio-%s-device.packed=on" % d for d in ("net", "blk", "serial", "rng", "balloon"))


class Shell:
    """A shell in a VM, one command after the other."""

    def __init__(self, words, prefix=()):
        programs = [word for name in ("/bin/busybox", "/bin/cat", "/sbin/ip", "/usr/bin/perl") for word in ("--with", name)]
        self.process = subprocess.Popen([*prefix, vm.COMMAND, "launch", *words, *programs, "/bin/sh"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, start_new_session=True)
        self.left = b""

    def line(self, limit=60.0):
        end = time.monotonic() + limit
        while b"\n" not in self.left:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert data, "the VM says nothing more: %r" % self.left
            self.left += data
        line, self.left = self.left.split(b"\n", 1)
        return line.decode()

    def __call__(self, command):
        self.process.stdin.write(b"%s 2>&1; echo =end=$?\n" % command.encode())
        self.process.stdin.flush()
        out = []
        while not re.match("=end=", out[-1] if out else ""):
            out.append(self.line())
        return int(out.pop()[5:]), "\n".join(out)

    def until(self, command, wanted, limit=30.0):
        """Run COMMAND until its output holds WANTED."""
        end = time.monotonic() + limit
        while True:
            _, out = self(command)
            if wanted in out:
                return out
            assert time.monotonic() < end, out
            time.sleep(0.1)

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


@contextlib.contextmanager
def shell(folder, *words, prefix=(), qemu=""):
    socket = "%s/qmp" % folder
    s = Shell([*words, "--qemu", "-qmp unix:%s,server=on,wait=off %s" % (socket, qemu)], prefix)
    try:
        assert s("echo up") == (0, "up")
        with Qmp(socket) as q:
            yield s, q
        s.close()
    finally:
        if s.process.poll() is None:
            os.killpg(s.process.pid, 9)
            s.process.wait()


@pytest.mark.parametrize("machine", ["microvm", "q35"])
def test_carrier(tmp_path, machine):
    with shell(tmp_path, "--machine", machine, "--net", "user") as (sh, qmp):
        sh.until("ip -4 addr show dev eth0", "inet ")
        assert sh("cat /sys/class/net/eth0/carrier /sys/class/net/eth0/operstate") == (0, "1\nup")
        assert sh("busybox ping -c 1 -W 5 10.0.2.2")[0] == 0
        sh("ip -o monitor link > /tmp/events & busybox sleep 1")
        qmp.call("set_link", name="net0", up=False)
        sh.until("cat /tmp/events", "NO-CARRIER")
        assert sh("cat /sys/class/net/eth0/carrier /sys/class/net/eth0/operstate") == (0, "0\ndown")
        # What is sent is lost, and says nothing; addresses and routes stay.
        status, out = sh("busybox ping -c 1 -W 1 10.0.2.2")
        assert status == 1 and "1 packets transmitted, 0 packets received" in out, out
        assert "10.0.2.2" in sh("ip route")[1]
        qmp.call("set_link", name="net0", up=True)
        sh.until("busybox tail -n 1 /tmp/events", "LOWER_UP")
        assert sh("cat /sys/class/net/eth0/carrier") == (0, "1")
        sh.until("busybox ping -c 1 -W 5 10.0.2.2", "1 packets received")
        sh("kill %1")


def test_announcement(tmp_path):
    """After a migration QEMU has the guest tell the network where it is."""
    capture = tmp_path / "capture"
    with shell(tmp_path, "--machine", "q35", "--net", "user", qemu="-object filter-dump,id=dump,netdev=net0,file=%s" % capture) as (sh, qmp):
        sh.until("ip -4 addr show dev eth0", "inet 10.0.2.15")
        sh("busybox ping -c 1 -W 5 10.0.2.2")
        before = capture.stat().st_size
        qmp.call("announce-self", initial=50, max=100, rounds=2, step=50)
        mine = bytes([10, 0, 2, 15])
        end = time.monotonic() + 20
        while not re.search(rb"\x08\x06\x00\x01\x08\x00\x06\x04\x00.{7}" + mine + b".{6}" + mine, capture.read_bytes()[before:], re.S):
            assert time.monotonic() < end, "no ARP announcement"
            time.sleep(0.1)


@pytest.mark.parametrize("machine", ["microvm", "q35"])
def test_packed_rings(tmp_path, machine):
    """All devices over packed rings."""
    probe = tmp_path / "data"
    probe.write_bytes(os.urandom(3 << 20))
    with shell(tmp_path, "--machine", machine, "--net", "user", "--with", "%s:/data" % probe, qemu=PACKED) as (sh, qmp):
        devices = [qmp.call("x-query-virtio-status", path=d["path"]) for d in qmp.call("x-query-virtio")]
        assert len(devices) >= 4, devices
        for d in devices:
            assert "PACKED" in str(d["guest-features"]), d["name"]
        sh.until("ip -4 addr show dev eth0", "inet ")
        assert "10 packets received" in sh("busybox ping -c 10 -i 0.1 -W 5 10.0.2.2")[1]
        want = subprocess.run(["busybox", "md5sum", probe], stdout=subprocess.PIPE, check=True, text=True).stdout.split()[0]
        assert sh("busybox md5sum /data")[1].split()[0] == want


@needs_tap
@pytest.mark.parametrize("queues, options", [(2, ""), (2, ",rss=on"), (2, ",packed=on"), (4, "")])
def test_several_queues(tmp_path, queues, options):
    device = "virtio-net-pci,netdev=n,mq=on,vectors=%d,romfile=" % (2 * queues + 2) + options
    words = ["-netdev tap,id=n,ifname=t0,queues=%d,script=no,downscript=no -device " % queues + device]
    prefix = ["unshare", "-n", "sh", "-c", "ip tuntap add dev t0 mode tap multi_queue && ip addr add 10.99.0.1/24 dev t0 && ip link set t0 up && "
              "exec \"$@\"", "sh"]
    with shell(tmp_path, "--machine", "q35", "--cpus", str(queues), "--net", "none", "--append", "ip=10.99.0.2::10.99.0.1:255.255.255.0::eth0:off",
               prefix=prefix, qemu=words[0]) as (sh, qmp):
        assert "numtxqueues %d numrxqueues %d" % (queues, queues) in sh("ip -d link show eth0")[1]
        sh.until("ip -4 addr show dev eth0", "inet ")
        for _ in range(queues):  # from whichever CPU the program is on
            assert "5 packets received" in sh("busybox ping -c 5 -i 0.1 -W 5 10.99.0.1")[1]
        # The link goes and comes back under traffic of all CPUs, also while they do not know yet.
        sh("for i in %s; do perl -e '%s' & done" % (" ".join(map(str, range(queues))), FLOOD))
        for up in (False, True) * 8:
            qmp.call("set_link", name="n", up=up)
            sh.until("cat /sys/class/net/eth0/carrier", "%d" % up)
        sh("kill $(jobs -p)")
        sh.until("busybox ping -c 1 -W 5 10.99.0.1", "1 packets received")
