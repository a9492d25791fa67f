/* SPDX-License-Identifier: BSD-2-Clause */
/* mount(2), umount2(2), pivot_root(2). */
#include "syscalls.h"
#include "base/bits.h"
#include "base/string.h"
#include <linux/mount.h>

#define UMOUNT_FLAGS	0x0f /* MNT_FORCE, MNT_DETACH, MNT_EXPIRE, UMOUNT_NOFOLLOW */
#define MNT_FORCE	0x01
#define MNT_DETACH	0x02
#define MNT_EXPIRE	0x04
#define UMOUNT_NOFOLLOW 0x08
#define TYPE_MAX	64
#define PROPAGATION	(MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

/* The options, a string of less than a page. NULL gives "". */
static char *options_get(const void __app *data)
{
	char *s = kmalloc(PAGE_SIZE);
	ssize_t n = 0;

	if (!s)
		return ERR_PTR(-ENOMEM);
	*s = 0;
	if (data)
		n = string_from_app(s, data, PAGE_SIZE);
	if (n >= 0)
		return s;
	kfree(s);
	return ERR_PTR(n == -ENAMETOOLONG ? -EINVAL : n);
}

static long do_mount(const char *source, const struct path *at, const char *type, u32 flags,
		     const char *options)
{
	struct path from;
	long err;

	if (flags & MS_STRICTATIME)
		flags &= ~(u32)MS_NOATIME;
	if (flags & MS_REMOUNT)
		return mount_remount(at, flags, options, flags & MS_BIND);
	if (flags & PROPAGATION) /* one name space: there is nobody to propagate to */
		return at->dentry == at->mnt->root && is_power_of_2(flags & ~(u32)(MS_REC | MS_SILENT))
			       ? 0
			       : -EINVAL;
	if (flags & (MS_BIND | MS_MOVE)) {
		if (!*source)
			return -EINVAL;
		err = walk_path(AT_FDCWD, source, WALK_FOLLOW, &from);
		if (err)
			return err;
		err = flags & MS_BIND ? mount_bind(&from, at, flags & MS_REC) : mount_move(&from, at);
		path_put(&from);
		return err;
	}
	return *type ? mount_new(at, source, type, flags, options) : -EINVAL;
}

SYSCALL_DEFINE5(mount, const char __app *, usource, const char __app *, upath, const char __app *, utype, u64,
		flags, const void __app *, data)
{
	char type[TYPE_MAX] = "", *source, *options;
	struct path at;
	long err;

	if (utype && (err = string_from_app(type, utype, sizeof type)) < 0)
		return err == -ENAMETOOLONG ? -EINVAL : err;
	source = usource ? app_path_get(usource, true) : kstrdup("");
	if (!source || IS_ERR(source))
		return source ? PTR_ERR(source) : -ENOMEM;
	options = options_get(data);
	err = PTR_ERR(options);
	if (IS_ERR(options))
		goto out_source;
	err = walk_app_path(AT_FDCWD, upath, WALK_FOLLOW, &at);
	if (err)
		goto out_options;
	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(u64)MS_MGC_MSK;
	err = process_capable(CAP_SYS_ADMIN) ? do_mount(source, &at, type, (u32)flags, options) : -EPERM;
	path_put(&at);
out_options:
	kfree(options);
out_source:
	kfree(source);
	return err;
}

SYSCALL_DEFINE2(umount2, const char __app *, name, u32, flags)
{
	struct path p;
	long err;

	if (flags & ~(u32)UMOUNT_FLAGS)
		return -EINVAL;
	err = walk_app_path(AT_FDCWD, name, flags & UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW, &p);
	if (err)
		return err;
	if (!process_capable(CAP_SYS_ADMIN))
		err = -EPERM;
	else if (flags & MNT_EXPIRE && flags & (MNT_FORCE | MNT_DETACH))
		err = -EINVAL;
	else
		err = mount_detach(&p, flags);
	dentry_put(p.dentry);
	mount_put_quietly(p.mnt);
	return err;
}

SYSCALL_DEFINE2(pivot_root, const char __app *, new_root, const char __app *, put_old)
{
	struct path new, old;
	int err;

	if (!process_capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = walk_app_path(AT_FDCWD, new_root, WALK_FOLLOW | WALK_DIRECTORY, &new);
	if (err)
		return err;
	err = walk_app_path(AT_FDCWD, put_old, WALK_FOLLOW | WALK_DIRECTORY, &old);
	if (!err)
		path_put(&old);
	path_put(&new);
	return err ? err : -EINVAL; /* the root is the first mount, which hangs nowhere and stays */
}
