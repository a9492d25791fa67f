/* SPDX-License-Identifier: BSD-2-Clause */
/* 9p directories: look-up, making and removing names, reading them. The VFS holds the directory's lock
 * (iterate: the file's position). What the server did is taken over into the inodes here, so that the next
 * call need not ask. */
#include "p9.h"
#include "../vfs/internal.h"
#include "base/string.h"
#include "kernel/clock.h"

/* access=N: the volume is one user's. */
static int may_use(struct inode *i)
{
	u32 uid = p9_super(i->super)->access_uid;

	return uid == P9_NONUNAME || creds_fs().uid == uid ? 0 : -EPERM;
}

struct inode *p9_lookup_op(struct inode *dir, const char *name, size_t len)
{
	struct p9_fid *df, *f;
	struct p9_qid qid;
	int err = may_use(dir);

	if (err)
		return ERR_PTR(err);
	df = p9_path_fid(dir);
	err = p9_walk(df, name, len, &f, &qid);
	p9_fid_put(df);
	return err ? ERR_PTR(err) : p9_iget(dir->super, f);
}

bool p9_revalidate(struct dentry *d)
{
	struct inode *dir = rcu_dereference(d->parent)->inode, *i = rcu_dereference(d->inode);

	if (!p9_loose(dir))
		return true;
	return i && READ_ONCE(p9_inode(i)->stale);
}

/* Does D still name its inode? 1: it does. */
int p9_recheck(struct inode *dir, struct dentry *d)
{
	struct inode *i = d->inode;
	struct p9_fid *df, *f;
	struct p9_qid qid;
	int err = may_use(dir);

	if (err || !i)
		return err;
	df = p9_path_fid(dir);
	err = p9_walk(df, d->name, d->len, &f, &qid);
	p9_fid_put(df);
	if (err)
		return err == -ENOENT ? 0 : err;
	err = p9_inode(i)->gone ? -ESTALE : p9_refresh_from(i, f);
	if (err) {
		p9_fid_put(f);
		return err == -ENOENT || err == -ESTALE ? 0 : err;
	}
	p9_set_path_fid(i, f);
	return 1;
}

static u32 group_for(const struct inode *dir)
{
	return dir->mode & S_ISGID ? dir->gid : creds_fs().gid;
}

static void touch_dir(struct inode *dir)
{
	dir->mtime = dir->ctime = clock_realtime();
	p9_inode(dir)->fresh_by = NULL;
}

/* The server has made NAME: give D its inode. It is the calling user's, where the server lets that be. */
static int instantiate(struct inode *dir, struct dentry *d, struct p9_fid *made)
{
	struct inode *i = p9_lookup_op(dir, d->name, d->len);
	u32 uid = creds_fs().uid;

	touch_dir(dir);
	if (IS_ERR(i)) {
		p9_fid_put(made);
		return (int)PTR_ERR(i);
	}
	if (i->uid != uid && uid != 0) {
		struct p9_setattr sa = {.valid = P9_SET_UID, .uid = uid};
		struct p9_fid *f = p9_path_fid(i);

		if (!p9_setattr(f, &sa))
			i->uid = uid;
		p9_fid_put(f);
	}
	if (made) {
		struct p9_inode *pi = p9_inode(i);
		u64 flags = spin_lock_irqsave(&pi->lock);
		struct p9_fid *old = pi->made;

		pi->made = made;
		pi->made_by = current;
		spin_unlock_irqrestore(&pi->lock, flags);
		p9_fid_put(old);
	}
	dentry_instantiate(d, i);
	return 0;
}

static int create_file(struct inode *dir, struct dentry *d, u32 mode)
{
	struct p9_fid *df = p9_path_fid(dir), *f;
	int err = p9_clone(df, &f);

	p9_fid_put(df);
	if (err)
		return err;
	err = p9_create(f, d->name, d->len, O_RDWR | O_CREAT | O_EXCL | O_LARGEFILE, mode, group_for(dir));
	if (err) {
		p9_fid_put(f);
		return err;
	}
	return instantiate(dir, d, f);
}

int p9_create_op(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
	struct p9_fid *df;
	int err;

	if (S_ISREG(mode))
		return create_file(dir, d, mode & 07777);
	df = p9_path_fid(dir);
	err = p9_mknod(df, d->name, d->len, mode, (u32)(rdev >> 8 & 0xfff),
		       (u32)((rdev & 0xff) | (rdev >> 12 & 0xfff00)), group_for(dir));
	p9_fid_put(df);
	return err ? err : instantiate(dir, d, NULL);
}

int p9_mkdir_op(struct inode *dir, struct dentry *d, u32 mode)
{
	struct p9_fid *df = p9_path_fid(dir);
	int err = p9_mkdir(df, d->name, d->len, (mode & 07777) | (dir->mode & S_ISGID), group_for(dir));

	p9_fid_put(df);
	if (!err)
		err = instantiate(dir, d, NULL);
	if (!err)
		dir->nlink++;
	return err;
}

int p9_symlink_op(struct inode *dir, struct dentry *d, const char *target)
{
	struct p9_fid *df = p9_path_fid(dir);
	int err = p9_symlink(df, d->name, d->len, target, group_for(dir));

	p9_fid_put(df);
	return err ? err : instantiate(dir, d, NULL);
}

int p9_link_op(struct inode *dir, struct dentry *d, struct inode *target)
{
	struct p9_fid *df, *tf;
	int err;

	if (p9_inode(target)->gone)
		return -ENOENT;
	df = p9_path_fid(dir);
	tf = p9_path_fid(target);
	err = p9_link(df, tf, d->name, d->len);
	p9_fid_put(tf);
	p9_fid_put(df);
	if (err)
		return err;
	touch_dir(dir);
	target->nlink++;
	target->ctime = clock_realtime();
	p9_inode(target)->fresh_by = NULL;
	inode_get(target);
	dentry_instantiate(d, target);
	return 0;
}

/* A name of I went. */
static void name_gone(struct inode *i)
{
	struct p9_inode *pi = p9_inode(i);

	if (S_ISDIR(i->mode) || i->nlink <= 1) {
		i->nlink = 0;
		pi->gone = true;
		inode_cache_remove(i); /* its number may come again */
	} else {
		i->nlink--;
		pi->stale = true; /* the name that it was found by, perhaps */
	}
	i->ctime = clock_realtime();
	pi->fresh_by = NULL;
}

static int remove_name(struct inode *dir, struct dentry *d, bool rmdir)
{
	struct p9_fid *df = p9_path_fid(dir);
	int err = p9_unlink(df, d->name, d->len, rmdir);

	p9_fid_put(df);
	if (err)
		return err;
	touch_dir(dir);
	if (rmdir && dir->nlink > 2)
		dir->nlink--;
	name_gone(d->inode);
	return 0;
}

int p9_unlink_op(struct inode *dir, struct dentry *d)
{
	return remove_name(dir, d, false);
}

int p9_rmdir_op(struct inode *dir, struct dentry *d)
{
	return remove_name(dir, d, true);
}

int p9_rename_op(struct inode *from, struct dentry *fd, struct inode *to, struct dentry *td, u32 flags)
{
	struct p9_fid *ff, *tf;
	int err;

	if (flags)
		return -EINVAL; /* the protocol knows plain renames only */
	ff = p9_path_fid(from);
	tf = p9_path_fid(to);
	err = p9_rename(ff, fd->name, fd->len, tf, td->name, td->len);
	p9_fid_put(tf);
	p9_fid_put(ff);
	if (err)
		return err;
	touch_dir(from);
	touch_dir(to);
	if (td->inode)
		name_gone(td->inode);
	if (S_ISDIR(fd->inode->mode) && from != to) {
		from->nlink--;
		to->nlink += !td->inode;
	}
	fd->inode->ctime = clock_realtime();
	p9_inode(fd->inode)->fresh_by = NULL;
	return 0;
}

static ssize_t p9_readlink_op(struct inode *i, char *buf, size_t size)
{
	struct p9_fid *f = p9_path_fid(i);
	ssize_t n = p9_readlink(f, buf, size);

	p9_fid_put(f);
	return n;
}

/* Have entries at POS in H's buffer. The bytes there are; 0: the end. */
static ssize_t fill(struct p9_handle *h, u64 pos)
{
	ssize_t n;

	if (!h->entries) {
		h->entries = kmalloc(P9_DIR_BYTES);
		if (!h->entries)
			return -ENOMEM;
	}
	if (pos && pos == h->next && h->at < h->nbytes)
		return 1;
	h->nbytes = h->at = 0;
	n = p9_readdir(h->fid, pos, h->entries, P9_DIR_BYTES);
	if (n > 0) {
		h->nbytes = (u32)n;
		h->next = pos;
	}
	return n;
}

int p9_iterate(struct file *f, struct dir_context *ctx)
{
	struct p9_handle *h = f->priv;

	for (;;) {
		ssize_t n = fill(h, ctx->pos);
		struct p9_dirent e;
		size_t at;

		if (n <= 0)
			return (int)n;
		at = h->at;
		if (!p9_dirent_get(h->entries, h->nbytes, &at, &e))
			return -EIO;
		do {
			if (!ctx->emit(ctx, e.name, e.len, e.next, e.qid.path, e.type))
				return 0;
			if (e.next == ctx->pos)
				return -EIO; /* it would go on for ever */
			h->at = (u32)at;
			h->next = ctx->pos = e.next;
		} while (p9_dirent_get(h->entries, h->nbytes, &at, &e));
		h->at = h->nbytes; /* what is left over is no entry: ask anew */
	}
}

const struct inode_ops p9_dir_ops = {
	.lookup = p9_lookup_op,
	.create = p9_create_op,
	.mkdir = p9_mkdir_op,
	.symlink = p9_symlink_op,
	.link = p9_link_op,
	.unlink = p9_unlink_op,
	.rmdir = p9_rmdir_op,
	.rename = p9_rename_op,
	.open = p9_open_op,
	.getattr = p9_getattr_op,
	.setattr = p9_setattr_op,
	.getxattr = p9_getxattr,
	.setxattr = p9_setxattr,
	.listxattr = p9_listxattr,
	.removexattr = p9_removexattr,
	.revalidate = p9_revalidate,
	.recheck = p9_recheck,
};

const struct inode_ops p9_link_ops = {
	.readlink = p9_readlink_op,
	.getattr = p9_getattr_op,
	.setattr = p9_setattr_op,
	.getxattr = p9_getxattr,
	.setxattr = p9_setxattr,
	.listxattr = p9_listxattr,
	.removexattr = p9_removexattr,
};
