// SPDX-License-Identifier: BSD-2-Clause
/* RLIMIT_CPU: SIGXCPU when a process used as many seconds of CPU as its soft limit says, and every second
 * after; SIGKILL at the hard limit. setrlimit(2). Looked at like a CPU clock's timer (ptimer.c): never more
 * often than the limit could be reached. */
#include "ptimer.h"

/* Interrupt context. */
void cpu_limit_check(struct timer *t)
{
	struct posix_timers *all = container_of(t, struct posix_timers, cpu_limit);
	struct process *p = all->owner;
	u64 soft = READ_ONCE(p->rlim[RLIMIT_CPU].rlim_cur), hard = READ_ONCE(p->rlim[RLIMIT_CPU].rlim_max);
	u64 used = cpu_clock_read(CPU_CLOCK_PROF, NULL, p), seconds = used / NSEC_PER_SEC, goal;

	if (soft == RLIM64_INFINITY && hard == RLIM64_INFINITY)
		return;
	if (seconds >= max(hard, 1ull)) { /* 0 means 1, as on Linux */
		(void)signal_send_process(p, SIGKILL, NULL);
		return;
	}
	if (seconds >= soft && seconds > all->limit_warned) {
		all->limit_warned = seconds;
		(void)signal_send_process(p, SIGXCPU, NULL);
	}
	goal = min(seconds >= soft ? seconds + 1 : soft, hard);
	goal = goal >= TIME_MAX_NS / NSEC_PER_SEC ? TIME_MAX_NS : goal * NSEC_PER_SEC;
	timer_set(t, cpu_clock_next_look(goal - used, used != all->limit_last, &all->limit_idle));
	all->limit_last = used;
}

int process_cpu_limit_changed(struct process *p)
{
	struct posix_timers *all;

	if (p->rlim[RLIMIT_CPU].rlim_cur == RLIM64_INFINITY &&
	    p->rlim[RLIMIT_CPU].rlim_max == RLIM64_INFINITY)
		return 0; /* a look that is armed finds out by itself */
	all = ptimers_of(p);
	if (!all)
		return -ENOMEM;
	timer_set(&all->cpu_limit, clock_monotonic());
	return 0;
}
