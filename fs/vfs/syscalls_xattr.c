/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended attributes: the getxattr, setxattr, listxattr and removexattr families. The file system's part
 * runs with the inode's lock held. */
#include "acl.h"
#include "syscalls.h"
#include "base/string.h"
#include "kernel/clock.h"
#include <linux/inotify.h>
#include <linux/limits.h>
#include <linux/xattr.h>

/* How one call names its file: a path that is followed or not, or a descriptor. */
static int target_get(const char __app *name, int fd, u32 walk, struct path *out)
{
	struct file *f;
	int err;

	if (name)
		return walk_app_path(AT_FDCWD, name, walk, out);
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	err = file_get_path(f, out);
	file_put(f);
	return err;
}

static bool has_prefix(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

/* Is NAME one of the attributes that stand for access control lists? */
static bool is_acl(const char *name, bool *dflt)
{
	*dflt = !strcmp(name, XATTR_NAME_POSIX_ACL_DEFAULT);
	return *dflt || !strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS);
}

static ssize_t do_get(struct inode *i, const char *name, void *buf, size_t size)
{
	bool dflt;

	if (is_acl(name, &dflt))
		return acl_xattr_get(i, dflt, buf, size);
	return i->ops && i->ops->getxattr ? i->ops->getxattr(i, name, buf, size) : -EOPNOTSUPP;
}

static int do_set(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	bool dflt;

	if (is_acl(name, &dflt))
		return acl_xattr_set(i, dflt, buf, size);
	return i->ops && i->ops->setxattr ? i->ops->setxattr(i, name, buf, size, flags) : -EOPNOTSUPP;
}

static int do_remove(struct inode *i, const char *name)
{
	bool dflt;

	if (is_acl(name, &dflt))
		return acl_xattr_set(i, dflt, NULL, 0);
	return i->ops && i->ops->removexattr ? i->ops->removexattr(i, name) : -EOPNOTSUPP;
}

/* May the process see or change attribute NAME? In the order of Linux: permission first, then whether there
 * is such a name space. */
static int allowed(struct inode *i, const char *name, bool write)
{
	bool dflt;
	int err;

	if (write && i->flags & (INODE_IMMUTABLE | INODE_APPEND))
		return -EPERM;
	if (has_prefix(name, XATTR_SYSTEM_PREFIX))
		return is_acl(name, &dflt) ? 0 : -EOPNOTSUPP; /* whoever sets them is checked there */
	if (has_prefix(name, XATTR_SECURITY_PREFIX))
		return write && !process_capable(strcmp(name, XATTR_NAME_CAPS) ? CAP_SYS_ADMIN : CAP_SETFCAP)
			       ? -EPERM
			       : 0;
	if (has_prefix(name, XATTR_TRUSTED_PREFIX))
		return process_capable(CAP_SYS_ADMIN) ? 0 : write ? -EPERM : -ENODATA;
	if (has_prefix(name, XATTR_USER_PREFIX)) {
		if (!S_ISREG(i->mode) && !S_ISDIR(i->mode))
			return write ? -EPERM : -ENODATA;
		if (write && S_ISDIR(i->mode) && i->mode & S_ISVTX && !inode_owner_or_capable(i))
			return -EPERM;
	}
	err = inode_permission(i, write ? MAY_WRITE : MAY_READ);
	if (err)
		return err;
	if (!has_prefix(name, XATTR_USER_PREFIX))
		return -EOPNOTSUPP;
	return name[sizeof XATTR_USER_PREFIX - 1] ? 0 : -EINVAL;
}

static int name_from_app(char *name, const char __app *uname)
{
	ssize_t n = string_from_app(name, uname, XATTR_NAME_MAX + 1);

	return n == -ENAMETOOLONG || n == 0 ? -ERANGE : n < 0 ? (int)n : 0;
}

static void *value_buffer(size_t size)
{
	return kmalloc(max(size, 1ul));
}

static long xattr_set(const struct path *p, const char __app *uname, const void __app *value, size_t size,
		      int flags)
{
	struct inode *i = p->dentry->inode;
	char name[XATTR_NAME_MAX + 1];
	void *buf;
	int err;

	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	err = name_from_app(name, uname);
	if (err)
		return err;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	buf = value_buffer(size);
	if (!buf)
		return -ENOMEM;
	err = copy_from_app(buf, value, size);
	if (!err)
		err = path_want_write(p);
	if (err)
		goto out;
	mutex_lock(&i->lock);
	err = allowed(i, name, true);
	if (!err)
		err = do_set(i, name, buf, size, flags);
	if (!err)
		i->ctime = clock_realtime();
	mutex_unlock(&i->lock);
	if (!err)
		notify_dentry(p->dentry, IN_ATTRIB);
out:
	kfree(buf);
	return err;
}

static long xattr_get(const struct path *p, const char __app *uname, void __app *value, size_t size)
{
	struct inode *i = p->dentry->inode;
	char name[XATTR_NAME_MAX + 1];
	void *buf;
	long n = name_from_app(name, uname);

	if (n)
		return n;
	size = min(size, (size_t)XATTR_SIZE_MAX);
	buf = value_buffer(size);
	if (!buf)
		return -ENOMEM;
	mutex_lock(&i->lock);
	n = allowed(i, name, false);
	if (!n)
		n = do_get(i, name, buf, size);
	mutex_unlock(&i->lock);
	if (n > 0 && size && copy_to_app(value, buf, (size_t)n))
		n = -EFAULT;
	kfree(buf);
	return n;
}

/* The names of the access control lists that I has, behind N bytes of others. */
static ssize_t list_acls(struct inode *i, char *buf, ssize_t n)
{
	if (i->acl) {
		if (n + (ssize_t)sizeof XATTR_NAME_POSIX_ACL_ACCESS > XATTR_LIST_MAX)
			return -ERANGE;
		memcpy(buf + n, XATTR_NAME_POSIX_ACL_ACCESS, sizeof XATTR_NAME_POSIX_ACL_ACCESS);
		n += (ssize_t)sizeof XATTR_NAME_POSIX_ACL_ACCESS;
	}
	if (i->default_acl) {
		if (n + (ssize_t)sizeof XATTR_NAME_POSIX_ACL_DEFAULT > XATTR_LIST_MAX)
			return -ERANGE;
		memcpy(buf + n, XATTR_NAME_POSIX_ACL_DEFAULT, sizeof XATTR_NAME_POSIX_ACL_DEFAULT);
		n += (ssize_t)sizeof XATTR_NAME_POSIX_ACL_DEFAULT;
	}
	return n;
}

/* trusted.* is not shown to others than root. Edits the list in place; returns its new length. */
static ssize_t hide_trusted(char *list, ssize_t n)
{
	ssize_t kept = 0;

	for (ssize_t at = 0; at < n;) {
		ssize_t len = (ssize_t)strlen(list + at) + 1;

		if (!has_prefix(list + at, XATTR_TRUSTED_PREFIX)) {
			memmove(list + kept, list + at, (size_t)len);
			kept += len;
		}
		at += len;
	}
	return kept;
}

static long xattr_list(const struct path *p, char __app *list, size_t size)
{
	struct inode *i = p->dentry->inode;
	char *buf = kmalloc(XATTR_LIST_MAX);
	ssize_t n = 0;

	if (!buf)
		return -ENOMEM;
	mutex_lock(&i->lock);
	if (i->ops && i->ops->listxattr)
		n = i->ops->listxattr(i, buf, XATTR_LIST_MAX);
	if (n >= 0)
		n = list_acls(i, buf, n);
	mutex_unlock(&i->lock);
	if (n > 0 && !process_capable(CAP_SYS_ADMIN))
		n = hide_trusted(buf, n);
	if (n > 0 && size) {
		if ((size_t)n > size)
			n = -ERANGE;
		else if (copy_to_app(list, buf, (size_t)n))
			n = -EFAULT;
	}
	kfree(buf);
	return n;
}

static long xattr_remove(const struct path *p, const char __app *uname)
{
	struct inode *i = p->dentry->inode;
	char name[XATTR_NAME_MAX + 1];
	int err = name_from_app(name, uname);

	if (!err)
		err = path_want_write(p);
	if (err)
		return err;
	mutex_lock(&i->lock);
	err = allowed(i, name, true);
	if (!err)
		err = do_remove(i, name);
	if (!err)
		i->ctime = clock_realtime();
	mutex_unlock(&i->lock);
	if (!err)
		notify_dentry(p->dentry, IN_ATTRIB);
	return err;
}

#define ON_PATH_OR_FD(name, fd, walk, call)                 \
	({                                                  \
		struct path p;                              \
		long _ret = target_get(name, fd, walk, &p); \
		if (!_ret) {                                \
			_ret = (call);                      \
			path_put(&p);                       \
		}                                           \
		_ret;                                       \
	})
#define ON_TARGET(path, walk, call) ON_PATH_OR_FD(path, -1, walk, call)
#define ON_FD(fd, call)		    ON_PATH_OR_FD(NULL, fd, 0, call)

SYSCALL_DEFINE5(setxattr, const char __app *, path, const char __app *, name, const void __app *, value,
		size_t, size, int, flags)
{
	return ON_TARGET(path, WALK_FOLLOW, xattr_set(&p, name, value, size, flags));
}

SYSCALL_DEFINE5(lsetxattr, const char __app *, path, const char __app *, name, const void __app *, value,
		size_t, size, int, flags)
{
	return ON_TARGET(path, 0, xattr_set(&p, name, value, size, flags));
}

SYSCALL_DEFINE5(fsetxattr, int, fd, const char __app *, name, const void __app *, value, size_t, size, int,
		flags)
{
	return ON_FD(fd, xattr_set(&p, name, value, size, flags));
}

SYSCALL_DEFINE4(getxattr, const char __app *, path, const char __app *, name, void __app *, value, size_t,
		size)
{
	return ON_TARGET(path, WALK_FOLLOW, xattr_get(&p, name, value, size));
}

SYSCALL_DEFINE4(lgetxattr, const char __app *, path, const char __app *, name, void __app *, value, size_t,
		size)
{
	return ON_TARGET(path, 0, xattr_get(&p, name, value, size));
}

SYSCALL_DEFINE4(fgetxattr, int, fd, const char __app *, name, void __app *, value, size_t, size)
{
	return ON_FD(fd, xattr_get(&p, name, value, size));
}

SYSCALL_DEFINE3(listxattr, const char __app *, path, char __app *, list, size_t, size)
{
	return ON_TARGET(path, WALK_FOLLOW, xattr_list(&p, list, size));
}

SYSCALL_DEFINE3(llistxattr, const char __app *, path, char __app *, list, size_t, size)
{
	return ON_TARGET(path, 0, xattr_list(&p, list, size));
}

SYSCALL_DEFINE3(flistxattr, int, fd, char __app *, list, size_t, size)
{
	return ON_FD(fd, xattr_list(&p, list, size));
}

SYSCALL_DEFINE2(removexattr, const char __app *, path, const char __app *, name)
{
	return ON_TARGET(path, WALK_FOLLOW, xattr_remove(&p, name));
}

SYSCALL_DEFINE2(lremovexattr, const char __app *, path, const char __app *, name)
{
	return ON_TARGET(path, 0, xattr_remove(&p, name));
}

SYSCALL_DEFINE2(fremovexattr, int, fd, const char __app *, name)
{
	return ON_FD(fd, xattr_remove(&p, name));
}
