/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests: making them, giving them tags, sending, waiting, giving up.
 *
 * A request has two references, the caller's and the transport's. When the waiting thread is killed it lets
 * go of its own, tells the server by Tflush, and the request lives until the device has returned its memory.
 * The tag of a request that is being flushed is free again once both answers are there: otherwise the flush
 * could hit its successor. */
#include "client.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/sched.h"

static DEFINE_COUNTER(p9_requests, "9p requests sent");
static DEFINE_COUNTER(p9_flushes, "9p requests given up because their thread was killed");
static DEFINE_COUNTER(p9_bad_answers, "9p answers that were none");
static DEFINE_COUNTER(p9_tag_waits, "9p requests that waited for a free tag");

static void request_done(struct p9_io *io, int err, u32 written);

struct p9_req *p9_req_new(struct p9_client *c, u8 type, size_t tx, size_t rx, unsigned npages)
{
	size_t segs = (npages + 2) * sizeof(struct p9_segment), list = npages * sizeof(struct page *);
	struct p9_req *q = kmalloc(sizeof *q + segs + list + rx + tx);
	u8 *at;

	if (!q)
		return NULL;
	memset(q, 0, sizeof *q + segs + list);
	at = (u8 *)(q + 1);
	q->segs = (struct p9_segment *)at;
	q->pages = (struct page **)(at + segs);
	q->rx = at + segs + list;
	q->rx_cap = (u32)rx;
	q->client = c;
	q->type = type;
	refcount_set(&q->ref, 1);
	waitq_init(&q->wait);
	q->io.done = request_done;
	p9_begin(&q->t, q->rx + rx, tx, type);
	q->segs[0].phys = virt_to_phys(q->t.p);
	q->segs[1] = (struct p9_segment){virt_to_phys(q->rx), (u32)rx};
	q->io.segs = q->segs;
	q->io.nout = q->io.nin = 1;
	return q;
}

void p9_req_put(struct p9_req *q)
{
	if (!refcount_put(&q->ref))
		return;
	for (unsigned n = 0; n < q->npages; n++)
		page_put(q->pages[n]);
	if (q->flushed)
		p9_req_put(q->flushed);
	p9_fid_put(q->fid);
	p9_fid_put(q->fid2);
	kfree(q);
}

void p9_req_use(struct p9_req *q, struct p9_fid *fid)
{
	p9_fid_get(fid);
	if (!q->fid)
		q->fid = fid;
	else
		q->fid2 = fid;
	p9_put32(&q->t, fid->num);
}

void p9_req_set_data(struct p9_req *q, unsigned off, u32 len, bool write)
{
	struct p9_segment *s = q->segs + 1;
	u32 left = len;

	/* The order is: message, data to write, answer's header, data to read. */
	if (!write)
		s++;
	for (unsigned n = 0; n < q->npages && left; n++) {
		u64 phys = page_to_phys(q->pages[n]) + (n ? 0 : off);
		u32 part = min(left, (u32)PAGE_SIZE - (n ? 0 : off));

		if (n && s[-1].phys + s[-1].len == phys)
			s[-1].len += part;
		else
			*s++ = (struct p9_segment){phys, part};
		left -= part;
	}
	if (write) {
		*s++ = (struct p9_segment){virt_to_phys(q->rx), q->rx_cap};
		q->io.nout = (unsigned)(s - q->segs) - 1;
		q->extra = len;
	} else {
		q->io.nin = (unsigned)(s - q->segs) - 1;
	}
}

/* A free tag for Q; the lock is held. */
static bool tag_take(struct p9_client *c, struct p9_req *q)
{
	for (unsigned n = 0; n < P9_TAGS; n++) {
		unsigned tag = c->next_tag++ % P9_TAGS;

		if (c->tags[tag])
			continue;
		c->tags[tag] = q;
		q->tag = (u16)tag;
		p9_set_tag(q->t.p, q->tag);
		return true;
	}
	return false;
}

/* Without the lock: hand Q, which has its tag, to the transport. */
static void start(struct p9_req *q)
{
	counter_inc(&p9_requests);
	if (q->client->transport->submit(q->client->transport, &q->io, q->lazy))
		request_done(&q->io, -EIO, 0);
}

/* Q no longer needs its tag. The lock is held; returns the next request to start. */
static struct p9_req *tag_give(struct p9_client *c, struct p9_req *q)
{
	struct p9_req *next = NULL;

	c->tags[q->tag] = NULL;
	if (!list_empty(&c->waiting)) {
		next = list_first_entry(&c->waiting, struct p9_req, queue);
		list_del(&next->queue);
		tag_take(c, next);
	}
	return next;
}

static void request_done(struct p9_io *io, int err, u32 written)
{
	struct p9_req *q = container_of(io, struct p9_req, io), *old = q->flushed, *next[2] = {NULL, NULL};
	struct p9_client *c = q->client;
	u64 flags = spin_lock_irqsave(&c->lock);
	bool idle;

	q->answered = true;
	q->err = err;
	q->written = written;
	if (!q->flushing)
		next[0] = tag_give(c, q);
	if (old) {
		old->flushing = false;
		if (old->answered)
			next[1] = tag_give(c, old);
	}
	spin_unlock_irqrestore(&c->lock, flags);
	for (int n = 0; n < 2; n++)
		if (next[n])
			start(next[n]);
	if (q->complete) {
		q->complete(q);
	} else {
		atomic_store_explicit(&q->done, true, memory_order_release);
		waitq_wake_all(&q->wait);
	}
	p9_req_put(q);
	/* Last: from here on the client may go. */
	flags = spin_lock_irqsave(&c->lock);
	idle = !--c->requests;
	if (idle)
		waitq_wake_all(&c->idle);
	spin_unlock_irqrestore(&c->lock, flags);
}

void p9_send(struct p9_req *q)
{
	struct p9_client *c = q->client;
	u64 flags;
	bool go;

	q->segs[0].len = (u32)q->t.at;
	flags = spin_lock_irqsave(&c->lock);
	c->requests++;
	go = tag_take(c, q);
	if (!go) {
		list_add_tail(&q->queue, &c->waiting);
		counter_inc(&p9_tag_waits);
	}
	spin_unlock_irqrestore(&c->lock, flags);
	if (go)
		start(q);
	else
		c->transport->kick(c->transport);
}

static void ignore(struct p9_req *q)
{
}

/* The caller was killed: ask the server to stop working on Q, and leave it. */
static void abandon(struct p9_req *q)
{
	struct p9_client *c = q->client;
	struct p9_req *f = p9_req_new(c, P9_TFLUSH, 16, 16, 0);
	bool flush = false;
	u64 flags;

	counter_inc(&p9_flushes);
	if (!f)
		return; /* the answer comes when it comes */
	flags = spin_lock_irqsave(&c->lock);
	if (!q->answered && c->tags[q->tag] == q)
		q->flushing = flush = true;
	spin_unlock_irqrestore(&c->lock, flags);
	if (!flush) {
		p9_req_put(f);
		return;
	}
	p9_put16(&f->t, q->tag);
	(void)p9_end(&f->t, 0);
	refcount_get(&q->ref);
	f->flushed = q;
	f->complete = ignore;
	p9_send(f);
}

int p9_req_reply(struct p9_req *q)
{
	int err = q->err;

	if (!err)
		err = p9_reply(&q->r, q->rx, q->rx_cap, q->written, q->type, q->tag);
	if (err == -EIO)
		counter_inc(&p9_bad_answers);
	return err;
}

int p9_call(struct p9_req *q, bool killable)
{
	int err = p9_end(&q->t, q->extra);

	if (err)
		return err;
	refcount_get(&q->ref); /* the transport's */
	p9_send(q);
	/* A thread that is on its way out already still does what its end needs. */
	if (killable && !fatal_signal_pending(current))
		err = wait_event_killable(&q->wait, atomic_load_explicit(&q->done, memory_order_acquire));
	else
		wait_event(&q->wait, atomic_load_explicit(&q->done, memory_order_acquire));
	if (!err)
		return p9_req_reply(q);
	abandon(q);
	return -EINTR;
}
