// SPDX-License-Identifier: BSD-2-Clause
/* kernel/wait.h, straightforwardly. Weak: kernel/sched has the real one. */
#include "base/err.h"
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "kernel/timer.h"
#include "kernel/wait.h"

__weak void waitq_init(struct waitq *q)
{
	*q = (struct waitq)WAITQ_INIT(*q);
}

static bool wake_thread(struct wait_entry *e, u32 events)
{
	list_del_init(&e->node);
	return thread_wake(e->priv);
}

__weak void wait_entry_init(struct wait_entry *e, bool exclusive)
{
	wait_entry_init_fn(e, wake_thread, current, exclusive);
}

__weak void wait_entry_init_fn(struct wait_entry *e, wait_wake_fn fn, void *priv, bool exclusive)
{
	*e = (struct wait_entry){.wake = fn, .priv = priv, .exclusive = exclusive};
	list_init(&e->node);
}

__weak void waitq_add(struct waitq *q, struct wait_entry *e)
{
	u64 flags = spin_lock_irqsave(&q->lock);

	if (e->exclusive)
		list_add_tail(&e->node, &q->entries);
	else
		list_add(&e->node, &q->entries);
	spin_unlock_irqrestore(&q->lock, flags);
}

__weak void waitq_remove(struct waitq *q, struct wait_entry *e)
{
	u64 flags = spin_lock_irqsave(&q->lock);

	if (!list_empty(&e->node))
		list_del_init(&e->node);
	spin_unlock_irqrestore(&q->lock, flags);
}

__weak bool waitq_active(struct waitq *q)
{
	atomic_thread_fence(memory_order_seq_cst);
	return !list_empty(&q->entries);
}

__weak void waitq_wake(struct waitq *q, unsigned nr_exclusive, u32 events)
{
	struct wait_entry *e, *next;
	u64 flags;

	atomic_thread_fence(memory_order_seq_cst);
	flags = spin_lock_irqsave(&q->lock);
	list_for_each_entry_safe (e, next, &q->entries, node) {
		bool exclusive = e->exclusive;

		if (exclusive && !nr_exclusive)
			break;
		if (e->wake(e, events) && exclusive)
			nr_exclusive--;
	}
	spin_unlock_irqrestore(&q->lock, flags);
}

__weak void wait_prepare(struct waitq *q, struct wait_entry *e, enum thread_state state)
{
	u64 flags = spin_lock_irqsave(&q->lock);

	if (list_empty(&e->node)) {
		if (e->exclusive)
			list_add_tail(&e->node, &q->entries);
		else
			list_add(&e->node, &q->entries);
	}
	thread_set_state(state);
	spin_unlock_irqrestore(&q->lock, flags);
}

__weak void wait_finish(struct waitq *q, struct wait_entry *e)
{
	thread_set_state(THREAD_RUNNING);
	waitq_remove(q, e);
}

__weak void wait_prepare_quick(struct waitq *q, struct wait_entry *e)
{
	wait_prepare(q, e, THREAD_INTERRUPTIBLE);
}

__weak void wait_finish_quick(struct waitq *q, struct wait_entry *e)
{
	wait_finish(q, e);
}

struct alarm {
	struct timer timer;
	struct thread *thread;
};

static void alarm_fire(struct timer *t)
{
	thread_wake(container_of(t, struct alarm, timer)->thread);
}

__weak bool schedule_until(u64 deadline)
{
	struct alarm a = {.thread = current};

	if (deadline == WAIT_FOREVER) {
		schedule();
		return true;
	}
	if (deadline <= clock_monotonic()) {
		thread_set_state(THREAD_RUNNING);
		return false;
	}
	timer_init(&a.timer, alarm_fire);
	timer_set(&a.timer, deadline);
	schedule();
	timer_cancel(&a.timer);
	return clock_monotonic() < deadline;
}

__weak bool schedule_until_poll(u64 deadline)
{
	return schedule_until(deadline);
}
