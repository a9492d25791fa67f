/* SPDX-License-Identifier: BSD-2-Clause */
/* Tracing, as the files of kernel/proc/ use it. ptrace.c: who traces whom; ptrace_stop.c: the tracee's side;
 * ptrace_calls.c: ptrace(2); ptrace_memory.c: the tracee's memory. kernel/arch/ gives registers. */
#pragma once

#include "arch/ptrace.h"
#include "kernel/ptrace.h"
#include "proc.h"
#include <linux/ptrace.h>

/* A tracee that ended, until its tracer waits for it. */
struct ptrace_death {
	struct list_head node; /* process.dead_tracees; guarded by the tree lock */
	u32 tid, pgid, uid;
	int status;
};

static inline bool ptrace_traced(const struct thread *t)
{
	return unlikely(READ_ONCE(t->ptrace.tracer) != NULL);
}

/* ---- ptrace.c ---- */

/* PTRACE_TRACEME, PTRACE_ATTACH and PTRACE_SEIZE. 0, -EPERM, -ENOMEM. */
long ptrace_traceme(void);
long ptrace_attach(struct thread *t, bool seize, u32 options);
/* T's tracer could not trace a program that gains rights: it must not gain any. */
bool ptrace_holds_back(struct thread *t);
/* A child of the current thread, about to be linked: PTRACE_EVENT_* to report, or 0, and a record for it in
 * *DEATH when it is to be traced as well. -ENOMEM. */
int ptrace_fork_prepare(u64 clone_flags, int exit_signal, struct ptrace_death **death);
/* Trace T, which nobody else knows yet, as the current thread is traced. Takes *DEATH. Tree lock held. */
void ptrace_fork(struct thread *t, struct ptrace_death **death);
/* T ends, or its process does (T the leader). Tree lock held. */
void ptrace_tracee_ends(struct thread *t, int status);
/* P ends: what it traced goes free. Tree lock held. */
void ptrace_tracer_ends(struct process *p);
/* Nobody traces T any longer. Tree lock held. */
void ptrace_unlink(struct thread *t);
void ptrace_death_free(struct ptrace_death *d); /* tree lock held */

/* ---- ptrace_stop.c: the current thread ---- */

/* Stop for PTRACE_EVENT_* EVENT with MESSAGE, if the tracer asked for it. */
void ptrace_event(int event, u64 message);
/* SIG with *INFO is about to be delivered: the signal to deliver instead, 0 for none. */
int ptrace_signal(int sig, siginfo_t *info);
/* A stop of the whole group, or one that the tracer asked for; true when it happened. */
bool ptrace_group_stop(int sig);
bool ptrace_trap_stop(void);
/* A new program runs in the thread that had id OLD_TID. */
void ptrace_exec(u32 old_tid);
/* A handler was entered while single-stepping. */
void ptrace_handler_entered(void);
