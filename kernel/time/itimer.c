// SPDX-License-Identifier: BSD-2-Clause
/* getitimer(2), setitimer(2), alarm(2). */
#include "ptimer.h"

static struct __kernel_old_itimerval to_app_itimer(const struct itimer_ns *t)
{
	return (struct __kernel_old_itimerval){
		.it_interval = ns_tv(t->interval),
		/* Not zero while it is armed. */
		.it_value = ns_tv(t->value && t->value < NSEC_PER_USEC ? NSEC_PER_USEC : t->value),
	};
}

static void get(struct posix_timers *all, int which, struct itimer_ns *out)
{
	u64 flags = spin_lock_irqsave(&all->lock);

	ptimer_left(&all->itimer[which], out);
	spin_unlock_irqrestore(&all->lock, flags);
}

static void set(struct posix_timers *all, int which, const struct itimer_ns *new, struct itimer_ns *old)
{
	for (;;) {
		u64 flags = spin_lock_irqsave(&all->lock);
		bool done;

		ptimer_left(&all->itimer[which], old);
		done = ptimer_set(&all->itimer[which], new, false);
		spin_unlock_irqrestore(&all->lock, flags);
		if (done)
			return;
		cpu_relax();
	}
}

SYSCALL_DEFINE2(getitimer, int, which, struct __kernel_old_itimerval __app *, out)
{
	struct __kernel_old_itimerval v;
	struct itimer_ns t = {0};

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	if (current->proc->timers)
		get(current->proc->timers, which, &t);
	v = to_app_itimer(&t);
	return copy_to_app(out, &v, sizeof v);
}

SYSCALL_DEFINE3(setitimer, int, which, const struct __kernel_old_itimerval __app *, in,
		struct __kernel_old_itimerval __app *, out)
{
	struct __kernel_old_itimerval v = {0};
	struct itimer_ns new, old;
	struct posix_timers *all;

	if (in && copy_from_app(&v, in, sizeof v))
		return -EFAULT;
	if (!tv_valid(&v.it_value) || !tv_valid(&v.it_interval) || which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	all = ptimers_get();
	if (!all)
		return -ENOMEM;
	new = (struct itimer_ns){.value = tv_ns(&v.it_value), .interval = tv_ns(&v.it_interval)};
	set(all, which, &new, &old);
	if (!out)
		return 0;
	v = to_app_itimer(&old);
	return copy_to_app(out, &v, sizeof v);
}

SYSCALL_DEFINE1(alarm, unsigned, seconds)
{
	struct itimer_ns new = {.value = seconds * NSEC_PER_SEC}, old = {0};
	struct posix_timers *all = seconds ? ptimers_get() : current->proc->timers;
	u64 left;

	if (!all)
		return seconds ? -ENOMEM : 0;
	set(all, ITIMER_REAL, &new, &old);
	left = (old.value + NSEC_PER_SEC / 2) / NSEC_PER_SEC;
	return old.value && !left ? 1 : (long)left;
}
