/* SPDX-License-Identifier: BSD-2-Clause */
/* The scheduler's part of a thread. Owner: kernel/sched/. Other code reads `cpu` and nothing else. */
#pragma once

#include "base/list.h"
#include "base/rbtree.h"
#include "base/types.h"
#include "kernel/mpsc.h"
#include "kernel/spinlock.h"

struct cpu_mask;
struct pi_waiter;

/* What the fair policy knows of a thread: kernel/sched/eevdf.c. Virtual times are ns scaled by 1024 / weight. */
struct eevdf_entity {
	struct rb_node node;   /* in the tree of deadlines while runnable and not running */
	u64 vruntime;
	u64 deadline;	       /* virtual: vruntime at the request plus the slice */
	u64 min_vruntime;      /* augmented: smallest vruntime of the subtree */
	s64 vlag;	       /* kept while off the queue: how far behind the average it was */
	u64 inverse_weight;    /* (1024 << 32) / weight */
	u32 weight;
	u32 slice;	       /* ns of service per request */
};

/* A message for the CPU that owns a run queue. */
struct sched_msg {
	struct mpsc_node node;
	u8 kind; /* enum sched_msg_kind: kernel/sched/sched_internal.h */
};

enum sched_class { SCHED_CLASS_RT, SCHED_CLASS_FAIR, SCHED_CLASS_IDLE_THREAD };

/* What the application asked for; guarded by sched_entity.attr_lock. */
struct sched_request {
	u8 policy;	 /* SCHED_OTHER ... */
	s8 nice;
	u8 rt_priority;	 /* 1-99 for FIFO and RR, else 0 */
	bool reset_on_fork;
	u32 slice;	 /* ns; 0: the default */
};

/* What a thread's time is lost for. */
enum stall_flag {
	STALL_IO = 1,	  /* it sleeps until a transfer is done: wait_event_io() */
	STALL_MEMORY = 2, /* psi_memstall_enter() */
};

struct sched_entity {
	/* Touched only by the CPU that `cpu` names, interrupts off. */
	struct eevdf_entity fair;
	struct list_head rt_node;  /* on the run queue's list of its priority */
	u8 class;		   /* enum sched_class, as applied */
	u8 policy;		   /* as applied */
	u8 rt_priority;		   /* as applied, inherited priority included */
	bool started;		   /* it has run */
	u64 rr_left;		   /* ns of the round-robin quantum that are left */
	u64 rt_run;		   /* ns run with real-time priority since it slept last: RLIMIT_RTTIME */
	u64 picked_at;		   /* when it last got the CPU */
	u64 last_wake;		   /* when it last woke another thread; 0: not since it slept */
	u8 handoffs;		   /* how often in a row it slept right after it woke somebody */

	u8 stall;		   /* STALL_*; own thread writes */
	u8 psi_state;		   /* what it counts as in the pressure of psi_cpu: kernel/sched/psi.c */
	u32 psi_cpu;

	_Atomic u32 cpu;	   /* where it runs, is queued, or last was */
	_Atomic bool on_rq;	   /* running or queued on `cpu`; written by that CPU */
	_Atomic bool on_cpu;	   /* its stack and registers are in use; cleared by the thread that follows it */

	/* Messages to the owning CPU. */
	struct sched_msg wake_msg; /* used by whoever made it runnable: exclusive by the state word */
	struct sched_msg attr_msg; /* guarded by attr_queued */
	_Atomic bool attr_queued;
	_Atomic bool attr_changed; /* `want`, `boost` or `affinity` differ from what is applied */

	struct spinlock attr_lock; /* guards want, boost and the replacing of affinity; kernel/sched/attr.c */
	struct sched_request want;
	_Atomic u8 boost;	   /* real-time priority inherited through PI futexes, 0 for none */
	struct cpu_mask *affinity; /* RCU; NULL: every CPU */

	/* CPU time, in ns. Written by the running CPU, read by anyone under time_seq (odd: being written). */
	_Atomic u32 time_seq;
	_Atomic u64 exec_sum;
	_Atomic u64 exec_start;	   /* 0 while off the CPU */
	_Atomic u64 system_sum;
	_Atomic u64 user_shown;	   /* user's part, as told last */
	u64 system_start;	   /* a sampled stay in the kernel began; 0: none */
	u64 switched_out;	   /* when it left the CPU last */
	bool sampled_stay;	   /* the stay in the kernel in which it left the CPU is timed */
	u32 entries;		   /* kernel entries since it last slept long */
	u32 sample_mask;	   /* which of them are timed: kernel/sched/account.c */
	u32 sample_weight;	   /* how many entries the timed one stands for */

	/* Priority inheritance: kernel/sched/futex_pi.c. Guarded by its lock. */
	struct list_head pi_owned;    /* struct pi_state.owner_node */
	struct pi_waiter *pi_blocked; /* the waiter through which it sleeps */
	bool pi_exiting;	      /* its PI futexes were handed over: it gets no more */
};
