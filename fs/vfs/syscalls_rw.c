/* SPDX-License-Identifier: BSD-2-Clause */
/* read(2), write(2), their positioned and vectored relatives, lseek(2). */
#include "syscalls.h"
#include "base/string.h"
#include <linux/fs.h>
#include <linux/uio.h>

int iov_load(struct iov_import *im, const struct iter_vec __app *vec, u64 n)
{
	size_t room = MAX_RW_COUNT;
	int err;

	if (n > UIO_MAXIOV)
		return -EINVAL;
	im->vec = n <= IOV_FAST ? im->fast : kmalloc(n * sizeof *im->vec);
	if (!im->vec)
		return -ENOMEM;
	err = copy_from_app(im->vec, vec, n * sizeof *im->vec);
	for (u64 k = 0; !err && k < n; k++) {
		if ((ssize_t)im->vec[k].len < 0)
			err = -EINVAL;
		else if (!app_range_ok((void __app *)im->vec[k].base, im->vec[k].len))
			err = -EFAULT;
		im->vec[k].len = min(im->vec[k].len, room);
		room -= im->vec[k].len;
	}
	if (!err)
		err = iter_init_vec(&im->it, im->vec, n, true);
	if (err)
		iov_release(im);
	return err;
}

void iov_release(struct iov_import *im)
{
	if (im->vec != im->fast)
		kfree(im->vec);
}

static ssize_t transfer(struct file *f, struct iter *it, u64 *pos, bool write)
{
	return write ? file_write_iter(f, it, pos) : file_read_iter(f, it, pos);
}

ssize_t file_rw(struct file *f, struct iter *it, bool write)
{
	u64 pos = 0;
	ssize_t n;

	/* Streams have no position, and must not be locked: a reader may sleep for ever. So may one of a
	 * device that has. */
	if (!f->ops->seek)
		return transfer(f, it, &pos, write);
	if (!file_pos_atomic(f)) {
		pos = f->pos;
		n = transfer(f, it, &pos, write);
		f->pos = pos;
		return n;
	}
	mutex_lock(&f->pos_lock);
	pos = f->pos;
	n = transfer(f, it, &pos, write);
	f->pos = pos;
	mutex_unlock(&f->pos_lock);
	return n;
}

ssize_t file_rw_at(struct file *f, struct iter *it, s64 pos, bool write)
{
	u64 at = (u64)pos;

	if (pos < 0)
		return -EINVAL;
	if (at + it->left > MAX_FILE_SIZE)
		return -EINVAL;
	return transfer(f, it, &at, write);
}

/* A stream, which has no position; the right to do it was checked. */
static __always_inline ssize_t stream_transfer(struct file *f, struct iter *it, bool write)
{
	ssize_t n;
	u64 pos = 0;

	if (unlikely(!(write ? f->ops->write : f->ops->read)))
		return transfer(f, it, &pos, write);
	n = write ? f->ops->write(f, it, &pos) : f->ops->read(f, it, &pos);
	if (write)
		file_was_written(f, n);
	else
		file_was_read(f, n);
	return n;
}

/* One buffer: the whole of read, write, pread64, pwrite64; a copy for each. */
static __always_inline long rw_buffer(int fd, void __app *buf, size_t count, bool positioned, s64 pos,
				      bool write)
{
	struct file *f;
	struct iter it;
	long n;

	if (positioned && pos < 0)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	n = -ESPIPE;
	if (positioned && !f->ops->seek)
		goto out;
	n = -EBADF;
	if (write ? !file_writable(f) : !file_readable(f))
		goto out;
	n = -EFAULT; /* also of a negative length, which reaches beyond the application's half */
	if (!app_range_ok(buf, count))
		goto out;
	iter_init_app(&it, buf, min(count, MAX_RW_COUNT));
	if (positioned)
		n = file_rw_at(f, &it, pos, write);
	else if (!f->ops->seek)
		n = stream_transfer(f, &it, write);
	else
		n = file_rw(f, &it, write);
	rw_count(n, write);
out:
	file_put(f);
	return n;
}

SYSCALL_DEFINE3(read, int, fd, void __app *, buf, size_t, count)
{
	return rw_buffer(fd, buf, count, false, 0, false);
}

SYSCALL_DEFINE3(write, int, fd, void __app *, buf, size_t, count)
{
	return rw_buffer(fd, buf, count, false, 0, true);
}

SYSCALL_DEFINE4(pread64, int, fd, void __app *, buf, size_t, count, s64, pos)
{
	return rw_buffer(fd, buf, count, true, pos, false);
}

SYSCALL_DEFINE4(pwrite64, int, fd, void __app *, buf, size_t, count, s64, pos)
{
	return rw_buffer(fd, buf, count, true, pos, true);
}

/* RWF_NOWAIT: may the transfer go on at once? */
static int ready_now(struct file *f, s64 pos, bool write)
{
	struct page *p;

	if (f->inode && f->inode->cache) {
		if (write || pos >= (s64)f->inode->size)
			return 0;
		p = pagecache_peek(f->inode->cache, (u64)pos >> PAGE_SHIFT);
		if (!p)
			return f->inode->cache->unevictable ? 0 : -EAGAIN;
		page_put(p);
		return 0;
	}
	if (!f->ops->poll)
		return -EOPNOTSUPP;
	return file_poll(f, NULL) & (write ? EPOLLOUT | EPOLLERR : EPOLLIN | EPOLLHUP) ? 0 : -EAGAIN;
}

ssize_t file_rw_flags(struct file *f, struct iter *it, bool positioned, s64 pos, u32 flags, bool write)
{
	bool append = write && flags & RWF_APPEND && f->inode && f->inode->cache;
	long n;
	int err;

	if (write ? !file_writable(f) : !file_readable(f))
		return -EBADF;
	if (flags & ~(u32)RWF_SUPPORTED ||
	    (flags & ~(u32)RWF_HIPRI && !(write ? f->ops->write : f->ops->read)))
		return -EOPNOTSUPP;
	if (flags & RWF_NOWAIT) {
		err = ready_now(f, positioned ? pos : (s64)f->pos, write);
		if (err)
			return err;
	}
	if (append) {
		u64 at = POS_APPEND;

		n = file_write_iter(f, it, &at);
		if (n > 0 && !positioned) {
			mutex_lock(&f->pos_lock);
			f->pos = at;
			mutex_unlock(&f->pos_lock);
		}
	} else {
		n = positioned ? file_rw_at(f, it, pos, write) : file_rw(f, it, write);
	}
	if (n > 0 && write && flags & (RWF_SYNC | RWF_DSYNC) && f->ops->fsync) {
		err = f->ops->fsync(f, !(flags & RWF_SYNC));
		if (err)
			return err;
	}
	return n;
}

static long rw_vector(int fd, const struct iter_vec __app *vec, u64 nvec, bool positioned, s64 pos, u32 flags,
		      bool write)
{
	struct iov_import im;
	struct file *f;
	long n;

	if (positioned && pos < 0)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	n = -ESPIPE;
	if (positioned && !f->ops->seek)
		goto out;
	n = -EBADF;
	if (write ? !file_writable(f) : !file_readable(f))
		goto out;
	n = iov_load(&im, vec, nvec);
	if (n)
		goto out;
	n = file_rw_flags(f, &im.it, positioned, pos, flags, write);
	rw_count(n, write);
	iov_release(&im);
out:
	file_put(f);
	return n;
}

SYSCALL_DEFINE3(readv, int, fd, const struct iter_vec __app *, vec, u64, nvec)
{
	return rw_vector(fd, vec, nvec, false, 0, 0, false);
}

SYSCALL_DEFINE3(writev, int, fd, const struct iter_vec __app *, vec, u64, nvec)
{
	return rw_vector(fd, vec, nvec, false, 0, 0, true);
}

SYSCALL_DEFINE4(preadv, int, fd, const struct iter_vec __app *, vec, u64, nvec, s64, pos)
{
	return rw_vector(fd, vec, nvec, true, pos, 0, false);
}

SYSCALL_DEFINE4(pwritev, int, fd, const struct iter_vec __app *, vec, u64, nvec, s64, pos)
{
	return rw_vector(fd, vec, nvec, true, pos, 0, true);
}

/* The sixth argument is the flags: on 64-bit machines the fifth, the position's high half, means nothing. */
SYSCALL_DEFINE6(preadv2, int, fd, const struct iter_vec __app *, vec, u64, nvec, s64, pos, u64, pos_high, u32,
		flags)
{
	return rw_vector(fd, vec, nvec, pos != -1, pos, flags, false);
}

SYSCALL_DEFINE6(pwritev2, int, fd, const struct iter_vec __app *, vec, u64, nvec, s64, pos, u64, pos_high,
		u32, flags)
{
	return rw_vector(fd, vec, nvec, pos != -1, pos, flags, true);
}

SYSCALL_DEFINE3(lseek, int, fd, s64, off, unsigned, whence)
{
	struct file *f = fd_get(fd);
	s64 at = -EINVAL;

	if (!f)
		return -EBADF;
	if (whence > SEEK_MAX) {
		at = -EINVAL;
	} else if (!f->ops->seek) {
		at = f->ops->seeks_vainly ? 0 : -ESPIPE;
	} else {
		mutex_lock(&f->pos_lock);
		at = f->ops->seek(f, off, (int)whence);
		mutex_unlock(&f->pos_lock);
	}
	file_put(f);
	return at;
}
