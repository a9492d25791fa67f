// SPDX-License-Identifier: BSD-2-Clause
/* getpriority(2), setpriority(2): nice values by process, process group or user. A nice value is a thread's
 * (as in Linux); PRIO_PROCESS takes a thread id. */
#include "kernel/process.h"
#include "kernel/syscall.h"
#include "sched_internal.h"
#include <linux/capability.h>
#include <linux/resource.h>

static u32 thread_uid(struct thread *t, bool effective)
{
	const struct cred *c;
	u32 uid;

	rcu_read_lock();
	c = rcu_dereference(t->cred);
	uid = effective ? c->euid : c->uid;
	rcu_read_unlock();
	return uid;
}

/* Call FN for each thread that WHICH and WHO mean. Returns how many there were. */
static unsigned for_each(int which, u32 who, void (*fn)(struct thread *, void *), void *arg)
{
	struct process *p;
	struct thread *t;
	unsigned n = 0;
	u32 pid, tid;

	if (which == PRIO_PROCESS) {
		t = who ? thread_find(who) : current;
		if (!t)
			return 0;
		fn(t, arg);
		if (who)
			thread_put(t);
		return 1;
	}
	if (!who)
		who = which == PRIO_PGRP ? current->proc->pgid : current_cred()->uid;
	for (pid = 1; (p = process_next(pid)); pid = p->pid + 1, process_put(p)) {
		if (which == PRIO_PGRP && p->pgid != who)
			continue;
		for (tid = 1; (t = process_thread_next(p, tid)); thread_put(t)) {
			tid = t->tid + 1;
			if (which == PRIO_USER && thread_uid(t, false) != who)
				continue;
			fn(t, arg);
			n++;
		}
	}
	return n;
}

static void note_best(struct thread *t, void *arg)
{
	int *best = arg, value = 20 - sched_get_nice(t); /* 1 .. 40, as the system call returns it */

	*best = max(*best, value);
}

SYSCALL_DEFINE2(getpriority, int, which, u32, who)
{
	int best = 0;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	return for_each(which, who, note_best, &best) ? best : -ESRCH;
}

struct renice {
	int nice;
	int err;
};

static void renice(struct thread *t, void *arg)
{
	struct renice *r = arg;
	u32 euid = current_cred()->euid;
	bool capable = process_capable(CAP_SYS_NICE);

	if (!capable && euid != thread_uid(t, false) && euid != thread_uid(t, true)) {
		r->err = -EPERM;
	} else if (!capable && r->nice < sched_get_nice(t) &&
		   (u64)(20 - r->nice) > t->proc->rlim[RLIMIT_NICE].rlim_cur) {
		r->err = -EACCES;
	} else {
		sched_set_nice(t, r->nice);
	}
}

SYSCALL_DEFINE3(setpriority, int, which, u32, who, int, nice)
{
	struct renice r = {.nice = clamp(nice, -20, 19)};

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	if (!for_each(which, who, renice, &r))
		return -ESRCH;
	return r.err;
}
