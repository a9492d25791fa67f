// SPDX-License-Identifier: BSD-2-Clause
/* Calls that exist and say no, as on a kernel that was built or set up without the feature: no namespaces, no
 * I/O ports, no I/O scheduling. What is not listed here or
 * anywhere is ENOSYS. */
#include "arch/syscall.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/syscall.h"
#include "proc.h"
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/sched.h>

#define UNSHARE_NAMESPACES                                                                            \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
	 CLONE_NEWNET | CLONE_NEWTIME)
#define UNSHARE_OTHERS (CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM)

bool syscall_absent_by_design(unsigned nr)
{
	switch (nr) {
	case __NR_rseq: /* until restartable sequences are aborted on preemption */
	case __NR_modify_ldt:
	case __NR_io_uring_setup:
	case __NR_io_uring_enter:
	case __NR_io_uring_register:
	case __NR_bpf:
	case __NR_perf_event_open:
	case __NR_userfaultfd:
	case __NR_acct:
	case __NR_swapon:
	case __NR_swapoff:
	case __NR_quotactl:
	case __NR_add_key:
	case __NR_request_key:
	case __NR_keyctl:
		return true;
	default:
		return false;
	}
}

static int unshare_fs(void)
{
	struct fs_context *old = current->fs, *new = fs_context_copy(old);
	u64 flags;

	if (!new || IS_ERR(new))
		return new ? (int)PTR_ERR(new) : -ENOMEM;
	flags = spin_lock_irqsave(&current->proc->lock);
	current->fs = new;
	spin_unlock_irqrestore(&current->proc->lock, flags);
	fs_context_put(old);
	return 0;
}

SYSCALL_DEFINE1(unshare, u64, flags)
{
	struct process *p = current->proc;
	int err = 0;

	if (flags & ~(u64)(UNSHARE_NAMESPACES | UNSHARE_OTHERS))
		return -EINVAL;
	/* These the threads of a process share: only one that is alone has them to itself. */
	if (flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWUSER) && p->nthreads > 1)
		return -EINVAL;
	if (flags & (CLONE_SIGHAND | CLONE_VM) && refcount_read(&p->sighand->ref) > 1)
		return -EINVAL;
	if (flags & CLONE_VM && refcount_read(&current->vm->ref) > 1)
		return -EINVAL;
	if (flags & CLONE_NEWUSER)
		return -EINVAL; /* as a kernel built without them */
	if (flags & UNSHARE_NAMESPACES)
		return process_capable(CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
	if (flags & CLONE_FILES)
		err = fdtable_unshare();
	return !err && flags & CLONE_FS ? unshare_fs() : err;
}

SYSCALL_DEFINE2(setns, int, fd, int, nstype)
{
	struct file *f = fd_get(fd);
	int kind;

	if (!f)
		return -EBADF;
	kind = ns_file_type(f);
	file_put(f);
	if (!kind || (nstype && nstype != kind) || kind == CLONE_NEWUSER)
		return -EINVAL; /* nobody enters a user name space that he is in */
	return process_capable(CAP_SYS_ADMIN) ? 0 : -EPERM; /* there is one of each kind */
}

SYSCALL_DEFINE1(iopl, unsigned, level)
{
	return level > 3 ? -EINVAL : level ? -EPERM : 0;
}

SYSCALL_DEFINE3(ioperm, u64, from, u64, num, int, turn_on)
{
	return from + num <= from || from + num > 65536 ? -EINVAL : turn_on ? -EPERM : 0;
}

/* ---- I/O priorities: kept, and without effect ---- */

int ioprio_check(int ioprio)
{
	int class = IOPRIO_PRIO_CLASS(ioprio), level = IOPRIO_PRIO_DATA(ioprio);

	switch (class) {
	case IOPRIO_CLASS_RT:
		if (!process_capable(CAP_SYS_ADMIN) && !process_capable(CAP_SYS_NICE))
			return -EPERM;
		return level >= IOPRIO_NR_LEVELS ? -EINVAL : 0;
	case IOPRIO_CLASS_BE:
		return level >= IOPRIO_NR_LEVELS ? -EINVAL : 0;
	case IOPRIO_CLASS_IDLE:
		return 0;
	case IOPRIO_CLASS_NONE:
		return level ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

static bool ioprio_selects(int which, int who, struct process *p)
{
	switch (which) {
	case IOPRIO_WHO_PROCESS:
		return who ? p->pid == (u32)who : p == current->proc;
	case IOPRIO_WHO_PGRP:
		return p->pgid == (who ? (u32)who : current->proc->pgid);
	default:
		return process_uid(p) == (u32)who;
	}
}

SYSCALL_DEFINE3(ioprio_set, int, which, int, who, int, ioprio)
{
	int ret = ioprio_check(ioprio);
	struct process *p;

	if (ret)
		return ret;
	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	ret = -ESRCH;
	spin_lock(&process_tree_lock);
	list_for_each_entry (p, &all_processes, all_node) {
		if (!ioprio_selects(which, who, p))
			continue;
		ret = process_may_signal(p) ? 0 : -EPERM;
		if (ret)
			break;
		p->ioprio = ioprio;
	}
	spin_unlock(&process_tree_lock);
	return ret;
}

SYSCALL_DEFINE2(ioprio_get, int, which, int, who)
{
	struct process *p;
	int ret = -ESRCH, one;

	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	spin_lock(&process_tree_lock);
	list_for_each_entry (p, &all_processes, all_node) {
		if (!ioprio_selects(which, who, p))
			continue;
		one = p->ioprio;
		if (which != IOPRIO_WHO_PROCESS && IOPRIO_PRIO_CLASS(one) == IOPRIO_CLASS_NONE)
			one = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, (sched_get_nice(p->leader) + 20) / 5);
		if (ret < 0 || one < ret)
			ret = one; /* the highest of all */
	}
	spin_unlock(&process_tree_lock);
	return ret;
}
