// SPDX-License-Identifier: BSD-2-Clause
/* kernel/page.h over an arena: free blocks are kept per order and never merged; free memory is poisoned.
 * Weak. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host.h"
#include "kernel/page.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define poison(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define poison(p, n)   ((void)(p), (void)(n))
#define unpoison(p, n) ((void)(p), (void)(n))
#endif

#define ARENA_PAGES (HOST_ARENA_SIZE / PAGE_SIZE)

u8 *host_arena;
static struct page pages[ARENA_PAGES];
static struct page *free_blocks[PAGE_MAX_ORDER + 1]; /* linked through priv, guarded by lock */
static size_t unused_from;			     /* pages above were never given out */
static u64 live;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor(101))) static void arena_init(void)
{
	size_t align = PAGE_SIZE << PAGE_MAX_ORDER;
	u8 *p = mmap(NULL, HOST_ARENA_SIZE + align, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	host_arena = (u8 *)ALIGN_UP((uintptr_t)p, align);
}

static struct page *block_take(unsigned order)
{
	struct page *p = free_blocks[order];
	size_t at = ALIGN_UP(unused_from, (size_t)1 << order);

	if (p) {
		free_blocks[order] = p->priv;
		return p;
	}
	if (at + (1ul << order) > ARENA_PAGES)
		return NULL;
	unused_from = at + (1ul << order);
	return &pages[at];
}

__weak struct page *page_alloc(unsigned order, u32 flags)
{
	struct page *p;
	size_t bytes = PAGE_SIZE << order;

	if (order > PAGE_MAX_ORDER || host_alloc_should_fail())
		return NULL;
	pthread_mutex_lock(&lock);
	p = block_take(order);
	if (p)
		live += 1ul << order;
	pthread_mutex_unlock(&lock);
	if (!p)
		return NULL;
	memset(p, 0, sizeof *p << order);
	for (size_t i = 1; i < 1ul << order; i++) {
		p[i].flags = PAGE_TAIL;
		p[i].order = (u8)order;
	}
	p->flags = order ? PAGE_HEAD : 0;
	p->order = (u8)order;
	refcount_set(&p->ref, 1);
	list_init(&p->lru);
	unpoison(page_to_virt(p), bytes);
	memset(page_to_virt(p), flags & PAGE_ZERO ? 0 : 0xa5, bytes);
	return p;
}

__weak void page_free(struct page *p, unsigned order)
{
	if (p->flags & PAGE_BUDDY || p < pages || p >= pages + ARENA_PAGES) {
		fprintf(stderr, "page_free: page %p is free already or no page\n", (void *)p);
		abort();
	}
	poison(page_to_virt(p), PAGE_SIZE << order);
	pthread_mutex_lock(&lock);
	p->flags = PAGE_BUDDY;
	p->priv = free_blocks[order];
	free_blocks[order] = p;
	live -= 1ul << order;
	pthread_mutex_unlock(&lock);
}

__weak void page_put(struct page *p)
{
	if (refcount_put(&p->ref))
		page_free(p, p->flags & PAGE_HEAD ? p->order : 0);
}

__weak struct page *phys_to_page(phys_t pa)
{
	if (pa < HOST_PHYS_BASE || pa >= HOST_PHYS_BASE + HOST_ARENA_SIZE)
		return NULL;
	return &pages[(pa - HOST_PHYS_BASE) >> PAGE_SHIFT];
}

__weak phys_t page_to_phys(const struct page *p)
{
	return HOST_PHYS_BASE + ((phys_t)(p - pages) << PAGE_SHIFT);
}

__weak void memory_stats(struct memory_stats *out)
{
	*out = (struct memory_stats){.total = ARENA_PAGES, .free = ARENA_PAGES - live};
}

u64 host_pages_live(void)
{
	return live;
}

__weak bool page_reclaim_in_background(void)
{
	return false;
}
