// SPDX-License-Identifier: BSD-2-Clause
/* Real-time queue: one list per priority, a bitmap of those in use. SCHED_FIFO and SCHED_RR; the owner CPU's,
 * interrupts off. O(1). */
#include "base/bits.h"
#include "sched_internal.h"

#define RR_QUANTUM_MS 100

s32 sched_settings[SCHED_SETTINGS] = {
	[SCHED_SET_RT_PERIOD] = 1000000,
	[SCHED_SET_RT_RUNTIME] = 950000,
	[SCHED_SET_RR_QUANTUM] = RR_QUANTUM_MS,
};

int sched_set(enum sched_setting which, s32 v)
{
	s32 period = which == SCHED_SET_RT_PERIOD ? v : READ_ONCE(sched_settings[SCHED_SET_RT_PERIOD]);
	s32 runtime = which == SCHED_SET_RT_RUNTIME ? v : READ_ONCE(sched_settings[SCHED_SET_RT_RUNTIME]);

	if (which == SCHED_SET_RR_QUANTUM)
		v = v > 0 ? v : RR_QUANTUM_MS;
	else if (period < 1 || runtime < -1 || runtime > period)
		return -EINVAL;
	WRITE_ONCE(sched_settings[which], v);
	return 0;
}

void rt_init(struct rt_queue *q)
{
	q->bitmap[0] = q->bitmap[1] = 0;
	for (unsigned i = 0; i < RT_PRIORITIES; i++)
		list_init(&q->lists[i]);
}

void rt_add(struct rt_queue *q, struct thread *t, bool first)
{
	unsigned p = t->se.rt_priority;

	if (first)
		list_add(&t->se.rt_node, &q->lists[p]);
	else
		list_add_tail(&t->se.rt_node, &q->lists[p]);
	q->bitmap[p / 64] |= BIT(p % 64);
}

void rt_remove(struct rt_queue *q, struct thread *t)
{
	unsigned p = t->se.rt_priority;

	list_del_init(&t->se.rt_node);
	if (list_empty(&q->lists[p]))
		q->bitmap[p / 64] &= ~BIT(p % 64);
}

unsigned rt_highest(const struct rt_queue *q)
{
	if (q->bitmap[1])
		return 64 + log2_floor(q->bitmap[1]);
	return q->bitmap[0] ? log2_floor(q->bitmap[0]) : 0;
}

struct thread *rt_first(struct rt_queue *q, unsigned priority)
{
	return list_first_entry(&q->lists[priority], struct thread, se.rt_node);
}
