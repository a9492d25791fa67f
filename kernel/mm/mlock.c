// SPDX-License-Identifier: BSD-2-Clause
/* mlock(2) and its relatives. Nothing is ever swapped out; locking means that pages are brought in now (or by
 * their first fault, ONFAULT), count against RLIMIT_MEMLOCK, and that madvise does not drop them. man-pages
 * mlock(2). */
#include "kernel/process.h"
#include "kernel/syscall.h"
#include "vm_internal.h"
#include <linux/capability.h>
#include <linux/mman.h>

#define LOCK_FLAGS (VMA_LOCKED | VMA_LOCKONFAULT)

/* Give all of [START, END) the lock flags SET. -ENOMEM at a hole, with what lies before it done. vm->lock
 * written. */
int vm_mlock_flags(struct vmspace *vm, u64 start, u64 end, u32 set)
{
	for (u64 a = start; a < end;) {
		struct vma *v = vma_find_exact(vm, a);
		u64 e;

		if (!v)
			return -ENOMEM;
		e = min(v->end, end);
		if ((v->flags & LOCK_FLAGS) != set && !(v->flags & (VMA_SPECIAL | VMA_IO | VMA_HUGETLB))) {
			v = vma_isolate(vm, a, e);
			if (IS_ERR(v))
				return -ENOMEM;
			rwlock_write_lock(&v->lock);
			vm_account(vm, v->flags, -(s64)vma_pages(v));
			v->flags = (v->flags & ~(u32)LOCK_FLAGS) | set;
			vm_account(vm, v->flags, (s64)vma_pages(v));
			rwlock_write_unlock(&v->lock);
			vma_merge(v);
		}
		a = e;
	}
	return 0;
}

static u64 locked_pages(struct vmspace *vm, u64 start, u64 end)
{
	u64 n = 0;

	for (struct vma *v = vma_find(vm, start); v && v->start < end; v = vma_next(v))
		if (v->flags & VMA_LOCKED)
			n += PAGES(min(v->end, end) - max(v->start, start));
	return n;
}

bool vm_may_lock(void)
{
	return process_capable(CAP_IPC_LOCK) || current_process()->rlim[RLIMIT_MEMLOCK].rlim_cur;
}

static bool over_limit(struct vmspace *vm, u64 total)
{
	struct process *p = current_process();

	return !process_capable(CAP_IPC_LOCK) && total > p->rlim[RLIMIT_MEMLOCK].rlim_cur >> PAGE_SHIFT;
}

static long do_mlock(u64 addr, u64 len, u32 set)
{
	struct vmspace *vm = current->vm;
	u64 start = ALIGN_DOWN(addr, PAGE_SIZE), end = ALIGN_UP(addr + len, PAGE_SIZE);
	int err;

	if (!vm_may_lock())
		return -EPERM;
	if (addr + len < addr || (len && end <= start))
		return -EINVAL;
	if (!len)
		return 0;
	if (!vm_range_ok(start, end - start))
		return -ENOMEM;
	if (rwlock_write_lock_killable(&vm->lock))
		return -EINTR;
	if (over_limit(vm, vm->locked_vm + PAGES(end - start) - locked_pages(vm, start, end)))
		err = -ENOMEM;
	else
		err = vm_mlock_flags(vm, start, end, set);
	rwlock_write_unlock(&vm->lock);
	if (err)
		return err;
	if (!(set & VMA_LOCKONFAULT)) {
		err = vm_populate(vm, start, end, false, false);
		/* mlock(2) knows no EFAULT: what cannot be brought in is not there. */
		if (err == -EFAULT || err == -EIO)
			err = -ENOMEM;
		else if (err == -ENOMEM)
			err = -EAGAIN;
	}
	return err;
}

SYSCALL_DEFINE2(mlock, u64, addr, u64, len)
{
	return do_mlock(addr, len, VMA_LOCKED);
}

SYSCALL_DEFINE3(mlock2, u64, addr, u64, len, int, flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return do_mlock(addr, len, VMA_LOCKED | (flags & MLOCK_ONFAULT ? VMA_LOCKONFAULT : 0));
}

SYSCALL_DEFINE2(munlock, u64, addr, u64, len)
{
	struct vmspace *vm = current->vm;
	u64 start = ALIGN_DOWN(addr, PAGE_SIZE), end = ALIGN_UP(addr + len, PAGE_SIZE);
	int err;

	if (addr + len < addr || (len && end <= start))
		return -EINVAL;
	if (!len)
		return 0;
	if (!vm_range_ok(start, end - start))
		return -ENOMEM;
	if (rwlock_write_lock_killable(&vm->lock))
		return -EINTR;
	err = vm_mlock_flags(vm, start, end, 0);
	rwlock_write_unlock(&vm->lock);
	return err;
}

/* All VMAs there are now; holes do not matter. */
static int lock_all(struct vmspace *vm, u32 set)
{
	struct vma *v = vma_find(vm, 0);

	while (v) {
		u64 end = v->end;
		int err = vm_mlock_flags(vm, v->start, end, set);

		if (err)
			return err;
		v = vma_find(vm, end);
	}
	return 0;
}

SYSCALL_DEFINE1(mlockall, int, flags)
{
	struct vmspace *vm = current->vm;
	u32 set = VMA_LOCKED | (flags & MCL_ONFAULT ? VMA_LOCKONFAULT : 0);
	int err = 0;

	if (!flags || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!vm_may_lock())
		return -EPERM;
	if (rwlock_write_lock_killable(&vm->lock))
		return -EINTR;
	if (flags & MCL_CURRENT && over_limit(vm, vm->total_vm)) {
		err = -ENOMEM;
	} else {
		vm->lock_future = flags & MCL_FUTURE ? set : 0;
		if (flags & MCL_CURRENT)
			err = lock_all(vm, set);
	}
	rwlock_write_unlock(&vm->lock);
	if (!err && flags & MCL_CURRENT && !(flags & MCL_ONFAULT)) {
		u64 a = 0;

		for (;;) {
			struct vma *v;
			u64 start = 0, end = 0;

			rwlock_read_lock(&vm->lock);
			v = vma_find(vm, a);
			if (v) {
				start = v->start;
				end = v->end;
			}
			rwlock_read_unlock(&vm->lock);
			if (!v)
				break;
			/* Failures do not show, as on Linux; a fatal signal ends it. */
			if (vm_populate(vm, start, end, false, false) == -EINTR)
				break;
			a = end;
		}
	}
	return err;
}

SYSCALL_DEFINE0(munlockall)
{
	struct vmspace *vm = current->vm;
	int err;

	if (rwlock_write_lock_killable(&vm->lock))
		return -EINTR;
	vm->lock_future = 0;
	err = lock_all(vm, 0);
	rwlock_write_unlock(&vm->lock);
	return err;
}
