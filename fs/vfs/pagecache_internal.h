/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the page cache's own files: pagecache.c (trees), pagecache_lru.c (reclaim), pagecache_file.c (read,
 * write, mmap), readahead.c. */
#pragma once

#include "internal.h"

/* The page at INDEX in whatever state, with a reference; NULL. Never sleeps. */
struct page *pagecache_find(struct page_cache *c, u64 index);
/* As pagecache_get, but when the page is absent reads [FIRST, FIRST + N), which includes it. */
struct page *pagecache_get_window(struct page_cache *c, u64 index, u64 first, u64 n);
/* Start reading the absent pages of [FIRST, FIRST + N) that lie in the file. MUST: the one that the caller
 * cannot do without. 0, or -ENOMEM. */
int pagecache_fill(struct page_cache *c, u64 first, u64 n, u64 must);
/* Wait for a page that is not up to date. Takes over the reference. ERR_PTR(-EIO, -ENOMEM). */
struct page *pagecache_settle(struct page_cache *c, struct page *p);
/* Enter a ready page of the caller's at a hole (storage is memory). The caller keeps its reference. -EEXIST,
 * -ENOSPC, -ENOMEM. */
int pagecache_add_memory(struct page_cache *c, struct page *p, u64 index);
/* Free P if nobody uses or maps it; the cache's lock is held. */
bool pagecache_evict_locked(struct page_cache *c, struct page *p);

/* workingset.c: reclaim took C's page at INDEX; ACTIVE: it had been used more than once. Flags for that page
 * when it enters anew, the list being RESIDENT pages long: PAGE_ACCESSED, PAGE_WORKINGSET. */
void workingset_evicted(const struct page_cache *c, u64 index, bool active);
u32 workingset_flags(const struct page_cache *c, u64 index, u64 resident);
u64 pagecache_lru_pages(void);

void pagecache_lru_add(struct page **pages, unsigned n);
void pagecache_lru_del(struct page *p);

/* Somebody used P. A store only the first time. */
static inline void pagecache_touch(struct page *p)
{
	if (!(atomic_load_explicit(&p->flags, memory_order_relaxed) & (PAGE_ACCESSED | PAGE_UNEVICTABLE)))
		atomic_fetch_or_explicit(&p->flags, PAGE_ACCESSED, memory_order_relaxed);
}

/* readahead.c: the page at INDEX for a reader that wants WANT pages from there on. */
struct page *readahead_get(struct file *f, struct page_cache *c, u64 index, u64 want);
struct page *readahead_get_fault(struct page_cache *c, u64 index, u32 vma_flags);
