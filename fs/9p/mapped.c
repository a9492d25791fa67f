/* SPDX-License-Identifier: BSD-2-Clause */
/* Mappings of 9p files. Pages that were stored to are written to the server when their mapping goes, at
 * msync, fsync, close and sync, and when the VM ends in order. The processor's dirty bits tell which they
 * are: they reach the page when its entry is dropped, so collecting them for mappings that stay means
 * dropping the entries; the next access maps the page again. Without loose caching a file's pages go with its
 * last mapping: what is mapped next time is what the host has then. */
#include "p9.h"
#include "../vfs/internal.h"
#include "base/string.h"
#include "kernel/counter.h"

static DEFINE_COUNTER(p9_writeback_errors, "9p writes of mapped data that failed");

#define RUN_MOST 32u

static bool maps_for_writing(const struct vma *vma)
{
	return vma->flags & VMA_SHARED && vma->flags & (VMA_WRITE | VMA_MAYWRITE);
}

static void set_error(struct inode *i, int err)
{
	counter_inc(&p9_writeback_errors);
	p9_inode(i)->writeback_error = err;
}

int p9_take_writeback_error(struct inode *i)
{
	return __atomic_exchange_n(&p9_inode(i)->writeback_error, 0, __ATOMIC_RELAXED);
}

/* Take the run of dirty pages that begins at *INDEX or after it, and clean them. References in PAGES. */
static unsigned dirty_run(struct page_cache *c, u64 *index, u64 end, struct page **pages, unsigned most)
{
	unsigned n = 0;

	for (u64 at = *index; at < end && n < most; at++) {
		struct page *p = pagecache_peek(c, at);
		bool dirty =
			p && atomic_fetch_and_explicit(&p->flags, ~(u32)PAGE_DIRTY, memory_order_acq_rel) &
				     PAGE_DIRTY;

		if (dirty) {
			if (!n)
				*index = at;
			pages[n++] = p;
			continue;
		}
		if (p)
			page_put(p);
		if (n)
			break;
		at = pagecache_next(c, at + 1, end, false) - 1;
	}
	return n;
}

/* Not written after all, for want of memory. */
static void dirty_again(struct page **pages, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		atomic_fetch_or_explicit(&pages[k]->flags, PAGE_DIRTY, memory_order_relaxed);
}

/* Write LEN bytes from the beginning of PAGES, whose references it takes over. */
static int write_run(struct p9_fid *fid, u64 index, struct page **pages, unsigned n, u32 len)
{
	u64 at = index << PAGE_SHIFT;
	struct p9_req *q;
	ssize_t got = 0;

	for (u32 done = 0; done < len && got >= 0; done += (u32)got) {
		unsigned first = done / (u32)PAGE_SIZE, off = done % (u32)PAGE_SIZE;

		q = p9_req_new(fid->client, P9_TWRITE, 32, 16, n - first);
		if (!q) {
			got = -ENOMEM;
			break;
		}
		for (; q->npages < n - first; q->npages++) {
			page_get(pages[first + q->npages]);
			q->pages[q->npages] = pages[first + q->npages];
		}
		p9_req_use(q, fid);
		p9_put64(&q->t, at + done);
		p9_put32(&q->t, len - done);
		p9_req_set_data(q, off, len - done, true);
		q->priv = (void *)(uintptr_t)(len - done);
		got = p9_data_call(q, false);
		p9_req_put(q);
		if (!got)
			got = -EIO;
	}
	if (got == -ENOMEM)
		dirty_again(pages, n);
	for (unsigned k = 0; k < n; k++)
		page_put(pages[k]);
	return got < 0 ? (int)got : 0;
}

static int write_dirty(struct inode *i, struct p9_fid *fid)
{
	struct page *pages[RUN_MOST];
	u64 index = 0, size = READ_ONCE(i->size), end = DIV_ROUND_UP(size, PAGE_SIZE);
	unsigned n, most = clamp(fid->client->payload / (u32)PAGE_SIZE, 1u, RUN_MOST);
	int err = 0;

	while ((n = dirty_run(i->cache, &index, end, pages, most))) {
		u32 len = (u32)min((u64)n * PAGE_SIZE, size - (index << PAGE_SHIFT));
		int e = write_run(fid, index, pages, n, len);

		err = err ? err : e;
		index += n;
		if (e == -ENOMEM) /* later, then */
			break;
		atomic_fetch_add_explicit(&p9_super(i->super)->cleaned, n, memory_order_relaxed);
	}
	return err;
}

/* Nothing maps I for writing any more: forget it, unless somebody has begun to. */
static void forget_mapped(struct inode *i)
{
	struct p9_super *ps = p9_super(i->super);
	u64 flags = spin_lock_irqsave(&ps->lock);

	if (atomic_load_explicit(&i->cache->writable_maps, memory_order_relaxed) <= 0)
		list_del_init(&p9_inode(i)->mapped_node);
	spin_unlock_irqrestore(&ps->lock, flags);
}

int p9_writeback(struct inode *i, struct p9_fid *fid, bool collect)
{
	struct p9_inode *pi = p9_inode(i);
	bool mine = !fid;
	int err = 0;

	if (!i->cache || list_empty(&pi->mapped_node))
		return 0;
	mutex_lock(&pi->writeback_lock);
	if (collect)
		vm_unmap_cache(i->cache, 0, ~0ull >> PAGE_SHIFT, false);
	if (READ_ONCE(i->cache->npages)) {
		if (mine)
			fid = p9_data_fid(i, true);
		err = IS_ERR(fid) ? (int)PTR_ERR(fid) : write_dirty(i, fid);
		if (mine && !IS_ERR(fid))
			p9_fid_put(fid);
	}
	if (!err)
		forget_mapped(i);
	else if (err != -ENOMEM)
		set_error(i, err);
	pi->fresh_by = NULL;
	mutex_unlock(&pi->writeback_lock);
	return err;
}

int p9_sync(struct super *s)
{
	struct p9_super *ps = p9_super(s);
	int err = 0, e;
	unsigned n = 0;
	u64 flags;

	mutex_lock(&ps->sync_lock);
	flags = spin_lock_irqsave(&ps->lock);
	list_for_each (at, &ps->mapped)
		n++;
	for (; n && !list_empty(&ps->mapped); n--) {
		struct p9_inode *pi = list_first_entry(&ps->mapped, struct p9_inode, mapped_node);

		list_move_tail(&pi->mapped_node, &ps->mapped);
		if (!refcount_get_unless_zero(&pi->inode->ref))
			continue;
		spin_unlock_irqrestore(&ps->lock, flags);
		e = p9_writeback(pi->inode, NULL, true);
		err = err ? err : e;
		inode_put(pi->inode);
		flags = spin_lock_irqsave(&ps->lock);
	}
	spin_unlock_irqrestore(&ps->lock, flags);
	mutex_unlock(&ps->sync_lock);
	return err;
}

/* Beyond the end that we know: the host may have moved it. */
static int mapped_fault(struct vm_fault *f)
{
	struct inode *i = f->vma->file->inode;
	int err = pagecache_vm_ops.fault(f);

	if (err == -EFAULT && !p9_loose(i) && !p9_refresh(i) && f->pgoff < DIV_ROUND_UP(i->size, PAGE_SIZE))
		err = pagecache_vm_ops.fault(f);
	return err;
}

static void mapped_close(struct vma *vma)
{
	struct file *f = vma->file;
	struct inode *i = f->inode;
	struct p9_fid *fid;

	pagecache_vma_close(vma);
	if (maps_for_writing(vma)) {
		fid = p9_handle_fid(f);
		(void)p9_writeback(i, fid, false);
		p9_fid_put(fid);
	}
	if (!p9_loose(i) && list_empty(&i->cache->mappings))
		pagecache_invalidate(i->cache, 0, ~0ull);
}

static const struct vm_ops mapped_ops = {
	.fault = mapped_fault,
	.open = pagecache_vma_open,
	.close = mapped_close,
};

int p9_mmap(struct file *f, struct vma *vma)
{
	struct inode *i = f->inode;
	struct p9_super *ps = p9_super(i->super);
	u64 flags;
	int err = 0;

	if (!p9_loose(i) && list_empty(&i->cache->mappings))
		pagecache_invalidate(i->cache, 0, ~0ull);
	if (maps_for_writing(vma))
		err = p9_drop_append(f);
	if (!err)
		err = pagecache_file_mmap(f, vma);
	if (err)
		return err;
	vma->ops = &mapped_ops;
	if (maps_for_writing(vma)) {
		flags = spin_lock_irqsave(&ps->lock);
		if (list_empty(&p9_inode(i)->mapped_node))
			list_add_tail(&p9_inode(i)->mapped_node, &ps->mapped);
		spin_unlock_irqrestore(&ps->lock, flags);
		p9_flusher_wake();
	}
	return 0;
}
