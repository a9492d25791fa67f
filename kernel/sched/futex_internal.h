/* SPDX-License-Identifier: BSD-2-Clause */
/* What the futex files share. Theory statement: futex.c. */
#pragma once

#include "kernel/app.h"
#include "kernel/futex.h"
#include "kernel/vm.h"
#include "kernel/wait.h"
#include "sched_internal.h"
#include <linux/futex.h>
#include <linux/time_types.h>

struct futex_bucket {
	struct spinlock lock;  /* guards list and the waiters on it. Thread context only */
	_Atomic u32 waiters;   /* on the list, or about to be: wakers that read 0 need not lock */
	struct list_head list; /* highest priority first, oldest first among equals */
} __cacheline;

/* A PI futex that somebody waits for; lives while a waiter refers to it. */
struct pi_state {
	struct list_head owner_node; /* on owner->se.pi_owned; guarded by pi_lock, as all below */
	struct thread *owner;	     /* reference held */
	struct list_head
		waiters; /* struct pi_waiter, highest priority first; not the one it was granted to */
	struct futex_key key;
	unsigned refs;	 /* futex waiters that refer to it; changes under the bucket's lock as well */
	bool word_stale; /* the owner died; the new one has not written the word yet; by the bucket's lock */
};

struct pi_waiter {	       /* guarded by pi_lock */
	struct list_head node; /* on pi->waiters, highest priority first */
	struct thread *thread;
	struct pi_state *pi; /* NULL: not waiting for one */
	u8 priority;
};

struct futex_waiter {	       /* on the sleeper's stack */
	struct list_head node; /* on bucket->list, or its waker's own list; guarded by the bucket's lock */
	struct thread *thread;
	struct futex_key key; /* guarded by the bucket's lock (requeue changes it) */
	_Atomic(struct futex_bucket *)
		bucket;	    /* NULL once a waker took it off; changes under that bucket's lock */
	_Atomic bool woken; /* the waker has done with it */
	u32 bitset;
	u8 priority; /* real-time priority of its own when it began to wait */
	struct pi_waiter pi;
	_Atomic bool granted; /* it owns the PI futex; set under the bucket's lock */
	bool owner_died; /* and the word is still to be written, with FUTEX_OWNER_DIED; guarded likewise */
	const struct futex_key
		*requeue_pi; /* FUTEX_WAIT_REQUEUE_PI: where it may be moved to, and only there */
};

/* A futex as the caller names it. */
struct futex_ref {
	u32 __app *addr;
	struct futex_key key;
};

struct futex_timeout {
	u64 deadline; /* ns of its clock, WAIT_FOREVER */
	bool realtime;
};

/* -EINVAL (not aligned), -EFAULT. Then futex_put(). */
int futex_get(struct futex_ref *f, u32 __app *addr, bool shared);
void futex_put(struct futex_ref *f);
static inline bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->offset == b->offset && a->object == b->object;
}
struct futex_bucket *futex_bucket(const struct futex_key *key);
void futex_lock_pair(struct futex_bucket *a, struct futex_bucket *b); /* by address; a == b is fine */
void futex_unlock_pair(struct futex_bucket *a, struct futex_bucket *b);
/* Make the word accessible after a _nofault access failed. 0 or -EFAULT. Nothing locked. */
int futex_fault_in(u32 __app *addr, bool write);

/* The word, read in one access; the page is made present if need be. 0 or -EFAULT. Nothing locked. */
int futex_read(u32 *val, u32 __app *addr);

void futex_waiter_init(struct futex_waiter *w);
void futex_enqueue(struct futex_bucket *b, struct futex_waiter *w, const struct futex_key *key); /* locked */
void futex_insert(struct futex_bucket *b, struct futex_waiter *w);  /* to its place on the list; locked */
void futex_dequeue(struct futex_bucket *b, struct futex_waiter *w); /* locked */
/* Take W off its bucket unless a waker did: true when we took it, false when it was woken (and the waker is
 * done). */
bool futex_unqueue(struct futex_waiter *w);
/* Wake the threads of a list of waiters that were taken off their buckets. Nothing locked. */
void futex_wake_list(struct list_head *list);
/* Move W to LIST of those to wake. Locked. */
void futex_take(struct futex_bucket *b, struct futex_waiter *w, struct list_head *list);
/* Queue on F if its word still is VAL: 0, -EAGAIN, -EFAULT. */
int futex_wait_setup(struct futex_ref *f, u32 val, struct futex_waiter *w);
/* Sleep until woken: 0, -ETIMEDOUT, -ERESTARTSYS. The caller then unqueues. */
int futex_sleep(struct futex_waiter *w, const struct futex_timeout *to);
/* A timeout given by the application: absolute by its clock. -EFAULT, -EINVAL. NULL: for ever. */
int futex_get_timeout(struct futex_timeout *to, const struct __kernel_timespec __app *ts, bool relative,
		      bool realtime);

long futex_wait(u32 __app *addr, bool shared, u32 val, u32 bitset, const struct futex_timeout *to);
long futex_wake(u32 __app *addr, bool shared, int nr, u32 bitset);

/* futex_requeue.c */
long futex_wake_op(u32 __app *addr1, bool shared, int nr1, u32 __app *addr2, int nr2, u32 op);
long futex_requeue(u32 __app *addr1, bool shared, int nr_wake, u32 __app *addr2, int nr_requeue,
		   const u32 *cmp);

/* futex_pi.c */
long futex_lock_pi(u32 __app *addr, bool shared, bool try, const struct futex_timeout *to);
long futex_unlock_pi(u32 __app *addr, bool shared);
long futex_wait_requeue_pi(u32 __app *addr1, bool shared, u32 val, u32 bitset, u32 __app *addr2,
			   const struct futex_timeout *to);
long futex_requeue_pi(u32 __app *addr1, bool shared, int nr_requeue, u32 __app *addr2, u32 cmp);
void futex_exit_pi(struct thread *t);
