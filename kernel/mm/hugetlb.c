// SPDX-License-Identifier: BSD-2-Clause
/* Pages of 2 MiB from a pool that is set aside (hugepages=N, nr_hugepages). A pool page is a compound block
 * marked by page->priv.
 *
 * A mapping reserves its pages when it is made, so its faults do not fail. Private: vma->priv tells that it
 * still holds a reservation for what is not mapped yet (a forked child does not: its copies come from what is
 * free, or give SIGBUS). Shared: the pages and the reservation are the file's (fs/tmpfs/hugetlb.c), whose
 * pages have page->cache set; as in the page cache, a fault maps first and looks at page->cache again,
 * truncation clears it first and unmaps then. None of them count as resident or anonymous memory. */
#include "fs/file.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/counter.h"
#include "kernel/log.h"
#include "kernel/sched.h"
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

struct page *hugetlb_take(bool reserved)
{
	struct page *p = NULL;

	spin_lock(&pool_lock);
	if (reserved || nr_free > nr_reserved) {
		p = pool_pop();
		nr_reserved -= reserved;
	}
	spin_unlock(&pool_lock);
	if (p) {
		atomic_store_explicit(&p->flags, PAGE_HEAD, memory_order_relaxed);
		refcount_set(&p->ref, 1);
		p->index = 0;
	}
	return p;
}

void hugetlb_clear(struct page *p)
{
	for (unsigned i = 0; i < HUGE_PAGES; i += 32) {
		arch_clear_pages(page_to_virt(p + i), 32);
		cond_resched();
	}
}

void hugetlb_put(struct page *p)
{
	thp_put(p);
}

static void put_back(struct page *p, bool reserved)
{
	spin_lock(&pool_lock);
	pool_push(p);
	nr_reserved += reserved;
	spin_unlock(&pool_lock);
}

/* Write the large entry for P, whose reference it takes over, in place of OLD. False: somebody was faster. */
static bool map_page(struct vma *v, u64 haddr, pte_t *pmd, pte_t old, struct page *p, bool write)
{
	struct vmspace *vm = v->vm;
	bool done = false;

	spin_lock(&vm->pt_lock);
	if (*pmd == old) {
		if (!pte_none(old) && pte_phys(old) != page_to_phys(p)) {
			pte_write(pmd, 0);
			tlb_flush_range(vm, haddr, haddr + HUGE_SIZE, false);
		}
		pte_write(pmd, pte_app(page_to_phys(p), vma_accessible(v), write, v->flags & VMA_EXEC, true));
		done = true;
	}
	spin_unlock(&vm->pt_lock);
	if (done && pte_none(old))
		atomic_fetch_add_explicit(&vm->hugetlb_pages, HUGE_PAGES, memory_order_relaxed);
	return done;
}

/* A private page for V: zeroed, or a copy of FROM, which OLD maps or (OLD none) which is not mapped. */
static int fault_private(struct vma *v, u64 haddr, pte_t *pmd, pte_t old, struct page *from)
{
	/* The reservation covers what no private page is mapped for yet. */
	bool reserved = v->priv && (!from || !(from->flags & PAGE_ANON));
	struct page *p = hugetlb_take(reserved);

	if (!p)
		return -EFAULT; /* SIGBUS, as on Linux */
	atomic_fetch_or_explicit(&p->flags, PAGE_ANON, memory_order_relaxed);
	if (from)
		arch_copy_pages(page_to_virt(p), page_to_virt(from), HUGE_PAGES);
	else
		hugetlb_clear(p);
	if (!map_page(v, haddr, pmd, old, p, v->flags & VMA_WRITE)) {
		put_back(p, reserved);
		return 0;
	}
	if (!pte_none(old))
		thp_put(from);
	return 0;
}

/* The file's own page: shared, or read through a private mapping. */
static int fault_file(struct vma *v, u64 haddr, u32 flags, pte_t *pmd)
{
	struct vm_fault f = {v, haddr, v->pgoff + PAGES(haddr - v->start), flags & FAULT_WRITE, NULL};
	struct page_cache *cache = v->file->inode->cache;
	bool shared = v->flags & VMA_SHARED;
	int err = v->ops->fault(&f);

	if (err)
		return err;
	if (!shared && flags & FAULT_WRITE) {
		err = fault_private(v, haddr, pmd, 0, f.page);
		thp_put(f.page);
		return err;
	}
	if (!map_page(v, haddr, pmd, 0, f.page, shared && v->flags & VMA_WRITE)) {
		thp_put(f.page);
		return 0;
	}
	/* The entry before page->cache; truncation: page->cache before the entries. */
	atomic_thread_fence(memory_order_seq_cst);
	if (READ_ONCE(f.page->cache) != cache) {
		struct tlb_batch b;

		tlb_batch_begin(&b, v->vm, 1);
		err = zap_range(&b, v, haddr, haddr + HUGE_SIZE, 0);
		tlb_batch_end(&b);
		return err ? err : -EAGAIN;
	}
	return 0;
}

int hugetlb_fault(struct vma *v, u64 haddr, u32 flags, pte_t *pmd)
{
	struct vmspace *vm = v->vm;
	pte_t old = pte_read(pmd);
	struct page *p;
	int err = 0;

	if (pte_none(old))
		return v->file ? fault_file(v, haddr, flags, pmd) : fault_private(v, haddr, pmd, 0, NULL);
	if (!(flags & FAULT_WRITE) || pte_writable(old))
		return 0;
	/* A reference: truncation unmaps without V's lock. */
	spin_lock(&vm->pt_lock);
	if (*pmd != old) {
		spin_unlock(&vm->pt_lock);
		return 0;
	}
	p = phys_to_page(pte_phys(old));
	thp_get(p);
	spin_unlock(&vm->pt_lock);
	if (v->flags & VMA_SHARED || (p->flags & PAGE_ANON && refcount_read(&p->ref) == 2))
		map_page(v, haddr, pmd, old, p, true);
	else
		err = fault_private(v, haddr, pmd, old, p);
	thp_put(p);
	return err;
}
