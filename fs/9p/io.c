/* SPDX-License-Identifier: BSD-2-Clause */
/* read(2) and write(2) on 9p files. Writes go to the server before they return, in every cache mode; the
 * pages that the cache holds (loose mode, and whatever is mapped) are kept right by the way. Reads take what
 * the cache holds and ask the server for the rest. Data passes through pages of the request's own: the
 * application may be gone before the device is done. */
#include "p9.h"
#include "../vfs/internal.h"
#include "base/string.h"
#include "kernel/sched.h"

/* A request for up to *N bytes; fewer when memory is short. */
static struct p9_req *data_request(struct p9_fid *fid, u8 type, u64 at, size_t *n)
{
	struct p9_req *q;

	*n = min(*n, (size_t)fid->client->payload);
	q = p9_data_new(fid, type, at, 0, (u32)*n);
	if (!q && *n > PAGE_SIZE) {
		*n = PAGE_SIZE;
		q = p9_data_new(fid, type, at, 0, (u32)*n);
	}
	return q;
}

/* The request's pages to or from IT. Bytes. */
static size_t copy_pages(struct p9_req *q, struct iter *it, size_t n, bool out)
{
	size_t done = 0;

	for (unsigned k = 0; done < n; k++) {
		size_t part = min(n - done, PAGE_SIZE), got;

		got = out ? iter_copy_out(it, page_to_virt(q->pages[k]), part)
			  : iter_copy_in(it, page_to_virt(q->pages[k]), part);
		done += got;
		if (got < part)
			break;
	}
	return done;
}

/* From the server: bytes; *END when there is no more behind them. */
static ssize_t read_server(struct p9_fid *fid, struct iter *to, u64 at, size_t n, bool *end)
{
	struct p9_req *q = data_request(fid, P9_TREAD, at, &n);
	ssize_t got;

	if (!q)
		return -ENOMEM;
	got = p9_data_call(q, true);
	*end = got < (ssize_t)n;
	if (got > 0) {
		size_t copied = copy_pages(q, to, (size_t)got, true);

		if (copied < (size_t)got) {
			*end = true;
			got = copied ? (ssize_t)copied : -EFAULT;
		}
	}
	p9_req_put(q);
	return got;
}

/* From page P of the cache, which it lets go. */
static ssize_t read_page(struct inode *i, struct page *p, struct iter *to, u64 at, size_t n, bool *end)
{
	u64 size = READ_ONCE(i->size);
	size_t off = at % PAGE_SIZE, got = 0;

	n = at >= size ? 0 : min(min(n, PAGE_SIZE - off), size - at);
	if (n)
		got = iter_copy_out(to, (char *)page_to_virt(p) + off, n);
	page_put(p);
	*end = got < n || !n;
	return got < n && !got ? -EFAULT : (ssize_t)got;
}

static ssize_t read_once(struct inode *i, struct p9_fid *fid, struct iter *to, u64 at, bool *end)
{
	struct page_cache *c = i->cache;
	u64 index = at >> PAGE_SHIFT, next;
	size_t n = to->left;

	if (p9_inode(i)->gone) { /* the server may hold more than there is: inode.c */
		u64 size = READ_ONCE(i->size);

		*end = at >= size;
		n = *end ? 0 : min(n, size - at);
		if (!n)
			return 0;
	}
	if (READ_ONCE(c->npages)) {
		struct page *p = pagecache_peek(c, index);

		if (p)
			return read_page(i, p, to, at, n, end);
		next = pagecache_next(c, index + 1, index + 1 + DIV_ROUND_UP(n, PAGE_SIZE), false);
		n = min(n, (next << PAGE_SHIFT) - at);
	}
	return read_server(fid, to, at, n, end);
}

ssize_t p9_file_read(struct file *f, struct iter *to, u64 *pos)
{
	struct p9_fid *fid;
	ssize_t done = 0, n;
	bool end = false;

	if (p9_loose(f->inode) && !(f->flags & O_DIRECT))
		return pagecache_file_read(f, to, pos);
	fid = p9_handle_fid(f);
	while (to->left && !end) {
		n = *pos > INT64_MAX ? -EINVAL : read_once(f->inode, fid, to, *pos, &end);
		if (n < 0) {
			done = done ? done : n;
			break;
		}
		*pos += (u64)n;
		done += n;
		if (fatal_signal_pending(current))
			break;
	}
	p9_fid_put(fid);
	return done;
}

/* The cache's pages, if there are any, get what the server has taken. */
static void update_cache(struct page_cache *c, struct p9_req *q, u64 at, size_t n)
{
	for (unsigned k = 0; n && READ_ONCE(c->npages); k++) {
		size_t part = min(n, PAGE_SIZE);

		pagecache_update(c, at, page_to_virt(q->pages[k]), part);
		at += part;
		n -= part;
	}
}

/* Bytes that the server took, at most N. */
static ssize_t write_once(struct inode *i, struct p9_fid *fid, struct iter *from, u64 at, size_t n)
{
	struct p9_req *q = data_request(fid, P9_TWRITE, at, &n);
	size_t copied;
	ssize_t got;

	if (!q)
		return -ENOMEM;
	copied = copy_pages(q, from, n, false);
	if (copied < n) { /* the rest of the application's memory is not there */
		iter_revert(from, copied);
		p9_req_put(q);
		return copied ? write_once(i, fid, from, at, copied) : -EFAULT;
	}
	got = p9_data_call(q, true);
	if (got > 0)
		update_cache(i->cache, q, at, (size_t)got);
	if (got < (ssize_t)n)
		iter_revert(from, n - (size_t)max(got, 0l));
	p9_req_put(q);
	return got;
}

static ssize_t write_all(struct inode *i, struct p9_fid *fid, struct iter *from, u64 *pos, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = write_once(i, fid, from, *pos, n - done);

		if (got <= 0)
			return done ? (ssize_t)done : got;
		*pos += (u64)got;
		done += (size_t)got;
		if (*pos > i->size)
			WRITE_ONCE(i->size, *pos);
		if (fatal_signal_pending(current))
			break;
	}
	return (ssize_t)done;
}

/* Set-user-ID and set-group-ID end with a write by somebody without privilege; I is locked. */
static void remove_privs(struct inode *i)
{
	u32 before = i->mode;

	inode_remove_privs(i);
	if (unlikely(i->mode != before)) {
		struct p9_setattr sa = {.valid = P9_SET_MODE, .mode = i->mode & 07777};
		struct p9_fid *f = p9_path_fid(i);

		if (!p9_inode(i)->gone)
			(void)p9_setattr(f, &sa);
		p9_fid_put(f);
	}
}

ssize_t p9_file_write(struct file *f, struct iter *from, u64 *pos)
{
	struct inode *i = f->inode;
	struct p9_fid *fid;
	ssize_t n = 0;
	u64 at = *pos;

	if (!from->left)
		return 0;
	fid = p9_handle_fid(f);
	mutex_lock(&i->lock);
	if (f->flags & O_APPEND || at == POS_APPEND) {
		/* A server that appends knows the end best; else it must be asked for. */
		if (!fid->append && !p9_loose(i))
			n = p9_refresh(i);
		at = i->size;
	}
	if (!n)
		n = pagecache_write_limit(i->cache, at, from->left);
	if (n > 0) {
		p9_size_begin(i);
		remove_privs(i);
		n = write_all(i, fid, from, &at, (size_t)n);
		if (n > 0)
			inode_touch_mtime(i);
		p9_size_end(i);
	}
	mutex_unlock(&i->lock);
	p9_fid_put(fid);
	if (n > 0)
		*pos = at;
	return n;
}
