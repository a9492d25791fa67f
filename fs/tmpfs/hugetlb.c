/* SPDX-License-Identifier: BSD-2-Clause */
/* Files whose pages are 2 MiB ones of the pool: memfd_create(MFD_HUGETLB), shared MAP_HUGETLB, SHM_HUGETLB,
 * and the hugetlbfs type, which is tmpfs with such files.
 *
 * A tree by 2 MiB index holds, for each place, a page (with a reference), the mark of a page that is set
 * aside in the pool, or nothing. Shared mappings set aside what they may touch; that lasts until the place is
 * truncated. The tree is guarded by the lock of the inode's page cache, which itself stays empty and serves
 * as the list of mappings and for seals. */
#include "base/string.h"
#include "tmpfs.h"
#include "../vfs/internal.h"
#include "../vfs/radix.h"
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include <linux/falloc.h>
#include <linux/fs.h>

#define HUGE_PAGES (HUGE_SIZE / PAGE_SIZE)
#define BATCH	   16

static u64 set_aside; /* its address is the mark */

static inline u64 huge_index(u64 bytes)
{
	return bytes / HUGE_SIZE;
}

/* The page at INDEX, made if need be, with a reference. ERR_PTR(-ENOSPC) when the pool is empty. Lock held.
 */
static struct page *get_page(struct inode *i, u64 index)
{
	struct tmpfs_inode *ti = tmpfs_inode(i);
	struct page *p = radix_find(&ti->huge, index);
	bool marked = p == (struct page *)&set_aside;
	int err;

	if (p && !marked) {
		page_get(p);
		return p;
	}
	p = hugetlb_take(marked);
	if (!p)
		return ERR_PTR(-ENOSPC);
	hugetlb_clear(p);
	if (marked)
		radix_delete(&ti->huge, index);
	err = radix_insert(&ti->huge, index, p);
	if (err) {
		hugetlb_put(p);
		return ERR_PTR(err);
	}
	WRITE_ONCE(p->cache, i->cache);
	p->index = index;
	ti->huge_count++;
	page_get(p);
	return p;
}

/* Set aside what [FIRST, END) lacks. -ENOMEM */
static int reserve(struct inode *i, u64 first, u64 end)
{
	struct tmpfs_inode *ti = tmpfs_inode(i);
	struct hugetlb_stats pool;
	u64 missing = 0;
	int err = 0;

	hugetlb_stats(&pool);
	mutex_lock(&i->cache->lock);
	for (u64 n = first; n < end && missing <= pool.total; n++)
		missing += !radix_find(&ti->huge, n);
	err = missing ? hugetlb_reserve(missing) : 0;
	for (u64 n = first; !err && n < end; n++) {
		if (radix_find(&ti->huge, n))
			continue;
		err = radix_insert(&ti->huge, n, &set_aside);
		missing -= !err;
	}
	if (err && missing <= pool.total)
		hugetlb_unreserve(missing); /* those marked stay so */
	mutex_unlock(&i->cache->lock);
	return err;
}

int hugetlb_file_reserve(struct file *f)
{
	return reserve(f->inode, 0, huge_index(f->inode->size));
}

/* Take up to BATCH places of [*INDEX, END) out of the tree. */
static unsigned take_out(struct inode *i, u64 *index, u64 end, struct page **batch)
{
	struct tmpfs_inode *ti = tmpfs_inode(i);
	struct page *p;
	unsigned n = 0;

	mutex_lock(&i->cache->lock);
	while (n < BATCH && (p = radix_next(&ti->huge, index)) && *index < end) {
		radix_delete(&ti->huge, *index);
		if (p == (struct page *)&set_aside) {
			hugetlb_unreserve(1);
		} else {
			WRITE_ONCE(p->cache, (struct page_cache *)NULL);
			ti->huge_count--;
			batch[n++] = p;
		}
		++*index;
	}
	mutex_unlock(&i->cache->lock);
	return n;
}

static void drop(struct inode *i, u64 first, u64 end)
{
	struct page *batch[BATCH];
	unsigned n;

	while ((n = take_out(i, &first, end, batch))) {
		for (unsigned k = 0; k < n; k++) {
			u64 at = batch[k]->index * HUGE_PAGES;

			vm_unmap_cache(i->cache, at, at + HUGE_PAGES - 1, false);
			hugetlb_put(batch[k]);
		}
		cond_resched();
	}
}

void tmpfs_huge_evict(struct inode *i)
{
	drop(i, 0, ~0ull);
}

static int huge_fault(struct vm_fault *f)
{
	struct inode *i = f->vma->file->inode;
	struct page *p;

	mutex_lock(&i->cache->lock);
	p = f->pgoff >= READ_ONCE(i->size) >> PAGE_SHIFT ? ERR_PTR(-EFAULT)
							 : get_page(i, f->pgoff / HUGE_PAGES);
	mutex_unlock(&i->cache->lock);
	if (IS_ERR(p))
		return PTR_ERR(p) == -ENOMEM ? -ENOMEM : -EFAULT;
	f->page = p;
	return 0;
}

const struct vm_ops hugetlb_vm_ops = {
	.fault = huge_fault,
	.open = pagecache_vma_open,
	.close = pagecache_vma_close,
};

static int huge_mmap(struct file *f, struct vma *v)
{
	u64 start = v->pgoff << PAGE_SHIFT, end = start + (v->end - v->start);
	struct inode *i = f->inode;
	int err = pagecache_file_mmap(f, v);

	if (err)
		return err;
	v->ops = &hugetlb_vm_ops;
	if ((v->flags & (VMA_SHARED | VMA_NORESERVE)) == VMA_SHARED)
		err = reserve(i, huge_index(start), huge_index(end));
	if (err) {
		pagecache_vma_close(v);
		return err;
	}
	/* As on Linux, a mapping that can be written makes room in the file. */
	if (v->flags & VMA_WRITE && READ_ONCE(i->size) < end && !(i->cache->seals & F_SEAL_GROW))
		WRITE_ONCE(i->size, end);
	return 0;
}

static ssize_t huge_read(struct file *f, struct iter *to, u64 *pos)
{
	struct inode *i = f->inode;
	size_t done = 0;

	while (to->left && *pos < READ_ONCE(i->size)) {
		u64 off = *pos % HUGE_SIZE,
		    n = min(min((u64)to->left, PAGE_SIZE - off % PAGE_SIZE), i->size - *pos);
		struct page *p;
		size_t got;

		mutex_lock(&i->cache->lock);
		p = radix_find(&tmpfs_inode(i)->huge, huge_index(*pos));
		if (p == (struct page *)&set_aside)
			p = NULL;
		if (p)
			page_get(p);
		mutex_unlock(&i->cache->lock);
		got = p ? iter_copy_out(to, (char *)page_to_virt(p) + off, n) : iter_zero(to, n);
		if (p)
			hugetlb_put(p);
		*pos += got;
		done += got;
		if (got < n)
			return done ? (ssize_t)done : -EFAULT;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return (ssize_t)done;
}

static int huge_setattr(struct inode *i, const struct inode_attr *a)
{
	if (a->valid & ATTR_SIZE) {
		u64 old = i->size;

		if (!IS_ALIGNED(a->size, HUGE_SIZE))
			return -EINVAL;
		if ((a->size < old && i->cache->seals & F_SEAL_SHRINK) ||
		    (a->size > old && i->cache->seals & F_SEAL_GROW))
			return -EPERM;
		WRITE_ONCE(i->size, a->size);
		if (a->size < old)
			drop(i, huge_index(a->size), ~0ull);
	}
	inode_apply_attr(i, a);
	return 0;
}

static int huge_getattr(struct inode *i, struct statx *out)
{
	out->stx_blksize = HUGE_SIZE;
	out->stx_blocks = READ_ONCE(tmpfs_inode(i)->huge_count) * (HUGE_SIZE / 512);
	return 0;
}

static void zero_part(struct inode *i, u64 start, u64 end)
{
	struct page *p;

	mutex_lock(&i->cache->lock);
	p = radix_find(&tmpfs_inode(i)->huge, huge_index(start));
	if (p && p != (struct page *)&set_aside)
		memset((char *)page_to_virt(p) + start % HUGE_SIZE, 0, end - start);
	mutex_unlock(&i->cache->lock);
}

static int punch(struct inode *i, u64 off, u64 end)
{
	u64 first = ALIGN_UP(off, HUGE_SIZE), last = ALIGN_DOWN(end, HUGE_SIZE);

	if (i->cache->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if (first > last) {
		zero_part(i, off, end);
		return 0;
	}
	if (off < first)
		zero_part(i, off, first);
	if (last < end)
		zero_part(i, last, end);
	drop(i, huge_index(first), huge_index(last));
	return 0;
}

static int allocate(struct inode *i, u64 off, u64 end)
{
	for (u64 n = huge_index(off); n < huge_index(end + HUGE_SIZE - 1); n++) {
		struct page *p;

		if (fatal_signal_pending(current))
			return -EINTR;
		mutex_lock(&i->cache->lock);
		p = get_page(i, n);
		mutex_unlock(&i->cache->lock);
		if (IS_ERR(p))
			return (int)PTR_ERR(p);
		hugetlb_put(p);
	}
	return 0;
}

static int huge_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct inode *i = f->inode;
	u64 end = off + len;
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	mutex_lock(&i->lock);
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		err = punch(i, off, end);
	} else if (end > i->size && i->cache->seals & F_SEAL_GROW) {
		err = -EPERM;
	} else {
		err = allocate(i, off, end);
		if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && end > i->size)
			WRITE_ONCE(i->size, end);
	}
	if (!err)
		i->mtime = i->ctime = clock_realtime();
	mutex_unlock(&i->lock);
	return err;
}

static int huge_fsync(struct file *f, bool data_only)
{
	return 0; /* memory is the storage */
}

static const struct inode_ops huge_inode_ops = {
	.setattr = huge_setattr,
	.getattr = huge_getattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
};

static const struct file_ops huge_file_ops = {
	.read = huge_read,
	.mmap = huge_mmap,
	.seek = generic_file_seek,
	.fsync = huge_fsync,
	.fallocate = huge_fallocate,
	.fcntl = tmpfs_fcntl,
};

void tmpfs_huge_init(struct inode *i)
{
	i->ops = &huge_inode_ops;
	i->fops = &huge_file_ops;
	i->flags |= INODE_HUGETLB;
}
