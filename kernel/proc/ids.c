// SPDX-License-Identifier: BSD-2-Clause
/* User and group ids: credentials(7), and what becomes of capabilities when they change (capabilities(7)).
 * They belong to the thread; the C libraries keep those of a process alike. */
#include "kernel/syscall.h"
#include "proc.h"
#include <linux/capability.h>
#include <linux/securebits.h>

#define UNCHANGED (~0u)

SYSCALL_DEFINE0(getpid)
{
	return current->proc->pid;
}

SYSCALL_DEFINE0(gettid)
{
	return current->tid;
}

SYSCALL_DEFINE0(getppid)
{
	return process_ppid(current->proc);
}

SYSCALL_DEFINE0(getuid)
{
	return current_cred()->uid;
}

SYSCALL_DEFINE0(geteuid)
{
	return current_cred()->euid;
}

SYSCALL_DEFINE0(getgid)
{
	return current_cred()->gid;
}

SYSCALL_DEFINE0(getegid)
{
	return current_cred()->egid;
}

/* Capabilities that go along with file system user 0. */
#define CAP_FS                                                                                \
	(BIT(CAP_CHOWN) | BIT(CAP_MKNOD) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | \
	 BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_MAC_OVERRIDE))

static bool any_root(const struct cred *c)
{
	return !c->uid || !c->euid || !c->suid;
}

/* User 0 comes or goes: so do its capabilities. */
static void fix_capabilities(struct cred *new, const struct cred *old)
{
	if (new->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (any_root(old) && !any_root(new)) {
		if (!(new->securebits &SECBIT_KEEP_CAPS))
			new->cap_permitted = new->cap_effective = 0;
		new->cap_ambient = 0;
	}
	if (!old->euid && new->euid)
		new->cap_effective = 0;
	else if (old->euid && !new->euid)
		new->cap_effective = new->cap_permitted;
}

/* The current thread's ids become these; UNCHANGED: as they are. */
static int set_uids(u32 uid, u32 euid, u32 suid)
{
	struct cred *new = cred_prepare();

	if (!new)
		return -ENOMEM;
	if (uid != UNCHANGED)
		new->uid = uid;
	if (euid != UNCHANGED)
		new->euid = euid;
	if (suid != UNCHANGED)
		new->suid = suid;
	new->fsuid = new->euid;
	fix_capabilities(new, current_cred());
	current->nproc_exceeded = process_limit_exceeded(new->uid, 0);
	cred_commit(new);
	return 0;
}

static int set_gids(u32 gid, u32 egid, u32 sgid)
{
	struct cred *new = cred_prepare();

	if (!new)
		return -ENOMEM;
	if (gid != UNCHANGED)
		new->gid = gid;
	if (egid != UNCHANGED)
		new->egid = egid;
	if (sgid != UNCHANGED)
		new->sgid = sgid;
	new->fsgid = new->egid;
	cred_commit(new);
	return 0;
}

static bool is_own_uid(const struct cred *c, u32 id)
{
	return id == UNCHANGED || id == c->uid || id == c->euid || id == c->suid;
}

static bool is_own_gid(const struct cred *c, u32 id)
{
	return id == UNCHANGED || id == c->gid || id == c->egid || id == c->sgid;
}

SYSCALL_DEFINE1(setuid, u32, uid)
{
	const struct cred *c = current_cred();

	if (uid == UNCHANGED)
		return -EINVAL;
	if (process_capable(CAP_SETUID))
		return set_uids(uid, uid, uid);
	return uid == c->uid || uid == c->suid ? set_uids(UNCHANGED, uid, UNCHANGED) : -EPERM;
}

SYSCALL_DEFINE1(setgid, u32, gid)
{
	const struct cred *c = current_cred();

	if (gid == UNCHANGED)
		return -EINVAL;
	if (process_capable(CAP_SETGID))
		return set_gids(gid, gid, gid);
	return gid == c->gid || gid == c->sgid ? set_gids(UNCHANGED, gid, UNCHANGED) : -EPERM;
}

SYSCALL_DEFINE2(setreuid, u32, ruid, u32, euid)
{
	const struct cred *c = current_cred();
	u32 e = euid == UNCHANGED ? c->euid : euid;

	if (!process_capable(CAP_SETUID)) {
		if (ruid != UNCHANGED && ruid != c->uid && ruid != c->euid)
			return -EPERM;
		if (!is_own_uid(c, euid))
			return -EPERM;
	}
	return set_uids(ruid, e, ruid != UNCHANGED || (euid != UNCHANGED && e != c->uid) ? e : UNCHANGED);
}

SYSCALL_DEFINE2(setregid, u32, rgid, u32, egid)
{
	const struct cred *c = current_cred();
	u32 e = egid == UNCHANGED ? c->egid : egid;

	if (!process_capable(CAP_SETGID)) {
		if (rgid != UNCHANGED && rgid != c->gid && rgid != c->egid)
			return -EPERM;
		if (!is_own_gid(c, egid))
			return -EPERM;
	}
	return set_gids(rgid, e, rgid != UNCHANGED || (egid != UNCHANGED && e != c->gid) ? e : UNCHANGED);
}

SYSCALL_DEFINE3(setresuid, u32, ruid, u32, euid, u32, suid)
{
	const struct cred *c = current_cred();

	if (!process_capable(CAP_SETUID) &&
	    !(is_own_uid(c, ruid) && is_own_uid(c, euid) && is_own_uid(c, suid)))
		return -EPERM;
	return set_uids(ruid, euid, suid);
}

SYSCALL_DEFINE3(setresgid, u32, rgid, u32, egid, u32, sgid)
{
	const struct cred *c = current_cred();

	if (!process_capable(CAP_SETGID) &&
	    !(is_own_gid(c, rgid) && is_own_gid(c, egid) && is_own_gid(c, sgid)))
		return -EPERM;
	return set_gids(rgid, egid, sgid);
}

SYSCALL_DEFINE3(getresuid, u32 __app *, ruid, u32 __app *, euid, u32 __app *, suid)
{
	const struct cred *c = current_cred();

	return put_app(c->uid, ruid) || put_app(c->euid, euid) || put_app(c->suid, suid) ? -EFAULT : 0;
}

SYSCALL_DEFINE3(getresgid, u32 __app *, rgid, u32 __app *, egid, u32 __app *, sgid)
{
	const struct cred *c = current_cred();

	return put_app(c->gid, rgid) || put_app(c->egid, egid) || put_app(c->sgid, sgid) ? -EFAULT : 0;
}

static void fix_fs_capabilities(struct cred *new, const struct cred *old)
{
	if (new->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (!old->fsuid && new->fsuid)
		new->cap_effective &= ~CAP_FS;
	else if (old->fsuid && !new->fsuid)
		new->cap_effective |= new->cap_permitted &CAP_FS;
}

/* Both return the old id whether they change it or not. */
SYSCALL_DEFINE1(setfsuid, u32, uid)
{
	const struct cred *c = current_cred();
	struct cred *new;
	u32 old = c->fsuid;

	if (uid == UNCHANGED || uid == old || !(process_capable(CAP_SETUID) || is_own_uid(c, uid)))
		return old;
	new = cred_prepare();
	if (!new)
		return old;
	new->fsuid = uid;
	fix_fs_capabilities(new, c);
	cred_commit(new);
	return old;
}

SYSCALL_DEFINE1(setfsgid, u32, gid)
{
	const struct cred *c = current_cred();
	struct cred *new;
	u32 old = c->fsgid;

	if (gid == UNCHANGED || gid == old || !(process_capable(CAP_SETGID) || is_own_gid(c, gid)))
		return old;
	new = cred_prepare();
	if (!new)
		return old;
	new->fsgid = gid;
	cred_commit(new);
	return old;
}
