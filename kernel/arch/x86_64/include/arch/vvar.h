/* SPDX-License-Identifier: BSD-2-Clause */
/* The page that the kernel writes and the vDSO reads in every process: clock parameters under a sequence count
 * (odd: being changed). Monotonic ns = mono_base + (tsc - tsc_base) * mult >> VVAR_SHIFT. */
#pragma once

#include "base/types.h"

#define VVAR_SHIFT 32

struct vvar_page {
	u32 seq;
	u32 tsc_usable;	 /* 0: make the system call; 1: read the TSC, RDTSCP gives the CPU; 2: TSC only */
	u64 mult;
	u64 tsc_base;
	u64 mono_base;
	u64 wall_offset; /* REALTIME - MONOTONIC */
	u64 boot_offset; /* BOOTTIME - MONOTONIC */
	u64 mono_offset; /* always 0 */
};

extern struct vvar_page vvar;

/* Nanoseconds since the base. CPUs' counters may differ by a little: never negative. */
static inline u64 vvar_elapsed(const struct vvar_page *v, u64 tsc)
{
	u64 base = v->tsc_base;

	return tsc > base ? (u64)(((unsigned __int128)(tsc - base) * v->mult) >> VVAR_SHIFT) : 0;
}

/* The TSC, not read before earlier loads: two CPUs that hand each other a value see time go forward. */
static inline u64 arch_cycles_ordered(void)
{
	u32 lo, hi;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (u64)hi << 32 | lo;
}
