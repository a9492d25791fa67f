/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages that carry data: read, write, readdir, fsync. The data lies in pages of its own, in no message. */
#include "client.h"
#include "base/string.h"

struct p9_req *p9_data_new(struct p9_fid *f, u8 type, u64 off, unsigned first, u32 n)
{
	unsigned npages = (unsigned)DIV_ROUND_UP(first + n, PAGE_SIZE);
	struct p9_req *q = p9_req_new(f->client, type, 32, type == P9_TWRITE ? 16 : P9_DATA_HEADER, npages);

	if (!q)
		return NULL;
	for (; q->npages < npages; q->npages++) {
		q->pages[q->npages] = page_alloc(0, 0);
		if (!q->pages[q->npages]) {
			p9_req_put(q);
			return NULL;
		}
	}
	p9_req_use(q, f);
	p9_put64(&q->t, off);
	p9_put32(&q->t, n);
	p9_req_set_data(q, first, n, type == P9_TWRITE);
	q->priv = (void *)(uintptr_t)n;
	return q;
}

/* How many bytes the answer, whose header ERR is about, says were moved: not more than asked, and not more
 * than came. */
static ssize_t count(struct p9_req *q, int err)
{
	u32 n;

	if (err)
		return err;
	n = p9_get32(&q->r);
	if (q->r.bad || n > (uintptr_t)q->priv)
		return -EIO;
	return q->type != P9_TWRITE && n > q->written - P9_DATA_HEADER ? -EIO : (ssize_t)n;
}

ssize_t p9_data_call(struct p9_req *q, bool killable)
{
	return count(q, p9_call(q, killable));
}

ssize_t p9_data_result(struct p9_req *q)
{
	return count(q, p9_req_reply(q));
}

static void copy(struct p9_req *q, void *buf, size_t n, bool out)
{
	for (unsigned i = 0; n; i++) {
		size_t part = min(n, PAGE_SIZE);

		if (out)
			memcpy(buf, page_to_virt(q->pages[i]), part);
		else
			memcpy(page_to_virt(q->pages[i]), buf, part);
		buf = (u8 *)buf + part;
		n -= part;
	}
}

static ssize_t read_some(struct p9_fid *f, u8 type, u64 off, void *buf, u32 n)
{
	struct p9_req *q = p9_data_new(f, type, off, 0, min(n, f->client->payload));
	ssize_t got;

	if (!q)
		return -ENOMEM;
	got = p9_data_call(q, true);
	if (got > 0)
		copy(q, buf, (size_t)got, true);
	p9_req_put(q);
	return got;
}

ssize_t p9_read(struct p9_fid *f, u64 off, void *buf, u32 n)
{
	return read_some(f, P9_TREAD, off, buf, n);
}

ssize_t p9_readdir(struct p9_fid *f, u64 off, void *buf, u32 n)
{
	return read_some(f, P9_TREADDIR, off, buf, n);
}

ssize_t p9_write(struct p9_fid *f, u64 off, const void *buf, u32 n)
{
	struct p9_req *q;
	ssize_t got;

	n = min(n, f->client->payload);
	q = p9_data_new(f, P9_TWRITE, off, 0, n);
	if (!q)
		return -ENOMEM;
	copy(q, (void *)(uintptr_t)buf, n, false);
	got = p9_data_call(q, true);
	p9_req_put(q);
	return got;
}

int p9_fsync(struct p9_fid *f, bool data_only)
{
	struct p9_req *q = p9_req_new(f->client, P9_TFSYNC, 32, 32, 0);
	int err;

	if (!q)
		return -ENOMEM;
	p9_req_use(q, f);
	p9_put32(&q->t, data_only);
	err = p9_call(q, true);
	p9_req_put(q);
	return err;
}
