// SPDX-License-Identifier: BSD-2-Clause
/* Credentials across execve: set-user-ID and set-group-ID programs, files with capabilities of their own, and
 * what follows from the ids. credentials(7), capabilities(7) "Transformation of capabilities during
 * execve()". */
#include "base/string.h"
#include "exec.h"
#include "ptrace.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/securebits.h>
#include <linux/xattr.h>

#define SGID_PROGRAM (S_ISGID | S_IXGRP) /* without the latter it once meant mandatory locking */

struct file_caps {
	u64 permitted, inheritable;
	bool present, effective;
};

static u64 caps_of(const struct vfs_ns_cap_data *d, bool inheritable)
{
	u64 caps = 0;

	for (int i = 0; i < VFS_CAP_U32_3; i++)
		caps |= (u64)(inheritable ? d->data[i].inheritable : d->data[i].permitted) << (32 * i);
	return caps & CAP_ALL;
}

/* The attribute that setcap(8) writes. One that says nothing sensible is none. */
static void read_file_caps(struct inode *i, struct file_caps *out)
{
	struct vfs_ns_cap_data d = {0};
	ssize_t n = -ENODATA;
	u32 revision;

	*out = (struct file_caps){0};
	if (!i->ops || !i->ops->getxattr)
		return;
	mutex_lock(&i->lock);
	n = i->ops->getxattr(i, XATTR_NAME_CAPS, &d, sizeof(d));
	mutex_unlock(&i->lock);
	revision = d.magic_etc & VFS_CAP_REVISION_MASK;
	if (n == XATTR_CAPS_SZ_1 && revision == VFS_CAP_REVISION_1)
		d.data[1].permitted = d.data[1].inheritable = 0;
	else if (!(n == XATTR_CAPS_SZ_2 && revision == VFS_CAP_REVISION_2) &&
		 !(n == XATTR_CAPS_SZ_3 && revision == VFS_CAP_REVISION_3 && !d.rootid))
		return;
	out->present = true;
	out->effective = d.magic_etc & VFS_CAP_FLAGS_EFFECTIVE;
	out->permitted = caps_of(&d, false);
	out->inheritable = caps_of(&d, true);
}

/* Uid 0 stands for all capabilities, unless SECBIT_NOROOT or a file's own capabilities speak against it. */
static void apply_root(const struct process *p, struct exec_cred *c, const struct file_caps *f,
		       bool *effective)
{
	if (p->securebits & SECBIT_NOROOT || (p->uid && c->euid) || (f->present && p->uid && !c->euid))
		return;
	c->permitted = p->cap_bounding | p->cap_inheritable;
	*effective |= !c->euid;
}

int exec_cred_prepare(const struct process *p, const struct file *program, struct exec_cred *c)
{
	bool nosuid = path_mount_flags(&program->path) & MS_NOSUID || ptrace_holds_back(current);
	bool changed, effective;
	struct inode *i = program->inode;
	struct file_caps f = {0};

	*c = (struct exec_cred){.euid = p->euid, .egid = p->egid};
	if (!nosuid && !p->no_new_privs && i->mode & S_ISUID)
		c->euid = i->uid;
	if (!nosuid && !p->no_new_privs && (i->mode & SGID_PROGRAM) == SGID_PROGRAM)
		c->egid = i->gid;
	if (!nosuid)
		read_file_caps(i, &f);
	changed = c->euid != p->uid || c->egid != p->gid;
	effective = f.effective;
	c->permitted = (f.permitted & p->cap_bounding) | (f.inheritable & p->cap_inheritable);
	if (f.effective && f.permitted & ~c->permitted)
		return -EPERM; /* a program that would not notice what it lacks */
	apply_root(p, c, &f, &effective);
	if (p->no_new_privs)
		c->permitted &= p->cap_permitted;
	c->ambient = changed || f.present ? 0 : p->cap_ambient;
	c->permitted |= c->ambient;
	c->effective = effective ? c->permitted : c->ambient;
	c->secure = changed || (p->uid && (effective || c->permitted & ~c->ambient));
	c->dumpable = !changed && c->euid == p->euid && c->egid == p->egid &&
		      !(c->permitted & ~p->cap_permitted) && !inode_permission(i, MAY_READ);
	return 0;
}

void exec_cred_commit(struct process *p, const struct exec_cred *c)
{
	p->euid = p->suid = p->fsuid = c->euid;
	p->egid = p->sgid = p->fsgid = c->egid;
	p->cap_permitted = c->permitted;
	p->cap_effective = c->effective;
	p->cap_ambient = c->ambient;
	p->securebits &= ~(u32)SECBIT_KEEP_CAPS;
	p->dumpable = c->dumpable;
	if (c->secure)
		p->pdeath_signal = 0;
}
