// SPDX-License-Identifier: BSD-2-Clause
/* Text files of pseudo file systems: reading makes the text, writing hands one piece of text to the entry.
 *
 * The text is made at the first read and whenever somebody reads at offset 0; the file's own lock covers
 * both, so that threads that share a descriptor see whole texts. */
#include "internal.h"
#include "kernel/mutex.h"

#define STORE_MAX (64u << 10)

struct text_file {	   /* file->priv */
	struct mutex lock; /* guards text and made */
	struct seq text;
	bool made;
	const struct pseudo_entry *entry;
	struct pseudo_ctx ctx;
};

int pseudo_text(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_puts(s, ctx->arg);
	return 0;
}

static bool has_store(const struct pseudo_entry *e)
{
	return e->kind == PSEUDO_STORE && e->store;
}

/* With the lock held. */
static int text_make(struct text_file *tf)
{
	int err;

	tf->text.len = 0;
	tf->text.failed = false;
	tf->made = false;
	err = tf->entry->show(&tf->text, &tf->ctx);
	if (err)
		return err;
	if (tf->text.failed)
		return -ENOMEM;
	tf->made = true;
	return 0;
}

static ssize_t text_read(struct file *f, struct iter *to, u64 *pos)
{
	struct text_file *tf = f->priv;
	ssize_t ret = 0;

	if (!tf->entry->show)
		return tf->ctx.strict ? -EIO : -EINVAL;
	mutex_lock(&tf->lock);
	if (!tf->made || !*pos)
		ret = text_make(tf);
	if (!ret && *pos < tf->text.len) {
		size_t want = min(to->left, (size_t)(tf->text.len - *pos));

		ret = (ssize_t)iter_copy_out(to, tf->text.buf + *pos, want);
		*pos += (u64)ret;
		if (!ret && want)
			ret = -EFAULT;
	}
	mutex_unlock(&tf->lock);
	return ret;
}

static ssize_t text_write(struct file *f, struct iter *from, u64 *pos)
{
	struct text_file *tf = f->priv;
	size_t n = from->left;
	char *text;
	int err;

	if (!has_store(tf->entry))
		return -EIO;
	if (n >= STORE_MAX)
		return -EINVAL;
	text = kmalloc(n + 1);
	if (!text)
		return -ENOMEM;
	err = -EFAULT;
	if (iter_copy_in(from, text, n) == n) {
		text[n] = '\0';
		err = tf->entry->store(&tf->ctx, text, n);
	}
	kfree(text);
	if (err)
		return err;
	*pos += n;
	return (ssize_t)n;
}

/* There is an end to seek from only if the entry says how long its text is: it does not exist yet. */
static s64 text_seek(struct file *f, s64 off, int whence)
{
	const struct text_file *tf = f->priv;

	if (whence == 2 && tf->entry->kind == PSEUDO_SIZE)
		off += (s64)tf->entry->size(&tf->ctx);
	else if (whence == 1)
		off += (s64)f->pos;
	else if (whence != 0)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

static void text_release(struct file *f)
{
	struct text_file *tf = f->priv;

	seq_free(&tf->text);
	kfree(tf);
}

static u32 text_poll(struct file *f, struct poll_table *pt)
{
	struct text_file *tf = f->priv;

	return tf->entry->kind == PSEUDO_POLL ? tf->entry->poll(&tf->ctx, f, pt)
					      : EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
}

static const struct file_ops text_fops = {
	.read = text_read,
	.write = text_write,
	.seek = text_seek,
	.poll = text_poll,
	.release = text_release,
};

int pseudo_open_text(struct file *f, const struct pseudo_entry *entry, const struct pseudo_ctx *ctx)
{
	const struct pseudo_fs *fs = f->inode->super->priv;
	struct text_file *tf;

	/* As on Linux, root may open what cannot be written in proc (the write fails), but not in sysfs. */
	if (file_writable(f) && !has_store(entry) && (ctx->strict || !fs->fixed_modes))
		return -EACCES;
	tf = kzalloc(sizeof *tf);
	if (!tf)
		return -ENOMEM;
	mutex_init(&tf->lock);
	tf->entry = entry;
	tf->ctx = *ctx;
	f->priv = tf;
	f->ops = &text_fops;
	return 0;
}
