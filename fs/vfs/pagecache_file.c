/* SPDX-License-Identifier: BSD-2-Clause */
/* File operations over the page cache: read, write, mmap.
 *
 * Data moves straight between a page and the iterator, with a reference on the page and no page or cache
 * lock. Writers hold the inode's lock, which no fault takes. A whole new page is filled before it enters the
 * cache, so it is neither zeroed first nor seen half done. */
#include "base/string.h"
#include "pagecache_internal.h"
#include "kernel/counter.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include <linux/fcntl.h>

static DEFINE_COUNTER(pagecache_sigbus,
		      "faults beyond the end of a file or on a page that could not be read");

ssize_t pagecache_file_read(struct file *f, struct iter *to, u64 *pos)
{
	struct inode *i = f->inode;
	struct page_cache *c = i->cache;
	unsigned short_of_memory = 0;
	size_t done = 0;

	while (to->left) {
		u64 at = *pos, size = READ_ONCE(i->size);
		size_t off = at % PAGE_SIZE, n, got;
		struct page *p;

		if (at >= size)
			break;
		n = min(min(to->left, PAGE_SIZE - off), size - at);
		if (c->unevictable)
			p = pagecache_find(c, at >> PAGE_SHIFT);
		else
			p = readahead_get(f, c, at >> PAGE_SHIFT,
					  DIV_ROUND_UP(off + min(to->left, size - at), PAGE_SIZE));
		if (PTR_ERR(p) == -ENOMEM && vm_wait_for_memory(short_of_memory++))
			continue;
		if (IS_ERR(p))
			return done ? (ssize_t)done : PTR_ERR(p) == -EFAULT ? 0 : PTR_ERR(p);
		short_of_memory = 0;
		if (p) {
			got = iter_copy_out(to, (char *)page_to_virt(p) + off, n);
			page_put(p);
		} else {
			got = iter_zero(to, n);
		}
		*pos += got;
		done += got;
		if (got < n)
			return done ? (ssize_t)done : -EFAULT;
		if (done % (64 * PAGE_SIZE) < PAGE_SIZE) {
			if (fatal_signal_pending(current))
				return done ? (ssize_t)done : -EINTR;
			cond_resched();
		}
	}
	return (ssize_t)done;
}

ssize_t pagecache_write_limit(struct page_cache *c, u64 pos, size_t n)
{
	u64 limit = current_process()->rlim[RLIMIT_FSIZE].rlim_cur;

	if (limit != RLIM64_INFINITY) {
		if (pos >= limit) {
			signal_send_thread(current, SIGXFSZ, NULL);
			return -EFBIG;
		}
		n = min(n, limit - pos);
	}
	if (pos >= MAX_FILE_SIZE)
		return -EFBIG;
	n = min(n, MAX_FILE_SIZE - pos);
	if (c->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if (c->seals & F_SEAL_GROW && pos + n > c->inode->size) {
		/* What fits by whole pages is written, as where the check is made page by page. */
		u64 end = ALIGN_DOWN(c->inode->size, PAGE_SIZE);

		if (end <= pos)
			return -EPERM;
		n = end - pos;
	}
	return (ssize_t)n;
}

/* A whole page at a hole: fill it, then enter it. Returns the bytes taken from the iterator; -EEXIST:
 * somebody entered one meanwhile, nothing was taken. */
static ssize_t write_new_page(struct page_cache *c, u64 index, struct iter *from)
{
	struct page *p = page_alloc(0, PAGE_MOVABLE);
	size_t got;
	int err;

	if (!p)
		return -ENOMEM;
	got = iter_copy_in(from, page_to_virt(p), PAGE_SIZE);
	if (got < PAGE_SIZE)
		memset((char *)page_to_virt(p) + got, 0, PAGE_SIZE - got);
	err = got ? pagecache_add_memory(c, p, index) : -EFAULT;
	page_put(p);
	if (err && got)
		iter_revert(from, got);
	return err ? err : (ssize_t)got;
}

static ssize_t write_page_part(struct page_cache *c, u64 index, struct iter *from, size_t off, size_t n)
{
	struct page *p = pagecache_get(c, index);
	size_t got;

	/* Beyond the end of a file with storage: a fresh page. */
	if (IS_ERR(p))
		return PTR_ERR(p);
	got = iter_copy_in(from, (char *)page_to_virt(p) + off, n);
	if (c->ops && c->ops->write_page)
		atomic_fetch_or_explicit(&p->flags, PAGE_DIRTY, memory_order_relaxed);
	page_put(p);
	return got ? (ssize_t)got : -EFAULT;
}

/* The inode's lock is held. */
static ssize_t write_locked(struct inode *i, struct iter *from, u64 *pos, size_t todo)
{
	struct page_cache *c = i->cache;
	size_t done = 0;

	while (todo) {
		u64 index = *pos >> PAGE_SHIFT;
		size_t off = *pos % PAGE_SIZE, n = min(todo, PAGE_SIZE - off);
		ssize_t got = -EEXIST;

		if (n == PAGE_SIZE && c->unevictable && pagecache_next(c, index, index + 1, false) != index)
			got = write_new_page(c, index, from);
		if (got == -EEXIST)
			got = write_page_part(c, index, from, off, n);
		if (got < 0)
			return done ? (ssize_t)done : got;
		*pos += (u64)got;
		done += (size_t)got;
		todo -= (size_t)got;
		if (*pos > i->size)
			WRITE_ONCE(i->size, *pos);
		if ((size_t)got < n)
			break;
		if (done % (64 * PAGE_SIZE) < PAGE_SIZE) {
			if (fatal_signal_pending(current))
				return (ssize_t)done;
			cond_resched();
		}
	}
	return (ssize_t)done;
}

ssize_t pagecache_file_write(struct file *f, struct iter *from, u64 *pos)
{
	struct inode *i = f->inode;
	u64 at = *pos;
	ssize_t n;

	if (!from->left)
		return 0;
	mutex_lock(&i->lock);
	if (f->flags & O_APPEND || at == POS_APPEND)
		at = i->size;
	n = pagecache_write_limit(i->cache, at, from->left);
	if (n > 0) {
		inode_remove_privs(i);
		inode_touch_mtime(i);
		n = write_locked(i, from, &at, (size_t)n);
	}
	mutex_unlock(&i->lock);
	if (n > 0)
		*pos = at;
	return n;
}

void pagecache_update(struct page_cache *c, u64 pos, const void *data, size_t n)
{
	while (n && READ_ONCE(c->npages)) {
		size_t off = pos % PAGE_SIZE, part = min(n, PAGE_SIZE - off);
		struct page *p = pagecache_find(c, pos >> PAGE_SHIFT);

		if (p) {
			pagecache_wait(p); /* what is being read may be older */
			memcpy((char *)page_to_virt(p) + off, data, part);
			page_put(p);
		}
		pos += part;
		data = (const char *)data + part;
		n -= part;
	}
}

static int pagecache_fault(struct vm_fault *f)
{
	struct inode *i = f->vma->file->inode;
	struct page_cache *c = i->cache;
	struct page *p;

	for (;;) {
		u64 size = READ_ONCE(i->size);

		if (f->pgoff >= size / PAGE_SIZE + (size % PAGE_SIZE != 0)) {
			counter_inc(&pagecache_sigbus);
			return -EFAULT;
		}
		p = readahead_get_fault(c, f->pgoff, f->vma->flags);
		if (IS_ERR(p)) {
			counter_inc(&pagecache_sigbus);
			return PTR_ERR(p) == -ENOMEM ? -ENOMEM : PTR_ERR(p) == -EIO ? -EIO : -EFAULT;
		}
		if (likely(READ_ONCE(p->cache) == c))
			break;
		page_put(p); /* truncated since */
	}
	f->page = p;
	return 0;
}

static bool maps_writable(const struct vma *vma)
{
	return vma->flags & VMA_SHARED && vma->flags & (VMA_WRITE | VMA_MAYWRITE);
}

void pagecache_vma_open(struct vma *vma)
{
	if (maps_writable(vma))
		atomic_fetch_add_explicit(&vma->file->inode->cache->writable_maps, 1, memory_order_relaxed);
}

void pagecache_vma_close(struct vma *vma)
{
	if (maps_writable(vma))
		atomic_fetch_sub_explicit(&vma->file->inode->cache->writable_maps, 1, memory_order_relaxed);
}

void pagecache_mapped_write(struct page_cache *c)
{
	inode_touch_mtime(c->inode);
}

const struct vm_ops pagecache_vm_ops = {
	.fault = pagecache_fault,
	.open = pagecache_vma_open,
	.close = pagecache_vma_close,
};

int pagecache_file_mmap(struct file *f, struct vma *vma)
{
	struct page_cache *c = f->inode->cache;
	s32 n;

	if (!c)
		return -ENODEV;
	vma->ops = &pagecache_vm_ops;
	if (f->path.mnt)
		inode_touch_atime(f);
	if (!maps_writable(vma))
		return 0;
	/* Sealed against new writable mappings, or (-1) against any: then it may not become writable later
	 * either. */
	n = atomic_load_explicit(&c->writable_maps, memory_order_relaxed);
	if (c->seals & F_SEAL_FUTURE_WRITE)
		n = -1;
	while (n >= 0)
		if (atomic_compare_exchange_weak_explicit(&c->writable_maps, &n, n + 1, memory_order_relaxed,
							  memory_order_relaxed))
			return 0;
	if (vma->flags & VMA_WRITE)
		return -EPERM;
	vma->flags &= ~(u32)VMA_MAYWRITE;
	return 0;
}
