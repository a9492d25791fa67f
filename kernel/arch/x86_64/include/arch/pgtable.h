/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables: four levels of 512 64-bit entries (Intel SDM vol. 3, 4.5). Level 3 is the root, level 0 holds 4 KiB pages,
 * a leaf at level 1 is 2 MiB. Generic code builds and reads entries only through these functions. Owner: kernel/mm/.
 *
 * An entry "maps" when it is present or holds a page without access (PROT_NONE over existing contents). */
#pragma once

#include "base/types.h"

typedef u64 pte_t;

#define PT_LEVELS  4
#define PT_ENTRIES 512
#define PT_SHIFT(level) (PAGE_SHIFT + 9 * (level))
#define PT_SIZE(level)	(1ul << PT_SHIFT(level)) /* bytes that an entry of this level covers */

#define PTE_P	      (1ull << 0)
#define PTE_W	      (1ull << 1)
#define PTE_U	      (1ull << 2)
#define PTE_PWT	      (1ull << 3)
#define PTE_PCD	      (1ull << 4)
#define PTE_A	      (1ull << 5)
#define PTE_D	      (1ull << 6)
#define PTE_PS	      (1ull << 7)
#define PTE_G	      (1ull << 8)
#define PTE_PROTNONE  (1ull << 8) /* meaning of bit 8 in an entry that is not present */
#define PTE_NX	      (1ull << 63)
#define PTE_ADDR_MASK 0x000ffffffffff000ull

static inline unsigned pt_index(u64 va, unsigned level)
{
	return va >> PT_SHIFT(level) & (PT_ENTRIES - 1);
}

static inline pte_t pte_read(const pte_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void pte_write(pte_t *p, pte_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* Replace an entry that hardware may be updating (accessed, dirty); returns the old one. */
static inline pte_t pte_exchange(pte_t *p, pte_t v)
{
	return __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL);
}

/* Clear BITS, keeping what hardware sets meanwhile. */
static inline void pte_clear_bits(pte_t *p, u64 bits)
{
	__atomic_fetch_and(p, ~bits, __ATOMIC_ACQ_REL);
}

static inline bool pte_none(pte_t e)
{
	return e == 0;
}

static inline bool pte_maps(pte_t e)
{
	return e & (PTE_P | PTE_PROTNONE);
}

static inline bool pte_present(pte_t e)
{
	return e & PTE_P;
}

static inline bool pte_writable(pte_t e)
{
	return (e & (PTE_P | PTE_W)) == (PTE_P | PTE_W);
}

static inline bool pte_dirty(pte_t e)
{
	return e & PTE_D;
}

static inline bool pte_accessed(pte_t e)
{
	return e & PTE_A;
}

/* At level 1 and above: a large page, not a table. */
static inline bool pte_large(pte_t e)
{
	return pte_maps(e) && e & PTE_PS;
}

static inline u64 pte_phys(pte_t e)
{
	return e & PTE_ADDR_MASK;
}

/* An application page. LARGE: for level 1. ACCESS false: present in memory but not accessible. */
static inline pte_t pte_app(u64 phys, bool access, bool write, bool exec, bool large)
{
	return phys | PTE_U | PTE_A | (access ? PTE_P : PTE_PROTNONE) | (write ? PTE_W | PTE_D : 0) | (exec ? 0 : PTE_NX) |
	       (large ? PTE_PS : 0);
}

/* The same page with other rights; accessed and dirty are kept. */
static inline pte_t pte_change(pte_t e, bool access, bool write, bool exec)
{
	return (e & (PTE_ADDR_MASK | PTE_U | PTE_A | PTE_D | PTE_PS)) | (access ? PTE_P : PTE_PROTNONE) |
	       (write ? PTE_W : 0) | (exec ? 0 : PTE_NX);
}

/* The Ith 4 KiB page of a large entry, with the same rights. */
static inline pte_t pte_split(pte_t e, unsigned i)
{
	return (e & ~PTE_PS) + (u64)i * PAGE_SIZE;
}

static inline pte_t pte_table(u64 phys)
{
	return phys | PTE_P | PTE_W | PTE_U | PTE_A;
}

/* Translations of the CPU that calls. Any context. */
void arch_tlb_flush_page(u64 va);
void arch_tlb_flush_app(void);	  /* all of the loaded root's lower half */
void arch_tlb_flush_kernel(void); /* everything, global entries too */
/* How many spaces' translations a CPU can hold at once, tagged 1, 2 ...; 1: it does not tag them. Fixed at
 * boot. */
extern unsigned arch_tlb_tags;
/* Load ROOT; its translations bear TAG, at most arch_tlb_tags (0: the kernel's own). GOOD: those that do so
 * already are right, else they are dropped. */
void arch_load_root(u64 root, unsigned tag, bool good);
u64 arch_kernel_root(void);
/* Fill the upper half of a new root (zeroed page) with the shared entries. */
void arch_root_init(void *root);

enum kernel_map_flags { KERNEL_MAP_WRITE = 1, KERNEL_MAP_EXEC = 2, KERNEL_MAP_DEVICE = 4 };
/* One page of the vmalloc area. Serialised by the caller. -ENOMEM when a table page is missing. */
int arch_kernel_map(u64 va, u64 pa, u32 flags);
/* Returns the physical address that was mapped, or ~0; the caller flushes. Tables stay. */
u64 arch_kernel_unmap(u64 va);

/* Boot: build and load the kernel's tables; then on each further CPU. */
struct boot_info;
void arch_kernel_tables_init(const struct boot_info *bi);
void arch_kernel_tables_init_cpu(void);

/* Page-sized stores and copies by the quickest way this CPU has. Page-aligned. Any context. */
void arch_clear_pages(void *page, size_t npages);
void arch_copy_pages(void *to, const void *from, size_t npages);
/* Discard what the CPU has fetched ahead: after another CPU changed code. Interrupts off. */
void arch_sync_core(void);
/* Boot: choose that way. */
void arch_copy_init(void);
