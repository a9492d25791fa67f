// SPDX-License-Identifier: BSD-2-Clause
/* Transparent huge pages: 2 MiB entries for private anonymous memory.
 *
 * The block is compound: only its head's struct page is in use, and head->ref counts the large entries that
 * map it (one, or more after fork). When a part must be treated apart, the block is broken for all: each of
 * its pages gets a struct page of its own with the count that the head had; entries elsewhere stay large and
 * from then on stand for 512 single references. So whoever gets or drops a large entry's reference asks,
 * under the block's lock (a bit in head->flags), which of the two it is. A write to a shared block copies it
 * whole, or page by page where 2 MiB cannot be had. */
#include "kernel/counter.h"
#include "kernel/log.h"
#include "vm_internal.h"

DEFINE_COUNTER(thp_faults, "faults that mapped a 2 MiB page");
DEFINE_COUNTER(thp_fallbacks, "faults that wanted a 2 MiB page and got small ones");
DEFINE_COUNTER(thp_splits, "2 MiB entries split into small ones");

static enum thp_policy policy;

enum thp_policy thp_policy_get(void)
{
	return READ_ONCE(policy);
}

void thp_policy_set(enum thp_policy p)
{
	WRITE_ONCE(policy, p);
}

bool thp_suitable(const struct vma *v, u64 haddr)
{
	enum thp_policy p = thp_policy_get();

	if (p == THP_NEVER || (p == THP_MADVISE && !(v->flags & VMA_HUGEPAGE)))
		return false;
	return !(v->flags & (VMA_NOHUGEPAGE | VMA_STACK | VMA_GROWSDOWN | VMA_HUGETLB | VMA_SPECIAL)) &&
	       vma_anonymous(v) && haddr >= v->start && v->end - haddr >= HUGE_SIZE && haddr < v->end;
}

/* ---- compound blocks ---- */

static void block_lock(struct page *head)
{
	while (atomic_fetch_or_explicit(&head->flags, PAGE_LOCKED, memory_order_acquire) & PAGE_LOCKED)
		cpu_relax();
}

static void block_unlock(struct page *head)
{
	atomic_fetch_and_explicit(&head->flags, ~(u32)PAGE_LOCKED, memory_order_release);
}

void thp_get(struct page *head)
{
	block_lock(head);
	if (head->flags & PAGE_HEAD)
		page_get(head);
	else
		for (unsigned i = 0; i < HUGE_PAGES; i++)
			page_get(head + i);
	block_unlock(head);
}

void thp_put(struct page *head)
{
	bool whole, last = false;

	block_lock(head);
	whole = head->flags & PAGE_HEAD;
	if (whole)
		last = refcount_put(&head->ref);
	/* A broken block's pages stay while this entry's references do: until after the unlock. */
	if (!last)
		block_unlock(head);
	if (last) {
		if (!hugetlb_free(head))
			page_free(head, HUGE_SHIFT - PAGE_SHIFT);
	} else if (!whole) {
		for (unsigned i = 0; i < HUGE_PAGES; i++)
			page_put(head + i);
	}
}

/* Is the caller's large entry the only one, of a block still whole? */
static bool sole_owner(struct page *head)
{
	return head->flags & PAGE_HEAD && refcount_read(&head->ref) == 1;
}

/* Give each page of the block a life of its own. */
static void block_break(struct page *head)
{
	block_lock(head);
	if (head->flags & PAGE_HEAD) {
		u32 refs = refcount_read(&head->ref);

		for (unsigned i = 1; i < HUGE_PAGES; i++) {
			struct page *p = head + i;

			atomic_store_explicit(&p->flags, PAGE_ANON, memory_order_relaxed);
			refcount_set(&p->ref, refs);
			atomic_store_explicit(&p->mapcount, 0, memory_order_relaxed);
			p->order = 0;
			p->migrate = head->migrate;
			p->cache = NULL;
			p->priv = NULL;
		}
		head->order = 0;
		atomic_fetch_and_explicit(&head->flags, ~(u32)PAGE_HEAD, memory_order_release);
	}
	block_unlock(head);
}

static struct page *block_alloc(u32 flags)
{
	struct page *p = page_alloc(HUGE_SHIFT - PAGE_SHIFT, PAGE_MOVABLE | flags);

	if (p)
		atomic_fetch_or_explicit(&p->flags, PAGE_ANON, memory_order_relaxed);
	return p;
}

/* ---- entries ---- */

static pte_t large_entry(const struct vma *v, struct page *head, bool write)
{
	return pte_app(page_to_phys(head), vma_accessible(v), write, v->flags & VMA_EXEC, true);
}

int thp_fault(struct vma *v, u64 haddr, pte_t *pmd)
{
	struct vmspace *vm = v->vm;
	/* Advised memory is worth some reclaim; by default a small page does as well. */
	struct page *head = block_alloc(PAGE_ZERO | (v->flags & VMA_HUGEPAGE ? 0 : PAGE_NORETRY));
	bool taken;

	if (!head) {
		counter_inc(&thp_fallbacks);
		return -EAGAIN;
	}
	spin_lock(&vm->pt_lock);
	taken = !pte_none(*pmd);
	if (!taken)
		pte_write(pmd, large_entry(v, head, v->flags & VMA_WRITE));
	spin_unlock(&vm->pt_lock);
	if (taken) {
		page_put(head);
		return 0; /* somebody else resolved it, or will be asked again */
	}
	atomic_fetch_add_explicit(&vm->rss_anon, HUGE_PAGES, memory_order_relaxed);
	atomic_fetch_add_explicit(&vm->huge_pages, HUGE_PAGES, memory_order_relaxed);
	counter_inc(&thp_faults);
	return 0;
}

int thp_split(struct vmspace *vm, u64 haddr, pte_t *pmd)
{
	u64 phys = pt_table_alloc(vm);
	pte_t *table, old;

	if (!phys)
		return -ENOMEM;
	table = phys_to_virt(phys);
	spin_lock(&vm->pt_lock);
	old = *pmd;
	if (!pte_large(old)) {
		spin_unlock(&vm->pt_lock);
		pt_table_free(vm, phys);
		return 0;
	}
	/* No CPU may see both sizes at once. */
	old = pte_exchange(pmd, 0);
	tlb_flush_range(vm, haddr, haddr + HUGE_SIZE, false);
	block_break(phys_to_page(pte_phys(old)));
	for (unsigned i = 0; i < PT_ENTRIES; i++)
		table[i] = pte_split(old, i);
	pte_write(pmd, pte_table(phys));
	spin_unlock(&vm->pt_lock);
	atomic_fetch_sub_explicit(&vm->huge_pages, HUGE_PAGES, memory_order_relaxed);
	counter_inc(&thp_splits);
	return 0;
}

int thp_write_fault(struct vma *v, u64 haddr, pte_t *pmd, pte_t old)
{
	struct vmspace *vm = v->vm;
	struct page *from = phys_to_page(pte_phys(old)), *to;
	bool done = false;

	spin_lock(&vm->pt_lock);
	if (*pmd != old) {
		spin_unlock(&vm->pt_lock);
		return 0;
	}
	if (sole_owner(from)) {
		pte_write(pmd, large_entry(v, from, true));
		spin_unlock(&vm->pt_lock);
		return 0;
	}
	spin_unlock(&vm->pt_lock);

	/* V's lock keeps the entry, and so the block, in place while it is copied; nobody may write to it. */
	to = from->flags & PAGE_HEAD ? block_alloc(PAGE_NORETRY) : NULL;
	if (!to) {
		int err = thp_split(vm, haddr, pmd);

		return err ? err : -EAGAIN;
	}
	arch_copy_pages(page_to_virt(to), page_to_virt(from), HUGE_PAGES);
	spin_lock(&vm->pt_lock);
	if (*pmd == old) {
		pte_write(pmd, 0);
		tlb_flush_range(vm, haddr, haddr + HUGE_SIZE, false);
		pte_write(pmd, large_entry(v, to, true));
		done = true;
	}
	spin_unlock(&vm->pt_lock);
	thp_put(done ? from : to);
	return 0;
}

/* Move what a lowest-level table maps, wholly anonymous and unshared or absent, into one block. */
static bool collapse_copy(pte_t *table, struct page *head)
{
	for (unsigned i = 0; i < PT_ENTRIES; i++) {
		pte_t e = table[i];
		struct page *p = pte_none(e) ? NULL : phys_to_page(pte_phys(e));

		if (p && (!(p->flags & PAGE_ANON) || refcount_read(&p->ref) != 1))
			return false;
		if (p)
			arch_copy_pages(page_to_virt(head + i), page_to_virt(p), 1);
		else
			arch_clear_pages(page_to_virt(head + i), 1);
	}
	return true;
}

int thp_collapse(struct vma *v, u64 haddr, u32 flags)
{
	struct vmspace *vm = v->vm;
	pte_t *pmd = pt_make(vm, haddr, 1), e;
	struct tlb_batch b;
	struct page *head;
	pte_t *table;

	if (!pmd)
		return -ENOMEM;
	e = pte_read(pmd);
	if (pte_large(e))
		return 0;
	head = block_alloc(flags);
	if (!head)
		return -ENOMEM;
	tlb_batch_begin(&b, vm, HUGE_PAGES);
	if (pte_none(e)) {
		arch_clear_pages(page_to_virt(head), HUGE_PAGES);
	} else {
		/* V's lock is written: no fault changes the table. Other CPUs must stop writing before the
		 * copy. */
		table = phys_to_virt(pte_phys(e));
		spin_lock(&vm->pt_lock);
		pte_write(pmd, 0);
		spin_unlock(&vm->pt_lock);
		tlb_flush_range(vm, haddr, haddr + HUGE_SIZE, true);
		if (!collapse_copy(table, head)) {
			pte_write(pmd, e);
			tlb_batch_end(&b);
			page_put(head);
			return -EINVAL;
		}
		for (unsigned i = 0; i < PT_ENTRIES; i++) {
			if (pte_none(table[i]))
				continue;
			b.anon++;
			if (tlb_batch_page(&b, phys_to_page(pte_phys(table[i]))))
				tlb_batch_flush(&b);
		}
		tlb_batch_table(&b, pte_phys(e));
	}
	spin_lock(&vm->pt_lock);
	pte_write(pmd, large_entry(v, head, v->flags & VMA_WRITE));
	spin_unlock(&vm->pt_lock);
	atomic_fetch_add_explicit(&vm->rss_anon, HUGE_PAGES, memory_order_relaxed);
	atomic_fetch_add_explicit(&vm->huge_pages, HUGE_PAGES, memory_order_relaxed);
	tlb_batch_end(&b);
	return 0;
}
