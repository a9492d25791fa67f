/* SPDX-License-Identifier: BSD-2-Clause */
/* seccomp(2): programs that decide about a thread's system calls. Owner: kernel/proc/seccomp.c. */
#pragma once

#include "base/types.h"

struct regs;
struct thread;
struct seccomp_filter;

/* Of a thread; guarded by its process's lock, since another thread may give it a filter
 * (SECCOMP_FILTER_FLAG_TSYNC). Its own thread reads both without. */
struct thread_seccomp {
	struct seccomp_filter *filter; /* the newest; each refers to the one before */
	u8 mode;		       /* SECCOMP_MODE_* */
};

/* A system call of a thread with THREAD_SECCOMP begins: false when it is not to be made; REGS hold the result
 * then. */
bool seccomp_syscall_enter(struct regs *regs);
/* T, not seen by anybody yet, gets what the current thread has. The process's lock is held. */
void seccomp_inherit(struct thread *t);
void seccomp_free(struct thread *t);
/* For /proc/PID/status. */
unsigned seccomp_filters(struct thread *t);
