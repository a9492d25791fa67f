/* SPDX-License-Identifier: BSD-2-Clause */
/* rename in the overlay: the source is copied up and moved in the upper file system; what would then show
 * through at its old name is hidden. The VFS holds the locks of both directories and of what moves or goes.
 */
#include "overlay.h"
#include "base/string.h"
#include <linux/fs.h>

static bool has_lower_part(struct inode *i)
{
	return S_ISDIR(i->mode) && ovl_lower(i);
}

/* An existing target gives way: a directory must be empty in the union, and its whiteouts go. */
static int prepare_target(struct inode *i)
{
	int ret;

	if (!S_ISDIR(i->mode))
		return 0;
	ret = ovl_dir_empty(i);
	if (ret <= 0)
		return ret ? ret : -ENOTEMPTY;
	return ovl_upper(i) ? ovl_clear_whiteouts(ovl_upper(i)) : 0;
}

/* Move the upper name. Locks: both upper directories; only renames take two, and those are serialised by the
 * overlay's. */
static int move_upper(struct inode *from, struct dentry *fd, struct inode *to, struct dentry *td, u32 flags)
{
	struct inode *uf = ovl_upper(from), *ut = ovl_upper(to), *old, *victim;
	struct dentry *s = dentry_alloc(NULL, fd->name, fd->len), *t = dentry_alloc(NULL, td->name, td->len);
	int err = -ENOMEM;

	if (!s || !t)
		goto out;
	mutex_lock(&uf->lock);
	if (ut != uf)
		mutex_lock(&ut->lock);
	old = uf->ops->lookup(uf, fd->name, fd->len);
	err = IS_ERR(old) ? (int)PTR_ERR(old) : 0;
	if (err)
		goto unlock;
	s->inode = old;
	victim = ut->ops->lookup(ut, td->name, td->len);
	if (!IS_ERR(victim))
		t->inode = victim;
	/* A directory cannot be moved over a whiteout or a file of the tmpfs: that goes first. */
	if (t->inode && !(flags & RENAME_EXCHANGE) && S_ISDIR(t->inode->mode) != S_ISDIR(old->mode))
		err = S_ISDIR(t->inode->mode) ? ut->ops->rmdir(ut, t) : ut->ops->unlink(ut, t);
	if (!err)
		err = uf->ops->rename(uf, s, ut, t, flags);
	if (!err && S_ISDIR(old->mode))
		old->flags |= INODE_OPAQUE; /* it has no lower part and must not get one at its new place */
	if (!err && flags & RENAME_EXCHANGE && S_ISDIR(victim->mode))
		victim->flags |= INODE_OPAQUE;
unlock:
	if (ut != uf)
		mutex_unlock(&ut->lock);
	mutex_unlock(&uf->lock);
out:
	if (s)
		dentry_put(s);
	if (t)
		dentry_put(t);
	return err;
}

int ovl_rename(struct inode *from, struct dentry *fd, struct inode *to, struct dentry *td, u32 flags)
{
	bool exchange = flags & RENAME_EXCHANGE, below;
	int err;

	if (has_lower_part(fd->inode) || (exchange && has_lower_part(td->inode)))
		return -EXDEV;
	err = td->inode && !exchange ? prepare_target(td->inode) : 0;
	if (!err)
		err = ovl_copy_up(fd->inode, true);
	if (!err && exchange)
		err = ovl_copy_up(td->inode, true);
	if (!err)
		err = ovl_copy_up(from, true);
	if (!err)
		err = ovl_copy_up(to, true);
	if (err)
		return err;
	below = !exchange && ovl_below(from, fd->name, fd->len);
	err = move_upper(from, fd, to, td, flags);
	if (err)
		return err;
	if (below && ovl_whiteout(from, fd->name, fd->len)) {
		/* The old name would come back: move it home instead. */
		move_upper(to, td, from, fd, 0);
		return -ENOMEM;
	}
	if (td->inode && !exchange) {
		td->inode->nlink = S_ISDIR(td->inode->mode) || !td->inode->nlink ? 0 : td->inode->nlink - 1;
		ovl_links_changed(td->inode);
	}
	ovl_sync_attributes(from);
	ovl_sync_attributes(to);
	return 0;
}
