// SPDX-License-Identifier: BSD-2-Clause
/* RLIMIT_RTTIME: how long a thread may run with real-time priority without sleeping, in microseconds. At the
 * soft limit its process gets SIGXCPU, and the limit moves a second on; at the hard one SIGKILL.
 * setrlimit(2). The run queue adds up se.rt_run and arms its timer for rt_limit_at(). */
#include "kernel/process.h"
#include "kernel/signal.h"
#include "sched_internal.h"

static struct rlimit64 *limit_of(struct thread *t)
{
	return &t->proc->rlim[RLIMIT_RTTIME];
}

u64 rt_limit_at(struct thread *t, u64 now)
{
	struct rlimit64 *r = limit_of(t);
	u64 us = min(READ_ONCE(r->rlim_cur), READ_ONCE(r->rlim_max));

	if (us >= SCHED_NEVER / NSEC_PER_USEC)
		return SCHED_NEVER;
	us *= NSEC_PER_USEC;
	return us > t->se.rt_run ? now + (us - t->se.rt_run) : now;
}

void rt_limit_check(struct thread *t)
{
	struct rlimit64 *r = limit_of(t);
	u64 us = t->se.rt_run / NSEC_PER_USEC, soft = READ_ONCE(r->rlim_cur);

	if (us >= READ_ONCE(r->rlim_max)) {
		(void)signal_send_process(t->proc, SIGKILL, NULL);
	} else if (us >= soft) {
		WRITE_ONCE(r->rlim_cur, soft + NSEC_PER_SEC / NSEC_PER_USEC);
		(void)signal_send_process(t->proc, SIGXCPU, NULL);
	}
}
