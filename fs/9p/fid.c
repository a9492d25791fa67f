/* SPDX-License-Identifier: BSD-2-Clause */
/* Fids: numbers by which server and client know a file. A fid is clunked with its last reference, without
 * waiting for the answer; its number is used again once the server has given that, so there are never more
 * numbers than were alive at once. The clunk request is made with the fid. Live fids are counted:
 * /proc/cortado/counters. */
#include "client.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"

static _Atomic s64 live; /* of all clients */

static u64 live_sum(void)
{
	return (u64)max(atomic_load_explicit(&live, memory_order_relaxed), (s64)0);
}
static DEFINE_COUNTER_SUM(p9_fids_live, live_sum, "9p fids that servers know now");
static DEFINE_COUNTER(p9_fids_lost, "9p fid numbers given up because their fate at the server is unknown");

struct p9_fid *p9_fid_new(struct p9_client *c)
{
	struct p9_fid *f = NULL;
	struct p9_req *clunk = p9_req_new(c, P9_TCLUNK, 16, 16, 0);
	u64 flags;

	if (!clunk)
		return NULL;
	flags = spin_lock_irqsave(&c->lock);
	if (!list_empty(&c->free_fids)) {
		f = list_first_entry(&c->free_fids, struct p9_fid, node);
		list_del(&f->node);
	}
	spin_unlock_irqrestore(&c->lock, flags);
	if (!f) {
		f = kzalloc(sizeof *f);
		if (!f) {
			p9_req_put(clunk);
			return NULL;
		}
		flags = spin_lock_irqsave(&c->lock);
		f->num = c->next_fid++;
		spin_unlock_irqrestore(&c->lock, flags);
		f->client = c;
	}
	refcount_set(&f->ref, 1);
	f->opened = f->append = f->doubtful = false;
	f->clunk = clunk;
	atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
	return f;
}

void p9_fid_get(struct p9_fid *f)
{
	refcount_get(&f->ref);
}

/* The server does not know the number any more. */
static void recycle(struct p9_fid *f)
{
	struct p9_client *c = f->client;
	u64 flags;

	atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
	if (f->doubtful) {
		counter_inc(&p9_fids_lost);
		kfree(f);
		return;
	}
	flags = spin_lock_irqsave(&c->lock);
	list_add(&f->node, &c->free_fids);
	spin_unlock_irqrestore(&c->lock, flags);
}

static void clunked(struct p9_req *q)
{
	recycle(q->priv);
}

static struct p9_req *clunk_request(struct p9_fid *f)
{
	struct p9_req *q = f->clunk;

	f->clunk = NULL;
	p9_put32(&q->t, f->num);
	(void)p9_end(&q->t, 0);
	q->priv = f;
	return q;
}

void p9_fid_put(struct p9_fid *f)
{
	struct p9_req *q;

	if (!f || !refcount_put(&f->ref))
		return;
	q = clunk_request(f);
	q->complete = clunked;
	/* A name costs the server nothing; an open file may be all that keeps its blocks. */
	q->lazy = !f->opened;
	p9_send(q);
}

void p9_fid_forget(struct p9_fid *f)
{
	p9_req_put(f->clunk);
	f->clunk = NULL;
	recycle(f);
}

int p9_fid_clunk(struct p9_fid *f)
{
	struct p9_req *q = clunk_request(f);
	int err = p9_call(q, false);

	p9_req_put(q);
	recycle(f); /* whatever the answer says, the number is gone */
	return err;
}
