// SPDX-License-Identifier: BSD-2-Clause
/* epoll: readiness and epoll_wait.
 *
 * Theory. A registration (item) leaves a wait entry on each queue of the watched file. When the file's state
 * changes, the entry's function runs in the waker's context, perhaps an interrupt's: it marks the item queued
 * and pushes it on the lock-free list `incoming`, then wakes one waiter. A collector (epoll_wait, or a poll
 * of the epoll file) takes the mutex, moves incoming to `ready`, and samples each ready item's file; only the
 * sample counts, a wake-up is a hint. Cost of one event is a push, the mutex, one exchange on the list head
 * and one on `queued`, whatever the number of registrations.
 *
 * Invariants:
 *  1. queued is true exactly while the item is on incoming or ready, or its owner is about to put it there.
 *  2. queued is cleared before the sample whose "not ready" takes the item off: a change after the sample
 * finds it clear and queues the item again. (exchange on queued, then sample | change, then exchange on
 * queued.)
 *  3. A level-triggered item that was reported stays on ready. When ready is not empty at the end of a
 * collection, another waiter is woken, so that a wake-up that one thread used up for several items is passed
 * on. Lock order: epoll_nest_lock, mutex of an outer epoll, mutex of an inner one, file->epoll_lock. Wake-ups
 * take only the locks of wait queues, from the watched file's to those of outer epolls. */
#include "epoll.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"

#define MAX_EVENTS (0x7fffffff / (int)sizeof(struct epoll_event))

void epoll_drain(struct epoll *ep)
{
	struct mpsc_node *n, *next;

	for (n = mpsc_take(&ep->incoming); n; n = next) {
		next = n->next;
		list_add_tail(&container_of(n, struct epoll_item, incoming)->ready, &ep->ready);
	}
}

static void epoll_notify(struct epoll *ep)
{
	waitq_wake(&ep->wait, 1, 0);
	waitq_wake(&ep->pollers, ~0u, EPOLLIN | EPOLLRDNORM);
}

void epoll_item_ready(struct epoll_item *item)
{
	if (!atomic_exchange(&item->queued, true))
		list_add_tail(&item->ready, &item->ep->ready);
	epoll_notify(item->ep);
}

/* Did an exclusive registration with MINE use up the wake for EVENTS? Only when it brought what the thread
 * waits for. */
static bool exclusive_used(u32 mine, u32 events)
{
	switch (events & (EPOLLIN | EPOLLOUT)) {
	case EPOLLIN:
		return mine & EPOLLIN;
	case EPOLLOUT:
		return mine & EPOLLOUT;
	case 0:
		return true;
	default:
		return false;
	}
}

static bool epoll_wake(struct wait_entry *w, u32 events)
{
	struct epoll_item *item = container_of(w, struct epoll_entry, wait)->item;
	u32 mine = atomic_load_explicit(&item->events, memory_order_relaxed);
	struct epoll *ep = item->ep;
	bool used = !(mine & EPOLLEXCLUSIVE);

	if (!(mine & ~EPOLL_MODE_BITS))
		return false; /* one-shot, disarmed */
	if (events && !(events & mine))
		return false;
	if (!used && waitq_active(&ep->wait))
		used = exclusive_used(mine, events);
	if (!atomic_exchange(&item->queued, true))
		mpsc_push(&ep->incoming, &item->incoming);
	epoll_notify(ep);
	return used;
}

struct attach_table {
	struct poll_table table;
	struct epoll_item *item;
	bool failed;
};

static void epoll_queue(struct poll_table *pt, struct file *f __maybe_unused, struct waitq *q)
{
	struct attach_table *at = container_of(pt, struct attach_table, table);
	struct epoll_item *item = at->item;
	struct epoll_entry *e = &item->entry;

	if (e->queue) {
		e = kmalloc(sizeof *e);
		if (!e) {
			at->failed = true;
			return;
		}
		e->next = item->entry.next;
		item->entry.next = e;
	}
	e->item = item;
	e->queue = q;
	wait_entry_init_fn(&e->wait, epoll_wake, NULL,
			   atomic_load_explicit(&item->events, memory_order_relaxed) & EPOLLEXCLUSIVE);
	waitq_add(q, &e->wait);
}

long epoll_item_attach(struct epoll_item *item)
{
	struct attach_table at = {.table = {.queue = epoll_queue, .want = item->events}, .item = item};
	u32 got = file_poll(item->file, &at.table) & item->events;

	return at.failed ? -ENOMEM : (long)got;
}

void epoll_item_detach(struct epoll_item *item)
{
	struct epoll_entry *e = &item->entry, *next;

	if (e->queue)
		waitq_remove(e->queue, &e->wait);
	for (e = e->next; e; e = next) {
		next = e->next;
		waitq_remove(e->queue, &e->wait);
		kfree(e);
	}
}

u32 epoll_item_poll(struct epoll_item *item)
{
	u32 events = atomic_load_explicit(&item->events, memory_order_relaxed);
	struct poll_table pt = {.want = events};

	if (!(events & ~EPOLL_MODE_BITS))
		return 0;
	return file_poll(item->file, &pt) & events;
}

/* What ITEM, off the ready list but queued, has to report. With a level-triggered report it stays queued, and
 * the caller puts it back on the list; otherwise it is queued no more, or somebody else has queued it. */
static u32 epoll_item_collect(struct epoll_item *item, bool *requeue)
{
	u32 got;

	*requeue = false;
	if (!(atomic_load_explicit(&item->events, memory_order_relaxed) & (EPOLLET | EPOLLONESHOT))) {
		got = epoll_item_poll(item);
		if (got) {
			*requeue = true;
			return got;
		}
		atomic_exchange(&item->queued, false);
		got = epoll_item_poll(item); /* invariant 2 */
		*requeue = got && !atomic_exchange(&item->queued, true);
		return got;
	}
	atomic_exchange(&item->queued, false);
	return epoll_item_poll(item);
}

/* Report ITEM to OUT. 1 reported, 0 it was not ready, -EFAULT. */
static int epoll_report(struct epoll *ep, struct epoll_item *item, struct epoll_event __app *out)
{
	struct epoll_event ev = {.data = item->data};
	bool requeue;

	ev.events = epoll_item_collect(item, &requeue);
	if (!ev.events)
		return 0;
	if (copy_to_app(out, &ev, sizeof ev)) {
		if (requeue || !atomic_exchange(&item->queued, true))
			list_add(&item->ready, &ep->ready);
		return -EFAULT;
	}
	if (item->events & EPOLLONESHOT)
		atomic_fetch_and(&item->events, EPOLL_MODE_BITS);
	if (requeue)
		list_add_tail(&item->ready, &ep->ready);
	return 1;
}

/* Collect up to MAX events. Each item that is ready now is looked at once; what is left over goes first next
 * time. */
static int epoll_collect(struct epoll *ep, struct epoll_event __app *out, int max)
{
	LIST_HEAD(scan);
	int n = 0, r = 0;
	bool more;

	mutex_lock(&ep->mutex);
	epoll_drain(ep);
	list_splice_tail_init(&ep->ready, &scan);
	while (n < max && r >= 0 && !list_empty(&scan)) {
		struct epoll_item *item = list_first_entry(&scan, struct epoll_item, ready);

		list_del_init(&item->ready);
		r = epoll_report(ep, item, &out[n]);
		if (r > 0)
			n++;
	}
	if (!list_empty(&scan)) {
		list_splice_tail_init(&ep->ready, &scan);
		list_splice_tail_init(&scan, &ep->ready);
	}
	more = epoll_has_ready(ep);
	mutex_unlock(&ep->mutex);
	if (more)
		waitq_wake(&ep->wait, 1, 0); /* invariant 3 */
	return n ? n : r;
}

/* Sleep until something may be ready: true. False when the time is up and no wake-up came. */
static bool epoll_sleep(struct epoll *ep, u64 deadline)
{
	struct wait_entry e;
	bool in_time = true;

	wait_entry_init(&e, true);
	wait_prepare(&ep->wait, &e, THREAD_INTERRUPTIBLE);
	if (!epoll_has_ready(ep) && !thread_signal_interrupts(THREAD_INTERRUPTIBLE))
		in_time = schedule_until_poll(deadline);
	wait_finish(&ep->wait, &e);
	return in_time;
}

static long epoll_wait_file(struct epoll *ep, struct epoll_event __app *out, int max, u64 deadline)
{
	bool in_time = deadline;

	for (;;) {
		/* Also after the deadline and before a signal is seen: the wake-up may have been meant for
		 * this thread alone. */
		if (epoll_has_ready(ep)) {
			int n = epoll_collect(ep, out, max);

			if (n)
				return n;
		}
		if (!in_time)
			return 0;
		if (signal_pending(current))
			return -EINTR;
		in_time = epoll_sleep(ep, deadline);
	}
}

static long epoll_wait_common(int epfd, struct epoll_event __app *out, int max, u64 deadline)
{
	struct file *f;
	long ret;

	if (max <= 0 || max > MAX_EVENTS)
		return -EINVAL;
	if (!app_range_ok(out, (size_t)max * sizeof *out))
		return -EFAULT;
	f = fd_get(epfd);
	if (!f)
		return -EBADF;
	ret = epoll_is(f) ? epoll_wait_file(f->priv, out, max, deadline) : -EINVAL;
	file_put(f);
	return ret;
}

static u64 epoll_deadline(int timeout_ms)
{
	return timeout_ms < 0 ? NO_TIMEOUT : deadline_after((u64)timeout_ms * NSEC_PER_MSEC);
}

static long epoll_pwait_common(int epfd, struct epoll_event __app *out, int max, u64 deadline,
			       const sigset __app *mask, size_t sigsetsize)
{
	long ret;

	if (mask) {
		ret = signal_set_temporary_mask(mask, sigsetsize);
		if (ret)
			return ret;
	}
	ret = epoll_wait_common(epfd, out, max, deadline);
	signal_mask_restore(ret == -EINTR);
	return ret;
}

SYSCALL_DEFINE4(epoll_wait, int, epfd, struct epoll_event __app *, events, int, max, int, timeout_ms)
{
	return epoll_wait_common(epfd, events, max, epoll_deadline(timeout_ms));
}

SYSCALL_DEFINE6(epoll_pwait, int, epfd, struct epoll_event __app *, events, int, max, int, timeout_ms,
		const sigset __app *, mask, size_t, sigsetsize)
{
	return epoll_pwait_common(epfd, events, max, epoll_deadline(timeout_ms), mask, sigsetsize);
}

SYSCALL_DEFINE6(epoll_pwait2, int, epfd, struct epoll_event __app *, events, int, max,
		const struct __kernel_timespec __app *, timeout, const sigset __app *, mask, size_t,
		sigsetsize)
{
	struct __kernel_timespec ts;
	u64 deadline = NO_TIMEOUT;

	if (timeout) {
		if (get_app(ts, timeout))
			return -EFAULT;
		if (!timespec_valid(&ts))
			return -EINVAL;
		deadline = deadline_after(timespec_to_ns(&ts));
	}
	return epoll_pwait_common(epfd, events, max, deadline, mask, sigsetsize);
}

/* Is anything really ready? Items that turn out not to be leave the list on the way. */
static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->priv;
	struct epoll_item *item, *next;
	u32 mask = 0;

	poll_wait(f, &ep->pollers, pt);
	if (!epoll_has_ready(ep))
		return 0;
	mutex_lock(&ep->mutex);
	epoll_drain(ep);
	list_for_each_entry_safe (item, next, &ep->ready, ready) {
		mask = epoll_item_poll(item);
		if (mask)
			break;
		list_del_init(&item->ready);
		atomic_exchange(&item->queued, false);
		mask = epoll_item_poll(item); /* invariant 2 */
		if (mask) {
			if (!atomic_exchange(&item->queued, true))
				list_add(&item->ready, &ep->ready);
			break;
		}
	}
	mutex_unlock(&ep->mutex);
	return mask ? EPOLLIN | EPOLLRDNORM : 0;
}

const struct file_ops epoll_ops = {
	.poll = epoll_poll,
	.fdinfo = epoll_fdinfo,
	.release = epoll_release,
	.seeks_vainly = true,
};
