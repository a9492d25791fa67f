// SPDX-License-Identifier: BSD-2-Clause
/* Policy, nice value and affinity: what was asked for, and telling the CPU that owns the thread.
 * `want` is stored under attr_lock and takes effect when the owner absorbs it: at once for a queued thread
 * (by message), else when it is queued next. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "sched_internal.h"

void sched_attr_init(struct thread *t)
{
	struct thread *parent = current;
	struct sched_entity *se = &t->se;
	struct cpu_mask *m = rcu_dereference(parent->se.affinity), *copy;
	u64 flags;

	eevdf_entity_init(&se->fair, EEVDF_WEIGHT_0);
	se->class = SCHED_CLASS_FAIR;
	atomic_store_explicit(&se->attr_changed, true, memory_order_relaxed);
	if (thread_test_flag(parent, THREAD_KERNEL))
		return; /* SCHED_OTHER, nice 0 */
	flags = spin_lock_irqsave(&parent->se.attr_lock);
	se->want = parent->se.want;
	spin_unlock_irqrestore(&parent->se.attr_lock, flags);
	if (se->want.reset_on_fork) {
		if (se->want.rt_priority || se->want.nice < 0)
			se->want = (struct sched_request){.policy = SCHED_OTHER};
		se->want.reset_on_fork = false;
	}
	if (!m)
		return;
	copy = kmalloc(sizeof *copy + m->words * sizeof(u64));
	if (copy) { /* without memory the child may run anywhere: a hint is lost, nothing breaks */
		memcpy(copy, m, sizeof *copy + m->words * sizeof(u64));
		se->affinity = copy;
	}
}

void attr_changed(struct thread *t)
{
	struct sched_entity *se = &t->se;
	u64 flags = arch_irq_save();
	u32 cpu;

	/* Store-load A2: attr_changed, then on_rq and cpu. Pairs with A1 in rq_enqueue(). */
	atomic_exchange_explicit(&se->attr_changed, true, memory_order_seq_cst);
	if (atomic_load_explicit(&se->on_rq, memory_order_acquire)) {
		cpu = atomic_load_explicit(&se->cpu, memory_order_relaxed);
		if (cpu == cpu_id() && atomic_load_explicit(&se->on_rq, memory_order_relaxed)) {
			rq_apply_attributes(this_rq(), t, clock_monotonic());
		} else if (!atomic_exchange_explicit(&se->attr_queued, true, memory_order_seq_cst)) {
			thread_get(t);
			sched_send(cpu, &se->attr_msg);
		}
	}
	arch_irq_restore(flags);
}

int sched_request_change(struct thread *t, const struct sched_request *want)
{
	u64 flags = spin_lock_irqsave(&t->se.attr_lock);

	t->se.want = *want;
	spin_unlock_irqrestore(&t->se.attr_lock, flags);
	attr_changed(t);
	return 0;
}

struct sched_request sched_request_get(struct thread *t)
{
	struct sched_request want;
	u64 flags = spin_lock_irqsave(&t->se.attr_lock);

	want = t->se.want;
	spin_unlock_irqrestore(&t->se.attr_lock, flags);
	return want;
}

void sched_set_boost(struct thread *t, u8 priority)
{
	if (atomic_exchange_explicit(&t->se.boost, priority, memory_order_relaxed) != priority)
		attr_changed(t);
}

void sched_set_nice(struct thread *t, int nice)
{
	u64 flags = spin_lock_irqsave(&t->se.attr_lock);

	t->se.want.nice = (s8)clamp(nice, -20, 19);
	spin_unlock_irqrestore(&t->se.attr_lock, flags);
	attr_changed(t);
}

int sched_get_nice(struct thread *t)
{
	return sched_request_get(t).nice;
}

int sched_get_policy(struct thread *t, unsigned *rt_priority)
{
	struct sched_request want = sched_request_get(t);

	*rt_priority = want.rt_priority;
	return want.policy;
}

void sched_get_affinity(struct thread *t, u64 *mask, unsigned words)
{
	struct cpu_mask *m;

	rcu_read_lock();
	m = rcu_dereference(t->se.affinity);
	for (unsigned i = 0; i < words; i++) {
		u64 up = 0;

		for (unsigned cpu = i * 64; cpu < min(cpu_count, i * 64 + 64); cpu++)
			if (sched_cpu_online(cpu))
				up |= BIT(cpu % 64);
		mask[i] = m ? (i < m->words ? m->bits[i] & up : 0) : up;
	}
	rcu_read_unlock();
}

int sched_set_affinity(struct thread *t, const u64 *mask, unsigned words)
{
	unsigned need = DIV_ROUND_UP(cpu_count, 64);
	struct cpu_mask *m, *old;
	unsigned usable = 0;
	u64 flags;

	m = kmalloc(sizeof *m + need * sizeof(u64));
	if (!m)
		return -ENOMEM;
	m->words = need;
	for (unsigned i = 0; i < need; i++)
		m->bits[i] = i < words ? mask[i] : 0;
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		if (m->bits[cpu / 64] >> cpu % 64 & 1 && sched_cpu_online(cpu))
			usable++;
	if (!usable) {
		kfree(m);
		return -EINVAL;
	}
	if (usable == cpu_count) {
		kfree(m);
		m = NULL; /* no restriction */
	}
	flags = spin_lock_irqsave(&t->se.attr_lock);
	old = t->se.affinity;
	rcu_assign_pointer(t->se.affinity, m);
	spin_unlock_irqrestore(&t->se.attr_lock, flags);
	if (old)
		rcu_kfree(&old->rcu);
	attr_changed(t);
	if (t == current && !cpu_allowed(t, cpu_id()))
		schedule(); /* leaves this CPU */
	return 0;
}
