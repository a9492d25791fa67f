/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended attributes of tmpfs inodes: a short list per inode, 64 KiB in all. setxattr and removexattr come
 * with the inode's lock held, getxattr and listxattr too (fs/vfs/xattr.c). */
#include "base/string.h"
#include "tmpfs.h"
#include <linux/xattr.h>

#define XATTR_LIMIT (64u << 10)

static struct tmpfs_xattr *find(struct inode *i, const char *name)
{
	struct tmpfs_xattr *x;

	list_for_each_entry (x, &tmpfs_inode(i)->xattrs, node)
		if (!strcmp(x->name, name))
			return x;
	return NULL;
}

ssize_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct tmpfs_xattr *x = find(i, name);

	if (!x)
		return -ENODATA;
	if (size && size < x->size)
		return -ERANGE;
	if (size)
		memcpy(buf, x->value, x->size);
	return (ssize_t)x->size;
}

static u32 cost(const struct tmpfs_xattr *x)
{
	return (u32)(sizeof *x + strlen(x->name) + 1 + x->size);
}

static void drop(struct inode *i, struct tmpfs_xattr *x)
{
	tmpfs_inode(i)->xattr_bytes -= cost(x);
	list_del(&x->node);
	kfree(x->name);
	kfree(x);
}

int tmpfs_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	struct tmpfs_inode *ti = tmpfs_inode(i);
	struct tmpfs_xattr *old = find(i, name), *x;

	if (old && flags & XATTR_CREATE)
		return -EEXIST;
	if (!old && flags & XATTR_REPLACE)
		return -ENODATA;
	x = kmalloc(sizeof *x + size);
	if (!x)
		return -ENOMEM;
	x->name = kstrdup(name);
	if (!x->name) {
		kfree(x);
		return -ENOMEM;
	}
	x->size = (u32)size;
	memcpy(x->value, buf, size);
	if (ti->xattr_bytes - (old ? cost(old) : 0) + cost(x) > XATTR_LIMIT) {
		kfree(x->name);
		kfree(x);
		return -ENOSPC;
	}
	if (old)
		drop(i, old);
	ti->xattr_bytes += cost(x);
	list_add_tail(&x->node, &ti->xattrs);
	return 0;
}

int tmpfs_removexattr(struct inode *i, const char *name)
{
	struct tmpfs_xattr *x = find(i, name);

	if (!x)
		return -ENODATA;
	drop(i, x);
	return 0;
}

ssize_t tmpfs_listxattr(struct inode *i, char *buf, size_t size)
{
	struct tmpfs_xattr *x;
	size_t n = 0;

	list_for_each_entry (x, &tmpfs_inode(i)->xattrs, node) {
		size_t len = strlen(x->name) + 1;

		if (size) {
			if (n + len > size)
				return -ERANGE;
			memcpy(buf + n, x->name, len);
		}
		n += len;
	}
	return (ssize_t)n;
}

void tmpfs_xattrs_free(struct tmpfs_inode *ti)
{
	while (!list_empty(&ti->xattrs)) {
		struct tmpfs_xattr *x = list_first_entry(&ti->xattrs, struct tmpfs_xattr, node);

		list_del(&x->node);
		kfree(x->name);
		kfree(x);
	}
}
