// SPDX-License-Identifier: BSD-2-Clause
/* Block device nodes: byte access through a bounce buffer of whole sectors. Nothing is cached here: a file
 * system on the device has its own cache, and tools that read the raw device want what the device holds. */
#include "devfs.h"
#include "kernel/process.h"
#include <linux/capability.h>
#include "kernel/rcu.h"
#include <linux/fs.h>

#define BOUNCE_SIZE (64u << 10)

static u64 device_size(const struct block_device *bd)
{
	return bd->sectors * 512;
}

/* The run of whole sectors that covers [POS, POS + LEFT), at most a bounce buffer long. */
static size_t sector_run(const struct block_device *bd, u64 pos, size_t left, u64 *start)
{
	u32 sector = max(bd->sector_size, 512u);
	u64 end = min(pos + left, device_size(bd));

	*start = ALIGN_DOWN(pos, (u64)sector);
	return (size_t)(min(ALIGN_UP(end, (u64)sector), *start + BOUNCE_SIZE) - *start);
}

static ssize_t blknode_read(struct file *f, struct iter *to, u64 *pos)
{
	struct block_device *bd = f->priv;
	u8 *buf = kmalloc(BOUNCE_SIZE);
	ssize_t total = 0;

	if (!buf)
		return -ENOMEM;
	while (to->left && *pos < device_size(bd)) {
		u64 start;
		size_t len = sector_run(bd, *pos, to->left, &start), skip = (size_t)(*pos - start);
		size_t want = min(min(len - skip, to->left), (size_t)(device_size(bd) - *pos)), n;
		int err = block_read(bd, start, buf, len);

		if (err) {
			total = total ? total : err;
			break;
		}
		n = iter_copy_out(to, buf + skip, want);
		*pos += n;
		total += (ssize_t)n;
		if (n < want || (to->left && signal_pending(current))) {
			total = total ? total : n < want ? -EFAULT : -ERESTARTSYS;
			break;
		}
	}
	kfree(buf);
	return total;
}

static ssize_t blknode_write_run(struct block_device *bd, u8 *buf, struct iter *from, u64 pos)
{
	u64 start;
	size_t len = sector_run(bd, pos, from->left, &start), skip = (size_t)(pos - start);
	size_t want = min(min(len - skip, from->left), (size_t)(device_size(bd) - pos)), n;
	int err = 0;

	if (skip || want < len)
		err = block_read(bd, start, buf, len); /* sectors that are written in part */
	if (err)
		return err;
	n = iter_copy_in(from, buf + skip, want);
	if (n < want) {
		iter_revert(from, n);
		return -EFAULT;
	}
	err = block_write(bd, start, buf, len);
	return err ? err : (ssize_t)n;
}

static ssize_t blknode_write(struct file *f, struct iter *from, u64 *pos)
{
	struct block_device *bd = f->priv;
	ssize_t total = 0, n = 0;
	u8 *buf;

	if (bd->read_only)
		return -EPERM;
	if (!from->left)
		return 0;
	if (*pos >= device_size(bd))
		return -ENOSPC;
	buf = kmalloc(BOUNCE_SIZE);
	if (!buf)
		return -ENOMEM;
	while (from->left && *pos < device_size(bd)) {
		n = blknode_write_run(bd, buf, from, *pos);
		if (n < 0)
			break;
		*pos += (u64)n;
		total += n;
	}
	kfree(buf);
	return total ? total : n;
}

static s64 blknode_seek(struct file *f, s64 off, int whence)
{
	struct block_device *bd = f->priv;

	switch (whence) {
	case 0:
		break;
	case 1:
		off += (s64)f->pos;
		break;
	case 2:
		off += (s64)device_size(bd);
		break;
	default:
		return -EINVAL;
	}
	if (off < 0 || (u64)off > device_size(bd))
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

static long blknode_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct block_device *bd = f->priv;

	switch (cmd) {
	case BLKGETSIZE64:
		return put_app(device_size(bd), (u64 __app *)arg);
	case BLKGETSIZE:
		return put_app(bd->sectors, (unsigned long __app *)arg);
	case BLKSSZGET:
		return put_app((int)bd->sector_size, (int __app *)arg);
	case BLKBSZGET:
		return put_app((int)PAGE_SIZE, (int __app *)arg);
	case BLKPBSZGET:
	case BLKIOMIN:
		return put_app(bd->sector_size, (u32 __app *)arg);
	case BLKROGET:
		return put_app((int)bd->read_only, (int __app *)arg);
	case BLKFLSBUF:
		return process_capable(CAP_SYS_ADMIN) ? 0 : -EACCES;
	default:
		return -ENOTTY;
	}
}

struct flush_request {
	struct block_request request;
	struct waitq waitq;
	int err;
	bool done;
};

static void flush_done(struct block_request *r, int err)
{
	struct flush_request *fr = container_of(r, struct flush_request, request);

	fr->err = err;
	WRITE_ONCE(fr->done, true);
	waitq_wake_all(&fr->waitq);
}

/* Writes go through to the device; what is left is the device's own cache. */
static int blknode_fsync(struct file *f, bool data_only __maybe_unused)
{
	struct block_device *bd = f->priv;
	struct flush_request *fr = kzalloc(sizeof *fr);
	int err;

	if (!fr)
		return -ENOMEM;
	waitq_init(&fr->waitq);
	fr->request = (struct block_request){.op = BLOCK_FLUSH, .done = flush_done};
	err = block_submit(bd, &fr->request);
	if (!err) {
		wait_event_io(&fr->waitq, READ_ONCE(fr->done));
		/* The waker may still be inside waitq_wake. */
		rcu_synchronize();
		err = fr->err;
	}
	kfree(fr);
	return err;
}

static const struct file_ops blknode_ops = {
	.read = blknode_read,
	.write = blknode_write,
	.seek = blknode_seek,
	.ioctl = blknode_ioctl,
	.fsync = blknode_fsync,
};

int blknode_open(struct file *f, struct block_device *bd)
{
	if (bd->read_only && file_writable(f))
		return -EROFS;
	f->priv = bd;
	f->ops = &blknode_ops;
	return 0;
}
