// SPDX-License-Identifier: BSD-2-Clause
/* The balloon's and free page reporting's side of the allocator (kernel/balloon_pages.h). PAGE_UNBACKED on a
 * free block means that the host holds no memory for it; such blocks are allocated last. Contents are never
 * touched here. */
#include "fs/pagecache.h"
#include "internal.h"
#include "kernel/balloon_pages.h"

static u64 (*deflate)(u64 pages);
static void (*hint)(void);
static _Atomic u64 held; /* pages in the balloon */

static struct page *take_unreported(unsigned order)
{
	u64 irq = spin_lock_irqsave(&buddy_lock);
	struct page *p = NULL;

	if (buddy_free_pages() + offline_free_pages >= page_reserve + (1ull << order))
		p = buddy_take_backed(order);
	if (p) {
		p->order = (u8)order;
		refcount_set(&p->ref, 1);
	}
	spin_unlock_irqrestore(&buddy_lock, irq);
	return p;
}

struct page *page_take_unreported(unsigned order)
{
	struct page *p = take_unreported(order);

	/* What was cleared ahead may have kept a block apart. */
	return p || !cleared_drain() ? p : take_unreported(order);
}

static void give_back(struct page *p, unsigned order, bool unbacked)
{
	u64 irq = spin_lock_irqsave(&buddy_lock);

	p->flags = 0;
#ifdef DEBUG
	for (unsigned i = 0; unbacked && i < 1u << order; i++)
		p[i].priv = NULL; /* the host took the poison with the page */
#endif
	buddy_give(p, order, unbacked);
	spin_unlock_irqrestore(&buddy_lock, irq);
}

void page_return_reported(struct page *p, unsigned order)
{
	give_back(p, order, true);
}

void page_return_unreported(struct page *p, unsigned order)
{
	give_back(p, order, false);
}

/* The largest backed block of at most *ORDER. */
static struct page *take_backed(unsigned *order)
{
	for (unsigned o = *order;; o--) {
		struct page *p = page_take_unreported(o);

		if (p || !o) {
			*order = o;
			return p;
		}
	}
}

/* What inflation leaves to the guest, as shares of what the guest keeps. Without some free memory every
 * allocation would deflate the balloon again; without the files in use the application would read them over
 * and over. Beyond that the application has to give something back first, which is the agent's business. */
#define FREE_SHARE  24
#define CACHE_SHARE 8

static bool may_take_free(unsigned order)
{
	u64 kept = managed_pages - balloon_pages();

	return buddy_free_pages() + offline_free_pages > kept / FREE_SHARE + (1ull << order);
}

static bool may_reclaim(void)
{
	return pagecache_total() - pagecache_shmem_total() > (managed_pages - balloon_pages()) / CACHE_SHARE;
}

struct page *balloon_page_take(unsigned *order)
{
	unsigned want = *order;
	struct page *p = may_take_free(want) ? take_backed(order) : NULL;

	if (!p && may_reclaim()) {
		/* Nothing backed is free. What caches give up is backed; never-used memory comes last. */
		u64 got = pagecache_reclaim(256);

		if (got < 64 && vm_reclaim_mapped(256))
			got += pagecache_reclaim(256);
		if (got + slab_shrink()) {
			page_drain_cpu();
			*order = want;
			p = take_backed(order);
		}
	}
	if (!p && may_take_free(0)) {
		*order = 0;
		p = page_alloc(0, PAGE_MOVABLE | PAGE_NORETRY);
	}
	if (p) {
		atomic_store_explicit(&p->flags, PAGE_UNBACKED | (*order ? PAGE_HEAD : 0),
				      memory_order_relaxed);
		p->order = (u8)*order;
		refcount_set(&p->ref, 1);
		atomic_fetch_add_explicit(&held, 1ull << *order, memory_order_relaxed);
	}
	return p;
}

void balloon_page_return(struct page *p, unsigned order)
{
	atomic_fetch_sub_explicit(&held, 1ull << order, memory_order_relaxed);
	give_back(p, order, true);
}

void balloon_register_deflate(u64 (*fn)(u64 pages))
{
	deflate = fn;
}

void balloon_register_hint(void (*fn)(void))
{
	hint = fn;
}

void balloon_block_freed(void)
{
	if (hint)
		hint();
}

u64 balloon_deflate(u64 pages)
{
	return deflate ? deflate(pages) : 0;
}

u64 balloon_pages(void)
{
	return atomic_load_explicit(&held, memory_order_relaxed);
}
