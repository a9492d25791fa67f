/* SPDX-License-Identifier: BSD-2-Clause */
/* open(2), openat(2), openat2(2), creat(2), mknod(2), umask(2). */
#include "syscalls.h"
#include "base/string.h"
#include <linux/openat2.h>

#define OPEN_HOW_SIZE_VER0 24 /* the first published structure */
#define VALID_OPEN_FLAGS                                                                                \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | \
	 FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH |  \
	 O_TMPFILE)

static long open_install(int dirfd, const char __app *uname, struct open_how_kernel *how)
{
	int fd = open_check_flags(how);
	struct file *f;
	char *name;

	if (fd)
		return fd;
	name = app_path_get(uname, false);
	if (IS_ERR(name))
		return PTR_ERR(name);
	fd = fd_reserve(0, how->flags & O_CLOEXEC);
	if (fd < 0)
		goto out;
	f = file_open_at(dirfd, name, how);
	if (IS_ERR(f)) {
		fd_release(fd);
		fd = (int)PTR_ERR(f);
	} else {
		fd_install(fd, f);
	}
out:
	kfree(name);
	return fd;
}

/* open and openat ignore what they do not know; mode counts only where a file may be made. */
static long open_old(int dirfd, const char __app *name, u32 flags, u32 mode)
{
	struct open_how_kernel how = {.flags = flags & VALID_OPEN_FLAGS};

	if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))
		how.mode = mode & 07777;
	return open_install(dirfd, name, &how);
}

SYSCALL_DEFINE3(open, const char __app *, name, u32, flags, u32, mode)
{
	return open_old(AT_FDCWD, name, flags, mode);
}

SYSCALL_DEFINE4(openat, int, dirfd, const char __app *, name, u32, flags, u32, mode)
{
	return open_old(dirfd, name, flags, mode);
}

SYSCALL_DEFINE2(creat, const char __app *, name, u32, mode)
{
	return open_old(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

static u32 walk_flags_of(u64 resolve)
{
	u32 w = 0;

	if (resolve & RESOLVE_NO_XDEV)
		w |= WALK_NO_XDEV;
	if (resolve & RESOLVE_NO_MAGICLINKS)
		w |= WALK_NO_MAGICLINKS;
	if (resolve & RESOLVE_NO_SYMLINKS)
		w |= WALK_NO_SYMLINKS | WALK_NO_MAGICLINKS;
	if (resolve & RESOLVE_BENEATH)
		w |= WALK_BENEATH;
	if (resolve & RESOLVE_IN_ROOT)
		w |= WALK_IN_ROOT;
	if (resolve & RESOLVE_CACHED)
		w |= WALK_CACHED;
	return w;
}

static int check_how(const struct open_how *h)
{
	u64 resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH |
		      RESOLVE_IN_ROOT | RESOLVE_CACHED;
	u64 path_ok = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;

	if (h->flags & ~(u64)VALID_OPEN_FLAGS || h->resolve & ~resolve)
		return -EINVAL;
	if (h->resolve & RESOLVE_BENEATH && h->resolve & RESOLVE_IN_ROOT)
		return -EINVAL;
	if (h->flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? h->mode & ~07777ull : h->mode != 0)
		return -EINVAL;
	if (h->flags & O_PATH && h->flags & ~path_ok)
		return -EINVAL;
	if (h->resolve & RESOLVE_CACHED && h->flags & (O_TRUNC | O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))
		return -EAGAIN;
	return 0;
}

/* The structure may be newer and longer than ours: what we do not know must be zero. */
static int how_from_app(struct open_how *h, const struct open_how __app *uhow, size_t size)
{
	u8 rest[64];

	memset(h, 0, sizeof *h);
	if (size < OPEN_HOW_SIZE_VER0)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (copy_from_app(h, uhow, min(size, sizeof *h)))
		return -EFAULT;
	for (size_t at = sizeof *h; at < size; at += sizeof rest) {
		size_t n = min(size - at, sizeof rest);

		if (copy_from_app(rest, (const char __app *)uhow + at, n))
			return -EFAULT;
		for (size_t k = 0; k < n; k++)
			if (rest[k])
				return -E2BIG;
	}
	return 0;
}

SYSCALL_DEFINE4(openat2, int, dirfd, const char __app *, name, const struct open_how __app *, uhow, size_t,
		size)
{
	struct open_how_kernel how;
	struct open_how h;
	int err = how_from_app(&h, uhow, size);

	if (!err)
		err = check_how(&h);
	if (err)
		return err;
	how = (struct open_how_kernel){
		.flags = h.flags, .mode = (u32)h.mode, .walk = walk_flags_of(h.resolve)};
	return open_install(dirfd, name, &how);
}

SYSCALL_DEFINE3(mknod, const char __app *, name, u32, mode, u32, dev)
{
	return WITH_PATH(s, name, namei_mknod(AT_FDCWD, s, mode & (S_IFMT | 07777), dev, NULL));
}

SYSCALL_DEFINE4(mknodat, int, dirfd, const char __app *, name, u32, mode, u32, dev)
{
	return WITH_PATH(s, name, namei_mknod(dirfd, s, mode & (S_IFMT | 07777), dev, NULL));
}

SYSCALL_DEFINE1(umask, u32, mask)
{
	struct fs_context *c = current->fs;

	return atomic_exchange_explicit(&c->umask, mask & 0777, memory_order_relaxed);
}
