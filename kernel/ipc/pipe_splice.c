// SPDX-License-Identifier: BSD-2-Clause
/* What splice(2) and tee(2) need of pipes beyond reading and writing (kernel/ipc.h): waiting for one end
 * without moving data, and copying from one pipe to another without consuming. Pages are copied, not shared,
 * so that a slot's page has one owner and later writes may go on in it. */
#include "pipe.h"

int pipe_wait_readable(struct file *f, bool nonblock)
{
	struct pipe *p = f->priv;

	if (pipe_can_read(p))
		return 0;
	return nonblock ? -EAGAIN : wait_event_interruptible(&p->read_wait, pipe_can_read(p));
}

int pipe_wait_writable(struct file *f, bool nonblock)
{
	struct pipe *p = f->priv;
	int err = 0;

	if (!pipe_can_write(p))
		err = nonblock ? -EAGAIN : wait_event_interruptible(&p->write_wait, pipe_can_write(p));
	if (!err && !READ_ONCE(p->readers)) {
		signal_sigpipe();
		err = -EPIPE;
	}
	return err;
}

/* Both locks, the one at the lower address first. */
static void lock_both(struct pipe *a, struct pipe *b)
{
	mutex_lock(a < b ? &a->lock : &b->lock);
	mutex_lock(a < b ? &b->lock : &a->lock);
}

static void unlock_both(struct pipe *a, struct pipe *b)
{
	mutex_unlock(&a->lock);
	mutex_unlock(&b->lock);
}

/* Copy slots while there is room. Both locks held. Bytes, or -ENOMEM when not even the first could be copied.
 */
static ssize_t copy_slots(struct pipe *from, struct pipe *to, size_t n)
{
	ssize_t total = 0;

	for (u32 i = from->tail; i != from->head && n && !pipe_full(to); i++) {
		const struct pipe_slot *s = pipe_slot(from, i);
		u32 len = (u32)min((size_t)s->len, n);
		struct page *page = page_alloc(0, 0);

		if (!page)
			return total ? total : -ENOMEM;
		memcpy(page_to_virt(page), s->mem + s->off, len);
		*pipe_slot(to, to->head) =
			(struct pipe_slot){.mem = page_to_virt(page), .len = len, .packet = s->packet};
		WRITE_ONCE(to->head, to->head + 1);
		total += len;
		n -= len;
	}
	return total;
}

ssize_t pipe_tee(struct file *in, struct file *out, size_t n, bool nonblock)
{
	struct pipe *from = in->priv, *to = out->priv;
	bool wake, ended;
	ssize_t ret;
	int err;

	do {
		err = pipe_wait_readable(in, nonblock);
		if (!err)
			err = pipe_wait_writable(out, nonblock);
		if (err)
			return err;
		lock_both(from, to);
		wake = to->head == to->tail || to->polled;
		ret = copy_slots(from, to, n);
		ended = from->head == from->tail && !from->writers;
		unlock_both(from, to);
	} while (!ret && n && !ended); /* somebody else was faster */
	if (ret > 0 && wake)
		waitq_wake(&to->read_wait, 1, EPOLLIN | EPOLLRDNORM);
	return ret;
}
