/* SPDX-License-Identifier: BSD-2-Clause */
/* "Physical" memory on the host: an arena of HOST_ARENA_SIZE bytes at physical address HOST_PHYS_BASE. Any
 * other host address (heap, stack) is its own physical address, so that drivers may hand it to a simulated
 * device. */
#pragma once

#include "base/types.h"

#define HOST_PHYS_BASE	0x01000000ull
#define HOST_ARENA_SIZE (256ull << 20)

extern u8 *host_arena; /* aligned to 4 MiB */

static inline void *phys_to_virt(u64 pa)
{
	if (pa >= HOST_PHYS_BASE && pa < HOST_PHYS_BASE + HOST_ARENA_SIZE)
		return host_arena + (pa - HOST_PHYS_BASE);
	return (void *)(uintptr_t)pa;
}

static inline u64 virt_to_phys(const void *v)
{
	u64 a = (u64)(uintptr_t)v, base = (u64)(uintptr_t)host_arena;

	return a >= base && a < base + HOST_ARENA_SIZE ? a - base + HOST_PHYS_BASE : a;
}

/* The registers of a simulated device: a test gives them with host_mmio_add(). Other addresses map to
 * themselves. */
volatile void *mmio_map(u64 pa, size_t size);
