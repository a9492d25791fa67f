# SPDX-License-Identifier: BSD-2-Clause
"""`cortado setup`: what this host must have, and how it gets it.

Each package has a probe (a command on PATH or a file) so that a tool installed by other means counts too. Packages are
named before anything is installed, and --no-install turns the same list into a refusal."""

import glob
import os
import shutil
import subprocess

from . import ui
from .errors import CortadoError, HostLacks

# package -> probe: a command's name, or a glob of files
RUN = {
    "qemu-system-x86": "qemu-system-x86_64",
    "erofs-utils": "mkfs.erofs",
    "gcc": "gcc",
    "make": "make",
    "binutils": "objcopy",
    "libc6-dev": "/usr/include/x86_64-linux-gnu/gnu/libc-version.h /usr/include/gnu/libc-version.h",
    "linux-libc-dev": "/usr/include/linux/futex.h",
    "pkg-config": "pkg-config",
    "libmicrohttpd-dev": "/usr/include/microhttpd.h",
    "libjansson-dev": "/usr/include/jansson.h",
    "libssl-dev": "/usr/include/openssl/ssl.h",
    "ca-certificates": "/etc/ssl/certs/ca-certificates.crt",
    "openjdk-17-jdk-headless": "/usr/lib/jvm/*/bin/javac",
    "nodejs": "node",
}
TEST = {
    "libcmocka-dev": "/usr/include/cmocka.h",
    "python3-pytest": "/usr/lib/python3/dist-packages/pytest/__init__.py",
    "wrk": "wrk",
    "iperf3": "iperf3",
    "curl": "curl",
    "busybox-static": "busybox",
    "musl-tools": "musl-gcc",
    "liblz4-dev": "/usr/include/lz4.h",
    "strace": "strace",
    "spin": "spin",
    "iproute2": "ip",
    "clang": "clang",
    "clang-format": "clang-format",
    "libclang-rt-14-dev": "/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a "
    "/usr/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a",
    "libtomcat10-embed-java": "/usr/share/java/tomcat10-embed-core.jar",
    "libjakarta-annotation-api-java": "/usr/share/java/jakarta-annotation-api.jar",
    "openssl": "openssl",
    "qemu-utils": "qemu-img",
    "rt-tests": "hackbench",
    "sysbench": "sysbench",
}
SETS = {"run": [RUN], "test": [RUN, TEST]}


def _present(probe):
    for word in probe.split():
        if word.startswith("/"):
            if glob.glob(word):
                return True
        elif shutil.which(word):
            return True
    return False


def missing(which):
    """Packages of the set WHICH ("run" or "test") that this host lacks, in order."""
    return [package for group in SETS[which] for package, probe in group.items() if not _present(probe)]


def require(*packages):
    """Raise HostLacks unless each of PACKAGES (of either set) is there."""
    lacking = [p for p in packages if not _present(RUN.get(p) or TEST[p])]
    if lacking:
        which = "run" if all(p in RUN for p in lacking) else "test"
        raise HostLacks(
            "this host lacks %s; `scripts/cortado setup%s` installs it"
            % (", ".join(lacking), "" if which == "run" else " test")
        )


def main(ns):
    which = ns.set
    lacking = missing(which)
    if not lacking:
        ui.say("cortado setup: everything for `%s` is there" % which)
        return 0
    if ns.no_install:
        raise HostLacks("missing on this host: %s (run `scripts/cortado setup %s`)" % (" ".join(lacking), which))
    if not shutil.which("apt-get"):
        raise HostLacks("no apt-get here; install by hand what these Debian packages hold: %s" % " ".join(lacking))
    ui.say("cortado setup: installing %s" % " ".join(lacking))
    _apt(["update", "-q"])
    _apt(["install", "-y", "-q", "--no-install-recommends"] + lacking)
    left = missing(which)
    if left:
        raise CortadoError("apt-get succeeded, yet these are still not usable: %s" % " ".join(left))
    return 0


def _apt(words):
    prefix = []
    if os.geteuid() != 0:
        if not shutil.which("sudo"):
            raise HostLacks("installing needs root, and there is no sudo; run as root: apt-get %s" % " ".join(words))
        prefix = ["sudo"]
        if not ui.is_terminal():
            prefix.append("-n")  # never hang on a password prompt that nobody sees
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    status = subprocess.call(prefix + environment + ["apt-get"] + words, stdin=subprocess.DEVNULL, stdout=2)
    if status != 0:
        raise CortadoError("`apt-get %s` failed with status %d; its messages are above" % (" ".join(words), status))
