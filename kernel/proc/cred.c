// SPDX-License-Identifier: BSD-2-Clause
/* User and group ids, capabilities: credentials(7), capabilities(7). They belong to the process (Linux has
 * them per thread, and the C libraries keep the threads alike), and are read without a lock: each is one
 * word. */
#include "base/bits.h"
#include "base/string.h"
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
	return current->proc->uid;
}

SYSCALL_DEFINE0(geteuid)
{
	return current->proc->euid;
}

SYSCALL_DEFINE0(getgid)
{
	return current->proc->gid;
}

SYSCALL_DEFINE0(getegid)
{
	return current->proc->egid;
}

/* Capabilities that go along with file system user 0. */
#define CAP_FS                                                                                \
	(BIT(CAP_CHOWN) | BIT(CAP_MKNOD) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | \
	 BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_MAC_OVERRIDE))

/* The effective identity changed: what is in memory may be more than the new one should see, and the parent's
 * death is its own business again. */
static void identity_changed(struct process *p)
{
	p->dumpable = false;
	p->pdeath_signal = 0;
}

/* The user ids are about to become RUID, EUID, SUID: capabilities follow as capabilities(7) says. */
static void set_uids(struct process *p, u32 ruid, u32 euid, u32 suid)
{
	bool had_root = !p->uid || !p->euid || !p->suid, has_root = !ruid || !euid || !suid;

	if (!(p->securebits & SECBIT_NO_SETUID_FIXUP)) {
		if (had_root && !has_root) {
			if (!(p->securebits & SECBIT_KEEP_CAPS))
				p->cap_permitted = p->cap_effective = 0;
			p->cap_ambient = 0;
		}
		if (!p->euid && euid)
			p->cap_effective = 0;
		else if (p->euid && !euid)
			p->cap_effective = p->cap_permitted;
	}
	if (p->euid != euid || p->fsuid != euid)
		identity_changed(p);
	p->uid = ruid;
	p->euid = euid;
	p->suid = suid;
	p->fsuid = euid;
}

static void set_effective_gid(struct process *p, u32 gid)
{
	if (p->egid != gid || p->fsgid != gid)
		identity_changed(p);
	p->egid = p->fsgid = gid;
}

static bool is_own_uid(const struct process *p, u32 id)
{
	return id == p->uid || id == p->euid || id == p->suid;
}

static bool is_own_gid(const struct process *p, u32 id)
{
	return id == p->gid || id == p->egid || id == p->sgid;
}

SYSCALL_DEFINE1(setuid, u32, uid)
{
	struct process *p = current->proc;

	if (uid == UNCHANGED)
		return -EINVAL;
	if (process_capable(CAP_SETUID))
		set_uids(p, uid, uid, uid);
	else if (uid == p->uid || uid == p->suid)
		set_uids(p, p->uid, uid, p->suid);
	else
		return -EPERM;
	return 0;
}

SYSCALL_DEFINE1(setgid, u32, gid)
{
	struct process *p = current->proc;

	if (gid == UNCHANGED)
		return -EINVAL;
	if (process_capable(CAP_SETGID))
		p->gid = p->sgid = gid;
	else if (gid != p->gid && gid != p->sgid)
		return -EPERM;
	set_effective_gid(p, gid);
	return 0;
}

SYSCALL_DEFINE2(setreuid, u32, ruid, u32, euid)
{
	struct process *p = current->proc;
	u32 r = ruid == UNCHANGED ? p->uid : ruid, e = euid == UNCHANGED ? p->euid : euid;

	if (!process_capable(CAP_SETUID)) {
		if (r != p->uid && r != p->euid)
			return -EPERM;
		if (!is_own_uid(p, e))
			return -EPERM;
	}
	set_uids(p, r, e, ruid != UNCHANGED || (euid != UNCHANGED && e != p->uid) ? e : p->suid);
	return 0;
}

SYSCALL_DEFINE2(setregid, u32, rgid, u32, egid)
{
	struct process *p = current->proc;
	u32 r = rgid == UNCHANGED ? p->gid : rgid, e = egid == UNCHANGED ? p->egid : egid;

	if (!process_capable(CAP_SETGID)) {
		if (r != p->gid && r != p->egid)
			return -EPERM;
		if (!is_own_gid(p, e))
			return -EPERM;
	}
	if (rgid != UNCHANGED || (egid != UNCHANGED && e != p->gid))
		p->sgid = e;
	p->gid = r;
	set_effective_gid(p, e);
	return 0;
}

SYSCALL_DEFINE3(setresuid, u32, ruid, u32, euid, u32, suid)
{
	struct process *p = current->proc;
	u32 r = ruid == UNCHANGED ? p->uid : ruid, e = euid == UNCHANGED ? p->euid : euid;
	u32 s = suid == UNCHANGED ? p->suid : suid;

	if (!process_capable(CAP_SETUID) && !(is_own_uid(p, r) && is_own_uid(p, e) && is_own_uid(p, s)))
		return -EPERM;
	set_uids(p, r, e, s);
	return 0;
}

SYSCALL_DEFINE3(setresgid, u32, rgid, u32, egid, u32, sgid)
{
	struct process *p = current->proc;
	u32 r = rgid == UNCHANGED ? p->gid : rgid, e = egid == UNCHANGED ? p->egid : egid;
	u32 s = sgid == UNCHANGED ? p->sgid : sgid;

	if (!process_capable(CAP_SETGID) && !(is_own_gid(p, r) && is_own_gid(p, e) && is_own_gid(p, s)))
		return -EPERM;
	p->gid = r;
	set_effective_gid(p, e);
	p->sgid = s;
	return 0;
}

SYSCALL_DEFINE3(getresuid, u32 __app *, ruid, u32 __app *, euid, u32 __app *, suid)
{
	struct process *p = current->proc;

	return put_app(p->uid, ruid) || put_app(p->euid, euid) || put_app(p->suid, suid) ? -EFAULT : 0;
}

SYSCALL_DEFINE3(getresgid, u32 __app *, rgid, u32 __app *, egid, u32 __app *, sgid)
{
	struct process *p = current->proc;

	return put_app(p->gid, rgid) || put_app(p->egid, egid) || put_app(p->sgid, sgid) ? -EFAULT : 0;
}

/* Both return the old id whether they change it or not. */
SYSCALL_DEFINE1(setfsuid, u32, uid)
{
	struct process *p = current->proc;
	u32 old = p->fsuid;

	if (uid == UNCHANGED || uid == old || !(process_capable(CAP_SETUID) || is_own_uid(p, uid)))
		return old;
	if (!(p->securebits & SECBIT_NO_SETUID_FIXUP)) {
		if (!old)
			p->cap_effective &= ~CAP_FS;
		else if (!uid)
			p->cap_effective |= p->cap_permitted & CAP_FS;
	}
	p->fsuid = uid;
	identity_changed(p);
	return old;
}

SYSCALL_DEFINE1(setfsgid, u32, gid)
{
	struct process *p = current->proc;
	u32 old = p->fsgid;

	if (gid != UNCHANGED && gid != old && (process_capable(CAP_SETGID) || is_own_gid(p, gid))) {
		p->fsgid = gid;
		identity_changed(p);
	}
	return old;
}

/* ---- capabilities ---- */

/* Words of capability sets in this version of the interface, or 0. */
static unsigned cap_words(u32 version)
{
	switch (version) {
	case _LINUX_CAPABILITY_VERSION_1:
		return _LINUX_CAPABILITY_U32S_1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		return _LINUX_CAPABILITY_U32S_3;
	default:
		return 0;
	}
}

/* Reads the header; an unknown version is answered with the one to use. */
static int cap_header(cap_user_header_t __app header, unsigned *words, int *pid)
{
	struct __user_cap_header_struct h;

	if (get_app(h, header))
		return -EFAULT;
	*words = cap_words(h.version);
	*pid = h.pid;
	if (*words)
		return 0;
	return put_app((u32)_LINUX_CAPABILITY_VERSION_3, &header->version) ? -EFAULT : -EINVAL;
}

SYSCALL_DEFINE2(capget, cap_user_header_t __app, header, cap_user_data_t __app, data)
{
	struct __user_cap_data_struct d[2];
	struct process *p;
	unsigned words;
	int pid, err;

	err = cap_header(header, &words, &pid);
	if (err)
		return err == -EINVAL && !data ? 0 : err; /* a probe for the version */
	if (pid < 0)
		return -EINVAL;
	p = pid ? process_find((u32)pid) : current->proc;
	if (!p)
		return -ESRCH;
	for (unsigned i = 0; i < 2; i++) {
		d[i].effective = (u32)(p->cap_effective >> (32 * i));
		d[i].permitted = (u32)(p->cap_permitted >> (32 * i));
		d[i].inheritable = (u32)(p->cap_inheritable >> (32 * i));
	}
	if (pid)
		process_put(p);
	return copy_to_app(data, d, words * sizeof(d[0]));
}

SYSCALL_DEFINE2(capset, cap_user_header_t __app, header, const cap_user_data_t __app, data)
{
	struct process *p = current->proc;
	struct __user_cap_data_struct d[2] = {0};
	u64 effective, permitted, inheritable;
	unsigned words;
	int pid, err;

	err = cap_header(header, &words, &pid);
	if (err)
		return err;
	if (pid && (u32)pid != p->pid && (u32)pid != current->tid)
		return -EPERM;
	if (copy_from_app(d, data, words * sizeof(d[0])))
		return -EFAULT;
	effective = (d[0].effective | (u64)d[1].effective << 32) & CAP_ALL;
	permitted = (d[0].permitted | (u64)d[1].permitted << 32) & CAP_ALL;
	inheritable = (d[0].inheritable | (u64)d[1].inheritable << 32) & CAP_ALL;
	if (permitted & ~p->cap_permitted || effective & ~permitted)
		return -EPERM;
	if (inheritable &
	    ~(p->cap_inheritable | p->cap_permitted | (process_capable(CAP_SETPCAP) ? ~0ull : 0)))
		return -EPERM;
	if (inheritable & ~(p->cap_inheritable | p->cap_bounding))
		return -EPERM;
	p->cap_effective = effective;
	p->cap_permitted = permitted;
	p->cap_inheritable = inheritable;
	p->cap_ambient &= permitted & inheritable;
	return 0;
}
