/* SPDX-License-Identifier: BSD-2-Clause */
/* One-shot kernel timers, ordered per CPU; the local timer interrupt is programmed only for the earliest.
 * The callback runs in interrupt context on the arming CPU, interrupts off: bounded work, wakes threads, may re-arm; it
 * may free the timer, which is idle (timer_pending() is false) when it runs. */
#pragma once

#include "base/rbtree.h"
#include "base/types.h"

struct timer {
	struct rb_node node;   /* on the owning CPU's tree while armed */
	u64 expires;	       /* CLOCK_MONOTONIC ns, or CLOCK_REALTIME ns when `realtime` */
	void (*fn)(struct timer *);
	_Atomic u16 cpu;       /* owning CPU + 1 while armed, else 0 */
	_Atomic u16 base;      /* CPU whose tree it was on last, where the callback may still run; guarded by that tree's lock */
	bool realtime;	       /* guarded likewise */
	u8 slack;	       /* n: it may fire 2^n ns before `expires`; 0: no. Guarded likewise */
	_Atomic bool mark;     /* the owner's own */
};

void timer_init(struct timer *t, void (*fn)(struct timer *));
/* Arm, or move an armed timer. Any context. */
void timer_set(struct timer *t, u64 expires);
/* The same for a time of the wall clock: when the clock is stepped, the timer moves with it. */
void timer_set_realtime(struct timer *t, u64 expires);
/* It may fire up to SLACK ns (rounded down to a power of two) late, with another one: that spares an interrupt. */
void timer_set_slack(struct timer *t, u64 due, u64 slack, bool realtime);
/* Disarm; returns true when it was still pending. On return the callback is not running on another CPU (so it may not be
 * called from the callback's own lock's holder: use timer_try_cancel there). Any context except the callback itself. */
bool timer_cancel(struct timer *t);
/* Disarm without waiting: 1 was pending, 0 was idle, -1 the callback is running now. */
int timer_try_cancel(struct timer *t);

/* The wall clock was stepped (after clock_set_realtime, or by the host): wall-clock timers fire or move, and those who
 * sleep on clock_step_waitq (TFD_TIMER_CANCEL_ON_SET) wake and see a new clock_step_count. Thread context. */
void clock_stepped(void);
extern _Atomic u64 clock_step_count;
struct waitq;
extern struct waitq clock_step_waitq;
static inline bool timer_pending(const struct timer *t)
{
	return atomic_load_explicit(&((struct timer *)t)->cpu, memory_order_relaxed) != 0;
}
