// SPDX-License-Identifier: BSD-2-Clause
/* What splice(2) and tee(2) need of pipes beyond reading and writing (kernel/ipc.h).
 *
 * Nothing is ever lost on the way. Out of a pipe goes only what the other side took: it writes from the
 * pipe's own pages, with the pipe locked. Into a pipe go new pages, filled before the pipe is locked, since
 * the other side may sleep for long; should another writer have taken the room meanwhile, they wait for more.
 * Between pipes whole pages move. tee copies them, so that a page has one owner and later writes may go on in
 * it. */
#include "pipe.h"

#define BATCH 16 /* pages that the other side sees at once */

int pipe_wait_readable(struct file *f, bool nonblock)
{
	struct pipe *p = f->priv;

	if (pipe_can_read(p))
		return 0;
	return nonblock ? -EAGAIN : wait_event_interruptible(&p->read_wait, pipe_can_read(p));
}

static int wait_writable(struct file *f, bool nonblock)
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

/* ---- from and to other files ---- */

/* Append the first LEFT bytes of pages. Returns how many pages found a place: not all only when nobody reads
 * any more, or the process is being killed. */
static unsigned append(struct pipe *p, const struct iter_vec *vec, size_t left)
{
	unsigned n = 0;
	bool wake;
	int err = 0;

	mutex_lock(&p->lock);
	wake = p->head == p->tail || p->polled;
	while (left && p->readers && !err) {
		u32 len = (u32)min(left, PAGE_SIZE);

		if (pipe_full(p)) { /* another writer was faster */
			mutex_unlock(&p->lock);
			err = wait_event_killable(&p->write_wait, pipe_can_write(p));
			mutex_lock(&p->lock);
			wake |= p->head == p->tail;
			continue;
		}
		*pipe_slot(p, p->head) = (struct pipe_slot){.mem = vec[n++].base, .len = len};
		WRITE_ONCE(p->head, p->head + 1);
		left -= len;
	}
	mutex_unlock(&p->lock);
	if (wake)
		waitq_wake(&p->read_wait, 1, EPOLLIN | EPOLLRDNORM);
	return n;
}

ssize_t pipe_fill(struct file *f, size_t n, bool nonblock, pipe_transfer *read, void *arg)
{
	struct pipe *p = f->priv;
	unsigned count = 0, used = 0;
	struct iter_vec vec[BATCH];
	struct iter it;
	ssize_t got = wait_writable(f, nonblock);
	u32 room;

	if (got)
		return got;
	room = max(READ_ONCE(p->nslots) - min(pipe_used(p), READ_ONCE(p->nslots)), 1u);
	for (; n && count < min(room, (u32)BATCH); n -= vec[count++].len) {
		struct page *page = page_alloc(0, 0);

		if (!page)
			break;
		vec[count] = (struct iter_vec){page_to_virt(page), min(n, PAGE_SIZE)};
	}
	got = count ? iter_init_vec(&it, vec, count, false) : -ENOMEM;
	if (!got)
		got = read(arg, &it);
	if (got > 0)
		used = append(p, vec, (size_t)got);
	while (count > used)
		page_put(virt_to_page(vec[--count].base));
	return got;
}

/* The first slots, up to N bytes of them, as segments. */
static unsigned gather(struct pipe *p, struct iter_vec *vec, size_t n)
{
	unsigned count = 0;

	for (u32 i = p->tail; i != p->head && n && count < BATCH; i++) {
		struct pipe_slot *s = pipe_slot(p, i);

		vec[count] = (struct iter_vec){s->mem + s->off, min((size_t)s->len, n)};
		n -= vec[count++].len;
	}
	return count;
}

static void consume(struct pipe *p, size_t n)
{
	while (n) {
		struct pipe_slot *s = pipe_slot(p, p->tail);
		u32 len = (u32)min((size_t)s->len, n);

		s->off += len;
		s->len -= len;
		n -= len;
		if (!s->len) {
			page_put(virt_to_page(s->mem));
			WRITE_ONCE(p->tail, p->tail + 1);
		}
	}
}

ssize_t pipe_drain(struct file *f, size_t n, bool nonblock, pipe_transfer *write, void *arg)
{
	struct pipe *p = f->priv;
	struct iter_vec vec[BATCH];
	ssize_t done = 0, put = 0;
	struct iter it;

	while (n) {
		unsigned count;
		bool was_full;

		put = pipe_wait_readable(f, nonblock || done);
		if (put)
			break;
		mutex_lock(&p->lock);
		count = gather(p, vec, n);
		if (!count) {
			bool ended = !p->writers;

			mutex_unlock(&p->lock);
			if (ended)
				return done;
			continue; /* another reader was faster */
		}
		was_full = pipe_full(p);
		put = iter_init_vec(&it, vec, count, false);
		if (!put)
			put = write(arg, &it);
		if (put > 0)
			consume(p, (size_t)put);
		was_full &= !pipe_full(p);
		mutex_unlock(&p->lock);
		if (was_full)
			waitq_wake(&p->write_wait, 1, EPOLLOUT | EPOLLWRNORM);
		if (put <= 0)
			break;
		done += put;
		n -= (size_t)put;
		if (it.left)
			break;
	}
	return done ? done : put;
}

/* ---- between pipes ---- */

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

/* Copy slots while there is room, or move them unless KEEP. Both locks held. Bytes, or -ENOMEM when not even
 * the first could be copied. */
static ssize_t transfer_slots(struct pipe *from, struct pipe *to, size_t n, bool keep)
{
	ssize_t total = 0;

	for (u32 i = from->tail; i != from->head && n && !pipe_full(to); i++) {
		const struct pipe_slot *s = pipe_slot(from, i);
		u32 len = (u32)min((size_t)s->len, n);

		if (!keep && len == s->len) {
			*pipe_slot(to, to->head) = *s;
			WRITE_ONCE(from->tail, i + 1);
		} else {
			struct page *page = page_alloc(0, 0);

			if (!page)
				return total ? total : -ENOMEM;
			memcpy(page_to_virt(page), s->mem + s->off, len);
			*pipe_slot(to, to->head) = (struct pipe_slot){
				.mem = page_to_virt(page), .len = len, .packet = s->packet};
			if (!keep)
				consume(from, len);
		}
		WRITE_ONCE(to->head, to->head + 1);
		total += len;
		n -= len;
	}
	return total;
}

ssize_t pipe_to_pipe(struct file *in, struct file *out, size_t n, bool nonblock, bool keep)
{
	struct pipe *from = in->priv, *to = out->priv;
	bool wake, room, ended;
	ssize_t ret;
	int err;

	do {
		err = pipe_wait_readable(in, nonblock);
		if (!err)
			err = wait_writable(out, nonblock);
		if (err)
			return err;
		lock_both(from, to);
		wake = to->head == to->tail || to->polled;
		room = pipe_full(from);
		ret = transfer_slots(from, to, n, keep);
		room &= !pipe_full(from);
		ended = from->head == from->tail && !from->writers;
		unlock_both(from, to);
	} while (!ret && n && !ended); /* somebody else was faster */
	if (ret > 0 && wake)
		waitq_wake(&to->read_wait, 1, EPOLLIN | EPOLLRDNORM);
	if (room)
		waitq_wake(&from->write_wait, 1, EPOLLOUT | EPOLLWRNORM);
	return ret;
}
