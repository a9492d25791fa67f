// SPDX-License-Identifier: BSD-2-Clause
/* Kernel virtual memory that is not the direct map: vmalloc blocks, kernel stacks, device windows.
 *
 * Areas live in a tree by address; each has an unmapped guard page below. A search takes the lowest gap that
 * fits, by the largest gap that each subtree knows (`gap` is what is free below an area). Freed pages are
 * reused only after every CPU has dropped its translations: vfree_many() shares that cost. Thread context or
 * boot; areas_lock guards the tree and the page tables of the area. */
#include "arch/cpu.h"
#include "arch/pgtable.h"
#include "base/rbtree.h"
#include "internal.h"
#include "kernel/alloc.h"
#include "kernel/log.h"
#include "kernel/smp.h"

struct vm_area {
	struct rb_node node;
	u64 start, end;	  /* the guard page included */
	u64 gap, max_gap; /* free bytes below; the largest of the subtree */
	bool owns_pages;  /* vfree gives the pages back */
};

static struct rb_root areas;
static struct spinlock areas_lock;
static u64 used; /* pages in areas; guarded by areas_lock */
void vmalloc_init(void)
{
	spin_init(&areas_lock);
}

static struct vm_area *area_of(struct rb_node *n)
{
	return rb_entry(n, struct vm_area, node);
}

static void area_update(struct rb_node *n)
{
	struct vm_area *a = area_of(n);

	a->max_gap = a->gap;
	if (n->left)
		a->max_gap = max(a->max_gap, area_of(n->left)->max_gap);
	if (n->right)
		a->max_gap = max(a->max_gap, area_of(n->right)->max_gap);
}

/* The area with the lowest gap of at least SIZE, or NULL. */
static struct vm_area *find_gap(u64 size)
{
	struct rb_node *n = areas.node;

	while (n && area_of(n)->max_gap >= size) {
		if (n->left && area_of(n->left)->max_gap >= size)
			n = n->left;
		else if (area_of(n)->gap >= size)
			return area_of(n);
		else
			n = n->right;
	}
	return NULL;
}

/* Link A below NEXT (NULL: at the end). Lock held. */
static bool area_place(struct vm_area *a, u64 size)
{
	struct vm_area *next = find_gap(size);
	struct rb_node *parent, **link;

	if (next) {
		a->start = next->start - next->gap;
		next->gap -= size;
		rb_propagate(&next->node, area_update);
		parent = &next->node;
		link = &parent->left;
		while (*link) {
			parent = *link;
			link = &parent->right;
		}
	} else {
		struct rb_node *last = rb_last(&areas);

		a->start = last ? area_of(last)->end : VMALLOC_BASE;
		if (VMALLOC_END - a->start < size)
			return false;
		parent = last;
		link = last ? &last->right : &areas.node;
	}
	a->end = a->start + size;
	a->gap = 0;
	rb_insert(&areas, &a->node, parent, link, area_update);
	return true;
}

static void area_unlink(struct vm_area *a)
{
	struct rb_node *next = rb_next(&a->node);

	rb_erase(&areas, &a->node, area_update);
	if (next) {
		area_of(next)->gap += a->end - a->start + a->gap;
		rb_propagate(next, area_update);
	}
}

static struct vm_area *area_find(u64 addr)
{
	struct rb_node *n = areas.node;

	while (n) {
		struct vm_area *a = area_of(n);

		if (addr < a->start)
			n = n->left;
		else if (addr >= a->end)
			n = n->right;
		else
			return a;
	}
	return NULL;
}

u64 vmalloc_used(void)
{
	return READ_ONCE(used);
}

/* A place for SIZE bytes above a guard page. */
static struct vm_area *area_create(u64 size)
{
	struct vm_area *a = kzalloc(sizeof *a);
	u64 irq;
	bool ok;

	if (!a)
		return NULL;
	irq = spin_lock_irqsave(&areas_lock);
	ok = size < VMALLOC_END - VMALLOC_BASE && area_place(a, ALIGN_UP(size, PAGE_SIZE) + PAGE_SIZE);
	if (ok)
		used += (a->end - a->start) >> PAGE_SHIFT;
	spin_unlock_irqrestore(&areas_lock, irq);
	if (!ok) {
		kfree(a);
		return NULL;
	}
	return a;
}

static void flush_this_cpu(void *arg)
{
	arch_tlb_flush_kernel();
}

static void flush_all_cpus(void)
{
	if (cpu_count > 1) {
		smp_call_all(flush_this_cpu, NULL);
	} else {
		u64 irq = arch_irq_save();

		arch_tlb_flush_kernel();
		arch_irq_restore(irq);
	}
}

/* Unmap A's pages; those it owns go onto the list FREED, through priv. Lock held. */
static struct page *unmap_pages(struct vm_area *a, struct page *freed)
{
	for (u64 va = a->start + PAGE_SIZE; va < a->end; va += PAGE_SIZE) {
		u64 pa = arch_kernel_unmap(va);
		struct page *p = pa != ~0ull && a->owns_pages ? phys_to_page(pa) : NULL;

		if (p) {
			p->priv = freed;
			freed = p;
		}
	}
	return freed;
}

/* Take N areas apart with one flush of all CPUs: their addresses and pages must not be reused before it. */
static void areas_destroy(struct vm_area **list, unsigned n)
{
	struct page *freed = NULL;
	u64 irq = spin_lock_irqsave(&areas_lock);

	for (unsigned i = 0; i < n; i++)
		freed = unmap_pages(list[i], freed);
	spin_unlock_irqrestore(&areas_lock, irq);
	flush_all_cpus();
	irq = spin_lock_irqsave(&areas_lock);
	for (unsigned i = 0; i < n; i++) {
		used -= (list[i]->end - list[i]->start) >> PAGE_SHIFT;
		area_unlink(list[i]);
	}
	spin_unlock_irqrestore(&areas_lock, irq);
	for (unsigned i = 0; i < n; i++)
		kfree(list[i]);
	while (freed) {
		struct page *p = freed;

		freed = p->priv;
		p->priv = NULL;
		page_free(p, 0);
	}
}

static int map_page(u64 va, u64 pa, u32 flags)
{
	u64 irq = spin_lock_irqsave(&areas_lock);
	int err = arch_kernel_map(va, pa, flags);

	spin_unlock_irqrestore(&areas_lock, irq);
	return err;
}

void *vmalloc(size_t size)
{
	struct vm_area *a = size ? area_create(size) : NULL;

	if (!a)
		return NULL;
	a->owns_pages = true;
	for (u64 va = a->start + PAGE_SIZE; va < a->end; va += PAGE_SIZE) {
		struct page *p = page_alloc(0, 0);

		if (!p || map_page(va, page_to_phys(p), KERNEL_MAP_WRITE)) {
			if (p)
				page_free(p, 0);
			areas_destroy(&a, 1);
			return NULL;
		}
	}
	return (void *)(a->start + PAGE_SIZE);
}

void vfree_many(void **blocks, unsigned n)
{
	struct vm_area *list[VFREE_MANY];
	u64 irq = spin_lock_irqsave(&areas_lock);

	for (unsigned i = 0; i < n; i++) {
		list[i] = area_find((u64)blocks[i]);
		if (!list[i] || list[i]->start + PAGE_SIZE != (u64)blocks[i])
			panic("vfree: %p is not the start of a block", blocks[i]);
	}
	spin_unlock_irqrestore(&areas_lock, irq);
	areas_destroy(list, n);
}

void vfree(void *p)
{
	if (p)
		vfree_many(&p, 1);
}

volatile void *mmio_map(u64 pa, size_t size)
{
	u64 first = ALIGN_DOWN(pa, PAGE_SIZE);
	struct vm_area *a = size ? area_create(pa - first + size) : NULL;

	if (!a)
		return NULL;
	for (u64 va = a->start + PAGE_SIZE, at = first; va < a->end; va += PAGE_SIZE, at += PAGE_SIZE) {
		if (map_page(va, at, KERNEL_MAP_WRITE | KERNEL_MAP_DEVICE)) {
			areas_destroy(&a, 1);
			return NULL;
		}
	}
	return (volatile void *)(a->start + PAGE_SIZE + (pa - first));
}
