// SPDX-License-Identifier: BSD-2-Clause
/* Reader-writer lock: see kernel/mutex.h.
 *
 * count: 4 per reader, WRITER, WAITERS. The fast paths are one CAS (or one subtraction to unlock for
 * reading). While somebody waits, newcomers wait too, in one queue in order of arrival: a release that leaves
 * nobody inside lets in the first writer, or all readers ahead of the next writer. So neither side starves.
 *
 * Invariants: (1) WAITERS is set exactly while the list is not empty, and changes under `lock`; (2) while it
 * is set, only grant() adds holders. Lock order: l->lock is a leaf (wake-ups happen under it). */
#include "kernel/mutex.h"
#include "kernel/sched.h"
#include "sched_internal.h"

#define WRITER	((s64)1)
#define WAITERS ((s64)2)
#define READER	((s64)4)
#define SPINS	128
#define BATCH	8 /* threads that one release wakes after it dropped the lock; the rest under it */

struct rwlock_waiter {
	struct list_head node; /* guarded by l->lock */
	struct thread *thread;
	bool writer;
	bool granted; /* guarded by l->lock */
};

void rwlock_init(struct rwlock *l)
{
	atomic_store_explicit(&l->count, 0, memory_order_relaxed);
	spin_init(&l->lock);
	list_init(&l->waiters);
	l->writer = NULL;
	lock_class_init(&l->class);
}

struct wake_batch {
	struct thread *threads[BATCH];
	unsigned n;
};

/* Threads are woken when the lock is dropped: they would only run into it. Their structures stay until we
 * sleep (RCU). */
static void unlock_and_wake(struct rwlock *l, struct wake_batch *b)
{
	spin_unlock(&l->lock);
	for (unsigned i = 0; i < b->n; i++)
		thread_wake(b->threads[i]);
	b->n = 0;
}

/* Let in whoever may go now, in order. l->lock is held. */
static void grant(struct rwlock *l, struct wake_batch *b)
{
	while (!list_empty(&l->waiters)) {
		struct rwlock_waiter *w = list_first_entry(&l->waiters, struct rwlock_waiter, node);
		s64 v = atomic_load_explicit(&l->count, memory_order_acquire);

		if (w->writer) {
			if (v & ~WAITERS)
				return;
			atomic_fetch_or_explicit(&l->count, WRITER, memory_order_acquire);
			l->writer = w->thread;
		} else {
			if (v & WRITER)
				return;
			atomic_fetch_add_explicit(&l->count, READER, memory_order_acquire);
		}
		list_del(&w->node);
		w->granted = true;
		if (b->n < BATCH)
			b->threads[b->n++] = w->thread;
		else
			thread_wake(w->thread);
	}
	atomic_fetch_and_explicit(&l->count, ~WAITERS, memory_order_relaxed);
}

static bool read_try(struct rwlock *l)
{
	s64 v = atomic_load_explicit(&l->count, memory_order_relaxed);

	while (!(v & (WRITER | WAITERS)))
		if (atomic_compare_exchange_weak_explicit(&l->count, &v, v + READER, memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

static bool write_try(struct rwlock *l)
{
	s64 v = 0;

	if (!atomic_compare_exchange_strong_explicit(&l->count, &v, WRITER, memory_order_acquire,
						     memory_order_relaxed))
		return false;
	l->writer = current;
	return true;
}

bool rwlock_read_trylock(struct rwlock *l)
{
	bool took = read_try(l);

	if (took)
		lock_class_take(&l->class, true);
	return took;
}

bool rwlock_write_trylock(struct rwlock *l)
{
	bool took = write_try(l);

	if (took)
		lock_class_take(&l->class, true);
	return took;
}

/* Most holds are short: try for a while before queuing, which makes everybody behind us queue too. */
static bool spin_for(struct rwlock *l, bool writer)
{
	if (cpu_count == 1)
		return false;
	for (unsigned i = 0; i < SPINS; i++) {
		if (writer ? write_try(l) : read_try(l))
			return true;
		if (atomic_load_explicit(&l->count, memory_order_relaxed) & WAITERS)
			return false;
		cpu_relax();
	}
	return false;
}

static __noinline int lock_slow(struct rwlock *l, bool writer, enum thread_state state)
{
	struct rwlock_waiter w = {.thread = current, .writer = writer};
	struct wake_batch wake = {.n = 0};
	int err = 0;

	sched_assert_may_sleep();
	if (spin_for(l, writer))
		return 0;
	spin_lock(&l->lock);
	list_add_tail(&w.node, &l->waiters);
	/* One word: a release before this is seen by grant(), one after it sees WAITERS and comes here. */
	atomic_fetch_or_explicit(&l->count, WAITERS, memory_order_acq_rel);
	grant(l, &wake);
	for (;;) {
		thread_set_state(state);
		if (w.granted)
			break;
		if (state == THREAD_KILLABLE && fatal_signal_pending(current)) {
			list_del(&w.node);
			grant(l, &wake); /* readers behind a writer that left */
			err = -EINTR;
			break;
		}
		unlock_and_wake(l, &wake);
		schedule();
		spin_lock(&l->lock);
	}
	unlock_and_wake(l, &wake);
	thread_set_state(THREAD_RUNNING);
	return err;
}

static __noinline void release_slow(struct rwlock *l)
{
	struct wake_batch wake = {.n = 0};

	spin_lock(&l->lock);
	grant(l, &wake);
	unlock_and_wake(l, &wake);
}

void rwlock_read_lock(struct rwlock *l)
{
	lock_class_take(&l->class, false);
	if (unlikely(!read_try(l)))
		(void)lock_slow(l, false, THREAD_UNINTERRUPTIBLE);
}

void rwlock_read_unlock(struct rwlock *l)
{
	s64 v;

	lock_class_drop(&l->class);
	v = atomic_fetch_sub_explicit(&l->count, READER, memory_order_release) - READER;
	ASSERT(v >= 0 && !(v & WRITER));
	if (unlikely(v == WAITERS))
		release_slow(l);
}

void rwlock_write_lock(struct rwlock *l)
{
	lock_class_take(&l->class, false);
	if (unlikely(!write_try(l)))
		(void)lock_slow(l, true, THREAD_UNINTERRUPTIBLE);
}

int rwlock_write_lock_killable(struct rwlock *l)
{
	int err = 0;

	lock_class_take(&l->class, false);
	if (unlikely(!write_try(l)))
		err = lock_slow(l, true, THREAD_KILLABLE);
	if (err)
		lock_class_drop(&l->class);
	return err;
}

void rwlock_write_unlock(struct rwlock *l)
{
	s64 v;

	ASSERT(rwlock_write_held(l));
	lock_class_drop(&l->class);
	l->writer = NULL;
	v = atomic_fetch_sub_explicit(&l->count, WRITER, memory_order_release) - WRITER;
	if (unlikely(v == WAITERS))
		release_slow(l);
}

bool rwlock_write_held(const struct rwlock *l)
{
	return l->writer == current;
}
