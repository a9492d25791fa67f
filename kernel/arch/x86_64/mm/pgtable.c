// SPDX-License-Identifier: BSD-2-Clause
/* The kernel's own page tables, made at boot: a direct map of RAM with the largest pages that fit, the image
 * with one protection per section (W^X), and the vmalloc area, mapped page by page later.
 *
 * The upper half's root entries that are in use are made once and never change, so every application's root
 * copies them and no later kernel mapping needs to be told to other roots. */
#include "arch/pgtable.h"
#include "arch/asm.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/boot_info.h"
#include "kernel/log.h"
#include "kernel/page.h"

extern char __image_start[], __image_end[], __text_start[], __text_end[], __rodata_start[], __rodata_end[],
	__data_start[];

#define PCIDS	     4095
#define CR3_KEEP     BIT(63) /* do not drop the translations of the PCID that is loaded */
#define CPUID_1_PCID BIT(17)

static u64 kernel_root;
unsigned arch_tlb_tags = 1;

u64 mm_kernel_root(void)
{
	return kernel_root;
}

u64 arch_kernel_root(void)
{
	return kernel_root;
}

void arch_root_init(void *root)
{
	memcpy((pte_t *)root + PT_ENTRIES / 2, (pte_t *)phys_to_virt(kernel_root) + PT_ENTRIES / 2,
	       PAGE_SIZE / 2);
}

/* A table page: at boot from the ranges, later from the allocator. 0: none. */
static u64 table_page(bool boot)
{
	struct page *p;

	if (boot)
		return early_alloc(PAGE_SIZE, PAGE_SIZE);
	p = page_alloc(0, PAGE_ZERO);
	return p ? page_to_phys(p) : 0;
}

/* The entry of VA at LEVEL, making tables on the way. NULL on no memory. */
static pte_t *kernel_entry(u64 va, unsigned level, bool boot)
{
	pte_t *table = phys_to_virt(kernel_root);

	for (unsigned l = PT_LEVELS - 1; l > level; l--) {
		pte_t *e = &table[pt_index(va, l)];

		if (!pte_present(*e)) {
			u64 pa = table_page(boot);

			if (!pa)
				return NULL;
			pte_write(e, pa | PTE_P | PTE_W | PTE_A);
		} else if (*e & PTE_PS) {
			return e; /* a larger page maps it already */
		}
		table = phys_to_virt(pte_phys(*e));
	}
	return &table[pt_index(va, level)];
}

#define KERNEL_DATA (PTE_P | PTE_W | PTE_A | PTE_D | PTE_G | PTE_NX)

static bool has_1g_pages(void)
{
	return cpuid(0x80000000, 0).eax >= 0x80000001 && cpuid(0x80000001, 0).edx & BIT(26);
}

/* Direct map of [START, END), widened to 2 MiB. */
static void map_direct(u64 start, u64 end, bool huge)
{
	start = ALIGN_DOWN(start, HUGE_SIZE);
	end = ALIGN_UP(end, HUGE_SIZE);
	while (start < end) {
		bool whole = huge && IS_ALIGNED(start, GIB(1)) && end - start >= GIB(1);
		pte_t *e = kernel_entry(DIRECT_MAP_BASE + start, whole ? 2 : 1, true);

		/* Smaller pages may be there already, below a gigabyte that is now wanted whole. */
		if (whole && *e & PTE_P && !(*e & PTE_PS)) {
			whole = false;
			map_direct(start, start + GIB(1) - HUGE_SIZE, false);
			start += GIB(1) - HUGE_SIZE;
			e = kernel_entry(DIRECT_MAP_BASE + start, 1, true);
		}
		if (!(*e & PTE_P))
			*e = start | KERNEL_DATA | PTE_PS;
		start += whole ? GIB(1) : HUGE_SIZE;
	}
}

/* The lowest-level entry of PA in the direct map, where larger pages make way for smaller ones. */
static pte_t *direct_entry(u64 pa)
{
	pte_t *table = phys_to_virt(kernel_root);

	for (unsigned l = PT_LEVELS - 1; l; l--) {
		pte_t *e = &table[pt_index(DIRECT_MAP_BASE + pa, l)], *below;
		u64 base = pte_phys(*e), phys;

		if (*e & PTE_PS) {
			phys = table_page(true);
			below = phys_to_virt(phys);
			for (u64 i = 0; i < PT_ENTRIES; i++)
				below[i] = (base + i * PT_SIZE(l - 1)) | KERNEL_DATA | (l > 1 ? PTE_PS : 0);
			*e = phys | PTE_P | PTE_W | PTE_A;
		}
		table = phys_to_virt(pte_phys(*e));
	}
	return &table[pt_index(DIRECT_MAP_BASE + pa, 0)];
}

/* What the image maps read-only cannot be written by its alias in the direct map either. */
static void protect_direct(const char *from, const char *to)
{
	for (u64 pa = virt_to_phys(from), end = virt_to_phys(to); pa < end; pa += PAGE_SIZE)
		*direct_entry(pa) &= ~(pte_t)(PTE_W | PTE_D);
}

static void map_image(const char *from, const char *to, pte_t rights)
{
	for (u64 va = (u64)from; va < (u64)to; va += PAGE_SIZE)
		*kernel_entry(va, 0, true) = virt_to_phys((void *)va) | rights | PTE_P | PTE_A | PTE_G;
}

void arch_kernel_tables_init(const struct boot_info *bi)
{
	bool huge = has_1g_pages();

	arch_copy_init();
	kernel_root = early_alloc(PAGE_SIZE, PAGE_SIZE);
	map_direct(0, HUGE_SIZE, huge); /* firmware tables below 1 MiB */
	for (u32 i = 0; i < bi->nmem; i++) {
		const struct boot_mem_range *m = &bi->mem[i];

		if (m->type == BOOT_MEM_RAM || m->type == BOOT_MEM_ACPI || m->type == BOOT_MEM_NVS)
			map_direct(m->start, m->start + m->size, huge);
	}
	map_image(__text_start, __text_end, 0);
	map_image(__rodata_start, __rodata_end, PTE_NX);
	map_image(__data_start, __image_end, PTE_W | PTE_D | PTE_NX);
	protect_direct(__text_start, __rodata_end);
	kernel_entry(VMALLOC_BASE, PT_LEVELS - 2, true);
	arch_kernel_tables_init_cpu();
}

void arch_kernel_tables_init_cpu(void)
{
	write_cr0(read_cr0() | CR0_WP);
	write_cr3(kernel_root);
	write_cr4(read_cr4() | CR4_PGE);
	arch_tlb_flush_kernel();
	if (cpuid(1, 0).ecx & CPUID_1_PCID) {
		write_cr4(read_cr4() | CR4_PCIDE); /* the kernel's root is loaded: PCID 0 */
		arch_tlb_tags = PCIDS;
	}
}

int arch_kernel_map(u64 va, u64 pa, u32 flags)
{
	pte_t *e = kernel_entry(va, 0, false);

	if (!e)
		return -ENOMEM;
	ASSERT(!*e);
	pte_write(e, pa | PTE_P | PTE_A | PTE_G | (flags & KERNEL_MAP_WRITE ? PTE_W | PTE_D : 0) |
			     (flags & KERNEL_MAP_EXEC ? 0 : PTE_NX) |
			     (flags & KERNEL_MAP_DEVICE ? PTE_PCD | PTE_PWT : 0));
	return 0;
}

u64 arch_kernel_unmap(u64 va)
{
	pte_t *table = phys_to_virt(kernel_root);

	for (unsigned l = PT_LEVELS - 1; l > 0; l--) {
		pte_t e = table[pt_index(va, l)];

		if (!pte_present(e))
			return ~0ull;
		table = phys_to_virt(pte_phys(e));
	}
	pte_t old = pte_exchange(&table[pt_index(va, 0)], 0);

	return pte_present(old) ? pte_phys(old) : ~0ull;
}

void arch_tlb_flush_page(u64 va)
{
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

void arch_tlb_flush_app(void)
{
	write_cr3(read_cr3());
}

void arch_tlb_flush_kernel(void)
{
	u64 cr4 = read_cr4();

	/* Any change of PGE drops all translations. */
	write_cr4(cr4 & ~(u64)CR4_PGE);
	write_cr4(cr4);
}

void arch_load_root(u64 root, unsigned tag, bool good)
{
	if (arch_tlb_tags > 1)
		root |= tag | (good ? CR3_KEEP : 0);
	write_cr3(root);
}

void arch_sync_core(void)
{
	/* A move to a control register serialises (SDM vol. 3, 9.3), and this one does not leave the guest.
	 */
	__asm__ volatile("mov %0, %%cr2" ::"r"(read_cr2()) : "memory");
}
