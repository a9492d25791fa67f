/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking about files: stat(2) and relatives, statx(2), access(2), readlink(2), statfs(2). */
#include "syscalls.h"
#include "base/string.h"
/* The ABI's structure has a member of the name of our macro. */
#pragma push_macro("__unused")
#undef __unused
#include <asm/stat.h>
#pragma pop_macro("__unused")
#include <asm/statfs.h>
#include <linux/mount.h>

#define ST_VALID 0x20 /* statfs.f_flags carries mount flags */

static u64 encode_dev(u32 major, u32 minor)
{
	return (minor & 0xff) | (u64)major << 8 | (u64)(minor & ~0xffu) << 12;
}

static long stat_to_app(const struct statx *x, struct stat __app *out)
{
	struct stat st;

	memset(&st, 0, sizeof st);
	st.st_dev = encode_dev(x->stx_dev_major, x->stx_dev_minor);
	st.st_ino = x->stx_ino;
	st.st_nlink = x->stx_nlink;
	st.st_mode = x->stx_mode;
	st.st_uid = x->stx_uid;
	st.st_gid = x->stx_gid;
	st.st_rdev = encode_dev(x->stx_rdev_major, x->stx_rdev_minor);
	st.st_size = (__kernel_long_t)x->stx_size;
	st.st_blksize = x->stx_blksize;
	st.st_blocks = (__kernel_long_t)x->stx_blocks;
	st.st_atime = (__kernel_ulong_t)x->stx_atime.tv_sec;
	st.st_atime_nsec = x->stx_atime.tv_nsec;
	st.st_mtime = (__kernel_ulong_t)x->stx_mtime.tv_sec;
	st.st_mtime_nsec = x->stx_mtime.tv_nsec;
	st.st_ctime = (__kernel_ulong_t)x->stx_ctime.tv_sec;
	st.st_ctime_nsec = x->stx_ctime.tv_nsec;
	return copy_to_app(out, &st, sizeof st);
}

/* The attributes of DIRFD and NAME with AT_* flags. An empty name with AT_EMPTY_PATH is the descriptor
 * itself, whatever it is. */
static int attributes_at(int dirfd, const char __app *name, u32 flags, struct statx *x)
{
	u32 walk = flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;
	struct path p;
	struct file *f;
	char *s;
	int err;

	s = app_path_get(name, flags & AT_EMPTY_PATH);
	if (IS_ERR(s))
		return (int)PTR_ERR(s);
	if (!*s && dirfd != AT_FDCWD) {
		f = fd_get_raw(dirfd);
		err = f ? file_getattr(f, x) : -EBADF;
		if (f)
			file_put(f);
		goto out;
	}
	err = walk_path(dirfd, s, walk | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0), &p);
	if (!err) {
		err = path_getattr(&p, x);
		path_put(&p);
	}
out:
	kfree(s);
	return err;
}

static long stat_at(int dirfd, const char __app *name, u32 flags, struct stat __app *out)
{
	struct statx x;
	int err = attributes_at(dirfd, name, flags, &x);

	return err ? err : stat_to_app(&x, out);
}

SYSCALL_DEFINE2(stat, const char __app *, name, struct stat __app *, out)
{
	return stat_at(AT_FDCWD, name, 0, out);
}

SYSCALL_DEFINE2(lstat, const char __app *, name, struct stat __app *, out)
{
	return stat_at(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, out);
}

SYSCALL_DEFINE2(fstat, int, fd, struct stat __app *, out)
{
	struct file *f = fd_get_raw(fd);
	struct statx x;
	int err;

	if (!f)
		return -EBADF;
	err = file_getattr(f, &x);
	file_put(f);
	return err ? err : stat_to_app(&x, out);
}

SYSCALL_DEFINE4(newfstatat, int, dirfd, const char __app *, name, struct stat __app *, out, u32, flags)
{
	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	return stat_at(dirfd, name, flags, out);
}

SYSCALL_DEFINE5(statx, int, dirfd, const char __app *, name, u32, flags, u32, mask, struct statx __app *, out)
{
	struct statx x;
	int err;

	if (mask & STATX__RESERVED)
		return -EINVAL;
	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE) ||
	    (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	err = attributes_at(dirfd, name, flags, &x);
	if (err)
		return err;
	x.stx_mask &= mask | ~(u32)STATX_BTIME; /* the one thing that is not given unasked */
	return copy_to_app(out, &x, sizeof x);
}

static int access_path(const struct path *p, u32 mode, const struct creds *c)
{
	struct inode *i = p->dentry->inode;
	u32 mask = (mode & 1 ? MAY_EXEC : 0) | (mode & 2 ? MAY_WRITE : 0) | (mode & 4 ? MAY_READ : 0);
	int err;

	if (mask & MAY_EXEC && S_ISREG(i->mode) && p->mnt->flags & MS_NOEXEC)
		return -EACCES;
	err = mask ? permission_as(c, i, mask) : 0;
	if (!err && mask & MAY_WRITE && (S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode)))
		err = path_want_write(p);
	return err;
}

static long access_at(int dirfd, const char __app *name, u32 mode, u32 flags)
{
	struct creds c = flags & AT_EACCESS ? creds_fs() : creds_real();
	u32 walk = walk_flags_at(flags) | (flags & AT_EACCESS ? 0 : WALK_REAL_IDS);
	struct path p;
	int err;

	if (mode & ~7u || flags & ~(u32)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = walk_app_path(dirfd, name, walk, &p);
	if (err)
		return err;
	err = access_path(&p, mode, &c);
	path_put(&p);
	return err;
}

SYSCALL_DEFINE2(access, const char __app *, name, u32, mode)
{
	return access_at(AT_FDCWD, name, mode, 0);
}

SYSCALL_DEFINE3(faccessat, int, dirfd, const char __app *, name, u32, mode)
{
	return access_at(dirfd, name, mode, 0);
}

SYSCALL_DEFINE4(faccessat2, int, dirfd, const char __app *, name, u32, mode, u32, flags)
{
	return access_at(dirfd, name, mode, flags);
}

static long readlink_inode(struct inode *i, char __app *buf, size_t size)
{
	char *text;
	ssize_t n;

	if (!S_ISLNK(i->mode) || !i->ops || !i->ops->readlink)
		return -EINVAL;
	text = kmalloc(PATH_SIZE);
	if (!text)
		return -ENOMEM;
	n = i->ops->readlink(i, text, PATH_SIZE);
	if (n > 0) {
		n = (ssize_t)min((size_t)n, size);
		if (copy_to_app(buf, text, (size_t)n))
			n = -EFAULT;
	}
	kfree(text);
	return n;
}

static long readlink_at(int dirfd, const char __app *name, char __app *buf, int size)
{
	struct path p;
	char *s;
	long n;

	if (size <= 0)
		return -EINVAL;
	s = app_path_get(name, true);
	if (IS_ERR(s))
		return PTR_ERR(s);
	n = walk_path(dirfd, s, WALK_EMPTY, &p);
	if (!n) {
		n = readlink_inode(p.dentry->inode, buf, (size_t)size);
		/* Without a name only a link opened with O_PATH | O_NOFOLLOW can be meant. */
		if (n == -EINVAL && !*s)
			n = -ENOENT;
		path_put(&p);
	}
	kfree(s);
	return n;
}

SYSCALL_DEFINE3(readlink, const char __app *, name, char __app *, buf, int, size)
{
	return readlink_at(AT_FDCWD, name, buf, size);
}

SYSCALL_DEFINE4(readlinkat, int, dirfd, const char __app *, name, char __app *, buf, int, size)
{
	return readlink_at(dirfd, name, buf, size);
}

static long statfs_path(const struct path *p, struct statfs __app *out)
{
	struct super *s = p->mnt->super;
	u32 mf = p->mnt->flags, mode = p->dentry->inode->mode;
	struct statfs st;
	int err = 0;

	memset(&st, 0, sizeof st);
	st.f_type = (__kernel_long_t)s->magic;
	if (s->magic == ANON_MAGIC && S_ISSOCK(mode))
		st.f_type = 0x534f434b;
	if (s->magic == ANON_MAGIC && S_ISFIFO(mode))
		st.f_type = 0x50495045;
	st.f_bsize = st.f_frsize = s->block_size;
	st.f_namelen = NAME_LEN_MAX;
	st.f_fsid.val[0] = (int)s->dev;
	/* ST_RDONLY, NOSUID, NODEV, NOEXEC and SYNCHRONOUS have the values of the mount flags; the others do
	 * not. */
	st.f_flags = ST_VALID | (mf & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS));
	st.f_flags |= (s->read_only ? MS_RDONLY : 0) | (mf & (MS_NOATIME | MS_NODIRATIME));
	st.f_flags |= mf & (MS_NOATIME | MS_STRICTATIME) ? 0 : 0x1000;
	if (s->ops && s->ops->statfs)
		err = s->ops->statfs(s, &st);
	return err ? err : copy_to_app(out, &st, sizeof st);
}

SYSCALL_DEFINE2(statfs, const char __app *, name, struct statfs __app *, out)
{
	struct path p;
	long err = walk_app_path(AT_FDCWD, name, WALK_FOLLOW, &p);

	if (err)
		return err;
	err = statfs_path(&p, out);
	path_put(&p);
	return err;
}

SYSCALL_DEFINE2(fstatfs, int, fd, struct statfs __app *, out)
{
	struct file *f = fd_get_raw(fd);
	struct path p;
	long err;

	if (!f)
		return -EBADF;
	err = file_get_path(f, &p);
	file_put(f);
	if (err)
		return err;
	err = statfs_path(&p, out);
	path_put(&p);
	return err;
}
