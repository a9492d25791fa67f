// SPDX-License-Identifier: BSD-2-Clause
/* prctl(2), arch_prctl(2), personality(2): properties of the calling thread or process. What there is nothing
 * behind here (speculation control, timing by timestamps, machine-check policy) answers as a kernel without
 * the feature does. */
#include "base/string.h"
#include "kernel/syscall.h"
#include "proc.h"
#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/personality.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

static long set_name(const char __app *uname)
{
	char name[sizeof(current->name)];
	ssize_t n = string_from_app(name, uname, sizeof(name));

	if (n == -ENAMETOOLONG) { /* longer names are cut */
		if (copy_from_app(name, uname, sizeof(name) - 1))
			return -EFAULT;
		name[sizeof(name) - 1] = 0;
	} else if (n < 0) {
		return n;
	}
	str_copy(current->name, name, sizeof(name));
	return 0;
}

static long get_name(char __app *uname)
{
	char name[sizeof(current->name)] = {0};

	str_copy(name, current->name, sizeof(name));
	return copy_to_app(uname, name, sizeof(name));
}

/* PR_SET_VMA_ANON_NAME: a name for /proc/PID/maps. It is checked, and shown nowhere. */
static long set_vma(u64 attr, u64 start, u64 len, const char __app *uname)
{
	char name[80];
	ssize_t n;

	if (attr != PR_SET_VMA_ANON_NAME || start & ~PAGE_MASK || !app_range_ok((void __app *)start, len))
		return -EINVAL;
	if (!uname)
		return 0;
	n = string_from_app(name, uname, sizeof(name));
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	for (ssize_t i = 0; i < n; i++)
		if (name[i] < ' ' || name[i] > '~' || strchr("\\`$[]", name[i]))
			return -EINVAL;
	return 0;
}

/* What to do with a process whose memory fails, before it touches it: kept, and never needed here. */
static long set_mce_kill(u64 op, u64 policy, u64 rest)
{
	struct process *p = current->proc;

	if (rest ||
	    (op == PR_MCE_KILL_CLEAR ? policy != 0 : op != PR_MCE_KILL_SET || policy > PR_MCE_KILL_DEFAULT))
		return -EINVAL;
	p->mce_kill = op == PR_MCE_KILL_CLEAR ? PR_MCE_KILL_DEFAULT : (u8)policy;
	return 0;
}

/* A process that other's memory reclaim waits for: there is no write-back that it could hang in. */
static long io_flusher(bool set, u64 on, u64 rest)
{
	struct process *p = current->proc;

	if (!process_capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (rest || on > set)
		return -EINVAL;
	if (!set)
		return p->io_flusher;
	p->io_flusher = on;
	return 0;
}

static long set_mm(u64 opt)
{
	return process_capable(CAP_SYS_RESOURCE) ? -EINVAL : opt ? -EPERM : -EINVAL;
}

SYSCALL_DEFINE5(prctl, int, option, u64, arg2, u64, arg3, u64, arg4, u64, arg5)
{
	struct process *p = current->proc;

	switch (option) {
	case PR_SET_NAME:
		return set_name((const char __app *)arg2);
	case PR_GET_NAME:
		return get_name((char __app *)arg2);
	case PR_SET_PDEATHSIG:
		if (arg2 > SIG_MAX)
			return -EINVAL;
		current->pdeath_signal = (int)arg2;
		return 0;
	case PR_GET_PDEATHSIG:
		return put_app(current->pdeath_signal, (int __app *)arg2);
	case PR_GET_DUMPABLE:
		return p->dumpable;
	case PR_SET_DUMPABLE:
		if (arg2 > 1)
			return -EINVAL;
		p->dumpable = (u8)arg2;
		return 0;
	case PR_GET_KEEPCAPS:
		return !!(current_cred()->securebits & SECBIT_KEEP_CAPS);
	case PR_SET_KEEPCAPS:
		return prctl_set_keep_caps(arg2);
	case PR_GET_SECUREBITS:
		return current_cred()->securebits;
	case PR_SET_SECUREBITS:
		return prctl_set_securebits(arg2);
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
		return prctl_bounding(option == PR_CAPBSET_DROP, arg2);
	case PR_CAP_AMBIENT:
		return prctl_ambient(arg2, arg3, arg4 | arg5);
	case PR_SET_NO_NEW_PRIVS:
		if (arg2 != 1 || arg3 || arg4 || arg5)
			return -EINVAL;
		current->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		if (arg2 || arg3 || arg4 || arg5)
			return -EINVAL;
		return current->no_new_privs;
	case PR_SET_CHILD_SUBREAPER:
		p->child_subreaper = arg2;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_app((int)p->child_subreaper, (int __app *)arg2);
	case PR_SET_TIMERSLACK:
		current->timer_slack_ns = arg2 ? arg2 : current->default_slack_ns;
		return 0;
	case PR_GET_TIMERSLACK:
		return (long)current->timer_slack_ns;
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return arg2 == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_GET_SECCOMP:
		return current->seccomp.mode;
	case PR_SET_SECCOMP:
		return prctl_set_seccomp(arg2, (const void __app *)arg3);
	case PR_GET_TSC:
		return put_app(PR_TSC_ENABLE, (int __app *)arg2);
	case PR_SET_TSC:
		return arg2 == PR_TSC_ENABLE ? 0 : -EINVAL;
	case PR_GET_TID_ADDRESS:
		return put_app((u64)current->clear_child_tid, (u64 __app *)arg2);
	case PR_SET_VMA:
		return set_vma(arg2, arg3, arg4, (const char __app *)arg5);
	case PR_SET_MM:
		return set_mm(arg2);
	case PR_SET_THP_DISABLE:
		if (arg3 || arg4 || arg5)
			return -EINVAL;
		p->thp_disabled = arg2;
		return 0;
	case PR_GET_THP_DISABLE:
		return arg2 || arg3 || arg4 || arg5 ? -EINVAL : p->thp_disabled;
	case PR_SET_PTRACER:
		return 0;
	case PR_GET_SPECULATION_CTRL: /* nothing is separated here that could leak: /proc/PID/status */
	case PR_SET_SPECULATION_CTRL:
		if (arg4 || arg5 || (arg3 && option == PR_GET_SPECULATION_CTRL))
			return -EINVAL;
		if (arg2 > PR_SPEC_L1D_FLUSH)
			return -ENODEV;
		return option == PR_GET_SPECULATION_CTRL ? PR_SPEC_NOT_AFFECTED : -ENXIO;
	case PR_MCE_KILL:
		return set_mce_kill(arg2, arg3, arg4 | arg5);
	case PR_MCE_KILL_GET:
		return arg2 || arg3 || arg4 || arg5 ? -EINVAL : p->mce_kill;
	case PR_TASK_PERF_EVENTS_DISABLE:
	case PR_TASK_PERF_EVENTS_ENABLE:
		return 0; /* there are none */
	case PR_SET_IO_FLUSHER:
	case PR_GET_IO_FLUSHER:
		return io_flusher(option == PR_SET_IO_FLUSHER, arg2, arg3 | arg4 | arg5);
	default:
		return -EINVAL;
	}
}

SYSCALL_DEFINE2(arch_prctl, int, code, u64, addr)
{
	switch (code) {
	case ARCH_SET_FS:
		if (addr >= APP_LIMIT)
			return -EPERM;
		arch_set_fs_base(addr);
		return 0;
	case ARCH_GET_FS:
		return put_app(arch_get_fs_base(), (u64 __app *)addr);
	case ARCH_SET_GS: /* GS is the kernel's: see docs/abi.md */
		return -EPERM;
	case ARCH_GET_GS:
		return put_app(0ull, (u64 __app *)addr);
	case ARCH_GET_CPUID:
		return 1;
	case ARCH_SET_CPUID:
		return addr ? 0 : -ENODEV;
	default:
		return -EINVAL;
	}
}

SYSCALL_DEFINE1(personality, u32, persona)
{
	u32 old = current->proc->personality;

	if (persona != 0xffffffff)
		current->proc->personality = persona;
	return old;
}
