# SPDX-License-Identifier: BSD-2-Clause
"""Many small test programs, one after the other, on this host and in one VM: run_list.c names each one's end.

On the host they run in namespaces of their own (processes, IPC, network, mounts) and may not set the clock."""

import os
import re
import subprocess

import vm

HERE = os.path.dirname(os.path.abspath(__file__))
# Inside, as in the VM: the programs are /suite, everything else that is written to is fresh.
ENTER = """
mount --bind "$1" /mnt && mount -t tmpfs none /opt && cp "$2" /opt/run_list && cp "$3" /opt/list &&
mount -t tmpfs -o mode=1777 none /tmp && mount -t tmpfs -o mode=1777 none /dev/shm || exit 1
mount -t mqueue none /dev/mqueue 2>/dev/null
ip link set lo up
mkdir /opt/suite && mount --bind /mnt /opt/suite
exec setpriv --bounding-set -sys_time --inh-caps -sys_time /opt/run_list /opt/list 0 "$4"
"""


def build_runner(folder):
    runner = os.path.join(str(folder), "run_list")
    # With the libraries that the programs need, so that the VM has them.
    subprocess.run(["gcc", "-O1", "-o", runner, HERE + "/run_list.c", "-Wl,--no-as-needed", "-lm", "-lrt"], check=True)
    return runner


def _results(text, names):
    ends = {int(n): end for n, end in re.findall(r"^end (\d+) (.*)$", text, re.M)}
    return {name: ends.get(i) for i, name in enumerate(names)}


def on_host(folder, runner, names, seconds, listing):
    listing.write_text("".join("/opt/suite/%s\n" % n for n in names))
    r = subprocess.run(["unshare", "-p", "-f", "-m", "-i", "-n", "-u", "--mount-proc", "sh", "-c", ENTER, "sh", folder, runner,
                        str(listing), str(seconds)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return _results(r.stdout.decode("utf-8", "replace"), names)


def in_vm(folder, runner, names, seconds, listing, words=()):
    """Results of a VM; after a hang or a crash a new one goes on behind the program that did it."""
    found = {}
    listing.write_text("".join("/opt/suite/%s\n" % n for n in names))
    first = 0
    while first < len(names):
        r = vm.cortado("launch", "-m", "512M", "--cpus", "2", "--with", "%s:/opt/suite" % folder, "--with", "%s:/opt/list" % listing,
                       *words, runner, "/opt/list", str(first), str(seconds), timeout=len(names) * seconds)
        last = [int(n) for n in re.findall(r"^(?:begin|end) (\d+)", r.out, re.M)]
        found.update({n: end for n, end in _results(r.out, names).items() if end})
        first = len(names) if "\ndone\n" in r.out else max(last, default=first) + 1
    return {n: found.get(n) for n in names}


def worse(host, guest):
    """What ends well on the host and not in the VM."""
    return ["%s: %s" % (n, guest[n]) for n, end in host.items() if end == "exit 0" and guest[n] != end]
