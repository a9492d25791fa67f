// SPDX-License-Identifier: BSD-2-Clause
/* memory_stats(): the figures behind /proc/meminfo and the agent's metrics. Gathered without stopping
 * anything, so they need not add up to the page. */
#include "base/string.h"
#include "fs/pagecache.h"
#include "internal.h"
#include "kernel/balloon_pages.h"

void memory_stats(struct memory_stats *out)
{
	u64 offline = READ_ONCE(offline_free_pages);

	memset(out, 0, sizeof *out);
	out->total = READ_ONCE(managed_pages);
	out->free = buddy_free_pages() + page_cpu_lists() + offline;
	out->unbacked = buddy_unbacked_pages() + offline;
	out->page_cache = pagecache_total();
	out->shmem = pagecache_shmem_total();
	out->reclaimable = out->page_cache > out->shmem ? out->page_cache - out->shmem : 0;
	out->slab = atomic_load_explicit(&slab_pages, memory_order_relaxed);
	out->vmalloc = vmalloc_used();
	out->percpu = DIV_ROUND_UP(percpu_size(), PAGE_SIZE) * cpu_count;
	page_flow(&out->allocated, &out->freed);
	out->slab_reclaimable = atomic_load_explicit(&slab_reclaimable_pages, memory_order_relaxed);
	out->kernel_stacks = atomic_load_explicit(&kernel_stack_pages, memory_order_relaxed);
	out->ballooned = balloon_pages();
	out->reserved = boot_reserved_pages();
	vm_add_stats(out);
}
