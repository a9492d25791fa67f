// SPDX-License-Identifier: BSD-2-Clause
/* DEBUG builds: who may sleep, and the order in which spin locks are taken. spin_depth counts those that this
 * CPU holds (spinlock.h).
 *
 * Each time that a lock is taken while others are held, the pairs (held, taken) are noted; a pair that was
 * met the other way round, at any time and on any CPU, is a deadlock that waits for its moment. The table
 * forgets what falls on the same slot. */
#include "sched_internal.h"

#ifdef DEBUG
#define HELD_MAX 16
#define PAIRS	 (1u << 14)

struct held_locks {
	unsigned n;
	struct spinlock *lock[HELD_MAX];
};
static DEFINE_PER_CPU(struct held_locks, held_locks);

struct lock_pair {
	_Atomic u64 first, second;
};
static struct lock_pair pairs[PAIRS];
static _Atomic u16 lives;

u16 lock_order_life(void)
{
	return (u16)(atomic_fetch_add_explicit(&lives, 1, memory_order_relaxed) + 1);
}

/* A lock now, not another one that lies at its address later: kernel addresses have 47 bits. */
static u64 name_of(const struct spinlock *l)
{
	return (u64)l << 16 | l->life;
}

static struct lock_pair *slot_of(u64 first, u64 second)
{
	return &pairs[((first ^ second * 0x9e3779b97f4a7c15ull) * 0xd6e8feb86659fd93ull) >> 32 & (PAIRS - 1)];
}

static bool pair_known(u64 first, u64 second)
{
	struct lock_pair *p = slot_of(first, second);

	return atomic_load_explicit(&p->first, memory_order_relaxed) == first &&
	       atomic_load_explicit(&p->second, memory_order_relaxed) == second;
}

static void check_pair(struct spinlock *held, struct spinlock *l)
{
	u64 first = name_of(held), second = name_of(l);
	struct lock_pair *p;

	if (pair_known(first, second))
		return;
	if (pair_known(second, first))
		panic("lock order: %p is held and %p taken, which was the other way round before",
		      (void *)held, (void *)l);
	p = slot_of(first, second);
	atomic_store_explicit(&p->first, 0, memory_order_relaxed);
	atomic_store_explicit(&p->second, second, memory_order_relaxed);
	atomic_store_explicit(&p->first, first, memory_order_relaxed);
}

void lock_order_take(struct spinlock *l, bool tried)
{
	u64 flags = arch_irq_save();
	struct held_locks *h = per_cpu_ptr(&held_locks, cpu_id());

	for (unsigned i = 0; !tried && i < min(h->n, (unsigned)HELD_MAX); i++)
		check_pair(h->lock[i], l);
	if (h->n < HELD_MAX)
		h->lock[h->n] = l;
	h->n++;
	arch_irq_restore(flags);
}

void lock_order_drop(struct spinlock *l)
{
	u64 flags = arch_irq_save();
	struct held_locks *h = per_cpu_ptr(&held_locks, cpu_id());
	unsigned known = min(h->n, (unsigned)HELD_MAX), i = known;

	while (i && h->lock[i - 1] != l)
		i--;
	for (; i && i < known; i++)
		h->lock[i - 1] = h->lock[i];
	h->n--;
	arch_irq_restore(flags);
}

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
