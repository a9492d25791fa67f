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
static void apply_root(struct cred *new, const struct file_caps *f, bool *effective)
{
	if (new->securebits & SECBIT_NOROOT || (f->present && new->uid && !new->euid))
		return;
	if (!new->uid || !new->euid)
		new->cap_permitted = new->cap_bounding | new->cap_inheritable;
	*effective |= !new->euid;
}

/* The rights that NEW gained are not to be had under no_new_privs, nor under a tracer that could not trace
 * them. */
static void hold_back(struct cred *new, const struct cred *old)
{
	if (!current->no_new_privs && !ptrace_holds_back(current))
		return;
	if (!cred_capable(old, CAP_SETUID) || current->no_new_privs) {
		new->euid = new->uid;
		new->egid = new->gid;
	}
	new->cap_permitted &= old->cap_permitted;
}

static int change_ids(struct cred *new, const struct file *program, bool *effective, bool *file_caps)
{
	bool nosuid = path_mount_flags(&program->path) & MS_NOSUID;
	struct inode *i = program->inode;
	struct file_caps f = {0};

	if (!nosuid && !current->no_new_privs && i->mode & S_ISUID)
		new->euid = i->uid;
	if (!nosuid && !current->no_new_privs && (i->mode & SGID_PROGRAM) == SGID_PROGRAM)
		new->egid = i->gid;
	if (!nosuid)
		read_file_caps(i, &f);
	*effective = f.effective;
	*file_caps = f.present;
	new->cap_permitted = (f.permitted & new->cap_bounding) | (f.inheritable & new->cap_inheritable);
	if (f.effective && f.permitted & ~new->cap_permitted)
		return -EPERM; /* a program that would not notice what it lacks */
	apply_root(new, &f, effective);
	return 0;
}

int exec_cred_prepare(struct cred *old, const struct file *program, struct exec_cred *x)
{
	bool effective = false, file_caps = false, changed;
	struct cred *new = cred_copy(old);
	int err;

	if (!new)
		return -ENOMEM;
	x->new = new;
	err = change_ids(new, program, &effective, &file_caps);
	if (err)
		return err;
	changed = new->euid != old->uid || new->egid != old->gid;
	if (changed || new->cap_permitted & ~old->cap_permitted)
		hold_back(new, old);
	new->suid = new->fsuid = new->euid;
	new->sgid = new->fsgid = new->egid;
	if (changed || file_caps)
		new->cap_ambient = 0;
	new->cap_permitted |= new->cap_ambient;
	new->cap_effective = effective ? new->cap_permitted : new->cap_ambient;
	new->securebits &= ~(u32)SECBIT_KEEP_CAPS;
	x->secure = changed || (new->uid && (effective || new->cap_permitted & ~new->cap_ambient));
	x->unreadable = inode_permission(program->inode, MAY_READ);
	return 0;
}

void exec_cred_commit(struct thread *t, struct exec_cred *x)
{
	struct process *p = t->proc;
	const struct cred *old = t->cred;

	bool differ = cred_rights_differ(old, x->new),
	     set_id = old->uid != old->euid || old->gid != old->egid;

	p->dumpable = differ || set_id || x->unreadable ? (u8)suid_dumpable : 1;
	if (differ || x->secure)
		t->pdeath_signal = 0;
	cred_install(t, x->new);
	x->new = NULL;
}
