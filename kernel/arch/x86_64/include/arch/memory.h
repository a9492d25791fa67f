/* SPDX-License-Identifier: BSD-2-Clause */
/* The upper half: direct map of physical memory, vmalloc area, kernel image. */
#pragma once

#include "base/types.h"

#define DIRECT_MAP_BASE 0xffff800000000000ull /* 64 TiB */
#define VMALLOC_BASE	0xffffc00000000000ull /* vmalloc, kernel stacks, device windows */
#define VMALLOC_END	(VMALLOC_BASE + (1ull << 39)) /* one root entry, made at boot */
#define KERNEL_BASE	0xffffffff80000000ull /* top 2 GiB: the image, at a random slide */

static inline void *phys_to_virt(u64 pa)
{
	return (void *)(pa + DIRECT_MAP_BASE);
}

extern u64 kernel_phys_offset; /* virtual - physical of the kernel image */

/* Of a direct-map or kernel-image address. */
static inline u64 virt_to_phys(const void *v)
{
	u64 a = (u64)v;

	return a >= KERNEL_BASE ? a - kernel_phys_offset : a - DIRECT_MAP_BASE;
}

/* Map SIZE bytes of device registers at PA, uncached. NULL on no memory. Thread context or boot. Never unmapped. */
volatile void *mmio_map(u64 pa, size_t size);
