/* SPDX-License-Identifier: BSD-2-Clause */
/* Reclaim of page cache pages: one list in order of arrival, second chance.
 *
 * A page enters at the young end without the mark of use, so that a scan through a large file pushes out only
 * itself; a hit sets the mark. Reclaim takes from the old end: marked pages lose the mark and go round again,
 * pages in use or being read go round, the rest is freed. It runs inside the page allocator, possibly below
 * any lock of ours, so it only ever tries locks, and allocates nothing; when it falls short, a worker frees
 * directory entries. lru_lock guards the list; it is below
 * the cache lock. */
#include "pagecache_internal.h"
#include "kernel/counter.h"

DEFINE_COUNTER(pagecache_reclaimed, "page cache pages freed by who needed room");
DEFINE_COUNTER(pagecache_scanned, "page cache pages that they looked at");
DEFINE_COUNTER(pagecache_reclaimed_background, "page cache pages freed by background reclaim");
DEFINE_COUNTER(pagecache_scanned_background, "page cache pages that it looked at");
static DEFINE_COUNTER(pagecache_reclaim_short, "reclaim runs that freed less than was asked");

static struct spinlock lru_lock;
static LIST_HEAD(lru); /* oldest first; guarded by lru_lock */
static u64 lru_pages;  /* guarded by lru_lock */

u64 pagecache_lru_pages(void)
{
	return READ_ONCE(lru_pages);
}

void pagecache_lru_add(struct page **pages, unsigned n)
{
	spin_lock(&lru_lock);
	for (unsigned k = 0; k < n; k++) {
		atomic_fetch_or_explicit(&pages[k]->flags, PAGE_LRU, memory_order_relaxed);
		list_add_tail(&pages[k]->lru, &lru);
	}
	lru_pages += n;
	spin_unlock(&lru_lock);
}

void pagecache_lru_del(struct page *p)
{
	if (!(atomic_load_explicit(&p->flags, memory_order_relaxed) & PAGE_LRU))
		return;
	spin_lock(&lru_lock);
	atomic_fetch_and_explicit(&p->flags, ~(u32)(PAGE_LRU | PAGE_ACCESSED), memory_order_relaxed);
	list_del(&p->lru);
	lru_pages--;
	spin_unlock(&lru_lock);
}

/* The oldest page that may go, with its cache's lock held; NULL when *SCAN ran out. lru_lock is held on entry
 * and on return of NULL only. */
static struct page *take_candidate(u64 *scan)
{
	while (*scan && !list_empty(&lru)) {
		struct page *p = list_first_entry(&lru, struct page, lru);
		u32 flags = atomic_load_explicit(&p->flags, memory_order_relaxed);

		--*scan;
		list_move_tail(&p->lru, &lru);
		if (flags & PAGE_ACCESSED) {
			atomic_fetch_and_explicit(&p->flags, ~(u32)PAGE_ACCESSED, memory_order_relaxed);
			atomic_fetch_or_explicit(&p->flags, PAGE_WORKINGSET, memory_order_relaxed);
		} else if (!(flags & (PAGE_LOCKED | PAGE_DIRTY)) && refcount_read(&p->ref) == 1 &&
			   mutex_trylock(&p->cache->lock)) {
			spin_unlock(&lru_lock);
			return p;
		}
	}
	return NULL;
}

u64 pagecache_reclaim(u64 n)
{
	u64 freed = 0, scan, start;
	bool background;
	struct page *p;

	spin_lock(&lru_lock);
	scan = start = min(lru_pages * 2, n * 64 + 1024);
	while (freed < n && (p = take_candidate(&scan))) {
		/* On the list with its cache's lock held it cannot leave the cache. */
		struct page_cache *c = p->cache;
		bool active = p->flags & PAGE_WORKINGSET;
		u64 index = p->index;

		if (pagecache_evict_locked(c, p)) {
			workingset_evicted(c, index, active);
			freed++;
		}
		mutex_unlock(&c->lock);
		spin_lock(&lru_lock);
	}
	spin_unlock(&lru_lock);
	if (freed < n) {
		counter_inc(&pagecache_reclaim_short);
		dcache_pressure();
	}
	background = page_reclaim_in_background();
	counter_add(background ? &pagecache_reclaimed_background : &pagecache_reclaimed, freed);
	counter_add(background ? &pagecache_scanned_background : &pagecache_scanned, start - scan);
	return freed;
}
