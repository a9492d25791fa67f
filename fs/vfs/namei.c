/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, linking and removing names. rename is in rename.c.
 * Locks: the directory inode's, then the lock of the inode that is linked or removed. */
#include "base/string.h"
#include "internal.h"
#include <linux/inotify.h>

/* Look the last component up in its directory, locked: the caller unlocks w->path's inode when this succeeds.
 */
static struct dentry *lock_and_look(struct walk *w)
{
	struct dentry *dir = w->path.dentry, *d;

	mutex_lock(&dir->inode->lock);
	d = lookup_child(dir, w->last, w->last_len, true);
	if (IS_ERR(d))
		mutex_unlock(&dir->inode->lock);
	return d;
}

static void unlock_dir(struct walk *w)
{
	mutex_unlock(&w->path.dentry->inode->lock);
}

/* A new name is wanted at the walk's end. Returns its negative entry with the directory locked;
 * ERR_PTR(-EEXIST ...). */
static struct dentry *begin_create(struct walk *w, bool is_dir)
{
	struct dentry *d;
	int err;

	if (w->last_type != LAST_NORMAL)
		return ERR_PTR(-EEXIST);
	d = lock_and_look(w);
	if (IS_ERR(d))
		return d;
	if (d->inode)
		err = -EEXIST;
	else if (w->trailing && !is_dir)
		err = -ENOENT;
	else
		err = path_want_write(&w->path);
	if (!err)
		err = may_create(w->path.dentry->inode);
	if (!err)
		return d;
	unlock_dir(w);
	dentry_put(d);
	return ERR_PTR(err);
}

/* The operation is done with result ERR: publish the name, unlock, tell. */
static void end_create(struct walk *w, struct dentry *d, int err)
{
	struct inode *dir = w->path.dentry->inode;

	if (!err && !(d->flags & DENTRY_HASHED))
		dcache_insert(d);
	mutex_unlock(&dir->lock);
	if (!err)
		notify_name(dir, IN_CREATE, 0, d->name, dentry_is_dir(d));
	dentry_put(d);
}

u32 apply_umask(const struct inode *dir, u32 mode)
{
	return dir->default_acl ? mode : mode & ~fs_context_umask(current->fs);
}

int namei_mknod(int dirfd, const char *path, u32 mode, u64 rdev, struct path *out)
{
	const struct inode_ops *ops;
	struct dentry *d;
	struct walk w;
	int err;

	switch (mode & S_IFMT) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	err = walk_start(&w, dirfd, path, WALK_PARENT);
	if (err)
		return err;
	d = begin_create(&w, false);
	if (IS_ERR(d)) {
		err = (int)PTR_ERR(d);
		goto out;
	}
	err = 0;
	ops = w.path.dentry->inode->ops;
	mode = (mode & S_IFMT) | apply_umask(w.path.dentry->inode, mode & 07777);
	if (!S_ISCHR(mode) && !S_ISBLK(mode))
		rdev = 0;
	else if ((S_ISBLK(mode) || rdev) &&
		 !process_capable(CAP_MKNOD)) /* character device 0:0 is a whiteout */
		err = -EPERM;
	if (!err)
		err = ops && ops->create ? ops->create(w.path.dentry->inode, d, mode, rdev) : -EPERM;
	if (!err && out) {
		*out = (struct path){w.path.mnt, d};
		path_get(out);
	}
	end_create(&w, d, err);
out:
	walk_end(&w);
	return err;
}

int vfs_mknod(const char *path, u32 mode, u64 rdev, struct path *out)
{
	return namei_mknod(AT_FDCWD, path, mode, rdev, out);
}

int namei_mkdir(int dirfd, const char *path, u32 mode)
{
	const struct inode_ops *ops;
	struct dentry *d;
	struct walk w;
	int err = walk_start(&w, dirfd, path, WALK_PARENT);

	if (err)
		return err;
	d = begin_create(&w, true);
	if (IS_ERR(d)) {
		err = (int)PTR_ERR(d);
		goto out;
	}
	ops = w.path.dentry->inode->ops;
	mode = S_IFDIR | apply_umask(w.path.dentry->inode, mode & 01777);
	err = ops && ops->mkdir ? ops->mkdir(w.path.dentry->inode, d, mode) : -EPERM;
	end_create(&w, d, err);
out:
	walk_end(&w);
	return err;
}

int namei_symlink(const char *target, int dirfd, const char *path)
{
	const struct inode_ops *ops;
	struct dentry *d;
	struct walk w;
	int err;

	if (!*target)
		return -ENOENT;
	err = walk_start(&w, dirfd, path, WALK_PARENT);
	if (err)
		return err;
	d = begin_create(&w, false);
	if (IS_ERR(d)) {
		err = (int)PTR_ERR(d);
		goto out;
	}
	ops = w.path.dentry->inode->ops;
	err = ops && ops->symlink ? ops->symlink(w.path.dentry->inode, d, target) : -EPERM;
	end_create(&w, d, err);
out:
	walk_end(&w);
	return err;
}

static int link_checked(struct inode *dir, struct dentry *d, struct inode *i)
{
	int err;

	if (!dir->ops || !dir->ops->link)
		return -EPERM;
	mutex_lock(&i->lock);
	if (!i->nlink && !(i->flags & INODE_LINKABLE))
		err = -ENOENT;
	else
		err = dir->ops->link(dir, d, i);
	if (!err)
		atomic_fetch_and(&i->flags, ~(u32)INODE_LINKABLE);
	mutex_unlock(&i->lock);
	return err;
}

/* fs.protected_hardlinks: who is not the owner links only plain files that he may read and write. */
static bool may_link(struct inode *i)
{
	if (!vfs_protected_hardlinks || inode_owner_or_capable(i))
		return true;
	return S_ISREG(i->mode) && !(i->mode & S_ISUID) &&
	       (i->mode & (S_ISGID | S_IXGRP)) != (S_ISGID | S_IXGRP) &&
	       !inode_permission(i, MAY_READ | MAY_WRITE);
}

int namei_link(int olddir, const char *old, int newdir, const char *new, u32 at_flags)
{
	u32 flags = at_flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0;
	struct path from;
	struct dentry *d;
	struct walk w;
	int err;

	if (at_flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (at_flags & AT_EMPTY_PATH) {
		if (!*old && !process_capable(CAP_DAC_READ_SEARCH))
			return -ENOENT;
		flags |= WALK_EMPTY;
	}
	err = walk_path(olddir, old, flags, &from);
	if (err)
		return err;
	err = walk_start(&w, newdir, new, WALK_PARENT);
	if (err)
		goto out_from;
	d = begin_create(&w, false);
	if (IS_ERR(d)) {
		err = (int)PTR_ERR(d);
		goto out;
	}
	if (from.mnt != w.path.mnt)
		err = -EXDEV;
	else if (dentry_is_dir(from.dentry) || !may_link(from.dentry->inode) ||
		 from.dentry->inode->flags & (INODE_IMMUTABLE | INODE_APPEND))
		err = -EPERM;
	else
		err = link_checked(w.path.dentry->inode, d, from.dentry->inode);
	if (!err && !list_empty(&from.dentry->inode->watches))
		inotify_event(from.dentry->inode, IN_ATTRIB, 0, NULL); /* its number of links */
	end_create(&w, d, err);
out:
	walk_end(&w);
out_from:
	path_put(&from);
	return err;
}

static int remove_locked(struct inode *dir, struct dentry *d, bool rmdir)
{
	struct inode *i = d->inode;
	int err;

	if (rmdir ? !dir->ops || !dir->ops->rmdir : !dir->ops || !dir->ops->unlink)
		return -EPERM;
	mutex_lock(&i->lock);
	err = rmdir ? dir->ops->rmdir(dir, d) : dir->ops->unlink(dir, d);
	if (!err && rmdir)
		i->flags |= INODE_DEAD;
	mutex_unlock(&i->lock);
	if (!err)
		dcache_unlink(d);
	return err;
}

int namei_unlink(int dirfd, const char *path, bool rmdir)
{
	char name[NAME_LEN_MAX + 1];
	struct inode *dir;
	struct dentry *d;
	struct walk w;
	int err = walk_start(&w, dirfd, path, WALK_PARENT);

	if (err)
		return err;
	if (w.last_type != LAST_NORMAL) {
		err = !rmdir			   ? -EISDIR
		      : w.last_type == LAST_DOT	   ? -EINVAL
		      : w.last_type == LAST_DOTDOT ? -ENOTEMPTY
						   : -EBUSY;
		goto out;
	}
	err = path_want_write(&w.path);
	if (err)
		goto out;
	dir = w.path.dentry->inode;
	d = lock_and_look(&w);
	if (IS_ERR(d)) {
		err = (int)PTR_ERR(d);
		goto out;
	}
	if (!d->inode)
		err = -ENOENT;
	else if (w.trailing && !rmdir)
		err = dentry_is_dir(d) ? -EISDIR : -ENOTDIR;
	if (!err)
		err = may_delete(dir, d, rmdir);
	if (!err)
		err = remove_locked(dir, d, rmdir);
	mutex_unlock(&dir->lock);
	if (!err && !rmdir && !list_empty(&d->inode->watches))
		inotify_event(d->inode, IN_ATTRIB, 0, NULL);
	str_copy(name, d->name, sizeof name);
	dentry_put(d); /* where this is the end of the inode, its own watchers hear of it first */
	if (!err)
		notify_name(dir, IN_DELETE, 0, name, rmdir);
out:
	walk_end(&w);
	return err;
}
