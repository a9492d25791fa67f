/* SPDX-License-Identifier: BSD-2-Clause */
/* Read-ahead: how much to read around a page that is not there.
 *
 * Files: a reader that asks for the index after its last window is sequential; its window doubles up to
 * RA_MAX pages, and the next window is started when it is half-way through the present one, so that a steady
 * reader never waits. Anything else reads what was asked for. Faults: one window for the whole cache; a miss
 * outside a sequence reads the aligned block around it, since code and archives are touched in clumps.
 * Everything here is a hint: races lose nothing but time. */
#include "pagecache_internal.h"
#include "kernel/counter.h"
#include <linux/fadvise.h>

#define RA_FIRST 16u
#define RA_MAX	 64u
#define RA_FAULT 16u

static DEFINE_COUNTER(pagecache_misses, "pages that readers had to wait for");

/* The sequential reader F has come to INDEX: start its next window in time. */
static void read_on(struct file *f, struct page_cache *c, u64 index)
{
	u64 start = f->ra_next;

	if (!f->ra_pages || index + f->ra_pages / 2 < start || index >= start)
		return;
	f->ra_pages = min(f->ra_pages * 2, f->ra_mode == POSIX_FADV_SEQUENTIAL ? 2 * RA_MAX : RA_MAX);
	f->ra_next = start + f->ra_pages;
	pagecache_fill(c, start, f->ra_pages, ~0ull);
}

struct page *readahead_get(struct file *f, struct page_cache *c, u64 index, u64 want)
{
	struct page *p = pagecache_find(c, index);
	u64 n;

	if (c->unevictable)
		return p ? p : pagecache_get(c, index);
	if (p) {
		read_on(f, c, index);
		if (likely(atomic_load_explicit(&p->flags, memory_order_acquire) & PAGE_UPTODATE)) {
			pagecache_touch(p);
			return p;
		}
		return pagecache_settle(c, p);
	}
	counter_inc(&pagecache_misses);
	n = clamp(want, 1ull, (u64)RA_MAX);
	if (f->ra_mode == POSIX_FADV_RANDOM)
		return pagecache_get_window(c, index, index, n);
	if (index == f->ra_next) {
		f->ra_pages = f->ra_pages ? min(f->ra_pages * 2, RA_MAX) : RA_FIRST;
		n = max(n, (u64)f->ra_pages);
	} else {
		f->ra_pages = 0;
	}
	f->ra_next = index + n;
	return pagecache_get_window(c, index, index, n);
}

struct page *readahead_get_fault(struct page_cache *c, u64 index, u32 vma_flags)
{
	struct page *p = pagecache_find(c, index);
	u64 first, n;

	if (p && likely(atomic_load_explicit(&p->flags, memory_order_acquire) & PAGE_UPTODATE)) {
		pagecache_touch(p);
		return p;
	}
	if (p)
		return pagecache_settle(c, p);
	if (c->unevictable)
		return pagecache_get(c, index);
	counter_inc(&pagecache_misses);
	if (vma_flags & VMA_RANDOM)
		return pagecache_get_window(c, index, index, 1);
	if (index == READ_ONCE(c->fault_next)) {
		n = min(max(c->fault_window * 2, RA_FAULT), RA_MAX);
		first = index;
	} else {
		n = RA_FAULT;
		first = vma_flags & VMA_SEQUENTIAL ? index : ALIGN_DOWN(index, RA_FAULT);
	}
	c->fault_window = (u32)n;
	WRITE_ONCE(c->fault_next, first + n);
	return pagecache_get_window(c, index, first, n);
}

void pagecache_readahead(struct page_cache *c, u64 index, u64 n)
{
	if (!c->unevictable)
		pagecache_fill(c, index, n, ~0ull);
}
