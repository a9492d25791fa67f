// SPDX-License-Identifier: BSD-2-Clause
/* /dev/null, zero, full, random and urandom. */
#include "devfs.h"
#include "fs/pagecache.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include <linux/capability.h>
#include "kernel/random.h"
#include "kernel/sched.h"
#include <linux/random.h>

#define RANDOM_CHUNK  256
#define WRITE_ENTROPY 0 /* bits credited for what an application writes */

static ssize_t null_read(struct file *f __maybe_unused, struct iter *to __maybe_unused,
			 u64 *pos __maybe_unused)
{
	return 0;
}

static ssize_t null_write(struct file *f __maybe_unused, struct iter *from, u64 *pos __maybe_unused)
{
	size_t n = from->left;

	iter_advance(from, n);
	return (ssize_t)n;
}

static ssize_t zero_read(struct file *f __maybe_unused, struct iter *to, u64 *pos __maybe_unused)
{
	ssize_t total = 0;

	while (to->left) {
		size_t want = min(to->left, 16 * PAGE_SIZE), n = iter_zero(to, want);

		total += (ssize_t)n;
		if (n < want)
			return total ? total : -EFAULT;
		if (to->left && signal_pending(current))
			break;
		cond_resched();
	}
	return total;
}

static ssize_t full_write(struct file *f __maybe_unused, struct iter *from __maybe_unused,
			  u64 *pos __maybe_unused)
{
	return -ENOSPC;
}

/* A mapping of /dev/zero is memory of its own: shared among those who inherit it, or private. */
static int zero_mmap(struct file *f __maybe_unused, struct vma *vma)
{
	struct file *mem = shmem_file_create("dev/zero", vma->end - vma->start, 0), *old = vma->file;
	int err;

	if (IS_ERR(mem))
		return (int)PTR_ERR(mem);
	vma->pgoff = 0;
	vma->file = mem;
	err = pagecache_file_mmap(mem, vma);
	if (err) {
		vma->file = old;
		file_put(mem);
		return err;
	}
	if (old)
		file_put(old);
	return 0;
}

static s64 zero_seek(struct file *f, s64 off __maybe_unused, int whence __maybe_unused)
{
	f->pos = 0;
	return 0;
}

static ssize_t random_copy(struct iter *to)
{
	u8 chunk[RANDOM_CHUNK];
	ssize_t total = 0;

	while (to->left) {
		size_t want = min(to->left, sizeof chunk), n;

		random_bytes(chunk, want);
		n = iter_copy_out(to, chunk, want);
		total += (ssize_t)n;
		if (n < want) {
			total = total ? total : -EFAULT;
			break;
		}
		if (total % (ssize_t)PAGE_SIZE == 0) {
			if (signal_pending(current))
				break;
			cond_resched();
		}
	}
	memset(chunk, 0, sizeof chunk);
	__asm__ volatile("" ::"r"(chunk) : "memory"); /* the wipe is not to be optimised away */
	return total;
}

static ssize_t urandom_read(struct file *f __maybe_unused, struct iter *to, u64 *pos __maybe_unused)
{
	return random_copy(to);
}

static ssize_t random_read(struct file *f, struct iter *to, u64 *pos __maybe_unused)
{
	if (!random_ready()) {
		int err;

		if (file_nonblock(f))
			return -EAGAIN;
		err = random_wait_ready_interruptible();
		if (err)
			return err;
	}
	return random_copy(to);
}

static ssize_t random_write(struct file *f __maybe_unused, struct iter *from, u64 *pos __maybe_unused)
{
	u8 chunk[RANDOM_CHUNK];
	ssize_t total = 0;

	while (from->left) {
		size_t want = min(from->left, sizeof chunk), n = iter_copy_in(from, chunk, want);

		random_add_entropy(chunk, n, WRITE_ENTROPY);
		total += (ssize_t)n;
		if (n < want)
			return total ? total : -EFAULT;
		cond_resched();
	}
	return total;
}

/* Readers never wait long: once seeded, the generator stays so. */
static u32 random_poll(struct file *f __maybe_unused, struct poll_table *pt __maybe_unused)
{
	return (random_ready() ? EPOLLIN | EPOLLRDNORM : 0) | EPOLLOUT | EPOLLWRNORM;
}

static long random_add(unsigned long arg)
{
	struct {
		int bits, size;
	} head;
	const u8 __app *data = (const u8 __app *)(arg + sizeof head);
	u8 chunk[RANDOM_CHUNK];

	if (copy_from_app(&head, (const void __app *)arg, sizeof head))
		return -EFAULT;
	if (head.bits < 0 || head.size < 0)
		return -EINVAL;
	for (size_t left = (size_t)head.size, n; left; left -= n, data += n) {
		n = min(left, sizeof chunk);
		if (copy_from_app(chunk, data, n))
			return -EFAULT;
		random_add_entropy(chunk, n, left == n ? (unsigned)head.bits : 0);
	}
	return 0;
}

static long random_ioctl(struct file *f __maybe_unused, unsigned cmd, unsigned long arg)
{
	bool admin = process_capable(CAP_SYS_ADMIN);
	int count;

	switch (cmd) {
	case RNDGETENTCNT:
		return put_app(random_ready() ? 256 : 0, (int __app *)arg);
	case RNDADDTOENTCNT:
		if (!admin)
			return -EPERM;
		if (get_app(count, (const int __app *)arg))
			return -EFAULT;
		if (count < 0)
			return -EINVAL;
		random_add_entropy(&count, sizeof count, (unsigned)count);
		return 0;
	case RNDADDENTROPY:
		return admin ? random_add(arg) : -EPERM;
	case RNDZAPENTCNT:
	case RNDCLEARPOOL:
		return admin ? 0 : -EPERM; /* the count is no longer consulted, as on Linux */
	case RNDRESEEDCRNG:
		if (!admin)
			return -EPERM;
		random_bump_generation();
		return 0;
	default:
		return -EINVAL;
	}
}

static const struct file_ops null_ops = {.read = null_read, .write = null_write, .seek = zero_seek};
static const struct file_ops zero_ops = {
	.read = zero_read,
	.write = null_write,
	.mmap = zero_mmap,
	.seek = zero_seek,
};
static const struct file_ops full_ops = {.read = zero_read, .write = full_write, .seek = zero_seek};
static const struct file_ops random_ops = {
	.read = random_read,
	.write = random_write,
	.poll = random_poll,
	.ioctl = random_ioctl,
	.seek = noop_seek,
};
static const struct file_ops urandom_ops = {
	.read = urandom_read,
	.write = random_write,
	.ioctl = random_ioctl,
	.seek = noop_seek,
};

int mem_open(struct file *f, u32 minor)
{
	static const struct file_ops *const ops[] = {
		[3] = &null_ops,   [5] = &zero_ops,    [7] = &full_ops,
		[8] = &random_ops, [9] = &urandom_ops, [11] = &kmsg_ops,
	};

	if (minor >= ARRAY_SIZE(ops) || !ops[minor])
		return -ENXIO;
	if (ops[minor] == &kmsg_ops && log_restricted && file_readable(f) && !process_capable(CAP_SYSLOG))
		return -EPERM;
	f->ops = ops[minor];
	return 0;
}
