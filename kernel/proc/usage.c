// SPDX-License-Identifier: BSD-2-Clause
/* What processes used: getrusage(2), and the figures that wait4 reports of a child. */
#include "base/string.h"
#include "kernel/clock.h"
#include "kernel/syscall.h"
#include "proc.h"

static struct __kernel_old_timeval timeval_of(u64 ns)
{
	return (struct __kernel_old_timeval){
		.tv_sec = (long)(ns / NSEC_PER_SEC),
		.tv_usec = (long)(ns % NSEC_PER_SEC / NSEC_PER_USEC),
	};
}

static void add_thread(struct thread *t, struct rusage *u)
{
	u->ru_minflt += (long)READ_ONCE(t->min_faults);
	u->ru_majflt += (long)READ_ONCE(t->maj_faults);
	u->ru_nvcsw += (long)atomic_load_explicit(&t->se.voluntary, memory_order_relaxed);
	u->ru_nivcsw += (long)atomic_load_explicit(&t->se.involuntary, memory_order_relaxed);
}

static void usage_self(struct process *p, struct rusage *u)
{
	u64 user, system, rss, flags;
	struct vmspace *vm;
	struct thread *t;

	process_times(p, &user, &system);
	u->ru_utime = timeval_of(user);
	u->ru_stime = timeval_of(system);
	flags = spin_lock_irqsave(&p->lock);
	u->ru_minflt = (long)p->min_faults;
	u->ru_majflt = (long)p->maj_faults;
	u->ru_nvcsw = (long)p->dead_voluntary;
	u->ru_nivcsw = (long)p->dead_involuntary;
	list_for_each_entry (t, &p->threads, proc_node)
		add_thread(t, u);
	rss = p->max_rss;
	vm = p->vm;
	if (vm)
		rss = max(rss, vm_peak_rss(vm));
	spin_unlock_irqrestore(&p->lock, flags);
	u->ru_maxrss = (long)(rss * (PAGE_SIZE / 1024));
}

static void usage_children(struct process *p, struct rusage *u)
{
	u->ru_utime = timeval_of(p->child_user_ns);
	u->ru_stime = timeval_of(p->child_system_ns);
	u->ru_minflt = (long)p->child_min_faults;
	u->ru_majflt = (long)p->child_maj_faults;
	u->ru_maxrss = (long)(p->child_max_rss * (PAGE_SIZE / 1024));
}

/* A child with the children that it waited for itself. */
void usage_of_child(struct process *p, struct rusage *u)
{
	u64 user, system;

	memset(u, 0, sizeof(*u));
	usage_self(p, u);
	process_times(p, &user, &system);
	u->ru_utime = timeval_of(user + p->child_user_ns);
	u->ru_stime = timeval_of(system + p->child_system_ns);
	u->ru_minflt += (long)p->child_min_faults;
	u->ru_majflt += (long)p->child_maj_faults;
	u->ru_maxrss = max(u->ru_maxrss, (long)(p->child_max_rss * (PAGE_SIZE / 1024)));
}

SYSCALL_DEFINE2(getrusage, int, who, struct rusage __app *, usage)
{
	struct process *p = current->proc;
	struct rusage u = {0};
	u64 user, system;

	switch (who) {
	case RUSAGE_SELF:
		usage_self(p, &u);
		break;
	case RUSAGE_CHILDREN:
		usage_children(p, &u);
		break;
	case RUSAGE_THREAD:
		thread_times(current, &user, &system);
		u.ru_utime = timeval_of(user);
		u.ru_stime = timeval_of(system);
		add_thread(current, &u);
		u.ru_maxrss = (long)(vm_peak_rss(current->vm) * (PAGE_SIZE / 1024));
		break;
	default:
		return -EINVAL;
	}
	return copy_to_app(usage, &u, sizeof(u));
}
