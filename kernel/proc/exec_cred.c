// SPDX-License-Identifier: BSD-2-Clause
/* Credentials across execve: set-user-ID and set-group-ID programs, and the capabilities that follow from the
 * ids (there are no file capabilities). credentials(7), capabilities(7). */
#include "exec.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include <linux/securebits.h>

#define SGID_PROGRAM (S_ISGID | S_IXGRP) /* without the latter it once meant mandatory locking */

void exec_cred_prepare(const struct process *p, const struct file *program, struct exec_cred *c)
{
	const struct inode *i = program->inode;
	bool root, changed;

	*c = (struct exec_cred){.euid = p->euid, .egid = p->egid};
	if (!p->no_new_privs && (i->mode & S_ISUID))
		c->euid = i->uid;
	if (!p->no_new_privs && (i->mode & SGID_PROGRAM) == SGID_PROGRAM)
		c->egid = i->gid;
	changed = c->euid != p->uid || c->egid != p->gid;
	root = !(p->securebits & SECBIT_NOROOT) && (!p->uid || !c->euid);
	c->ambient = changed ? 0 : p->cap_ambient;
	c->permitted = root ? p->cap_bounding | p->cap_inheritable : c->ambient;
	c->effective = root && !c->euid ? c->permitted : c->ambient;
	c->secure = changed || (p->uid && c->permitted & ~c->ambient);
}

void exec_cred_commit(struct process *p, const struct exec_cred *c)
{
	p->euid = p->suid = p->fsuid = c->euid;
	p->egid = p->sgid = p->fsgid = c->egid;
	p->cap_permitted = c->permitted;
	p->cap_effective = c->effective;
	p->cap_ambient = c->ambient;
	p->securebits &= ~(u32)SECBIT_KEEP_CAPS;
	p->dumpable = !c->secure;
	if (c->secure)
		p->pdeath_signal = 0;
}
