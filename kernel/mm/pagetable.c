// SPDX-License-Identifier: BSD-2-Clause
/* Walking and growing an address space's page tables. Entries above the lowest level change under
 * vm->pt_lock; each lowest-level table has a lock of its own, kept in its struct page. A table is freed only
 * when no VMA reaches into its range (munmap, with vm->lock written) or the space is gone, so whoever holds a
 * VMA's lock may follow tables of its range without a lock. */
#include "base/string.h"
#include "kernel/log.h"
#include "vm_internal.h"

_Static_assert(sizeof(struct spinlock) <= sizeof(((struct page *)0)->index),
	       "a table's lock lives in page->index");

struct spinlock *pt_table_lock(pte_t e)
{
	return (struct spinlock *)&phys_to_page(pte_phys(e))->index;
}

u64 pt_table_alloc(struct vmspace *vm)
{
	struct page *p = page_alloc(0, PAGE_ZERO);

	if (!p)
		return 0;
	spin_init((struct spinlock *)&p->index);
	atomic_fetch_add_explicit(&vm->pt_pages, 1, memory_order_relaxed);
	return page_to_phys(p);
}

void pt_table_free(struct vmspace *vm, u64 phys)
{
	atomic_fetch_sub_explicit(&vm->pt_pages, 1, memory_order_relaxed);
	page_free(phys_to_page(phys), 0);
}

pte_t *pt_lookup(struct vmspace *vm, u64 addr, unsigned level)
{
	pte_t *table = phys_to_virt(vm->root);

	for (unsigned l = PT_LEVELS - 1; l > level; l--) {
		pte_t e = pte_read(&table[pt_index(addr, l)]);

		if (!pte_present(e) || pte_large(e))
			return NULL;
		table = phys_to_virt(pte_phys(e));
	}
	return &table[pt_index(addr, level)];
}

pte_t *pt_next(struct vmspace *vm, u64 addr, u64 *next)
{
	pte_t *table = phys_to_virt(vm->root);

	for (unsigned l = PT_LEVELS - 1; l > 1; l--) {
		pte_t e = pte_read(&table[pt_index(addr, l)]);

		if (!pte_present(e)) {
			*next = ALIGN_DOWN(addr, PT_SIZE(l)) + PT_SIZE(l);
			return NULL;
		}
		table = phys_to_virt(pte_phys(e));
	}
	*next = ALIGN_DOWN(addr, HUGE_SIZE) + HUGE_SIZE;
	return &table[pt_index(addr, 1)];
}

/* Make *E point to a new table unless somebody did meanwhile. */
static bool grow(struct vmspace *vm, pte_t *e)
{
	u64 phys = pt_table_alloc(vm);

	if (!phys)
		return false;
	spin_lock(&vm->pt_lock);
	if (pte_none(*e)) {
		pte_write(e, pte_table(phys));
		phys = 0;
	}
	spin_unlock(&vm->pt_lock);
	if (phys)
		pt_table_free(vm, phys);
	return true;
}

pte_t *pt_make(struct vmspace *vm, u64 addr, unsigned level)
{
	pte_t *table = phys_to_virt(vm->root);

	for (unsigned l = PT_LEVELS - 1; l > level; l--) {
		pte_t *slot = &table[pt_index(addr, l)], e = pte_read(slot);

		while (unlikely(pte_none(e))) {
			if (!grow(vm, slot))
				return NULL;
			e = pte_read(slot);
		}
		if (pte_large(e))
			return NULL;
		table = phys_to_virt(pte_phys(e));
	}
	return &table[pt_index(addr, level)];
}
