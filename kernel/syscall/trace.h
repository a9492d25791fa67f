/* SPDX-License-Identifier: BSD-2-Clause */
/* The system-call tracer: lines in strace's format for threads with THREAD_TRACE. The kernel word `strace`
 * traces every process, `strace=COMM` those whose name is COMM. Lines go to the kernel log at a level that
 * `quiet` does not hide. */
#pragma once

#include "kernel/syscall.h"

/* Run FN for the traced current thread and print the call with its result. */
void trace_syscall(u32 nr, syscall_fn fn, struct regs *regs);
/* A call without a handler. */
void trace_missing(u32 nr, struct regs *regs);
