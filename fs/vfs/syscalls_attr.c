/* SPDX-License-Identifier: BSD-2-Clause */
/* Changing attributes: chmod(2), chown(2), utimensat(2) and relatives. */
#include "syscalls.h"
#include "kernel/clock.h"
#include <linux/time.h>
#include <linux/utime.h>

/* Values of tv_nsec: not in the UAPI headers. */
#define UTIME_NOW  ((1l << 30) - 1)
#define UTIME_OMIT ((1l << 30) - 2)

/* A path to what FD is open on, with references. */
static int fd_path(int fd, struct path *out)
{
	struct file *f = fd_get(fd);
	int err;

	if (!f)
		return -EBADF;
	err = file_get_path(f, out);
	file_put(f);
	return err;
}

static int chmod_path(const struct path *p, u32 mode)
{
	struct inode_attr a = {.valid = ATTR_MODE, .mode = mode & 07777};

	if (S_ISLNK(p->dentry->inode->mode))
		return -EOPNOTSUPP;
	return inode_setattr(p, p->dentry->inode, &a);
}

static long chmod_at(int dirfd, const char __app *name, u32 mode, u32 flags)
{
	struct path p;
	int err;

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = walk_app_path(dirfd, name, walk_flags_at(flags), &p);
	if (err)
		return err;
	err = chmod_path(&p, mode);
	path_put(&p);
	return err;
}

SYSCALL_DEFINE2(chmod, const char __app *, name, u32, mode)
{
	return chmod_at(AT_FDCWD, name, mode, 0);
}

SYSCALL_DEFINE3(fchmodat, int, dirfd, const char __app *, name, u32, mode)
{
	return chmod_at(dirfd, name, mode, 0);
}

SYSCALL_DEFINE2(fchmod, int, fd, u32, mode)
{
	struct path p;
	int err = fd_path(fd, &p);

	if (err)
		return err;
	err = chmod_path(&p, mode);
	path_put(&p);
	return err;
}

static int chown_path(const struct path *p, u32 uid, u32 gid)
{
	struct inode_attr a = {.uid = uid, .gid = gid};

	a.valid = ATTR_CHOWN | (uid != ~0u ? ATTR_UID : 0) | (gid != ~0u ? ATTR_GID : 0);
	return inode_setattr(p, p->dentry->inode, &a);
}

static long chown_at(int dirfd, const char __app *name, u32 uid, u32 gid, u32 flags)
{
	struct path p;
	int err;

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = walk_app_path(dirfd, name, walk_flags_at(flags), &p);
	if (err)
		return err;
	err = chown_path(&p, uid, gid);
	path_put(&p);
	return err;
}

SYSCALL_DEFINE3(chown, const char __app *, name, u32, uid, u32, gid)
{
	return chown_at(AT_FDCWD, name, uid, gid, 0);
}

SYSCALL_DEFINE3(lchown, const char __app *, name, u32, uid, u32, gid)
{
	return chown_at(AT_FDCWD, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

SYSCALL_DEFINE5(fchownat, int, dirfd, const char __app *, name, u32, uid, u32, gid, u32, flags)
{
	return chown_at(dirfd, name, uid, gid, flags);
}

SYSCALL_DEFINE3(fchown, int, fd, u32, uid, u32, gid)
{
	struct path p;
	int err = fd_path(fd, &p);

	if (err)
		return err;
	err = chown_path(&p, uid, gid);
	path_put(&p);
	return err;
}

/* Set times: T[0] access, T[1] modification; NULL: both now. Whoever may write may set "now"; other times are
 * the owner's to set. */
static int set_times(const struct path *p, const struct __kernel_timespec *t)
{
	struct inode *i = p->dentry->inode;
	struct inode_attr a = {.valid = ATTR_ATIME | ATTR_MTIME | ATTR_CTIME};
	bool all_now = true;

	if (!t)
		a.valid |= ATTR_ATIME_NOW | ATTR_MTIME_NOW;
	a.atime = a.mtime = a.ctime = clock_realtime();
	for (int n = 0; t && n < 2; n++) {
		u64 *out = n ? &a.mtime : &a.atime;

		if (t[n].tv_nsec == UTIME_NOW) {
			a.valid |= n ? ATTR_MTIME_NOW : ATTR_ATIME_NOW;
			continue;
		}
		all_now = false;
		if (t[n].tv_nsec == UTIME_OMIT)
			a.valid &= ~(u32)(n ? ATTR_MTIME : ATTR_ATIME);
		else if (t[n].tv_nsec < 0 || t[n].tv_nsec >= (s64)NSEC_PER_SEC)
			return -EINVAL;
		else
			*out = (u64)clamp((s64)t[n].tv_sec, -9223372036ll, 9223372035ll) * NSEC_PER_SEC +
			       (u64)t[n].tv_nsec;
	}
	if (!(a.valid & (ATTR_ATIME | ATTR_MTIME)))
		return 0;
	if (!inode_owner_or_capable(i)) {
		if (!all_now)
			return -EPERM;
		if (inode_permission(i, MAY_WRITE))
			return -EACCES;
	}
	return inode_setattr(p, i, &a);
}

static long times_at(int dirfd, const char __app *name, const struct __kernel_timespec *t, u32 flags)
{
	struct path p;
	int err;

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (!name && dirfd != AT_FDCWD) /* futimens */
		err = flags ? -EINVAL : fd_path(dirfd, &p);
	else
		err = walk_app_path(dirfd, name, walk_flags_at(flags), &p);
	if (err)
		return err;
	err = set_times(&p, t);
	path_put(&p);
	return err;
}

SYSCALL_DEFINE4(utimensat, int, dirfd, const char __app *, name, const struct __kernel_timespec __app *, ut,
		u32, flags)
{
	struct __kernel_timespec t[2];

	if (ut) {
		if (copy_from_app(t, ut, sizeof t))
			return -EFAULT;
		/* Nothing to do is nothing to check. */
		if (t[0].tv_nsec == UTIME_OMIT && t[1].tv_nsec == UTIME_OMIT)
			return 0;
	}
	return times_at(dirfd, name, ut ? t : NULL, flags);
}

static long times_from_timeval(int dirfd, const char __app *name,
			       const struct __kernel_old_timeval __app *utv)
{
	struct __kernel_old_timeval tv[2];
	struct __kernel_timespec t[2];

	if (utv) {
		if (copy_from_app(tv, utv, sizeof tv))
			return -EFAULT;
		for (int n = 0; n < 2; n++) {
			if (tv[n].tv_usec < 0 || tv[n].tv_usec >= 1000000)
				return -EINVAL;
			t[n] = (struct __kernel_timespec){.tv_sec = tv[n].tv_sec,
							  .tv_nsec = tv[n].tv_usec * 1000};
		}
	}
	return times_at(dirfd, name, utv ? t : NULL, 0);
}

SYSCALL_DEFINE2(utimes, const char __app *, name, const struct __kernel_old_timeval __app *, tv)
{
	return times_from_timeval(AT_FDCWD, name, tv);
}

SYSCALL_DEFINE3(futimesat, int, dirfd, const char __app *, name, const struct __kernel_old_timeval __app *,
		tv)
{
	return times_from_timeval(dirfd, name, tv);
}

SYSCALL_DEFINE2(utime, const char __app *, name, const struct utimbuf __app *, ut)
{
	struct __kernel_timespec t[2] = {{0}};
	struct utimbuf u;

	if (ut) {
		if (get_app(u, ut))
			return -EFAULT;
		t[0].tv_sec = u.actime;
		t[1].tv_sec = u.modtime;
	}
	return times_at(AT_FDCWD, name, ut ? t : NULL, 0);
}
