/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages about names: attach, walk, open, create, link, rename, remove. */
#include "client.h"
#include "base/string.h"

#define TX 600 /* two names and the numbers */
#define RX 160

static struct p9_req *request(struct p9_fid *f, u8 type, size_t tx)
{
	struct p9_req *q = p9_req_new(f->client, type, tx, RX, 0);

	if (q)
		p9_req_use(q, f);
	return q;
}

/* Send Q (NULL: no memory), whose answer says no more than that it was done. */
static int finish(struct p9_req *q)
{
	int err;

	if (!q)
		return -ENOMEM;
	err = p9_call(q, true);
	p9_req_put(q);
	return err;
}

/* Q asks the server to take NEW. */
static int finish_new(struct p9_req *q, struct p9_fid *new, struct p9_fid **out)
{
	int err = p9_call(q, true);

	if (!err) {
		*out = new;
	} else if (p9_fate_unknown(err)) {
		new->doubtful = true;
		p9_fid_put(new);
	} else {
		p9_fid_forget(new);
	}
	return err;
}

int p9_attach(struct p9_client *c, const char *uname, const char *aname, u32 uid, struct p9_fid **out)
{
	struct p9_fid *new = p9_fid_new(c);
	struct p9_req *q = new ? p9_req_new(c, P9_TATTACH, 64 + strlen(uname) + strlen(aname), RX, 0) : NULL;
	int err;

	if (!q) {
		if (new)
			p9_fid_forget(new);
		return -ENOMEM;
	}
	p9_put32(&q->t, new->num);
	p9_put32(&q->t, P9_NOFID);
	p9_put_str(&q->t, uname, strlen(uname));
	p9_put_str(&q->t, aname, strlen(aname));
	p9_put32(&q->t, uid);
	err = finish_new(q, new, out);
	p9_req_put(q);
	return err;
}

/* Walk LEN bytes of NAME (NULL: nowhere, a copy). */
static int walk(struct p9_fid *from, const char *name, size_t len, struct p9_fid **out, struct p9_qid *qid)
{
	struct p9_fid *new = p9_fid_new(from->client);
	struct p9_req *q = new ? request(from, P9_TWALK, TX) : NULL;
	u16 n;
	int err;

	if (!q) {
		if (new)
			p9_fid_forget(new);
		return -ENOMEM;
	}
	p9_put32(&q->t, new->num);
	p9_put16(&q->t, name ? 1 : 0);
	if (name)
		p9_put_str(&q->t, name, len);
	err = finish_new(q, new, out);
	if (err)
		goto out;
	n = p9_get16(&q->r);
	if (name && !n) { /* it went nowhere: then it took no fid either */
		p9_fid_forget(new);
		err = -ENOENT;
		goto out;
	}
	if (name)
		*qid = p9_get_qid(&q->r);
	if (q->r.bad || n != (name ? 1 : 0)) {
		p9_fid_put(new);
		err = -EIO;
	}
out:
	p9_req_put(q);
	return err;
}

int p9_walk(struct p9_fid *from, const char *name, size_t len, struct p9_fid **out, struct p9_qid *qid)
{
	return walk(from, name, len, out, qid);
}

int p9_clone(struct p9_fid *from, struct p9_fid **out)
{
	return walk(from, NULL, 0, out, NULL);
}

int p9_open(struct p9_fid *f, u32 flags)
{
	struct p9_req *q = request(f, P9_TLOPEN, TX);

	if (q)
		p9_put32(&q->t, flags);
	f->opened = true; /* also when we do not hear of it */
	return finish(q);
}

int p9_create(struct p9_fid *dir, const char *name, size_t len, u32 flags, u32 mode, u32 gid)
{
	struct p9_req *q = request(dir, P9_TLCREATE, TX);

	if (q) {
		p9_put_str(&q->t, name, len);
		p9_put32(&q->t, flags);
		p9_put32(&q->t, mode);
		p9_put32(&q->t, gid);
	}
	dir->opened = true;
	return finish(q);
}

int p9_mkdir(struct p9_fid *dir, const char *name, size_t len, u32 mode, u32 gid)
{
	struct p9_req *q = request(dir, P9_TMKDIR, TX);

	if (q) {
		p9_put_str(&q->t, name, len);
		p9_put32(&q->t, mode);
		p9_put32(&q->t, gid);
	}
	return finish(q);
}

int p9_symlink(struct p9_fid *dir, const char *name, size_t len, const char *target, u32 gid)
{
	struct p9_req *q = request(dir, P9_TSYMLINK, TX + strlen(target));

	if (q) {
		p9_put_str(&q->t, name, len);
		p9_put_str(&q->t, target, strlen(target));
		p9_put32(&q->t, gid);
	}
	return finish(q);
}

int p9_mknod(struct p9_fid *dir, const char *name, size_t len, u32 mode, u32 major, u32 minor, u32 gid)
{
	struct p9_req *q = request(dir, P9_TMKNOD, TX);

	if (q) {
		p9_put_str(&q->t, name, len);
		p9_put32(&q->t, mode);
		p9_put32(&q->t, major);
		p9_put32(&q->t, minor);
		p9_put32(&q->t, gid);
	}
	return finish(q);
}

int p9_link(struct p9_fid *dir, struct p9_fid *target, const char *name, size_t len)
{
	struct p9_req *q = request(dir, P9_TLINK, TX);

	if (q) {
		p9_req_use(q, target);
		p9_put_str(&q->t, name, len);
	}
	return finish(q);
}

int p9_rename(struct p9_fid *from, const char *name, size_t len, struct p9_fid *to, const char *name2,
	      size_t len2)
{
	struct p9_req *q = request(from, P9_TRENAMEAT, TX);

	if (q) {
		p9_put_str(&q->t, name, len);
		p9_req_use(q, to);
		p9_put_str(&q->t, name2, len2);
	}
	return finish(q);
}

int p9_unlink(struct p9_fid *dir, const char *name, size_t len, bool rmdir)
{
	struct p9_req *q = request(dir, P9_TUNLINKAT, TX);

	if (q) {
		p9_put_str(&q->t, name, len);
		p9_put32(&q->t, rmdir ? 0x200 : 0); /* AT_REMOVEDIR */
	}
	return finish(q);
}
