/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may do what: mode bits against the process's file system identity, as POSIX 4.7 says. Uid 0 overrides
 * all but the lack of any x bit. Fields of the inode are sampled without its lock: a change that races takes
 * effect before or after. */
#include "internal.h"

struct creds creds_fs(void)
{
	struct process *p = current_process();

	return (struct creds){.uid = p->fsuid, .gid = p->fsgid, .root = p->fsuid == 0};
}

struct creds creds_real(void)
{
	struct process *p = current_process();

	return (struct creds){.uid = p->uid, .gid = p->gid, .root = p->uid == 0};
}

bool process_is_root(void)
{
	return current_process()->euid == 0;
}

bool creds_in_group(const struct creds *c, u32 gid)
{
	struct process *p = current_process();

	if (c->gid == gid)
		return true;
	for (u32 n = 0; n < p->ngroups && n < ARRAY_SIZE(p->groups); n++)
		if (p->groups[n] == gid)
			return true;
	return false;
}

int permission_as(const struct creds *c, struct inode *i, u32 mask)
{
	u32 mode = READ_ONCE(i->mode), bits;

	if (c->root) {
		if (!(mask & MAY_EXEC) || (mode & S_IFMT) == S_IFDIR || mode & 0111)
			return 0;
		return -EACCES;
	}
	if (c->uid == i->uid)
		bits = mode >> 6;
	else if (creds_in_group(c, i->gid))
		bits = mode >> 3;
	else
		bits = mode;
	return mask & ~bits & 7 ? -EACCES : 0;
}

int inode_permission(struct inode *i, u32 mask)
{
	struct creds c = creds_fs();

	return permission_as(&c, i, mask);
}

bool inode_owner_or_root(struct inode *i)
{
	struct creds c = creds_fs();

	return c.root || c.uid == i->uid;
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
	if (dir->mode & S_ISVTX && !c.root && c.uid != dir->uid && c.uid != i->uid)
		return -EPERM;
	if (is_dir && !S_ISDIR(i->mode))
		return -ENOTDIR;
	if (!is_dir && S_ISDIR(i->mode))
		return -EISDIR;
	if (victim->flags & DENTRY_MOUNTED)
		return -EBUSY;
	return dir->flags & INODE_DEAD ? -ENOENT : 0;
}
