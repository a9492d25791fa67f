/* SPDX-License-Identifier: BSD-2-Clause */
/* Sleeping locks (implemented in kernel/sched/). Thread context only. Not recursive.
 *
 * mutex: uncontended lock and unlock are one atomic each. Unlock wakes the first waiter but lets others barge in; a
 * waiter passed over once gets ownership handed to it, so nobody starves.
 * rwlock: many readers or one writer; writers are not starved.
 *
 * DEBUG builds check the order in which they are taken, by class: a class is what one call initialised, or one static
 * lock. kernel/sched/lock_class.c. */
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "kernel/spinlock.h"

struct thread;

struct lock_class {
#ifdef DEBUG
	const void *site; /* the call that initialised the lock; NULL: a static one, which is a class of its own */
	bool nests;
#endif
};

#ifdef DEBUG
void lock_class_take(const struct lock_class *c, bool tried); /* before it waits, but after it took when TRIED */
void lock_class_drop(const struct lock_class *c);
#define lock_class_init(c) ((c)->site = __builtin_return_address(0), (c)->nests = false)
/* Locks of this class are also taken while one of them is held; what keeps them in order is known to those who do. */
#define lock_may_nest(l) ((l)->class.nests = true)
#else
static inline void lock_class_take(const struct lock_class *c, bool tried)
{
}

static inline void lock_class_drop(const struct lock_class *c)
{
}
#define lock_class_init(c) ((void)(c))
#define lock_may_nest(l)   ((void)(l))
#endif

struct mutex {
	_Atomic uintptr_t owner; /* struct thread * with flag bits in the low bits; 0 when free */
	struct spinlock lock;	 /* guards waiters */
	struct list_head waiters;
	struct lock_class class;
};

#define MUTEX_INIT(name) {.waiters = LIST_HEAD_INIT((name).waiters)}
#define DEFINE_MUTEX(name) struct mutex name = MUTEX_INIT(name)

void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
/* As mutex_lock, but gives up with -EINTR when a fatal signal is pending. */
int __must_check mutex_lock_killable(struct mutex *m);
bool __must_check mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_held(const struct mutex *m); /* by the current thread; for ASSERT */

struct rwlock {
	_Atomic s64 count;     /* 4 per reader, bit 0: a writer, bit 1: somebody waits; kernel/sched/rwlock.c */
	struct spinlock lock;  /* guards waiters */
	struct list_head waiters;
	struct thread *writer; /* who holds it for writing, for assertions */
	struct lock_class class;
};

#define RWLOCK_INIT(name) {.waiters = LIST_HEAD_INIT((name).waiters)}
#define DEFINE_RWLOCK(name) struct rwlock name = RWLOCK_INIT(name)

void rwlock_init(struct rwlock *l);
void rwlock_read_lock(struct rwlock *l);
bool __must_check rwlock_read_trylock(struct rwlock *l);
void rwlock_read_unlock(struct rwlock *l);
void rwlock_write_lock(struct rwlock *l);
bool __must_check rwlock_write_trylock(struct rwlock *l);
int __must_check rwlock_write_lock_killable(struct rwlock *l);
void rwlock_write_unlock(struct rwlock *l);
bool rwlock_write_held(const struct rwlock *l);
