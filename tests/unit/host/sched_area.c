// SPDX-License-Identifier: BSD-2-Clause
/* What tests of kernel/sched/ need of the rest of the kernel: futex keys of host memory, threads by id. Weak.
 */
#include "host_private.h"
#include "kernel/clock.h"
#include "kernel/process.h"
#include "kernel/ptrace.h"
#include "kernel/timer.h"
#include "kernel/sched/sched_internal.h"
#include "kernel/vm.h"
#include "sched/sched_area.h"

#define MAX_THREADS 64
static _Atomic(struct thread *) threads[MAX_THREADS];
_Atomic unsigned sched_area_faults;

void sched_area_add_thread(struct thread *t)
{
	atomic_store(&threads[t->tid % MAX_THREADS], t);
	t->flags &= ~(u32)THREAD_KERNEL; /* an application's, to futexes */
	list_init(&t->se.pi_owned);
}

void sched_area_remove_thread(struct thread *t)
{
	atomic_store(&threads[t->tid % MAX_THREADS], NULL);
}

__weak struct thread *thread_find(u32 tid)
{
	struct thread *t = atomic_load(&threads[tid % MAX_THREADS]);

	if (!t || t->tid != tid)
		return NULL;
	thread_get(t);
	return t;
}

__weak bool ptrace_may_access_thread(struct thread *t, enum ptrace_mode mode)
{
	return true;
}

#ifdef DEBUG
__weak void sched_assert_may_sleep(void)
{
}
#endif

void wake_defer_begin(void);
__weak void wake_defer_begin(void)
{
}

void wake_defer_end(void);
__weak void wake_defer_end(void)
{
}

__weak enum waking wake_begin(struct thread *t, u32 mask)
{
	return thread_wake_state(t, mask) ? WAKE_STAYED : WAKE_NOT;
}

__weak void wake_place(struct thread *t)
{
}

void sched_set_boost(struct thread *t, u8 priority);
__weak void sched_set_boost(struct thread *t, u8 priority)
{
	atomic_store(&t->se.boost, priority);
}

__weak int vm_futex_key(struct vmspace *vm, u64 addr, bool private, struct futex_key *key)
{
	*key = (struct futex_key){.object = 1, .offset = addr};
	return 0;
}

__weak void vm_futex_key_put(struct futex_key *key)
{
}

/* The page becomes accessible, unless the test said otherwise. */
__weak int vm_fault_in(struct vmspace *vm, u64 addr, bool write)
{
	atomic_fetch_add(&sched_area_faults, 1);
	return -EFAULT;
}

__weak void timer_set_realtime(struct timer *t, u64 expires)
{
	u64 now = clock_realtime();

	timer_set(t, clock_monotonic() + (expires > now ? expires - now : 0));
}

__weak void timer_set_slack(struct timer *t, u64 due, u64 slack, bool realtime)
{
	(realtime ? timer_set_realtime : timer_set)(t, due);
}

__weak bool schedule_until_realtime(u64 deadline)
{
	u64 now = clock_realtime();

	if (deadline == WAIT_FOREVER)
		return schedule_until(WAIT_FOREVER);
	return schedule_until(clock_monotonic() + (deadline > now ? deadline - now : 0));
}

__weak void smp_call_all(void (*fn)(void *), void *arg)
{
	fn(arg);
}
