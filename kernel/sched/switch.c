// SPDX-License-Identifier: BSD-2-Clause
/* schedule(): commit to sleep, pick, switch, and finish the switch on the other side. */
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/kthread.h"
#include "kernel/vm.h"
#include "sched_internal.h"

DEFINE_COUNTER(sched_migrations, "threads moved because their CPU is not allowed any more");

static struct mpsc_list dead_threads;
static struct work reap_work = {.fn = NULL};

/* Free what only the dead thread itself used; the structure goes with its last reference. */
static void reap_all(struct work *w)
{
	struct mpsc_node *n = mpsc_take(&dead_threads), *next;

	for (; n; n = next) {
		struct thread *t = container_of(n, struct thread, se.wake_msg.node);

		next = n->next;
		kstack_free(t->kstack);
		t->kstack = NULL;
		arch_thread_free(t);
		thread_put(t);
	}
}

void sched_reap(void)
{
	this_rq()->reap = false;
	if (current == this_rq()->idle) {
		/* The idle thread must not sleep, and freeing may. */
		reap_work.fn = reap_all;
		work_queue(&reap_work);
	} else {
		reap_all(NULL);
	}
}

/* PREV's stack and registers are no longer in use. Runs on NEXT's stack, interrupts off. */
static void finish_switch(struct thread *prev)
{
	struct runqueue *rq = this_rq();
	struct thread *migrate = rq->migrate;
	bool dead = thread_state_of(prev) == THREAD_DEAD;

	rq->migrate = NULL;
	/* From here PREV may run elsewhere, or be freed if it is not dead by our doing. */
	atomic_store_explicit(&prev->se.on_cpu, false, memory_order_release);
	if (unlikely(dead)) {
		mpsc_push(&dead_threads, &prev->se.wake_msg.node);
		rq->reap = true;
	} else if (unlikely(migrate)) {
		counter_inc(&sched_migrations);
		sched_place(migrate);
	}
}

void sched_thread_begin(struct thread *prev)
{
	finish_switch(prev);
	if (unlikely(this_rq()->reap)) {
		arch_irq_enable();
		sched_reap();
		arch_irq_disable();
	}
}

/* Take PREV off the queue when it sleeps, ends, or may not stay here. */
static void leave_queue(struct runqueue *rq, struct thread *prev, u64 now)
{
	u32 state = atomic_load_explicit(&prev->state_word, memory_order_relaxed);

	if (state != THREAD_RUNNING) {
		ASSERT(!(state & STATE_ASLEEP));
		/* Fails when a waker came first: then it is RUNNING, and stays. */
		if (atomic_compare_exchange_strong_explicit(&prev->state_word, &state, state | STATE_ASLEEP,
							    memory_order_acq_rel, memory_order_relaxed)) {
			usage_count(&prev->used, USAGE_VOLUNTARY, 1);
			sched_note_sleep(prev, now);
			prev->se.rt_run = 0;
			rq_dequeue(rq, prev, now);
			if (unlikely(prev->se.stall))
				psi_sleep(rq, prev, now);
			return;
		}
	}
	if (unlikely(!cpu_allowed(prev, rq->cpu))) {
		rq_dequeue(rq, prev, now);
		rq->migrate = prev;
	}
}

static void switch_to(struct runqueue *rq, struct thread *prev, struct thread *next, u64 now)
{
	if (prev->se.on_rq)
		usage_count(&prev->used, USAGE_INVOLUNTARY, 1);
	WRITE_ONCE(rq->switches, rq->switches + 1);
	account_switch_out(prev, now);
	account_switch_in(next, now);
	if (unlikely(psi_stalled(rq)))
		psi_switch(rq, next, now);
	atomic_store_explicit(&next->se.on_cpu, true, memory_order_relaxed);
	if (next->vm != prev->vm) /* NULL: keeps it loaded, but is told of no change */
		vmspace_activate(next->vm);
	this_cpu(current_thread) = next;
	finish_switch(arch_switch(prev, next));
}

void schedule(void)
{
	u64 flags = arch_irq_save();
	struct runqueue *rq = this_rq();
	struct thread *prev = rq->curr, *next;
	u64 now = clock_monotonic();

#ifdef DEBUG
	if (this_cpu(spin_depth))
		panic("schedule: %s sleeps with %u spin locks held", prev->name, this_cpu(spin_depth));
	rq_check(rq);
#endif
	rq->timer_ready = true;
	rcu_quiescent();
	if (!mpsc_empty(&rq->inbox))
		sched_drain(rq, now);
	rq_update_curr(rq, now);
	if (prev != rq->idle)
		leave_queue(rq, prev, now);
	else
		ASSERT(thread_state_of(prev) == THREAD_RUNNING);
	if (thread_test_flag(prev, THREAD_NEED_RESCHED))
		thread_clear_flag(prev, THREAD_NEED_RESCHED);
	next = rq_pick(rq);
	rq_set_curr(rq, next, now);
	timer_program(rq);
	if (prev != next)
		switch_to(rq, prev, next, now);
	/* This may be another CPU than before. */
	arch_irq_restore(flags);
	if (unlikely(this_rq()->reap))
		sched_reap();
}

void thread_yield(void)
{
	u64 flags = arch_irq_save();
	struct runqueue *rq = this_rq();

	if (rq->nr_running > 1 || !mpsc_empty(&rq->inbox)) {
		rq_update_curr(rq, clock_monotonic());
		if (rq->curr->se.class == SCHED_CLASS_RT)
			rq->rt_rotate = true;
		else if (rq->fair.nr > 1)
			eevdf_yield(&rq->fair);
	}
	arch_irq_restore(flags);
	schedule();
}

void cond_resched(void)
{
	if (thread_test_flag(current, THREAD_NEED_RESCHED))
		schedule();
}
