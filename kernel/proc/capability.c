// SPDX-License-Identifier: BSD-2-Clause
/* Capability sets by system call: capget(2), capset(2), and prctl(2)'s bounding and ambient sets and secure
 * bits. */
#include "kernel/syscall.h"
#include "proc.h"
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

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
	struct thread *t = current;
	struct cred *c;
	unsigned words;
	int pid, err;

	err = cap_header(header, &words, &pid);
	if (err)
		return err == -EINVAL && !data ? 0 : err; /* a probe for the version */
	if (pid < 0)
		return -EINVAL;
	if (pid)
		t = thread_find((u32)pid);
	if (!t)
		return -ESRCH;
	c = thread_cred_get(t);
	for (unsigned i = 0; i < 2; i++) {
		d[i].effective = (u32)(c->cap_effective >> (32 * i));
		d[i].permitted = (u32)(c->cap_permitted >> (32 * i));
		d[i].inheritable = (u32)(c->cap_inheritable >> (32 * i));
	}
	cred_put(c);
	if (pid)
		thread_put(t);
	return copy_to_app(data, d, words * sizeof(d[0]));
}

static u64 joined(u32 low, u32 high)
{
	return (low | (u64)high << 32) & CAP_ALL;
}

SYSCALL_DEFINE2(capset, cap_user_header_t __app, header, const cap_user_data_t __app, data)
{
	const struct cred *c = current_cred();
	struct __user_cap_data_struct d[2] = {0};
	u64 effective, permitted, inheritable;
	struct cred *new;
	unsigned words;
	int pid, err;

	err = cap_header(header, &words, &pid);
	if (err)
		return err;
	if (pid && (u32)pid != current->tid)
		return -EPERM;
	if (copy_from_app(d, data, words * sizeof(d[0])))
		return -EFAULT;
	effective = joined(d[0].effective, d[1].effective);
	permitted = joined(d[0].permitted, d[1].permitted);
	inheritable = joined(d[0].inheritable, d[1].inheritable);
	if (permitted & ~c->cap_permitted || effective & ~permitted)
		return -EPERM;
	if (inheritable & ~(c->cap_inheritable | c->cap_permitted) && !process_capable(CAP_SETPCAP))
		return -EPERM;
	if (inheritable & ~(c->cap_inheritable | c->cap_bounding))
		return -EPERM;
	new = cred_prepare();
	if (!new)
		return -ENOMEM;
	new->cap_effective = effective;
	new->cap_permitted = permitted;
	new->cap_inheritable = inheritable;
	new->cap_ambient &= permitted &inheritable;
	cred_commit(new);
	return 0;
}

static long set_ambient(u64 caps)
{
	struct cred *new = cred_prepare();

	if (!new)
		return -ENOMEM;
	new->cap_ambient = caps;
	cred_commit(new);
	return 0;
}

long prctl_ambient(u64 op, u64 cap, u64 rest)
{
	const struct cred *c = current_cred();

	if (op == PR_CAP_AMBIENT_CLEAR_ALL)
		return cap || rest ? -EINVAL : set_ambient(0);
	if (cap > CAP_LAST_CAP || rest)
		return -EINVAL;
	switch (op) {
	case PR_CAP_AMBIENT_IS_SET:
		return c->cap_ambient >> cap & 1;
	case PR_CAP_AMBIENT_RAISE:
		if (!((c->cap_permitted & c->cap_inheritable) >> cap & 1) ||
		    (c->securebits & SECBIT_NO_CAP_AMBIENT_RAISE))
			return -EPERM;
		return set_ambient(c->cap_ambient | BIT(cap));
	case PR_CAP_AMBIENT_LOWER:
		return set_ambient(c->cap_ambient & ~BIT(cap));
	default:
		return -EINVAL;
	}
}

static long change_securebits(u32 bits)
{
	struct cred *new = cred_prepare();

	if (!new)
		return -ENOMEM;
	new->securebits = bits;
	cred_commit(new);
	return 0;
}

long prctl_set_keep_caps(u64 on)
{
	u32 bits = current_cred()->securebits;

	if (on > 1)
		return -EINVAL;
	if (bits & SECBIT_KEEP_CAPS_LOCKED)
		return -EPERM;
	return change_securebits((bits & ~(u32)SECBIT_KEEP_CAPS) | (on ? SECBIT_KEEP_CAPS : 0));
}

long prctl_set_securebits(u64 bits)
{
	u32 old = current_cred()->securebits, locked = (old & SECURE_ALL_LOCKS) >> 1;

	if (bits & ~(u64)(SECURE_ALL_BITS | SECURE_ALL_LOCKS) || ((u32)bits ^ old) & locked ||
	    old & SECURE_ALL_LOCKS & ~(u32)bits || !process_capable(CAP_SETPCAP))
		return -EPERM;
	return change_securebits((u32)bits);
}

long prctl_bounding(bool drop, u64 cap)
{
	struct cred *new;

	if (drop && !process_capable(CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	if (!drop)
		return current_cred()->cap_bounding >> cap & 1;
	new = cred_prepare();
	if (!new)
		return -ENOMEM;
	new->cap_bounding &= ~BIT(cap);
	cred_commit(new);
	return 0;
}
