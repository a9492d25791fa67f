/* SPDX-License-Identifier: BSD-2-Clause */
/* Attributes: reading them for stat, changing them with the checks of chmod, chown, utimensat and truncate,
 * and the times that reading and writing leave behind. Changes hold the inode's lock. */
#include "base/string.h"
#include "acl.h"
#include "kernel/clock.h"
#include "kernel/signal.h"
#include <linux/inotify.h>
#include <linux/mount.h>

static struct statx_timestamp timestamp(u64 ns)
{
	s64 sec = (s64)ns / (s64)NSEC_PER_SEC, rest = (s64)ns % (s64)NSEC_PER_SEC;

	if (rest < 0) {
		sec--;
		rest += NSEC_PER_SEC;
	}
	return (struct statx_timestamp){.tv_sec = sec, .tv_nsec = (u32)rest};
}

static u32 dev_major(u64 dev)
{
	return dev >> 8 & 0xfff;
}

static u32 dev_minor(u64 dev)
{
	return (dev & 0xff) | (dev >> 12 & 0xfff00);
}

void inode_getattr(struct inode *i, struct statx *out)
{
	memset(out, 0, sizeof *out);
	out->stx_mask = STATX_BASIC_STATS | (i->btime ? STATX_BTIME : 0);
	out->stx_blksize = max(i->super->block_size, 512u);
	out->stx_nlink = i->nlink;
	out->stx_uid = i->uid;
	out->stx_gid = i->gid;
	out->stx_mode = (u16)i->mode;
	out->stx_ino = i->ino;
	out->stx_size = READ_ONCE(i->size);
	out->stx_blocks = i->blocks;
	out->stx_atime = timestamp(i->atime);
	out->stx_mtime = timestamp(i->mtime);
	out->stx_ctime = timestamp(i->ctime);
	out->stx_btime = timestamp(i->btime);
	out->stx_rdev_major = dev_major(i->rdev);
	out->stx_rdev_minor = dev_minor(i->rdev);
	out->stx_dev_major = dev_major(i->super->dev);
	out->stx_dev_minor = dev_minor(i->super->dev);
	if (i->super->acl) {
		out->stx_attributes_mask = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP;
		out->stx_attributes = i->flags >> INODE_CHATTR_SHIFT & out->stx_attributes_mask;
	}
}

int path_getattr(const struct path *p, struct statx *out)
{
	struct inode *i = p->dentry->inode;
	int err = 0;

	inode_getattr(i, out);
	if (i->ops && i->ops->getattr)
		err = i->ops->getattr(i, out);
	out->stx_mnt_id = p->mnt->id;
	out->stx_mask |= STATX_MNT_ID;
	out->stx_attributes_mask |= STATX_ATTR_MOUNT_ROOT | STATX_ATTR_AUTOMOUNT | STATX_ATTR_DAX;
	if (p->dentry == p->mnt->root)
		out->stx_attributes |= STATX_ATTR_MOUNT_ROOT;
	return err;
}

int file_getattr(struct file *f, struct statx *out)
{
	int err = 0;

	if (f->path.dentry)
		err = path_getattr(&f->path, out);
	else if (file_inode(f))
		inode_getattr(f->inode, out);
	else
		err = -ENOMEM;
	if (!err && f->ops && f->ops->getattr)
		f->ops->getattr(f, out);
	return err;
}

void inode_apply_attr(struct inode *i, const struct inode_attr *a)
{
	if (a->valid & ATTR_UID)
		i->uid = a->uid;
	if (a->valid & ATTR_GID)
		i->gid = a->gid;
	if (a->valid & ATTR_MODE) {
		i->mode = (i->mode & S_IFMT) | (a->mode & 07777);
		if (unlikely(i->acl))
			acl_chmod(i->acl, a->mode);
	}
	if (a->valid & ATTR_ATIME)
		i->atime = a->atime;
	if (a->valid & ATTR_MTIME)
		i->mtime = a->mtime;
	if (a->valid & ATTR_CTIME)
		i->ctime = a->ctime;
	if (a->valid & ATTR_FLAGS)
		inode_set_chattr(i, a->flags);
}

void inode_set_chattr(struct inode *i, u32 flags)
{
	atomic_fetch_and(&i->flags, flags | ~(u32)INODE_CHATTR);
	atomic_fetch_or(&i->flags, flags);
}

void inode_init_owner(struct inode *i, const struct inode *dir, u32 mode)
{
	struct creds c = creds_fs();

	i->uid = c.uid;
	i->gid = c.gid;
	if (dir)
		i->flags |= dir->flags & (INODE_NODUMP | INODE_NOATIME);
	if (dir && dir->mode & S_ISGID) {
		i->gid = dir->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !creds_in_group(&c, i->gid) &&
			 !creds_capable(&c, CAP_FSETID))
			mode &= ~(u32)S_ISGID;
	}
	i->mode = mode;
}

/* May the process make these changes? */
static int setattr_allowed(struct inode *i, struct inode_attr *a)
{
	struct creds c = creds_fs();
	bool owner = c.uid == i->uid, chowner = creds_capable(&c, CAP_CHOWN);
	bool sets = a->valid & (ATTR_MODE | ATTR_CHOWN);

	if (a->valid & (ATTR_ATIME | ATTR_MTIME) && !(a->valid & ATTR_SIZE))
		sets |= i->flags & INODE_IMMUTABLE ||
			!(a->valid & ATTR_ATIME_NOW && a->valid & ATTR_MTIME_NOW);
	if (unlikely(i->flags & (INODE_IMMUTABLE | INODE_APPEND)) && sets)
		return -EPERM;
	if (a->valid & ATTR_UID && !chowner && (!owner || a->uid != i->uid))
		return -EPERM;
	if (a->valid & ATTR_GID && !chowner && (!owner || (a->gid != i->gid && !creds_in_group(&c, a->gid))))
		return -EPERM;
	if (a->valid & ATTR_MODE) {
		if (!owner && !creds_capable(&c, CAP_FOWNER))
			return -EPERM;
		if (!creds_in_group(&c, i->gid) && !creds_capable(&c, CAP_FSETID))
			a->mode &= ~(u32)S_ISGID;
	}
	return 0;
}

/* Does a change of contents or owner by this process take the set-group-ID bit? */
static bool loses_sgid(const struct inode *i)
{
	struct creds c = creds_fs();

	return i->mode & S_ISGID &&
	       (i->mode & S_IXGRP || (!creds_in_group(&c, i->gid) && !creds_capable(&c, CAP_FSETID)));
}

/* A change of owner takes the set-ID bits of files. */
static void chown_kills_ids(struct inode *i, struct inode_attr *a)
{
	if (!(a->valid & ATTR_CHOWN) || S_ISDIR(i->mode))
		return;
	a->mode = i->mode & ~(u32)S_ISUID;
	if (loses_sgid(i))
		a->mode &= ~(u32)S_ISGID;
	if (a->mode != i->mode)
		a->valid |= ATTR_MODE;
}

int inode_setattr(const struct path *p, struct inode *i, struct inode_attr *a)
{
	u32 asked = a->valid, mask = 0;
	int err = p && p->mnt ? path_want_write(p) : 0;

	if (err)
		return err;
	mutex_lock(&i->lock);
	chown_kills_ids(i, a);
	err = setattr_allowed(i, a);
	if (err)
		goto out;
	if (!(a->valid & ATTR_CTIME)) {
		a->valid |= ATTR_CTIME;
		a->ctime = clock_realtime();
	}
	if (i->ops && i->ops->setattr)
		err = i->ops->setattr(i, a);
	else if (a->valid & ATTR_SIZE)
		err = i->flags & INODE_PSEUDO || !S_ISREG(i->mode) ? 0 : -EINVAL;
	else
		inode_apply_attr(i, a);
out:
	mutex_unlock(&i->lock);
	if (err || !p || !p->dentry)
		return err;
	if (asked & ATTR_SIZE)
		mask |= IN_MODIFY;
	if (asked & (ATTR_MODE | ATTR_UID | ATTR_GID) || (asked & ATTR_ATIME && asked & ATTR_MTIME))
		mask |= IN_ATTRIB;
	else if (asked & ATTR_MTIME)
		mask |= asked & ATTR_SIZE ? 0 : IN_MODIFY;
	else if (asked & ATTR_ATIME)
		mask |= IN_ACCESS;
	if (mask)
		notify_dentry(p->dentry, mask);
	return 0;
}

/* Relative access times: only when the old one no longer tells whether the file was read since it changed, or
 * is a day old. */
void inode_touch_atime(struct file *f)
{
	struct inode *i = f->inode;
	u32 mf = f->path.mnt->flags;
	u64 now;

	if (f->flags & O_NOATIME || i->flags & INODE_NOATIME || mf & (MS_NOATIME | MS_RDONLY) ||
	    i->super->read_only)
		return;
	if (mf & MS_NODIRATIME && S_ISDIR(i->mode))
		return;
	if (!(mf & MS_STRICTATIME) && i->atime > i->mtime && i->atime > i->ctime) {
		now = clock_realtime();
		if ((s64)(now - i->atime) < 86400ll * (s64)NSEC_PER_SEC)
			return;
		i->atime = now;
		return;
	}
	i->atime = clock_realtime();
}

void inode_touch_mtime(struct inode *i)
{
	i->mtime = i->ctime = clock_realtime();
}

/* The mode that I keeps when this process changes its contents. */
static u32 mode_without_privs(const struct inode *i)
{
	u32 kill = 0;

	if (likely(!(i->mode & (S_ISUID | S_ISGID))) || process_capable(CAP_FSETID))
		return i->mode;
	if (i->mode & S_ISUID)
		kill |= S_ISUID;
	if (loses_sgid(i))
		kill |= S_ISGID;
	return i->mode & ~kill;
}

void inode_remove_privs(struct inode *i)
{
	u32 mode = mode_without_privs(i);

	if (unlikely(mode != i->mode))
		i->mode = mode;
}

/* Set the size. The caller has checked that the file may be written. */
int inode_truncate(struct inode *i, u64 size, bool open)
{
	struct inode_attr a = {.valid = ATTR_SIZE | ATTR_MTIME | ATTR_CTIME | (open ? ATTR_OPEN : 0),
			       .size = size};
	u64 limit = current_process()->rlim[RLIMIT_FSIZE].rlim_cur;
	int err;

	if (i->flags & INODE_APPEND)
		return -EPERM;
	if (size > MAX_FILE_SIZE)
		return -EFBIG;
	if (size > i->size && size > limit) {
		signal_send_thread(current, SIGXFSZ, NULL);
		return -EFBIG;
	}
	a.mtime = a.ctime = clock_realtime();
	mutex_lock(&i->lock);
	a.mode = mode_without_privs(i);
	if (a.mode != i->mode)
		a.valid |= ATTR_MODE;
	if (i->ops && i->ops->setattr)
		err = i->ops->setattr(i, &a);
	else
		err = i->flags & INODE_PSEUDO || !S_ISREG(i->mode) ? 0 : -EINVAL;
	mutex_unlock(&i->lock);
	return err;
}
