/* SPDX-License-Identifier: BSD-2-Clause */
/* tmpfs regular files: size changes, fallocate, sparse seeks, seals. Contents are the page cache
 * (fs/vfs/pagecache_file.c). Seals are kept in the cache and guarded by the inode's lock. */
#include "base/string.h"
#include "tmpfs.h"
#include "../vfs/internal.h"
#include "kernel/clock.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)
#define MAX_SIZE  0x7fffffffffffffffull

int tmpfs_setattr(struct inode *i, const struct inode_attr *a)
{
	if (a->valid & ATTR_SIZE) {
		u64 old = i->size;

		if ((a->size < old && i->cache->seals & F_SEAL_SHRINK) ||
		    (a->size > old && i->cache->seals & F_SEAL_GROW))
			return -EPERM;
		WRITE_ONCE(i->size, a->size);
		if (a->size <= old) /* space allocated beyond the end goes too */
			pagecache_truncate(i->cache, a->size, ~0ull);
	}
	inode_apply_attr(i, a);
	return 0;
}

int tmpfs_getattr(struct inode *i, struct statx *out)
{
	if (i->cache)
		out->stx_blocks = READ_ONCE(i->cache->npages) * (PAGE_SIZE / 512);
	return 0;
}

/* Make pages for [OFF, END): all or, for want of space, none of the new ones. */
static int allocate(struct inode *i, u64 off, u64 end)
{
	u64 first = off >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT, n;

	for (n = first; n <= last; n++) {
		struct page *p = pagecache_get(i->cache, n);

		if (!IS_ERR(p) && !fatal_signal_pending(current)) {
			page_put(p);
			cond_resched();
			continue;
		}
		if (!IS_ERR(p))
			page_put(p);
		/* Beyond the old end nothing was there before: give back what this call made. */
		pagecache_truncate(i->cache, max(ALIGN_UP(i->size, PAGE_SIZE), off), (n + 1) << PAGE_SHIFT);
		return IS_ERR(p) ? (int)PTR_ERR(p) : -EINTR;
	}
	return 0;
}

static int fallocate_locked(struct inode *i, int mode, u64 off, u64 end)
{
	struct page_cache *c = i->cache;
	int err;

	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
		if (c->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			return -EPERM;
	}
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		pagecache_punch(c, off, end);
		inode_apply_attr(i, &(struct inode_attr){.valid = ATTR_MTIME | ATTR_CTIME,
							 .mtime = clock_realtime(),
							 .ctime = clock_realtime()});
		return 0;
	}
	if (end > i->size && c->seals & F_SEAL_GROW)
		return -EPERM;
	if (mode & FALLOC_FL_ZERO_RANGE)
		pagecache_punch(c, off, end);
	err = allocate(i, off, end);
	if (err)
		return err;
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > i->size)
		WRITE_ONCE(i->size, end);
	i->ctime = clock_realtime();
	if (mode & FALLOC_FL_ZERO_RANGE || !(mode & FALLOC_FL_KEEP_SIZE))
		i->mtime = i->ctime;
	return 0;
}

static int tmpfs_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct tmpfs_super *ts = tmpfs_super(f->inode->super);
	u64 end = off + len;
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_PUNCH_HOLE && mode & FALLOC_FL_ZERO_RANGE)
		return -EOPNOTSUPP;
	if (!(mode & FALLOC_FL_PUNCH_HOLE) && ts->max_blocks && len >> PAGE_SHIFT > ts->max_blocks)
		return -ENOSPC;
	mutex_lock(&f->inode->lock);
	inode_remove_privs(f->inode);
	err = fallocate_locked(f->inode, mode, off, end);
	mutex_unlock(&f->inode->lock);
	return err;
}

static s64 seek_sparse(struct inode *i, u64 off, bool hole)
{
	u64 size = i->size, end = size / PAGE_SIZE + (size % PAGE_SIZE != 0), at;

	if (off >= size)
		return -ENXIO;
	at = pagecache_next(i->cache, off >> PAGE_SHIFT, end, hole);
	if (at >= end)
		return hole ? (s64)size : -ENXIO;
	return (s64)max(off, at << PAGE_SHIFT);
}

static s64 tmpfs_seek(struct file *f, s64 off, int whence)
{
	struct inode *i = f->inode;
	s64 at;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_file_seek(f, off, whence);
	if (off < 0)
		return -ENXIO;
	mutex_lock(&i->lock);
	at = seek_sparse(i, (u64)off, whence == SEEK_HOLE);
	mutex_unlock(&i->lock);
	if (at >= 0)
		f->pos = (u64)at;
	return at;
}

static int add_seals(struct inode *i, u32 seals)
{
	struct page_cache *c = i->cache;

	if (seals & ~(u32)ALL_SEALS)
		return -EINVAL;
	if (c->seals & F_SEAL_SEAL)
		return -EPERM;
	if (seals & F_SEAL_WRITE && !(c->seals & F_SEAL_WRITE)) {
		s32 none = 0;

		if (!atomic_compare_exchange_strong_explicit(&c->writable_maps, &none, -1,
							     memory_order_acq_rel, memory_order_relaxed))
			return -EBUSY;
	}
	c->seals |= seals;
	return 0;
}

long tmpfs_fcntl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct inode *i = f->inode;
	int err;

	switch (cmd) {
	case F_GET_SEALS:
		return (long)i->cache->seals;
	case F_ADD_SEALS:
		mutex_lock(&i->lock);
		err = add_seals(i, (u32)arg);
		mutex_unlock(&i->lock);
		return err;
	default:
		return -EINVAL;
	}
}

static int tmpfs_fsync(struct file *f, bool data_only)
{
	return 0; /* memory is the storage */
}

const struct inode_ops tmpfs_file_inode_ops = {
	.setattr = tmpfs_setattr,
	.getattr = tmpfs_getattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
};

const struct file_ops tmpfs_file_ops = {
	.read = pagecache_file_read,
	.write = pagecache_file_write,
	.mmap = pagecache_file_mmap,
	.seek = tmpfs_seek,
	.fsync = tmpfs_fsync,
	.fallocate = tmpfs_fallocate,
	.fcntl = tmpfs_fcntl,
};
