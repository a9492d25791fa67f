/* SPDX-License-Identifier: BSD-2-Clause */
/* Remembering pages that reclaim took, to tell a page that is read for the first time from one that should
 * have been kept.
 *
 * A table of fixed size holds, by a hash of the place, a part of the hash and the number of the eviction: a
 * later one on the same slot pushes it out. How many evictions ago a page went is how much longer the list
 * would have had to be to keep it. When that is no more than the list has, the page competes with those that
 * are there: it enters with the mark of use; and when it had been in use before it was taken, whoever waits
 * for it waits for want of memory. All of it is a hint: slots are read and written without a lock. */
#include "pagecache_internal.h"
#include "base/bits.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/init.h"

DEFINE_COUNTER(workingset_refaults, "pages read again that reclaim had taken not long ago");
DEFINE_COUNTER(workingset_activations, "of those, pages that compete with what the page cache holds");
DEFINE_COUNTER(workingset_restores, "of those, pages that had been in use before");

#define AGE_BITS  16
#define ACTIVE	  (1u << AGE_BITS)	  /* it had been used while it was there */
#define TAG_MASK  (~0u << (AGE_BITS + 1)) /* of the hash */
#define MAX_SLOTS (1u << 20)

static _Atomic u32 *slots; /* 0: empty */
static u32 slot_mask, age_shift;
static _Atomic u64 evictions;

static u64 hash_place(const struct page_cache *c, u64 index)
{
	u64 h = ((uintptr_t)c ^ index * 0x9e3779b97f4a7c15ull) * 0xd6e8feb86659fd93ull;

	return h ^ h >> 32;
}

static u32 tag_of(u64 hash)
{
	return (u32)(hash >> 32) & TAG_MASK;
}

static u32 age_now(void)
{
	return (u32)(atomic_load_explicit(&evictions, memory_order_relaxed) >> age_shift) & (ACTIVE - 1);
}

void workingset_evicted(const struct page_cache *c, u64 index, bool active)
{
	u64 hash = hash_place(c, index);

	atomic_fetch_add_explicit(&evictions, 1, memory_order_relaxed);
	if (slots)
		atomic_store_explicit(&slots[hash & slot_mask],
				      tag_of(hash) | (active ? ACTIVE : 0) | age_now(), memory_order_relaxed);
}

u32 workingset_flags(const struct page_cache *c, u64 index, u64 resident)
{
	u64 hash = hash_place(c, index), distance;
	u32 slot = 0;

	if (slots)
		slot = atomic_load_explicit(&slots[hash & slot_mask], memory_order_relaxed);
	if (!slot || (slot & TAG_MASK) != tag_of(hash))
		return 0;
	atomic_store_explicit(&slots[hash & slot_mask], 0, memory_order_relaxed);
	counter_inc(&workingset_refaults);
	distance = (u64)((age_now() - slot) & (ACTIVE - 1)) << age_shift;
	if (distance > resident)
		return 0;
	counter_inc(&workingset_activations);
	if (!(slot & ACTIVE))
		return PAGE_ACCESSED;
	counter_inc(&workingset_restores);
	return PAGE_ACCESSED | PAGE_WORKINGSET;
}

/* One slot for two pages of RAM. Ages wrap after 16 times as many evictions as there are slots. */
static int workingset_init(void)
{
	struct memory_stats m;
	u32 n;

	memory_stats(&m);
	n = (u32)1 << clamp(log2_floor(m.total / 2 + 1), 6u, log2_floor(MAX_SLOTS));
	slots = n * sizeof *slots > KIB(64) ? vmalloc(n * sizeof *slots) : kzalloc(n * sizeof *slots);
	if (!slots)
		return -ENOMEM;
	if (n * sizeof *slots > KIB(64))
		memset((void *)slots, 0, n * sizeof *slots);
	slot_mask = n - 1;
	age_shift = log2_floor(n) > 12 ? log2_floor(n) - 12 : 0;
	return 0;
}
INITCALL(workingset_init, INIT_CORE);
