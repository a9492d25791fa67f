/* SPDX-License-Identifier: BSD-2-Clause */
/* The run queue and what the scheduler's files share. Theory statement: README.md. */
#pragma once

#include "eevdf.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/format.h"
#include "kernel/clock.h"
#include "kernel/mpsc.h"
#include "kernel/psi.h"
#include "kernel/sched.h"
#include "kernel/smp.h"
#include <linux/sched.h>

#ifndef SCHED_OTHER
#define SCHED_OTHER SCHED_NORMAL /* POSIX name; the header has the old one only */
#endif

#define SCHED_NEVER (~0ull)
/* A thread that just got the CPU is left alone by fair wake-ups this long: else a burst of wake-ups is a
 * burst of switches. */
#define SCHED_WAKE_GRAIN (200 * NSEC_PER_USEC)
/* Who slept so soon after a wake-up, twice in a row, hands over: whom it wakes next waits for its CPU instead
 * of disturbing an idle one, but no longer than this. */
#define SCHED_HANDOFF_NS (100 * NSEC_PER_USEC)
#define SCHED_HANDOFFS	 2
#define SCHED_CHARGE_NS	 (20 * NSEC_PER_USEC) /* what a thread may run before a wake-up charges it */
#define SCHED_BALANCE_NS (10 * NSEC_PER_MSEC) /* between looks at the load of other busy CPUs */
#define TIMER_SLACK_NS	 (50 * NSEC_PER_USEC) /* of a new process: prctl(PR_SET_TIMERSLACK) */
#define STATE_MASK	 0xffu
#define STATE_ASLEEP	 (1u << 8) /* the thread left the run queue: its waker must queue it */
#define RT_PRIORITIES	 100

struct rt_queue {
	u64 bitmap[2]; /* bit p: list p is not empty */
	struct list_head
		lists[RT_PRIORITIES]; /* waiting threads, by priority 1-99; the running one is on none */
};

/* Stalls of the threads that a CPU counts: psi.c. */
struct psi_cpu {
	_Atomic bool stalled;		    /* io or memory is not 0; set by this CPU alone */
	bool memory_on_cpu;		    /* curr is one of memory_running */
	struct spinlock lock;		    /* guards all but `stalled`, which changes with it held */
	u32 io;				    /* threads asleep until I/O is done */
	u32 memory, memory_running;	    /* threads short of memory; of those, runnable */
	u64 since;			    /* up to when the times are right */
	u64 time[PSI_STATES], stalled_idle; /* ns in each state; ns with a stall and nothing to run */
	/* What the totals have of it, and what they are about to get: psi.c's lock. */
	u64 seen[PSI_STATES], seen_busy, delta[PSI_STATES];
	u32 weight;
};

enum sched_msg_kind { SCHED_MSG_WAKE, SCHED_MSG_ATTR, SCHED_MSG_PULL };

struct runqueue {
	/* Owner CPU only, interrupts off. */
	struct thread *curr; /* == current_thread */
	struct thread *idle;
	struct thread *migrate; /* curr, which goes elsewhere once it is switched out */
	unsigned cpu;
	unsigned nr_running; /* curr (unless idle) and all that wait */
	unsigned nr_rt;
	u64 next_balance;      /* when other busy CPUs are looked at next */
	u64 rt_start, rt_used; /* the real-time period began; ns used in it */
	bool rt_throttled;     /* the quota is used up and fair threads wait */
	bool rt_rotate;	  /* curr, a real-time thread, goes to the end of its list when it is switched out */
	bool reap;	  /* a thread ended here and waits to be freed */
	bool timer_ready; /* the first switch is done: the local timer may be armed */
	struct eevdf fair;
	struct rt_queue rt;
	u64 slice_end; /* CLOCK_MONOTONIC ns at which curr is looked at again; SCHED_NEVER */
	u64 poll_ns;   /* how long idle polls before it halts; adapts */
	u64 busy_ns;   /* charged to threads other than idle */
	u64 online_since;
	struct sched_msg pull_msg; /* this idle CPU's request to a busy one */

	/* Written by the owner, read by everyone. */
	_Atomic bool online;
	_Atomic bool polling;	   /* idle looks at the inbox by itself: no IPI needed */
	_Atomic u64 load_shown;	   /* sum of weights */
	_Atomic u32 nr_shown;	   /* nr_running */
	_Atomic u32 prio_shown;	   /* rt_priority of curr, 0 for fair or idle */
	_Atomic bool pull_sent;	   /* pull_msg is on somebody's list */
	_Atomic u64 load_integral; /* sum of nr_running * ns, up to nr_since */
	_Atomic u64 nr_since;	   /* when nr_running changed last */
	_Atomic u64 system_ns;
	_Atomic u64 user_shown; /* user's part, as told last */
	u64 switches;
	_Atomic u64 wait_ns; /* time with two threads or more in nr_running, up to nr_since */

	struct psi_cpu psi;

	struct mpsc_list inbox __cacheline; /* from everyone: threads to queue, changes, requests */
};

DECLARE_PER_CPU(struct runqueue, runqueue);
DECLARE_PER_CPU(struct runqueue *, runqueue_self);
#define this_rq()   this_cpu(runqueue_self)
#define cpu_rq(cpu) per_cpu_ptr(&runqueue, cpu)

struct cpu_mask {
	struct rcu_head rcu;
	unsigned words;
	u64 bits[];
};

static inline bool cpu_allowed(struct thread *t, unsigned cpu)
{
	struct cpu_mask *m = rcu_dereference(t->se.affinity);

	return !m || (cpu / 64 < m->words && (m->bits[cpu / 64] >> cpu % 64 & 1));
}

static inline u32 thread_state_of(struct thread *t)
{
	return atomic_load_explicit(&t->state_word, memory_order_relaxed) & STATE_MASK;
}

/* runqueue.c: all with interrupts off, on RQ's own CPU. */
void rq_init(struct runqueue *rq, unsigned cpu, struct thread *idle);
void rq_enqueue(struct runqueue *rq, struct thread *t, u64 now,
		bool wakeup); /* T becomes this CPU's; may set NEED_RESCHED */
void rq_dequeue(struct runqueue *rq, struct thread *t, u64 now); /* curr or a waiting thread */
struct thread *rq_pick(struct runqueue *rq);			 /* never NULL: idle at worst */
void rq_set_curr(struct runqueue *rq, struct thread *next, u64 now);
void rq_update_curr(struct runqueue *rq, u64 now);			  /* charge curr up to NOW */
void rq_apply_attributes(struct runqueue *rq, struct thread *t, u64 now); /* T is on RQ */
void rq_push_one(struct runqueue *rq, unsigned to,
		 u64 now);		       /* give a waiting thread to an idle CPU, if one may go */
void rq_balance(struct runqueue *rq, u64 now); /* a CPU idles although threads wait here: give it one */
void rq_set_slice(struct runqueue *rq, u64 now);
void rq_check(struct runqueue *rq); /* DEBUG */
static inline void rq_resched(struct runqueue *rq)
{
	thread_set_flag(rq->curr, THREAD_NEED_RESCHED);
}

/* rt.c */
void rt_init(struct rt_queue *q);
void rt_add(struct rt_queue *q, struct thread *t, bool first);
void rt_remove(struct rt_queue *q, struct thread *t);
unsigned rt_highest(const struct rt_queue *q); /* priority, 0 when empty */
struct thread *rt_first(struct rt_queue *q, unsigned priority);

/* Of each period, real-time threads use no more than the quota while fair ones wait: a runaway must not lock
 * everybody out. ns; a quota of SCHED_NEVER: as much as they like. */
static inline u64 rt_period(void)
{
	return (u64)READ_ONCE(sched_settings[SCHED_SET_RT_PERIOD]) * NSEC_PER_USEC;
}
static inline u64 rt_quota(void)
{
	s32 us = READ_ONCE(sched_settings[SCHED_SET_RT_RUNTIME]);

	return us < 0 ? SCHED_NEVER : (u64)us * NSEC_PER_USEC;
}
static inline u64 rr_quantum(void)
{
	return (u64)READ_ONCE(sched_settings[SCHED_SET_RR_QUANTUM]) * NSEC_PER_MSEC;
}

/* rt_limit.c: RLIMIT_RTTIME. Interrupts off */
u64 rt_limit_at(struct thread *t, u64 now); /* when T, which runs, reaches its limit; SCHED_NEVER */
void rt_limit_check(struct thread *t);	    /* in a timer interrupt: signal it when it has */

/* wake.c */
void sched_send(unsigned cpu, struct sched_msg *msg); /* any context */
void sched_drain(struct runqueue *rq, u64 now);	      /* own CPU, interrupts off */
void wake_defer_begin(void); /* until the matching end, threads that are woken on this CPU are not yet placed;
				interrupts off */
void wake_defer_end(void);
/* A wake-up in two steps. The first, after the caller's own full fence (W1): T becomes RUNNING if its state
 * is in MASK; WAKE_PLACE: it sleeps, and is the caller's to place. */
enum waking { WAKE_NOT, WAKE_STAYED, WAKE_PLACE };
enum waking wake_begin(struct thread *t, u32 mask);
void wake_place(struct thread *t); /* interrupts off */
unsigned sched_select_cpu(struct thread *t);
void sched_note_sleep(struct thread *t, u64 now); /* T commits to sleep */
void sched_place(
	struct thread *t); /* a thread that is on no queue, by whoever made it runnable; interrupts off */

/* idle.c */
bool idle_claim(unsigned cpu);			/* take CPU's idle bit: true when it was set */
int idle_find(struct thread *t, unsigned near); /* claims an idle CPU that T may use, or -1 */
bool idle_any(void);				/* some CPU wants work */
bool idle_any_for(struct thread *t);		/* that T may use */

/* attr.c */
void sched_attr_init(struct thread *t);
struct sched_request sched_request_get(struct thread *t);
int sched_request_change(struct thread *t, const struct sched_request *want);
void sched_set_boost(struct thread *t, u8 priority); /* inherited real-time priority; any context */
void attr_changed(struct thread *t); /* tell the owning CPU; after want, boost or affinity was stored */

/* futex_pi.c */
void futex_priority_changed(struct thread *t); /* T's own priority changed; it may wait for a PI futex */

/* account.c */
void account_switch_out(struct thread *t, u64 now);
void account_switch_in(struct thread *t, u64 now);
void account_init(struct runqueue *rq, u64 now);
void account_nr_running(struct runqueue *rq, u64 now); /* before nr_running changes */
void load_average_update(u64 now);

/* psi.c: interrupts off, RQ is this CPU's */
extern _Atomic bool psi_ticking;
void psi_start_ticking(void);
void psi_catch_up(struct runqueue *rq, u64 now);		    /* before nr_running changes */
void psi_switch(struct runqueue *rq, struct thread *next, u64 now); /* NEXT gets the CPU */
void psi_sleep(struct runqueue *rq, struct thread *t, u64 now);	    /* T leaves the queue to sleep */
void psi_wake(struct runqueue *rq, struct thread *t, u64 now);	    /* T is about to be queued */
/* Somebody stalls: the totals are to be kept. */
static inline void psi_keep_ticking(void)
{
	if (unlikely(!atomic_load_explicit(&psi_ticking, memory_order_relaxed)))
		psi_start_ticking();
}
static inline bool psi_stalled(struct runqueue *rq)
{
	return atomic_load_explicit(&rq->psi.stalled, memory_order_relaxed);
}

/* switch.c */
void sched_reap(void); /* free threads that ended on this CPU. Thread context, interrupts on */

/* timer.c */
void timer_program(
	struct runqueue *rq); /* arm the hardware for the earliest timer or slice end, if it is not */
void timer_run(unsigned cpu, u64 now);
void timer_init_cpu(unsigned cpu);

/* rcu.c */
void rcu_quiescent_slow(void);
DECLARE_PER_CPU(_Atomic bool, rcu_cpu_wanted);
static inline void rcu_quiescent(void) /* this CPU holds no reader; interrupts off */
{
	if (unlikely(atomic_load_explicit(per_cpu_ptr(&rcu_cpu_wanted, cpu_id()), memory_order_relaxed)))
		rcu_quiescent_slow();
}
void rcu_idle_enter(void); /* idle.c, around the halt; interrupts off */
void rcu_idle_leave(bool halted);

/* Who sleeps must hold no spin lock and have interrupts on; DEBUG. */
#ifdef DEBUG
void sched_assert_may_sleep(void);
#else
static inline void sched_assert_may_sleep(void)
{
}
#endif
