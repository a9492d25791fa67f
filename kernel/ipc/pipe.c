// SPDX-License-Identifier: BSD-2-Clause
/* Pipes: moving data.
 *
 * A ring of page slots under one sleeping lock. A write of up to a page goes into one slot, appended to the
 * last one when it fits there as a whole, and so is never torn (PIPE_BUF). Readers are woken when the ring
 * stops being empty, writers when it stops being full, after the lock is dropped, one exclusive sleeper at a
 * time; who slept, and leaves something for the next, passes the wake on. Once somebody polls the pipe, each
 * write wakes, since edge-triggered pollers count on it, as on Linux. The bytes are copied under the lock: a
 * page fault may sleep there, and only users of this pipe wait for it. */
#include "pipe.h"
#include "kernel/app.h"
#include "kernel/sched.h"
#include <asm/ioctls.h>

#define READ_EVENTS  (EPOLLIN | EPOLLRDNORM)
#define WRITE_EVENTS (EPOLLOUT | EPOLLWRNORM)

static inline u8 *pipe_page_get(struct pipe *p)
{
	struct page *page;

	for (int i = 0; i < PIPE_SPARE_PAGES; i++) {
		u8 *mem = p->spare[i];

		if (likely(mem)) {
			p->spare[i] = NULL;
			return mem;
		}
	}
	page = page_alloc(0, 0);
	return page ? page_to_virt(page) : NULL;
}

static inline void pipe_page_put(struct pipe *p, u8 *mem)
{
	for (int i = 0; i < PIPE_SPARE_PAGES; i++)
		if (likely(!p->spare[i])) {
			p->spare[i] = mem;
			return;
		}
	page_put(virt_to_page(mem));
}

void pipe_free(struct pipe *p)
{
	for (; p->tail != p->head; p->tail++)
		page_put(virt_to_page(pipe_slot(p, p->tail)->mem));
	for (int i = 0; i < PIPE_SPARE_PAGES; i++)
		if (p->spare[i])
			page_put(virt_to_page(p->spare[i]));
	kfree(p->slots);
	kfree(p);
}

/* Take from the first slot. Returns the bytes, or -EFAULT with nothing taken. *DONE: a packet ends the read.
 */
static ssize_t pipe_take(struct pipe *p, struct iter *to, bool *done)
{
	struct pipe_slot *s = pipe_slot(p, p->tail);
	size_t want = min((size_t)s->len, to->left);
	size_t n = iter_copy_out(to, s->mem + s->off, want);

	if (n < want) {
		iter_revert(to, n);
		return -EFAULT;
	}
	s->off += (u32)n;
	s->len = s->packet ? 0 : s->len - (u32)n; /* what a short read leaves of a packet is lost */
	*done = s->packet || !to->left;
	if (!s->len) {
		pipe_page_put(p, s->mem);
		WRITE_ONCE(p->tail, p->tail + 1);
	}
	return (ssize_t)n;
}

/* Sleep, without the lock, until there is something to read, or room to write. On a signal a wake that this
 * sleeper used up is passed on. */
static __noinline int pipe_sleep_to_read(struct pipe *p)
{
	int err = wait_event_quick(&p->read_wait, pipe_can_read(p));

	if (unlikely(err) && pipe_can_read(p))
		waitq_wake(&p->read_wait, 1, READ_EVENTS);
	return err;
}

static __noinline int pipe_sleep_to_write(struct pipe *p)
{
	int err = wait_event_quick(&p->write_wait, pipe_can_write(p));

	if (unlikely(err) && pipe_can_write(p))
		waitq_wake(&p->write_wait, 1, WRITE_EVENTS);
	return err;
}

/* Take what is there, with the lock held, and drop it. */
static __noinline ssize_t pipe_read_locked(struct pipe *p, struct iter *to, bool slept)
{
	bool was_full = pipe_full(p), done = false, more;
	ssize_t total = 0, n = 0;

	while (!done && p->head != p->tail) {
		n = pipe_take(p, to, &done);
		if (n < 0)
			break;
		total += n;
	}
	if (!total && !n && !done && p->writers)
		n = -EAGAIN;
	was_full &= !pipe_full(p);
	more = p->head != p->tail;
	mutex_unlock(&p->lock);
	if (was_full)
		waitq_wake(&p->write_wait, 1, WRITE_EVENTS);
	if (slept && more)
		waitq_wake(&p->read_wait, 1, READ_EVENTS);
	return total ? total : n;
}

/* Most often all that there is is in one slot, wanted, and goes to one place; leaving none, it wakes nobody.
 * 0: it is not so. Bytes, or -EFAULT with nothing taken. */
static inline ssize_t pipe_take_only(struct pipe *p, struct iter *to)
{
	struct pipe_slot *s = pipe_slot(p, p->tail);
	void __app *at = iter_stretch(to, s->len);

	if (unlikely(!at))
		return 0;
	if (unlikely(copy_to_app_partial(at, s->mem + s->off, s->len)))
		return -EFAULT;
	iter_took(to, s->len);
	pipe_page_put(p, s->mem);
	WRITE_ONCE(p->tail, p->tail + 1);
	return s->len;
}

ssize_t pipe_read_iter(struct file *f, struct iter *to, bool nonblock)
{
	struct pipe *p = f->priv;
	bool slept = false;
	ssize_t ret;

	if (!to->left)
		return 0;
	do {
		if (!nonblock && !pipe_can_read(p)) {
			slept = true;
			ret = pipe_sleep_to_read(p);
			if (ret)
				return ret;
		}
		mutex_lock(&p->lock);
		ret = likely(pipe_used(p) == 1 && p->nslots > 1) ? pipe_take_only(p, to) : 0;
		if (likely(ret))
			mutex_unlock(&p->lock);
		else
			ret = pipe_read_locked(p, to, slept);
	} while (ret == -EAGAIN && !nonblock); /* another reader was faster */
	return ret;
}

/* Append to the last slot the odd part of FROM that does not fill a page, when it fits as a whole. 0 or
 * bytes; -EFAULT. */
static ssize_t pipe_merge(struct pipe *p, struct iter *from)
{
	size_t odd = from->left % PAGE_SIZE, n;
	struct pipe_slot *s;

	if (!odd || p->head == p->tail)
		return 0;
	s = pipe_slot(p, p->head - 1);
	if (s->packet || s->off + s->len + odd > PAGE_SIZE)
		return 0;
	n = iter_copy_in(from, s->mem + s->off + s->len, odd);
	if (n < odd) {
		iter_revert(from, n);
		return -EFAULT;
	}
	s->len += (u32)n;
	return (ssize_t)n;
}

/* Fill one new slot. Bytes, -ENOMEM or -EFAULT (nothing was added then). */
static ssize_t pipe_put(struct pipe *p, struct iter *from, bool packet)
{
	u8 *mem = pipe_page_get(p);
	size_t want = min(from->left, PAGE_SIZE), n;

	if (!mem)
		return -ENOMEM;
	n = iter_copy_in(from, mem, want);
	if (n < want) {
		pipe_page_put(p, mem);
		iter_revert(from, n);
		return -EFAULT;
	}
	*pipe_slot(p, p->head) = (struct pipe_slot){.mem = mem, .len = (u32)n, .packet = packet};
	WRITE_ONCE(p->head, p->head + 1);
	return (ssize_t)n;
}

/* With the lock held, which it drops. */
static __noinline ssize_t pipe_write_locked(struct pipe *p, struct iter *from, bool packet, bool nonblock)
{
	bool was_empty = p->head == p->tail, slept = false, room;
	ssize_t total = 0, n = 0;

	if (p->readers && !packet) {
		n = pipe_merge(p, from);
		total = max(n, (ssize_t)0);
	}
	while (n >= 0 && from->left) {
		if (!p->readers) {
			n = -EPIPE;
		} else if (!pipe_full(p)) {
			n = pipe_put(p, from, packet);
			total += max(n, (ssize_t)0);
		} else if (nonblock) {
			n = -EAGAIN;
		} else {
			mutex_unlock(&p->lock);
			if (was_empty || p->polled)
				waitq_wake(&p->read_wait, 1, READ_EVENTS);
			slept = true;
			n = pipe_sleep_to_write(p);
			mutex_lock(&p->lock);
			was_empty = p->head == p->tail;
		}
	}
	/* Always after data went in: a fault later in the same call may have followed it. */
	was_empty = total && (was_empty || p->polled) && p->head != p->tail;
	room = !pipe_full(p);
	mutex_unlock(&p->lock);
	if (was_empty)
		waitq_wake(&p->read_wait, 1, READ_EVENTS);
	if (slept && room)
		waitq_wake(&p->write_wait, 1, WRITE_EVENTS);
	if (n == -EPIPE)
		signal_sigpipe();
	return total ? total : n;
}

ssize_t pipe_write_iter(struct file *f, struct iter *from, bool nonblock)
{
	struct pipe *p = f->priv;
	bool packet = f->flags & O_DIRECT;
	ssize_t ret;

	if (!from->left)
		return 0;
	mutex_lock(&p->lock);
	/* Most often the reader is waiting, or soon will. */
	if (likely(p->head == p->tail && from->left <= PAGE_SIZE && p->readers)) {
		ret = pipe_put(p, from, packet);
		mutex_unlock(&p->lock);
		if (likely(ret > 0))
			waitq_wake(&p->read_wait, 1, READ_EVENTS);
		return ret;
	}
	return pipe_write_locked(p, from, packet, nonblock);
}

static ssize_t pipe_read(struct file *f, struct iter *to, u64 *pos __maybe_unused)
{
	return pipe_read_iter(f, to, file_nonblock(f));
}

static ssize_t pipe_write(struct file *f, struct iter *from, u64 *pos __maybe_unused)
{
	return pipe_write_iter(f, from, file_nonblock(f));
}

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->priv;
	u32 mask = 0;

	if (pt && pt->queue) {
		WRITE_ONCE(p->polled, true);
		if (file_readable(f))
			poll_wait(f, &p->read_wait, pt);
		if (file_writable(f))
			poll_wait(f, &p->write_wait, pt);
	}
	if (file_readable(f)) {
		if (pipe_used(p))
			mask |= READ_EVENTS;
		/* A FIFO that no writer has opened yet is not hung up. */
		if (!READ_ONCE(p->writers) && f->version != READ_ONCE(p->write_opens))
			mask |= EPOLLHUP;
	}
	if (file_writable(f)) {
		if (!pipe_full(p))
			mask |= WRITE_EVENTS;
		if (!READ_ONCE(p->readers))
			mask |= EPOLLERR;
	}
	return mask;
}

static long pipe_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct pipe *p = f->priv;
	int n = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->lock);
	for (u32 i = p->tail; i != p->head; i++)
		n += (int)pipe_slot(p, i)->len;
	mutex_unlock(&p->lock);
	return put_app(n, (int __app *)arg);
}

/* O_DIRECT only switches packet mode, which every pipe has. */
static int pipe_set_flags(struct file *f __maybe_unused, u32 flags __maybe_unused)
{
	return 0;
}

const struct file_ops pipe_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.fcntl = pipe_file_fcntl,
	.set_flags = pipe_set_flags,
	.release = pipe_file_release,
	.async = FILE_ASYNC,
};
