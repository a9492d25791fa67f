/* SPDX-License-Identifier: BSD-2-Clause */
/* A session: begun by agreeing on 9P2000.L and the size of messages, ended when the last fid is gone. */
#include "client.h"
#include "base/string.h"
#include "kernel/alloc.h"

#define MSIZE_LEAST 4096u

static const char version[] = "9P2000.L";

static int negotiate(struct p9_client *c)
{
	struct p9_req *q = p9_req_new(c, P9_TVERSION, 64, 256, 0);
	const char *got;
	u32 msize;
	size_t len;
	int err;

	if (!q)
		return -ENOMEM;
	p9_put32(&q->t, c->msize);
	p9_put_str(&q->t, version, sizeof version - 1);
	err = p9_call(q, true);
	if (err)
		goto out;
	msize = p9_get32(&q->r);
	got = p9_get_str(&q->r, &len);
	if (q->r.bad || msize < MSIZE_LEAST)
		err = -EIO;
	else if (len != sizeof version - 1 || memcmp(got, version, len))
		err = -EREMOTEIO; /* it speaks another dialect */
	else
		c->msize = min(c->msize, msize);
out:
	p9_req_put(q);
	return err;
}

struct p9_client *p9_client_create(struct p9_transport *t, u32 msize)
{
	struct p9_client *c = kzalloc(sizeof *c);
	u32 pages;
	int err;

	if (!c)
		return ERR_PTR(-ENOMEM);
	c->transport = t;
	c->msize = max(msize, MSIZE_LEAST);
	spin_init(&c->lock);
	list_init(&c->waiting);
	list_init(&c->free_fids);
	waitq_init(&c->idle);
	err = t->max_segs < 4 ? -EIO : negotiate(c);
	if (err) {
		p9_client_destroy(c);
		return ERR_PTR(err);
	}
	/* Data in whole pages where that is possible, at most a segment each, besides message and answer. The
	 * first may be entered in the middle. */
	pages = min((c->msize - P9_IO_OVERHEAD) / (u32)PAGE_SIZE, t->max_segs - 3);
	c->payload = pages ? pages * (u32)PAGE_SIZE : ALIGN_DOWN(c->msize - P9_IO_OVERHEAD, 512u);
	return c;
}

void p9_client_destroy(struct p9_client *c)
{
	struct p9_fid *f, *next;
	u64 flags;

	c->transport->kick(c->transport);
	wait_event(&c->idle, !READ_ONCE(c->requests));
	flags = spin_lock_irqsave(&c->lock); /* whoever answered last has let go of it */
	spin_unlock_irqrestore(&c->lock, flags);
	list_for_each_entry_safe (f, next, &c->free_fids, node)
		kfree(f);
	kfree(c);
}
