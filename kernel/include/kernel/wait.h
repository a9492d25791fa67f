/* SPDX-License-Identifier: BSD-2-Clause */
/* Wait queues: where threads, and epoll, wait for a condition of an object.
 *
 * The sleeper's protocol: add an entry, set the thread's state, test the condition, schedule(), repeat, remove the
 * entry: wait_event() and its relatives do it. The waker changes the condition, then calls waitq_wake(). waitq_wake()
 * begins with a full fence, so the condition may be changed without the queue's lock.
 * EVENTS carries poll bits (EPOLLIN ...) so that pollers that wait for other bits sleep on; 0 means "any". */
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "kernel/spinlock.h"
#include "kernel/thread.h"

struct wait_entry;
/* Called with the queue's lock held and interrupts off; must not sleep. Returns true when it used up one exclusive wake. */
typedef bool (*wait_wake_fn)(struct wait_entry *e, u32 events);

struct waitq {
	struct spinlock lock;
	struct list_head entries;
};

struct wait_entry {
	struct list_head node; /* on waitq.entries, guarded by its lock */
	wait_wake_fn wake;
	void *priv; /* default: the thread to wake */
	bool exclusive;
};

#define WAITQ_INIT(name)   {.entries = LIST_HEAD_INIT((name).entries)}
#define DEFINE_WAITQ(name) struct waitq name = WAITQ_INIT(name)

void waitq_init(struct waitq *q);
/* Entry for the current thread; it removes itself from the queue's list when woken. */
void wait_entry_init(struct wait_entry *e, bool exclusive);
void wait_entry_init_fn(struct wait_entry *e, wait_wake_fn fn, void *priv, bool exclusive);
/* Non-exclusive entries go to the front, exclusive ones to the back. Removing an entry that is off the list is fine. */
void waitq_add(struct waitq *q, struct wait_entry *e);
void waitq_remove(struct waitq *q, struct wait_entry *e);
bool waitq_active(struct waitq *q); /* someone waits; pairs with a full fence after the condition changed */
/* Wake all non-exclusive entries and up to NR exclusive ones. Any context. */
void waitq_wake(struct waitq *q, unsigned nr_exclusive, u32 events);
#define waitq_wake_all(q) waitq_wake(q, ~0u, 0)
#define waitq_wake_one(q) waitq_wake(q, 1, 0)

/* One round of waiting: adds the entry if needed and sets the state. */
void wait_prepare(struct waitq *q, struct wait_entry *e, enum thread_state state);
void wait_finish(struct waitq *q, struct wait_entry *e);
/* schedule() until woken or until DEADLINE (CLOCK_MONOTONIC ns, WAIT_FOREVER). Returns false once the deadline passed. */
#define WAIT_FOREVER (~0ull)
bool schedule_until(u64 deadline);
bool schedule_until_realtime(u64 deadline); /* the same by the wall clock, steps included */
bool schedule_until_poll(u64 deadline);	    /* for who waits for files: the longer, the less exactly */

#define wait_event_state_(q, cond, state, deadline, excl)                                                            \
	({                                                                                                           \
		int _ret = 0;                                                                                        \
		if (!(cond)) {                                                                                       \
			struct wait_entry _e;                                                                        \
			wait_entry_init(&_e, excl);                                                                  \
			for (;;) {                                                                                   \
				wait_prepare(q, &_e, state);                                                         \
				if (cond)                                                                            \
					break;                                                                       \
				if (thread_signal_interrupts(state)) {                                               \
					_ret = -ERESTARTSYS;                                                         \
					break;                                                                       \
				}                                                                                    \
				if (!schedule_until(deadline)) {                                                     \
					_ret = (cond) ? 0 : -ETIMEDOUT;                                              \
					break;                                                                       \
				}                                                                                    \
				if (cond)                                                                            \
					break;                                                                       \
			}                                                                                            \
			wait_finish(q, &_e);                                                                         \
		}                                                                                                    \
		_ret;                                                                                                \
	})
/* Each returns 0, -ERESTARTSYS (a signal) or -ETIMEDOUT. COND is evaluated several times, without the queue's lock. */
#define wait_event(q, cond)		     ((void)wait_event_state_(q, cond, THREAD_UNINTERRUPTIBLE, WAIT_FOREVER, false))
/* The same until a transfer is done: the time counts as lost for I/O. */
#define wait_event_io(q, cond)                                                                                       \
	do {                                                                                                         \
		current->se.stall |= STALL_IO;                                                                       \
		wait_event(q, cond);                                                                                 \
		current->se.stall = (u8)(current->se.stall & ~STALL_IO);                                             \
	} while (0)
#define wait_event_until(q, cond, d)	     wait_event_state_(q, cond, THREAD_UNINTERRUPTIBLE, d, false)
#define wait_event_killable(q, cond)	     wait_event_state_(q, cond, THREAD_KILLABLE, WAIT_FOREVER, false)
#define wait_event_interruptible(q, cond)    wait_event_state_(q, cond, THREAD_INTERRUPTIBLE, WAIT_FOREVER, false)
#define wait_event_interruptible_until(q, cond, d)  wait_event_state_(q, cond, THREAD_INTERRUPTIBLE, d, false)
#define wait_event_interruptible_exclusive(q, cond, d) wait_event_state_(q, cond, THREAD_INTERRUPTIBLE, d, true)

/* As wait_event_interruptible_exclusive() without a deadline, for a queue that whoever wakes it keeps alive meanwhile
 * (a file's, by its reference): when the waker has taken the entry off, no lock is needed to leave. Interrupts are off
 * throughout, but not in the sleep. */
#define wait_event_quick(q, cond)                                                                                    \
	({                                                                                                           \
		int _ret = 0;                                                                                        \
		struct wait_entry _e;                                                                                \
		u64 _flags;                                                                                          \
		wait_entry_init(&_e, true);                                                                          \
		_flags = arch_irq_save();                                                                            \
		while (!(cond)) {                                                                                    \
			wait_prepare_quick(q, &_e);                                                                  \
			if (cond)                                                                                    \
				break;                                                                               \
			if (signal_pending(current)) {                                                               \
				_ret = -ERESTARTSYS;                                                                 \
				break;                                                                               \
			}                                                                                            \
			schedule();                                                                                  \
		}                                                                                                    \
		wait_finish_quick(q, &_e);                                                                           \
		arch_irq_restore(_flags);                                                                            \
		_ret;                                                                                                \
	})
void wait_prepare_quick(struct waitq *q, struct wait_entry *e); /* THREAD_INTERRUPTIBLE; interrupts off */
void wait_finish_quick(struct waitq *q, struct wait_entry *e);
