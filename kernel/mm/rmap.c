// SPDX-License-Identifier: BSD-2-Clause
/* From the page cache to the mappings of its pages: vm_unmap_cache(). The cache's list of VMAs is walked
 * under its map_lock, which keeps the VMAs, their bounds and their tables in place (they leave the list, or
 * change, under that lock). */
#include "fs/pagecache.h"
#include "kernel/log.h"
#include "vm_internal.h"

void vm_unmap_cache(struct page_cache *cache, u64 first, u64 last, bool even_cowed)
{
	struct vma *v;

	/* Without a lock at first: most files are not mapped. A mapping made now finds the page gone from the
	 * cache. */
	if (list_empty(&cache->mappings))
		return;
	spin_lock(&cache->map_lock);
	list_for_each_entry (v, &cache->mappings, cache_node) {
		u64 from = max(first, v->pgoff), to = min(last, v->pgoff + vma_pages(v) - 1);
		bool files_only = !(even_cowed && !(v->flags & VMA_SHARED));
		struct tlb_batch b;

		if (from > to)
			continue;
		tlb_batch_begin(&b, v->vm, to - from + 1);
		if (zap_range(&b, v, v->start + (from - v->pgoff) * PAGE_SIZE,
			      v->start + (to + 1 - v->pgoff) * PAGE_SIZE, files_only ? ZAP_FILE_ONLY : 0))
			panic("vm_unmap_cache: a large page in a file mapping");
		tlb_batch_end(&b);
	}
	spin_unlock(&cache->map_lock);
}
