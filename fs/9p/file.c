/* SPDX-License-Identifier: BSD-2-Clause */
/* Open 9p files: a fid of their own at the server, opened as the program asked. Directories: README.md,
 * dir.c. */
#include "p9.h"
#include "../vfs/internal.h"
#include "base/string.h"
#include <linux/fs.h>

#define SERVER_FLAGS \
	(O_ACCMODE | O_APPEND | O_DSYNC | O_SYNC | O_DIRECT | O_DIRECTORY | O_NOFOLLOW | O_LARGEFILE)

/* A fid of I opened with FLAGS. */
static struct p9_fid *open_new(struct inode *i, u32 flags)
{
	struct p9_fid *path = p9_path_fid(i), *f;
	int err = p9_inode(i)->gone ? -ENOENT : p9_clone(path, &f);

	p9_fid_put(path);
	if (err)
		return ERR_PTR(err);
	err = p9_open(f, flags);
	f->append = flags & O_APPEND;
	if (!err)
		return f;
	p9_fid_put(f);
	return ERR_PTR(err);
}

/* What this thread's create() opened, if that is what is being opened now. */
static struct p9_fid *take_made(struct inode *i)
{
	struct p9_inode *pi = p9_inode(i);
	u64 flags = spin_lock_irqsave(&pi->lock);
	struct p9_fid *f = pi->made_by == current ? pi->made : NULL;

	if (f)
		pi->made = NULL;
	spin_unlock_irqrestore(&pi->lock, flags);
	return f;
}

static struct p9_fid *open_fid(struct inode *i, u32 flags)
{
	struct p9_fid *made = take_made(i), *f;

	/* The new file's mode may forbid to open it again; but the server appends only where it was asked to.
	 */
	if (made && !(flags & O_APPEND))
		return made;
	f = open_new(i, flags & SERVER_FLAGS);
	if (!made)
		return f;
	if (IS_ERR(f))
		return made;
	p9_fid_put(made);
	return f;
}

int p9_open_op(struct inode *i, struct file *f)
{
	struct p9_inode *pi = p9_inode(i);
	struct p9_handle *h;
	int err = p9_refresh_once(i); /* sendfile and mappings go by the size */
	u64 irq;

	if (err)
		return err;
	h = kzalloc(sizeof *h);
	if (!h)
		return -ENOMEM;
	h->readable = (f->flags & O_ACCMODE) != O_WRONLY;
	h->writable = file_writable(f);
	h->fid = open_fid(i, (f->flags & O_ACCMODE) == O_ACCMODE ? f->flags & ~1u : f->flags);
	if (IS_ERR(h->fid)) {
		err = (int)PTR_ERR(h->fid);
		kfree(h);
		return err;
	}
	f->priv = h;
	irq = spin_lock_irqsave(&pi->lock);
	list_add(&h->node, &pi->handles);
	spin_unlock_irqrestore(&pi->lock, irq);
	return 0;
}

struct p9_fid *p9_handle_fid(struct file *f)
{
	struct p9_inode *pi = p9_inode(f->inode);
	struct p9_handle *h = f->priv;
	u64 irq = spin_lock_irqsave(&pi->lock);
	struct p9_fid *fid = h->fid;

	p9_fid_get(fid);
	spin_unlock_irqrestore(&pi->lock, irq);
	return fid;
}

static int replace_fid(struct file *f, u32 flags)
{
	struct p9_inode *pi = p9_inode(f->inode);
	struct p9_handle *h = f->priv;
	struct p9_fid *new = open_new(f->inode, flags & SERVER_FLAGS), *old;
	u64 irq;

	if (IS_ERR(new))
		return (int)PTR_ERR(new);
	irq = spin_lock_irqsave(&pi->lock);
	old = h->fid;
	h->fid = new;
	spin_unlock_irqrestore(&pi->lock, irq);
	p9_fid_put(old);
	return 0;
}

int p9_drop_append(struct file *f)
{
	struct p9_handle *h = f->priv;

	return h->fid->append ? replace_fid(f, f->flags & ~(u32)O_APPEND) : 0;
}

/* O_APPEND goes: the server must forget it too. It comes: writes find the end by themselves. */
static int p9_set_flags(struct file *f, u32 flags)
{
	return S_ISREG(f->inode->mode) && !(flags & O_APPEND) ? p9_drop_append(f) : 0;
}

void p9_release(struct file *f)
{
	struct p9_inode *pi = p9_inode(f->inode);
	struct p9_handle *h = f->priv;
	u64 irq;

	if (h->writable)
		(void)p9_writeback(f->inode, NULL, false);
	irq = spin_lock_irqsave(&pi->lock);
	list_del(&h->node);
	spin_unlock_irqrestore(&pi->lock, irq);
	p9_fid_put(h->fid);
	kfree(h->entries);
	kfree(h);
}

static int p9_flush_op(struct file *f)
{
	struct p9_handle *h = f->priv;

	if (!h->writable)
		return 0;
	(void)p9_writeback(f->inode, NULL, false);
	return p9_take_writeback_error(f->inode);
}

static int p9_fsync_op(struct file *f, bool data_only)
{
	struct p9_fid *fid;
	int err = 0, written;

	if (f->inode->cache) {
		(void)p9_writeback(f->inode, NULL, true);
		err = p9_take_writeback_error(f->inode);
	}
	fid = p9_handle_fid(f);
	written = p9_fsync(fid, data_only);
	p9_fid_put(fid);
	return err ? err : written;
}

static s64 p9_seek(struct file *f, s64 off, int whence)
{
	int err = whence == SEEK_SET || whence == SEEK_CUR || p9_loose(f->inode) ? 0 : p9_refresh(f->inode);

	return err ? err : generic_file_seek(f, off, whence);
}

const struct file_ops p9_file_fops = {
	.read = p9_file_read,
	.write = p9_file_write,
	.mmap = p9_mmap,
	.seek = p9_seek,
	.fsync = p9_fsync_op,
	.flush = p9_flush_op,
	.release = p9_release,
	.set_flags = p9_set_flags,
};

const struct file_ops p9_dir_fops = {
	.iterate = p9_iterate,
	.seek = generic_dir_seek,
	.fsync = p9_fsync_op,
	.release = p9_release,
};
