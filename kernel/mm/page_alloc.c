// SPDX-License-Identifier: BSD-2-Clause
/* page_alloc() and page_free(): single pages through per-CPU stacks (interrupts off, no lock), the rest
 * straight from the buddy allocator. Whoever leaves less than the low watermark wakes background reclaim
 * (kswapd.c). A failing allocation shrinks caches itself, then asks the balloon to deflate. A small reserve
 * is left to callers that cannot reclaim (PAGE_NORECLAIM: interrupt context, reclaim itself) and to threads
 * that write back to make room. */
#include "arch/pgtable.h"
#include "base/bits.h"
#include "base/string.h"
#include "fs/pagecache.h"
#include "internal.h"
#include "kernel/balloon_pages.h"
#include "kernel/counter.h"
#include "kernel/fail.h"
#include "kernel/log.h"
#include "kernel/psi.h"
#include "kernel/thread.h"
#include "kernel/vm.h"

DEFINE_COUNTER(page_alloc_failed, "page allocations that failed after reclaim");
DEFINE_COUNTER(page_reclaim_runs, "times an allocation had to reclaim");

#define PCP_MAX 64
struct pcp {
	u16 count[MIGRATE_TYPES];
	u64 allocated, freed;			    /* pages, since boot */
	struct page *pages[MIGRATE_TYPES][PCP_MAX]; /* a stack: the last is the warmest */
};
static DEFINE_PER_CPU(struct pcp, page_pcp);

/* Watermarks. Below page_reserve only PAGE_NORECLAIM callers are served. */
u64 page_reserve, page_low, page_high;
u32 page_scale_factor = 10;
static unsigned pcp_high = PCP_MAX, pcp_batch = PCP_MAX / 2;
static struct page *low_page; /* kept for PAGE_LOW; guarded by buddy_lock */

void page_set_watermarks(u64 min_pages, u32 scale_factor)
{
	/* Far enough apart for the thread to come in between, also where RAM is small. */
	u64 step = max(max(min_pages, min(managed_pages / 128, 64ul)), managed_pages * scale_factor / 10000);

	WRITE_ONCE(page_scale_factor, scale_factor);
	WRITE_ONCE(page_reserve, min_pages);
	WRITE_ONCE(page_low, min_pages + step);
	WRITE_ONCE(page_high, min_pages + 2 * step);
}

void page_alloc_init(void)
{
	page_set_watermarks(clamp(managed_pages / 256, 8ul, 1024ul), page_scale_factor);
	if (managed_pages < MIB(64) >> PAGE_SHIFT) {
		pcp_high = 16;
		pcp_batch = 8;
	}
	low_page = buddy_take(0, MIGRATE_UNMOVABLE, MIB(1));
}

void page_alloc_init_cpu(void)
{
	this_cpu(page_pcp).count[MIGRATE_UNMOVABLE] = 0;
	this_cpu(page_pcp).count[MIGRATE_MOVABLE] = 0;
}

#ifdef DEBUG
static char poison_mark;

static void poison(struct page *p, unsigned order)
{
	memset(page_to_virt(p), PAGE_POISON_BYTE, PAGE_SIZE << order);
	for (unsigned i = 0; i < 1u << order; i++)
		p[i].priv = &poison_mark;
}

void page_check_poison(struct page *p, unsigned order)
{
	for (unsigned i = 0; i < 1u << order; i++) {
		const u64 *w = page_to_virt(p + i);

		if (p[i].priv != &poison_mark)
			continue;
		for (unsigned k = 0; k < PAGE_SIZE / 8; k += 7)
			if (w[k] != 0x0101010101010101ull * PAGE_POISON_BYTE)
				panic("page_check_poison: free page %#llx was written at %u",
				      (unsigned long long)page_to_phys(p + i), k * 8);
		p[i].priv = NULL;
	}
}
#else
static inline void poison(struct page *p, unsigned order)
{
}
#endif

static inline u64 free_now(void)
{
	return buddy_free_pages() + READ_ONCE(offline_free_pages);
}

/* May a request for N pages with FLAGS be served now? The reserve is for kernel memory that cannot wait, or
 * without which none is freed. */
static inline bool above_reserve(u64 n, u32 flags)
{
	if (free_now() >= page_reserve + n)
		return true;
	return !(flags & PAGE_MOVABLE) &&
	       (flags & PAGE_NORECLAIM || thread_test_flag(current, THREAD_MAKES_ROOM));
}

static inline void check_low(void)
{
	if (unlikely(free_now() < READ_ONCE(page_low)))
		kswapd_wake();
}

/* Take up to WANT single pages from the buddy into OUT, leaving the reserve alone. irqs off. */
static unsigned take_singles(enum migrate mt, u32 flags, struct page **out, unsigned want)
{
	unsigned n = 0;

	spin_lock(&buddy_lock);
	while (want && !above_reserve(want, flags))
		want /= 2;
	if (want)
		n = buddy_take_singles(mt, out, want);
	spin_unlock(&buddy_lock);
	check_low();
	return n;
}

/* Fill this CPU's empty stack of kind MT; returns its new count. irqs off. */
static unsigned pcp_refill(enum migrate mt, u32 flags)
{
	struct page *pages[PCP_MAX / 2];
	unsigned n = take_singles(mt, flags, pages, pcp_batch);

	/* The stack gives the last first: keep addresses rising. */
	for (unsigned i = 0; i < n; i++)
		this_cpu(page_pcp).pages[mt][i] = pages[n - 1 - i];
	return n;
}

static struct page *pcp_take(enum migrate mt, u32 flags)
{
	u64 irq = arch_irq_save();
	unsigned n = this_cpu(page_pcp).count[mt];
	struct page *p = NULL;

	if (unlikely(!n))
		n = pcp_refill(mt, flags);
	if (unlikely(!n)) { /* memory is out: what this CPU keeps for the other kind will do */
		mt = mt == MIGRATE_MOVABLE ? MIGRATE_UNMOVABLE : MIGRATE_MOVABLE;
		n = this_cpu(page_pcp).count[mt];
	}
	if (likely(n)) {
		p = this_cpu(page_pcp).pages[mt][--n];
		this_cpu(page_pcp).count[mt] = (u16)n;
	}
	arch_irq_restore(irq);
	return p;
}

/* Give the N oldest pages of a stack back. irqs off. */
static void pcp_flush(enum migrate mt, unsigned n)
{
	unsigned have = this_cpu(page_pcp).count[mt];

	n = min(n, have);
	spin_lock(&buddy_lock);
	for (unsigned i = 0; i < n; i++)
		buddy_give(this_cpu(page_pcp).pages[mt][i], 0, false);
	spin_unlock(&buddy_lock);
	for (unsigned i = n; i < have; i++)
		this_cpu(page_pcp).pages[mt][i - n] = this_cpu(page_pcp).pages[mt][i];
	this_cpu(page_pcp).count[mt] = (u16)(have - n);
}

void page_drain_cpu(void)
{
	u64 irq = arch_irq_save();

	pcp_flush(MIGRATE_UNMOVABLE, PCP_MAX);
	pcp_flush(MIGRATE_MOVABLE, PCP_MAX);
	spin_lock(&buddy_lock);
	buddy_verify();
	spin_unlock(&buddy_lock);
	arch_irq_restore(irq);
}

static struct page *block_take(unsigned order, enum migrate mt, u32 flags)
{
	struct page *p = NULL;
	u64 irq = spin_lock_irqsave(&buddy_lock);

	if (unlikely(flags & PAGE_LOW)) {
		p = buddy_take(order, mt, MIB(1));
		if (!p && !order) {
			p = low_page;
			low_page = NULL;
		}
	} else if (above_reserve(1ull << order, flags)) {
		p = buddy_take(order, mt, flags & PAGE_DMA32 ? GIB(4) : 0);
	}
	spin_unlock_irqrestore(&buddy_lock, irq);
	check_low();
	return p;
}

static inline enum migrate flags_kind(u32 flags)
{
	return flags & PAGE_MOVABLE ? MIGRATE_MOVABLE : MIGRATE_UNMOVABLE;
}

static struct page *try_alloc(unsigned order, u32 flags)
{
	enum migrate mt = flags_kind(flags);

	if (likely(order == 0 && !(flags & (PAGE_LOW | PAGE_DMA32))))
		return pcp_take(mt, flags);
	return block_take(order, mt, flags);
}

u64 reclaim_caches(u64 n)
{
	u64 got = cleared_drain();

	if (got < n)
		got += pagecache_reclaim(n - got);
	if (got < n && vm_reclaim_mapped(n - got))
		got += pagecache_reclaim(n - got);
	if (got < n)
		got += slab_shrink();
	page_drain_cpu();
	return got;
}

u64 page_reclaim(u64 n)
{
	bool stall = psi_memstall_enter();
	u64 got = reclaim_caches(n);

	if (got)
		kswapd_found_some();
	if (got < n) {
		got += balloon_deflate(n - got);
		page_drain_cpu();
	}
	psi_memstall_leave(stall);
	return got;
}

static __noinline struct page *alloc_slow(unsigned order, u32 flags)
{
	struct page *p = NULL;

	if (!(flags & (PAGE_NORECLAIM | PAGE_NORETRY)) && arch_irqs_on()) {
		for (int round = 0; round < 8 && !p; round++) {
			u64 got;

			counter_inc(&page_reclaim_runs);
			got = page_reclaim(max(64ull, 2ull << order));
			p = try_alloc(order, flags);
			if (!got)
				break;
		}
	}
	if (!p)
		counter_inc(&page_alloc_failed);
	return p;
}

static inline void page_prepare(struct page *p, unsigned order, u32 flags)
{
	ASSERT(!(p->flags & (PAGE_BUDDY | PAGE_RESERVED)));
	page_check_poison(p, order);
	atomic_store_explicit(&p->flags, order ? PAGE_HEAD : 0, memory_order_relaxed);
	refcount_set(&p->ref, 1);
	atomic_store_explicit(&p->mapcount, 0, memory_order_relaxed);
	p->order = (u8)order;
	p->migrate = flags_kind(flags);
	p->cache = NULL;
	p->index = 0;
	p->priv = NULL;
	if (flags & PAGE_ZERO)
		arch_clear_pages(phys_to_virt(page_phys(p)), 1ul << order);
}

struct page *page_alloc(unsigned order, u32 flags)
{
	struct page *p;

	if (unlikely(order > PAGE_MAX_ORDER) || alloc_should_fail())
		return NULL;
	if (flags & PAGE_ZERO && !order && !(flags & (PAGE_LOW | PAGE_DMA32)) &&
	    cleared_take(flags_kind(flags), &p, 1)) {
		flags &= ~(u32)PAGE_ZERO;
	} else {
		p = try_alloc(order, flags);
		if (unlikely(!p))
			p = alloc_slow(order, flags);
		if (!p)
			return NULL;
	}
	page_prepare(p, order, flags);
	this_cpu(page_pcp).allocated += 1ull << order;
	return p;
}

/* Most of them are neighbours. */
static void clear_singles(struct page **pages, unsigned n)
{
	for (unsigned i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && pages[end] == pages[end - 1] + 1; end++)
			;
		arch_clear_pages(page_to_virt(pages[i]), end - i);
	}
}

unsigned page_alloc_many(u32 flags, struct page **out, unsigned n)
{
	enum migrate mt = flags_kind(flags);
	unsigned clear = 0, got, have;
	u64 irq;

	if (alloc_should_fail())
		return 0;
	if (flags & PAGE_ZERO)
		clear = cleared_take(mt, out, n);
	got = clear;
	irq = arch_irq_save();
	have = this_cpu(page_pcp).count[mt];
	if (have >= n - got)
		while (got < n)
			out[got++] = this_cpu(page_pcp).pages[mt][--have];
	else if (free_now() >= READ_ONCE(page_low) + n)
		got += take_singles(mt, flags, out + got, n - got);
	this_cpu(page_pcp).count[mt] = (u16)have;
	this_cpu(page_pcp).allocated += got;
	arch_irq_restore(irq);
	for (unsigned i = 0; i < got; i++)
		page_prepare(out[i], 0, flags & ~(u32)PAGE_ZERO);
	if (flags & PAGE_ZERO)
		clear_singles(out + clear, got - clear);
	return got;
}

void page_free(struct page *p, unsigned order)
{
	u64 irq;

	ASSERT(!(p->flags & (PAGE_BUDDY | PAGE_RESERVED | PAGE_LRU)));
	ASSERT(atomic_load_explicit(&p->mapcount, memory_order_relaxed) == 0);
	atomic_store_explicit(&p->flags, 0, memory_order_relaxed);
	poison(p, order);
	irq = arch_irq_save();
	this_cpu(page_pcp).freed += 1ull << order;
	if (likely(order == 0)) {
		enum migrate mt = p->migrate ? MIGRATE_MOVABLE : MIGRATE_UNMOVABLE;
		unsigned n = this_cpu(page_pcp).count[mt];

		if (unlikely(n >= pcp_high)) {
			pcp_flush(mt, pcp_batch);
			n = this_cpu(page_pcp).count[mt];
		}
		this_cpu(page_pcp).pages[mt][n] = p;
		this_cpu(page_pcp).count[mt] = (u16)(n + 1);
	} else {
		spin_lock(&buddy_lock);
		buddy_give(p, order, false);
		spin_unlock(&buddy_lock);
	}
	arch_irq_restore(irq);
}

/* Give RUN pages from P on to the buddy as the largest blocks that they make. Lock held. */
static void give_run(struct page *p, u64 run)
{
	u64 pfn = page_to_phys(p) >> PAGE_SHIFT;

	while (run) {
		unsigned order =
			min((unsigned)__builtin_ctzll(pfn | 1ull << PAGE_MAX_ORDER), log2_floor(run));

		buddy_give(p, order, false);
		p += 1u << order;
		pfn += 1u << order;
		run -= 1u << order;
	}
}

void page_free_many(struct page **pages, unsigned n)
{
	u64 irq;

	for (unsigned i = 0; i < n; i++) {
		ASSERT(!(pages[i]->flags & (PAGE_BUDDY | PAGE_RESERVED | PAGE_LRU)) && !pages[i]->mapcount);
		atomic_store_explicit(&pages[i]->flags, 0, memory_order_relaxed);
		poison(pages[i], 0);
	}
	irq = spin_lock_irqsave(&buddy_lock);
	this_cpu(page_pcp).freed += n;
	for (unsigned i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && pages[end] == pages[end - 1] + 1; end++)
			;
		give_run(pages[i], end - i);
	}
	spin_unlock_irqrestore(&buddy_lock, irq);
}

void page_put(struct page *p)
{
	if (unlikely(p->flags & PAGE_RESERVED))
		return; /* the kernel image, mapped by the vDSO */
	if (refcount_put(&p->ref))
		page_free(p, p->flags & PAGE_HEAD ? p->order : 0);
}

u64 page_cpu_lists(void)
{
	u64 n = cleared_pages();

	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct pcp *c = per_cpu_ptr(&page_pcp, cpu);

		n += READ_ONCE(c->count[0]) + READ_ONCE(c->count[1]);
	}
	return n;
}

void page_flow(u64 *allocated, u64 *freed)
{
	*allocated = *freed = 0;
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct pcp *c = per_cpu_ptr(&page_pcp, cpu);

		*allocated += READ_ONCE(c->allocated);
		*freed += READ_ONCE(c->freed);
	}
}
