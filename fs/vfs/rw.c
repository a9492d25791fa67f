/* SPDX-License-Identifier: BSD-2-Clause */
/* The checks that every path to file_ops.read and write shares, and generic seeks. No lock is held around the
 * calls. */
#include "internal.h"
#include <linux/fs.h>
#include <linux/inotify.h>

ssize_t file_read_iter(struct file *f, struct iter *to, u64 *pos)
{
	ssize_t n;

	if (unlikely(!file_readable(f)))
		return -EBADF;
	if (unlikely(!f->ops->read))
		return f->inode && S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
	n = f->ops->read(f, to, pos);
	file_was_read(f, n);
	return n;
}

ssize_t file_write_iter(struct file *f, struct iter *from, u64 *pos)
{
	ssize_t n;

	if (unlikely(!file_writable(f)))
		return -EBADF;
	if (unlikely(!f->ops->write))
		return -EINVAL;
	n = f->ops->write(f, from, pos);
	file_was_written(f, n);
	return n;
}

/* Move to BASE + OFF; for the current position, pos_lock is held. */
static s64 seek_to(struct file *f, u64 base, s64 off)
{
	s64 at;

	if (__builtin_add_overflow((s64)base, off, &at) || at < 0)
		return -EINVAL;
	f->pos = (u64)at;
	return at;
}

s64 generic_file_seek(struct file *f, s64 off, int whence)
{
	u64 size = f->inode ? READ_ONCE(f->inode->size) : 0;

	switch (whence) {
	case SEEK_SET:
		return seek_to(f, 0, off);
	case SEEK_CUR:
		return seek_to(f, f->pos, off);
	case SEEK_END:
		return seek_to(f, size, off);
	case SEEK_DATA:
		return off < 0 || (u64)off >= size ? -ENXIO : seek_to(f, 0, off);
	case SEEK_HOLE:
		return off < 0 || (u64)off >= size ? -ENXIO : seek_to(f, 0, (s64)size);
	default:
		return -EINVAL;
	}
}

s64 generic_dir_seek(struct file *f, s64 off, int whence)
{
	switch (whence) {
	case SEEK_SET:
		return seek_to(f, 0, off);
	case SEEK_CUR:
		return seek_to(f, f->pos, off);
	default:
		return -EINVAL;
	}
}

s64 noop_seek(struct file *f, s64 off, int whence)
{
	return (s64)f->pos;
}
