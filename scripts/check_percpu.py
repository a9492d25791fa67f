#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Find accesses to per-CPU variables that do not go through GS: they reach CPU 0's copy on every CPU.

GCC drops the __seg_gs qualifier silently when an address is taken of this_cpu(x), in __atomic builtins, for _Atomic
variables and for arrays. Only the machine code shows it: a memory operand in .percpu without %gs. Taking a template's
address (lea, for per_cpu_ptr) is right. Usage: check_percpu.py KERNEL.debug.elf; status 1 when something was found."""

import re
import subprocess
import sys

# Code that runs before other CPUs exist, or means the template itself.
ALLOWED = {"kernel_boot", "relocate_kernel", "kernel_main", "mm_init", "percpu_create", "smp_start_others"}


def main(elf):
    sections = subprocess.run(["readelf", "-SW", elf], capture_output=True, text=True, check=True).stdout
    m = re.search(r"\.percpu\s+\w+\s+([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)", sections)
    low, size = int(m[1], 16), int(m[2], 16)
    text = subprocess.Popen(["objdump", "-d", "--no-show-raw-insn", elf], stdout=subprocess.PIPE, text=True).stdout
    function, found = "", 0
    for line in text:
        head = re.match(r"[0-9a-f]+ <(.+)>:", line)
        if head:
            function = head[1]
            continue
        m = re.search(r"# ([0-9a-f]{16}) <([^>]+)>", line)
        if not m or not low <= int(m[1], 16) < low + size:
            continue
        instruction = line.split("\t", 1)[1] if "\t" in line else line
        if instruction.startswith("lea") or "%gs:" in instruction or function.split(".")[0] in ALLOWED:
            continue
        found += 1
        print("not ok %s: %s" % (function, " ".join(instruction.split())))
    if not found:
        print("ok per-CPU accesses go through GS")
    return 1 if found else 0


sys.exit(main(sys.argv[1]))
