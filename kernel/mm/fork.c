// SPDX-License-Identifier: BSD-2-Clause
/* Copying an address space for fork(2): VMAs are cloned, private pages shared copy-on-write. Pages that the
 * child can find again by a fault (file pages) are not copied into its tables.
 *
 * All VMA locks are held for writing until every CPU of the parent has dropped its writable translations: a
 * thread that still had one could otherwise store into a page after another thread has copied it. */
#include "fs/file.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "vm_internal.h"

/* Private pages exist only where something may have been written. */
static bool has_private_pages(const struct vma *v)
{
	return !(v->flags & VMA_SHARED) && (vma_anonymous(v) || v->flags & VMA_MAYWRITE);
}

static int copy_large(struct vma *child, u64 a, pte_t *pmd, pte_t e)
{
	struct vmspace *vm = child->vm;
	pte_t *to = pt_make(vm, a, 1);

	if (!to)
		return -ENOMEM;
	thp_get(phys_to_page(pte_phys(e)));
	if (pte_writable(e))
		pte_clear_bits(pmd, PTE_W);
	pte_write(to, e & ~PTE_W);
	if (child->flags & VMA_HUGETLB) {
		atomic_fetch_add_explicit(&vm->hugetlb_pages, HUGE_PAGES, memory_order_relaxed);
		return 0;
	}
	atomic_fetch_add_explicit(&vm->rss_anon, HUGE_PAGES, memory_order_relaxed);
	atomic_fetch_add_explicit(&vm->huge_pages, HUGE_PAGES, memory_order_relaxed);
	return 0;
}

static int copy_table(struct vma *child, u64 a, u64 stop, pte_t *from)
{
	struct vmspace *vm = child->vm;
	pte_t *to = NULL;
	s64 anon = 0;

	for (; a < stop; a += PAGE_SIZE) {
		pte_t *slot = &from[pt_index(a, 0)], e = *slot;
		struct page *p;

		if (pte_none(e)) {
			a += pt_more_empty(slot, a, stop) * PAGE_SIZE;
			continue;
		}
		p = phys_to_page(pte_phys(e));
		if (!(p->flags & PAGE_ANON))
			continue;
		if (!to) {
			to = pt_make(vm, a, 0);
			if (!to)
				return -ENOMEM;
			to -= pt_index(a, 0);
		}
		page_get(p);
		if (pte_writable(e)) {
			pte_clear_bits(slot, PTE_W);
			e &= ~PTE_W;
		}
		to[pt_index(a, 0)] = e; /* the child is not running: plain stores */
		anon++;
	}
	atomic_fetch_add_explicit(&vm->rss_anon, anon, memory_order_relaxed);
	return 0;
}

/* Both spaces' entries of V become read-only and shared. V's lock is written. */
static int copy_entries(struct vma *v, struct vma *child)
{
	u64 next;

	for (u64 a = v->start; a < v->end; a = next) {
		pte_t *pmd = pt_next(v->vm, a, &next), e = pmd ? pte_read(pmd) : 0;
		int err = 0;

		if (pte_large(e))
			err = copy_large(child, a, pmd, e);
		else if (pte_present(e))
			err = copy_table(child, a, min(next, v->end), phys_to_virt(pte_phys(e)));
		if (err)
			return err;
	}
	return 0;
}

static struct vma *clone_vma(struct vma *v, struct vmspace *vm)
{
	struct vma *c = vma_alloc(vm);

	if (!c)
		return NULL;
	vm_store(c->start, v->start);
	vm_store(c->end, v->end);
	c->flags = v->flags & ~(u32)(VMA_LOCKED | VMA_LOCKONFAULT);
	c->pgoff = v->pgoff;
	c->file = v->file;
	c->policy = v->policy;
	c->policy_nodes = v->policy_nodes;
	c->ops = v->ops;
	c->priv = v->flags & VMA_HUGETLB ? NULL : v->priv; /* the reservation stays with the parent */
	if (c->file)
		file_get(c->file);
	if (c->ops && c->ops->open)
		c->ops->open(c);
	return c;
}

static int fork_vma(struct vma *v, struct vmspace *vm)
{
	struct vma *c;

	if (v->flags & VMA_DONTFORK)
		return 0;
	c = clone_vma(v, vm);
	if (!c)
		return -ENOMEM;
	vma_link(vm, c);
	vm_account(vm, c->flags, (s64)vma_pages(c));
	if (v->flags & VMA_WIPEONFORK || !has_private_pages(v))
		return 0;
	return copy_entries(v, c);
}

struct vmspace *vmspace_fork(struct vmspace *parent)
{
	struct vmspace *vm = vmspace_create();
	struct vma *v, *stop = NULL;
	int err = 0;

	if (!vm)
		return ERR_PTR(-ENOMEM);
	rwlock_write_lock(&parent->lock);
	vm->brk_start = parent->brk_start;
	vm->brk_end = parent->brk_end;
	vm->code_start = parent->code_start;
	vm->code_end = parent->code_end;
	vm->data_start = parent->data_start;
	vm->data_end = parent->data_end;
	vm->mmap_base = parent->mmap_base;
	vm->vdso = parent->vdso;
	vm->policy = parent->policy;
	for (v = vma_find(parent, 0); v; v = vma_next(v)) {
		rwlock_write_lock(&v->lock);
		stop = v;
		err = fork_vma(v, vm);
		if (err)
			break;
	}
	tlb_flush_all(parent);
	for (v = vma_find(parent, 0); stop && v; v = v == stop ? NULL : vma_next(v))
		rwlock_write_unlock(&v->lock);
	rwlock_write_unlock(&parent->lock);
	if (err) {
		vmspace_put(vm);
		return ERR_PTR(err);
	}
	return vm;
}
