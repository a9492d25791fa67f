/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the physical allocator: sections, boot ranges, buddy lists. Not for other folders. */
#pragma once

#include "kernel/boot_info.h"
#include "kernel/page.h"
#include "kernel/spinlock.h"

#define SECTION_SHIFT	   27 /* 128 MiB */
#define SECTION_PAGES	   (1u << (SECTION_SHIFT - PAGE_SHIFT))
#define CHUNK_PAGES	   (1u << PAGE_MAX_ORDER) /* 4 MiB: what is brought online at a time */
#define PAGEBLOCK_ORDER	   (HUGE_SHIFT - PAGE_SHIFT)
#define PAGEBLOCK_PAGES	   (1u << PAGEBLOCK_ORDER)
#define CHUNKS_PER_SECTION (SECTION_PAGES / CHUNK_PAGES)

/* 128 MiB of physical address space. `map` and the bounds are fixed once set; `online` and `unmovable` are
 * guarded by the buddy lock (readers of `online` need no lock: bits are only ever set, after the struct pages
 * are ready). */
struct mem_section {
	struct page *map;   /* of page `first`; NULL: no RAM here */
	u32 first, count;   /* page indexes within the section that have a struct page */
	_Atomic u32 online; /* bit per chunk: its struct pages are initialised and its free pages are in the
			       buddy */
	u32 has_free;	    /* bit per chunk: it has free pages to bring online */
	u64 unmovable;	    /* bit per 2 MiB block: holds kernel memory */
};

struct phys_range {
	u64 start, end; /* page-aligned bytes */
};

extern struct mem_section *mem_sections;
extern u32 mem_section_count;

static inline struct mem_section *page_section(const struct page *p)
{
	return &mem_sections[p->section];
}

/* Page index within its section. */
static inline u32 page_index_in(const struct mem_section *s, const struct page *p)
{
	return (u32)(p - s->map) + s->first;
}

/* page_to_phys(), and phys_to_page() of a page that is known to be RAM in use, for where each instruction
 * counts. */
static inline phys_t page_phys(const struct page *p)
{
	return ((u64)p->section << SECTION_SHIFT) + ((u64)page_index_in(page_section(p), p) << PAGE_SHIFT);
}

static inline struct page *page_of(phys_t pa)
{
	const struct mem_section *s = &mem_sections[pa >> SECTION_SHIFT];

	return s->map + ((u32)(pa >> PAGE_SHIFT & (SECTION_PAGES - 1)) - s->first);
}

/* kernel/mm/boot_memory.c: ranges of RAM that nothing occupies. Boot only, but for range_add (buddy lock). */
extern struct phys_range free_ranges[];
extern unsigned free_range_count;
/* 2 MiB blocks that the firmware has written, so that the host probably backs them. Ranges of 0 bytes: not known. */
extern struct phys_range firmware_blocks[2];
void range_add(u64 start, u64 end);
void range_remove(u64 start, u64 end);

/* kernel/mm/section.c */
void sections_init(void);
/* Bring the next chunk online: initialise its struct pages, give its free pages to the buddy. Buddy lock
 * held. False: none left. */
bool section_online_next(void);
/* Bring the chunk of PFN online if it is not; returns whether it was not. Buddy lock held. */
bool section_online_pfn(u64 pfn);
extern u64 offline_free_pages; /* in chunks not brought online; guarded by the buddy lock */
extern u64 managed_pages;      /* all that the buddy got or will get */

/* kernel/mm/buddy.c. One lock guards all free lists; per-CPU lists stand in front of it. */
extern struct spinlock buddy_lock;
void buddy_init(void);
/* 2^ORDER pages of kind MT, or NULL. Lock held. LIMIT: the block lies below this physical address (0:
 * anywhere). */
struct page *buddy_take(unsigned order, enum migrate mt, u64 limit);
/* Up to N single pages, from few blocks, in rising order within each. Returns how many. Lock held. */
unsigned buddy_take_singles(enum migrate mt, struct page **out, unsigned n);
/* A page of kind MT from the smallest block that the host backs, if that is below 2 MiB; NULL: none. Lock
 * held. */
struct page *buddy_take_small_backed(enum migrate mt);
bool buddy_has_small_backed(enum migrate mt); /* the same question without the lock: a hint */
/* Give a block back. UNBACKED: the host holds no memory for it. Lock held. */
void buddy_give(struct page *p, unsigned order, bool unbacked);
/* Give [START, END) page frames of an online section. Lock held. */
void buddy_give_range(u64 start_pfn, u64 end_pfn, bool unbacked);
/* Take a free block of exactly ORDER or larger (split down) that the host backs; NULL when there is none.
 * Lock held. */
struct page *buddy_take_backed(unsigned order);
#ifdef DEBUG
void page_check_poison(struct page *p, unsigned order); /* nobody wrote to the pages while they were free */
void buddy_verify(void);				/* invariants (1) and (3), all of them. Lock held */
#else
static inline void page_check_poison(struct page *p, unsigned order)
{
}
static inline void buddy_verify(void)
{
}
#endif
u64 buddy_free_pages(void);	/* online and free, a snapshot */
u64 buddy_unbacked_pages(void); /* of those: not backed by the host */

/* kernel/mm/page_alloc.c */
void page_alloc_init(void);
/* Shrink caches alone by about N pages; returns how many pages came free. Interrupts on; does not sleep. */
u64 reclaim_caches(u64 n);
/* Shrink caches by about N pages, then the balloon; returns how many pages came free. Interrupts on; does not
 * sleep. */
u64 page_reclaim(u64 n);
u64 page_cpu_lists(void);		    /* pages on the per-CPU lists of all CPUs */
void page_flow(u64 *allocated, u64 *freed); /* pages handed out and taken back since boot */
/* kernel/mm/balloon_pages.c: ask the balloon for PAGES; returns how many it gave back */
u64 balloon_deflate(u64 pages);
/* A backed block of 2 MiB or more is free. Buddy lock held */
void balloon_block_freed(void);
void page_drain_cpu(void); /* this CPU's lists go back to the buddy */

/* kernel/mm/clear_ahead.c: up to N cleared pages of kind MT from this CPU's stock into OUT; returns how many.
 * Any context */
unsigned cleared_take(enum migrate mt, struct page **out, unsigned n);
u64 cleared_drain(void); /* all CPUs' stock goes back to the buddy; returns pages. Any context */
u64 cleared_pages(void); /* in stock, of all CPUs */

/* kernel/mm/kswapd.c */
void kswapd_wake(void);	      /* free memory is below page_low. Any context */
void kswapd_found_some(void); /* somebody else could reclaim */

/* kernel/mm/slab.c */
void slab_init(void);
u64 slab_shrink(void); /* free empty slabs; returns pages freed */
extern _Atomic u64 slab_pages, slab_reclaimable_pages, kernel_stack_pages;
/* kernel/mm/vmalloc.c */
#define VFREE_MANY 48
void vmalloc_init(void);
u64 vmalloc_used(void);			    /* in pages, guard pages included */
void vfree_many(void **blocks, unsigned n); /* vfree of at most VFREE_MANY blocks, with one flush */
/* kernel/mm/boot_memory.c: RAM that the firmware reported and the allocator never got, in pages */
u64 boot_reserved_pages(void);
/* kernel/mm/reclaim.c: drop up to WANT idle mappings of file pages, so that the page cache can free them;
 * returns how many. Then what address spaces use */
u64 vm_reclaim_mapped(u64 want);
struct memory_stats;
void vm_add_stats(struct memory_stats *out);

/* This CPU's allocator state starts empty: a CPU that comes up, before it allocates. */
void page_alloc_init_cpu(void);
void slab_init_cpu(void);
void kstack_init_cpu(void);
void vmspace_init_cpu(void);
