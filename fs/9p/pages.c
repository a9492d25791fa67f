/* SPDX-License-Identifier: BSD-2-Clause */
/* Filling page cache pages from the server: the pages themselves are the data of the request, and several
 * requests are under way at once. What lies beyond the server's end of the file is zero. */
#include "p9.h"
#include "../vfs/internal.h"
#include "base/string.h"

struct p9_fid *p9_data_fid(struct inode *i, bool write)
{
	struct p9_fid *f = p9_open_fid(i, !write, write), *path;
	int err = 0;

	if (f)
		return f;
	path = p9_path_fid(i);
	err = p9_inode(i)->gone ? -ENOENT : p9_clone(path, &f);
	p9_fid_put(path);
	if (err)
		return ERR_PTR(err);
	err = p9_open(f, (write ? O_WRONLY : O_RDONLY) | O_LARGEFILE);
	if (!err)
		return f;
	p9_fid_put(f);
	return ERR_PTR(err);
}

/* Any context. */
static void pages_read(struct p9_req *q)
{
	ssize_t got = p9_data_result(q);

	for (unsigned k = 0; k < q->npages; k++) {
		ssize_t here = clamp(got - (ssize_t)(k * PAGE_SIZE), 0l, (ssize_t)PAGE_SIZE);

		if (got >= 0 && here < (ssize_t)PAGE_SIZE)
			memset((char *)page_to_virt(q->pages[k]) + here, 0, PAGE_SIZE - (size_t)here);
		pagecache_page_done(q->pages[k], got < 0 ? (int)got : 0);
	}
}

static int send_read(struct p9_fid *fid, u64 index, struct page **pages, unsigned n)
{
	struct p9_req *q = p9_req_new(fid->client, P9_TREAD, 32, P9_DATA_HEADER, n);

	if (!q)
		return -ENOMEM;
	for (; q->npages < n; q->npages++) {
		page_get(pages[q->npages]);
		q->pages[q->npages] = pages[q->npages];
	}
	p9_req_use(q, fid);
	p9_put64(&q->t, index << PAGE_SHIFT);
	p9_put32(&q->t, n * (u32)PAGE_SIZE);
	p9_req_set_data(q, 0, n * (u32)PAGE_SIZE, false);
	(void)p9_end(&q->t, 0);
	q->priv = (void *)(uintptr_t)(n * PAGE_SIZE);
	q->complete = pages_read;
	p9_send(q);
	return 0;
}

static int read_pages(struct page_cache *c, u64 index, struct page **pages, unsigned n)
{
	struct p9_fid *fid = p9_data_fid(c->inode, false);
	int err = IS_ERR(fid) ? (int)PTR_ERR(fid) : 0;
	unsigned most, done = 0;

	/* A message too small for a page carries nothing: the mount's msize is at fault. */
	most = err ? 0 : fid->client->payload / (unsigned)PAGE_SIZE;
	if (!err && !most)
		err = -EIO;
	while (!err && done < n) {
		unsigned part = min(n - done, most);

		err = send_read(fid, index + done, pages + done, part);
		if (!err)
			done += part;
	}
	for (unsigned k = done; k < n; k++)
		pagecache_page_done(pages[k], err);
	if (!IS_ERR(fid))
		p9_fid_put(fid);
	return err;
}

const struct page_cache_ops p9_cache_ops = {.read_pages = read_pages};
