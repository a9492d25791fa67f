// SPDX-License-Identifier: BSD-2-Clause
/* Resource limits: getrlimit(2), setrlimit(2), prlimit(2). The subsystems look at process.rlim themselves. */
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "proc.h"
#include <linux/capability.h>

#define NOFILE_MOST 1048576 /* fs.nr_open */

/* Is the caller T's user, in all its ids? */
static bool may_limit(struct thread *t)
{
	const struct cred *me = current_cred(), *c;
	bool same;

	if (t == current || process_capable(CAP_SYS_RESOURCE))
		return true;
	rcu_read_lock();
	c = rcu_dereference(t->cred);
	same = me->uid == c->uid && me->uid == c->euid && me->uid == c->suid && me->gid == c->gid &&
	       me->gid == c->egid && me->gid == c->sgid;
	rcu_read_unlock();
	return same;
}

static int set_limit(struct process *p, unsigned resource, const struct rlimit64 *new)
{
	struct rlimit64 *r = &p->rlim[resource];

	if (new->rlim_cur > new->rlim_max)
		return -EINVAL;
	if (resource == RLIMIT_NOFILE && new->rlim_max > NOFILE_MOST)
		return -EPERM;
	if (new->rlim_max > r->rlim_max && !process_capable(CAP_SYS_RESOURCE))
		return -EPERM;
	*r = *new;
	return 0;
}

static int change(struct process *p, unsigned resource, const struct rlimit64 *new, struct rlimit64 *old)
{
	u64 flags;
	int err = 0;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	flags = spin_lock_irqsave(&p->lock);
	if (old)
		*old = p->rlim[resource];
	if (new)
		err = set_limit(p, resource, new);
	spin_unlock_irqrestore(&p->lock, flags);
	if (new && !err && resource == RLIMIT_CPU)
		err = process_cpu_limit_changed(p);
	return err;
}

SYSCALL_DEFINE4(prlimit64, int, pid, unsigned, resource, const struct rlimit64 __app *, unew,
		struct rlimit64 __app *, uold)
{
	struct thread *t = current;
	struct rlimit64 new, old;
	int err;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (unew && get_app(new, unew))
		return -EFAULT;
	if (pid) {
		t = thread_find((u32)pid);
		if (!t)
			return -ESRCH;
	}
	err = may_limit(t) ? change(t->proc, resource, unew ? &new : NULL, &old) : -EPERM;
	if (pid)
		thread_put(t);
	if (!err && uold)
		err = copy_to_app(uold, &old, sizeof(old));
	return err;
}

/* struct rlimit is struct rlimit64 on x86-64. */
SYSCALL_DEFINE2(getrlimit, unsigned, resource, struct rlimit64 __app *, rlim)
{
	struct rlimit64 old;
	int err = change(current->proc, resource, NULL, &old);

	return err ? err : copy_to_app(rlim, &old, sizeof(old));
}

SYSCALL_DEFINE2(setrlimit, unsigned, resource, const struct rlimit64 __app *, rlim)
{
	struct rlimit64 new;

	if (get_app(new, rlim))
		return -EFAULT;
	return change(current->proc, resource, &new, NULL);
}
