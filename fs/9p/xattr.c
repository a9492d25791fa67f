/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended attributes on 9p: a fid of its own stands for a value (or the list), and setting happens when that
 * is clunked. The protocol sets an empty value and removes an attribute by the same message; servers remove.
 */
#include "p9.h"
#include "base/string.h"
#include <linux/xattr.h>

/* The value of NAME ("": the names) through PATH fid; SIZE 0 asks for the length. */
static ssize_t get(struct inode *i, const char *name, void *buf, size_t size)
{
	struct p9_fid *path = p9_path_fid(i), *f;
	size_t done = 0;
	ssize_t n;
	u64 len;
	int err = p9_inode(i)->gone ? -ENOENT : p9_xattr_walk(path, name, &f, &len);

	p9_fid_put(path);
	if (err)
		return err;
	f->opened = true;
	n = len > 65536 ? -E2BIG : (ssize_t)len;
	if (size && n > (ssize_t)size)
		n = -ERANGE;
	while (size && n >= 0 && done < len) {
		ssize_t got = p9_read(f, done, (u8 *)buf + done, (u32)(len - done));

		if (got <= 0) {
			n = got ? got : -EIO;
			break;
		}
		done += (size_t)got;
	}
	p9_fid_put(f);
	return n;
}

ssize_t p9_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	return get(i, name, buf, size);
}

ssize_t p9_listxattr(struct inode *i, char *buf, size_t size)
{
	ssize_t n = get(i, "", buf, size);

	return n > 0 && size && buf[n - 1] ? -EIO : n; /* each name ends in NUL */
}

int p9_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	struct p9_fid *path = p9_path_fid(i), *f;
	size_t done = 0;
	int err = p9_inode(i)->gone ? -ENOENT : p9_clone(path, &f), set;

	p9_fid_put(path);
	if (err)
		return err;
	err = p9_xattr_create(f, name, size, (u32)flags);
	if (err) {
		p9_fid_put(f);
		return err;
	}
	while (!err && done < size) {
		ssize_t got = p9_write(f, done, (const u8 *)buf + done, (u32)(size - done));

		if (got <= 0)
			err = got ? (int)got : -EIO;
		else
			done += (size_t)got;
	}
	set = p9_fid_clunk(f);
	p9_inode(i)->fresh_by = NULL;
	return err ? err : set;
}

int p9_removexattr(struct inode *i, const char *name)
{
	return p9_setxattr(i, name, NULL, 0, XATTR_REPLACE);
}
