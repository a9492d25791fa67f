// SPDX-License-Identifier: BSD-2-Clause
/* Real-time queue: one list per priority, a bitmap of those in use. SCHED_FIFO and SCHED_RR; the owner CPU's,
 * interrupts off. O(1). */
#include "base/bits.h"
#include "sched_internal.h"

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
