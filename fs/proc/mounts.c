// SPDX-License-Identifier: BSD-2-Clause
/* /proc/PID/{mounts,mountinfo,mountstats}. Poll reports a change of the mount table since the file was last
 * read. */
#include "proc.h"

static size_t mtab(char *buf, size_t size)
{
	return vfs_mounts_text(buf, size, MOUNTS_MTAB);
}

static size_t info(char *buf, size_t size)
{
	return vfs_mounts_text(buf, size, MOUNTS_INFO);
}

static size_t stats(char *buf, size_t size)
{
	return vfs_mounts_text(buf, size, MOUNTS_STATS);
}

int proc_mounts(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_text(s, mtab);
	return 0;
}

int proc_mountinfo(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_text(s, info);
	return 0;
}

int proc_mountstats(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_text(s, stats);
	return 0;
}

/* file->version holds the last change this file has reported, plus one; the first poll only takes note. */
u32 proc_mounts_poll(const struct pseudo_ctx *ctx __maybe_unused, struct file *f, struct poll_table *pt)
{
	u64 now;

	poll_wait(f, &mounts_waitq, pt);
	now = mounts_sequence + 1;
	if (!f->version)
		f->version = now;
	if (f->version == now)
		return EPOLLIN | EPOLLRDNORM;
	f->version = now;
	return EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLPRI;
}
