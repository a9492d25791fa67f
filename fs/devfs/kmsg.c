// SPDX-License-Identifier: BSD-2-Clause
/* /dev/kmsg: one record of the kernel log a read, as "level,sequence,microseconds,-;text\n"; a line a write.
 * The log's byte positions serve as sequence numbers: they rise, and name a record for good. */
#include "devfs.h"
#include "base/format.h"
#include "kernel/log.h"

#define LINE_SIZE 512

/* The record at *POS, or the oldest there is after it: its length in LINE, 0 at the end. *AT is its position.
 */
static size_t record_at(u64 *pos, u64 *at, char *line)
{
	size_t n = log_read(pos, line, LINE_SIZE), len;
	const char *end = memchr(line, '\n', n);

	if (!n || !end)
		return 0;
	len = (size_t)(end - line) + 1;
	*at = *pos - n;	 /* where the read began */
	*pos -= n - len; /* behind the first line */
	return len;
}

/* "<6>[    1.234567] text\n" to the form of this device. */
static size_t record_format(char *line, size_t len, u64 at, char *out, size_t size)
{
	const char *end, *p = line + 1;
	u64 level = str_to_u64(p, &end), sec = 0, usec = 0;

	p = memchr(line, '[', len);
	if (p) {
		for (p++; *p == ' '; p++)
			;
		sec = str_to_u64(p, &end);
		/* Six digits after the point; leading zeros would read as octal. */
		for (p = end + (*end == '.'); *p >= '0' && *p <= '9'; p++)
			usec = usec * 10 + (u64)(*p - '0');
		p += *p == ']';
		p += *p == ' ';
	} else {
		p = line;
	}
	line[len - 1] = '\0';
	return (size_t)scnprintf(out, size, "%u,%llu,%llu,-;%s\n", (unsigned)level, (unsigned long long)at,
				 (unsigned long long)(sec * 1000000 + usec), p);
}

static ssize_t kmsg_read(struct file *f, struct iter *to, u64 *pos __maybe_unused)
{
	char line[LINE_SIZE], out[LINE_SIZE + 64];
	u64 next = f->rx_ready, at = 0;
	size_t n;

	for (;;) {
		int err;

		n = record_at(&next, &at, line);
		if (n)
			break;
		if (file_nonblock(f))
			return -EAGAIN;
		err = wait_event_interruptible(&log_waitq, log_end() != f->rx_ready);
		if (err)
			return err;
	}
	if (f->rx_ready && at > f->rx_ready) {
		f->rx_ready = at;
		return -EPIPE; /* records were lost; the next read goes on with the oldest */
	}
	n = record_format(line, n, at, out, sizeof out);
	if (n > to->left)
		return -EINVAL;
	if (iter_copy_out(to, out, n) != n)
		return -EFAULT;
	f->rx_ready = next;
	return (ssize_t)n;
}

static ssize_t kmsg_write(struct file *f __maybe_unused, struct iter *from, u64 *pos __maybe_unused)
{
	char line[LINE_SIZE];
	size_t n = min(from->left, sizeof line - 1), total = from->left;
	enum log_level level = LOG_INFO;
	const char *text = line, *end;

	if (iter_copy_in(from, line, n) != n)
		return -EFAULT;
	iter_advance(from, from->left);
	line[n] = '\0';
	if (line[0] == '<' && line[1] >= '0' && line[1] <= '9') {
		u64 v = str_to_u64(line + 1, &end);

		if (*end == '>') {
			level = (enum log_level)(v & 7);
			text = end + 1;
		}
	}
	log_printf(level, "%s", text);
	return (ssize_t)total;
}

static u32 kmsg_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(f, &log_waitq, pt);
	return log_end() != f->rx_ready ? EPOLLIN | EPOLLRDNORM : 0;
}

static s64 kmsg_seek(struct file *f, s64 off, int whence)
{
	if (off)
		return -ESPIPE;
	switch (whence) {
	case 0: /* SEEK_SET: the oldest record */
	case 3: /* SEEK_DATA: after the last "clear"; nothing is cleared here */
		f->rx_ready = 0;
		return 0;
	case 2: /* SEEK_END */
		f->rx_ready = log_end();
		return 0;
	default:
		return -EINVAL;
	}
}

const struct file_ops kmsg_ops = {
	.read = kmsg_read,
	.write = kmsg_write,
	.poll = kmsg_poll,
	.seek = kmsg_seek,
};
