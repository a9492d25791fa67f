/* SPDX-License-Identifier: BSD-2-Clause */
/* Tracing, as other subsystems meet it. Owner: kernel/proc/ptrace*.c. */
#pragma once

#include "kernel/thread.h"

struct process;
struct regs;
struct vmspace;

/* A system call of a thread with THREAD_SYSCALL_WORK begins: false when it is not to be made (REGS hold the
 * result). */
bool ptrace_syscall_enter(struct regs *regs);
void ptrace_syscall_exit(struct regs *regs);
/* The process that traces T, 0 for none: TracerPid of /proc/PID/status. */
u32 thread_tracer(struct thread *t);
/* May the current thread look into or trace and change P, or thread T, judged by its file
 * system ids or by its real ones? ptrace(2), "Ptrace access mode checking". */
enum ptrace_mode {
	PTRACE_BY_FSIDS = 1, /* for /proc */
	PTRACE_BY_REAL_IDS,
};
bool ptrace_may_access(struct process *p, enum ptrace_mode mode);
bool ptrace_may_access_thread(struct thread *t, enum ptrace_mode mode);
/* Like vm_access, whatever the mapping's rights: a private page that may not be written is copied first. */
size_t ptrace_access(struct vmspace *vm, u64 addr, void *buf, size_t len, bool write);
