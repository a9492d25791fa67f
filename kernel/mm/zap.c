// SPDX-License-Identifier: BSD-2-Clause
/* Taking pages and page tables out of an address space. Ranges that were never touched cost one step per
 * missing table, so unmapping terabytes of reservation is cheap. Pages are freed in batches, each after one
 * flush of translations. */
#include "internal.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "vm_internal.h"

void page_unmapped(struct tlb_batch *b, const struct vma *v, struct page *p, pte_t e)
{
	u32 flags = atomic_load_explicit(&p->flags, memory_order_relaxed);

	if (flags & PAGE_ANON) {
		b->anon++;
		return;
	}
	if (flags & PAGE_RESERVED)
		return;
	if (v->flags & VMA_SHARED && pte_dirty(e) && !(flags & PAGE_DIRTY))
		atomic_fetch_or_explicit(&p->flags, PAGE_DIRTY, memory_order_relaxed);
	if (pte_accessed(e) && !(flags & PAGE_ACCESSED))
		atomic_fetch_or_explicit(&p->flags, PAGE_ACCESSED, memory_order_relaxed);
	if (flags & PAGE_UNEVICTABLE)
		b->shmem++;
	else
		b->file++;
	atomic_fetch_sub_explicit(&p->mapcount, 1, memory_order_release);
}

/* The entries of [START, END), within one lowest-level table that E points to. What is counted for each page
 * is kept in registers until the batch is full. */
static void zap_table(struct tlb_batch *b, struct vma *v, pte_t e, u64 start, u64 end, u32 flags)
{
	struct spinlock *lock = pt_table_lock(e);
	pte_t *slot = (pte_t *)phys_to_virt(pte_phys(e)) + pt_index(start, 0);
	bool shared = v->flags & VMA_SHARED;
	struct page *p = NULL;	  /* of the last page */
	phys_t neighbour = ~0ull; /* the next page, if its struct page lies behind that one */
	u64 first = ~0ull, last = 0;
	unsigned n = b->n, anons = 0;

	spin_lock(lock);
	for (u64 a = start; a < end; a += PAGE_SIZE, slot++) {
		pte_t old = *slot;
		bool anon;

		if (pte_none(old)) {
			u64 more = pt_more_empty(slot, a, end);

			slot += more;
			a += more * PAGE_SIZE;
			continue;
		}
		p = pte_phys(old) == neighbour ? p + 1 : page_of(pte_phys(old));
		neighbour = pte_phys(old) + PAGE_SIZE;
		if (unlikely(IS_ALIGNED(neighbour, 1ull << SECTION_SHIFT)))
			neighbour = ~0ull;
		anon = atomic_load_explicit(&p->flags, memory_order_relaxed) & PAGE_ANON;
		if (anon && flags & ZAP_FILE_ONLY)
			continue;
		/* Hardware's dirty bit matters only where others share the page. */
		if (shared)
			old = pte_exchange(slot, 0);
		else
			pte_write(slot, 0);
		first = min(first, a);
		last = a + PAGE_SIZE;
		if (likely(anon))
			anons++;
		else
			page_unmapped(b, v, p, old);
		b->pages[n++] = p;
		if (unlikely(n == b->max)) {
			spin_unlock(lock);
			b->n = n;
			b->anon += anons;
			tlb_batch_range(b, first, last);
			tlb_batch_flush(b);
			n = anons = 0;
			first = ~0ull;
			spin_lock(lock);
		}
	}
	spin_unlock(lock);
	b->n = n;
	b->anon += anons;
	if (first != ~0ull)
		tlb_batch_range(b, first, last);
}

static void zap_large(struct tlb_batch *b, const struct vma *v, u64 haddr, pte_t *pmd)
{
	struct vmspace *vm = b->vm;
	pte_t old;

	spin_lock(&vm->pt_lock);
	old = *pmd;
	if (pte_large(old))
		pte_write(pmd, 0);
	spin_unlock(&vm->pt_lock);
	if (!pte_large(old))
		return;
	tlb_batch_range(b, haddr, haddr + HUGE_SIZE);
	if (v->flags & VMA_HUGETLB) {
		b->hugetlb += HUGE_PAGES;
	} else {
		b->anon += HUGE_PAGES;
		b->huge += HUGE_PAGES;
	}
	if (tlb_batch_large(b, phys_to_page(pte_phys(old))))
		tlb_batch_flush(b);
}

int zap_range(struct tlb_batch *b, struct vma *v, u64 start, u64 end, u32 flags)
{
	u64 next;

	for (u64 a = start; a < end; a = next) {
		pte_t *pmd = pt_next(b->vm, a, &next), e;

		if (!pmd)
			continue;
		e = pte_read(pmd);
		if (pte_large(e)) {
			u64 haddr = ALIGN_DOWN(a, HUGE_SIZE);

			if (flags & ZAP_FILE_ONLY && phys_to_page(pte_phys(e))->flags & PAGE_ANON)
				continue;
			if (a == haddr && next <= end) {
				zap_large(b, v, haddr, pmd);
				continue;
			}
			int err = thp_split(b->vm, haddr, pmd);

			if (err)
				return err;
			e = pte_read(pmd);
		}
		if (pte_present(e) && !pte_large(e))
			zap_table(b, v, e, a, min(next, end), flags);
	}
	return 0;
}

int split_edges(struct vmspace *vm, u64 start, u64 end)
{
	u64 edges[2] = {start, end}, next;

	for (int i = 0; i < 2; i++) {
		pte_t *pmd;

		if (IS_ALIGNED(edges[i], HUGE_SIZE) || (i && end == start))
			continue;
		pmd = pt_next(vm, edges[i], &next);
		if (pmd && pte_large(pte_read(pmd))) {
			int err = thp_split(vm, ALIGN_DOWN(edges[i], HUGE_SIZE), pmd);

			if (err)
				return err;
		}
	}
	return 0;
}

/* Free the tables below TABLE (of LEVEL, first address BASE) that [START, END) touches and that lie wholly in
 * [FLOOR, CEILING). */
static void free_level(struct tlb_batch *b, pte_t *table, unsigned level, u64 base, u64 start, u64 end,
		       u64 floor, u64 ceiling)
{
	u64 first = max(start, base), size = PT_SIZE(level);

	for (u64 a = ALIGN_DOWN(first, size); a < end && a - base < size * PT_ENTRIES; a += size) {
		pte_t *slot = &table[(a - base) >> PT_SHIFT(level)], e = *slot;

		if (!pte_present(e) || pte_large(e))
			continue;
		if (level > 1)
			free_level(b, phys_to_virt(pte_phys(e)), level - 1, a, start, end, floor, ceiling);
		if (a < floor || a + size > ceiling)
			continue;
		spin_lock(&b->vm->pt_lock);
		pte_write(slot, 0);
		spin_unlock(&b->vm->pt_lock);
		tlb_batch_range(b, a, a + PAGE_SIZE);
		tlb_batch_table(b, pte_phys(e));
	}
}

void free_tables(struct tlb_batch *b, u64 start, u64 end, u64 floor, u64 ceiling)
{
	free_level(b, phys_to_virt(b->vm->root), PT_LEVELS - 1, 0, start, end, floor, ceiling);
}
