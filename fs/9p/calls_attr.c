/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages about attributes: getattr, setattr, statfs, links' targets, extended attributes. */
#include "client.h"
#include "base/string.h"
#include "kernel/clock.h"

#define TX	 360 /* a name of 255 bytes and the numbers */
#define RX	 256
#define LINK_MAX 4096

static struct p9_req *request(struct p9_fid *f, u8 type, size_t rx)
{
	struct p9_req *q = p9_req_new(f->client, type, TX, rx, 0);

	if (q)
		p9_req_use(q, f);
	return q;
}

/* Seconds and nanoseconds; what does not fit 64 bits of nanoseconds is cut. */
static s64 get_time(struct p9_buf *b)
{
	s64 sec = (s64)p9_get64(b), ns = (s64)p9_get64(b);

	return clamp(sec, -9223372036ll, 9223372035ll) * (s64)NSEC_PER_SEC +
	       clamp(ns, 0ll, (s64)NSEC_PER_SEC - 1);
}

int p9_getattr(struct p9_fid *f, struct p9_attr *out)
{
	struct p9_req *q = request(f, P9_TGETATTR, RX);
	int err;

	if (!q)
		return -ENOMEM;
	p9_put64(&q->t, P9_GETATTR_ALL);
	err = p9_call(q, true);
	if (err)
		goto out;
	out->valid = p9_get64(&q->r);
	out->qid = p9_get_qid(&q->r);
	out->mode = p9_get32(&q->r);
	out->uid = p9_get32(&q->r);
	out->gid = p9_get32(&q->r);
	out->nlink = p9_get64(&q->r);
	out->rdev = p9_get64(&q->r);
	out->size = p9_get64(&q->r);
	out->blksize = p9_get64(&q->r);
	out->blocks = p9_get64(&q->r);
	out->atime = get_time(&q->r);
	out->mtime = get_time(&q->r);
	out->ctime = get_time(&q->r);
	out->btime = get_time(&q->r);
	out->gen = p9_get64(&q->r);
	if (q->r.bad || out->size > 0x7fffffffffffffffull ||
	    (out->valid & P9_GETATTR_BASIC) != P9_GETATTR_BASIC)
		err = -EIO;
out:
	p9_req_put(q);
	return err;
}

static void put_time(struct p9_buf *b, u64 ns)
{
	s64 sec = (s64)ns / (s64)NSEC_PER_SEC, rest = (s64)ns % (s64)NSEC_PER_SEC;

	if (rest < 0) {
		sec--;
		rest += (s64)NSEC_PER_SEC;
	}
	p9_put64(b, (u64)sec);
	p9_put64(b, (u64)rest);
}

int p9_setattr(struct p9_fid *f, const struct p9_setattr *a)
{
	struct p9_req *q = request(f, P9_TSETATTR, RX);
	int err;

	if (!q)
		return -ENOMEM;
	p9_put32(&q->t, a->valid);
	p9_put32(&q->t, a->mode);
	p9_put32(&q->t, a->valid & P9_SET_UID ? a->uid : ~0u);
	p9_put32(&q->t, a->valid & P9_SET_GID ? a->gid : ~0u);
	p9_put64(&q->t, a->size);
	put_time(&q->t, a->atime);
	put_time(&q->t, a->mtime);
	err = p9_call(q, true);
	p9_req_put(q);
	return err;
}

int p9_statfs(struct p9_fid *f, struct p9_statfs *out)
{
	struct p9_req *q = request(f, P9_TSTATFS, RX);
	int err;

	if (!q)
		return -ENOMEM;
	err = p9_call(q, true);
	if (!err) {
		out->type = p9_get32(&q->r);
		out->bsize = p9_get32(&q->r);
		out->blocks = p9_get64(&q->r);
		out->bfree = p9_get64(&q->r);
		out->bavail = p9_get64(&q->r);
		out->files = p9_get64(&q->r);
		out->ffree = p9_get64(&q->r);
		out->fsid = p9_get64(&q->r);
		out->namelen = p9_get32(&q->r);
		err = q->r.bad ? -EIO : 0;
	}
	p9_req_put(q);
	return err;
}

ssize_t p9_readlink(struct p9_fid *f, char *buf, size_t size)
{
	struct p9_req *q = request(f, P9_TREADLINK, LINK_MAX + 16);
	const char *s;
	size_t len;
	ssize_t n;

	if (!q)
		return -ENOMEM;
	n = p9_call(q, true);
	if (!n) {
		s = p9_get_str(&q->r, &len);
		n = !s || memchr(s, 0, len) ? -EIO : len >= size ? -ENAMETOOLONG : (ssize_t)len;
		if (n >= 0) {
			memcpy(buf, s, len);
			buf[len] = 0;
		}
	}
	p9_req_put(q);
	return n;
}

int p9_xattr_walk(struct p9_fid *f, const char *name, struct p9_fid **out, u64 *size)
{
	struct p9_fid *new = p9_fid_new(f->client);
	struct p9_req *q = new ? request(f, P9_TXATTRWALK, RX) : NULL;
	int err;

	if (!q) {
		if (new)
			p9_fid_forget(new);
		return -ENOMEM;
	}
	p9_put32(&q->t, new->num);
	p9_put_str(&q->t, name, strlen(name));
	err = p9_call(q, true);
	if (!err) {
		*size = p9_get64(&q->r);
		*out = new;
		err = q->r.bad ? -EIO : 0;
		if (err)
			p9_fid_put(new);
	} else if (p9_fate_unknown(err)) {
		new->doubtful = true;
		p9_fid_put(new);
	} else {
		p9_fid_forget(new);
	}
	p9_req_put(q);
	return err;
}

int p9_xattr_create(struct p9_fid *f, const char *name, u64 size, u32 flags)
{
	struct p9_req *q = request(f, P9_TXATTRCREATE, RX);
	int err;

	if (!q)
		return -ENOMEM;
	p9_put_str(&q->t, name, strlen(name));
	p9_put64(&q->t, size);
	p9_put32(&q->t, flags);
	err = p9_call(q, true);
	p9_req_put(q);
	return err;
}
