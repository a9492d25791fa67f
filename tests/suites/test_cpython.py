# SPDX-License-Identifier: BSD-2-Clause
"""CPython's regression suite on this host and in a VM: a test that passes here must pass there.

A test that is skipped in the VM only is reported when a facility is missing, not when a program is."""

import os
import re
import shutil
import subprocess
import sys

import pytest

import vm

PYTHON = "/usr/bin/python3.11"
LIBRARY = "/usr/lib/python3.11"
MODULES = """
    test_asyncio test_asyncore test_asynchat test_cmd_line test_concurrent_futures test_crypt test_ctypes test_dbm test_eintr
    test_epoll test_faulthandler test_fcntl test_file test_fileio test_fork1 test_ftplib test_getpass test_glob test_httplib
    test_httpservers test_imaplib test_import test_io test_ioctl test_largefile test_locale test_logging test_mailbox test_mmap
    test_multiprocessing_fork test_multiprocessing_forkserver test_multiprocessing_spawn test_openpty test_os test_pathlib
    test_pdb test_pipes test_platform test_poll test_popen test_poplib test_posix test_posixpath test_pty test_queue
    test_repl test_resource test_select test_selectors test_shutil test_signal test_site test_smtplib test_socket test_ssl
    test_stat test_subprocess test_sys test_syslog test_tarfile test_telnetlib test_tempfile test_thread test_threading
    test_time test_tracemalloc test_unicode_file test_urllib2_localnet test_wait3 test_wait4 test_wsgiref test_xmlrpc
    test_zipfile""".split()
PROGRAMS = "sh bash cat echo sleep true false ls kill env pwd uname stty tty id cp mv rm mkdir touch head tail grep sed tr tar gzip date sort ps".split()
WORDS = ["-m", "test", "-v", "-u", "all,-largefile,-cpu,-urlfetch,-gui,-audio,-network"]

# Differences with a reason: docs/conformance.md.
KNOWN = re.compile(r"UDPLITE|VSOCK|test_find_library_with_(gcc|ld)")
# Skipped in the VM because a program or disk space is missing there, which is no fault of its kernel.
LACKS = re.compile(r"not available|command to run|disk space|could not find libc|C library|compiler|root|required|locale")

_CASE = re.compile(r"^(\w+ \([\w.]+\))(?:\n[^\n]*?)? \.\.\. ((?:.|\n)*?)(?=\n\w+ \([\w.]+\)|\n\n|\Z)", re.M)
_RESULT = re.compile(r"(ok|FAIL|ERROR|skipped .*|expected failure)\s*$", re.M)

pytestmark = pytest.mark.skipif(not os.path.exists(LIBRARY + "/test/test_os.py"), reason="libpython3.11-testsuite is not installed")


def _results(text):
    """Test's name to its result; a test whose end was not seen has None."""
    found = {}
    for case in _CASE.finditer(text):
        results = _RESULT.findall(case.group(2))
        found[case.group(1)] = results[-1] if results else None
    return found


@pytest.mark.parametrize("module", MODULES)
def test_module(module, tmp_path):
    host = subprocess.run([PYTHON] + WORDS + [module], cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True, timeout=600,
                          env={"HOME": "/root", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}).stdout.decode("utf-8", "replace")
    expected = _results(host)
    if not expected:
        pytest.skip("this host does not run it")
    words = ["launch", "-m", "768M", "--cpus", "2", "-e", "HOME=/root", "--with", LIBRARY]
    for name in PROGRAMS:
        if shutil.which(name):
            words += ["--with", "/usr/bin/" + name]
    guest = vm.cortado(*words, PYTHON, *WORDS, module, timeout=1500)
    got = _results(guest.out + guest.err)
    worse = []
    for name, result in expected.items():
        now = got.get(name)
        if result != "ok" or now == "ok" or KNOWN.search(name):
            continue
        if not (now or "").startswith("skipped") or not LACKS.search(now):
            worse.append("%s: %s" % (name, now))
    sys.stdout.write("%d tests here, %d there\n" % (len(expected), len(got)))
    assert not worse and not guest.timed_out, "\n".join(worse) + "\n" + repr(guest)
