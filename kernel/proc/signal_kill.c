// SPDX-License-Identifier: BSD-2-Clause
/* Sending signals by system call: kill(2), tkill(2), tgkill(2), rt_sigqueueinfo(2), rt_tgsigqueueinfo(2). */
#include "kernel/syscall.h"
#include "proc.h"

int signal_check_permission(struct process *p, struct thread *t, int sig)
{
	if ((t ? thread_may_signal(t) : process_may_signal(p)) ||
	    (sig == SIGCONT && p->sid == current->proc->sid))
		return 0;
	return -EPERM;
}

static void user_info(siginfo_t *info, int sig, int code)
{
	siginfo_fill(info, sig, code, (int)current->proc->pid, current_cred()->uid);
}

static int send_checked(struct process *p, int sig, const siginfo_t *info)
{
	int err = signal_check_permission(p, NULL, sig);

	return err || !sig ? err : signal_send_process(p, sig, info);
}

/* The process that PID names, by any of its threads' ids, with a reference. */
static struct process *find_by_any_thread(u32 pid)
{
	struct process *p = process_find(pid);
	struct thread *t;

	if (p)
		return p;
	t = thread_find(pid);
	if (!t)
		return NULL;
	p = t->proc;
	process_get(p);
	thread_put(t);
	return p;
}

static int kill_one(u32 pid, int sig, const siginfo_t *info)
{
	struct process *p = find_by_any_thread(pid);
	int ret;

	if (!p)
		return -ESRCH;
	ret = send_checked(p, sig, info);
	process_put(p);
	return ret;
}

/* Every process of group PGID; PGID 0: everybody but init and the caller. Success with at least one. */
static int kill_many(u32 pgid, int sig, const siginfo_t *info)
{
	int ret = -ESRCH, err;
	struct process *p;
	bool sent = false;

	spin_lock(&process_tree_lock);
	list_for_each_entry (p, &all_processes, all_node) {
		if (pgid ? p->pgid != pgid : p == init_process || p == current->proc)
			continue;
		err = send_checked(p, sig, info);
		if (!err)
			sent = true;
		else if (pgid || err != -EPERM || ret == -ESRCH)
			ret = err;
	}
	spin_unlock(&process_tree_lock);
	return sent ? 0 : ret;
}

SYSCALL_DEFINE2(kill, int, pid, int, sig)
{
	siginfo_t info;

	if (sig < 0 || sig > SIG_MAX)
		return -EINVAL;
	user_info(&info, sig, SI_USER);
	if (pid > 0)
		return kill_one((u32)pid, sig, &info);
	if (pid == (int)0x80000000)
		return -ESRCH; /* its negation is no group */
	if (pid == -1)
		return kill_many(0, sig, &info);
	return kill_many(pid ? (u32)-pid : current->proc->pgid, sig, &info);
}

/* TGID 0: the thread of whatever process. */
static int kill_thread(int tgid, int tid, int sig, const siginfo_t *info)
{
	struct thread *t = thread_find((u32)tid);
	int ret = -ESRCH;

	if (!t)
		return -ESRCH;
	if (!tgid || t->proc->pid == (u32)tgid) {
		ret = signal_check_permission(t->proc, t, sig);
		if (!ret && sig)
			ret = signal_send_thread(t, sig, info);
	}
	thread_put(t);
	return ret;
}

SYSCALL_DEFINE3(tgkill, int, tgid, int, tid, int, sig)
{
	siginfo_t info;

	if (tgid <= 0 || tid <= 0 || sig < 0 || sig > SIG_MAX)
		return -EINVAL;
	user_info(&info, sig, SI_TKILL);
	return kill_thread(tgid, tid, sig, &info);
}

SYSCALL_DEFINE2(tkill, int, tid, int, sig)
{
	siginfo_t info;

	if (tid <= 0 || sig < 0 || sig > SIG_MAX)
		return -EINVAL;
	user_info(&info, sig, SI_TKILL);
	return kill_thread(0, tid, sig, &info);
}

/* A caller's own siginfo: others must not be made to believe that the kernel or kill(2) sent it. */
static int own_info(siginfo_t *info, const siginfo_t __app *uinfo, int sig, bool self)
{
	if (get_app(*info, uinfo))
		return -EFAULT;
	info->si_signo = sig;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) && !self)
		return -EPERM;
	return 0;
}

SYSCALL_DEFINE3(rt_sigqueueinfo, int, pid, int, sig, const siginfo_t __app *, uinfo)
{
	siginfo_t info;
	int err = own_info(&info, uinfo, sig, (u32)pid == current->proc->pid);

	if (err)
		return err;
	if (sig < 0 || sig > SIG_MAX)
		return -EINVAL;
	return pid > 0 ? kill_one((u32)pid, sig, &info) : -ESRCH;
}

SYSCALL_DEFINE4(rt_tgsigqueueinfo, int, tgid, int, tid, int, sig, const siginfo_t __app *, uinfo)
{
	siginfo_t info;
	int err = own_info(&info, uinfo, sig, (u32)tid == current->tid);

	if (err != -EFAULT && (tgid <= 0 || tid <= 0 || sig < 0 || sig > SIG_MAX))
		return -EINVAL;
	if (err)
		return err;
	return kill_thread(tgid, tid, sig, &info);
}
