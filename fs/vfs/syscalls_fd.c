/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors: close(2), close_range(2), dup(2), fcntl(2), flock(2), ioctl(2). */
#include "syscalls.h"
#include <asm/ioctls.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#define LOCK_MAND  32 /* flock's: not all are in the UAPI headers */
#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC)

SYSCALL_DEFINE1(close, int, fd)
{
	int err = fd_close(fd);

	/* The descriptor is gone: a restart would close another one. */
	return err == -ERESTARTSYS || err == -ERESTARTNOINTR || err == -ERESTARTNOHAND ? -EINTR : err;
}

SYSCALL_DEFINE3(close_range, unsigned, first, unsigned, last, unsigned, flags)
{
	int err;

	if (first > last || flags & ~(unsigned)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return -EINVAL;
	err = flags & CLOSE_RANGE_UNSHARE ? fdtable_unshare() : 0;
	return err ? err : fd_close_range(first, last, flags & CLOSE_RANGE_CLOEXEC);
}

static long dup_from(int fd, u64 min_fd, bool cloexec)
{
	struct file *f;
	int new;

	f = fd_get_raw(fd);
	if (!f)
		return -EBADF;
	new = fd_reserve((int)min_fd, cloexec);
	if (new < 0)
		file_put(f);
	else
		fd_install(new, f);
	return new;
}

SYSCALL_DEFINE1(dup, int, fd)
{
	return dup_from(fd, 0, false);
}

static long dup_to(int oldfd, int newfd, bool cloexec)
{
	struct file *f;
	long ret;

	if ((u64)(unsigned)newfd >= current_process()->rlim[RLIMIT_NOFILE].rlim_cur)
		return -EBADF;
	f = fd_get_raw(oldfd);
	if (!f)
		return -EBADF;
	ret = fd_dup_to(f, newfd, cloexec);
	file_put(f);
	return ret;
}

SYSCALL_DEFINE2(dup2, int, oldfd, int, newfd)
{
	if (oldfd == newfd) {
		struct file *f = fd_get_raw(oldfd);

		if (!f)
			return -EBADF;
		file_put(f);
		return newfd;
	}
	return dup_to(oldfd, newfd, false);
}

SYSCALL_DEFINE3(dup3, int, oldfd, int, newfd, int, flags)
{
	if (flags & ~O_CLOEXEC || oldfd == newfd)
		return -EINVAL;
	return dup_to(oldfd, newfd, flags & O_CLOEXEC);
}

static long set_flags(int fd, struct file *f, u32 arg)
{
	u32 old = f->flags, new = (old & ~(u32)SETFL_MASK) | (arg & SETFL_MASK);
	int err = 0;

	if (!f->ops->async)
		new &= ~(u32)FASYNC;
	if ((arg ^ old) & O_APPEND && f->inode && f->inode->flags & INODE_APPEND)
		return -EPERM;
	if (arg & O_NOATIME && !(old & O_NOATIME) && f->inode && !inode_owner_or_capable(f->inode))
		return -EPERM;
	if (f->ops->set_flags && new != old)
		err = f->ops->set_flags(f, new);
	else if (!f->ops->set_flags && new &O_DIRECT && !(old & O_DIRECT) && !(f->inode && f->inode->cache))
		err = -EINVAL;
	if (!err && (new ^ old) & FASYNC)
		err = sigio_enable(f, fd, new &FASYNC);
	if (!err)
		f->flags = new;
	return err;
}

static long record_lock(int fd, struct file *f, unsigned cmd, struct flock __app *ufl)
{
	bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
	bool get = cmd == F_GETLK || cmd == F_OFD_GETLK;
	struct file *now;
	struct flock fl;
	int err;

	if (get_app(fl, ufl))
		return -EFAULT;
	err = locks_posix(f, cmd, &fl, ofd);
	if (err)
		return err;
	if (get)
		return put_app(fl, ufl);
	if (ofd || fl.l_type == F_UNLCK)
		return 0;
	/* Another thread may have closed the descriptor meanwhile, before there was a lock to drop. */
	now = fd_get_raw(fd);
	if (now == f) {
		file_put(now);
		return 0;
	}
	if (now)
		file_put(now);
	fl.l_type = F_UNLCK;
	locks_posix(f, F_SETLK, &fl, false);
	return -EBADF;
}

static long set_owner(struct file *f, int who)
{
	if (who == INT32_MIN)
		return -EINVAL;
	return who < 0 ? sigio_set_owner(f, F_OWNER_PGRP, (u32)-who)
		       : sigio_set_owner(f, F_OWNER_PID, (u32)who);
}

static long get_owner(struct file *f)
{
	int type, id = (int)sigio_owner(f, &type);

	return type == F_OWNER_PGRP ? -id : id;
}

static long set_owner_ex(struct file *f, const struct f_owner_ex __app *arg)
{
	struct f_owner_ex o;

	if (get_app(o, arg))
		return -EFAULT;
	if (o.type != F_OWNER_TID && o.type != F_OWNER_PID && o.type != F_OWNER_PGRP)
		return -EINVAL;
	return sigio_set_owner(f, o.type, (u32)o.pid);
}

static long get_owner_ex(struct file *f, struct f_owner_ex __app *arg)
{
	struct f_owner_ex o;

	o.pid = (int)sigio_owner(f, &o.type);
	return put_app(o, arg);
}

static long fcntl_file(int fd, struct file *f, unsigned cmd, u64 arg)
{
	long ret;

	switch (cmd) {
	case F_SETFL:
		return set_flags(fd, f, (u32)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return record_lock(fd, f, cmd, (struct flock __app *)arg);
	case F_SETOWN:
		return set_owner(f, (int)arg);
	case F_GETOWN:
		return get_owner(f);
	case F_SETOWN_EX:
		return set_owner_ex(f, (const struct f_owner_ex __app *)arg);
	case F_GETOWN_EX:
		return get_owner_ex(f, (struct f_owner_ex __app *)arg);
	case F_SETSIG:
		return sigio_set_signal(f, arg);
	case F_GETSIG:
		return sigio_signal(f);
	case F_NOTIFY:
		return dnotify_fcntl(fd, f, (u32)arg);
	case F_SETLEASE:
		return lease_set(fd, f, arg);
	case F_GETLEASE:
		return lease_get(f);
	case F_ADD_SEALS:
		if (!file_writable(f))
			return -EPERM;
		return f->ops->fcntl ? f->ops->fcntl(f, cmd, arg) : -EINVAL;
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		ret = f->ops->fcntl ? f->ops->fcntl(f, cmd, arg) : -EINVAL;
		return ret == -EINVAL && !(f->inode && S_ISFIFO(f->inode->mode)) ? -EBADF : ret;
	default:
		return f->ops->fcntl ? f->ops->fcntl(f, cmd, arg) : -EINVAL;
	}
}

SYSCALL_DEFINE3(fcntl, int, fd, unsigned, cmd, u64, arg)
{
	struct file *f;
	long ret;

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		f = fd_get_raw(fd);
		if (!f)
			return -EBADF;
		file_put(f);
		if (arg >= current_process()->rlim[RLIMIT_NOFILE].rlim_cur || arg > INT32_MAX)
			return -EINVAL;
		return dup_from(fd, arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fd_cloexec_get(fd);
	case F_SETFD:
		return fd_cloexec_set(fd, arg & FD_CLOEXEC);
	}
	f = cmd == F_GETFL ? fd_get_raw(fd) : fd_get(fd);
	if (!f)
		return -EBADF;
	ret = cmd == F_GETFL ? (long)f->flags : fcntl_file(fd, f, cmd, arg);
	file_put(f);
	return ret;
}

SYSCALL_DEFINE2(flock, int, fd, unsigned, op)
{
	bool wait = !(op & LOCK_NB);
	struct file *f;
	int err;

	if (op & LOCK_MAND)
		return 0; /* locks that never worked are asked for in vain, as on Linux */
	op &= ~(unsigned)LOCK_NB;
	if (op != LOCK_SH && op != LOCK_EX && op != LOCK_UN)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	err = locks_flock(f, op, wait);
	file_put(f);
	return err;
}

/* FIONBIO and FIOASYNC: a flag by an int. */
static long ioctl_flag(int fd, struct file *f, u32 flag, const int __app *arg)
{
	int on;

	if (get_app(on, arg))
		return -EFAULT;
	if (flag == FASYNC && !f->ops->async && !on != !(f->flags & FASYNC))
		return -ENOTTY;
	return set_flags(fd, f, on ? f->flags | flag : f->flags & ~flag);
}

/* FS_IOC_GETFLAGS and FS_IOC_SETFLAGS: what chattr sets. */
static long ioctl_chattr(struct file *f, struct inode *i, bool set, u32 __app *arg)
{
	struct inode_attr a = {.valid = ATTR_FLAGS};
	u32 flags = (i->flags & INODE_CHATTR) >> INODE_CHATTR_SHIFT;
	u32 old = flags;
	int err;

	if (!i->super->acl || (!S_ISREG(i->mode) && !S_ISDIR(i->mode)))
		return -ENOTTY;
	if (!set)
		return put_app(flags, arg);
	if (get_app(flags, arg))
		return -EFAULT;
	err = path_want_write(&f->path);
	if (err)
		return err;
	if (!inode_owner_or_capable(i) ||
	    ((old ^ flags) & (FS_IMMUTABLE_FL | FS_APPEND_FL) && !process_capable(CAP_LINUX_IMMUTABLE)))
		return -EPERM;
	if (flags & ~(u32)(INODE_CHATTR >> INODE_CHATTR_SHIFT))
		return -EOPNOTSUPP;
	a.flags = flags << INODE_CHATTR_SHIFT;
	return inode_setattr(&f->path, i, &a);
}

/* What every file has, after the file system was asked. */
static long ioctl_common(struct file *f, unsigned cmd, u64 arg)
{
	struct inode *i = file_inode(f);
	struct statx x;
	s64 left;
	int err;

	if (!i)
		return -ENOMEM;
	switch (cmd) {
	case FIONREAD:
		left = (s64)(i->size - f->pos);
		return S_ISREG(i->mode)
			       ? put_app((int)clamp(left, (s64)INT32_MIN, (s64)INT32_MAX), (int __app *)arg)
			       : -ENOTTY;
	case FIOQSIZE:
		if (!S_ISREG(i->mode) && !S_ISDIR(i->mode))
			return -ENOTTY;
		err = file_getattr(f, &x);
		return err ? err : put_app((s64)x.stx_blocks * 512, (s64 __app *)arg);
	case FIGETBSZ:
		return put_app((int)i->super->block_size, (int __app *)arg);
	case FIFREEZE:
	case FITHAW:
		return !process_capable(CAP_SYS_ADMIN) ? -EPERM : cmd == FITHAW ? -EINVAL : -EOPNOTSUPP;
	case FS_IOC_GETFLAGS:
	case FS_IOC_SETFLAGS:
		return ioctl_chattr(f, file_named_inode(f) ?: i, cmd == FS_IOC_SETFLAGS, (u32 __app *)arg);
	case FICLONE:
	case FICLONERANGE:
	case FS_IOC_FIEMAP:
		return -EOPNOTSUPP;
	default:
		return -ENOTTY;
	}
}

SYSCALL_DEFINE3(ioctl, int, fd, unsigned, cmd, u64, arg)
{
	struct file *f = fd_get(fd);
	long ret;

	if (!f)
		return -EBADF;
	switch (cmd) {
	case FIOCLEX:
		ret = fd_cloexec_set(fd, true);
		break;
	case FIONCLEX:
		ret = fd_cloexec_set(fd, false);
		break;
	case FIONBIO:
		ret = ioctl_flag(fd, f, O_NONBLOCK, (const int __app *)arg);
		break;
	case FIOASYNC:
		ret = ioctl_flag(fd, f, FASYNC, (const int __app *)arg);
		break;
	default:
		ret = -ENOTTY;
		if (f->ops->ioctl)
			ret = f->ops->ioctl(f, cmd, arg);
		if (ret == -ENOTTY)
			ret = ioctl_common(f, cmd, arg);
	}
	file_put(f);
	return ret;
}
