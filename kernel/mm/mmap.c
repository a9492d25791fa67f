// SPDX-License-Identifier: BSD-2-Clause
/* mmap(2): checks, placement, and the new VMA. man-pages mmap(2); errors in Linux's order of tests. */
#include "fs/file.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "internal.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "vm_internal.h"
#include <linux/capability.h>
#include <linux/mman.h>
#include <linux/stat.h>
#include <linux/mount.h>

/* Where MAP_32BIT mappings go, as on Linux. */
#define LOW_MAP_START 0x40000000ull
#define LOW_MAP_END   0x80000000ull

/* Linux's is 65,530; programs that map many files (search engines, databases) ask for this much, and most
 * distributions have raised theirs. An area costs some 200 bytes. */
u32 vm_max_map_count = 262144;

u32 prot_to_vma(u32 prot)
{
	return (prot & PROT_READ ? VMA_READ : 0) | (prot & PROT_WRITE ? VMA_WRITE : 0) |
	       (prot & PROT_EXEC ? VMA_EXEC : 0);
}

bool vm_range_ok(u64 addr, u64 len)
{
	return len <= APP_LIMIT && addr <= APP_LIMIT - len;
}

static bool is_data(u32 flags)
{
	return (flags & (VMA_WRITE | VMA_SHARED | VMA_GROWSDOWN)) == VMA_WRITE;
}

int vm_check_limits(struct vmspace *vm, u32 flags, u64 pages)
{
	const struct rlimit64 *rlim = current_process()->rlim;

	if (vm->total_vm + pages > rlim[RLIMIT_AS].rlim_cur >> PAGE_SHIFT)
		return -ENOMEM;
	if (is_data(flags) && vm->data_vm + pages > rlim[RLIMIT_DATA].rlim_cur >> PAGE_SHIFT)
		return -ENOMEM;
	return vm_check_commit(flags, pages);
}

static bool file_is_hugetlb(const struct file *f)
{
	return f->inode && f->inode->flags & INODE_HUGETLB;
}

static u64 mapped_pages(struct vmspace *vm, u64 start, u64 end)
{
	u64 pages = 0;

	for (struct vma *v = vma_find(vm, start); v && v->start < end; v = vma_next(v))
		pages += PAGES(min(v->end, end) - max(v->start, start));
	return pages;
}

bool vm_range_free(struct vmspace *vm, u64 addr, u64 len)
{
	struct vma *next = vma_find(vm, addr);
	u64 guard = next && next->flags & VMA_GROWSDOWN ? STACK_GUARD_GAP : 0;

	return !next || addr + len <= next->start - min(guard, next->start);
}

/* A free place for LEN bytes, the hint's if possible. */
static long place(struct vmspace *vm, u64 hint, u64 len, u32 flags, bool anon)
{
	bool huge = flags & MAP_HUGETLB;
	u64 addr, align = huge ? HUGE_SIZE : PAGE_SIZE;

	if (flags & MAP_32BIT) {
		addr = vm_find_gap(vm, len, LOW_MAP_START, LOW_MAP_END, align);
		return addr ? (long)addr : -ENOMEM;
	}
	if (hint) {
		hint = max(ALIGN_UP(hint, align), ALIGN_UP((u64)MMAP_MIN_ADDR, align));
		if (vm_range_ok(hint, len) && vm_range_free(vm, hint, len))
			return (long)hint;
	}
	addr = 0;
	if (huge)
		addr = vm_find_gap(vm, len, MMAP_MIN_ADDR, vm->mmap_base, HUGE_SIZE);
	else if (anon && len >= HUGE_SIZE && thp_policy_get() != THP_NEVER && !(flags & MAP_STACK))
		addr = vm_find_gap(vm, len, MMAP_MIN_ADDR, vm->mmap_base, HUGE_SIZE);
	if (!addr && !huge)
		addr = vm_find_gap(vm, len, MMAP_MIN_ADDR, vm->mmap_base, PAGE_SIZE);
	/* Above the base there is only the stack; last resort. */
	if (!addr)
		addr = vm_find_gap(vm, len, MMAP_MIN_ADDR, APP_LIMIT, align);
	return addr ? (long)addr : -ENOMEM;
}

/* The VMA flags of a request; -errno when FILE does not allow them. */
static s64 request_flags(struct vmspace *vm, u32 prot, u32 flags, struct file *file)
{
	u32 f = prot_to_vma(prot) | vm->lock_future;
	u32 type = flags & MAP_TYPE;

	if (flags & MAP_GROWSDOWN)
		f |= VMA_GROWSDOWN | VMA_STACK;
	if (flags & MAP_STACK)
		f |= VMA_STACK;
	if (flags & MAP_NORESERVE && READ_ONCE(vm_overcommit_memory) != 2)
		f |= VMA_NORESERVE;
	if (flags & MAP_LOCKED) {
		if (!vm_may_lock())
			return -EPERM;
		f |= VMA_LOCKED;
	}
	if (flags & MAP_HUGETLB)
		f |= VMA_HUGETLB;
	switch (type) {
	case MAP_SHARED_VALIDATE:
	case MAP_SHARED:
		f |= VMA_SHARED;
		if (flags & MAP_GROWSDOWN)
			return -EINVAL;
		if (!file)
			return f | VMA_MAYWRITE;
		if (type == MAP_SHARED_VALIDATE &&
		    flags & ~(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE |
			      MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |
			      MAP_HUGETLB | MAP_32BIT | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN | (0x3fu << 26)))
			return -EOPNOTSUPP;
		if (prot & PROT_WRITE && !file_writable(file))
			return -EACCES;
		if (file_writable(file))
			f |= VMA_MAYWRITE;
		break;
	case MAP_PRIVATE:
		f |= VMA_MAYWRITE;
		if (!file)
			return f;
		if (flags & MAP_GROWSDOWN)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if (!file_readable(file))
		return -EACCES;
	if (prot & PROT_EXEC && file->path.mnt && path_mount_flags(&file->path) & MS_NOEXEC)
		return -EPERM;
	if (!file->ops || !file->ops->mmap)
		return -ENODEV;
	return f;
}

static int check_mlock_limit(struct vmspace *vm, u32 f, u64 pages)
{
	struct process *p = current_process();
	u64 limit = p->rlim[RLIMIT_MEMLOCK].rlim_cur;

	if (!(f & VMA_LOCKED) || process_capable(CAP_IPC_LOCK))
		return 0;
	return vm->locked_vm + pages > limit >> PAGE_SHIFT ? -EAGAIN : 0;
}

/* Link a new VMA over [ADDR, ADDR + LEN), which is free. vm->lock written. */
static int map_new(struct vmspace *vm, u64 addr, u64 len, u32 f, struct file *file, u64 pgoff)
{
	struct vma *v;
	int err;

	if (!file) {
		v = f & VMA_HUGETLB ? NULL : vma_extendable(vm, addr, f, NULL, pgoff);
		if (v) {
			rwlock_write_lock(&v->lock);
			vma_set_bounds(v, v->start, addr + len, v->pgoff);
			rwlock_write_unlock(&v->lock);
			vma_merge(v);
			return 0;
		}
	}
	v = vma_alloc(vm);
	if (!v)
		return -ENOMEM;
	vm_store(v->start, addr);
	vm_store(v->end, addr + len);
	v->flags = f;
	v->pgoff = pgoff;
	if (f & VMA_HUGETLB && !(f & VMA_SHARED))
		v->priv = f & VMA_NORESERVE ? NULL : v; /* holds a reservation */
	if (file) {
		file_get(file);
		v->file = file;
		err = file->ops->mmap(file, v);
		if (err) {
			file_put(v->file);
			vma_free(v);
			return err;
		}
	}
	vma_link(vm, v);
	vma_merge(v);
	return 0;
}

static long map_locked(struct vmspace *vm, u64 addr, u64 len, u32 prot, u32 flags, struct file *file, u64 off,
		       u32 *vma_flags, struct vma **dead)
{
	bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	s64 f = request_flags(vm, prot, flags, file);
	bool anon = !file && !(f & VMA_SHARED);
	u64 gone = 0;
	long at = (long)addr;
	int err;

	/* As on Linux: whether or not the mapping will need a VMA of its own, and one more than the limit may
	 * exist. */
	if (vm->nvmas > vm_max_map_count)
		return -ENOMEM;
	if (f < 0)
		return f;
	if (!fixed)
		at = place(vm, addr, len, flags, anon);
	if (at < 0)
		return at;
	if (flags & MAP_FIXED_NOREPLACE && mapped_pages(vm, addr, addr + len))
		return -EEXIST;
	if (fixed)
		gone = mapped_pages(vm, addr, addr + len);
	err = check_mlock_limit(vm, (u32)f, PAGES(len));
	if (!err)
		err = vm_check_limits(vm, (u32)f, PAGES(len) > gone ? PAGES(len) - gone : 0);
	/* A shared mapping's pages are its file's, which reserves them. */
	if (!err && (f & (VMA_HUGETLB | VMA_NORESERVE | VMA_SHARED)) == VMA_HUGETLB)
		err = hugetlb_reserve(len / HUGE_SIZE);
	if (err)
		return err;
	err = gone ? vm_unmap_locked(vm, addr, addr + len, dead) : 0;
	if (!err)
		err = map_new(vm, (u64)at, len, (u32)f, file, anon ? PAGES((u64)at) : PAGES(off));
	if (err) {
		if ((f & (VMA_HUGETLB | VMA_NORESERVE | VMA_SHARED)) == VMA_HUGETLB)
			hugetlb_unreserve(len / HUGE_SIZE);
		return err;
	}
	vm_account(vm, (u32)f, (s64)PAGES(len));
	*vma_flags = (u32)f;
	return at;
}

long vm_mmap(struct vmspace *vm, u64 addr, u64 len, u32 prot, u32 flags, struct file *file, u64 off)
{
	struct file *shmem = NULL;
	struct vma *dead = NULL;
	u64 align;
	u32 f = 0;
	long at;

	if (!len)
		return -EINVAL;
	if (off & ~PAGE_MASK)
		return -EINVAL;
	if (flags & MAP_HUGETLB) {
		u32 shift = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

		if (file ? !file_is_hugetlb(file) : shift && shift != HUGE_SHIFT)
			return -EINVAL;
	}
	if (file && file_is_hugetlb(file)) {
		flags |= MAP_HUGETLB;
		if (off & (HUGE_SIZE - 1))
			return -EINVAL;
	}
	align = flags & MAP_HUGETLB ? HUGE_SIZE : PAGE_SIZE;
	len = ALIGN_UP(len, align);
	if (!len || len > APP_LIMIT)
		return -ENOMEM;
	if (off + len < off || (file && off + len > INT64_MAX))
		return -EOVERFLOW;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (addr & (align - 1))
			return -EINVAL;
		if (!vm_range_ok(addr, len))
			return -ENOMEM;
		if (addr < MMAP_MIN_ADDR)
			return -EPERM;
	}
	if (!file && (flags & MAP_TYPE) == MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (!file && (flags & MAP_TYPE) == MAP_SHARED) {
		if (flags & MAP_GROWSDOWN)
			return -EINVAL;
		shmem = flags & MAP_HUGETLB ? hugetlb_file_create("anon_hugepage", len)
					    : shmem_file_create("dev/zero", len, flags & MAP_NORESERVE);
		if (IS_ERR(shmem))
			return PTR_ERR(shmem);
		file = shmem;
		off = 0;
	}
	if (rwlock_write_lock_killable(&vm->lock)) {
		at = -EINTR;
	} else {
		at = map_locked(vm, addr, len, prot, flags, file, off, &f, &dead);
		rwlock_write_unlock(&vm->lock);
		vm_release_dead(dead);
	}
	if (shmem)
		file_put(shmem);
	if (at >= 0 && ((f & (VMA_LOCKED | VMA_LOCKONFAULT)) == VMA_LOCKED ||
			(flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE))
		(void)!vm_populate(vm, (u64)at, (u64)at + len, false,
				   false); /* failing to is not the mapping's failure */
	return at;
}

long vm_map_special(struct vmspace *vm, u64 hint, u64 len, u32 vma_flags, const struct vm_ops *ops,
		    void *priv)
{
	struct vma *v = vma_alloc(vm);
	long at;

	if (!v)
		return -ENOMEM;
	len = ALIGN_UP(len, PAGE_SIZE);
	rwlock_write_lock(&vm->lock);
	at = place(vm, hint, len, 0, false);
	if (at < 0) {
		rwlock_write_unlock(&vm->lock);
		vma_free(v);
		return at;
	}
	vm_store(v->start, (u64)at);
	vm_store(v->end, (u64)at + len);
	v->flags = vma_flags | VMA_SPECIAL;
	v->ops = ops;
	v->priv = priv;
	vma_link(vm, v);
	vm_account(vm, v->flags, (s64)PAGES(len));
	rwlock_write_unlock(&vm->lock);
	return at;
}
