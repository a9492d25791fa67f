/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: what the scheduler runs. Every thread belongs to a process (kernel threads to kernel_process). The
 * scheduler's, the signal code's and the architecture's parts are structures of their own, defined by their
 * owners. */
#pragma once

#include "arch/thread.h" /* struct arch_thread: kernel/arch/ */
#include "base/list.h"
#include "base/refcount.h"
#include "kernel/fail.h"
#include "kernel/ptrace_types.h" /* struct thread_ptrace: kernel/proc/ */
#include "kernel/rcu.h"
#include "kernel/sched_entity.h" /* struct sched_entity: kernel/sched/ */
#include "kernel/signal_types.h" /* struct thread_signals: kernel/proc/ */
#include "kernel/seccomp.h"
#include "kernel/spinlock.h"
#include "kernel/usage.h"

enum thread_state {
	THREAD_RUNNING,		/* running or runnable */
	THREAD_INTERRUPTIBLE,	/* asleep; any unblocked signal wakes it */
	THREAD_KILLABLE,	/* asleep; only a fatal signal wakes it */
	THREAD_UNINTERRUPTIBLE, /* asleep; only its waker */
	THREAD_STOPPED,		/* job control stop */
	THREAD_DEAD,		/* left schedule() for the last time */
	THREAD_NEW,		/* created, not started */
};

enum thread_flag { /* thread.flags: set by anyone, looked at on the way back to the application */
		   THREAD_NEED_RESCHED = 1 << 0,
		   THREAD_SIGPENDING =
			   1 << 1, /* kernel/proc/signal keeps it: there may be a signal to deliver */
		   THREAD_EXITING =
			   1 << 2, /* the process is going (exit_group, exec): end at the next chance */
		   THREAD_TRACE = 1 << 3, /* trace system calls */
		   THREAD_RESTORE_MASK =
			   1 << 4, /* sigsuspend, ppoll...: restore sig.saved_mask unless a handler took it */
		   THREAD_KERNEL = 1 << 5,	 /* kernel thread: never returns to an application */
		   THREAD_SYSCALL_STOP = 1 << 7, /* ptrace: stop when a system call begins and when it ends */
		   THREAD_SYSCALL_EMULATE = 1 << 8, /* ptrace: stop when one begins, and do not make it */
		   THREAD_STEP = 1 << 9, /* ptrace: single-stepping; counts at the end of a system call */
		   THREAD_REGS_CHANGED = 1 << 10, /* ptrace: no register is what the call left in it */
		   THREAD_SECCOMP = 1 << 11,	  /* seccomp: its system calls are judged first */
		   THREAD_MAKES_ROOM = 1 << 12,	  /* its own: writes back so that memory can be freed, and may
						     use the reserve for that */
		   THREAD_INTERRUPTED =
			   1 << 6, /* the frame on the stack is an interrupt's, not a system call's */
};
#define THREAD_SYSCALL_WORK \
	(THREAD_TRACE | THREAD_SYSCALL_STOP | THREAD_SYSCALL_EMULATE | THREAD_STEP | THREAD_SECCOMP)
#define THREAD_WORK_MASK (THREAD_NEED_RESCHED | THREAD_SIGPENDING | THREAD_EXITING | THREAD_RESTORE_MASK)

struct process;
struct vmspace;
struct robust_list_head;
struct cred;
struct fdtable;	   /* fs/: open files */
struct fs_context; /* fs/: root, working directory, umask */

struct thread {
	_Atomic u32 flags;
	union {
		_Atomic u8 state;	/* enum thread_state, to read; set by thread_set_state, ended by
					   thread_wake_state */
		_Atomic u32 state_word; /* the same with the scheduler's commit bit: kernel/sched/wake.c */
	};
	struct arch_thread arch;
	void *kstack; /* lowest usable address of KSTACK_SIZE bytes */
	struct sched_entity se;

	struct refcount ref; /* 1 for being alive, 1 per look-up; freed after an RCU grace period */
	struct rcu_head rcu;
	u32 tid;
	char name[16]; /* comm; own thread writes, others may read torn text */
	struct process
		*proc; /* holds a reference: thread_create takes it, freeing the thread gives it back */
	struct list_head proc_node; /* on proc->threads, guarded by proc->lock */
	struct vmspace *vm;	    /* address space it runs in: proc->vm, NULL for kernel threads */
	bool nofault;		    /* it touches application memory and must not sleep; own thread */
	bool nproc_exceeded; /* its user id became one with more threads than RLIMIT_NPROC: execve looks */
	bool no_new_privs;   /* execve gives it no rights; proc->lock guards other threads' changes */
	struct cred *cred;   /* kernel/cred.h; replaced by the thread itself, read by others under RCU */
	/* References, shared with other threads as clone(2) was told; NULL for kernel threads and after the
	 * end. Changed by the thread itself, under proc->lock, which others take to look. */
	struct fdtable *files;
	struct fs_context *fs;

	struct thread_signals sig;
	struct thread_ptrace ptrace;
	struct thread_seccomp seccomp;
	u32 __app *set_child_tid;   /* CLONE_CHILD_SETTID: written when it first runs */
	u32 __app *clear_child_tid; /* zeroed and futex-woken at exit */
	struct robust_list_head __app *robust_list;
	size_t robust_list_len;
	struct restart_block { /* for restart_syscall(2) */
		long (*fn)(struct restart_block *);
		u64 arg[5];
	} restart;
	void *vfork_done; /* struct vfork_wait of the parent, until exec or exit; kernel/proc/ */

	u64 start_time; /* CLOCK_MONOTONIC ns */
	struct usage used;
	int exit_code;	   /* wait status encoding */
	int pdeath_signal; /* sent when the thread that made this one's process ends; 0: none */
	u64 timer_slack_ns, default_slack_ns; /* prctl(PR_SET_TIMERSLACK): how late a timed sleep may end */
	int oom_score_adj;
#ifdef DEBUG
	struct alloc_fail fail; /* own thread only */
	struct {
		unsigned n;
		const struct lock_class *lock[16];
	} sleeping_locks; /* that it holds; own thread only */
#endif
};

DECLARE_PER_CPU(struct thread *, current_thread);
#define current this_cpu(current_thread)

static inline void thread_set_flag(struct thread *t, u32 f)
{
	atomic_fetch_or_explicit(&t->flags, f, memory_order_seq_cst);
}

static inline void thread_clear_flag(struct thread *t, u32 f)
{
	atomic_fetch_and_explicit(&t->flags, ~f, memory_order_seq_cst);
}

static inline bool thread_test_flag(struct thread *t, u32 f)
{
	return atomic_load_explicit(&t->flags, memory_order_relaxed) & f;
}

/* Does a pending signal end a sleep in STATE for the current thread? (fatal ones only, for THREAD_KILLABLE)
 */
bool thread_signal_interrupts(enum thread_state state);
#define signal_pending(t) thread_test_flag(t, THREAD_SIGPENDING | THREAD_EXITING)
bool fatal_signal_pending(struct thread *t);

/* kernel/sched/thread.c. A new thread of PROC, asleep, with a kernel stack, flags and name of its own; the
 * caller sets up arch state (arch_thread_init_*), links it into its process, then calls thread_start.
 * ERR_PTR(-ENOMEM). */
struct thread *thread_create(struct process *proc, const char *name);
void thread_start(struct thread *t);   /* make runnable for the first time */
void thread_discard(struct thread *t); /* instead of thread_start, when its set-up failed */
void thread_get(struct thread *t);
void thread_put(struct thread *t);
/* End the current thread: the last switch away; the stack is freed by who runs next. All else is torn down
 * already. */
void thread_exit_final(void) __noreturn;
