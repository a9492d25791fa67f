// SPDX-License-Identifier: BSD-2-Clause
/* Native AIO: requests. io_submit(2), io_cancel(2). See aio.h.
 *
 * A poll keeps a wait entry on each queue that the file names; a wake-up has the pool thread look at the
 * file, and end the request if it is ready. Whoever takes a poll off its context's list (that thread,
 * io_cancel, or the context's end) ends it. */
#include "aio.h"
#include "ipc.h"
#include "kernel/ipc.h"
#include "kernel/kthread.h"
#include "kernel/process.h"
#include "kernel/syscall.h"
#include <linux/fs.h>
#include <linux/ioprio.h>

#define MAX_QUEUES 2

struct aio_poll {
	struct list_head node;	     /* context's polls; guarded by its lock, empty once taken off */
	struct aio_context *context; /* with a reference */
	struct iocb request;
	u64 address; /* of the application's iocb */
	struct file *file, *event;
	u32 want;
	unsigned nqueues;
	struct poll_table table;
	struct poll_wait {
		struct wait_entry entry;
		struct waitq *queue;
		struct aio_poll *poll;
	} queues[MAX_QUEUES];
	struct work work;
	bool too_many; /* more queues than there is room for */
	bool done;     /* the work was queued once more before the end: that run frees */
};

/* A request's end: its completion, then the eventfd that it named. */
static void finish(struct aio_context *c, const struct iocb *r, u64 address, s64 result, struct file *event)
{
	aio_complete(c, r, address, result);
	if (event) {
		eventfd_signal(event, 1);
		file_put(event);
	}
}

/* ---- polls ---- */

static bool poll_wake(struct wait_entry *e, u32 events)
{
	struct poll_wait *w = container_of(e, struct poll_wait, entry);

	if (!events || events & w->poll->want)
		work_queue(&w->poll->work);
	return false;
}

static void poll_queue(struct poll_table *pt, struct file *f __maybe_unused, struct waitq *q)
{
	struct aio_poll *p = container_of(pt, struct aio_poll, table);
	struct poll_wait *w;

	if (p->nqueues == MAX_QUEUES) {
		p->too_many = true;
		return;
	}
	w = &p->queues[p->nqueues++];
	w->queue = q;
	w->poll = p;
	wait_entry_init_fn(&w->entry, poll_wake, w, false);
	waitq_add(q, &w->entry);
}

static bool poll_claim(struct aio_poll *p)
{
	struct aio_context *c = p->context;
	u64 flags = spin_lock_irqsave(&c->lock);
	bool ours = !list_empty(&p->node);

	if (ours)
		list_del_init(&p->node);
	spin_unlock_irqrestore(&c->lock, flags);
	return ours;
}

static void poll_unqueue(struct aio_poll *p)
{
	for (unsigned i = 0; i < p->nqueues; i++)
		waitq_remove(p->queues[i].queue, &p->queues[i].entry);
	p->nqueues = 0;
}

/* P is claimed, on no queue, and its work neither runs nor is queued (or is the caller). */
static void poll_free(struct aio_poll *p)
{
	file_put(p->file);
	aio_context_put(p->context);
	kfree(p);
}

static void poll_work(struct work *w)
{
	struct aio_poll *p = container_of(w, struct aio_poll, work);
	u32 ready = p->done ? 0 : file_poll(p->file, NULL) & p->want;

	if (p->done) {
		poll_free(p);
		return;
	}
	if (!ready || !poll_claim(p))
		return;
	poll_unqueue(p); /* nobody queues the work after this */
	finish(p->context, &p->request, p->address, ready, p->event);
	if (atomic_load(&p->work.queued))
		p->done = true;
	else
		poll_free(p);
}

/* Cancel P, claimed by the caller. */
static void poll_cancel(struct aio_poll *p, bool tell)
{
	poll_unqueue(p);
	work_flush(&p->work);
	if (tell)
		finish(p->context, &p->request, p->address, 0, p->event);
	else if (p->event)
		file_put(p->event);
	poll_free(p);
}

void aio_polls_end(struct aio_context *c)
{
	for (;;) {
		struct aio_poll *p = NULL;
		u64 flags = spin_lock_irqsave(&c->lock);

		if (!list_empty(&c->polls)) {
			p = list_first_entry(&c->polls, struct aio_poll, node);
			list_del_init(&p->node);
		}
		spin_unlock_irqrestore(&c->lock, flags);
		if (!p)
			return;
		poll_cancel(p, false);
	}
}

/* Make P findable and look at its file for the first time. What woke it before that is made up for. */
static bool poll_start(struct aio_poll *p)
{
	struct aio_context *c = p->context;
	u64 flags = spin_lock_irqsave(&c->lock);
	bool alive = !c->dead;

	if (alive) {
		list_add_tail(&p->node, &c->polls);
		work_queue(&p->work); /* within the lock: the work cannot end P before */
	}
	spin_unlock_irqrestore(&c->lock, flags);
	return alive;
}

static int submit_poll(struct aio_context *c, const struct iocb *r, u64 address, struct file *f,
		       struct file *event)
{
	struct aio_poll *p;
	u32 ready;

	if (r->aio_offset || r->aio_nbytes || r->aio_rw_flags || r->aio_buf != (u16)r->aio_buf)
		return -EINVAL;
	p = kzalloc(sizeof *p);
	if (!p)
		return -ENOMEM;
	list_init(&p->node);
	p->context = c;
	refcount_get(&c->ref);
	p->request = *r;
	p->address = address;
	p->file = f;
	file_get(f);
	p->event = event;
	p->want = (u32)r->aio_buf | EPOLLERR | EPOLLHUP;
	p->table = (struct poll_table){.queue = poll_queue, .want = p->want};
	work_init(&p->work, poll_work);
	ready = file_poll(f, &p->table) & p->want;
	if (!p->too_many && (ready || p->nqueues) && poll_start(p))
		return 0;
	poll_unqueue(p);
	work_flush(&p->work);
	poll_free(p);
	return -EINVAL;
}

/* ---- transfers ---- */

static s64 transfer(const struct iocb *r, struct file *f, bool write, bool vectored, int *refused)
{
	struct iter_vec one = {(void *)r->aio_buf, r->aio_nbytes};
	struct iov_import im;
	s64 n;

	*refused = -EBADF;
	if (write ? !file_writable(f) : !file_readable(f))
		return 0;
	*refused = -EINVAL;
	if (!(write ? f->ops->write : f->ops->read) || (s64)r->aio_offset < 0)
		return 0;
	if (vectored) {
		*refused = iov_load(&im, (const struct iter_vec __app *)r->aio_buf, r->aio_nbytes);
		if (*refused)
			return 0;
	} else {
		if ((s64)r->aio_nbytes < 0)
			return 0;
		*refused = -EFAULT;
		if (!app_range_ok((void __app *)r->aio_buf, r->aio_nbytes))
			return 0;
		one.len = min(one.len, MAX_RW_COUNT);
		im.vec = im.fast;
		*refused = iter_init_vec(&im.it, &one, 1, true);
		if (*refused)
			return 0;
	}
	n = file_rw_flags(f, &im.it, f->ops->seek != NULL, (s64)r->aio_offset, (u32)r->aio_rw_flags, write);
	iov_release(&im);
	if (n == -EOPNOTSUPP && r->aio_rw_flags)
		*refused = (int)n;
	/* The program cannot make the request again as it was. */
	return n == -ERESTARTSYS || n == -ERESTARTNOINTR || n == -ERESTARTNOHAND ? -EINTR : n;
}

static s64 sync(const struct iocb *r, struct file *f, bool data_only, int *refused)
{
	*refused = 0;
	if (r->aio_buf || r->aio_offset || r->aio_nbytes || r->aio_rw_flags || !f->ops->fsync)
		*refused = -EINVAL;
	return *refused ? 0 : f->ops->fsync(f, data_only);
}

static int dispatch(struct aio_context *c, const struct iocb *r, u64 address, struct file *f,
		    struct file *event)
{
	int refused = -EINVAL;
	s64 result = 0;

	switch (r->aio_lio_opcode) {
	case IOCB_CMD_PREAD:
	case IOCB_CMD_PREADV:
		result = transfer(r, f, false, r->aio_lio_opcode == IOCB_CMD_PREADV, &refused);
		break;
	case IOCB_CMD_PWRITE:
	case IOCB_CMD_PWRITEV:
		result = transfer(r, f, true, r->aio_lio_opcode == IOCB_CMD_PWRITEV, &refused);
		break;
	case IOCB_CMD_FSYNC:
	case IOCB_CMD_FDSYNC:
		result = sync(r, f, r->aio_lio_opcode == IOCB_CMD_FDSYNC, &refused);
		break;
	case IOCB_CMD_POLL:
		return submit_poll(c, r, address, f, event);
	}
	if (!refused)
		finish(c, r, address, result, event);
	return refused;
}

static int priority_check(const struct iocb *r)
{
	return r->aio_flags & IOCB_FLAG_IOPRIO ? ioprio_check((u16)r->aio_reqprio) : 0;
}

static int submit_one(struct aio_context *c, struct iocb __app *where)
{
	struct file *f, *event = NULL;
	struct iocb r;
	int err;

	if (get_app(r, where))
		return -EFAULT;
	if (r.aio_reserved2)
		return -EINVAL;
	if (!aio_slot_take(c))
		return -EAGAIN;
	f = fd_get((int)r.aio_fildes);
	err = -EBADF;
	if (!f)
		goto fail;
	if (r.aio_flags & IOCB_FLAG_RESFD) {
		event = fd_get((int)r.aio_resfd);
		err = !event ? -EBADF : eventfd_is(event) ? 0 : -EINVAL;
		if (err)
			goto fail_file;
	}
	err = put_app(0u, &where->aio_key);
	if (!err)
		err = priority_check(&r);
	if (!err)
		err = dispatch(c, &r, (u64)where, f, event);
	if (!err) {
		file_put(f);
		return 0;
	}
fail_file:
	if (event)
		file_put(event);
	if (f)
		file_put(f);
fail:
	aio_slot_give_back(c);
	return err;
}

SYSCALL_DEFINE3(io_submit, u64, id, long, nr, struct iocb __app *const __app *, list)
{
	struct aio_context *c;
	struct iocb __app *where;
	long done = 0;
	int err = 0;

	if (nr < 0)
		return -EINVAL;
	c = aio_context_get(id);
	if (!c)
		return -EINVAL;
	for (; done < nr && !err; done += !err) {
		err = get_app(where, list + done) ? -EFAULT : submit_one(c, where);
		if (signal_pending(current) && done)
			break;
	}
	aio_context_put(c);
	return done ? done : err;
}

SYSCALL_DEFINE3(io_cancel, u64, id, struct iocb __app *, where, struct io_event __app *, result)
{
	struct aio_poll *p, *found = NULL;
	struct aio_context *c;
	u64 flags;
	u32 key;

	if (get_app(key, &where->aio_key))
		return -EFAULT;
	if (key)
		return -EINVAL;
	c = aio_context_get(id);
	if (!c)
		return -EINVAL;
	flags = spin_lock_irqsave(&c->lock);
	list_for_each_entry (p, &c->polls, node)
		if (p->address == (u64)where) {
			found = p;
			list_del_init(&p->node);
			break;
		}
	spin_unlock_irqrestore(&c->lock, flags);
	if (found)
		poll_cancel(found, true);
	aio_context_put(c);
	return found ? -EINPROGRESS : -EINVAL; /* its completion tells the rest */
}
