// SPDX-License-Identifier: BSD-2-Clause
/* The system calls of the layout: mmap, munmap, mprotect, mremap, brk, madvise, mincore, msync. Semantics
 * live in the vm_* functions; here are the ABI's argument checks. */
#include "base/string.h"
#include "fs/file.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include "kernel/syscall.h"
#include "vm_internal.h"
#include <linux/mman.h>

SYSCALL_DEFINE6(mmap, u64, addr, u64, len, u64, prot, u64, flags, int, fd, u64, off)
{
	struct file *file = NULL;
	long at;

	if (off & ~PAGE_MASK)
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		file = fd_get(fd);
		if (!file)
			return -EBADF;
	} else {
		off = 0;
	}
	at = vm_mmap(current->vm, addr, len, (u32)prot, (u32)flags, file, off);
	if (file)
		file_put(file);
	return at;
}

SYSCALL_DEFINE2(munmap, u64, addr, u64, len)
{
	return vm_munmap(current->vm, addr, len);
}

SYSCALL_DEFINE3(mprotect, u64, addr, u64, len, u64, prot)
{
	return vm_mprotect(current->vm, addr, len, (u32)prot);
}

SYSCALL_DEFINE5(mremap, u64, addr, u64, old_len, u64, new_len, u64, flags, u64, new_addr)
{
	if (flags >> 32)
		return -EINVAL;
	return vm_mremap(current->vm, addr, old_len, new_len, (u32)flags, new_addr);
}

SYSCALL_DEFINE1(brk, u64, addr)
{
	return (long)vm_brk(current->vm, addr);
}

SYSCALL_DEFINE3(madvise, u64, addr, u64, len, int, advice)
{
	return vm_madvise(current->vm, addr, len, advice);
}

/* The file that is mapped shared all over [ADDR, END), with the same FLAGS, and a reference to it; NULL: it
 * is not so. */
static struct file *shared_file(struct vmspace *vm, u64 addr, u64 end, u32 *flags)
{
	struct file *file = NULL;
	struct vma *v, *next;

	rwlock_read_lock(&vm->lock);
	v = vma_find_exact(vm, addr);
	while (v && v->end < end) {
		next = vma_next(v);
		if (!next || next->start != v->end || next->file != v->file || next->flags != v->flags)
			next = NULL;
		v = next;
	}
	if (v && v->flags & VMA_SHARED && v->file) {
		file = v->file;
		file_get(file);
		*flags = v->flags;
	}
	rwlock_read_unlock(&vm->lock);
	return file;
}

/* As Linux has it since 4.0: the pages are mapped anew, as a mapping of their own. */
SYSCALL_DEFINE5(remap_file_pages, u64, addr, u64, size, u64, prot, u64, pgoff, u64, flags)
{
	struct file *file;
	u32 f;
	long at;

	addr = ALIGN_DOWN(addr, PAGE_SIZE);
	size = ALIGN_DOWN(size, PAGE_SIZE);
	if (prot || addr + size <= addr || pgoff + PAGES(size) < pgoff)
		return -EINVAL;
	file = shared_file(current->vm, addr, addr + size, &f);
	if (!file)
		return -EINVAL;
	flags &= MAP_NONBLOCK;
	flags |= MAP_SHARED | MAP_FIXED | MAP_POPULATE | (f & VMA_LOCKED ? MAP_LOCKED : 0);
	prot = (f & VMA_READ ? PROT_READ : 0) | (f & VMA_WRITE ? PROT_WRITE : 0) |
	       (f & VMA_EXEC ? PROT_EXEC : 0);
	at = pgoff > ~0ull >> PAGE_SHIFT
		     ? -EOVERFLOW
		     : vm_mmap(current->vm, addr, size, (u32)prot, (u32)flags, file, pgoff << PAGE_SHIFT);
	file_put(file);
	return at < 0 ? at : 0;
}

/* Is the page at A of V in memory: mapped, or in the page cache? */
static bool resident(struct vma *v, u64 a)
{
	struct page_cache *cache = v->file && v->file->inode ? v->file->inode->cache : NULL;
	u64 next;
	pte_t *pmd = pt_next(v->vm, a, &next), e = pmd ? pte_read(pmd) : 0;
	struct page *p;

	if (pte_large(e))
		return true;
	if (pte_present(e) && !pte_none(pte_read((pte_t *)phys_to_virt(pte_phys(e)) + pt_index(a, 0))))
		return true;
	p = cache ? pagecache_peek(cache, v->pgoff + PAGES(a - v->start)) : NULL;
	if (p)
		page_put(p);
	return p;
}

SYSCALL_DEFINE3(mincore, u64, addr, u64, len, u8 __app *, vec)
{
	struct vmspace *vm = current->vm;
	u8 out[256];
	u64 pages, done = 0;

	if (addr & ~PAGE_MASK)
		return -EINVAL;
	if (!vm_range_ok(addr, len))
		return -ENOMEM;
	pages = PAGES(ALIGN_UP(len, PAGE_SIZE));
	if (!app_range_ok(vec, pages))
		return -EFAULT;
	while (done < pages) {
		u64 a = addr + done * PAGE_SIZE, n = 0;
		struct vma *v = vma_lock_read(vm, a);

		if (!v)
			return -ENOMEM;
		for (; n < sizeof out && done + n < pages && a < v->end; n++, a += PAGE_SIZE)
			out[n] = resident(v, a);
		vma_unlock_read(v);
		if (copy_to_app(vec + done, out, n))
			return -EFAULT;
		done += n;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/* Tell the page cache which pages of [A, E) were written through V, and watch for the next write. V is locked
 * for reading. */
static void collect_dirty(struct vma *v, u64 a, u64 e)
{
	struct vmspace *vm = v->vm;
	bool tracked = v->ops && v->ops->page_mkwrite;
	u64 next;

	for (u64 at = a; at < e; at = next) {
		pte_t *pmd = pt_next(vm, at, &next), d = pmd ? pte_read(pmd) : 0;
		struct spinlock *lock;
		pte_t *table;

		if (!pte_present(d) || pte_large(d))
			continue;
		lock = pt_table_lock(d);
		table = phys_to_virt(pte_phys(d));
		spin_lock(lock);
		for (u64 p = at; p < min(next, e); p += PAGE_SIZE) {
			pte_t *slot = &table[pt_index(p, 0)];

			if (!pte_maps(*slot) || !pte_dirty(*slot))
				continue;
			atomic_fetch_or_explicit(&phys_to_page(pte_phys(*slot))->flags, PAGE_DIRTY,
						 memory_order_relaxed);
			pte_clear_bits(slot, PTE_D | (tracked ? PTE_W : 0));
		}
		spin_unlock(lock);
	}
	tlb_flush_range(vm, a, e, false);
}

SYSCALL_DEFINE3(msync, u64, addr, u64, len, int, flags)
{
	struct vmspace *vm = current->vm;
	u64 size = ALIGN_UP(len, PAGE_SIZE), end = addr + size;
	int result = 0;

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || (flags & MS_ASYNC && flags & MS_SYNC) ||
	    addr & ~PAGE_MASK)
		return -EINVAL;
	if (end < addr || end > APP_LIMIT)
		return -ENOMEM;
	for (u64 a = addr; a < end;) {
		struct vma *v = vma_lock_read(vm, a);
		struct file *file = NULL;
		u64 e;

		if (!v) {
			result = -ENOMEM;
			rwlock_read_lock(&vm->lock);
			v = vma_find(vm, a);
			a = v ? max(v->start, a) : end;
			rwlock_read_unlock(&vm->lock);
			continue;
		}
		e = min(v->end, end);
		if (flags & MS_INVALIDATE && v->flags & VMA_LOCKED) {
			vma_unlock_read(v);
			return -EBUSY;
		}
		if (v->flags & VMA_SHARED && v->file && flags & MS_SYNC) {
			collect_dirty(v, a, e);
			if (v->file->ops->fsync) {
				file = v->file;
				file_get(file);
			}
		}
		vma_unlock_read(v);
		if (file) {
			int err = file->ops->fsync(file, true);

			file_put(file);
			if (err)
				return err;
		}
		a = e;
	}
	return result;
}
