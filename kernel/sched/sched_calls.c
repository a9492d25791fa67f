// SPDX-License-Identifier: BSD-2-Clause
/* sched_setscheduler(2), sched_setparam(2), sched_setattr(2) and their readers, sched_setaffinity(2),
 * sched_yield(2), sched_get_priority_max(2), sched_rr_get_interval(2), getcpu(2). sched(7). SCHED_DEADLINE is
 * not offered (EINVAL). */
#include "kernel/process.h"
#include "kernel/alloc.h"
#include "kernel/syscall.h"
#include "sched_internal.h"
#include <linux/capability.h>
#include <linux/sched/types.h>
#include <linux/time_types.h>

#define RT_PRIO_MAX  99
#define ATTR_SIZE_V0 SCHED_ATTR_SIZE_VER0
#define ATTR_FLAGS   (SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_KEEP_POLICY | SCHED_FLAG_KEEP_PARAMS)

struct sched_param_abi { /* struct sched_param */
	int sched_priority;
};

/* The thread with id PID, 0 the caller, with a reference. NULL: ESRCH. */
static struct thread *target(int pid)
{
	if (pid)
		return thread_find((u32)pid);
	thread_get(current);
	return current;
}

static bool is_rt_policy(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool is_known_policy(int policy)
{
	return is_rt_policy(policy) || policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

static bool same_owner(struct thread *t)
{
	u32 euid = current_cred()->euid;
	const struct cred *c;
	bool same;

	rcu_read_lock();
	c = rcu_dereference(t->cred);
	same = euid == c->euid || euid == c->uid;
	rcu_read_unlock();
	return same;
}

/* May the current process change T from OLD to NEW? sched(7), "Privileges and resource limits". */
static bool may_change(struct thread *t, const struct sched_request *old, const struct sched_request *new)
{
	u64 rt_limit, nice_limit;

	if (process_capable(CAP_SYS_NICE))
		return true;
	if (!same_owner(t) || (old->reset_on_fork && !new->reset_on_fork))
		return false;
	rt_limit = t->proc->rlim[RLIMIT_RTPRIO].rlim_cur;
	nice_limit = t->proc->rlim[RLIMIT_NICE].rlim_cur;
	if (is_rt_policy(new->policy)) {
		if (new->policy != old->policy && !rt_limit)
			return false;
		if (new->rt_priority > old->rt_priority &&new->rt_priority > rt_limit)
			return false;
		return true;
	}
	if (old->policy == SCHED_IDLE && new->policy != SCHED_IDLE && (u64)(20 - old->nice) > nice_limit)
		return false;
	return new->nice >= old->nice || (u64)(20 - new->nice) <= nice_limit;
}

static int change(struct thread *t, const struct sched_request *new)
{
	struct sched_request old = sched_request_get(t);

	if (thread_test_flag(t, THREAD_KERNEL) || !may_change(t, &old, new))
		return -EPERM;
	sched_request_change(t, new);
	futex_priority_changed(t);
	return 0;
}

static int set_policy(struct thread *t, int policy, int priority)
{
	struct sched_request new = sched_request_get(t);

	if (policy >= 0) {
		new.reset_on_fork = policy &SCHED_RESET_ON_FORK;
		new.policy = (u8)(policy & ~SCHED_RESET_ON_FORK);
		if (!is_known_policy(policy & ~SCHED_RESET_ON_FORK))
			return -EINVAL;
	}
	if (is_rt_policy(new.policy) ? priority < 1 || priority > RT_PRIO_MAX : priority != 0)
		return -EINVAL;
	new.rt_priority = (u8)priority;
	return change(t, &new);
}

static long setscheduler(int pid, int policy, const struct sched_param_abi __app *param)
{
	struct sched_param_abi p;
	struct thread *t;
	int err;

	if (!param || pid < 0)
		return -EINVAL;
	if (copy_from_app(&p, param, sizeof p))
		return -EFAULT;
	t = target(pid);
	if (!t)
		return -ESRCH;
	err = set_policy(t, policy, p.sched_priority);
	thread_put(t);
	return err;
}

SYSCALL_DEFINE3(sched_setscheduler, int, pid, int, policy, const struct sched_param_abi __app *, param)
{
	return policy < 0 ? -EINVAL : setscheduler(pid, policy, param);
}

SYSCALL_DEFINE2(sched_setparam, int, pid, const struct sched_param_abi __app *, param)
{
	return setscheduler(pid, -1, param);
}

SYSCALL_DEFINE1(sched_getscheduler, int, pid)
{
	struct sched_request want;
	struct thread *t;

	if (pid < 0)
		return -EINVAL;
	t = target(pid);
	if (!t)
		return -ESRCH;
	want = sched_request_get(t);
	thread_put(t);
	return want.policy | (want.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
}

SYSCALL_DEFINE2(sched_getparam, int, pid, struct sched_param_abi __app *, param)
{
	struct sched_param_abi p;
	struct thread *t;

	if (!param || pid < 0)
		return -EINVAL;
	t = target(pid);
	if (!t)
		return -ESRCH;
	p.sched_priority = sched_request_get(t).rt_priority;
	thread_put(t);
	return copy_to_app(param, &p, sizeof p);
}

/* An attribute structure of any version: 0, -E2BIG when what we do not know is not zero. */
static int copy_attr(struct sched_attr *a, struct sched_attr __app *app)
{
	u32 size;
	u8 extra;

	*a = (struct sched_attr){0};
	if (get_app(size, (u32 __app *)app))
		return -EFAULT;
	if (!size)
		size = ATTR_SIZE_V0;
	if (size < ATTR_SIZE_V0 || size > PAGE_SIZE)
		goto bad_size;
	if (copy_from_app(a, app, min((size_t)size, sizeof *a)))
		return -EFAULT;
	for (u32 i = sizeof *a; i < size; i++) {
		if (get_app(extra, (u8 __app *)app + i))
			return -EFAULT;
		if (extra)
			goto bad_size;
	}
	return 0;
bad_size:
	if (put_app((u32)sizeof *a, (u32 __app *)app))
		return -EFAULT;
	return -E2BIG;
}

static int set_attr(struct thread *t, const struct sched_attr *a)
{
	struct sched_request new = sched_request_get(t);

	if (!(a->sched_flags & SCHED_FLAG_KEEP_POLICY)) {
		if (!is_known_policy((int)a->sched_policy))
			return -EINVAL;
		new.policy = (u8)a->sched_policy;
	}
	new.reset_on_fork = a->sched_flags &SCHED_FLAG_RESET_ON_FORK;
	if (!(a->sched_flags & SCHED_FLAG_KEEP_PARAMS)) {
		bool rt = is_rt_policy(new.policy);

		if (rt ? a->sched_priority < 1 || a->sched_priority > RT_PRIO_MAX : a->sched_priority != 0)
			return -EINVAL;
		new.rt_priority = (u8)a->sched_priority;
		if (!rt) {
			new.nice = (s8)clamp(a->sched_nice, -20, 19);
			/* The slice of the fair policy: a shorter one is served sooner. */
			new.slice = a->sched_runtime ? (u32)clamp(a->sched_runtime, (u64)EEVDF_SLICE_MIN,
								  (u64)EEVDF_SLICE_MAX)
						     : 0;
		}
	}
	return change(t, &new);
}

SYSCALL_DEFINE3(sched_setattr, int, pid, struct sched_attr __app *, attr, unsigned, flags)
{
	struct sched_attr a;
	struct thread *t;
	int err;

	if (!attr || pid < 0 || flags)
		return -EINVAL;
	err = copy_attr(&a, attr);
	if (err)
		return err;
	if ((int)a.sched_policy < 0 || (a.sched_flags & ~(u64)ATTR_FLAGS))
		return -EINVAL;
	t = target(pid);
	if (!t)
		return -ESRCH;
	err = set_attr(t, &a);
	thread_put(t);
	return err;
}

SYSCALL_DEFINE4(sched_getattr, int, pid, struct sched_attr __app *, attr, unsigned, size, unsigned, flags)
{
	struct sched_request want;
	struct sched_attr a;
	struct thread *t;

	if (!attr || pid < 0 || size > PAGE_SIZE || size < ATTR_SIZE_V0 || flags)
		return -EINVAL;
	t = target(pid);
	if (!t)
		return -ESRCH;
	want = sched_request_get(t);
	thread_put(t);
	a = (struct sched_attr){
		.size = (u32)min((size_t)size, sizeof a),
		.sched_policy = want.policy,
		.sched_flags = want.reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0,
		.sched_priority = want.rt_priority,
	};
	if (!is_rt_policy(want.policy)) {
		a.sched_nice = want.nice;
		a.sched_runtime = want.slice ? want.slice : EEVDF_SLICE_DEFAULT;
	}
	return copy_to_app(attr, &a, a.size);
}

SYSCALL_DEFINE1(sched_get_priority_max, int, policy)
{
	return is_rt_policy(policy)				     ? RT_PRIO_MAX
	       : is_known_policy(policy) || policy == SCHED_DEADLINE ? 0
								     : -EINVAL;
}

SYSCALL_DEFINE1(sched_get_priority_min, int, policy)
{
	return is_rt_policy(policy) ? 1 : is_known_policy(policy) || policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

SYSCALL_DEFINE2(sched_rr_get_interval, int, pid, struct __kernel_timespec __app *, out)
{
	struct __kernel_timespec ts = {0};
	struct sched_request want;
	struct thread *t;
	u64 ns = 0;

	if (pid < 0)
		return -EINVAL;
	t = target(pid);
	if (!t)
		return -ESRCH;
	want = sched_request_get(t);
	thread_put(t);
	if (want.policy == SCHED_RR)
		ns = rr_quantum();
	else if (want.policy != SCHED_FIFO)
		ns = want.slice ? want.slice : EEVDF_SLICE_DEFAULT;
	ts.tv_sec = (s64)(ns / NSEC_PER_SEC);
	ts.tv_nsec = (s64)(ns % NSEC_PER_SEC);
	return copy_to_app(out, &ts, sizeof ts);
}

SYSCALL_DEFINE0(sched_yield)
{
	thread_yield();
	return 0;
}

SYSCALL_DEFINE3(sched_setaffinity, int, pid, unsigned, len, const u8 __app *, mask)
{
	unsigned words = DIV_ROUND_UP(cpu_count, 64);
	struct thread *t;
	u64 *bits;
	long err;

	bits = kcalloc(words, sizeof(u64));
	if (!bits)
		return -ENOMEM;
	err = -EFAULT;
	if (copy_from_app(bits, mask, min((size_t)len, words * sizeof(u64))))
		goto free;
	err = -ESRCH;
	t = target(pid);
	if (!t)
		goto free;
	err = -EPERM;
	if (!thread_test_flag(t, THREAD_KERNEL) && (same_owner(t) || process_capable(CAP_SYS_NICE)))
		err = sched_set_affinity(t, bits, words);
	thread_put(t);
free:
	kfree(bits);
	return err;
}

SYSCALL_DEFINE3(sched_getaffinity, int, pid, unsigned, len, u8 __app *, mask)
{
	unsigned words = DIV_ROUND_UP(cpu_count, 64);
	struct thread *t;
	long ret;
	u64 *bits;

	if ((u64)len * 8 < cpu_count || len % sizeof(u64))
		return -EINVAL;
	bits = kcalloc(words, sizeof(u64));
	if (!bits)
		return -ENOMEM;
	ret = -ESRCH;
	t = target(pid);
	if (t) {
		sched_get_affinity(t, bits, words);
		thread_put(t);
		ret = copy_to_app(mask, bits, words * sizeof(u64)) ? -EFAULT : (long)(words * sizeof(u64));
	}
	kfree(bits);
	return ret;
}

SYSCALL_DEFINE3(getcpu, u32 __app *, cpu, u32 __app *, node, void __app *, unused)
{
	u32 id = cpu_id();

	if (cpu && put_app(id, cpu))
		return -EFAULT;
	if (node && put_app(0u, node))
		return -EFAULT;
	return 0;
}
