/* SPDX-License-Identifier: BSD-2-Clause */
/* A slab cache's structure, for slab.c and kmalloc.c. */
#pragma once

#include "kernel/page.h"
#include "kernel/spinlock.h"

#define MAX_NUMBERED 96 /* caches with magazines */

struct slab_cache {
	const char *name;
	u32 size, order, per_slab;
	u32 number;   /* index in the magazine table; MAX_NUMBERED: none */
	u32 magazine; /* its capacity */
	bool reclaimable;
	struct spinlock lock;
	struct list_head partial; /* slabs with a free object; guarded by lock */
#ifdef DEBUG
	_Atomic u32 quarantined;
#endif
	_Atomic u32 magazines;	 /* objects of this cache that are some cache's magazine */
	u32 empty;		 /* of those, wholly free ones; guarded by lock */
	u64 slabs, used;	 /* all slabs, and their objects that are out; guarded by lock */
	struct slab_cache *next; /* all caches, guarded by caches_lock for insertion; never removed */
};

static inline struct slab_cache *slab_owner(const struct page *p)
{
	return (struct slab_cache *)p->cache;
}

void slab_core_init(void);
/* Ready a cache in the caller's storage. NAME stays in use. SIZE at most 16 KiB. */
void slab_cache_setup(struct slab_cache *c, const char *name, size_t size, size_t align);
/* The cache that serves kmalloc(SIZE); NULL for sizes that get whole pages. */
struct slab_cache *kmalloc_cache(size_t size);
