/* SPDX-License-Identifier: BSD-2-Clause */
/* What the boot code learned from the firmware or the loader, handed to mm_init() once. Boot code keeps the structure in
 * the kernel image (.bss); it stays valid for ever. Owner: kernel/mm/. */
#pragma once

#include "base/types.h"

/* Types as in the e820 and PVH memory maps (hvm/start_info.h); anything else counts as reserved. */
enum boot_mem_type {
	BOOT_MEM_RAM = 1,
	BOOT_MEM_RESERVED = 2,
	BOOT_MEM_ACPI = 3,  /* tables: RAM that must be kept (mapped by the direct map) */
	BOOT_MEM_NVS = 4,
	BOOT_MEM_UNUSABLE = 5,
	BOOT_MEM_PMEM = 7,
};

struct boot_mem_range {
	u64 start, size; /* bytes, physical; need not be page-aligned; may overlap: the stricter type wins */
	u32 type;	 /* enum boot_mem_type */
	u32 pad;
};

struct boot_info {
	const struct boot_mem_range *mem; /* readable through boot code's mappings; unsorted is fine */
	u32 nmem;
	u64 kernel_start, kernel_end; /* physical range of the loaded image, .bss included: [__image_start, __image_end) */
	u64 initrd_start, initrd_size; /* physical; size 0: none. Kept until boot_free_initrd() */
	u64 rsdp;		      /* physical address of the ACPI RSDP, 0: search for it */
	const char *cmdline;	      /* NUL-terminated, readable at mm_init() and after (boot code copied it to .bss) */
};

/* Take over memory: build the final page tables (direct map of all RAM, kernel image W^X), load them, and hand all free
 * RAM to the page allocator. After it page_alloc, kmalloc, vmalloc and mmio_map work. Boot CPU, interrupts off, in long
 * mode with EFER.NXE set; boot code's tables map the kernel image and the first 4 GiB at DIRECT_MAP_BASE. Panics when
 * there is too little memory. */
void mm_init(const struct boot_info *bi);

/* For mm_init()'s arch part: SIZE bytes of RAM, zeroed, below 4 GiB, never freed; the physical address. Panics when there
 * is none. Only until the page allocator takes over. */
u64 early_alloc(u64 size, u64 align);

/* Each further CPU, before it touches anything else: CR3 and CR0.WP, CR4.PGE as on the boot CPU; this CPU's allocator
 * lists start empty. Its GS base is set (whatever its per-CPU area was copied from). irqs off. */
void mm_init_cpu(void);
/* Physical address of the kernel's page-table root, for the start-up trampoline: below 4 GiB. */
u64 mm_kernel_root(void);

/* Give the initrd's pages to the allocator once its contents are not needed any more. Thread context or boot. */
void boot_free_initrd(void);
/* RAM as the firmware described it, sorted and merged, for /proc/iomem. Returns false past the last INDEX. */
bool boot_mem_range(unsigned index, struct boot_mem_range *out);
