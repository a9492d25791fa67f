/* SPDX-License-Identifier: BSD-2-Clause */
/* Interval timers of a process that end in a signal: what timer_create(2) and setitimer(2) share. Theory:
 * ptimer.c. */
#pragma once

#include "kernel/signal.h"
#include "time_internal.h"

struct ptimer {
	struct list_head node; /* timer_create's, on posix_timers.list */
	struct posix_timers *all;
	struct timer timer;
	int id;
	/* Fixed at creation. */
	enum clock_kind kind;
	enum cpu_clock cpu;
	u64 offset;		     /* of the clock: BOOTTIME, TAI */
	struct process *process;     /* CPU clock of it, with a reference */
	struct thread *clock_thread; /* or of a thread, with a reference */
	struct thread *target;	     /* SIGEV_THREAD_ID, with a reference */
	int signal;		     /* 0: none (SIGEV_NONE) */
	bool plain;		     /* setitimer: the signal carries no siginfo of a timer */
	sigval_t value;
	/* Guarded by all->lock. */
	bool armed;
	bool relative_real; /* CLOCK_REALTIME, but started with a relative time: runs on the monotonic clock
			     */
	u64 expires;	    /* in ns of the clock that it runs on */
	u64 interval;
	u64 overrun;	       /* expirations merged into the signal that is pending */
	u64 delivered_overrun; /* as of the last signal that was delivered */
	bool queued;	       /* a signal was sent and, when last looked at, not yet delivered */
	u64 last_look;	       /* CPU clocks */
	unsigned idle_looks;
};

struct posix_timers {
	struct process *owner; /* no reference: it outlives its timers */
	struct spinlock lock;  /* guards the list and the timers. Taken with interrupts off; before the
				  process's lock */
	struct list_head list;
	int next_id;
	struct ptimer itimer[3]; /* ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF */
	struct timer cpu_limit;	 /* RLIMIT_CPU: the next look; cpu_limit.c. Its callback alone uses the next
				    three */
	u64 limit_last;		 /* CPU time at the last look */
	u64 limit_warned;	 /* seconds at which SIGXCPU was sent last */
	unsigned limit_idle;
};

struct itimer_ns {
	u64 value, interval; /* value 0: not armed */
};

struct posix_timers *ptimers_get(void); /* the current process's, made on first use; NULL on no memory */
struct posix_timers *ptimers_of(struct process *p);
void cpu_limit_check(struct timer *t); /* the callback of cpu_limit */
void ptimer_init(struct ptimer *t, struct posix_timers *all);
/* With all->lock held. set: false when the callback is running: unlock and come again. ABSOLUTE: value is a
 * time. */
bool ptimer_set(struct ptimer *t, const struct itimer_ns *new, bool absolute);
void ptimer_left(struct ptimer *t, struct itimer_ns *out);
u64 ptimer_overrun(struct ptimer *t);
void ptimer_taken(struct ptimer *t,
		  siginfo_t *info); /* INFO, a signal of T, was taken: tell its overruns, go on */
