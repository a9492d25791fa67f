// SPDX-License-Identifier: BSD-2-Clause
/* The tree of VMAs: by address, with the largest free gap of each subtree, so that finding a VMA and finding
 * room are both O(log n). Changes need vm->lock for writing; look-ups take it for reading, or go without any
 * lock under RCU: a node that such a walk reaches is trusted only after its own lock is held and it proves to
 * be attached and to hold the address. */
#include "base/string.h"
#include "fs/file.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/log.h"
#include "vm_internal.h"

static struct slab_cache *vma_cache;

/* Freed VMAs wait here for reuse at once. A look-up without vm->lock may still hold a pointer to one, or even
 * its lock, which therefore is never initialised again; it finds the VMA detached, or in another place. Those
 * that leave for the slab, whose memory may become something else, wait for a grace period. */
#define SPARE_MAX 32
struct spare {
	u32 count;
	struct vma *vmas[SPARE_MAX];
};
static DEFINE_PER_CPU(struct spare, spare);

void vma_init(void)
{
	vma_cache = slab_cache_create("vma", sizeof(struct vma), CACHE_LINE);
	if (!vma_cache)
		panic("vma_init: no memory");
}

struct vma *vma_alloc(struct vmspace *vm)
{
	u64 irq = arch_irq_save();
	struct vma *v = NULL;

	if (this_cpu(spare).count)
		v = this_cpu(spare).vmas[--this_cpu(spare).count];
	arch_irq_restore(irq);
	if (!v) {
		v = slab_alloc(vma_cache);
		if (!v)
			return NULL;
		v->detached = true;
		rwlock_init(&v->lock);
		lock_may_nest(&v->lock); /* neighbours; vm->lock is written then */
	}
	/* All but the lock and `detached`: a look-up that is late may still look at those. */
	vm_store(v->start, 0);
	vm_store(v->end, 0);
	v->flags = 0;
	v->pgoff = 0;
	v->file = NULL;
	v->ops = NULL;
	v->priv = NULL;
	vm_store(v->vm, vm);
	list_init(&v->cache_node);
	v->policy = 0;
	v->policy_nodes = 0;
	v->batch = 0;
	v->fault_next = 0;
	return v;
}

static void vma_free_rcu(struct rcu_head *head)
{
	slab_free(vma_cache, container_of(head, struct vma, rcu));
}

void vma_free(struct vma *v)
{
	u64 irq = arch_irq_save();
	bool kept = this_cpu(spare).count < SPARE_MAX;

	if (kept)
		this_cpu(spare).vmas[this_cpu(spare).count++] = v;
	arch_irq_restore(irq);
	if (!kept)
		rcu_call(&v->rcu, vma_free_rcu);
}

/* The page cache must find every mapping of its pages. */
static void mapping_add(struct vma *v)
{
	struct page_cache *c = vma_page_cache(v);

	if (!c)
		return;
	spin_lock(&c->map_lock);
	if (list_empty(&v->cache_node))
		list_add_tail(&v->cache_node, &c->mappings);
	spin_unlock(&c->map_lock);
}

static void mapping_remove(struct vma *v)
{
	struct page_cache *c = vma_page_cache(v);

	if (!c)
		return;
	spin_lock(&c->map_lock);
	if (v->cache_node.next && !list_empty(&v->cache_node))
		list_del_init(&v->cache_node);
	spin_unlock(&c->map_lock);
}

void vma_release(struct vma *v)
{
	if (v->ops && v->ops->close)
		v->ops->close(v);
	if (v->file)
		file_put(v->file);
	vma_free(v);
}

static inline struct vma *vma_of(struct rb_node *n)
{
	return rb_entry(n, struct vma, node);
}

struct vma *vma_next(struct vma *v)
{
	struct rb_node *n = rb_next(&v->node);

	return n ? vma_of(n) : NULL;
}

struct vma *vma_prev(struct vma *v)
{
	struct rb_node *n = rb_prev(&v->node);

	return n ? vma_of(n) : NULL;
}

struct vma *vma_find(struct vmspace *vm, u64 addr)
{
	struct rb_node *n = vm->tree.node;
	struct vma *best = NULL;

	while (n) {
		struct vma *v = vma_of(n);

		if (v->end > addr) {
			best = v;
			if (v->start <= addr)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

struct vma *vma_find_exact(struct vmspace *vm, u64 addr)
{
	struct vma *v = vma_find(vm, addr);

	return v && v->start <= addr ? v : NULL;
}

/* Without vm->lock: the walk may race with rotations, so it is bounded and may fail for no reason. */
static struct vma *lock_read_rcu(struct vmspace *vm, u64 addr)
{
	struct rb_node *n = rcu_dereference(vm->tree.node);

	for (int steps = 0; n && steps < 80; steps++) {
		struct vma *v = vma_of(n);

		if (addr < vm_load(v->start)) {
			n = rcu_dereference(n->left);
		} else if (addr >= vm_load(v->end)) {
			n = rcu_dereference(n->right);
		} else {
			if (!rwlock_read_trylock(&v->lock))
				return NULL;
			/* Acquire: pairs with vma_link(); the fields below are those of a linked VMA. */
			if (likely(!__atomic_load_n(&v->detached, __ATOMIC_ACQUIRE) && vm_load(v->vm) == vm &&
				   v->start <= addr && addr < v->end))
				return v;
			rwlock_read_unlock(&v->lock);
			return NULL;
		}
	}
	return NULL;
}

struct vma *vma_lock_fault(struct vmspace *vm, u64 addr, bool *stack_above)
{
	struct vma *v;

	*stack_above = false;
	rcu_read_lock();
	v = lock_read_rcu(vm, addr);
	rcu_read_unlock();
	if (likely(v))
		return v;
	rwlock_read_lock(&vm->lock);
	v = vma_find(vm, addr);
	if (v && v->start > addr) {
		*stack_above = v->flags & VMA_GROWSDOWN;
		v = NULL;
	}
	if (v)
		rwlock_read_lock(&v->lock);
	rwlock_read_unlock(&vm->lock);
	return v;
}

struct vma *vma_lock_read(struct vmspace *vm, u64 addr)
{
	bool stack_above;

	return vma_lock_fault(vm, addr, &stack_above);
}

void vma_unlock_read(struct vma *v)
{
	rwlock_read_unlock(&v->lock);
}

static void vma_update(struct rb_node *n)
{
	struct vma *v = vma_of(n);

	v->max_gap = vma_usable_gap(v);
	if (n->left)
		v->max_gap = max(v->max_gap, vma_of(n->left)->max_gap);
	if (n->right)
		v->max_gap = max(v->max_gap, vma_of(n->right)->max_gap);
}

static void set_gap(struct vma *v, u64 gap)
{
	struct rb_node *n = &v->node;

	v->gap = gap;
	/* Up to where nothing changes any more. */
	do {
		u64 old = vma_of(n)->max_gap;

		vma_update(n);
		if (vma_of(n)->max_gap == old)
			break;
		n = n->parent;
	} while (n);
}

void vma_link(struct vmspace *vm, struct vma *v)
{
	struct rb_node **link = &vm->tree.node, *parent = NULL;
	struct vma *prev = NULL, *next = NULL;

	while (*link) {
		parent = *link;
		if (v->start < vma_of(parent)->start) {
			next = vma_of(parent);
			link = &parent->left;
		} else {
			prev = vma_of(parent);
			link = &parent->right;
		}
	}
	ASSERT(!prev || prev->end <= v->start);
	ASSERT(!next || v->end <= next->start);
	v->gap = v->start - (prev ? prev->end : 0);
	mapping_add(v); /* before the first fault can find V */
	__atomic_store_n(&v->detached, false, __ATOMIC_RELEASE);
	rb_insert(&vm->tree, &v->node, parent, link, vma_update);
	if (next)
		set_gap(next, next->start - v->end);
	vm->nvmas++;
}

void vma_unlink(struct vmspace *vm, struct vma *v)
{
	struct vma *next = vma_next(v);

	rwlock_write_lock(&v->lock);
	__atomic_store_n(&v->detached, true, __ATOMIC_RELAXED);
	rwlock_write_unlock(&v->lock);
	rb_erase(&vm->tree, &v->node, vma_update);
	if (next)
		set_gap(next, next->gap + (v->end - v->start) + v->gap);
	vm->nvmas--;
}

/* V's pages are gone: the page cache need not look at it any more. */
void vma_forget_mapping(struct vma *v)
{
	mapping_remove(v);
}

void vma_set_bounds(struct vma *v, u64 start, u64 end, u64 pgoff)
{
	struct page_cache *c = vma_page_cache(v);
	struct vma *next = vma_next(v), *prev = vma_prev(v);

	if (c)
		spin_lock(&c->map_lock);
	vm_store(v->start, start);
	vm_store(v->end, end);
	v->pgoff = pgoff;
	if (c)
		spin_unlock(&c->map_lock);
	set_gap(v, start - (prev ? prev->end : 0));
	if (next)
		set_gap(next, next->start - end);
}

struct vma *vma_split(struct vma *v, u64 addr)
{
	struct vma *upper;
	u64 end = v->end;
	int err;

	if (v->flags & VMA_HUGETLB && !IS_ALIGNED(addr, HUGE_SIZE))
		return ERR_PTR(-EINVAL);
	if (v->vm->nvmas >= vm_max_map_count)
		return ERR_PTR(-ENOMEM);
	upper = vma_alloc(v->vm);
	if (!upper)
		return ERR_PTR(-ENOMEM);
	ASSERT(v->start < addr && addr < v->end);
	vm_store(upper->start, addr);
	vm_store(upper->end, end);
	upper->flags = v->flags;
	upper->pgoff = v->pgoff + PAGES(addr - v->start);
	upper->file = v->file;
	upper->ops = v->ops;
	upper->priv = v->priv;
	upper->policy = v->policy;
	upper->policy_nodes = v->policy_nodes;
	if (upper->file)
		file_get(upper->file);
	if (upper->ops && upper->ops->open)
		upper->ops->open(upper);
	rwlock_write_lock(&v->lock);
	/* With faults shut out: a large page lies inside one VMA, always. */
	err = split_edges(v->vm, addr, addr);
	if (err) {
		rwlock_write_unlock(&v->lock);
		vma_release(upper);
		return ERR_PTR(err);
	}
	/* On the page cache's list before the lower part lets go: truncation must see every page in one or
	 * the other. */
	mapping_add(upper);
	vma_set_bounds(v, v->start, addr, v->pgoff);
	rwlock_write_unlock(&v->lock);
	vma_link(v->vm, upper);
	return upper;
}

struct vma *vma_isolate(struct vmspace *vm, u64 start, u64 end)
{
	struct vma *first = vma_find(vm, start), *last;

	if (!first || first->start >= end)
		return NULL;
	if (first->start < start) {
		first = vma_split(first, start);
		if (IS_ERR(first))
			return first;
	}
	last = vma_find(vm, end - 1);
	if (last && last->start < end && last->end > end) {
		struct vma *rest = vma_split(last, end);

		if (IS_ERR(rest))
			return rest;
	}
	return first;
}

static bool same_kind(const struct vma *v, u32 flags, struct file *file, const struct vm_ops *ops)
{
	return v->flags == flags && v->file == file && v->ops == ops &&
	       !(flags & (VMA_SPECIAL | VMA_IO | VMA_GROWSDOWN)) && !v->priv && !v->policy;
}

static bool can_join(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && same_kind(b, a->flags, a->file, a->ops) && !a->priv && !a->policy &&
	       a->pgoff + vma_pages(a) == b->pgoff;
}

struct vma *vma_extendable(struct vmspace *vm, u64 start, u32 flags, struct file *file, u64 pgoff)
{
	struct vma *v = start ? vma_find_exact(vm, start - 1) : NULL;

	if (!v || v->end != start || !same_kind(v, flags, file, v->ops) || v->pgoff + vma_pages(v) != pgoff)
		return NULL;
	return v->file == file && (!v->ops || file) ? v : NULL;
}

/* A takes over B, its upper neighbour. */
static struct vma *join(struct vma *a, struct vma *b)
{
	u64 end = b->end;

	vma_unlink(a->vm, b);
	rwlock_write_lock(&a->lock);
	vma_set_bounds(a, a->start, end, a->pgoff);
	rwlock_write_unlock(&a->lock);
	vma_forget_mapping(b);
	vma_release(b);
	return a;
}

struct vma *vma_merge(struct vma *v)
{
	struct vma *prev = vma_prev(v), *next = vma_next(v);

	if (next && can_join(v, next))
		join(v, next);
	if (prev && can_join(prev, v))
		return join(prev, v);
	return v;
}
