# SPDX-License-Identifier: BSD-2-Clause
"""The cable between a VM's network device and the TAP device of a namespace: it loses, delays and reorders frames as told.

What `tc netem` does where the host's kernel has it, seen from both ends, and without the offloads of a TAP device: every
frame is a whole one of 1,514 bytes at most."""

import fcntl
import heapq
import os
import random
import select
import socket
import struct
import threading
import time

from cortado_cli.netns import TAP

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 2, 0x1000


class Wire:
    """Use it as a context manager. `loss` and `early` are shares of the frames, `delay` seconds; each may be changed at any
    time. An early frame is not delayed, and so overtakes others."""

    def __init__(self, namespace, folder, seed):
        self.loss, self.delay, self.early = 0.0, 0.0, 0.0
        self.lost, self.passed = 0, 0
        self._random = random.Random(seed)
        self._paths = [os.path.join(folder, end) for end in ("wire", "vm")]
        self._vm = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._vm.bind(self._paths[0])
        with namespace.entered():
            self._tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self._tap, _TUNSETIFF, struct.pack("16sH22x", TAP.encode(), _IFF_TAP | _IFF_NO_PI))
        self._end = os.eventfd(0)
        self._thread = threading.Thread(target=self._run)

    @property
    def device(self):
        """QEMU's words for the VM's end."""
        return ("-netdev dgram,id=wire,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s "
                "-device virtio-net-pci,netdev=wire,romfile=" % (self._paths[1], self._paths[0]))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.eventfd_write(self._end, 1)
        self._thread.join()
        self._vm.close()
        os.close(self._tap)
        os.close(self._end)

    def _run(self):
        waiting, poll = [], select.poll()  # (when due, order of arrival, how it is sent, frame)
        for fd in (self._vm.fileno(), self._tap, self._end):
            poll.register(fd, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poll.poll(max(0, waiting[0][0] - time.monotonic()) * 1000 if waiting else None)]
            if self._end in ready:
                return
            for fd in ready:
                from_vm = fd != self._tap
                frame = self._vm.recv(65536) if from_vm else os.read(self._tap, 65536)
                if self._random.random() < self.loss:
                    self.lost += 1
                    continue
                self.passed += 1
                late = 0 if self._random.random() < self.early else self.delay
                heapq.heappush(waiting, (time.monotonic() + late, self.passed, self._to_host if from_vm else self._to_vm, frame))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, send, frame = heapq.heappop(waiting)
                send(frame)

    def _to_host(self, frame):
        os.write(self._tap, frame)

    def _to_vm(self, frame):
        try:
            self._vm.sendto(frame, self._paths[1])
        except (FileNotFoundError, ConnectionRefusedError):  # no VM yet, or no more
            pass
