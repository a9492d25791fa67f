// SPDX-License-Identifier: BSD-2-Clause
/* RCU: callbacks run at once, or, deferred, when the test says that all readers are done. Weak. */
#include <pthread.h>
#include <stdlib.h>

#include "host.h"
#include "kernel/alloc.h"
#include "kernel/rcu.h"

static bool deferred;
static struct rcu_head *queue, **tail = &queue; /* guarded by lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void host_rcu_defer(bool on)
{
	deferred = on;
}

void host_rcu_quiesce(void)
{
	for (;;) {
		struct rcu_head *h;

		pthread_mutex_lock(&lock);
		h = queue;
		if (h) {
			queue = h->next;
			if (!queue)
				tail = &queue;
		}
		pthread_mutex_unlock(&lock);
		if (!h)
			return;
		h->fn(h);
	}
}

__weak void rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *))
{
	if (!deferred) {
		fn(head);
		return;
	}
	head->fn = fn;
	head->next = NULL;
	pthread_mutex_lock(&lock);
	*tail = head;
	tail = &head->next;
	pthread_mutex_unlock(&lock);
}

__weak void rcu_synchronize(void)
{
	host_rcu_quiesce();
}

__weak void rcu_kfree(struct rcu_head *head)
{
	rcu_call(head, (void (*)(struct rcu_head *))(void (*)(void))kfree);
}
