/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical pages: one struct page per 4 KiB frame, in 128 MiB sections, and the buddy allocator's interface. */
#pragma once

#include "base/list.h"
#include "base/refcount.h"
#include "base/types.h"

typedef u64 phys_t; /* a physical address */
struct page_cache;

enum page_flag {
	PAGE_RESERVED = 1 << 0,	 /* kernel image, firmware: never in the buddy */
	PAGE_BUDDY = 1 << 1,	 /* first page of a free block of order `order` */
	PAGE_SLAB = 1 << 2,
	PAGE_UPTODATE = 1 << 3,	 /* page cache: contents valid */
	PAGE_DIRTY = 1 << 4,
	PAGE_LOCKED = 1 << 5,	 /* page cache: being filled; waiters use pagecache_wait() */
	PAGE_ACCESSED = 1 << 6,
	PAGE_LRU = 1 << 7,	 /* reclaimable page cache, on the LRU */
	PAGE_ANON = 1 << 8,	 /* anonymous memory of an address space */
	PAGE_HEAD = 1 << 9,	 /* first page of a compound block of order `order` */
	PAGE_TAIL = 1 << 10,	 /* other page of a compound block; head is at first `1 << order` boundary below */
	PAGE_UNBACKED = 1 << 11, /* the host holds no memory for it: reported free or ballooned */
	PAGE_ERROR = 1 << 12,	 /* page cache: the read failed */
	PAGE_UNEVICTABLE = 1 << 13, /* tmpfs/memfd contents: not reclaimable */
	PAGE_WORKINGSET = 1 << 14,  /* page cache: used repeatedly; who waits for it again is short of memory */
};

struct page {
	_Atomic u32 flags;
	struct refcount ref;	   /* owners and mappings; the buddy gets the page back at zero */
	_Atomic u32 mapcount;	   /* page-table entries that map it */
	u8 order;		   /* of a buddy or compound block */
	u8 migrate;		   /* the kind it was allocated as: selects the per-CPU list on free */
	u16 section;		   /* number of its 128 MiB section; never changes */
	struct list_head lru;	   /* buddy free list, slab list or LRU */
	struct page_cache *cache;  /* owner, for page cache pages; slab: its cache */
	u64 index;		   /* page offset in the cache; slab: free list */
	void *priv;		   /* owner's */
};

enum alloc_flags {
	PAGE_ZERO = 1 << 0,	/* zeroed */
	PAGE_MOVABLE = 1 << 1,	/* application or page cache memory: kept apart from kernel memory */
	PAGE_NORECLAIM = 1 << 2, /* do not reclaim: fail at once (interrupt context, reclaim itself) */
	PAGE_DMA32 = 1 << 3,	/* below 4 GiB */
	PAGE_LOW = 1 << 4,	/* below 1 MiB: CPU start-up trampoline */
	PAGE_NOFAULT_OOM = 1 << 5, /* never triggers the out-of-memory killer (page_alloc never does: faults do) */
	PAGE_NORETRY = 1 << 6,	/* neither reclaims nor touches the reserve: there is a fallback */
};

#define PAGE_MAX_ORDER 10 /* 4 MiB */
enum migrate { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, MIGRATE_TYPES }; /* what a 2 MiB block is kept for */
/* Free blocks of exactly 2^ORDER pages that lie in blocks of kind MT. Any context. */
u64 buddy_free_blocks(unsigned order, enum migrate mt);
/* How many 2 MiB blocks are in use or free, by kind. */
void buddy_count_kinds(u64 out[MIGRATE_TYPES]);

/* 2^ORDER contiguous pages, reference count 1 on the first. NULL when memory is out. Any context with PAGE_NORECLAIM. */
struct page *page_alloc(unsigned order, u32 flags) __must_check;
void page_free(struct page *p, unsigned order); /* regardless of the count */
/* Up to N single pages at once, as page_alloc(0, FLAGS | PAGE_NORETRY) gives; returns how many. For what is likely to be
 * wanted soon: memory does not fall below page_low for it. Any context. */
unsigned page_alloc_many(u32 flags, struct page **out, unsigned n);
/* Clear one page ahead of its use; false when there are enough of them, or none to clear. By an idle CPU. */
bool page_clear_ahead(void);
void page_free_many(struct page **pages, unsigned n); /* single pages; cheap when neighbours come one after the other */
static inline void page_get(struct page *p)
{
	refcount_get(&p->ref);
}
void page_put(struct page *p); /* frees at zero (the whole block for a compound head) */

struct page *phys_to_page(phys_t pa); /* NULL when there is no such RAM */
phys_t page_to_phys(const struct page *p);

/* The direct map. */
#include "arch/memory.h" /* DIRECT_MAP_BASE, phys_to_virt(), virt_to_phys() */
static inline void *page_to_virt(const struct page *p)
{
	return phys_to_virt(page_to_phys(p));
}
static inline struct page *virt_to_page(const void *v)
{
	return phys_to_page(virt_to_phys(v));
}

/* Watermarks of free memory, in pages: below page_reserve callers have to reclaim, below page_low
 * kernel/mm/kswapd.c does so until there is page_high. */
extern u64 page_reserve, page_low, page_high;
extern u32 page_scale_factor; /* their distance, in 10,000ths of RAM, unless page_reserve is more */
void page_set_watermarks(u64 min_pages, u32 scale_factor);
bool page_reclaim_in_background(void); /* this thread is the one that reclaims for others */

/* Memory figures, in pages. Any context; a snapshot. */
struct memory_stats {
	u64 total;	/* managed by the buddy allocator, balloon included */
	u64 free;
	u64 page_cache; /* all page cache pages, tmpfs included */
	u64 shmem;	/* of those: tmpfs, memfd, shared anonymous */
	u64 reclaimable; /* of those: clean, unmapped file pages */
	u64 anon;
	u64 slab, slab_reclaimable;
	u64 locked;	/* that applications have locked */
	u64 vmalloc, percpu;
	u64 allocated, freed; /* pages, since boot */
	u64 page_tables;
	u64 kernel_stacks;
	u64 ballooned;
	u64 unbacked;	/* free pages reported to the host */
	u64 huge;	/* 4 KiB pages mapped by 2 MiB entries, anonymous */
	u64 reserved;	/* kernel image, memory map, firmware */
};
void memory_stats(struct memory_stats *out);
