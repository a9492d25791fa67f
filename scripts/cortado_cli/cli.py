# SPDX-License-Identifier: BSD-2-Clause
"""The command line: words in, exit status out. Each command's module is imported only when it is used, so that a
launch pays for nothing else. The contract of options and statuses is in docs/operations.md."""

import argparse
import importlib
import os
import sys

from . import VERSION, errors, ui

_FOREGROUND = ("run", "launch")  # their own failures are 125, since other statuses are the guest program's


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options):
        super().__init__(allow_abbrev=False, **options)

    def error(self, message):
        raise errors.UsageError("%s (see `%s --help`)" % (message, self.prog))


def _positive(text):
    if not text.isdigit() or not 1 <= int(text) <= 255:
        raise argparse.ArgumentTypeError("`%s` is no number from 1 to 255" % text)
    return int(text)


def _lines(text):
    if not text.isdigit():
        raise argparse.ArgumentTypeError("`%s` is no number of lines" % text)
    return int(text)


def _seconds(text):
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError("`%s` is no number of seconds" % text)
    return value


def _machine_options(p, net):
    p.add_argument("-m", "--memory", metavar="SIZE", help="guest memory, e.g. 256M (the default for launch)")
    p.add_argument("--cpus", type=_positive, metavar="N", help="virtual CPUs")
    p.add_argument("-e", "--env", action="append", default=[], metavar="K=V", help="a variable for the program; K alone: this shell's value")
    p.add_argument("--env-file", action="append", default=[], metavar="FILE", help="variables, one K=V a line")
    p.add_argument("-p", "--publish", action="append", default=[], metavar="[ADDR:]HOST:GUEST", help="publish a port; HOST 0: a free one")
    p.add_argument("--volume", action="append", default=[], metavar="SRC:DST[:ro]", help="a folder or file of this host at DST in the guest")
    p.add_argument("--machine", choices=("q35", "microvm"), help="machine type")
    p.add_argument("--net", default=net, metavar="user|tap:NAME|none", help="network")
    p.add_argument("--accel", choices=("auto", "kvm", "tcg", "tcg-single"), default="auto",
                   help="how the CPU runs; auto tries KVM; tcg-single: emulated CPUs take turns on one host thread")
    p.add_argument("--append", default="", metavar="WORDS", help="more kernel words")
    p.add_argument("--qemu", default="", metavar="WORDS", help="more words for QEMU")


def _guest_option(p):
    p.add_argument("--guest", choices=("cortado", "linux"), default="cortado", help="linux: the same under Debian's kernel, to compare")


def _setup(p):
    p.add_argument("set", nargs="?", choices=("run", "test"), default="run", help="what for (default: run)")
    p.add_argument("--no-install", action="store_true", help="only tell what is missing; exit status 3 if anything is")


def _build(p):
    p.add_argument("app", metavar="APP", help="a folder with cortado.json, a .jar, a .js, or an image folder")
    p.add_argument("-o", "--output", metavar="DIR", help="image folder to write (default: build/images/NAME)")


def _run(p):
    p.usage = "cortado run [OPTIONS] APP [-- ARG...]"
    p.add_argument("app", metavar="APP", help="a folder with cortado.json, a .jar, a .js, or an image folder")
    p.add_argument("--name", help="name of the VM")
    p.add_argument("-d", "--detach", action="store_true", help="run in the background; prints the name")
    p.add_argument("--wait", action="store_true", help="with -d: return when it is ready")
    p.add_argument("--api", metavar="[ADDR:]PORT", help="publish the management API; PORT 0: a free one")
    p.add_argument("--quiet", action="store_true", help="only the program's output and errors")
    _machine_options(p, None)
    _guest_option(p)


def _launch(p):
    p.usage = "cortado launch [OPTIONS] PROGRAM [ARG...]"
    p.add_argument("--with", dest="with_", action="append", default=[], metavar="PATH[:GUEST]", help="a file or folder to bring along")
    p.add_argument("--console", default="", metavar="FILE", help="keep the kernel's messages there")
    _machine_options(p, "user")
    _guest_option(p)
    p.add_argument("program", metavar="PROGRAM", nargs=argparse.REMAINDER, help="a program of this host, and its arguments")


def _name(p):
    p.add_argument("name", metavar="NAME", help="name of a VM")


def _ps(p):
    p.add_argument("-a", "--all", action="store_true", help="ended ones too")
    p.add_argument("--json", action="store_true")


def _port(p):
    _name(p)
    p.add_argument("guest", nargs="?", metavar="GUEST-PORT", help="only where this port is published")


def _logs(p):
    p.add_argument("-f", "--follow", action="store_true", help="go on until the VM ends")
    p.add_argument("--tail", type=_lines, default=-1, metavar="K", help="only the last K lines")
    p.add_argument("--console", action="store_true", help="the kernel's log instead of the app's")
    _name(p)


def _stop(p):
    p.add_argument("-t", "--time", type=_seconds, default=10.0, metavar="S", help="seconds to wait before killing (10)")
    p.add_argument("name", nargs="+", metavar="NAME")


def _api(p):
    _name(p)
    p.add_argument("method", metavar="METHOD")
    p.add_argument("path", metavar="PATH")
    p.add_argument("body", nargs="?", metavar="BODY", help="JSON, or @FILE, or - for stdin")


def _balloon(p):
    _name(p)
    p.add_argument("size", nargs="?", metavar="SIZE", help="what the guest keeps; none: show")
    p.add_argument("--timeout", type=_seconds, default=30.0, metavar="S")


def _top(p):
    p.add_argument("name", nargs="?", metavar="NAME")
    p.add_argument("--once", action="store_true", help="print one table and end")


def _test(p):
    p.add_argument("suite", nargs="*", metavar="SUITE",
                   help="unit, models, agent, net, fuzz, guest, system; none: all of these. By name only: suites (other people's), "
                   "collectors (each of OpenJDK's, with each kind of page, on 1 to 16 CPUs)")
    p.add_argument("--full", action="store_true", help="system: every case instead of a sample")


def _bench(p):
    p.add_argument("bench", nargs="*", metavar="NAME", help="none: all")
    p.add_argument("--json", metavar="FILE", help="write the figures there too")


def _nothing(p):
    pass


# command -> (module, help, options)
_COMMANDS = {
    "setup": ("setup", "install what is missing on this host", _setup),
    "build": ("build", "make an image folder of an application", _build),
    "run": ("run", "build if needed, boot, and stream the application's output", _run),
    "launch": ("launch", "run an unmodified program of this host in a VM", _launch),
    "ps": ("manage", "list VMs", _ps),
    "port": ("manage", "where a VM's ports are published", _port),
    "logs": ("manage", "a VM's output", _logs),
    "inspect": ("manage", "everything known about a VM, as JSON", _name),
    "wait": ("manage", "wait for a VM's end and print its exit status", _name),
    "stop": ("manage", "stop VMs, gracefully first", _stop),
    "api": ("api", "call a VM's management API", _api),
    "balloon": ("balloon", "show or set how much memory a VM keeps", _balloon),
    "top": ("top", "what VMs use", _top),
    "gdb": ("manage", "debug a VM's kernel", _name),
    "test": ("test", "run the tests", _test),
    "bench": ("bench", "measure, beside a tuned Linux guest", _bench),
    "clean": ("clean", "remove what was built, and the records of ended VMs", _nothing),
}


def _parser(command=None):
    parser = _Parser(prog="cortado", description="Build and run unikernel VMs for Java, Node and other Linux programs.")
    parser.add_argument("--version", action="version", version="cortado " + VERSION)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for name, (_, text, options) in _COMMANDS.items():
        p = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if command in (None, name):
            options(p)
    return parser


def parse(argv):
    """The namespace of ARGV. run's words after `--` and launch's program words are in .args."""
    command = next((w for w in argv if not w.startswith("-")), None)
    rest = []
    if command == "run" and "--" in argv:
        at = argv.index("--")
        argv, rest = argv[:at], argv[at + 1 :]
    ns = _parser(command).parse_args(argv)
    if not ns.command:
        raise errors.UsageError("no command given (see `cortado --help`)")
    ns.args = rest
    if ns.command == "launch":
        words = ns.program[1:] if ns.program[:1] == ["--"] else ns.program
        if not words:
            raise errors.UsageError("no PROGRAM given (see `cortado launch --help`)")
        ns.program, ns.args = words[0], words[1:]
    return ns


def main(argv):
    command = next((w for w in argv if not w.startswith("-")), "")
    detached = command == "run" and bool({"-d", "--detach"} & set(argv[: argv.index("--") if "--" in argv else None]))
    passes_status = command in _FOREGROUND and not detached
    try:
        ns = parse(argv)
        ui.quiet = getattr(ns, "quiet", False)
        module = importlib.import_module("cortado_cli." + _COMMANDS[ns.command][0])
        function = getattr(module, "main_" + ns.command, None) or module.main
        status = function(ns) or 0
    except (errors.ProgramNotFound, errors.ProgramNotExecutable) as e:
        ui.error(command, str(e))
        status = e.status if passes_status else errors.FAILED
    except errors.CortadoError as e:
        ui.error(command, str(e))
        status = errors.CORTADO_FAILED if passes_status else e.status
    except KeyboardInterrupt:
        status = errors.INTERRUPTED
    except BrokenPipeError:
        status = errors.FAILED  # the reader of our own output went away
    except SystemExit as e:  # argparse's --help and --version
        status = e.code if isinstance(e.code, int) else errors.WRONG_USE
    return _leave(status)


def _leave(status):
    """End at once: a thread that still waits for stdin must not hold the process."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(status)
