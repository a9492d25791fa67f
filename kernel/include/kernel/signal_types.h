/* SPDX-License-Identifier: BSD-2-Clause */
/* The signal code's part of a thread and of a process. Owner: kernel/proc/. */
#pragma once

#include "base/list.h"
#include "base/types.h"

typedef u64 sigset; /* bit n-1 is signal n; the ABI's 64-bit sigset_t */

struct sigqueue_list {
	struct list_head queue; /* struct sigqueue, in arrival order; guarded by the process's signal lock */
	sigset pending;
};

/* What to do on a signal; laid out as the ABI's struct sigaction of rt_sigaction(2). */
struct signal_action {
	u64 handler; /* SIG_DFL, SIG_IGN or an application address */
	u64 flags;   /* SA_* */
	u64 restorer;
	sigset mask;
};

struct thread_signals {
	sigset blocked;	   /* written by the own thread under the process's lock, so others may read it there */
	sigset waiting;	   /* sigtimedwait waits for these although they are blocked */
	sigset saved_mask; /* valid with THREAD_RESTORE_MASK */
	struct sigqueue_list pending; /* directed at this thread */
	bool leaving;	   /* in thread_exit: takes no more signals; guarded by the process's lock */
	int fault_signal;  /* a fault waits for delivery, ahead of all queues; 0: none. Own thread only */
	int fault_code;
	u64 fault_addr;
	int fault_syscall, fault_errno; /* of a SIGSYS */
	u64 altstack_sp;
	size_t altstack_size;
	u32 altstack_flags;
};
