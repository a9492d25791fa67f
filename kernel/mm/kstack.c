// SPDX-License-Identifier: BSD-2-Clause
/* Kernel stacks: vmalloc blocks, so each has a guard page below. Stacks of threads that ended are kept, still
 * mapped, in a few per CPU and then on a shared list, so that a short-lived thread costs no mapping; what the
 * list holds beyond its limit is unmapped many at a time, for one flush. Thread context or boot. */
#include "internal.h"
#include "kernel/alloc.h"

#define STACKS_PER_CPU 8
#define SHARED_MAX     64
struct stack_cache {
	u32 count;
	void *stacks[STACKS_PER_CPU];
};
static DEFINE_PER_CPU(struct stack_cache, stack_cache);

static struct spinlock shared_lock;
static void *shared[SHARED_MAX]; /* guarded by shared_lock */
static u32 shared_count;
_Atomic u64 kernel_stack_pages;

void kstack_init_cpu(void)
{
	this_cpu(stack_cache).count = 0;
}

static void *shared_take(void)
{
	u64 irq = spin_lock_irqsave(&shared_lock);
	void *s = shared_count ? shared[--shared_count] : NULL;

	spin_unlock_irqrestore(&shared_lock, irq);
	return s;
}

void *kstack_alloc(void)
{
	u64 irq = arch_irq_save();
	void *s = NULL;

	if (this_cpu(stack_cache).count)
		s = this_cpu(stack_cache).stacks[--this_cpu(stack_cache).count];
	arch_irq_restore(irq);
	if (!s)
		s = shared_take();
	if (!s) {
		s = vmalloc(KSTACK_SIZE);
		if (s)
			atomic_fetch_add_explicit(&kernel_stack_pages, KSTACK_SIZE / PAGE_SIZE,
						  memory_order_relaxed);
	}
	return s;
}

void kstack_free(void *stack)
{
	void *dead[VFREE_MANY];
	u32 n = 0;
	u64 irq;
	bool kept;

	if (!stack)
		return;
	irq = arch_irq_save();
	kept = this_cpu(stack_cache).count < STACKS_PER_CPU;
	if (kept)
		this_cpu(stack_cache).stacks[this_cpu(stack_cache).count++] = stack;
	arch_irq_restore(irq);
	if (kept)
		return;
	irq = spin_lock_irqsave(&shared_lock);
	if (shared_count == SHARED_MAX)
		while (n < VFREE_MANY)
			dead[n++] = shared[--shared_count];
	shared[shared_count++] = stack;
	spin_unlock_irqrestore(&shared_lock, irq);
	if (n) {
		atomic_fetch_sub_explicit(&kernel_stack_pages, n * (KSTACK_SIZE / PAGE_SIZE),
					  memory_order_relaxed);
		vfree_many(dead, n);
	}
}
