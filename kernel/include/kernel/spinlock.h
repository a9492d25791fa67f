/* SPDX-License-Identifier: BSD-2-Clause */
/* Spin locks (ticket, FIFO). For the few places where a sleeping lock cannot be: anything an interrupt handler or the
 * scheduler also takes. A holder does not sleep and does not touch application memory. A lock that an interrupt
 * handler takes is always taken with the _irqsave form. DEBUG builds record the holder, and the order in which locks
 * are taken. */
#pragma once

#include "arch/cpu.h" /* arch_irq_save, arch_irq_restore, cpu_relax */
#include "kernel/log.h"
#include "kernel/percpu.h"

struct spinlock {
	_Atomic u16 next;   /* ticket handed to the next comer */
	_Atomic u16 serving; /* ticket that holds the lock */
	u16 owner;	    /* DEBUG: cpu + 1 of the holder */
	u16 life;	    /* DEBUG: tells it from another lock that had this address before */
};

#define SPINLOCK_INIT {0}

#ifdef DEBUG
/* Locks that this CPU holds: nobody may sleep with one. Weak, so that any program that takes a lock has it. */
__weak DEFINE_PER_CPU(unsigned, spin_depth);

/* kernel/sched/debug.c. TRIED: spin_trylock() cannot wait, so no order comes of it. */
void lock_order_take(struct spinlock *l, bool tried);
void lock_order_drop(struct spinlock *l);
u16 lock_order_life(void);

static inline void spin_taken_(struct spinlock *l, bool tried)
{
	l->owner = (u16)(cpu_id() + 1);
	this_cpu(spin_depth)++;
	lock_order_take(l, tried);
}

static inline void spin_dropped_(struct spinlock *l)
{
	if (l->owner != cpu_id() + 1)
		panic("spin_unlock: the lock is not this CPU's");
	lock_order_drop(l);
	l->owner = 0;
	this_cpu(spin_depth)--;
}
#else
static inline u16 lock_order_life(void)
{
	return 0;
}

static inline void spin_taken_(struct spinlock *l, bool tried)
{
}

static inline void spin_dropped_(struct spinlock *l)
{
}
#endif

static inline void spin_init(struct spinlock *l)
{
	*l = (struct spinlock){.life = lock_order_life()};
}

static inline void spin_lock(struct spinlock *l)
{
	u16 ticket = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);

	ASSERT(l->owner != cpu_id() + 1);
	while (atomic_load_explicit(&l->serving, memory_order_acquire) != ticket)
		cpu_relax();
	spin_taken_(l, false);
}

static inline bool __must_check spin_trylock(struct spinlock *l)
{
	u16 serving = atomic_load_explicit(&l->serving, memory_order_acquire);
	u16 want = serving;

	if (!atomic_compare_exchange_strong_explicit(&l->next, &want, (u16)(serving + 1), memory_order_acquire,
						     memory_order_relaxed))
		return false;
	spin_taken_(l, true);
	return true;
}

static inline void spin_unlock(struct spinlock *l)
{
	spin_dropped_(l);
	atomic_store_explicit(&l->serving,
			      (u16)(atomic_load_explicit(&l->serving, memory_order_relaxed) + 1),
			      memory_order_release);
}

static inline u64 __must_check spin_lock_irqsave(struct spinlock *l)
{
	u64 flags = arch_irq_save();

	spin_lock(l);
	return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *l, u64 flags)
{
	spin_unlock(l);
	arch_irq_restore(flags);
}
