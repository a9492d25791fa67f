/* SPDX-License-Identifier: BSD-2-Clause */
/* File handles: name_to_handle_at(2), open_by_handle_at(2). A handle is a file system's inode number, which
 * names the file for as long as it exists, wherever it is moved. */
#include "syscalls.h"
#include <linux/mount.h>

#define HANDLE_MAX  128 /* MAX_HANDLE_SZ */
#define HANDLE_TYPE 0x63

struct handle_head {
	u32 bytes;
	int type;
};

static long give_handle(const struct path *p, struct handle_head __app *handle, int __app *mount_id)
{
	struct inode *i = p->dentry->inode;
	struct handle_head h;
	u32 room;

	if (!i->super->ops || !i->super->ops->inode_get)
		return -EOPNOTSUPP;
	if (get_app(h, handle))
		return -EFAULT;
	room = h.bytes;
	if (room > HANDLE_MAX)
		return -EINVAL;
	h = (struct handle_head){.bytes = sizeof(u64), .type = HANDLE_TYPE};
	if (room >= sizeof(u64)) {
		/* From now on it is to be found by its number. */
		inode_get(i);
		i = inode_cache_add(i);
		if (IS_ERR(i))
			return PTR_ERR(i);
		inode_put(i);
		if (put_app(p->dentry->inode->ino, (u64 __app *)(handle + 1)))
			return -EFAULT;
	}
	if (put_app((int)p->mnt->id, mount_id) || put_app(h, handle))
		return -EFAULT;
	return room >= sizeof(u64) ? 0 : -EOVERFLOW;
}

SYSCALL_DEFINE5(name_to_handle_at, int, dirfd, const char __app *, name, void __app *, handle, int __app *,
		mount_id, int, flags)
{
	struct path p;
	long err;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = walk_app_path(
		dirfd, name,
		(flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0), &p);
	if (err)
		return err;
	err = give_handle(&p, handle, mount_id);
	path_put(&p);
	return err;
}

/* Any descriptor, or AT_FDCWD, names the mount that the handle belongs to. */
static int mount_of(int fd, struct path *out)
{
	struct file *f;

	if (fd == AT_FDCWD)
		return fs_context_cwd(current->fs, out);
	f = fd_get_raw(fd);
	if (!f)
		return -EBADF;
	*out = f->path;
	if (out->dentry)
		path_get(out);
	file_put(f);
	return out->dentry ? 0 : -ESTALE;
}

/* A path to inode INO in AT's file system: by a name in use when there is one. */
static int find(const struct path *at, u64 ino, struct path *out)
{
	struct super *s = at->mnt->super;
	struct inode *i;
	int err;

	if (!s->ops || !s->ops->inode_get)
		return -ESTALE;
	i = s->ops->inode_get(s, ino);
	if (IS_ERR(i))
		return PTR_ERR(i) == -ENOMEM ? -ENOMEM : -ESTALE;
	out->mnt = at->mnt;
	out->dentry = dcache_find_alias(i);
	if (out->dentry) {
		mount_get(out->mnt);
		inode_put(i);
		return 0;
	}
	err = path_set_nameless(out, at->mnt, "handle", i);
	if (err)
		inode_put(i);
	return err;
}

static long open_found(const struct path *p, struct open_how_kernel *how)
{
	struct inode *i = p->dentry->inode;
	struct file *f;
	int fd;

	if (how->flags & O_DIRECTORY && !S_ISDIR(i->mode))
		return -ENOTDIR;
	fd = fd_reserve(0, how->flags & O_CLOEXEC);
	if (fd < 0)
		return fd;
	f = vfs_open_path(p, (u32)how->flags);
	if (IS_ERR(f)) {
		fd_release(fd);
		return PTR_ERR(f);
	}
	fd_install(fd, f);
	return fd;
}

SYSCALL_DEFINE3(open_by_handle_at, int, mount_fd, void __app *, handle, u32, flags)
{
	struct open_how_kernel how = {.flags = flags & ~(u32)(O_CREAT | O_EXCL)};
	struct path at, p;
	struct handle_head h;
	u64 ino;
	long err;

	if (!process_capable(CAP_DAC_READ_SEARCH))
		return -EPERM;
	if (get_app(h, (struct handle_head __app *)handle))
		return -EFAULT;
	if (!h.bytes || h.bytes > HANDLE_MAX)
		return -EINVAL;
	if (h.bytes >= sizeof(ino) && get_app(ino, (u64 __app *)((struct handle_head __app *)handle + 1)))
		return -EFAULT;
	err = open_check_flags(&how);
	if (!err)
		err = mount_of(mount_fd, &at);
	if (err)
		return err;
	err = h.type == HANDLE_TYPE && h.bytes == sizeof(ino) ? find(&at, ino, &p) : -ESTALE;
	path_put(&at);
	if (err)
		return err;
	err = open_found(&p, &how);
	path_put(&p);
	return err;
}
