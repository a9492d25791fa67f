// SPDX-License-Identifier: BSD-2-Clause
/* Faults on mappings with a page source: files through the page cache, and kernel-provided pages.
 *
 * A read fault also maps the neighbours that the cache already holds (16 pages, aligned), for they cost
 * almost nothing. A write to a private mapping copies at once. Against truncation: the page is mapped first,
 * then page->cache is looked at again; truncation clears page->cache first and unmaps after, so one of the
 * two removes the mapping. */
#include "fs/pagecache.h"
#include "kernel/log.h"
#include "kernel/thread.h"
#include "vm_internal.h"

#define AROUND_PAGES 16

static void count_mapped(struct vmspace *vm, struct page *p)
{
	u32 flags = atomic_load_explicit(&p->flags, memory_order_relaxed);

	if (flags & PAGE_RESERVED)
		return;
	atomic_fetch_add_explicit(&p->mapcount, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(flags & PAGE_UNEVICTABLE ? &vm->rss_shmem : &vm->rss_file, 1,
				  memory_order_relaxed);
}

static void uncount_mapped(struct vmspace *vm, struct page *p)
{
	u32 flags = atomic_load_explicit(&p->flags, memory_order_relaxed);

	if (flags & PAGE_RESERVED)
		return;
	atomic_fetch_sub_explicit(&p->mapcount, 1, memory_order_release);
	atomic_fetch_sub_explicit(flags & PAGE_UNEVICTABLE ? &vm->rss_shmem : &vm->rss_file, 1,
				  memory_order_relaxed);
}

/* Write P's entry, with the reference it brings. False: the page has left its cache; nothing is mapped. Table
 * lock held. */
static bool map_file_page(struct vma *v, u64 addr, pte_t *slot, struct page *p, bool write, bool used)
{
	pte_t e = pte_app(page_to_phys(p), vma_accessible(v), write, v->flags & VMA_EXEC, false);
	struct page_cache *cache = vma_page_cache(v);

	count_mapped(v->vm, p);
	pte_write(slot, used ? e : e & ~PTE_A);
	/* The entry before page->cache; truncation: page->cache before the entries. */
	atomic_thread_fence(memory_order_seq_cst);
	if (cache && READ_ONCE(p->cache) != cache) {
		/* At worst another CPU of this process saw it, and read what it could have read a moment ago.
		 */
		pte_write(slot, 0);
		tlb_flush_range(v->vm, addr, addr + PAGE_SIZE, false);
		uncount_mapped(v->vm, p);
		return false;
	}
	return true;
}

static void map_around(struct vma *v, u64 addr, pte_t *table)
{
	struct page_cache *cache = vma_page_cache(v);
	u64 from = max(ALIGN_DOWN(addr, AROUND_PAGES * PAGE_SIZE), v->start);
	u64 to = min(ALIGN_DOWN(addr, AROUND_PAGES * PAGE_SIZE) + AROUND_PAGES * PAGE_SIZE, v->end);

	if (!cache)
		return;
	for (u64 a = from; a < to; a += PAGE_SIZE) {
		pte_t *slot = &table[pt_index(a, 0)];
		struct page *p;

		if (!pte_none(*slot))
			continue;
		p = pagecache_peek(cache, v->pgoff + PAGES(a - v->start));
		if (p && !map_file_page(v, a, slot, p, false, false))
			page_put(p);
	}
}

/* A private mapping this large is one program's own data (a JVM's archive of classes), which nobody else is
 * about to read: a page that it has copied need not stay in the cache besides. Small ones (a library's
 * variables) the next process will want. */
#define PRIVATE_LARGE MIB(1)

void vma_forget_copied(struct vma *v, u64 addr)
{
	struct page_cache *cache = vma_page_cache(v);
	u64 index = v->pgoff + PAGES(addr - v->start);

	if (cache && v->end - v->start >= PRIVATE_LARGE)
		pagecache_invalidate(cache, index, index + 1);
}

/* Map a private copy of F's page. */
static int map_copy(struct vma *v, struct page *from, struct spinlock *lock, pte_t *slot)
{
	struct page *to = page_alloc(0, PAGE_MOVABLE);

	if (!to)
		return -ENOMEM;
	arch_copy_pages(page_to_virt(to), page_to_virt(from), 1);
	atomic_store_explicit(&to->flags, PAGE_ANON, memory_order_relaxed);
	spin_lock(lock);
	if (pte_none(*slot)) {
		pte_write(slot, pte_app(page_to_phys(to), true, true, v->flags & VMA_EXEC, false));
		atomic_fetch_add_explicit(&v->vm->rss_anon, 1, memory_order_relaxed);
		to = NULL;
	}
	spin_unlock(lock);
	if (to)
		page_free(to, 0);
	return 0;
}

int vma_fault_file(struct vma *v, u64 addr, u32 flags, pte_t *pmd)
{
	struct vm_fault f = {v, addr, v->pgoff + PAGES(addr - v->start), flags & FAULT_WRITE, NULL};
	bool shared = v->flags & VMA_SHARED, write;
	struct page_cache *cache = vma_page_cache(v);
	pte_t e = pte_read(pmd), *slot;
	struct spinlock *lock;
	int err;

	if (!v->ops || !v->ops->fault)
		return -EFAULT;
	/* What the cache holds lies within the file. Everything else is the source's business, and counts as
	 * a major fault. */
	f.page = cache ? pagecache_peek(cache, f.pgoff) : NULL;
	if (!f.page) {
		if (cache && !cache->unevictable)
			fault_count_major();
		err = v->ops->fault(&f);
		if (err)
			return err;
		ASSERT(f.page);
	}
	lock = pt_table_lock(e);
	slot = (pte_t *)phys_to_virt(pte_phys(e)) + pt_index(addr, 0);
	if (!shared && flags & FAULT_WRITE) {
		err = map_copy(v, f.page, lock, slot);
		page_put(f.page);
		vma_forget_copied(v, addr);
		return err;
	}
	if (shared && flags & FAULT_WRITE && v->ops->page_mkwrite) {
		err = v->ops->page_mkwrite(&f);
		if (err) {
			page_put(f.page);
			return err;
		}
	}
	/* A shared page whose writes nobody tracks is mapped writable at once. */
	write = shared && v->flags & VMA_WRITE && (flags & FAULT_WRITE || !v->ops->page_mkwrite);
	spin_lock(lock);
	if (!pte_none(*slot)) {
		spin_unlock(lock);
		page_put(f.page);
		return 0;
	}
	if (!map_file_page(v, addr, slot, f.page, write, true)) {
		spin_unlock(lock);
		page_put(f.page);
		return -EAGAIN;
	}
	if (!(flags & FAULT_WRITE))
		map_around(v, addr, phys_to_virt(pte_phys(e)));
	spin_unlock(lock);
	if (flags & FAULT_WRITE && cache)
		pagecache_mapped_write(cache);
	return 0;
}
