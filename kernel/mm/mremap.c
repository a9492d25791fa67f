// SPDX-License-Identifier: BSD-2-Clause
/* mremap(2): shrink, grow in place, or move. man-pages mremap(2). A move takes the page-table entries along,
 * large pages whole where both addresses are aligned alike; file pages stay behind and are found again in the
 * page cache. */
#include "fs/file.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "vm_internal.h"
#include <linux/capability.h>
#include <linux/mman.h>

static void move_large(struct vmspace *vm, pte_t *from, pte_t *to, const struct vma *nv)
{
	pte_t e;

	spin_lock(&vm->pt_lock);
	e = pte_exchange(from, 0);
	ASSERT(pte_none(*to));
	pte_write(to, e);
	spin_unlock(&vm->pt_lock);
}

/* Move the anonymous pages of [A, STOP), within one table, by DELTA. */
static void move_small(struct vmspace *vm, pte_t *from_pmd, u64 a, u64 stop, u64 delta)
{
	pte_t fe = pte_read(from_pmd);
	pte_t *from = phys_to_virt(pte_phys(fe));
	struct spinlock *fl = pt_table_lock(fe);

	for (; a < stop; a += PAGE_SIZE) {
		pte_t *slot = &from[pt_index(a, 0)], e, te;
		struct spinlock *tl;
		pte_t *to;

		if (pte_none(*slot))
			continue;
		te = pte_read(pt_lookup(vm, a + delta, 1)); /* made beforehand */
		to = (pte_t *)phys_to_virt(pte_phys(te)) + pt_index(a + delta, 0);
		tl = pt_table_lock(te);
		spin_lock(min(fl, tl));
		if (fl != tl)
			spin_lock(max(fl, tl));
		e = *slot;
		if (pte_maps(e) && phys_to_page(pte_phys(e))->flags & PAGE_ANON) {
			pte_write(slot, 0);
			pte_write(to, e);
		}
		if (fl != tl)
			spin_unlock(max(fl, tl));
		spin_unlock(min(fl, tl));
	}
}

/* Can the large page at A move as one? */
static bool moves_whole(struct vmspace *vm, u64 a, u64 next, u64 end, u64 delta, pte_t e)
{
	pte_t *to;

	if (!pte_large(e) || !IS_ALIGNED(a, HUGE_SIZE) || next > end || !IS_ALIGNED(delta, HUGE_SIZE))
		return false;
	to = pt_lookup(vm, a + delta, 1);
	return to && pte_none(pte_read(to));
}

/* Make the tables that the move needs, so that it cannot fail half way; split large pages that cannot move
 * whole. */
static int prepare_tables(struct vmspace *vm, u64 start, u64 end, u64 delta)
{
	u64 next;

	for (u64 a = start; a < end; a = next) {
		pte_t *pmd = pt_next(vm, a, &next), e = pmd ? pte_read(pmd) : 0;

		if (pte_none(e))
			continue;
		if (!pt_make(vm, a + delta, 1))
			return -ENOMEM;
		if (moves_whole(vm, a, next, end, delta, e))
			continue;
		if (pte_large(e)) {
			int err = thp_split(vm, ALIGN_DOWN(a, HUGE_SIZE), pmd);

			if (err)
				return err;
		}
		u64 stop = min(next, end);

		if (!pt_make(vm, a + delta, 0) || !pt_make(vm, stop - 1 + delta, 0))
			return -ENOMEM;
	}
	return 0;
}

static void move_entries(struct vma *nv, u64 start, u64 end, u64 delta)
{
	struct vmspace *vm = nv->vm;
	u64 next;

	for (u64 a = start; a < end; a = next) {
		pte_t *pmd = pt_next(vm, a, &next), e = pmd ? pte_read(pmd) : 0;

		if (pte_large(e))
			move_large(vm, pmd, pt_lookup(vm, a + delta, 1), nv);
		else if (pte_present(e))
			move_small(vm, pmd, a, min(next, end), delta);
	}
	tlb_flush_range(vm, start, end, false);
}

static struct vma *clone_at(struct vma *v, u64 addr, u64 at, u64 len)
{
	struct vma *nv = vma_alloc(v->vm);

	if (!nv)
		return NULL;
	vm_store(nv->start, at);
	vm_store(nv->end, at + len);
	nv->flags = v->flags;
	nv->pgoff = vma_anonymous(v) ? PAGES(at) : v->pgoff + PAGES(addr - v->start);
	nv->file = v->file;
	nv->ops = v->ops;
	nv->priv = v->priv;
	if (nv->file)
		file_get(nv->file);
	if (nv->ops && nv->ops->open)
		nv->ops->open(nv);
	return nv;
}

/* Move [ADDR, ADDR + OLD) of V to AT, where NEW bytes are free. */
static long move_vma(struct vma *v, u64 addr, u64 old, u64 new, u64 at, bool keep, struct vma **dead)
{
	struct vmspace *vm = v->vm;
	u64 moved = min(old, new);
	struct vma *nv;
	int err;

	if (vm->nvmas + 3 >= vm_max_map_count) /* the new place, and what is left on both sides of the old */
		return -ENOMEM;
	nv = clone_at(v, addr, at, new);
	if (!nv)
		return -ENOMEM;
	rwlock_write_lock(&v->lock); /* no fault may undo the preparation */
	err = split_edges(vm, addr, addr + moved);
	if (!err)
		err = prepare_tables(vm, addr, addr + moved, at - addr);
	if (err) {
		rwlock_write_unlock(&v->lock);
		/* Table pages made for the target stay until something is unmapped there. */
		vma_release(nv);
		return err;
	}
	rwlock_write_lock(&nv->lock);
	vma_link(vm, nv);
	move_entries(nv, addr, addr + moved, at - addr);
	rwlock_write_unlock(&nv->lock);
	vm_account(vm, nv->flags, (s64)PAGES(new));
	if (keep) {
		struct tlb_batch b;

		tlb_batch_begin(&b, vm, PAGES(old));
		zap_range(&b, v, addr, addr + old, 0); /* file pages that stayed behind */
		tlb_batch_end(&b);
		if (v->flags & VMA_LOCKED) {
			vm->locked_vm -= vma_pages(v);
			v->flags &= ~(u32)(VMA_LOCKED | VMA_LOCKONFAULT);
		}
	}
	rwlock_write_unlock(&v->lock);
	if (!keep && old) {
		err = vm_unmap_locked(vm, addr, addr + old, dead);
		if (err)
			log_warn("mremap: the old range at %lx stays mapped: %d", (unsigned long)addr, err);
	}
	vma_merge(nv);
	return (long)at;
}

/* The checks that growing or moving needs. */
static int check_resize(struct vmspace *vm, struct vma *v, u64 addr, u64 old, u64 new)
{
	struct process *p = current_process();
	u64 grow = new > old ? PAGES(new - old) : 0;
	u64 pgoff = v->pgoff + PAGES(addr - v->start);

	if (!old && !(v->flags & VMA_SHARED))
		return -EINVAL;
	if (old > v->end - addr)
		return -EFAULT;
	if (!grow)
		return 0;
	if (v->flags & (VMA_SPECIAL | VMA_IO))
		return -EFAULT;
	if (v->file && pgoff + PAGES(new) < pgoff)
		return -EINVAL;
	if (v->flags & VMA_LOCKED && !process_capable(CAP_IPC_LOCK) &&
	    vm->locked_vm + grow > p->rlim[RLIMIT_MEMLOCK].rlim_cur >> PAGE_SHIFT)
		return -EAGAIN;
	return vm_check_limits(vm, v->flags, grow);
}

static bool grow_in_place(struct vma *v, u64 addr, u64 old, u64 new)
{
	struct vma *next = vma_next(v);
	u64 end = addr + new, limit = APP_LIMIT;

	if (v->end != addr + old)
		return false;
	if (next)
		limit = next->start -
			(next->flags & VMA_GROWSDOWN ? min((u64)STACK_GUARD_GAP, next->start) : 0);
	if (end > limit || end < addr)
		return false;
	vm_account(v->vm, v->flags, (s64)PAGES(new - old));
	rwlock_write_lock(&v->lock);
	vma_set_bounds(v, v->start, end, v->pgoff);
	rwlock_write_unlock(&v->lock);
	vma_merge(v);
	return true;
}

static bool target_ok(u64 addr, u64 old, u64 new, u64 at)
{
	return !(at & ~PAGE_MASK) && vm_range_ok(at, new) && (at + new <= addr || addr + old <= at);
}

static long remap_fixed(struct vmspace *vm, u64 addr, u64 old, u64 new, u32 flags, u64 at, struct vma **dead)
{
	struct vma *v;
	int err;

	if (!target_ok(addr, old, new, at))
		return -EINVAL;
	if (at < MMAP_MIN_ADDR)
		return -EPERM;
	err = vm_unmap_locked(vm, at, at + new, dead);
	if (!err && old > new) {
		err = vm_unmap_locked(vm, addr + new, addr + old, dead);
		old = new;
	}
	if (err)
		return err;
	v = vma_find_exact(vm, addr);
	if (!v)
		return -EFAULT;
	err = check_resize(vm, v, addr, old, new);
	return err ? err : move_vma(v, addr, old, new, at, flags & MREMAP_DONTUNMAP, dead);
}

/* Keep the large pages of a large mapping: the new place is aligned as the old one, at ADDR. 0: none. */
static u64 free_place(struct vmspace *vm, u64 addr, u64 len)
{
	u64 at = vm_find_gap(vm, len + (len >= HUGE_SIZE ? HUGE_SIZE : 0), MMAP_MIN_ADDR, vm->mmap_base,
			     PAGE_SIZE);

	if (at && len >= HUGE_SIZE)
		at = ALIGN_DOWN(at + HUGE_SIZE - 1 - (addr & (HUGE_SIZE - 1)), HUGE_SIZE) +
		     (addr & (HUGE_SIZE - 1));
	return at ? at : vm_find_gap(vm, len, MMAP_MIN_ADDR, vm->mmap_base, PAGE_SIZE);
}

static long remap_locked(struct vmspace *vm, u64 addr, u64 old, u64 new, u32 flags, u64 new_addr,
			 struct vma **dead)
{
	struct vma *v = vma_find_exact(vm, addr);
	u64 at;
	int err;

	if (!v)
		return -EFAULT;
	if (v->flags & VMA_HUGETLB)
		return -EINVAL;
	if (flags & MREMAP_DONTUNMAP && v->flags & VMA_SPECIAL)
		return -EINVAL;
	if (flags & MREMAP_DONTUNMAP && !target_ok(addr, old, new, new_addr))
		return -EINVAL;
	if (flags & MREMAP_FIXED)
		return remap_fixed(vm, addr, old, new, flags, new_addr, dead);
	if (old > new) {
		if (old > v->end - addr && !vm_range_ok(addr, old))
			return -EINVAL;
		err = vm_unmap_locked(vm, addr + new, addr + old, dead);
		return err ? err : (long)addr;
	}
	err = check_resize(vm, v, addr, old, new);
	if (err)
		return err;
	if (old == new && !(flags & MREMAP_DONTUNMAP))
		return (long)addr;
	if (old && old < new &&grow_in_place(v, addr, old, new))
		return (long)addr;
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	if (flags & MREMAP_DONTUNMAP && new_addr >= MMAP_MIN_ADDR && vm_range_free(vm, new_addr, new))
		at = new_addr;
	else
		at = free_place(vm, addr, new);
	return at ? move_vma(v, addr, old, new, at, flags & MREMAP_DONTUNMAP, dead) : -ENOMEM;
}

long vm_mremap(struct vmspace *vm, u64 addr, u64 old_len, u64 new_len, u32 flags, u64 new_addr)
{
	struct vma *dead = NULL;
	u64 old = ALIGN_UP(old_len, PAGE_SIZE), new = ALIGN_UP(new_len, PAGE_SIZE);
	struct vma *v;
	bool locked = false;
	long at;

	if (flags & ~(u32)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if (flags & MREMAP_DONTUNMAP && old != new)
		return -EINVAL;
	if (addr & ~PAGE_MASK || !new || (old_len && !old))
		return -EINVAL;
	if (new > APP_LIMIT)
		return flags & MREMAP_FIXED ? -EINVAL : -ENOMEM;
	if (rwlock_write_lock_killable(&vm->lock))
		return -EINTR;
	at = remap_locked(vm, addr, old, new, flags, new_addr, &dead);
	v = at >= 0 ? vma_find_exact(vm, (u64)at) : NULL;
	if (v)
		locked = (v->flags & (VMA_LOCKED | VMA_LOCKONFAULT)) == VMA_LOCKED;
	rwlock_write_unlock(&vm->lock);
	vm_release_dead(dead);
	if (locked && new > old)
		(void)!vm_populate(vm, (u64)at + old, (u64)at + new, false, false);
	return at;
}
