// SPDX-License-Identifier: BSD-2-Clause
/* kernel/kthread.h's deferred work: one pool thread, started at the first use. Weak. */
#include <pthread.h>

#include "base/err.h"
#include "host.h"
#include "kernel/kthread.h"
#include "kernel/wait.h"

static struct spinlock lock;
static struct work *queue, **tail = &queue, *running; /* guarded by lock */
static DEFINE_WAITQ(more);
static DEFINE_WAITQ(done);
static pthread_once_t once = PTHREAD_ONCE_INIT;

static struct work *next_work(void)
{
	struct work *w;

	spin_lock(&lock);
	w = queue;
	if (w) {
		queue = w->next;
		if (!queue)
			tail = &queue;
		running = w;
		atomic_store(&w->queued, false);
	}
	spin_unlock(&lock);
	return w;
}

static void pool(void *arg)
{
	for (;;) {
		struct work *w;

		wait_event(&more, (w = next_work()));
		w->fn(w);
		spin_lock(&lock);
		running = NULL;
		spin_unlock(&lock);
		waitq_wake_all(&done);
	}
}

static void start_pool(void)
{
	(void)kthread_start(pool, NULL, "work");
}

__weak void work_init(struct work *w, void (*fn)(struct work *))
{
	*w = (struct work){.fn = fn};
}

__weak bool work_queue(struct work *w)
{
	u64 flags;

	pthread_once(&once, start_pool);
	if (atomic_exchange(&w->queued, true))
		return false;
	flags = spin_lock_irqsave(&lock);
	w->next = NULL;
	*tail = w;
	tail = &w->next;
	spin_unlock_irqrestore(&lock, flags);
	waitq_wake_all(&more);
	return true;
}

static bool busy(struct work *w)
{
	bool b;

	spin_lock(&lock);
	b = running == w || atomic_load(&w->queued);
	spin_unlock(&lock);
	return b;
}

__weak void work_flush(struct work *w)
{
	wait_event(&done, !busy(w));
}
