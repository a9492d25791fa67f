// SPDX-License-Identifier: BSD-2-Clause
/* Mutex: see kernel/mutex.h.
 *
 * owner holds the owning thread's address and two bits. WAITERS: the list is not empty, unlock must take the
 * slow path; changed only under `lock`. HANDOFF: the first waiter was woken once and passed over; unlock
 * gives it the mutex.
 *
 * Invariants: (1) the address part changes 0 -> T by CAS of whoever takes it, T -> 0 or T -> waiter by T
 * alone; (2) a waiter on the list sleeps only after it saw, under `lock` and after its state was set, an
 * owner that is not 0: that owner's unlock finds WAITERS and takes `lock`; (3) whoever leaves the list while
 * the mutex is free wakes the next. Model: tests/models/mutex.pml. Lock order: m->lock is a leaf (wake-ups
 * happen under it). */
#include "kernel/mutex.h"
#include "kernel/sched.h"
#include "sched_internal.h"

#define WAITERS ((uintptr_t)1)
#define HANDOFF ((uintptr_t)2)
#define FLAGS	(WAITERS | HANDOFF)
#define SPINS	256

struct mutex_waiter {
	struct list_head node; /* guarded by m->lock */
	struct thread *thread;
	bool woken;   /* by an unlock; guarded by m->lock */
	bool granted; /* it owns the mutex; guarded by m->lock */
};

void mutex_init(struct mutex *m)
{
	atomic_store_explicit(&m->owner, 0, memory_order_relaxed);
	spin_init(&m->lock);
	list_init(&m->waiters);
	lock_class_init(&m->class);
}

static struct thread *owner_thread(uintptr_t v)
{
	return (struct thread *)(v & ~FLAGS);
}

/* Take a free mutex, keeping the flags. HANDOFF on a free mutex cannot be: unlock hands it over instead. */
static bool try_take(struct mutex *m)
{
	uintptr_t v = atomic_load_explicit(&m->owner, memory_order_relaxed);

	while (!owner_thread(v))
		if (atomic_compare_exchange_weak_explicit(&m->owner, &v, v | (uintptr_t)current,
							  memory_order_acquire, memory_order_relaxed))
			return true;
	return false;
}

bool mutex_trylock(struct mutex *m)
{
	bool took = try_take(m);

	if (took)
		lock_class_take(&m->class, true);
	return took;
}

bool mutex_held(const struct mutex *m)
{
	return owner_thread(atomic_load_explicit(&((struct mutex *)m)->owner, memory_order_relaxed)) ==
	       current;
}

/* The owner runs on another CPU and will soon be done: cheaper than two switches. Reading its structure is
 * safe: thread structures go by RCU and we do not sleep here. */
static bool spin_for(struct mutex *m)
{
	if (cpu_count == 1)
		return false;
	for (unsigned i = 0; i < SPINS; i++) {
		uintptr_t v = atomic_load_explicit(&m->owner, memory_order_relaxed);
		struct thread *owner = owner_thread(v);

		if (!owner) {
			if (try_take(m))
				return true;
		} else if ((v & HANDOFF) || !atomic_load_explicit(&owner->se.on_cpu, memory_order_relaxed) ||
			   thread_test_flag(current, THREAD_NEED_RESCHED)) {
			return false;
		}
		cpu_relax();
	}
	return false;
}

static void leave(struct mutex *m, struct mutex_waiter *w)
{
	list_del(&w->node);
	if (list_empty(&m->waiters))
		atomic_fetch_and_explicit(&m->owner, ~FLAGS, memory_order_relaxed);
}

/* The thread to wake, once the lock is dropped: it would only run into it. Its structure stays until we sleep
 * (RCU). */
static struct thread *first_to_wake(struct mutex *m)
{
	struct mutex_waiter *w;

	if (list_empty(&m->waiters))
		return NULL;
	w = list_first_entry(&m->waiters, struct mutex_waiter, node);
	w->woken = true;
	return w->thread;
}

static __noinline int lock_slow(struct mutex *m, enum thread_state state)
{
	struct mutex_waiter w = {.thread = current};
	int err = 0;

	sched_assert_may_sleep();
	ASSERT(!mutex_held(m));
	if (spin_for(m))
		return 0;
	spin_lock(&m->lock);
	list_add_tail(&w.node, &m->waiters);
	for (;;) {
		thread_set_state(state);
		if (w.granted)
			break; /* off the list already */
		/* Store-load M1: WAITERS (the RMW), then the owner. Pairs with unlock's CAS, which fails on
		 * WAITERS. */
		atomic_fetch_or_explicit(&m->owner, WAITERS, memory_order_seq_cst);
		if (try_take(m)) {
			/* HANDOFF was for us when we are first; nobody else sets it. */
			if (list_first_entry(&m->waiters, struct mutex_waiter, node) == &w)
				atomic_fetch_and_explicit(&m->owner, ~HANDOFF, memory_order_relaxed);
			leave(m, &w);
			break;
		}
		if (state == THREAD_KILLABLE && fatal_signal_pending(current)) {
			bool was_first = list_first_entry(&m->waiters, struct mutex_waiter, node) == &w;

			if (was_first)
				atomic_fetch_and_explicit(&m->owner, ~HANDOFF, memory_order_relaxed);
			/* Somebody holds the mutex, and will meet WAITERS if others still wait: a wake-up
			 * that we may have had is not lost. */
			leave(m, &w);
			err = -EINTR;
			break;
		}
		if (w.woken && list_first_entry(&m->waiters, struct mutex_waiter, node) == &w)
			atomic_fetch_or_explicit(&m->owner, HANDOFF, memory_order_relaxed);
		spin_unlock(&m->lock);
		schedule();
		spin_lock(&m->lock);
	}
	spin_unlock(&m->lock);
	thread_set_state(THREAD_RUNNING);
	return err;
}

void mutex_lock(struct mutex *m)
{
	uintptr_t v = 0;

	lock_class_take(&m->class, false);
	if (unlikely(!atomic_compare_exchange_strong_explicit(&m->owner, &v, (uintptr_t)current,
							      memory_order_acquire, memory_order_relaxed)))
		lock_slow(m, THREAD_UNINTERRUPTIBLE);
}

int mutex_lock_killable(struct mutex *m)
{
	uintptr_t v = 0;
	int err;

	lock_class_take(&m->class, false);
	if (likely(atomic_compare_exchange_strong_explicit(&m->owner, &v, (uintptr_t)current,
							   memory_order_acquire, memory_order_relaxed)))
		return 0;
	err = lock_slow(m, THREAD_KILLABLE);
	if (err)
		lock_class_drop(&m->class);
	return err;
}

static __noinline void unlock_slow(struct mutex *m)
{
	struct mutex_waiter *w;
	struct thread *next;
	uintptr_t v;

	spin_lock(&m->lock);
	v = atomic_load_explicit(&m->owner, memory_order_relaxed);
	if ((v & HANDOFF) && !list_empty(&m->waiters)) {
		w = list_first_entry(&m->waiters, struct mutex_waiter, node);
		next = w->thread;
		list_del(&w->node);
		w->granted = true;
		atomic_store_explicit(&m->owner, (uintptr_t)next | (list_empty(&m->waiters) ? 0 : WAITERS),
				      memory_order_release);
	} else {
		/* Only flags stay; a barger may take it from here on. */
		atomic_fetch_and_explicit(&m->owner, FLAGS, memory_order_release);
		next = first_to_wake(m);
	}
	spin_unlock(&m->lock);
	if (next)
		thread_wake(next);
}

void mutex_unlock(struct mutex *m)
{
	uintptr_t v = (uintptr_t)current;

	ASSERT(mutex_held(m));
	lock_class_drop(&m->class);
	if (unlikely(!atomic_compare_exchange_strong_explicit(&m->owner, &v, 0, memory_order_release,
							      memory_order_relaxed)))
		unlock_slow(m);
}
