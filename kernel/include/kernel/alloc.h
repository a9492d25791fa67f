/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel heap: slab caches with per-CPU magazines over the buddy allocator. Every call can fail with NULL.
 * Callable with interrupts on or off; never sleeps, except that a failing allocation in thread context may first
 * reclaim page cache. Sizes up to 4 MiB. kmalloc is 16-byte aligned; a power-of-two size is aligned to itself up to a page. */
#pragma once

#include "base/types.h"

void *kmalloc(size_t size) __must_check __attribute__((malloc, alloc_size(1)));
void *kzalloc(size_t size) __must_check __attribute__((malloc, alloc_size(1)));
void *kcalloc(size_t n, size_t size) __must_check;    /* NULL when n * size overflows */
void *krealloc(void *p, size_t size) __must_check;    /* P stays valid on failure */
void kfree(void *p);				      /* NULL is fine */
char *kstrdup(const char *s) __must_check;
char *kstrndup(const char *s, size_t max) __must_check;

/* Caches of one object size. CTOR-less: objects come uninitialised. Declare statically, init at first use or boot. */
struct slab_cache;
struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align) __must_check;
/* What C holds can be freed when memory is short (SReclaimable). Before the first object is made. */
void slab_cache_reclaimable(struct slab_cache *c);
void *slab_alloc(struct slab_cache *c) __must_check;
void *slab_zalloc(struct slab_cache *c) __must_check;
void slab_free(struct slab_cache *c, void *p);

struct slab_info {
	const char *name;
	u32 size, per_slab; /* of an object, in bytes; objects of a slab */
	u32 pages;	    /* of a slab */
	u64 slabs, used;    /* free ones that a CPU or the debugging kernel holds are not in use */
};
/* Figures of the cache number INDEX, the youngest first; false behind the last one. */
bool slab_info(u32 index, struct slab_info *out);

/* Virtually contiguous, page-granular, for large tables and kernel stacks. vm_kernel_alloc puts an unmapped guard page
 * below. Thread context. */
void *vmalloc(size_t size) __must_check;
void vfree(void *p);
void *kstack_alloc(void) __must_check; /* returns the lowest usable address; KSTACK_SIZE bytes above it */
void kstack_free(void *stack);
#define KSTACK_SIZE (16ul << 10)
