// SPDX-License-Identifier: BSD-2-Clause
/* kernel/mutex.h in its simplest form: try, else queue and sleep, and try again. Weak: kernel/sched has the
 * real one. */
#include "base/err.h"
#include "kernel/mutex.h"
#include "kernel/sched.h"

struct sleeper {
	struct list_head node;
	struct thread *thread;
};

__weak void mutex_init(struct mutex *m)
{
	*m = (struct mutex)MUTEX_INIT(*m);
}

static bool take_mutex(void *lock)
{
	struct mutex *m = lock;
	uintptr_t free = 0;

	return atomic_compare_exchange_strong(&m->owner, &free, (uintptr_t)current);
}

static void sleep_until_taken(struct spinlock *lock, struct list_head *waiters, bool (*take)(void *),
			      void *arg)
{
	struct sleeper s = {.thread = current};

	list_init(&s.node);
	for (;;) {
		bool taken;

		spin_lock(lock);
		if (list_empty(&s.node))
			list_add_tail(&s.node, waiters);
		thread_set_state(THREAD_UNINTERRUPTIBLE);
		taken = take(arg);
		if (taken) {
			list_del_init(&s.node);
			thread_set_state(THREAD_RUNNING);
		}
		spin_unlock(lock);
		if (taken)
			return;
		schedule();
	}
}

static void wake_all(struct spinlock *lock, struct list_head *waiters)
{
	spin_lock(lock);
	while (!list_empty(waiters)) {
		struct sleeper *s = list_first_entry(waiters, struct sleeper, node);

		list_del_init(&s->node);
		thread_wake(s->thread);
	}
	spin_unlock(lock);
}

__weak void mutex_lock(struct mutex *m)
{
	if (mutex_held(m))
		panic("mutex_lock: taken twice by one thread");
	if (!take_mutex(m))
		sleep_until_taken(&m->lock, &m->waiters, take_mutex, m);
}

__weak int mutex_lock_killable(struct mutex *m)
{
	mutex_lock(m);
	return 0;
}

__weak bool mutex_trylock(struct mutex *m)
{
	return take_mutex(m);
}

__weak void mutex_unlock(struct mutex *m)
{
	if (!mutex_held(m))
		panic("mutex_unlock: not the owner");
	atomic_store(&m->owner, 0);
	wake_all(&m->lock, &m->waiters);
}

__weak bool mutex_held(const struct mutex *m)
{
	return atomic_load(&((struct mutex *)m)->owner) == (uintptr_t)current;
}

__weak void rwlock_init(struct rwlock *l)
{
	*l = (struct rwlock){.waiters = LIST_HEAD_INIT(l->waiters)};
}

static bool take_read(void *lock)
{
	struct rwlock *l = lock;
	s64 n = atomic_load(&l->count);

	while (n >= 0)
		if (atomic_compare_exchange_strong(&l->count, &n, n + 1))
			return true;
	return false;
}

static bool take_write(void *lock)
{
	struct rwlock *l = lock;
	s64 free = 0;

	return atomic_compare_exchange_strong(&l->count, &free, -1);
}

__weak void rwlock_read_lock(struct rwlock *l)
{
	if (!take_read(l))
		sleep_until_taken(&l->lock, &l->waiters, take_read, l);
}

__weak bool rwlock_read_trylock(struct rwlock *l)
{
	return take_read(l);
}

__weak void rwlock_read_unlock(struct rwlock *l)
{
	if (atomic_fetch_sub(&l->count, 1) < 1)
		panic("rwlock_read_unlock: not read-locked");
	wake_all(&l->lock, &l->waiters);
}

__weak void rwlock_write_lock(struct rwlock *l)
{
	if (!take_write(l))
		sleep_until_taken(&l->lock, &l->waiters, take_write, l);
	l->writer = current;
}

__weak int rwlock_write_lock_killable(struct rwlock *l)
{
	rwlock_write_lock(l);
	return 0;
}

__weak void rwlock_write_unlock(struct rwlock *l)
{
	if (!rwlock_write_held(l))
		panic("rwlock_write_unlock: not the writer");
	l->writer = NULL;
	atomic_store(&l->count, 0);
	wake_all(&l->lock, &l->waiters);
}

__weak bool rwlock_write_held(const struct rwlock *l)
{
	return atomic_load(&((struct rwlock *)l)->count) == -1 && l->writer == current;
}

#ifdef DEBUG
/* Tests run on their own locks: no order to look at. */
__weak void lock_class_take(const struct lock_class *c, bool tried)
{
}

__weak void lock_class_drop(const struct lock_class *c)
{
}

__weak void lock_order_take(struct spinlock *l, bool tried)
{
}

__weak void lock_order_drop(struct spinlock *l)
{
}

__weak u16 lock_order_life(void)
{
	return 0;
}
#endif
