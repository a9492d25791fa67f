// SPDX-License-Identifier: BSD-2-Clause
/* DEBUG builds: who may sleep. spin_depth counts the spin locks that this CPU holds (spinlock.h). */
#include "sched_internal.h"

#ifdef DEBUG
void sched_assert_may_sleep(void)
{
	struct runqueue *rq = this_rq();

	if (this_cpu(spin_depth))
		panic("%s may sleep with %u spin locks held", current->name, this_cpu(spin_depth));
	if (!arch_irqs_on())
		panic("%s may sleep with interrupts off", current->name);
	if (current == rq->idle)
		panic("the idle thread may sleep");
}
#endif
