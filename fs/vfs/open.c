/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening files by name: look-up or creation, the checks, and handing over to the inode's file system, the
 * FIFO code or the device code. */
#include "internal.h"
#include <linux/inotify.h>
#include <linux/mount.h>

#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)

static const struct file_ops path_file_ops; /* O_PATH: nothing works */

static u32 access_mask(u64 flags)
{
	static const u8 masks[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};

	return masks[flags & O_ACCMODE] | (flags & O_TRUNC ? MAY_WRITE : 0);
}

static int may_open(const struct path *p, u64 flags)
{
	struct inode *i = p->dentry->inode;
	u32 mask = access_mask(flags);
	int err;

	switch (i->mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		if (mask & MAY_WRITE || flags & O_CREAT)
			return -EISDIR;
		break;
	case S_IFCHR:
	case S_IFBLK:
		if (p->mnt->flags & MS_NODEV)
			return -EACCES;
		break;
	}
	err = inode_permission(i, mask);
	if (err)
		return err;
	if (mask & MAY_WRITE && S_ISREG(i->mode)) {
		err = path_want_write(p);
		if (err)
			return err;
	}
	if (i->flags & INODE_APPEND && mask & MAY_WRITE && (!(flags & O_APPEND) || flags & O_TRUNC))
		return -EPERM;
	if (flags & O_NOATIME && !inode_owner_or_capable(i))
		return -EPERM;
	return 0;
}

static int hand_over(struct inode *i, struct file *f)
{
	int err = 0;

	f->ops = i->fops;
	if (i->ops && i->ops->open)
		err = i->ops->open(i, f);
	else if (S_ISFIFO(i->mode))
		err = fifo_open(i, f);
	else if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
		err = chrdev_open(i, f);
	if (!err && !f->ops)
		err = -ENXIO; /* a socket, for one */
	return err;
}

/* While F is open for writing no program runs from it, and what it lies in stays writable. */
static int count_open(struct file *f, bool write)
{
	struct inode *i = f->path.dentry->inode;
	int err;

	if (!write) {
		atomic_fetch_add_explicit(&i->readers, 1, memory_order_relaxed);
		f->read_counted = true;
		return 0;
	}
	err = inode_get_write(i);
	if (err)
		return err;
	f->write_counted = true;
	atomic_fetch_add(&f->path.mnt->writers, 1); /* before the look: pairs with mounts_written */
	return path_want_write(&f->path);
}

/* Open what P names. CREATED: by this call, so that its permissions do not count. */
static struct file *open_path(const struct path *p, u64 flags, bool created)
{
	struct inode *i = p->dentry->inode;
	struct file *f;
	int err;

	if (!(flags & O_PATH) && !created) {
		err = may_open(p, flags);
		if (err)
			return ERR_PTR(err);
	}
	f = file_alloc((u32)(flags & ~(u64)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC)));
	if (!f)
		return ERR_PTR(-ENOMEM);
	f->ops = &path_file_ops;
	f->path = *p;
	path_get(&f->path);
	f->inode = i;
	if (flags & O_PATH)
		return f;
	f->flags |= O_LARGEFILE;
	err = S_ISREG(i->mode) ? count_open(f, file_writable(f) || flags & O_TRUNC) : 0;
	if (err)
		goto fail;
	err = hand_over(i, f);
	f->flags &= ~(u32)O_NOCTTY; /* it was for the terminal's open */
	if (err)
		goto fail;
	if (S_ISREG(i->mode)) {
		err = lease_break(i, f->write_counted, flags & O_NONBLOCK);
		if (err)
			goto fail_opened;
	}
	if (flags & O_TRUNC && !created && S_ISREG(i->mode)) {
		err = inode_truncate(i, 0, true);
		if (err)
			goto fail_opened;
		notify_dentry(p->dentry, IN_MODIFY);
	}
	notify_dentry(p->dentry, IN_OPEN);
	return f;
fail:
	f->ops = &path_file_ops; /* nothing to release */
fail_opened:
	f->flags |= O_PATH; /* nobody saw it open: nobody hears of its close */
	file_put(f);
	return ERR_PTR(err);
}

struct file *vfs_open_path(const struct path *p, u32 flags)
{
	return open_path(p, flags, false);
}

struct file *vfs_open_exec(const struct path *p)
{
	int err = inode_permission(p->dentry->inode, MAY_EXEC);

	return err ? ERR_PTR(err) : open_path(p, O_RDONLY, true);
}

static int create_in(struct walk *w, struct dentry *d, u32 mode)
{
	struct inode *dir = w->path.dentry->inode;
	int err = path_want_write(&w->path);

	if (!err)
		err = may_create(dir);
	if (!err)
		err = dir->ops->create ? dir->ops->create(dir, d, S_IFREG | apply_umask(dir, mode & 07777), 0)
				       : -EACCES;
	if (!err && !(d->flags & DENTRY_HASHED))
		dcache_insert(d);
	return err;
}

/* Find or make the walk's last component. *OUT gets it, with a reference; *CREATED tells. */
static int look_or_create(struct walk *w, u64 flags, u32 mode, struct dentry **out, bool *created)
{
	struct dentry *dir = w->path.dentry, *d;
	int err = 0;

	d = lookup_child(dir, w->last, w->last_len, false);
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	if (!rcu_dereference(d->inode)) {
		dentry_put(d);
		mutex_lock(&dir->inode->lock);
		d = lookup_child(dir, w->last, w->last_len, true);
		if (IS_ERR(d)) {
			mutex_unlock(&dir->inode->lock);
			return (int)PTR_ERR(d);
		}
		if (!d->inode) {
			err = create_in(w, d, mode);
			*created = !err;
		}
		mutex_unlock(&dir->inode->lock);
		if (err == -EEXIST && !(flags & O_EXCL)) {
			/* Made meanwhile by somebody who does not go through this VFS. */
			dentry_put(d);
			d = lookup_child(dir, w->last, w->last_len, false);
			if (IS_ERR(d))
				return (int)PTR_ERR(d);
			err = rcu_dereference(d->inode) ? 0 : -ENOENT;
		}
		if (*created)
			notify_name(dir->inode, IN_CREATE, 0, d->name, false);
	}
	if (!err && !*created && flags & O_EXCL)
		err = -EEXIST;
	if (err) {
		dentry_put(d);
		return err;
	}
	*out = d;
	return 0;
}

/* O_CREAT found something in a sticky directory where others may put things, too: only what is the caller's
 * own, or the directory owner's, is opened. Files and FIFOs as fs.protected_regular and fs.protected_fifos
 * say: 1 for directories that everybody may write, 2 for a group's as well. */
static int sticky_trap(struct inode *dir, struct inode *i)
{
	u32 level = S_ISREG(i->mode) ? vfs_protected_regular : S_ISFIFO(i->mode) ? vfs_protected_fifos : 1;

	if (!level || !(dir->mode & S_ISVTX) || S_ISDIR(i->mode) || i->uid == dir->uid ||
	    i->uid == creds_fs().uid)
		return 0;
	return dir->mode & (level > 1 ? 0022 : 0002) ? -EACCES : 0;
}

/* open with O_CREAT. */
static struct file *open_create(int dirfd, const char *path, const struct open_how_kernel *how)
{
	struct dentry *d = NULL;
	bool created = false;
	struct path p;
	struct file *f;
	struct walk w;
	int err;

	err = walk_start(&w, dirfd, path, WALK_PARENT | how->walk);
	if (err)
		return ERR_PTR(err);
	for (;;) {
		p = w.path;
		err = walk_last_dots(&w);
		if (!err && w.last_type != LAST_NORMAL && how->flags & O_EXCL)
			err = -EEXIST;
		if (err)
			goto fail;
		if (w.last_type == LAST_ROOT) {
			/* "/", or a magic link led here. */
			path_get(&p);
			break;
		}
		err = -EISDIR;
		if (w.last_type != LAST_NORMAL || w.trailing)
			goto fail;
		err = look_or_create(&w, how->flags, how->mode, &d, &created);
		if (err)
			goto fail;
		if (!S_ISLNK(d->inode->mode)) {
			mount_get(p.mnt);
			p.dentry = d;
			path_follow_mounts(&p);
			break;
		}
		if (how->flags & O_NOFOLLOW) {
			err = sticky_trap(w.path.dentry->inode, d->inode);
			err = err ? err : -ELOOP;
		} else {
			err = walk_follow_last(&w, d);
		}
		dentry_put(d);
		if (err)
			goto fail;
	}
	err = created || w.last_type != LAST_NORMAL ? 0 : sticky_trap(w.path.dentry->inode, p.dentry->inode);
	f = err ? ERR_PTR(err) : open_path(&p, how->flags, created);
	path_put(&p);
	walk_end(&w);
	return f;
fail:
	walk_end(&w);
	return ERR_PTR(err);
}

static struct file *open_tmpfile(int dirfd, const char *path, const struct open_how_kernel *how)
{
	struct path dir, p;
	struct file *f;
	struct inode *di, *i;
	u32 follow = how->flags & O_NOFOLLOW ? 0 : WALK_FOLLOW;
	int err = walk_path(dirfd, path, follow | WALK_DIRECTORY | how->walk, &dir);

	if (err)
		return ERR_PTR(err);
	di = dir.dentry->inode;
	err = path_want_write(&dir);
	if (!err)
		err = inode_permission(di, MAY_WRITE | MAY_EXEC);
	if (!err && (!di->ops || !di->ops->tmpfile))
		err = -EOPNOTSUPP;
	f = ERR_PTR(err);
	if (err)
		goto out;
	mutex_lock(&di->lock);
	i = di->ops->tmpfile(di, S_IFREG | apply_umask(di, how->mode & 07777));
	mutex_unlock(&di->lock);
	f = (struct file *)i;
	if (IS_ERR(i))
		goto out;
	if (!(how->flags & O_EXCL))
		i->flags |= INODE_LINKABLE;
	p = (struct path){dir.mnt, dentry_alloc(NULL, "#tmpfile", 8)};
	f = ERR_PTR(-ENOMEM);
	if (!p.dentry) {
		inode_put(i);
		goto out;
	}
	p.dentry->flags |= DENTRY_NAMELESS | DENTRY_UNLINKED;
	p.dentry->inode = i;
	f = open_path(&p, how->flags, true);
	dentry_put(p.dentry);
out:
	path_put(&dir);
	return f;
}

int open_check_flags(struct open_how_kernel *how)
{
	if (how->flags & O_PATH)
		how->flags &= O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
	if (how->flags & TMPFILE_BIT && ((how->flags & O_TMPFILE) != O_TMPFILE ||
					 (how->flags & O_ACCMODE) == O_RDONLY || how->flags & O_CREAT))
		return -EINVAL;
	return (how->flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY) ? -EINVAL : 0;
}

struct file *file_open_at(int dirfd, const char *path, const struct open_how_kernel *how)
{
	u64 flags = how->flags;
	struct file *f;
	struct path p;
	int err;

	if (flags & TMPFILE_BIT)
		return open_tmpfile(dirfd, path, how);
	if (flags & O_CREAT)
		return open_create(dirfd, path, how);
	err = walk_path(dirfd, path,
			(flags & O_NOFOLLOW ? 0 : WALK_FOLLOW) | (flags & O_DIRECTORY ? WALK_DIRECTORY : 0) |
				how->walk,
			&p);
	if (err)
		return ERR_PTR(err);
	f = open_path(&p, flags, false);
	path_put(&p);
	return f;
}

struct file *vfs_open_at(int dirfd, const char *path, u32 flags, u32 mode)
{
	struct open_how_kernel how = {.flags = flags, .mode = mode};
	int err = open_check_flags(&how);

	return err ? ERR_PTR(err) : file_open_at(dirfd, path, &how);
}

struct file *vfs_open(const char *path, u32 flags, u32 mode)
{
	return vfs_open_at(AT_FDCWD, path, flags, mode);
}
