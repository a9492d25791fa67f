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

/* Give back the reserved pages of [START, END) that were never brought in. */
static void release_reservation(struct vma *v, u64 start, u64 end)
{
	u64 unused = 0, next;

	if (!(v->flags & VMA_HUGETLB) || !v->priv)
		return;
	for (u64 a = start; a < end; a = next) {
		pte_t *pmd = pt_next(v->vm, a, &next);

		next = min(next, end);
		if (!pmd || pte_none(pte_read(pmd)))
			unused += (next - a) / HUGE_SIZE;
	}
	hugetlb_unreserve(unused);
}

/* Everything that may fail, before anything is changed: hugetlb alignment, large pages at the edges, the VMA
 * that is cut in two. */
static int prepare(struct vmspace *vm, struct vma *first, u64 start, u64 end)
{
	struct vma *last = vma_find(vm, end - 1);
	int err;

	if (first->start < start && first->flags & VMA_HUGETLB && !IS_ALIGNED(start, HUGE_SIZE))
		return -EINVAL;
	if (last && last->start < end && last->end > end && last->flags & VMA_HUGETLB &&
	    !IS_ALIGNED(end, HUGE_SIZE))
		return -EINVAL;
	err = split_edges(vm, start, end);
	if (err)
		return err;
	if (first->start < start && first->end > end) {
		struct vma *rest;

		if (vm->nvmas >= vm_max_map_count)
			return -ENOMEM;
		rest = vma_split(first, end);
		if (IS_ERR(rest))
			return (int)PTR_ERR(rest);
	}
	return 0;
}

/* Drop [A, E), all or one end of V. */
static int unmap_part(struct tlb_batch *b, struct vma *v, u64 a, u64 e, struct vma **dead)
{
	struct vmspace *vm = v->vm;
	int err;

	release_reservation(v, a, e);
	vm_account(vm, v->flags, -(s64)PAGES(e - a));
	if (a == v->start && e == v->end) {
		vma_unlink(vm, v);
		err = zap_range(b, v, a, e, 0);
		vma_forget_mapping(v);
		v->next_dead = *dead;
		*dead = v;
		return err;
	}
	/* One end: no new VMA, no old one to free. */
	rwlock_write_lock(&v->lock);
	err = zap_range(b, v, a, e, 0);
	if (a == v->start)
		vma_set_bounds(v, e, v->end, v->pgoff + PAGES(e - a));
	else
		vma_set_bounds(v, v->start, a, v->pgoff);
	rwlock_write_unlock(&v->lock);
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
	for (; v && v->start < end; v = next) {
		next = vma_next(v);
		err = unmap_part(&b, v, max(v->start, start), min(v->end, end), dead);
		ASSERT(!err);
	}
	next = vma_find(vm, start);
	prev = next ? vma_prev(next) : NULL;
	if (!next && vm->tree.node)
		prev = rb_entry(rb_last(&vm->tree), struct vma, node);
	if (next && next->start < end) /* cannot be: [start, end) is free now */
		panic("vm_unmap_locked: %lx is still mapped", (unsigned long)next->start);
	free_tables(&b, start, end, prev ? prev->end : 0,
		    next ? next->start : ALIGN_UP(APP_LIMIT, HUGE_SIZE));
	tlb_batch_end(&b);
	return 0;
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
