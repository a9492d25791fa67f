// SPDX-License-Identifier: BSD-2-Clause
/* madvise(2). man-pages madvise(2). Advice that only drops or brings in pages takes no lock of the whole
 * space when one VMA holds the range; advice that changes a VMA's flags splits it and so does. */
#include "fs/file.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "vm_internal.h"
#include <linux/falloc.h>
#include <linux/mman.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* Drop V's pages in [A, E). V is locked for reading: faults go on beside it. */
static int drop_pages(struct vma *v, u64 a, u64 e, int advice)
{
	struct tlb_batch b;
	int err;

	if (v->flags & VMA_LOCKED && advice != MADV_DONTNEED_LOCKED)
		return -EINVAL;
	if (v->flags & (VMA_SPECIAL | VMA_IO) || (advice == MADV_FREE && !vma_anonymous(v)))
		return -EINVAL;
	if (v->flags & VMA_HUGETLB && (!IS_ALIGNED(a, HUGE_SIZE) || !IS_ALIGNED(e, HUGE_SIZE) || v->priv))
		return -EINVAL; /* a reservation cannot be given back in part */
	tlb_batch_begin(&b, v->vm, PAGES(e - a));
	err = zap_range(&b, v, a, e, 0);
	tlb_batch_end(&b);
	return err;
}

/* MADV_PAGEOUT: file pages that nobody else uses go, and are read again when touched; anonymous ones stay,
 * for there is no swap. V is locked for reading. */
static int page_out(struct vma *v, u64 a, u64 e)
{
	struct page_cache *c = v->file && v->file->inode ? v->file->inode->cache : NULL;
	u64 first = v->pgoff + PAGES(a - v->start);
	struct tlb_batch b;
	int err;

	if (v->flags & (VMA_LOCKED | VMA_HUGETLB | VMA_IO))
		return -EINVAL;
	if (!c || c->unevictable)
		return 0;
	tlb_batch_begin(&b, v->vm, PAGES(e - a));
	err = zap_range(&b, v, a, e, ZAP_FILE_ONLY);
	tlb_batch_end(&b);
	pagecache_invalidate(c, first, first + PAGES(e - a));
	return err;
}

/* Take the marks of use off the entries of [A, E), which D's table holds, and off pages that nobody else
 * maps. */
static void cool_table(struct tlb_batch *b, pte_t d, u64 a, u64 e)
{
	struct spinlock *lock = pt_table_lock(d);
	pte_t *table = phys_to_virt(pte_phys(d));

	spin_lock(lock);
	for (; a < e; a += PAGE_SIZE) {
		pte_t *slot = &table[pt_index(a, 0)], old = *slot;
		struct page *p = pte_maps(old) ? phys_to_page(pte_phys(old)) : NULL;

		if (!p || p->flags & PAGE_RESERVED)
			continue;
		if (pte_accessed(old)) {
			pte_clear_bits(slot, PTE_A);
			tlb_batch_range(b, a, a + PAGE_SIZE);
		}
		if (p->flags & PAGE_ACCESSED && p->mapcount == 1)
			atomic_fetch_and_explicit(&p->flags, ~(u32)PAGE_ACCESSED, memory_order_relaxed);
	}
	spin_unlock(lock);
}

/* Take the marks of use off [A, E) of V; off a large page only as a whole. V, or vm->lock, is locked for
 * reading. */
static void cool_range(struct vma *v, u64 a, u64 e)
{
	struct tlb_batch b;
	u64 next;

	tlb_batch_begin(&b, v->vm, 0);
	for (; a < e; a = next) {
		pte_t *pmd = pt_next(v->vm, a, &next), d = pmd ? pte_read(pmd) : 0;

		next = min(next, e);
		if (!pte_large(d)) {
			if (pte_present(d))
				cool_table(&b, d, a, next);
		} else if (next - a == HUGE_SIZE && pte_accessed(d)) {
			spin_lock(&v->vm->pt_lock);
			if (pte_large(*pmd))
				pte_clear_bits(pmd, PTE_A);
			spin_unlock(&v->vm->pt_lock);
			tlb_batch_range(&b, a, next);
		}
	}
	tlb_batch_end(&b);
}

/* MADV_COLD: reclaim, which takes idle pages first, finds these idle. V is locked for reading. */
static int make_cold(struct vma *v, u64 a, u64 e)
{
	if (v->flags & (VMA_LOCKED | VMA_HUGETLB | VMA_IO))
		return -EINVAL;
	cool_range(v, a, e);
	return 0;
}

void vm_clear_refs(struct vmspace *vm, int what)
{
	if (what == VM_CLEAR_SOFT_DIRTY)
		return; /* nobody looks for that mark: all memory shows it, always */
	if (what == VM_CLEAR_PEAK) {
		atomic_store_explicit(&vm->peak_rss, vm_rss(vm), memory_order_relaxed);
		return;
	}
	rwlock_read_lock(&vm->lock);
	for (struct vma *v = vma_find(vm, 0); v; v = vma_next(v))
		if (!(v->flags & VMA_HUGETLB) && what != (v->file ? VM_CLEAR_ANON : VM_CLEAR_MAPPED))
			cool_range(v, v->start, v->end);
	rwlock_read_unlock(&vm->lock);
}

/* MADV_REMOVE: punch a hole into the file below. Unlocks V. */
static int remove_pages(struct vma *v, u64 a, u64 e)
{
	struct file *f = v->file;
	u64 off = (v->pgoff << PAGE_SHIFT) + (a - v->start);
	int err = 0;

	if (v->flags & VMA_LOCKED || !f || !f->inode)
		err = -EINVAL;
	else if ((v->flags & (VMA_SHARED | VMA_WRITE)) != (VMA_SHARED | VMA_WRITE))
		err = -EACCES;
	else if (!f->ops->fallocate)
		err = -EOPNOTSUPP;
	else
		file_get(f);
	vma_unlock_read(v); /* the file system takes its own locks, and unmaps by the page cache's list */
	if (err)
		return err;
	err = f->ops->fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, e - a);
	file_put(f);
	return err;
}

static void read_ahead(struct vma *v, u64 a, u64 e)
{
	if (v->file && v->file->inode && v->file->inode->cache)
		pagecache_readahead(v->file->inode->cache, v->pgoff + PAGES(a - v->start), PAGES(e - a));
}

/* Advice that works on pages, VMA by VMA. A hole is remembered, the rest still done. */
static int advise_pages(struct vmspace *vm, u64 start, u64 end, int advice)
{
	int result = 0;

	for (u64 a = start; a < end;) {
		struct vma *v = vma_lock_read(vm, a);
		u64 e;
		int err = 0;

		if (!v) {
			result = -ENOMEM;
			rwlock_read_lock(&vm->lock);
			v = vma_find(vm, a);
			a = v ? max(v->start, a) : end;
			rwlock_read_unlock(&vm->lock);
			continue;
		}
		e = min(v->end, end);
		switch (advice) {
		case MADV_DONTNEED:
		case MADV_DONTNEED_LOCKED:
		case MADV_FREE:
			err = drop_pages(v, a, e, advice);
			break;
		case MADV_PAGEOUT:
			err = page_out(v, a, e);
			break;
		case MADV_COLD:
			err = make_cold(v, a, e);
			break;
		case MADV_REMOVE:
			err = remove_pages(v, a, e);
			v = NULL;
			break;
		case MADV_WILLNEED:
			read_ahead(v, a, e);
			break;
		}
		if (v)
			vma_unlock_read(v);
		if (err)
			return err;
		a = e;
	}
	return result;
}

/* What ADVICE makes of V's flags; -EINVAL when it does not apply. */
static s64 advised_flags(const struct vma *v, int advice)
{
	u32 f = v->flags;

	switch (advice) {
	case MADV_NORMAL:
		return f & ~(u32)(VMA_SEQUENTIAL | VMA_RANDOM);
	case MADV_RANDOM:
		return (f | VMA_RANDOM) & ~(u32)VMA_SEQUENTIAL;
	case MADV_SEQUENTIAL:
		return (f | VMA_SEQUENTIAL) & ~(u32)VMA_RANDOM;
	case MADV_DONTFORK:
		return f | VMA_DONTFORK;
	case MADV_DOFORK:
		return f & VMA_IO ? -EINVAL : (s64)(f & ~(u32)VMA_DONTFORK);
	case MADV_WIPEONFORK:
		return vma_anonymous(v) && !(f & VMA_SHARED) ? (s64)(f | VMA_WIPEONFORK) : -EINVAL;
	case MADV_KEEPONFORK:
		return f & VMA_SPECIAL ? -EINVAL : (s64)(f & ~(u32)VMA_WIPEONFORK);
	case MADV_DONTDUMP:
		return f | VMA_DONTDUMP;
	case MADV_DODUMP:
		return f & VMA_IO ? -EINVAL : (s64)(f & ~(u32)VMA_DONTDUMP);
	case MADV_HUGEPAGE:
		return f & (VMA_SPECIAL | VMA_IO) ? -EINVAL
						  : (s64)((f | VMA_HUGEPAGE) & ~(u32)VMA_NOHUGEPAGE);
	case MADV_NOHUGEPAGE:
		return f & VMA_SPECIAL ? -EINVAL : (s64)((f | VMA_NOHUGEPAGE) & ~(u32)VMA_HUGEPAGE);
	default:
		return -EINVAL;
	}
}

static int advise_flags(struct vmspace *vm, u64 start, u64 end, int advice)
{
	int result = 0;

	if (rwlock_write_lock_killable(&vm->lock))
		return -EINTR;
	for (u64 a = start; a < end;) {
		struct vma *v = vma_find(vm, a);
		s64 flags;
		u64 e;

		if (!v || v->start > a) {
			result = -ENOMEM;
			a = v ? min(v->start, end) : end;
			continue;
		}
		e = min(v->end, end);
		flags = advised_flags(v, advice);
		if (flags >= 0 && (u32)flags != v->flags) {
			v = vma_isolate(vm, a, e);
			if (IS_ERR(v)) {
				result = PTR_ERR(v) == -EINVAL ? -EINVAL : -EAGAIN;
				break;
			}
			rwlock_write_lock(&v->lock);
			v->flags = (u32)flags;
			rwlock_write_unlock(&v->lock);
			vma_merge(v);
			if (advice == MADV_HUGEPAGE)
				thp_missed();
		} else if (flags < 0) {
			result = (int)flags;
			break;
		}
		a = e;
	}
	rwlock_write_unlock(&vm->lock);
	return result;
}

static int advise_collapse(struct vmspace *vm, u64 start, u64 end)
{
	int result = 0;
	bool any = false;

	if (rwlock_write_lock_killable(&vm->lock))
		return -EINTR;
	if (!vma_find_exact(vm, start)) {
		any = true;
		result = -ENOMEM;
	}
	for (u64 a = ALIGN_UP(start, HUGE_SIZE); a < end && end - a >= HUGE_SIZE; a += HUGE_SIZE) {
		struct vma *v = vma_find_exact(vm, a);
		int err = -EINVAL;

		any = true;
		if (v && vma_anonymous(v) && !(v->flags & (VMA_NOHUGEPAGE | VMA_HUGETLB)) &&
		    v->end - a >= HUGE_SIZE) {
			rwlock_write_lock(&v->lock);
			err = thp_collapse(v, a, 0);
			rwlock_write_unlock(&v->lock);
		}
		if (err && !result)
			result = err;
	}
	rwlock_write_unlock(&vm->lock);
	return any ? result : -EINVAL;
}

int vm_madvise(struct vmspace *vm, u64 addr, u64 len, int advice)
{
	u64 size = ALIGN_UP(len, PAGE_SIZE), end = addr + size;

	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_COLLAPSE:
		break;
	default: /* same-page merging and memory failure injection are not built */
		return -EINVAL;
	}
	if (addr & ~PAGE_MASK || (len && !size) || end < addr)
		return -EINVAL;
	if (!size)
		return 0;
	if (!vm_range_ok(addr, size))
		return -ENOMEM;
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
		return advise_flags(vm, addr, end, advice);
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE: {
		int err = vm_populate(vm, addr, end, advice == MADV_POPULATE_WRITE,
				      advice == MADV_POPULATE_READ);

		return err == -EIO ? -EFAULT : err;
	}
	case MADV_COLLAPSE:
		return advise_collapse(vm, addr, end);
	default:
		return advise_pages(vm, addr, end, advice);
	}
}
