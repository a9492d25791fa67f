// SPDX-License-Identifier: BSD-2-Clause
/* munmap(2), and the unmapping that mmap(MAP_FIXED), mremap and exit do. man-pages munmap(2). */
#include "kernel/log.h"
#include "kernel/process.h"
#include "vm_internal.h"

void vm_release_dead(struct vma *dead)
{
	while (dead) {
		struct vma *v = dead;

		dead = v->next_dead;
		vma_release(v);
	}
}

/* Does E map a page of the mapping's own, which a reservation was used up for? */
static bool holds_private(pte_t e)
{
	return !pte_none(e) && phys_to_page(pte_phys(e))->flags & PAGE_ANON;
}

/* Give back the reserved pages of [START, END) that were never brought in. */
static void release_reservation(struct vma *v, u64 start, u64 end)
{
	u64 unused = 0, next;

	if (!(v->flags & VMA_HUGETLB) || !v->priv)
		return;
	for (u64 a = start; a < end; a = next) {
		pte_t *pmd = pt_next(v->vm, a, &next);

		next = min(next, end);
		if (!pmd || !holds_private(pte_read(pmd)))
			unused += (next - a) / HUGE_SIZE;
	}
	hugetlb_unreserve(unused);
}

/* The checks, and the split of a VMA that is cut in two: what may fail before anything is changed. */
static int prepare(struct vmspace *vm, struct vma *first, u64 start, u64 end)
{
	struct vma *last = vma_find(vm, end - 1);

	if (first->start < start && first->flags & VMA_HUGETLB && !IS_ALIGNED(start, HUGE_SIZE))
		return -EINVAL;
	if (last && last->start < end && last->end > end && last->flags & VMA_HUGETLB &&
	    !IS_ALIGNED(end, HUGE_SIZE))
		return -EINVAL;
	if (first->start < start && first->end > end) {
		struct vma *rest = vma_split(first, end);

		if (IS_ERR(rest))
			return (int)PTR_ERR(rest);
	}
	return 0;
}

/* Drop [A, E), one end of V: no new VMA, no old one to free. -ENOMEM when a large page cannot be split. */
static int unmap_end(struct tlb_batch *b, struct vma *v, u64 a, u64 e)
{
	int err;

	rwlock_write_lock(&v->lock);
	err = split_edges(v->vm, a, e); /* with faults shut out */
	if (!err) {
		release_reservation(v, a, e);
		vm_account(v->vm, v->flags, -(s64)PAGES(e - a));
		err = zap_range(b, v, a, e, 0);
		ASSERT(!err);
		if (a == v->start)
			vma_set_bounds(v, e, v->end, v->pgoff + PAGES(e - a));
		else
			vma_set_bounds(v, v->start, a, v->pgoff);
	}
	rwlock_write_unlock(&v->lock);
	return err;
}

/* Drop all of V: no large page is cut, so nothing can fail. */
static void unmap_whole(struct tlb_batch *b, struct vma *v, struct vma **dead)
{
	int err;

	release_reservation(v, v->start, v->end);
	vm_account(v->vm, v->flags, -(s64)vma_pages(v));
	vma_unlink(v->vm, v);
	err = zap_range(b, v, v->start, v->end, 0);
	ASSERT(!err);
	(void)err;
	vma_forget_mapping(v);
	v->next_dead = *dead;
	*dead = v;
}

/* The VMAs of the range, the one at its end (which may fail) first. */
static int unmap_vmas(struct tlb_batch *b, u64 start, u64 end, struct vma **dead)
{
	struct vmspace *vm = b->vm;
	struct vma *v = vma_find_exact(vm, end - 1), *next;
	int err = 0;

	if (v && v->end > end && v->start >= start)
		err = unmap_end(b, v, v->start, end);
	v = vma_find(vm, start);
	if (!err && v && v->start < start) {
		next = vma_next(v);
		err = unmap_end(b, v, start, v->end);
		v = next;
	}
	for (; !err && v && v->start < end; v = next) {
		next = vma_next(v);
		unmap_whole(b, v, dead);
	}
	return err;
}

int vm_unmap_locked(struct vmspace *vm, u64 start, u64 end, struct vma **dead)
{
	struct vma *v = vma_find(vm, start), *next, *prev;
	struct tlb_batch b;
	int err;

	if (!v || v->start >= end)
		return 0;
	err = prepare(vm, v, start, end);
	if (err)
		return err;
	tlb_batch_begin(&b, vm, PAGES(end - start));
	err = unmap_vmas(&b, start, end, dead);
	if (!err) {
		next = vma_find(vm, start);
		prev = next ? vma_prev(next) : NULL;
		if (!next && vm->tree.node)
			prev = rb_entry(rb_last(&vm->tree), struct vma, node);
		ASSERT(!next || next->start >= end);
		free_tables(&b, start, end, prev ? prev->end : 0,
			    next ? next->start : ALIGN_UP(APP_LIMIT, HUGE_SIZE));
	}
	tlb_batch_end(&b);
	return err;
}

int vm_munmap(struct vmspace *vm, u64 addr, u64 len)
{
	struct vma *dead = NULL;
	struct vma *v;
	int err;

	if (addr & ~PAGE_MASK || !len || !vm_range_ok(addr, len))
		return -EINVAL;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (rwlock_write_lock_killable(&vm->lock))
		return -EINTR;
	v = vma_find_exact(vm, addr);
	if (v && v->flags & VMA_HUGETLB)
		len = ALIGN_UP(len, HUGE_SIZE);
	err = vm_unmap_locked(vm, addr, addr + len, &dead);
	rwlock_write_unlock(&vm->lock);
	vm_release_dead(dead);
	return err;
}
