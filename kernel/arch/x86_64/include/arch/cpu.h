/* SPDX-License-Identifier: BSD-2-Clause */
/* What generic code may ask of the CPU. */
#pragma once

#include "base/types.h"

#define RFLAGS_IF (1ul << 9)

static inline u64 arch_irq_save(void)
{
	u64 flags;

	__asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags)::"memory");
	return flags;
}

static inline void arch_irq_restore(u64 flags)
{
	if (flags & RFLAGS_IF)
		__asm__ volatile("sti" ::: "memory");
}

static inline void arch_irq_enable(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static inline void arch_irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline bool arch_irqs_on(void)
{
	u64 flags;

	__asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags));
	return flags & RFLAGS_IF;
}

static inline void cpu_relax(void)
{
	__builtin_ia32_pause();
}

/* QEMU's TCG up to 8.0 translates fences and locked instructions to nothing ordering where one thread of the
 * host runs all CPUs (a machine of one CPU, or thread=single, which we cannot see), though its devices are
 * other threads. A store to memory shared with a device may then be seen after a later load. */
extern bool cpu_fences_elided;

/* After a fence and a look at what a device wrote: true when the look has to be repeated, now that this CPU's
 * stores are visible for sure. PAUSE leaves translated code there, and the emulator takes a lock on the way.
 */
static inline bool cpu_fence_late(void)
{
	if (__builtin_expect(!cpu_fences_elided, 1))
		return false;
	cpu_relax();
	return true;
}

/* Enable interrupts and halt until one came: atomically, so that none is missed in between. Called with them
 * off. */
static inline void arch_idle(void)
{
	__asm__ volatile("sti\n\thlt" ::: "memory");
}

/* A cycle counter for entropy and tracing; not a clock. */
static inline u64 arch_cycles(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

/* Arm the local one-shot timer for DEADLINE (CLOCK_MONOTONIC ns; ~0: off). It ends in
 * sched_timer_interrupt(). irqs off. */
void arch_timer_set(u64 deadline);
/* A random number from the CPU: false when there is no such instruction or it failed. */
bool arch_random(u64 *out);
