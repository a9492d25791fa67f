// SPDX-License-Identifier: BSD-2-Clause
/* Looking into address spaces from the kernel: other processes' memory, futex keys, residency figures. */
#include "base/string.h"
#include "fs/file.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/log.h"
#include "vm_internal.h"

/* Copy within the page of ADDR if it is there with the access asked for. Bytes copied, 0 when a fault must
 * come first. */
static size_t access_page(struct vma *v, u64 addr, void *buf, size_t len, bool write)
{
	struct vmspace *vm = v->vm;
	u64 next;
	pte_t *pmd = pt_next(vm, addr, &next), e;
	struct spinlock *lock = &vm->pt_lock;
	u8 *mem;

	if (!pmd)
		return 0;
	spin_lock(lock);
	e = *pmd;
	if (pte_present(e) && !pte_large(e)) {
		spin_unlock(lock);
		lock = pt_table_lock(e);
		spin_lock(lock);
		e = *((pte_t *)phys_to_virt(pte_phys(e)) + pt_index(addr, 0));
		len = min(len, PAGE_SIZE - (addr & ~PAGE_MASK));
		mem = phys_to_virt(pte_phys(e) + (addr & ~PAGE_MASK));
	} else {
		len = min(len, HUGE_SIZE - (addr & (HUGE_SIZE - 1)));
		mem = phys_to_virt(pte_phys(e) + (addr & (HUGE_SIZE - 1)));
	}
	if (!pte_present(e) || (write && !pte_writable(e)))
		len = 0;
	else if (write)
		memcpy(mem, buf, len);
	else
		memcpy(buf, mem, len);
	spin_unlock(lock);
	return len;
}

size_t vm_access(struct vmspace *vm, u64 addr, void *buf, size_t len, bool write)
{
	size_t done = 0;

	while (done < len && addr + done < APP_LIMIT) {
		u64 a = addr + done;
		size_t n = 0, want = min(len - done, PAGE_SIZE);
		struct vma *v = vma_lock_read(vm, a);
		int err = 0;

		if (!v)
			break;
		want = min(want, (size_t)(v->end - a));
		if (!(v->flags & (write ? VMA_WRITE : VMA_RIGHTS)))
			err = -EFAULT;
		if (!err)
			n = access_page(v, a, buf ? (char *)buf + done : NULL, want, write);
		if (!err && !n)
			err = vma_fault(v, ALIGN_DOWN(a, PAGE_SIZE), write ? FAULT_WRITE : 0);
		vma_unlock_read(v);
		if (err && err != -EAGAIN)
			break;
		done += n;
	}
	return done;
}

size_t vm_read_present(struct vmspace *vm, u64 addr, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len && addr + done < APP_LIMIT) {
		struct vma *v = vma_lock_read(vm, addr + done);
		size_t n = 0;

		if (!v)
			break;
		n = access_page(v, addr + done, (char *)buf + done,
				min(min(len - done, PAGE_SIZE), (size_t)(v->end - addr - done)), false);
		vma_unlock_read(v);
		if (!n)
			break;
		done += n;
	}
	return done;
}

/* *KEY is that of private memory, which a private mapping of a file is once it may be written. -EFAULT where
 * an access would fault (no rights, behind the end of the file) and, as on Linux, for private memory that is
 * read-only. */
static int futex_key_of(struct vma *v, u64 addr, struct futex_key *key)
{
	struct inode *inode = v->file ? v->file->inode : NULL;
	u64 offset = (v->pgoff << PAGE_SHIFT) + (addr - v->start);

	if (!(v->flags & VMA_RIGHTS))
		return -EFAULT;
	if (!inode || (v->flags & (VMA_SHARED | VMA_WRITE)) == VMA_WRITE)
		return v->flags & (VMA_SHARED | VMA_WRITE) ? 0 : -EFAULT;
	if (inode->cache && offset >= ALIGN_UP(inode->size, PAGE_SIZE))
		return -EFAULT;
	*key = (struct futex_key){.object = (u64)inode, .offset = offset, .shared = true};
	inode_get(inode);
	return 0;
}

int vm_futex_key(struct vmspace *vm, u64 addr, bool private, struct futex_key *key)
{
	struct vma *v;
	int err;

	if (addr >= APP_LIMIT)
		return -EFAULT;
	*key = (struct futex_key){.object = (u64)vm, .offset = addr, .shared = false};
	if (private)
		return 0;
	v = vma_lock_read(vm, addr);
	if (!v)
		return -EFAULT;
	err = futex_key_of(v, addr, key);
	vma_unlock_read(v);
	return err;
}

void vm_futex_key_put(struct futex_key *key)
{
	if (key->shared)
		inode_put((struct inode *)key->object);
}

static void count_page(struct vma_usage *u, pte_t e, struct page *p, u64 bytes)
{
	bool anon = p->flags & PAGE_ANON, dirty = anon || pte_dirty(e) || p->flags & PAGE_DIRTY;
	u32 maps = anon ? refcount_read(&p->ref) : atomic_load_explicit(&p->mapcount, memory_order_relaxed);
	u64 share = bytes / max(maps, 1u);

	u->rss += bytes;
	u->pss += share;
	if (dirty)
		u->pss_dirty += share;
	if (anon)
		u->anonymous += bytes;
	*(anon ? &u->pss_anon : p->flags & PAGE_UNEVICTABLE ? &u->pss_shmem : &u->pss_file) += share;
	if (pte_accessed(e))
		u->referenced += bytes;
	if (maps > 1)
		*(dirty ? &u->shared_dirty : &u->shared_clean) += bytes;
	else
		*(dirty ? &u->private_dirty : &u->private_clean) += bytes;
}

/* Pages of the pool are no part of the resident set. */
static void count_large(struct vma_usage *u, const struct vma *v, pte_t e)
{
	struct page *p = phys_to_page(pte_phys(e));

	if (v->flags & VMA_HUGETLB) {
		*(refcount_read(&p->ref) > 1 ? &u->hugetlb_shared : &u->hugetlb_private) += HUGE_SIZE;
		return;
	}
	count_page(u, e, p, HUGE_SIZE);
	u->huge += HUGE_SIZE;
}

void vma_usage(struct vma *v, struct vma_usage *u)
{
	struct vmspace *vm = v->vm;
	u64 next;

	memset(u, 0, sizeof *u);
	for (u64 a = v->start; a < v->end; a = next) {
		pte_t *pmd = pt_next(vm, a, &next), e;
		struct spinlock *lock;
		pte_t *table;

		if (!pmd)
			continue;
		spin_lock(&vm->pt_lock);
		e = *pmd;
		if (pte_large(e))
			count_large(u, v, e);
		spin_unlock(&vm->pt_lock);
		if (!pte_present(e) || pte_large(e))
			continue;
		lock = pt_table_lock(e);
		table = phys_to_virt(pte_phys(e));
		spin_lock(lock);
		for (u64 p = a; p < min(next, v->end); p += PAGE_SIZE) {
			pte_t s = table[pt_index(p, 0)];
			struct page *pg = pte_none(s) ? NULL : phys_to_page(pte_phys(s));

			if (pg && !(pg->flags & PAGE_RESERVED))
				count_page(u, s, pg, PAGE_SIZE);
		}
		spin_unlock(lock);
	}
	if (v->flags & VMA_LOCKED)
		u->locked = u->pss;
}

static u64 pagemap_entry(pte_t e, const struct page *p, u64 frame)
{
	u32 flags = p->flags;
	u32 maps = flags & PAGE_ANON
			   ? refcount_read(&p->ref)
			   : atomic_load_explicit((_Atomic u32 *)&p->mapcount, memory_order_relaxed);

	return PAGEMAP_PRESENT | PAGEMAP_DIRTY | frame |
	       (flags & (PAGE_ANON | PAGE_RESERVED) ? 0 : PAGEMAP_FILE) | (maps == 1 ? PAGEMAP_ALONE : 0);
}

/* The pages of [A, E), which one lowest-level table covers, of V, whose lock is held. */
static void pagemap_table(struct vma *v, u64 a, u64 e, pte_t *pmd, u64 *out)
{
	struct spinlock *lock;
	pte_t d = pte_read(pmd);

	if (pte_large(d)) {
		struct page *p = phys_to_page(pte_phys(d));

		for (; a < e; a += PAGE_SIZE)
			*out++ = pagemap_entry(d, p, PAGES(pte_phys(d) + (a & (HUGE_SIZE - 1))));
		return;
	}
	if (!pte_present(d))
		return;
	lock = pt_table_lock(d);
	spin_lock(lock);
	for (; a < e; a += PAGE_SIZE, out++) {
		pte_t s = ((pte_t *)phys_to_virt(pte_phys(d)))[pt_index(a, 0)];
		struct page *p = pte_maps(s) ? phys_to_page(pte_phys(s)) : NULL;

		if (p)
			*out = pagemap_entry(s, p, PAGES(pte_phys(s)));
	}
	spin_unlock(lock);
}

void vm_pagemap(struct vmspace *vm, u64 addr, u64 *out, size_t n)
{
	u64 end = addr + n * PAGE_SIZE, next;

	memset(out, 0, n * sizeof *out);
	rwlock_read_lock(&vm->lock);
	for (struct vma *v = vma_find(vm, addr); v && v->start < end; v = vma_next(v)) {
		rwlock_read_lock(&v->lock);
		for (u64 a = max(v->start, addr), stop = min(v->end, end); a < stop; a = next) {
			pte_t *pmd = pt_next(vm, a, &next);

			next = min(next, stop);
			for (u64 p = a; p < next; p += PAGE_SIZE)
				out[PAGES(p - addr)] = PAGEMAP_DIRTY;
			if (pmd)
				pagemap_table(v, a, next, pmd, &out[PAGES(a - addr)]);
		}
		rwlock_read_unlock(&v->lock);
	}
	rwlock_read_unlock(&vm->lock);
}
