# SPDX-License-Identifier: BSD-2-Clause
"""The guest's virtio-console ports, joined to this process's standard streams byte for byte.

Each port is a socket pair whose far end QEMU inherits. One thread per stream moves its bytes, so that no stream waits
for another: a full stdout never holds up stderr or stdin. End of file travels both ways:
  host -> guest  half-close of our end. Never close it: QEMU takes the hang-up of a closed socket at once and drops what
                 the guest has not read yet;
  guest -> host  QEMU ends, or host's stdout breaks: then we close, and the guest's writes fail with EPIPE."""

import json
import os
import select
import socket
import threading

CHUNK = 65536


class Port:
    def __init__(self, log=""):
        self.near, far = socket.socketpair()
        self.far = far.detach()
        self.log = log

    def chardev(self):
        """QEMU's chardev words; ID is replaced by qemu.command."""
        text = "socket,id=ID,server=off,fd=%d" % self.far
        if self.log:
            text += ",logfile=%s,logappend=on" % self.log.replace(",", ",,")
        return text

    def started(self):
        """QEMU has inherited its end."""
        os.close(self.far)


def pump_in(port, fd):
    """Start copying FD to the guest until end of file."""
    thread = threading.Thread(target=_pump_in, args=(port.near, fd), daemon=True)
    thread.start()
    return thread


def _pump_in(sock, fd):
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    try:
        while True:
            try:
                data = os.read(fd, CHUNK)
            except BlockingIOError:  # somebody set O_NONBLOCK on the terminal or pipe we share
                poller.poll()
                continue
            if not data:
                break
            sock.sendall(data)
    except OSError:
        pass  # nothing readable there, or the guest is gone: end of file either way
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def pump_out(port, fd):
    """Start copying the guest's output to FD. Join the thread after QEMU's end to have all of it."""
    thread = threading.Thread(target=_pump_out, args=(port.near, fd), daemon=True)
    thread.start()
    return thread


def _pump_out(sock, fd):
    try:
        while True:
            data = sock.recv(CHUNK)
            if not data:
                return
            write_all(fd, data)
    except OSError:
        pass  # the reader went away (EPIPE): the guest's next write fails the same way
    sock.close()


def write_all(fd, data):
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            poller = select.poll()
            poller.register(fd, select.POLLOUT)
            poller.poll()


class Control:
    """The control port: lines of JSON from the guest, each an object with "event"."""

    def __init__(self, port, on_event=None):
        self.events = []
        self.on_event = on_event
        self.thread = threading.Thread(target=self._read, args=(port.near,), daemon=True)
        self.thread.start()

    def _read(self, sock):
        pending = b""
        while True:
            try:
                data = sock.recv(CHUNK)
            except OSError:
                return
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            if len(pending) > 1 << 20:
                pending = b""  # no event is that long
            for line in lines:
                event = parse_event(line)
                if event:
                    self.events.append(event)
                    if self.on_event:
                        self.on_event(event)

    def last(self, *kinds):
        """The latest event of one of KINDS, or None. Complete once the thread has ended."""
        return next((e for e in reversed(self.events) if e["event"] in kinds), None)


def parse_event(line):
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None
