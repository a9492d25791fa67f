/* SPDX-License-Identifier: BSD-2-Clause */
/* What a thread keeps while another process traces it (ptrace(2)). Owner: kernel/proc/ptrace*.c. */
#pragma once

#include "base/list.h"
#include "base/types.h"
#include <asm/siginfo.h>

struct process;
struct ptrace_death;

struct thread_ptrace {
	struct process
		*tracer; /* NULL: not traced. Written under the tree lock and the tracee's process lock */
	struct list_head node;	    /* tracer->tracees; guarded by the tree lock */
	struct ptrace_death *death; /* what is left for the tracer to wait for; allocated beforehand */
	/* Guarded by the tracee's process lock; the tracee itself reads them without. */
	u32 options;
	bool seized;	   /* PTRACE_SEIZE: no SIGSTOP, and stops of the group are told apart */
	bool stopped;	   /* in a stop that the tracer ends */
	bool report;	   /* wait has not seen it */
	bool group;	   /* it is a stop of the whole group: without siginfo */
	bool listening;	   /* PTRACE_LISTEN: left as it is until the group goes on */
	bool trap_pending; /* PTRACE_INTERRUPT, or the first stop of a seized child */
	bool stepping;	   /* TF in the registers is the tracer's */
	u8 phase;	   /* PTRACE_SYSCALL_INFO_*: of a stop at a system call */
	u32 stop_code;	   /* wait status, less its low byte */
	u32 stop_seen;	   /* process.stop_serial of the group stop that this thread took part in */
	int resume_signal;
	u64 message; /* PTRACE_GETEVENTMSG */
	siginfo_t info;
};
