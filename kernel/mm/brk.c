// SPDX-License-Identifier: BSD-2-Clause
/* The heap of brk(2): one anonymous VMA that grows up from brk_start. man-pages brk(2). */
#include "kernel/process.h"
#include "vm_internal.h"
#include <linux/capability.h>

void vm_set_brk(struct vmspace *vm, u64 start)
{
	rwlock_write_lock(&vm->lock);
	vm->brk_start = vm->brk_end = start;
	rwlock_write_unlock(&vm->lock);
}

/* Map [FROM, TO), page-aligned, at the heap's end. vm->lock written. */
static int grow_heap(struct vmspace *vm, u64 from, u64 to)
{
	u32 flags = VMA_READ | VMA_WRITE | VMA_BRK | VMA_MAYWRITE | vm->lock_future;
	struct vma *next = vma_find(vm, from), *v;
	u64 guard = next && next->flags & VMA_GROWSDOWN ? STACK_GUARD_GAP : 0;

	if (from < MMAP_MIN_ADDR || to > APP_LIMIT || (next && next->start < to + guard))
		return -ENOMEM;
	if (vm->nvmas > vm_max_map_count || vm_check_limits(vm, flags, PAGES(to - from)))
		return -ENOMEM;
	if (flags & VMA_LOCKED && !process_capable(CAP_IPC_LOCK) &&
	    vm->locked_vm + PAGES(to - from) > current_process()->rlim[RLIMIT_MEMLOCK].rlim_cur >> PAGE_SHIFT)
		return -EAGAIN;
	v = vma_extendable(vm, from, flags, NULL, PAGES(from));
	if (v) {
		rwlock_write_lock(&v->lock);
		vma_set_bounds(v, v->start, to, v->pgoff);
		rwlock_write_unlock(&v->lock);
	} else {
		v = vma_alloc(vm);
		if (!v)
			return -ENOMEM;
		vm_store(v->start, from);
		vm_store(v->end, to);
		v->flags = flags;
		v->pgoff = PAGES(from);
		vma_link(vm, v);
	}
	vm_account(vm, flags, (s64)PAGES(to - from));
	return 0;
}

u64 vm_brk(struct vmspace *vm, u64 want)
{
	struct vma *dead = NULL;
	u64 result, old_page, new_page, limit = current_process()->rlim[RLIMIT_DATA].rlim_cur;
	bool populate = false;

	rwlock_write_lock(&vm->lock);
	result = vm->brk_end;
	old_page = ALIGN_UP(vm->brk_end, PAGE_SIZE);
	new_page = ALIGN_UP(want, PAGE_SIZE);
	if (want < vm->brk_start || want > APP_LIMIT || want - vm->brk_start > limit)
		goto out;
	if (new_page < old_page) {
		if (vm_unmap_locked(vm, new_page, old_page, &dead))
			goto out;
	} else if (new_page > old_page) {
		if (grow_heap(vm, old_page, new_page))
			goto out;
		populate = (vm->lock_future & (VMA_LOCKED | VMA_LOCKONFAULT)) == VMA_LOCKED;
	}
	result = vm->brk_end = want;
out:
	rwlock_write_unlock(&vm->lock);
	vm_release_dead(dead);
	if (populate)
		(void)!vm_populate(vm, old_page, new_page, false, false);
	return result;
}
