/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may do what: mode bits against the thread's file system identity, as POSIX 4.7 says, and the
 * capabilities that override them (capabilities(7)): all but the lack of any x bit. Fields of the inode are
 * sampled without its lock: a change that races takes effect before or after. */
#include "acl.h"
#include <linux/securebits.h>

u32 vfs_protected_hardlinks = 1, vfs_protected_symlinks = 1, vfs_protected_fifos, vfs_protected_regular;

struct creds creds_fs(void)
{
	const struct cred *c = current_cred();

	return (struct creds){.uid = c->fsuid, .gid = c->fsgid, .caps = c->cap_effective};
}

/* What the thread could do were its real user its effective one. */
struct creds creds_real(void)
{
	const struct cred *c = current_cred();
	u64 caps = c->cap_effective;

	if (!(c->securebits & SECBIT_NO_SETUID_FIXUP))
		caps = c->uid ? 0 : c->cap_permitted;
	return (struct creds){.uid = c->uid, .gid = c->gid, .caps = caps};
}

bool creds_in_group(const struct creds *c, u32 gid)
{
	const struct group_list *g = current_cred()->groups;

	return c->gid == gid || (g && group_list_has(g, gid));
}

/* The mode bits say no: does a capability say yes? */
static int permission_override(const struct creds *c, u32 mode, u32 mask)
{
	bool dir = S_ISDIR(mode);

	if (!(mask & MAY_WRITE) && (dir || !(mask & MAY_EXEC)) && creds_capable(c, CAP_DAC_READ_SEARCH))
		return 0;
	if ((dir || !(mask & MAY_EXEC) || mode & 0111) && creds_capable(c, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

int permission_as(const struct creds *c, struct inode *i, u32 mask)
{
	u32 mode = READ_ONCE(i->mode), bits;
	int err;

	if (mask & MAY_WRITE && unlikely(i->flags & INODE_IMMUTABLE))
		return -EPERM;
	/* Without a group bit no entry of a list, which is masked by them, can grant anything. */
	if (unlikely(i->acl) && c->uid != i->uid && mode & 070) {
		err = acl_permission(c, i, mask & 7);
		if (err != -EAGAIN)
			return err ? permission_override(c, mode, mask) : 0;
	}
	if (c->uid == i->uid)
		bits = mode >> 6;
	else if (creds_in_group(c, i->gid))
		bits = mode >> 3;
	else
		bits = mode;
	return mask & ~bits & 7 ? permission_override(c, mode, mask) : 0;
}

int inode_permission(struct inode *i, u32 mask)
{
	struct creds c = creds_fs();

	return permission_as(&c, i, mask);
}

bool inode_owner_or_capable(struct inode *i)
{
	struct creds c = creds_fs();

	return c.uid == i->uid || creds_capable(&c, CAP_FOWNER);
}

int may_create(struct inode *dir)
{
	if (dir->flags & INODE_DEAD)
		return -ENOENT;
	return inode_permission(dir, MAY_WRITE | MAY_EXEC);
}

int may_delete(struct inode *dir, struct dentry *victim, bool is_dir)
{
	struct inode *i = victim->inode;
	struct creds c = creds_fs();
	int err;

	if (!i)
		return -ENOENT;
	err = permission_as(&c, dir, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	if ((dir->flags | i->flags) & INODE_APPEND || i->flags & INODE_IMMUTABLE)
		return -EPERM;
	if (dir->mode & S_ISVTX && c.uid != dir->uid && c.uid != i->uid && !creds_capable(&c, CAP_FOWNER))
		return -EPERM;
	if (is_dir && !S_ISDIR(i->mode))
		return -ENOTDIR;
	if (!is_dir && S_ISDIR(i->mode))
		return -EISDIR;
	if (victim->flags & DENTRY_MOUNTED)
		return -EBUSY;
	return dir->flags & INODE_DEAD ? -ENOENT : 0;
}
