/* SPDX-License-Identifier: BSD-2-Clause */
/* Directories and names: chdir(2), getcwd(2), mkdir(2), unlink(2), rename(2), link(2), symlink(2),
 * getdents64(2) and relatives. */
#include "syscalls.h"
#include "base/string.h"
#include <linux/inotify.h>

int app_paths_get(const char __app *a, const char __app *b, char **ka, char **kb)
{
	/* Empty ones are found by the walks, the first path's errors before the second's. */
	*kb = NULL;
	*ka = app_path_get(a, true);
	if (IS_ERR(*ka))
		return (int)PTR_ERR(*ka);
	*kb = app_path_get(b, true);
	if (!IS_ERR(*kb))
		return 0;
	kfree(*ka);
	return (int)PTR_ERR(*kb);
}

SYSCALL_DEFINE2(getcwd, char __app *, buf, size_t, size)
{
	static const char prefix[] = "(unreachable)";
	struct fs_context *c = current->fs;
	struct path cwd, root;
	bool reachable;
	char *page, *s;
	long n;

	page = kmalloc(PATH_SIZE);
	if (!page)
		return -ENOMEM;
	n = fs_context_cwd(c, &cwd);
	if (n)
		goto out;
	n = fs_context_root(c, &root);
	if (n)
		goto out_cwd;
	n = -ENOENT;
	if (path_unlinked(&cwd))
		goto out_root;
	s = path_text_at(&cwd, &root, page + sizeof prefix, PATH_SIZE - sizeof prefix, &reachable);
	n = PTR_ERR(s);
	if (IS_ERR(s))
		goto out_root;
	if (!reachable) {
		s -= sizeof prefix - 1;
		memcpy(s, prefix, sizeof prefix - 1);
	}
	n = (long)strlen(s) + 1;
	if ((size_t)n > size)
		n = -ERANGE;
	else if (copy_to_app(buf, s, (size_t)n))
		n = -EFAULT;
out_root:
	path_put(&root);
out_cwd:
	path_put(&cwd);
out:
	kfree(page);
	return n;
}

static long change_dir(const struct path *p)
{
	int err = dentry_is_dir(p->dentry) ? inode_permission(p->dentry->inode, MAY_EXEC) : -ENOTDIR;

	if (!err)
		fs_context_set_cwd(current->fs, p);
	return err;
}

SYSCALL_DEFINE1(chdir, const char __app *, name)
{
	struct path p;
	long err = walk_app_path(AT_FDCWD, name, WALK_FOLLOW | WALK_DIRECTORY, &p);

	if (err)
		return err;
	err = change_dir(&p);
	path_put(&p);
	return err;
}

SYSCALL_DEFINE1(fchdir, int, fd)
{
	struct file *f = fd_get_raw(fd);
	long err;

	if (!f)
		return -EBADF;
	err = f->path.dentry ? change_dir(&f->path) : -ENOTDIR;
	file_put(f);
	return err;
}

SYSCALL_DEFINE1(chroot, const char __app *, name)
{
	struct path p;
	long err = walk_app_path(AT_FDCWD, name, WALK_FOLLOW | WALK_DIRECTORY, &p);

	if (err)
		return err;
	err = inode_permission(p.dentry->inode, MAY_EXEC);
	if (!err && !process_capable(CAP_SYS_CHROOT))
		err = -EPERM;
	if (!err)
		fs_context_set_root(current->fs, &p);
	path_put(&p);
	return err;
}

SYSCALL_DEFINE2(mkdir, const char __app *, name, u32, mode)
{
	return WITH_PATH(s, name, namei_mkdir(AT_FDCWD, s, mode));
}

SYSCALL_DEFINE3(mkdirat, int, dirfd, const char __app *, name, u32, mode)
{
	return WITH_PATH(s, name, namei_mkdir(dirfd, s, mode));
}

SYSCALL_DEFINE1(rmdir, const char __app *, name)
{
	return WITH_PATH(s, name, namei_unlink(AT_FDCWD, s, true));
}

SYSCALL_DEFINE1(unlink, const char __app *, name)
{
	return WITH_PATH(s, name, namei_unlink(AT_FDCWD, s, false));
}

SYSCALL_DEFINE3(unlinkat, int, dirfd, const char __app *, name, u32, flags)
{
	if (flags & ~(u32)AT_REMOVEDIR)
		return -EINVAL;
	return WITH_PATH(s, name, namei_unlink(dirfd, s, flags & AT_REMOVEDIR));
}

static long rename_at(int olddir, const char __app *old, int newdir, const char __app *new, u32 flags)
{
	char *a, *b;
	long err = app_paths_get(old, new, &a, &b);

	if (err)
		return err;
	err = namei_rename(olddir, a, newdir, b, flags);
	kfree(a);
	kfree(b);
	return err;
}

SYSCALL_DEFINE2(rename, const char __app *, old, const char __app *, new)
{
	return rename_at(AT_FDCWD, old, AT_FDCWD, new, 0);
}

SYSCALL_DEFINE4(renameat, int, olddir, const char __app *, old, int, newdir, const char __app *, new)
{
	return rename_at(olddir, old, newdir, new, 0);
}

SYSCALL_DEFINE5(renameat2, int, olddir, const char __app *, old, int, newdir, const char __app *, new, u32,
		flags)
{
	return rename_at(olddir, old, newdir, new, flags);
}

static long link_at(int olddir, const char __app *old, int newdir, const char __app *new, u32 flags)
{
	char *a, *b;
	long err = app_paths_get(old, new, &a, &b);

	if (err)
		return err;
	err = namei_link(olddir, a, newdir, b, flags);
	kfree(a);
	kfree(b);
	return err;
}

SYSCALL_DEFINE2(link, const char __app *, old, const char __app *, new)
{
	return link_at(AT_FDCWD, old, AT_FDCWD, new, 0);
}

SYSCALL_DEFINE5(linkat, int, olddir, const char __app *, old, int, newdir, const char __app *, new, u32,
		flags)
{
	return link_at(olddir, old, newdir, new, flags);
}

static long symlink_at(const char __app *target, int dirfd, const char __app *name)
{
	char *a, *b;
	long err = app_paths_get(target, name, &a, &b);

	if (err)
		return err;
	err = namei_symlink(a, dirfd, b);
	kfree(a);
	kfree(b);
	return err;
}

SYSCALL_DEFINE2(symlink, const char __app *, target, const char __app *, name)
{
	return symlink_at(target, AT_FDCWD, name);
}

SYSCALL_DEFINE3(symlinkat, const char __app *, target, int, dirfd, const char __app *, name)
{
	return symlink_at(target, dirfd, name);
}

/* getdents: entries gather in a kernel buffer, so that the file system holds no lock over application memory.
 */
#define GETDENTS_MAX (32u << 10)

struct linux_dirent64 {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[];
};

struct linux_dirent {
	u64 ino;
	u64 off;
	u16 reclen;
	char name[]; /* the type is the record's last byte */
};

struct getdents {
	struct dir_context dir;
	u8 *buf;
	size_t size, used;
	bool old, overflow;
};

static bool getdents_emit(struct dir_context *ctx, const char *name, size_t len, u64 next_pos, u64 ino,
			  unsigned dtype)
{
	struct getdents *g = container_of(ctx, struct getdents, dir);
	size_t head =
		g->old ? offsetof(struct linux_dirent, name) + 1 : offsetof(struct linux_dirent64, name);
	size_t reclen = ALIGN_UP(head + len + 1, sizeof(u64));
	u8 *at = g->buf + g->used;

	if (g->size - g->used < reclen) {
		g->overflow = true;
		return false;
	}
	memset(at, 0, reclen);
	if (g->old) {
		struct linux_dirent *d = (struct linux_dirent *)at;

		d->ino = ino;
		d->off = next_pos;
		d->reclen = (u16)reclen;
		memcpy(d->name, name, len);
		at[reclen - 1] = (u8)dtype;
	} else {
		struct linux_dirent64 *d = (struct linux_dirent64 *)at;

		d->ino = ino;
		d->off = (s64)next_pos;
		d->reclen = (u16)reclen;
		d->type = (u8)dtype;
		memcpy(d->name, name, len);
	}
	g->used += reclen;
	ctx->pos = next_pos;
	return true;
}

static long getdents_locked(struct file *f, struct getdents *g, void __app *out)
{
	int err = f->inode->flags & INODE_DEAD ? -ENOENT : 0;

	g->dir = (struct dir_context){.emit = getdents_emit, .pos = f->pos};
	if (!err)
		err = f->ops->iterate(f, &g->dir);
	if (err < 0 && !g->used)
		return err;
	if (!g->used)
		return g->overflow ? -EINVAL : 0;
	if (copy_to_app(out, g->buf, g->used))
		return -EFAULT;
	f->pos = g->dir.pos;
	inode_touch_atime(f);
	notify_dentry(f->path.dentry, IN_ACCESS);
	return (long)g->used;
}

static long getdents_common(int fd, void __app *out, unsigned count, bool old)
{
	struct getdents g = {.size = min(count, GETDENTS_MAX), .old = old};
	struct file *f = fd_get(fd);
	long n = -ENOTDIR;

	if (!f)
		return -EBADF;
	if (!f->ops->iterate || !f->inode)
		goto out;
	n = -ENOMEM;
	g.buf = kmalloc(max(g.size, 1ul));
	if (!g.buf)
		goto out;
	mutex_lock(&f->pos_lock);
	n = getdents_locked(f, &g, out);
	mutex_unlock(&f->pos_lock);
	kfree(g.buf);
out:
	file_put(f);
	return n;
}

SYSCALL_DEFINE3(getdents64, int, fd, void __app *, out, unsigned, count)
{
	return getdents_common(fd, out, count, false);
}

SYSCALL_DEFINE3(getdents, int, fd, void __app *, out, unsigned, count)
{
	return getdents_common(fd, out, count, true);
}
