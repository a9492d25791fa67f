/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's stand-in for the CPU: a host thread is a CPU of its own, interrupts are a flag that nothing
 * looks at but arch_irqs_on(). */
#pragma once

#include "base/types.h"

#define RFLAGS_IF (1ul << 9)

extern _Thread_local bool host_irqs_off;

static inline u64 arch_irq_save(void)
{
	u64 flags = host_irqs_off ? 0 : RFLAGS_IF;

	host_irqs_off = true;
	return flags;
}

static inline void arch_irq_restore(u64 flags)
{
	if (flags & RFLAGS_IF)
		host_irqs_off = false;
}

static inline void arch_irq_enable(void)
{
	host_irqs_off = false;
}

static inline void arch_irq_disable(void)
{
	host_irqs_off = true;
}

static inline bool arch_irqs_on(void)
{
	return !host_irqs_off;
}

/* Host threads are preempted: a spinner gives its core to the holder. */
int sched_yield(void);
static inline void cpu_relax(void)
{
	sched_yield();
}

static inline bool cpu_fence_late(void)
{
	return false;
}

static inline void arch_idle(void)
{
	host_irqs_off = false;
	sched_yield();
}

static inline u64 arch_cycles(void)
{
	return __builtin_ia32_rdtsc();
}

void arch_timer_set(u64 deadline);
bool arch_random(u64 *out);
