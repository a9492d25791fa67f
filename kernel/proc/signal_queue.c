// SPDX-License-Identifier: BSD-2-Clause
/* Queues of pending signals: pure list logic, also built for the host. The caller holds the process's lock.
 *
 * Invariants: (1) bit n-1 of `pending` is set while signal n is pending; (2) every entry's signal has its bit
 * set; (3) a bit may stand without an entry (no memory for the siginfo, or a queue limit): the signal then
 * carries none. */
#include "base/string.h"
#include "kernel/alloc.h"
#include "signal_queue.h"

void sigqueue_init(struct sigqueue_list *l)
{
	list_init(&l->queue);
	l->pending = 0;
}

void sigqueue_add(struct sigqueue_list *l, int sig, struct sigqueue *entry)
{
	l->pending |= SIGMASK(sig);
	if (entry)
		list_add_tail(&entry->node, &l->queue);
}

int sigqueue_next(const struct sigqueue_list *l, sigset set)
{
	sigset ready = l->pending & set;

	if (!ready)
		return 0;
	if (ready & SIGMASK_FAULT)
		ready &= SIGMASK_FAULT;
	return __builtin_ctzll(ready) + 1;
}

struct sigqueue *sigqueue_take(struct sigqueue_list *l, int sig)
{
	struct sigqueue *q, *first = NULL;
	bool more = false;

	list_for_each_entry (q, &l->queue, node) {
		if (q->info.si_signo != sig)
			continue;
		if (first) {
			more = true;
			break;
		}
		first = q;
	}
	if (first)
		list_del(&first->node);
	if (!more)
		l->pending &= ~SIGMASK(sig);
	return first;
}

u32 sigqueue_drop(struct sigqueue_list *l, sigset set)
{
	struct sigqueue *q, *next;
	u32 n = 0;

	if (!(l->pending & set))
		return 0;
	list_for_each_entry_safe (q, next, &l->queue, node) {
		if (!(SIGMASK(q->info.si_signo) & set))
			continue;
		list_del(&q->node);
		kfree(q);
		n++;
	}
	l->pending &= ~set;
	return n;
}

struct sigqueue *sigqueue_find(struct sigqueue_list *l, int sig, int code, int timer_id)
{
	struct sigqueue *q;

	list_for_each_entry (q, &l->queue, node)
		if (q->info.si_signo == sig && q->info.si_code == code && q->info.si_tid == timer_id)
			return q;
	return NULL;
}

void siginfo_fill(siginfo_t *info, int sig, int code, int pid, u32 uid)
{
	memset(info, 0, sizeof(*info));
	info->si_signo = sig;
	info->si_code = code;
	info->si_pid = pid;
	info->si_uid = uid;
}
