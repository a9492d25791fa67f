// SPDX-License-Identifier: BSD-2-Clause
/* MAP_HUGETLB: private mappings of 2 MiB pages from a pool that is set aside (hugepages=N, nr_hugepages). A
 * mapping reserves its pages when it is made, so its faults do not fail; vma->priv tells that it still holds
 * a reservation (a forked child does not: its copies come from what is free, or give SIGBUS). A pool page is
 * a compound block marked by page->priv. */
#include "kernel/counter.h"
#include "kernel/log.h"
#include "vm_internal.h"

DEFINE_COUNTER(hugetlb_allocs, "2 MiB pages added to the pool");
DEFINE_COUNTER(hugetlb_failures, "2 MiB pages wanted for the pool that could not be had");

static struct spinlock pool_lock;
static struct page *pool; /* free pages, through cache; guarded by pool_lock, as are the counts */
static u64 total, nr_free, nr_reserved;
static char pool_mark;

static void pool_push(struct page *p)
{
	p->cache = (struct page_cache *)pool;
	pool = p;
	nr_free++;
}

static struct page *pool_pop(void)
{
	struct page *p = pool;

	pool = (struct page *)p->cache;
	p->cache = NULL;
	nr_free--;
	return p;
}

u64 hugetlb_resize(u64 n)
{
	u64 now;

	while (READ_ONCE(total) < n) {
		struct page *p = page_alloc(HUGE_SHIFT - PAGE_SHIFT, PAGE_MOVABLE);

		if (!p) {
			counter_inc(&hugetlb_failures);
			break;
		}
		counter_inc(&hugetlb_allocs);
		p->priv = &pool_mark;
		spin_lock(&pool_lock);
		total++;
		pool_push(p);
		spin_unlock(&pool_lock);
	}
	for (;;) {
		struct page *p = NULL;

		spin_lock(&pool_lock);
		if (total > n && nr_free > nr_reserved) {
			p = pool_pop();
			total--;
		}
		now = total;
		spin_unlock(&pool_lock);
		if (!p)
			return now;
		p->priv = NULL;
		page_free(p, HUGE_SHIFT - PAGE_SHIFT);
	}
}

void hugetlb_stats(struct hugetlb_stats *out)
{
	spin_lock(&pool_lock);
	*out = (struct hugetlb_stats){total, nr_free, nr_reserved};
	spin_unlock(&pool_lock);
}

int hugetlb_reserve(u64 pages)
{
	bool ok;

	spin_lock(&pool_lock);
	ok = pages <= nr_free - nr_reserved;
	if (ok)
		nr_reserved += pages;
	spin_unlock(&pool_lock);
	return ok ? 0 : -ENOMEM;
}

void hugetlb_unreserve(u64 pages)
{
	spin_lock(&pool_lock);
	ASSERT(nr_reserved >= pages);
	nr_reserved -= pages;
	spin_unlock(&pool_lock);
}

bool hugetlb_free(struct page *head)
{
	if (head->priv != &pool_mark)
		return false;
	spin_lock(&pool_lock);
	pool_push(head);
	spin_unlock(&pool_lock);
	return true;
}

/* A page for V; RESERVED: against its reservation. */
static struct page *take(bool reserved)
{
	struct page *p = NULL;

	spin_lock(&pool_lock);
	if (reserved || nr_free > nr_reserved) {
		p = pool_pop();
		nr_reserved -= reserved;
	}
	spin_unlock(&pool_lock);
	if (p) {
		atomic_store_explicit(&p->flags, PAGE_HEAD | PAGE_ANON, memory_order_relaxed);
		refcount_set(&p->ref, 1);
	}
	return p;
}

static void put_back(struct page *p, bool reserved)
{
	spin_lock(&pool_lock);
	pool_push(p);
	nr_reserved += reserved;
	spin_unlock(&pool_lock);
}

int hugetlb_fault(struct vma *v, u64 haddr, u32 flags, pte_t *pmd)
{
	struct vmspace *vm = v->vm;
	pte_t old = pte_read(pmd), new;
	struct page *from = pte_none(old) ? NULL : phys_to_page(pte_phys(old)), *p;
	bool reserved = !from && v->priv;

	if (from && !(flags & FAULT_WRITE && !pte_writable(old)))
		return 0;
	if (from && refcount_read(&from->ref) == 1) {
		p = from;
	} else {
		p = take(reserved);
		if (!p)
			return -EFAULT; /* SIGBUS, as on Linux */
		if (from)
			arch_copy_pages(page_to_virt(p), page_to_virt(from), HUGE_PAGES);
		else
			arch_clear_pages(page_to_virt(p), HUGE_PAGES);
	}
	new = pte_app(page_to_phys(p), vma_accessible(v), v->flags & VMA_WRITE, v->flags & VMA_EXEC, true);
	spin_lock(&vm->pt_lock);
	if (*pmd != old) {
		spin_unlock(&vm->pt_lock);
		if (p != from)
			put_back(p, reserved);
		return 0;
	}
	if (from && p != from) {
		pte_write(pmd, 0);
		tlb_flush_range(vm, haddr, haddr + HUGE_SIZE, false);
	}
	pte_write(pmd, new);
	spin_unlock(&vm->pt_lock);
	if (!from) {
		atomic_fetch_add_explicit(&vm->rss_anon, HUGE_PAGES, memory_order_relaxed);
		atomic_fetch_add_explicit(&vm->huge_pages, HUGE_PAGES, memory_order_relaxed);
	} else if (p != from) {
		thp_put(from);
	}
	return 0;
}
