// SPDX-License-Identifier: BSD-2-Clause
/* Taking over memory at boot: from the firmware's map to free ranges, from those to page tables, the memory
 * map and the page allocator. Boot CPU, interrupts off; only boot_free_initrd() runs later. */
#include "arch/pgtable.h"
#include "base/string.h"
#include "internal.h"
#include "kernel/log.h"

/* Sorted, disjoint, not adjacent. Firmware maps have a few dozen entries at most (the e820 call allows 128);
 * should there be more, the smallest ranges are given up. Also read when a chunk is brought online: then
 * guarded by the buddy lock. */
#define MAX_RANGES 96
struct phys_range free_ranges[MAX_RANGES];
unsigned free_range_count;

struct phys_range firmware_blocks[2];

static const struct boot_info *boot_info;

static void remove_index(unsigned i)
{
	free_range_count--;
	memmove(&free_ranges[i], &free_ranges[i + 1], (free_range_count - i) * sizeof free_ranges[0]);
}

static void insert_index(unsigned i, u64 start, u64 end)
{
	if (free_range_count == MAX_RANGES) {
		unsigned small = 0;

		for (unsigned k = 1; k < MAX_RANGES; k++)
			if (free_ranges[k].end - free_ranges[k].start <
			    free_ranges[small].end - free_ranges[small].start)
				small = k;
		if (end - start <= free_ranges[small].end - free_ranges[small].start)
			return;
		remove_index(small);
		i -= small < i;
	}
	memmove(&free_ranges[i + 1], &free_ranges[i], (free_range_count - i) * sizeof free_ranges[0]);
	free_ranges[i] = (struct phys_range){start, end};
	free_range_count++;
}

void range_add(u64 start, u64 end)
{
	unsigned i = 0;

	if (start >= end)
		return;
	while (i < free_range_count && free_ranges[i].end < start)
		i++;
	while (i < free_range_count && free_ranges[i].start <= end) {
		start = min(start, free_ranges[i].start);
		end = max(end, free_ranges[i].end);
		remove_index(i);
	}
	insert_index(i, start, end);
}

void range_remove(u64 start, u64 end)
{
	for (unsigned i = 0; i < free_range_count && start < end; i++) {
		struct phys_range r = free_ranges[i];

		if (r.end <= start || r.start >= end)
			continue;
		remove_index(i);
		if (end < r.end)
			insert_index(i, end, r.end);
		if (r.start < start)
			insert_index(i, r.start, start);
		else
			i--;
	}
}

u64 early_alloc(u64 size, u64 align)
{
	/* Low addresses first, above 1 MiB: near the kernel, so that large blocks above stay whole. */
	for (u64 floor = MIB(1);; floor = 0) {
		for (unsigned i = 0; i < free_range_count; i++) {
			u64 a = ALIGN_UP(max(free_ranges[i].start, floor), max(align, PAGE_SIZE));
			u64 end = a + ALIGN_UP(size, PAGE_SIZE);

			if (end > free_ranges[i].end || end > GIB(4))
				continue;
			range_remove(a, end);
			memset(phys_to_virt(a), 0, end - a);
			return a;
		}
		if (!floor)
			panic("early_alloc: not enough memory for %zu bytes", (size_t)size);
	}
}

static void collect_ranges(const struct boot_info *bi)
{
	for (u32 i = 0; i < bi->nmem; i++)
		if (bi->mem[i].type == BOOT_MEM_RAM)
			range_add(ALIGN_UP(bi->mem[i].start, PAGE_SIZE),
				  ALIGN_DOWN(bi->mem[i].start + bi->mem[i].size, PAGE_SIZE));
	for (u32 i = 0; i < bi->nmem; i++)
		if (bi->mem[i].type != BOOT_MEM_RAM && bi->mem[i].size)
			range_remove(ALIGN_DOWN(bi->mem[i].start, PAGE_SIZE),
				     ALIGN_UP(bi->mem[i].start + bi->mem[i].size, PAGE_SIZE));
	range_remove(0, PAGE_SIZE);
	range_remove(ALIGN_DOWN(bi->kernel_start, PAGE_SIZE), ALIGN_UP(bi->kernel_end, PAGE_SIZE));
	if (bi->initrd_size)
		range_remove(ALIGN_DOWN(bi->initrd_start, PAGE_SIZE),
			     ALIGN_UP(bi->initrd_start + bi->initrd_size, PAGE_SIZE));
}

/* SeaBIOS leaves its tables at the end of the RAM below 4 GiB and works right below the 16 MiB before that end. A guess
 * costs nothing: it only says which memory to use first of what was never used. */
static void find_firmware_blocks(const struct boot_info *bi)
{
	u64 top = 0, end = 0;

	for (u32 i = 0; i < bi->nmem; i++)
		if (bi->mem[i].type == BOOT_MEM_RAM && bi->mem[i].start < GIB(4))
			top = max(top, bi->mem[i].start + bi->mem[i].size);
	for (u32 i = 0; i < bi->nmem; i++)
		if (bi->mem[i].type != BOOT_MEM_RAM && bi->mem[i].start == top)
			end = ALIGN_UP(top, HUGE_SIZE);
	if (end != top && end > MIB(32)) {
		firmware_blocks[0] = (struct phys_range){end - MIB(16) - HUGE_SIZE, end - MIB(16)};
		firmware_blocks[1] = (struct phys_range){end - HUGE_SIZE, end};
	}
}

void mm_init(const struct boot_info *bi)
{
	boot_info = bi;
	collect_ranges(bi);
	find_firmware_blocks(bi);
	arch_kernel_tables_init(bi);
	buddy_init();
	sections_init();
	page_alloc_init();
	slab_init();
	vmalloc_init();
}

void mm_init_cpu(void)
{
	arch_kernel_tables_init_cpu();
	page_alloc_init_cpu();
	slab_init_cpu();
	kstack_init_cpu();
	vmspace_init_cpu();
}

void boot_free_initrd(void)
{
	static bool freed;
	u64 start = ALIGN_UP(boot_info->initrd_start, PAGE_SIZE);
	u64 end = ALIGN_DOWN(boot_info->initrd_start + boot_info->initrd_size, PAGE_SIZE);
	u64 flags;

	if (freed || !boot_info->initrd_size)
		return;
	freed = true;
	flags = spin_lock_irqsave(&buddy_lock);
	for (u64 pa = start; pa < end; pa += PAGE_SIZE) {
		struct page *p;

		section_online_pfn(pa >> PAGE_SHIFT);
		p = phys_to_page(pa);
		if (!p || !(p->flags & PAGE_RESERVED))
			continue; /* outside every section's bounds: no struct page, not usable */
		p->flags = 0;
		buddy_give(p, 0, false);
		managed_pages++;
	}
	spin_unlock_irqrestore(&buddy_lock, flags);
}

u64 boot_reserved_pages(void)
{
	u64 ram = 0;

	for (u32 i = 0; i < boot_info->nmem; i++)
		if (boot_info->mem[i].type == BOOT_MEM_RAM)
			ram += boot_info->mem[i].size >> PAGE_SHIFT;
	return ram > managed_pages ? ram - managed_pages : 0;
}

bool boot_mem_range(unsigned index, struct boot_mem_range *out)
{
	/* The map is short: pick the entry that has exactly INDEX entries before it. */
	for (u32 i = 0; i < boot_info->nmem; i++) {
		const struct boot_mem_range *m = &boot_info->mem[i];
		unsigned before = 0;

		for (u32 k = 0; k < boot_info->nmem; k++)
			before += boot_info->mem[k].start < m->start ||
				  (boot_info->mem[k].start == m->start && k < i);
		if (before == index) {
			*out = *m;
			return true;
		}
	}
	return false;
}
