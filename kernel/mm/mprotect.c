// SPDX-License-Identifier: BSD-2-Clause
/* mprotect(2). man-pages mprotect(2). Common is the step-by-step opening of a reservation (heaps, stacks,
 * arenas): the border between two VMAs then just moves, without a VMA made or freed. */
#include "fs/vfs.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "vm_internal.h"
#include <linux/mman.h>
#include <linux/mount.h>

/* May the page be written without a further fault, in a VMA with FLAGS? */
static bool writable_now(const struct vma *v, u32 flags, pte_t e)
{
	struct page *p;

	if (!(flags & VMA_WRITE))
		return false;
	if (flags & VMA_SHARED)
		return !(v->ops && v->ops->page_mkwrite) || pte_dirty(e);
	p = phys_to_page(pte_phys(e));
	return p->flags & PAGE_ANON && refcount_read(&p->ref) == 1 && (!(e & PTE_PS) || p->flags & PAGE_HEAD);
}

static void change_entry(struct tlb_batch *b, const struct vma *v, u32 flags, pte_t *slot, u64 addr, u64 size)
{
	pte_t old = *slot, new;

	if (pte_none(old))
		return;
	/* Hardware's dirty bit matters only where others share the page. */
	if (v->flags & VMA_SHARED)
		old = pte_exchange(slot, 0);
	new = pte_change(old, flags & VMA_RIGHTS, writable_now(v, flags, old), flags & VMA_EXEC);
	pte_write(slot, new);
	/* A translation that allows too little corrects itself by a fault; one that allows too much must go.
	 */
	if (pte_present(old) &&
	    (!pte_present(new) || (pte_writable(old) && !pte_writable(new)) || (new & ~old &PTE_NX)))
		tlb_batch_range(b, addr, addr + size);
}

/* Give the entries of [START, END) in V the rights of FLAGS. Large pages that the range cuts were split
 * before. */
static void change_range(struct vma *v, u64 start, u64 end, u32 flags)
{
	struct vmspace *vm = v->vm;
	struct tlb_batch b;
	u64 next;

	tlb_batch_begin(&b, vm, 0);
	for (u64 a = start; a < end; a = next) {
		pte_t *pmd = pt_next(vm, a, &next), e;
		struct spinlock *lock;
		pte_t *table;

		if (!pmd)
			continue;
		spin_lock(&vm->pt_lock);
		e = *pmd;
		if (pte_large(e))
			change_entry(&b, v, flags, pmd, a, HUGE_SIZE);
		spin_unlock(&vm->pt_lock);
		if (!pte_present(e) || pte_large(e))
			continue;
		lock = pt_table_lock(e);
		table = phys_to_virt(pte_phys(e));
		spin_lock(lock);
		for (u64 p = a; p < min(next, end); p += PAGE_SIZE)
			change_entry(&b, v, flags, &table[pt_index(p, 0)], p, PAGE_SIZE);
		spin_unlock(lock);
	}
	tlb_batch_end(&b);
}

/* [A, E) is the head of V and fits PREV, or the tail and fits NEXT: move the border. */
static bool move_border(struct vma *v, u64 a, u64 e, u32 flags)
{
	struct vma *to;
	u64 pgoff = v->pgoff + PAGES(a - v->start);
	bool head = a == v->start && e < v->end;

	if (v->file || v->ops || v->priv || v->policy || (!head && (a == v->start || e != v->end)))
		return false;
	to = head ? vma_prev(v) : vma_next(v);
	if (!to || to->flags != flags || to->file || to->ops || to->priv || to->policy ||
	    flags & VMA_GROWSDOWN)
		return false;
	if (head ? to->end != a || to->pgoff + vma_pages(to) != pgoff
		 : to->start != e || pgoff + PAGES(e - a) != to->pgoff)
		return false;
	rwlock_write_lock(&v->lock);
	rwlock_write_lock(&to->lock);
	if (split_edges(v->vm, a, e)) { /* with faults shut out */
		rwlock_write_unlock(&to->lock);
		rwlock_write_unlock(&v->lock);
		return false;
	}
	change_range(v, a, e, flags);
	if (head) {
		vma_set_bounds(v, e, v->end, v->pgoff + PAGES(e - a));
		vma_set_bounds(to, to->start, e, to->pgoff);
	} else {
		vma_set_bounds(v, v->start, a, v->pgoff);
		vma_set_bounds(to, a, to->end, pgoff);
	}
	rwlock_write_unlock(&to->lock);
	rwlock_write_unlock(&v->lock);
	return true;
}

/* Set V's rights over [A, E), which lies inside it. Returns the VMA that holds E - 1 afterwards, or ERR_PTR.
 */
static struct vma *protect_part(struct vma *v, u64 a, u64 e, u32 rights)
{
	u32 old = v->flags, new = (old & ~(u32)VMA_RIGHTS) | rights;
	struct vmspace *vm = v->vm;
	u64 pages = PAGES(e - a);
	int err;

	if (new == old)
		return v;
	if (rights & VMA_WRITE && !(old & VMA_MAYWRITE) && old & VMA_SHARED)
		return ERR_PTR(-EACCES);
	if (rights & ~old & VMA_EXEC && v->file && v->file->path.mnt &&
	    path_mount_flags(&v->file->path) & MS_NOEXEC)
		return ERR_PTR(-EACCES);
	if (rights & ~old & VMA_WRITE && !(old & VMA_SHARED)) {
		vm->total_vm -= pages; /* already counted in the size */
		err = vm_check_limits(vm, new, pages);
		vm->total_vm += pages;
		if (err)
			return ERR_PTR(-ENOMEM);
	}
	vm_account(vm, old, -(s64)pages);
	vm_account(vm, new, (s64)pages);
	if (move_border(v, a, e, new))
		return vma_find(vm, e - 1);
	v = vma_isolate(vm, a, e);
	if (IS_ERR(v))
		goto undo;
	rwlock_write_lock(&v->lock);
	v->flags = new;
	change_range(v, a, e, new);
	rwlock_write_unlock(&v->lock);
	return vma_merge(v);
undo:
	vm_account(vm, new, -(s64)pages);
	vm_account(vm, old, (s64)pages);
	return ERR_PTR(-ENOMEM);
}

static int protect_locked(struct vmspace *vm, u64 start, u64 end, u32 prot)
{
	struct vma *v = vma_find(vm, start);

	if (prot & PROT_GROWSDOWN) {
		if (!v || v->start >= end || !(v->flags & VMA_GROWSDOWN))
			return v && v->start < end ? -EINVAL : -ENOMEM;
		start = v->start;
	}
	for (u64 a = start; a < end;) {
		v = vma_find_exact(vm, a);
		if (!v)
			return -ENOMEM;
		if (v->flags & VMA_HUGETLB &&
		    (!IS_ALIGNED(a, HUGE_SIZE) || !IS_ALIGNED(min(v->end, end), HUGE_SIZE)))
			return -EINVAL;
		u64 e = min(v->end, end);

		v = protect_part(v, a, e, prot_to_vma(prot));
		if (IS_ERR(v))
			return (int)PTR_ERR(v);
		a = e;
	}
	return 0;
}

int vm_mprotect(struct vmspace *vm, u64 addr, u64 len, u32 prot)
{
	int err;

	if ((prot & (PROT_GROWSDOWN | PROT_GROWSUP)) == (PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (addr & ~PAGE_MASK)
		return -EINVAL;
	if (!len)
		return 0;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (!len || !vm_range_ok(addr, len))
		return -ENOMEM;
	if (prot & ~(u32)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (prot & PROT_GROWSUP)
		return -EINVAL; /* nothing grows up on this architecture */
	if (rwlock_write_lock_killable(&vm->lock))
		return -EINTR;
	err = protect_locked(vm, addr, addr + len, prot);
	rwlock_write_unlock(&vm->lock);
	return err;
}
