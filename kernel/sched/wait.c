// SPDX-License-Identifier: BSD-2-Clause
/* Wait queues and timed sleeps: see kernel/wait.h.
 *
 * The lock of a queue is taken even to remove an entry that its waker took off already: when wait_finish()
 * returns, no waker touches the entry or the queue for its sake, and both may be on a stack that goes away.
 */
#include "kernel/wait.h"
#include "kernel/timer.h"
#include "sched_internal.h"

void waitq_init(struct waitq *q)
{
	spin_init(&q->lock);
	list_init(&q->entries);
}

/* The last store is `prev`, for is_off(). */
static inline void take_off(struct wait_entry *e)
{
	list_del(&e->node);
	e->node.next = &e->node;
	__atomic_store_n(&e->node.prev, &e->node, __ATOMIC_RELEASE);
}

static bool wake_thread(struct wait_entry *e, u32 events)
{
	if (!thread_wake(e->priv))
		return false;
	take_off(e);
	return true;
}

/* Has E's waker done with it? Read without the lock, under which neighbours may change an entry that is on:
 * then the answer is no whatever is read. That is what ThreadSanitizer is told not to mind. */
__attribute__((no_sanitize("thread"))) static bool is_off(struct wait_entry *e)
{
	return __atomic_load_n(&e->node.prev, __ATOMIC_ACQUIRE) == &e->node;
}

void wait_entry_init_fn(struct wait_entry *e, wait_wake_fn fn, void *priv, bool exclusive)
{
	*e = (struct wait_entry){.wake = fn, .priv = priv, .exclusive = exclusive};
	list_init(&e->node);
}

void wait_entry_init(struct wait_entry *e, bool exclusive)
{
	wait_entry_init_fn(e, wake_thread, current, exclusive);
}

static void add_locked(struct waitq *q, struct wait_entry *e)
{
	if (!list_empty(&e->node))
		return;
	if (e->exclusive)
		list_add_tail(&e->node, &q->entries);
	else
		list_add(&e->node, &q->entries);
}

void waitq_add(struct waitq *q, struct wait_entry *e)
{
	u64 flags = spin_lock_irqsave(&q->lock);

	add_locked(q, e);
	spin_unlock_irqrestore(&q->lock, flags);
}

void waitq_remove(struct waitq *q, struct wait_entry *e)
{
	u64 flags = spin_lock_irqsave(&q->lock);

	list_del_init(&e->node);
	spin_unlock_irqrestore(&q->lock, flags);
}

/* Reads the list without its lock: one aligned word, and both outcomes are right when an entry just comes or
 * goes. That is what ThreadSanitizer is told not to mind. */
__attribute__((no_sanitize("thread"))) bool waitq_active(struct waitq *q)
{
	/* Store-load Q1: the caller's condition, then the list. Pairs with S1 (thread_set_state after the
	 * entry was added). */
	atomic_thread_fence(memory_order_seq_cst);
	return READ_ONCE(q->entries.next) != &q->entries;
}

/* Most often the first in the queue is a thread, and the only one to wake. False: it is not so. The queue's
 * lock is held, interrupts are off; dropped when true. waitq_active()'s fence is W1's as well. */
static inline bool wake_only_one(struct waitq *q)
{
	struct wait_entry *e = list_first_entry(&q->entries, struct wait_entry, node);
	struct thread *t;
	enum waking did;

	if (list_empty(&q->entries) || !e->exclusive || e->wake != wake_thread)
		return false;
	t = e->priv;
	did = wake_begin(t, THREAD_WAKE_ALL);
	if (did == WAKE_NOT)
		return false;
	take_off(e);
	spin_unlock(&q->lock);
	if (did == WAKE_PLACE)
		wake_place(t);
	return true;
}

static void wake_several(struct waitq *q, unsigned nr_exclusive, u32 events)
{
	struct wait_entry *e, *next;

	wake_defer_begin();
	list_for_each_entry_safe (e, next, &q->entries, node) {
		bool exclusive = e->exclusive; /* the entry may be gone once its function returns */

		if (e->wake(e, events) && exclusive && !--nr_exclusive)
			break;
	}
	spin_unlock(&q->lock);
	wake_defer_end();
}

void waitq_wake(struct waitq *q, unsigned nr_exclusive, u32 events)
{
	u64 flags;

	if (!waitq_active(q))
		return;
	flags = spin_lock_irqsave(&q->lock);
	if (nr_exclusive != 1 || !wake_only_one(q))
		wake_several(q, nr_exclusive, events);
	arch_irq_restore(flags);
}

void wait_prepare(struct waitq *q, struct wait_entry *e, enum thread_state state)
{
	waitq_add(q, e);
	thread_set_state(state); /* S1 */
}

void wait_finish(struct waitq *q, struct wait_entry *e)
{
	thread_set_state(THREAD_RUNNING);
	waitq_remove(q, e);
}

void wait_prepare_quick(struct waitq *q, struct wait_entry *e)
{
	spin_lock(&q->lock);
	add_locked(q, e);
	spin_unlock(&q->lock);
	thread_set_state(THREAD_INTERRUPTIBLE); /* S1 */
}

void wait_finish_quick(struct waitq *q, struct wait_entry *e)
{
	thread_set_state(THREAD_RUNNING);
	if (is_off(e))
		return;
	spin_lock(&q->lock);
	list_del_init(&e->node);
	spin_unlock(&q->lock);
}

struct sleep_timer {
	struct timer timer;
	struct thread *thread;
	_Atomic bool fired;
};

static void sleep_timer_fire(struct timer *t)
{
	struct sleep_timer *s = container_of(t, struct sleep_timer, timer);
	struct thread *thread = s->thread;

	/* Release: the sleeper that sees it may return, and S with it, once timer_cancel() says that we are
	 * done. */
	atomic_store_explicit(&s->fired, true, memory_order_release);
	thread_wake(thread);
}

#define POLL_SLACK_PART 1000 /* of the time to wait */
#define POLL_SLACK_NICE 200  /* for who made himself nicer than others */
#define POLL_SLACK_MAX	(100 * NSEC_PER_MSEC)

/* How much later than asked the current thread may be woken, prctl(2): nothing with real-time priority; of a
 * long wait for files LEFT, 0 for other waits, a part more. */
static u64 slack_of(struct thread *t, u64 left)
{
	unsigned part = t->se.fair.weight < EEVDF_WEIGHT_0 ? POLL_SLACK_NICE : POLL_SLACK_PART;

	if (t->se.class == SCHED_CLASS_RT)
		return 0;
	return max(READ_ONCE(t->timer_slack_ns), min(left / part, POLL_SLACK_MAX));
}

enum sleep_kind { SLEEP_PLAIN, SLEEP_REALTIME, SLEEP_POLL };

static __noinline bool sleep_until(u64 deadline, enum sleep_kind kind)
{
	struct sleep_timer s = {.thread = current};
	bool realtime = kind == SLEEP_REALTIME;
	u64 now = realtime ? clock_realtime() : clock_monotonic();

	if (deadline <= now) {
		thread_set_state(THREAD_RUNNING);
		return false;
	}
	timer_init(&s.timer, sleep_timer_fire);
	timer_set_slack(&s.timer, deadline, slack_of(s.thread, kind == SLEEP_POLL ? deadline - now : 0),
			realtime);
	schedule();
	if (timer_cancel(&s.timer))
		return true;
	return !atomic_load_explicit(&s.fired, memory_order_acquire);
}

bool schedule_until(u64 deadline)
{
	if (deadline != WAIT_FOREVER)
		return sleep_until(deadline, SLEEP_PLAIN);
	schedule();
	return true;
}

bool schedule_until_realtime(u64 deadline)
{
	if (deadline != WAIT_FOREVER)
		return sleep_until(deadline, SLEEP_REALTIME);
	schedule();
	return true;
}

bool schedule_until_poll(u64 deadline)
{
	if (deadline != WAIT_FOREVER)
		return sleep_until(deadline, SLEEP_POLL);
	schedule();
	return true;
}

void thread_sleep_until(u64 deadline)
{
	for (;;) {
		thread_set_state(THREAD_UNINTERRUPTIBLE);
		if (!schedule_until(deadline))
			return;
	}
}
