/* SPDX-License-Identifier: BSD-2-Clause */
/* The page cache: look-up, filling, removal.
 *
 * Theory. An inode's pages hang in a radix tree by page index. The tree holds one reference on each. A
 * look-up runs under RCU: it finds a page, takes a reference unless the count is zero, and checks that the
 * page still belongs to this place, for struct pages are reused. The cache's lock serialises insertions and
 * removals only; no lock is held while a page is read from a device or copied from or to an application, so a
 * fault on the very file being written cannot deadlock.
 *
 * States: PAGE_LOCKED while being filled (nobody else touches the contents, nobody removes it), then
 * PAGE_UPTODATE, or PAGE_ERROR until somebody tries again. Pages of files whose storage is memory are born up
 * to date and are not on the LRU.
 *
 * Invariants: (1) a page in a tree has p->cache and p->index set to its place; p->cache is NULL from its
 * removal on. (2) PAGE_LOCKED pages stay in the tree. (3) a page on the LRU is in a tree.
 *
 * Locks: inode lock > cache lock > lru_lock (pagecache_lru.c). Faults take the cache lock with the VMA's lock
 * held. */
#include "pagecache_internal.h"
#include "base/string.h"
#include "radix.h"
#include "kernel/counter.h"
#include "kernel/psi.h"
#include "kernel/sched.h"
#include "kernel/wait.h"

#define WAIT_QUEUES 64
#define BATCH	    32

static DEFINE_COUNTER(pagecache_read_errors, "page cache pages whose read failed");
static DEFINE_COUNTER(pagecache_nomem, "page cache pages that could not be made for want of memory");

static struct waitq wait_queues[WAIT_QUEUES];
/* Pages added less pages removed on this CPU: sums are what counts. */
static DEFINE_PER_CPU(s64, total_pages);
static DEFINE_PER_CPU(s64, shmem_pages);

static u64 sum(s64 *counter)
{
	s64 n = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		n += READ_ONCE(*per_cpu_ptr(counter, cpu));
	return (u64)max(n, (s64)0);
}

u64 pagecache_total(void)
{
	return sum(&total_pages);
}

u64 pagecache_shmem_total(void)
{
	return sum(&shmem_pages);
}

static void account(struct page_cache *c, s64 n)
{
	c->npages += (u64)n;
	this_cpu(total_pages) += n;
	if (c->unevictable)
		this_cpu(shmem_pages) += n;
}

static void wait_queues_init(void)
{
	static struct spinlock lock;
	static bool done;

	if (likely(rcu_dereference(done)))
		return;
	spin_lock(&lock);
	if (!done)
		for (unsigned n = 0; n < WAIT_QUEUES; n++)
			waitq_init(&wait_queues[n]);
	rcu_assign_pointer(done, true);
	spin_unlock(&lock);
}

int pagecache_init(struct page_cache *c, struct inode *inode, const struct page_cache_ops *ops)
{
	wait_queues_init();
	*c = (struct page_cache){.inode = inode, .ops = ops};
	mutex_init(&c->lock);
	spin_init(&c->map_lock);
	list_init(&c->mappings);
	c->unevictable = !ops || !ops->read_pages;
	return 0;
}

void pagecache_destroy(struct page_cache *c)
{
	pagecache_truncate(c, 0, ~0ull);
	ASSERT(!c->npages && list_empty(&c->mappings));
}

static struct waitq *page_queue(struct page *p)
{
	return &wait_queues[((uintptr_t)p * 0x9e3779b97f4a7c15ull) >> 58 & (WAIT_QUEUES - 1)];
}

void pagecache_wait(struct page *p)
{
	wait_event_io(page_queue(p), !(atomic_load_explicit(&p->flags, memory_order_acquire) & PAGE_LOCKED));
}

void pagecache_page_done(struct page *p, int err)
{
	struct waitq *q = page_queue(p);

	if (err == -ENOMEM) {
		counter_inc(&pagecache_nomem); /* nothing is wrong with the page: it can be read once there is room */
	} else if (err) {
		counter_inc(&pagecache_read_errors);
		atomic_fetch_or_explicit(&p->flags, PAGE_ERROR, memory_order_relaxed);
	} else {
		atomic_fetch_or_explicit(&p->flags, PAGE_UPTODATE, memory_order_relaxed);
	}
	atomic_fetch_and_explicit(&p->flags, ~(u32)PAGE_LOCKED, memory_order_seq_cst);
	if (waitq_active(q))
		waitq_wake_all(q);
}

struct page *pagecache_find(struct page_cache *c, u64 index)
{
	struct page *p;

	rcu_read_lock();
	for (;;) {
		p = radix_find(&c->root, index);
		if (!p)
			break;
		if (READ_ONCE(p->cache) != c || !refcount_get_unless_zero(&p->ref))
			continue; /* it is being removed right now: the slot is about to change */
		if (likely(READ_ONCE(p->cache) == c && p->index == index))
			break;
		page_put(p);
	}
	rcu_read_unlock();
	return p;
}

struct page *pagecache_peek(struct page_cache *c, u64 index)
{
	struct page *p = pagecache_find(c, index);

	if (p && !(atomic_load_explicit(&p->flags, memory_order_acquire) & PAGE_UPTODATE)) {
		page_put(p);
		p = NULL;
	}
	return p;
}

/* Enter P, which nobody else knows, at INDEX, where nothing is. The tree takes a reference of its own. The
 * cache lock is held. */
static int enter_locked(struct page_cache *c, struct page *p, u64 index, u32 flags)
{
	int err;

	p->index = index;
	WRITE_ONCE(p->cache, c);
	atomic_fetch_or_explicit(&p->flags, flags, memory_order_relaxed);
	page_get(p);
	err = radix_insert(&c->root, index, p);
	if (err) {
		p->cache = NULL;
		atomic_fetch_and_explicit(&p->flags, ~flags, memory_order_relaxed);
		page_put(p);
		return err;
	}
	account(c, 1);
	return 0;
}

static int charge(struct page_cache *c, u64 n)
{
	return c->ops && c->ops->charge ? c->ops->charge(c, n) : 0;
}

static void uncharge(struct page_cache *c, u64 n)
{
	if (n && c->ops && c->ops->uncharge)
		c->ops->uncharge(c, n);
}

int pagecache_add_memory(struct page_cache *c, struct page *p, u64 index)
{
	int err = charge(c, 1);

	if (err)
		return err;
	mutex_lock(&c->lock);
	err = radix_find(&c->root, index) ? -EEXIST
					  : enter_locked(c, p, index, PAGE_UPTODATE | PAGE_UNEVICTABLE);
	mutex_unlock(&c->lock);
	if (err)
		uncharge(c, 1);
	return err;
}

/* A hole of a file whose storage is memory becomes a zero page. */
static struct page *fill_hole(struct page_cache *c, u64 index)
{
	struct page *p = page_alloc(0, PAGE_ZERO | PAGE_MOVABLE);
	int err;

	if (!p) {
		counter_inc(&pagecache_nomem);
		return ERR_PTR(-ENOMEM);
	}
	err = pagecache_add_memory(c, p, index);
	if (!err)
		return p;
	page_put(p);
	return err == -EEXIST ? NULL : ERR_PTR(err);
}

/* Enter new locked pages for [*INDEX, END) into BATCH until a page is found to be there, the batch is full or
 * memory runs short; the page at MUST comes from SPARE. *INDEX moves past what was looked at. Returns how
 * many; -ENOMEM when the first, at *INDEX, could not be had. */
static int enter_run(struct page_cache *c, u64 *index, u64 end, u64 must, struct page **spare,
		     struct page **batch)
{
	u64 i = *index;
	int n = 0, err = 0;

	mutex_lock(&c->lock);
	for (; i < end && n < BATCH; i++) {
		struct page *p;

		if (radix_find(&c->root, i)) {
			if (n)
				break;
			continue;
		}
		if (i == must) {
			p = *spare;
			*spare = NULL;
		} else {
			p = page_alloc(0, PAGE_MOVABLE | PAGE_NORETRY);
		}
		err = p ? enter_locked(c, p, i, PAGE_LOCKED | workingset_flags(c, i, pagecache_lru_pages()))
			: -ENOMEM;
		if (err) {
			if (p)
				page_put(p);
			counter_inc(&pagecache_nomem);
			break;
		}
		page_put(p); /* the tree's reference stays: a locked page cannot be removed */
		batch[n++] = p;
	}
	mutex_unlock(&c->lock);
	*index = i;
	if (n) {
		pagecache_lru_add(batch, (unsigned)n);
		return n;
	}
	return err;
}

/* Is one of the N pages only read because memory is short? */
static bool any_workingset(struct page **pages, int n)
{
	while (n--)
		if (atomic_load_explicit(&pages[n]->flags, memory_order_relaxed) & PAGE_WORKINGSET)
			return true;
	return false;
}

static void read_run(struct page_cache *c, struct page **pages, int n)
{
	bool stall = any_workingset(pages, n) && psi_memstall_enter();

	c->ops->read_pages(c, pages[0]->index, pages, (unsigned)n);
	psi_memstall_leave(stall);
}

int pagecache_fill(struct page_cache *c, u64 first, u64 n, u64 must)
{
	u64 size = READ_ONCE(c->inode->size), end;
	struct page *batch[BATCH], *spare = NULL;
	int err = 0;

	end = min(first + n, size / PAGE_SIZE + (size % PAGE_SIZE != 0));
	/* The page that is waited for may be worth reclaim, even from this cache: so before its lock is
	 * taken. */
	if (must >= first && must < end && !(spare = page_alloc(0, PAGE_MOVABLE))) {
		counter_inc(&pagecache_nomem);
		return -ENOMEM;
	}
	while (first < end) {
		int got = enter_run(c, &first, end, must, &spare, batch);

		if (got > 0) {
			read_run(c, batch, got);
		} else if (got < 0 && first < must && must < end) {
			first = must; /* memory is short: that one alone */
			end = must + 1;
		} else {
			err = first == must ? got : 0;
			break;
		}
	}
	if (spare)
		page_put(spare);
	return err;
}

/* A page that is there but not up to date: wait, and try once more after an error. Takes over the reference.
 */
struct page *pagecache_settle(struct page_cache *c, struct page *p)
{
	int err = -EIO;

	for (int attempt = 0; attempt < 2; attempt++) {
		bool stall = any_workingset(&p, 1) && psi_memstall_enter();
		u32 flags;

		pagecache_wait(p);
		psi_memstall_leave(stall);
		flags = atomic_load_explicit(&p->flags, memory_order_acquire);
		if (flags & PAGE_UPTODATE)
			return p;
		err = -EIO;
		if (READ_ONCE(p->cache) != c || !c->ops || !c->ops->read_pages)
			break;
		if (!(flags & PAGE_ERROR))
			err = -ENOMEM;
		if (!(flags & PAGE_LOCKED) && !attempt &&
		    atomic_compare_exchange_strong_explicit(&p->flags, &flags,
							    (flags | PAGE_LOCKED) & ~(u32)PAGE_ERROR,
							    memory_order_acquire, memory_order_relaxed))
			c->ops->read_pages(c, p->index, &p, 1);
	}
	page_put(p);
	return ERR_PTR(err);
}

struct page *pagecache_get(struct page_cache *c, u64 index)
{
	return pagecache_get_window(c, index, index, 1);
}

struct page *pagecache_get_window(struct page_cache *c, u64 index, u64 first, u64 n)
{
	bool filled = false;
	struct page *p;
	int err;

	for (;;) {
		p = pagecache_find(c, index);
		if (likely(p && atomic_load_explicit(&p->flags, memory_order_acquire) & PAGE_UPTODATE)) {
			if (!filled) /* the first use is no second chance */
				pagecache_touch(p);
			return p;
		}
		if (p)
			return pagecache_settle(c, p);
		if (c->unevictable) {
			p = fill_hole(c, index);
			if (p)
				return p;
			continue;
		}
		if (index >= DIV_ROUND_UP(READ_ONCE(c->inode->size), PAGE_SIZE))
			return ERR_PTR(-EFAULT);
		err = pagecache_fill(c, first, n, index);
		if (err)
			return ERR_PTR(err);
		/* Should the page be reclaimed before we look again, it alone is read anew. */
		filled = true;
		first = index;
		n = 1;
	}
}

/* Take up to BATCH pages of [*INDEX, LAST] out of the tree. Returns how many; 0: no more. */
static unsigned remove_run(struct page_cache *c, u64 *index, u64 last, struct page **batch)
{
	struct page *p, *busy = NULL;
	unsigned n = 0;

	mutex_lock(&c->lock);
	while (n < BATCH && (p = radix_next(&c->root, index)) && *index <= last) {
		if (atomic_load_explicit(&p->flags, memory_order_acquire) & PAGE_LOCKED) {
			busy = p;
			page_get(p);
			break;
		}
		radix_delete(&c->root, *index);
		pagecache_lru_del(p);
		WRITE_ONCE(p->cache, (struct page_cache *)NULL);
		batch[n++] = p;
		++*index;
	}
	account(c, -(s64)n);
	mutex_unlock(&c->lock);
	if (busy) {
		if (!n)
			pagecache_wait(busy);
		page_put(busy);
		if (!n)
			return remove_run(c, index, last, batch);
	}
	return n;
}

static void zero_edge(struct page_cache *c, u64 start, u64 end)
{
	struct page *p = pagecache_find(c, start >> PAGE_SHIFT);

	if (!p)
		return;
	memset((char *)page_to_virt(p) + start % PAGE_SIZE, 0, end - start);
	page_put(p);
}

static void drop_range(struct page_cache *c, u64 start, u64 end, bool even_cowed)
{
	u64 first = start / PAGE_SIZE + (start % PAGE_SIZE != 0), last, index = first;
	struct page *batch[BATCH];
	bool mapped = !list_empty(&c->mappings);
	unsigned n;

	/* LAST is the index of the last page to go; none when it is below FIRST. */
	if (end == ~0ull)
		last = ~0ull >> PAGE_SHIFT;
	else if (end / PAGE_SIZE == 0)
		last = 0, first = max(first, 1ull);
	else
		last = end / PAGE_SIZE - 1;
	if (first <= last && (READ_ONCE(c->npages) || mapped)) {
		if (mapped)
			vm_unmap_cache(c, first, last, even_cowed);
		while ((n = remove_run(c, &index, last, batch))) {
			/* A fault that found a page just before it went may have mapped it after the first
			 * sweep. */
			if (!list_empty(&c->mappings))
				vm_unmap_cache(c, batch[0]->index, batch[n - 1]->index, even_cowed);
			for (unsigned k = 0; k < n; k++)
				page_put(batch[k]);
			uncharge(c, n);
			cond_resched();
		}
	}
	if (start % PAGE_SIZE)
		zero_edge(c, start, min(end, ALIGN_UP(start, PAGE_SIZE)));
	if (end != ~0ull && end % PAGE_SIZE && (end / PAGE_SIZE != start / PAGE_SIZE || !(start % PAGE_SIZE)))
		zero_edge(c, ALIGN_DOWN(end, PAGE_SIZE), end);
}

void pagecache_truncate(struct page_cache *c, u64 start, u64 end)
{
	if (start < end)
		drop_range(c, start, end, true);
}

void pagecache_punch(struct page_cache *c, u64 start, u64 end)
{
	if (start < end)
		drop_range(c, start, end, false);
}

u64 pagecache_next(struct page_cache *c, u64 index, u64 end, bool hole)
{
	rcu_read_lock();
	if (!hole) {
		if (!radix_next(&c->root, &index))
			index = end;
	} else {
		while (index < end && radix_find(&c->root, index))
			index++;
	}
	rcu_read_unlock();
	return min(index, end);
}

void pagecache_invalidate(struct page_cache *c, u64 start, u64 end)
{
	struct page *p;

	if (c->unevictable)
		return;
	mutex_lock(&c->lock);
	while (start < end && (p = radix_next(&c->root, &start)) && start < end) {
		pagecache_evict_locked(c, p);
		start++;
	}
	mutex_unlock(&c->lock);
}

bool pagecache_evict_locked(struct page_cache *c, struct page *p)
{
	u32 one = 1;

	if (atomic_load_explicit(&p->flags, memory_order_acquire) & (PAGE_LOCKED | PAGE_DIRTY))
		return false;
	if (!atomic_compare_exchange_strong_explicit(&p->ref.n, &one, 0, memory_order_acquire,
						     memory_order_relaxed))
		return false;
	radix_delete(&c->root, p->index);
	pagecache_lru_del(p);
	WRITE_ONCE(p->cache, (struct page_cache *)NULL);
	account(c, -1);
	page_free(p, 0);
	return true;
}
