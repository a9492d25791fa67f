// SPDX-License-Identifier: BSD-2-Clause
/* Making mapped file pages reclaimable: when the page cache has nothing unmapped left to give up, entries
 * that were not used since the last visit are dropped (a later access is a minor fault, or a read); used ones
 * lose their mark of use.
 *
 * It runs inside the page allocator, below any sleeping lock of the caller: it only tries vm->lock, never
 * sleeps, and allocates nothing. A space is kept alive by `pins`, which vmspace_put() waits for, since a
 * reference dropped here could be the last. */
#include "fs/file.h"
#include "fs/vfs.h"
#include "internal.h"
#include "kernel/counter.h"
#include "kernel/log.h"
#include "vm_internal.h"

#define LOOK_VMAS 4096 /* of one space at a time: there may be hundreds of thousands */

DEFINE_COUNTER(reclaim_unmapped, "mapped file pages whose mapping was dropped to make room");

static struct spinlock all_lock;
static LIST_HEAD(all_spaces); /* guarded by all_lock; reclaim moves what it has visited to the end */

void reclaim_add_space(struct vmspace *vm)
{
	u64 irq = spin_lock_irqsave(&all_lock);

	list_add_tail(&vm->all_node, &all_spaces);
	spin_unlock_irqrestore(&all_lock, irq);
}

void reclaim_remove_space(struct vmspace *vm)
{
	u64 irq = spin_lock_irqsave(&all_lock);

	list_del(&vm->all_node);
	spin_unlock_irqrestore(&all_lock, irq);
	while (atomic_load_explicit(&vm->pins, memory_order_acquire))
		cpu_relax(); /* reclaim does not sleep */
}

void vm_add_stats(struct memory_stats *out)
{
	u64 irq = spin_lock_irqsave(&all_lock);
	struct vmspace *vm;

	list_for_each_entry (vm, &all_spaces, all_node) {
		out->anon += (u64)atomic_load_explicit(&vm->rss_anon, memory_order_relaxed);
		out->page_tables += (u64)atomic_load_explicit(&vm->pt_pages, memory_order_relaxed);
		out->locked += min(READ_ONCE(vm->locked_vm), vm_rss(vm));
		out->huge += (u64)atomic_load_explicit(&vm->huge_pages, memory_order_relaxed);
	}
	spin_unlock_irqrestore(&all_lock, irq);
}

/* May the entry E of a file page go? Used ones are marked unused for the next time. */
static bool idle_entry(pte_t *slot, pte_t e, const struct page *p)
{
	if (!pte_maps(e) || p->flags & (PAGE_ANON | PAGE_UNEVICTABLE | PAGE_RESERVED) || pte_dirty(e))
		return false;
	if (!pte_accessed(e))
		return true;
	pte_clear_bits(slot, PTE_A); /* a cached translation may hide a use: no matter */
	return false;
}

/* Look through the entries of [START, END), one lowest-level table's. Returns how many pages were unmapped.
 */
static u64 scan_table(struct tlb_batch *b, struct vma *v, pte_t d, u64 start, u64 end)
{
	struct spinlock *lock = pt_table_lock(d);
	pte_t *table = phys_to_virt(pte_phys(d));
	u64 n = 0;

	spin_lock(lock);
	for (u64 a = start; a < end; a += PAGE_SIZE) {
		pte_t *slot = &table[pt_index(a, 0)], e = *slot;
		struct page *p = pte_none(e) ? NULL : phys_to_page(pte_phys(e));

		if (!p || !idle_entry(slot, e, p))
			continue;
		e = pte_exchange(slot, 0);
		tlb_batch_range(b, a, a + PAGE_SIZE);
		page_unmapped(b, v, p, e);
		n++;
		if (tlb_batch_page(b, p)) {
			spin_unlock(lock);
			tlb_batch_flush(b);
			spin_lock(lock);
		}
	}
	spin_unlock(lock);
	return n;
}

static u64 scan_vma(struct tlb_batch *b, struct vma *v, u64 start, u64 want)
{
	u64 n = 0, next;

	for (u64 a = start; a < v->end && n < want; a = next) {
		pte_t *pmd = pt_next(v->vm, a, &next), d = pmd ? pte_read(pmd) : 0;

		v->vm->reclaim_at = min(next, v->end);
		if (pte_present(d) && !pte_large(d))
			n += scan_table(b, v, d, a, min(next, v->end));
	}
	return n;
}

static u64 scan_space(struct vmspace *vm, u64 want)
{
	unsigned look = LOOK_VMAS;
	struct tlb_batch b;
	struct vma *v;
	u64 n = 0;

	if (!rwlock_read_trylock(&vm->lock))
		return 0;
	tlb_batch_begin(&b, vm, 0);
	for (v = vma_find(vm, vm->reclaim_at); v && n < want && look; v = vma_next(v), look--)
		if (v->file && v->file->inode && v->file->inode->cache &&
		    !(v->flags & (VMA_LOCKED | VMA_HUGETLB)))
			n += scan_vma(&b, v, max(v->start, vm->reclaim_at), want - n);
	if (!v)
		vm->reclaim_at = 0;
	else if (!look)
		vm->reclaim_at = v->start;
	tlb_batch_end(&b);
	rwlock_read_unlock(&vm->lock);
	return n;
}

/* The space that was visited longest ago, pinned. */
static struct vmspace *next_space(void)
{
	u64 irq = spin_lock_irqsave(&all_lock);
	struct vmspace *vm = NULL;

	if (!list_empty(&all_spaces)) {
		vm = list_first_entry(&all_spaces, struct vmspace, all_node);
		list_move_tail(&vm->all_node, &all_spaces);
		atomic_fetch_add_explicit(&vm->pins, 1, memory_order_relaxed);
	}
	spin_unlock_irqrestore(&all_lock, irq);
	return vm;
}

static unsigned count_spaces(void)
{
	u64 irq = spin_lock_irqsave(&all_lock);
	unsigned n = 0;

	list_for_each (p, &all_spaces)
		n++;
	spin_unlock_irqrestore(&all_lock, irq);
	return n;
}

u64 vm_reclaim_mapped(u64 want)
{
	u64 n = 0;

	/* Twice round: the first time may only take the marks away. */
	for (unsigned left = 2 * count_spaces(); left && n < want; left--) {
		struct vmspace *vm = next_space();

		if (!vm)
			break;
		n += scan_space(vm, want - n);
		atomic_fetch_sub_explicit(&vm->pins, 1, memory_order_release);
	}
	counter_add(&reclaim_unmapped, n);
	return n;
}
