// SPDX-License-Identifier: BSD-2-Clause
/* Failing the N-th allocation of a system call (kernel/fail.h). The debugging kernel's only. */
#ifdef DEBUG
#include "kernel/fail.h"
#include "internal.h"
#include "kernel/counter.h"
#include "kernel/thread.h"

DEFINE_COUNTER(alloc_failures_injected, "allocations that failed on demand");

bool alloc_should_fail(void)
{
	struct thread *t = current;

	if (likely(!t || !t->fail.left) || !arch_irqs_on() || --t->fail.left)
		return false;
	t->fail.hit = true;
	counter_inc(&alloc_failures_injected);
	return true;
}

void alloc_fail_enter(void)
{
	struct thread *t = current;

	if (unlikely(t->fail.next)) {
		t->fail.left = t->fail.next;
		t->fail.next = 0;
		t->fail.hit = false;
	}
}

void alloc_fail_leave(void)
{
	current->fail.left = 0;
}

void alloc_fail_next(u32 n)
{
	current->fail.next = n;
}

bool alloc_fail_hit(void)
{
	return current->fail.hit;
}
#endif
