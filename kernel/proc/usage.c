// SPDX-License-Identifier: BSD-2-Clause
/* What processes used: getrusage(2), and the figures that wait4 reports of a child. */
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

void process_usage(struct process *p, struct usage *sum)
{
	u64 flags = spin_lock_irqsave(&p->lock);
	struct thread *t;

	*sum = p->dead_usage;
	list_for_each_entry (t, &p->threads, proc_node)
		usage_sum(sum, &t->used);
	spin_unlock_irqrestore(&p->lock, flags);
}

static u64 process_rss(struct process *p)
{
	u64 flags = spin_lock_irqsave(&p->lock), rss = p->max_rss;

	if (p->vm)
		rss = max(rss, vm_peak_rss(p->vm));
	spin_unlock_irqrestore(&p->lock, flags);
	return rss;
}

/* RSS in pages. */
static void rusage_fill(struct rusage *ru, const struct usage *u, u64 user, u64 system, u64 rss)
{
	*ru = (struct rusage){
		.ru_utime = timeval_of(user),
		.ru_stime = timeval_of(system),
		.ru_maxrss = (long)(rss * (PAGE_SIZE / 1024)),
		.ru_minflt = (long)u->n[USAGE_MIN_FAULTS],
		.ru_majflt = (long)u->n[USAGE_MAJ_FAULTS],
		.ru_inblock = (long)(u->n[USAGE_READ_BYTES] / 512),
		.ru_oublock = (long)(u->n[USAGE_WRITE_BYTES] / 512),
		.ru_nvcsw = (long)u->n[USAGE_VOLUNTARY],
		.ru_nivcsw = (long)u->n[USAGE_INVOLUNTARY],
	};
}

/* A child with the children that it waited for itself. */
void usage_of_child(struct process *p, struct rusage *ru)
{
	u64 user, system;
	struct usage u;

	process_times(p, &user, &system);
	process_usage(p, &u);
	usage_sum(&u, &p->child_usage);
	rusage_fill(ru, &u, user + p->child_user_ns, system + p->child_system_ns,
		    max(process_rss(p), p->child_max_rss));
}

SYSCALL_DEFINE2(getrusage, int, who, struct rusage __app *, usage)
{
	struct process *p = current->proc;
	u64 user, system;
	struct rusage ru;
	struct usage u;

	switch (who) {
	case RUSAGE_SELF:
		process_times(p, &user, &system);
		process_usage(p, &u);
		rusage_fill(&ru, &u, user, system, process_rss(p));
		break;
	case RUSAGE_CHILDREN:
		rusage_fill(&ru, &p->child_usage, p->child_user_ns, p->child_system_ns, p->child_max_rss);
		break;
	case RUSAGE_THREAD:
		thread_times(current, &user, &system);
		rusage_fill(&ru, &current->used, user, system, vm_peak_rss(current->vm));
		break;
	default:
		return -EINVAL;
	}
	return copy_to_app(usage, &ru, sizeof(ru));
}
