/* SPDX-License-Identifier: BSD-2-Clause */
/* How poll, select and epoll ask a file what it is ready for, and where to wait. Bits are EPOLLIN ...
 * (linux/eventpoll.h).
 *
 * A file's poll operation calls poll_wait() for each queue that its events wake, then samples its state.
 * Whoever changes the state calls waitq_wake() with the bits that became true. A queue given to poll_wait()
 * lives until the file's release operation runs. Owner: kernel/ipc/. */
#pragma once

#include "base/types.h"
#include "kernel/wait.h"
#include <linux/eventpoll.h>

struct file;
struct poll_table {
	/* Called by poll_wait for each queue; NULL when the caller only wants the current state. */
	void (*queue)(struct poll_table *pt, struct file *f, struct waitq *q);
	u32 want; /* the bits that the caller waits for; see poll_wants() */
};

/* For use in file_ops.poll, before the state is sampled. PT may be NULL. */
static inline void poll_wait(struct file *f, struct waitq *q, struct poll_table *pt)
{
	if (pt && pt->queue) {
		pt->queue(pt, f, q);
		/* The entry must be seen by a waker whose change the sampling below misses; pairs with
		 * waitq_wake(). */
		atomic_thread_fence(memory_order_seq_cst);
	}
}

/* True when the caller asks for BITS. A file may leave out wake-ups for bits that nobody has asked for yet:
 * whoever is going to sleep for a bit samples the state with it in `want` first. */
static inline bool poll_wants(const struct poll_table *pt, u32 bits)
{
	return pt && (pt->want & bits);
}
