// SPDX-License-Identifier: BSD-2-Clause
/* A character stream to the host as a plain file: bytes as they come, end of file when the host hangs up,
 * EPIPE for output then. TCGETS and the like give ENOTTY, so programs take it for a pipe. */
#include "devfs.h"
#include "kernel/alloc.h"
#include "kernel/signal.h"
#include <asm/ioctls.h>

#define CHUNK 512
/* What room in the device is counted in at least: a write of this much behind a poll that told of room does
 * not wait, and what a program writes at once is one buffer of the device's. */
#define LARGE_CHUNK 4096

static bool hung_up(struct chardev *cd)
{
	return cd->ops->hung_up && cd->ops->hung_up(cd);
}

static bool readable(struct chardev *cd)
{
	return cd->ops->read_avail(cd) || hung_up(cd);
}

static bool writable(struct chardev *cd)
{
	return cd->ops->write_room(cd) || hung_up(cd);
}

static ssize_t stream_read(struct file *f, struct iter *to, u64 *pos __maybe_unused)
{
	struct chardev *cd = f->priv;
	ssize_t total = 0;
	u8 chunk[CHUNK];

	while (to->left) {
		size_t n = cd->ops->read(cd, chunk, min(to->left, sizeof chunk));

		if (n) {
			if (iter_copy_out(to, chunk, n) != n)
				return total ? total : -EFAULT;
			total += (ssize_t)n;
			continue;
		}
		if (total || hung_up(cd))
			break;
		if (file_nonblock(f))
			return -EAGAIN;
		int err = wait_event_interruptible(&cd->waitq, readable(cd));
		if (err)
			return err;
	}
	return total;
}

static ssize_t write_chunks(struct file *f, struct iter *from, u8 *chunk, size_t size)
{
	struct chardev *cd = f->priv;
	ssize_t total = 0;

	while (from->left) {
		size_t n, want;
		int err;

		if (hung_up(cd)) {
			signal_sigpipe();
			return total ? total : -EPIPE;
		}
		want = min(min(from->left, size), cd->ops->write_room(cd));
		if (want) {
			n = iter_copy_in(from, chunk, want);
			if (!n)
				return total ? total : -EFAULT;
			want = cd->ops->write(cd, chunk, n);
			if (want < n)
				iter_revert(from, n - want);
			total += (ssize_t)want;
			if (want)
				continue;
		}
		if (file_nonblock(f))
			return total ? total : -EAGAIN;
		err = wait_event_interruptible(&cd->waitq, writable(cd));
		if (err)
			return total ? total : err;
	}
	return total;
}

static ssize_t stream_write(struct file *f, struct iter *from, u64 *pos __maybe_unused)
{
	u8 *large = from->left > CHUNK ? kmalloc(LARGE_CHUNK) : NULL, small[CHUNK];
	ssize_t n;

	if (!large)
		return write_chunks(f, from, small, sizeof small);
	n = write_chunks(f, from, large, LARGE_CHUNK);
	kfree(large);
	return n;
}

static u32 stream_poll(struct file *f, struct poll_table *pt)
{
	struct chardev *cd = f->priv;
	u32 mask = 0;

	poll_wait(f, &cd->waitq, pt);
	if (file_readable(f) && cd->ops->read_avail(cd))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (file_writable(f) && cd->ops->write_room(cd))
		mask |= EPOLLOUT | EPOLLWRNORM;
	if (hung_up(cd))
		mask |= EPOLLHUP | (file_readable(f) ? EPOLLIN | EPOLLRDNORM : 0);
	return mask;
}

static long stream_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct chardev *cd = f->priv;

	if (cmd != FIONREAD)
		return -ENOTTY;
	return put_app((int)cd->ops->read_avail(cd), (int __app *)arg);
}

static int stream_fsync(struct file *f, bool data_only __maybe_unused)
{
	struct chardev *cd = f->priv;

	if (!cd->ops->drain)
		return -EINVAL;
	cd->ops->drain(cd);
	return 0;
}

static void stream_release(struct file *f)
{
	chardev_close(f->priv);
}

static const struct file_ops stream_ops = {
	.read = stream_read,
	.write = stream_write,
	.poll = stream_poll,
	.ioctl = stream_ioctl,
	.fsync = stream_fsync,
	.release = stream_release,
	.async = FILE_ASYNC,
};

int stream_open(struct file *f, struct chardev *cd)
{
	chardev_open(cd);
	f->priv = cd;
	f->ops = &stream_ops;
	return 0;
}
