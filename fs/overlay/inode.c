/* SPDX-License-Identifier: BSD-2-Clause */
/* Overlay inodes: making them, attributes, extended attributes, links, opening. */
#include "overlay.h"
#include "base/string.h"

/* What permission checks look at is kept in the overlay's inode too. */
void ovl_sync_attributes(struct inode *i)
{
	struct inode *real = ovl_real(i);

	i->mode = real->mode;
	i->uid = real->uid;
	i->gid = real->gid;
	i->rdev = real->rdev;
	i->size = real->size;
	i->atime = real->atime;
	i->mtime = real->mtime;
	i->ctime = real->ctime;
	i->btime = real->btime;
	inode_set_chattr(i, real->flags & INODE_CHATTR);
	inode_share_acls(i, real);
}

static void set_ops(struct inode *i)
{
	switch (i->mode & S_IFMT) {
	case S_IFDIR:
		i->ops = &ovl_dir_ops;
		i->fops = &ovl_dir_fops;
		break;
	case S_IFREG:
		i->ops = &ovl_file_ops;
		break;
	case S_IFLNK:
		i->ops = &ovl_link_ops;
		break;
	default:
		i->ops = &ovl_special_ops;
	}
}

static void put_both(struct inode *lower, struct inode *upper)
{
	if (lower)
		inode_put(lower);
	if (upper)
		inode_put(upper);
}

struct inode *ovl_iget(struct super *s, struct inode *lower, struct inode *upper, struct inode *parent,
		       const char *name, size_t len)
{
	u64 ino = upper ? upper->ino : lower->ino;
	struct inode *i = inode_cache_find(s, ino);
	struct ovl_inode *oi;

	if (i) {
		put_both(lower, upper);
		return i;
	}
	i = inode_alloc(s);
	oi = i ? kzalloc(sizeof *oi + len + 1) : NULL;
	if (!oi) {
		if (i)
			inode_put(i);
		put_both(lower, upper);
		return ERR_PTR(-ENOMEM);
	}
	oi->lower = lower;
	oi->upper = upper;
	oi->parent = parent;
	if (parent)
		inode_get(parent);
	mutex_init(&oi->copy_lock);
	mutex_init(&i->lock); /* a class of its own: the layers' inodes are locked while one of these is */
	lock_may_nest(&i->lock);
	memcpy(oi->name, name, len);
	oi->len = (u32)len;
	i->priv = oi;
	i->ino = ino;
	ovl_sync_attributes(i);
	i->nlink = upper || S_ISDIR(i->mode) ? ovl_real(i)->nlink : ovl_index_nlink(s, lower);
	set_ops(i);
	return inode_cache_add(i);
}

void ovl_evict(struct inode *i)
{
	struct ovl_inode *oi = ovl_inode(i);

	if (!oi)
		return;
	put_both(oi->lower, oi->upper);
	if (oi->parent)
		inode_put(oi->parent);
	rcu_kfree(&oi->rcu);
}

int ovl_getattr(struct inode *i, struct statx *out)
{
	struct inode *real = ovl_real(i);
	u32 major = out->stx_dev_major, minor = out->stx_dev_minor;
	int err;

	inode_getattr(real, out);
	err = real->ops && real->ops->getattr ? real->ops->getattr(real, out) : 0;
	out->stx_dev_major = major;
	out->stx_dev_minor = minor;
	out->stx_ino = i->ino;
	if (!S_ISDIR(i->mode))
		out->stx_nlink = i->nlink;
	else if (ovl_lower(i))
		out->stx_nlink = 1; /* of a union nobody has counted the directories */
	return err;
}

int ovl_setattr(struct inode *i, const struct inode_attr *a)
{
	bool empties = a->valid & ATTR_SIZE && !a->size;
	struct inode *up;
	int err;

	if (a->valid & ATTR_SIZE && !S_ISREG(i->mode))
		return -EINVAL;
	err = ovl_copy_up(i, !empties);
	if (err)
		return err;
	up = ovl_upper(i);
	mutex_lock(&up->lock);
	if (up->ops->setattr)
		err = up->ops->setattr(up, a);
	else
		inode_apply_attr(up, a);
	mutex_unlock(&up->lock);
	ovl_sync_attributes(i);
	return err;
}

ssize_t ovl_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct inode *real = ovl_real(i);
	ssize_t n;

	if (!real->ops->getxattr)
		return -EOPNOTSUPP;
	mutex_lock(&real->lock);
	n = real->ops->getxattr(real, name, buf, size);
	mutex_unlock(&real->lock);
	return n;
}

ssize_t ovl_listxattr(struct inode *i, char *buf, size_t size)
{
	struct inode *real = ovl_real(i);
	ssize_t n;

	if (!real->ops->listxattr)
		return 0;
	mutex_lock(&real->lock);
	n = real->ops->listxattr(real, buf, size);
	mutex_unlock(&real->lock);
	return n;
}

int ovl_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	int err = ovl_copy_up(i, true);
	struct inode *up;

	if (err)
		return err;
	up = ovl_upper(i);
	mutex_lock(&up->lock);
	err = up->ops->setxattr(up, name, buf, size, flags);
	mutex_unlock(&up->lock);
	return err;
}

int ovl_removexattr(struct inode *i, const char *name)
{
	ssize_t n = ovl_getxattr(i, name, NULL, 0);
	struct inode *up;
	int err;

	if (n < 0)
		return (int)n;
	err = ovl_copy_up(i, true);
	if (err)
		return err;
	up = ovl_upper(i);
	mutex_lock(&up->lock);
	err = up->ops->removexattr(up, name);
	mutex_unlock(&up->lock);
	return err;
}

int ovl_set_acl(struct inode *i, bool dflt, struct posix_acl *a)
{
	int err = ovl_copy_up(i, true);
	struct inode *up;

	if (err)
		return err;
	up = ovl_upper(i);
	mutex_lock(&up->lock);
	inode_set_acl(up, dflt, a);
	mutex_unlock(&up->lock);
	ovl_sync_attributes(i);
	return 0;
}

static ssize_t ovl_readlink(struct inode *i, char *buf, size_t size)
{
	struct inode *real = ovl_real(i);

	return real->ops->readlink(real, buf, size);
}

/* The file gets the real inode as it is now. */
static int ovl_open(struct inode *i, struct file *f)
{
	struct inode *real;
	int err;

	if (file_writable(f)) {
		err = ovl_copy_up(i, true);
		if (err)
			return err;
	}
	real = ovl_real(i);
	inode_get(real);
	f->inode = real;
	f->ops = real->fops;
	return real->ops->open ? real->ops->open(real, f) : 0;
}

const struct inode_ops ovl_dir_ops = {
	.lookup = ovl_lookup,
	.create = ovl_create,
	.mkdir = ovl_mkdir,
	.symlink = ovl_symlink,
	.link = ovl_link,
	.unlink = ovl_unlink,
	.rmdir = ovl_rmdir,
	.rename = ovl_rename,
	.tmpfile = ovl_tmpfile,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.set_acl = ovl_set_acl,
};

const struct inode_ops ovl_file_ops = {
	.open = ovl_open,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.set_acl = ovl_set_acl,
};

const struct inode_ops ovl_link_ops = {
	.readlink = ovl_readlink,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.set_acl = ovl_set_acl,
};

const struct inode_ops ovl_special_ops = {
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.set_acl = ovl_set_acl,
};

const struct file_ops ovl_dir_fops = {
	.iterate = ovl_dir_iterate,
	.seek = generic_dir_seek,
};
