// SPDX-License-Identifier: BSD-2-Clause
/* kernel/timer.h on virtual time: armed timers form one list by expiry, linked through the tree node. Weak.
 */
#include <pthread.h>
#include <sched.h>

#include "arch/cpu.h"
#include "host_private.h"
#include "kernel/clock.h"
#include "kernel/timer.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rb_node *first;			/* through node.right; guarded by lock */
static struct timer *running;			/* its callback is under way */
static _Thread_local struct timer *own_running; /* ... on this thread */

static struct timer *timer_of(struct rb_node *n)
{
	return container_of(n, struct timer, node);
}

static bool unlink_timer(struct timer *t)
{
	for (struct rb_node **p = &first; *p; p = &(*p)->right)
		if (*p == &t->node) {
			*p = t->node.right;
			atomic_store(&t->cpu, 0);
			return true;
		}
	return false;
}

__weak void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){.fn = fn};
}

__weak void timer_set(struct timer *t, u64 expires)
{
	struct rb_node **p = &first;

	pthread_mutex_lock(&lock);
	unlink_timer(t);
	while (*p && timer_of(*p)->expires <= expires)
		p = &(*p)->right;
	t->expires = expires;
	t->node.right = *p;
	*p = &t->node;
	atomic_store(&t->cpu, 1);
	pthread_mutex_unlock(&lock);
}

__weak int timer_try_cancel(struct timer *t)
{
	int result;

	pthread_mutex_lock(&lock);
	result = unlink_timer(t) ? 1 : running == t ? -1 : 0;
	pthread_mutex_unlock(&lock);
	return result;
}

__weak bool timer_cancel(struct timer *t)
{
	int r;

	while ((r = timer_try_cancel(t)) < 0 && own_running != t)
		sched_yield();
	return r > 0;
}

u64 host_next_timer(void)
{
	u64 at;

	pthread_mutex_lock(&lock);
	at = first ? timer_of(first)->expires : ~0ull;
	pthread_mutex_unlock(&lock);
	return at;
}

static struct timer *pop_due(u64 until)
{
	struct timer *t = NULL;

	pthread_mutex_lock(&lock);
	if (!running && first && timer_of(first)->expires <= until) {
		t = timer_of(first);
		unlink_timer(t);
		running = t;
		if (host_now < t->expires)
			host_now = t->expires;
	}
	pthread_mutex_unlock(&lock);
	return t;
}

void host_time_advance(u64 ns)
{
	u64 until = host_now + ns;
	struct timer *t;

	while ((t = pop_due(until))) {
		u64 flags = arch_irq_save();

		own_running = t;
		t->fn(t);
		own_running = NULL;
		arch_irq_restore(flags);
		pthread_mutex_lock(&lock);
		running = NULL;
		pthread_mutex_unlock(&lock);
	}
	if (host_now < until)
		host_now = until;
}

void host_timers_reset(void)
{
	pthread_mutex_lock(&lock);
	first = NULL;
	pthread_mutex_unlock(&lock);
}
