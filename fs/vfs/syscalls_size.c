/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes, space and syncing: truncate(2), fallocate(2), fsync(2), sync(2), fadvise64(2), readahead(2). */
#include "syscalls.h"
#include "kernel/signal.h"
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/inotify.h>

static int truncate_path(const struct path *p, u64 size)
{
	struct inode *i = p->dentry->inode;
	int err;

	if (S_ISDIR(i->mode))
		return -EISDIR;
	if (!S_ISREG(i->mode))
		return -EINVAL;
	err = path_want_write(p);
	if (!err)
		err = inode_permission(i, MAY_WRITE);
	if (!err)
		err = inode_get_write(i);
	if (err)
		return err;
	err = lease_break(i, true, false);
	if (!err)
		err = inode_truncate(i, size, false);
	inode_put_write(i);
	if (!err)
		notify_dentry(p->dentry, IN_MODIFY);
	return err;
}

SYSCALL_DEFINE2(truncate, const char __app *, name, s64, size)
{
	struct path p;
	int err;

	if (size < 0)
		return -EINVAL;
	err = walk_app_path(AT_FDCWD, name, WALK_FOLLOW, &p);
	if (err)
		return err;
	err = truncate_path(&p, (u64)size);
	path_put(&p);
	return err;
}

SYSCALL_DEFINE2(ftruncate, int, fd, s64, size)
{
	struct file *f;
	int err = -EINVAL;

	if (size < 0)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	if (file_writable(f) && f->inode && S_ISREG(f->inode->mode)) {
		err = inode_truncate(f->inode, (u64)size, false);
		if (!err && f->path.dentry)
			notify_dentry(f->path.dentry, IN_MODIFY);
	}
	file_put(f);
	return err;
}

static int fallocate_check(struct file *f, int mode, s64 off, s64 len)
{
	const int known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |
			  FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE;
	u64 limit = current_process()->rlim[RLIMIT_FSIZE].rlim_cur;

	if (off < 0 || len <= 0)
		return -EINVAL;
	if (mode & ~known || (mode & FALLOC_FL_PUNCH_HOLE && !(mode & FALLOC_FL_KEEP_SIZE)))
		return -EOPNOTSUPP;
	if (!file_writable(f))
		return -EBADF;
	if (f->inode && (f->inode->flags & INODE_IMMUTABLE ||
			 (f->inode->flags & INODE_APPEND && mode & ~FALLOC_FL_KEEP_SIZE)))
		return -EPERM;
	if (f->inode && S_ISFIFO(f->inode->mode))
		return -ESPIPE;
	if (f->inode && S_ISDIR(f->inode->mode))
		return -EISDIR;
	if (!f->inode || !S_ISREG(f->inode->mode))
		return -ENODEV;
	if (off > INT64_MAX - len)
		return -EFBIG;
	if (!(mode & FALLOC_FL_PUNCH_HOLE) && (u64)(off + len) > limit && (u64)(off + len) > f->inode->size) {
		signal_send_thread(current, SIGXFSZ, NULL);
		return -EFBIG;
	}
	return f->ops->fallocate ? 0 : -EOPNOTSUPP;
}

SYSCALL_DEFINE4(fallocate, int, fd, int, mode, s64, off, s64, len)
{
	struct file *f = fd_get(fd);
	int err;

	if (!f)
		return -EBADF;
	err = fallocate_check(f, mode, off, len);
	if (!err)
		err = f->ops->fallocate(f, mode, (u64)off, (u64)len);
	file_contents_changed(f);
	if (!err && f->path.dentry)
		notify_dentry(f->path.dentry, IN_MODIFY);
	file_put(f);
	return err;
}

static long fsync_fd(int fd, bool data_only)
{
	struct file *f = fd_get(fd);
	int err;

	if (!f)
		return -EBADF;
	if (f->ops->fsync)
		err = f->ops->fsync(f, data_only);
	else /* nothing to write back, or nothing that could be */
		err = f->inode && (S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode)) ? 0 : -EINVAL;
	file_put(f);
	return err;
}

SYSCALL_DEFINE1(fsync, int, fd)
{
	return fsync_fd(fd, false);
}

SYSCALL_DEFINE1(fdatasync, int, fd)
{
	return fsync_fd(fd, true);
}

void vfs_sync(void)
{
	struct mount *m = NULL;

	mutex_lock(&mount_lock);
	while ((m = mount_next_locked(m)))
		if (m->super->ops && m->super->ops->sync)
			m->super->ops->sync(m->super);
	mutex_unlock(&mount_lock);
}

u64 vfs_writeback(void)
{
	struct mount *m = NULL;
	u64 n = 0;

	mutex_lock(&mount_lock);
	while ((m = mount_next_locked(m)))
		if (m->super->ops && m->super->ops->writeback)
			n += m->super->ops->writeback(m->super);
	mutex_unlock(&mount_lock);
	return n;
}

SYSCALL_DEFINE0(sync)
{
	vfs_sync();
	return 0;
}

SYSCALL_DEFINE1(syncfs, int, fd)
{
	struct file *f = fd_get(fd);
	struct super *s;
	int err = 0;

	if (!f)
		return -EBADF;
	s = f->inode ? f->inode->super : NULL;
	if (s && s->ops && s->ops->sync)
		err = s->ops->sync(s);
	file_put(f);
	return err;
}

SYSCALL_DEFINE4(sync_file_range, int, fd, s64, off, s64, len, unsigned, flags)
{
	struct file *f;
	int err = 0;

	if (off < 0 || len < 0 || off > INT64_MAX - len || flags & ~7u)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	if (!f->inode || !(S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode) || S_ISBLK(f->inode->mode)))
		err = -ESPIPE;
	else if (f->ops->fsync)
		err = f->ops->fsync(f, true);
	file_put(f);
	return err;
}

static int advise(struct file *f, u64 off, u64 len, int advice)
{
	struct page_cache *c = f->inode ? f->inode->cache : NULL;
	u64 end = len && len <= INT64_MAX - off ? off + len : INT64_MAX;

	switch (advice) {
	case POSIX_FADV_NORMAL:
	case POSIX_FADV_RANDOM:
	case POSIX_FADV_SEQUENTIAL:
		f->ra_mode = (u32)advice;
		return 0;
	case POSIX_FADV_WILLNEED:
		if (c)
			pagecache_readahead(c, off >> PAGE_SHIFT, min((end - off) / PAGE_SIZE + 1, 512ull));
		return 0;
	case POSIX_FADV_DONTNEED:
		/* Pages in part inside the range stay, unless the range ends with the file. */
		if (c)
			pagecache_invalidate(c, DIV_ROUND_UP(off, PAGE_SIZE),
					     end >= f->inode->size ? ~0ull : end >> PAGE_SHIFT);
		return 0;
	case POSIX_FADV_NOREUSE:
		return 0;
	default:
		return -EINVAL;
	}
}

SYSCALL_DEFINE4(fadvise64, int, fd, s64, off, s64, len, int, advice)
{
	struct file *f = fd_get(fd);
	int err;

	if (!f)
		return -EBADF;
	if (f->inode && S_ISFIFO(f->inode->mode))
		err = -ESPIPE;
	else if (len < 0)
		err = -EINVAL;
	else
		err = advise(f, off < 0 ? INT64_MAX : (u64)off, (u64)len, advice);
	file_put(f);
	return err;
}

SYSCALL_DEFINE3(readahead, int, fd, s64, off, size_t, count)
{
	struct file *f = fd_get(fd);
	int err = 0;

	if (!f)
		return -EBADF;
	if (!file_readable(f))
		err = -EBADF;
	else if ((ssize_t)count < 0 || !f->inode || !(S_ISREG(f->inode->mode) || S_ISBLK(f->inode->mode)))
		err = -EINVAL;
	else if (off >= 0 && count)
		advise(f, (u64)off, count, POSIX_FADV_WILLNEED);
	file_put(f);
	return err;
}
