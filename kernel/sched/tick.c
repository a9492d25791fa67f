// SPDX-License-Identifier: BSD-2-Clause
/* The scheduler's interrupts: the local one-shot timer and the message from another CPU. Interrupts off
 * throughout. There is no periodic tick: the timer is armed for the earliest kernel timer, or for the end of
 * a slice when another thread waits. */
#include "sched_internal.h"

static void slice_check(struct runqueue *rq, u64 now)
{
	if (now < rq->slice_end)
		return;
	rq_update_curr(rq, now); /* sets NEED_RESCHED when the request is fulfilled */
	if (rq->curr != rq->idle && rq_pick(rq) != rq->curr)
		rq_resched(rq);
	if (rq->curr->se.class == SCHED_CLASS_RT)
		rt_limit_check(rq->curr);
	rq->curr->se.handoffs = 0; /* it did not make way for whom it woke */
	rq_balance(rq, now);
	rq_set_slice(rq, now);
	/* Due now but not yet switched: do not come back at once, the flag does the work. */
	if (rq->slice_end <= now)
		rq->slice_end = now + EEVDF_SLICE_DEFAULT;
}

void sched_timer_interrupt(void)
{
	struct runqueue *rq = this_rq();
	u64 now = clock_monotonic();

	timer_run(rq->cpu, now);
	slice_check(rq, now);
	load_average_update(now);
	timer_program(rq);
}

void sched_reschedule_interrupt(void)
{
	struct runqueue *rq = this_rq();

	if (!mpsc_empty(&rq->inbox))
		sched_drain(rq, clock_monotonic());
	if (unlikely(atomic_load_explicit(per_cpu_ptr(&rcu_cpu_wanted, rq->cpu), memory_order_relaxed))) {
		/* An interrupt that hit the idle thread hit no reader. Others pass through schedule() on
		 * their way out. */
		if (rq->curr == rq->idle)
			rcu_quiescent();
		else
			rq_resched(rq);
	}
}
