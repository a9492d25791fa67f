// SPDX-License-Identifier: BSD-2-Clause
/* A tracer's access to its tracee's memory: break points go into code that nobody may write. Such a page of a
 * private mapping is made writable for the moment of the access, which gives the tracee a copy of its own. */
#include "ptrace.h"
#include <linux/mman.h>

static bool rights_of(struct vmspace *vm, u64 addr, u32 *flags)
{
	struct vma *v;

	rwlock_read_lock(&vm->lock);
	v = vma_find(vm, addr);
	if (v && v->start > addr)
		v = NULL;
	*flags = v ? v->flags : 0;
	rwlock_read_unlock(&vm->lock);
	return v;
}

static u32 prot_of(u32 flags)
{
	return (flags & VMA_READ ? PROT_READ : 0) | (flags & VMA_WRITE ? PROT_WRITE : 0) |
	       (flags & VMA_EXEC ? PROT_EXEC : 0);
}

/* Within one page. */
static size_t access_forced(struct vmspace *vm, u64 addr, void *buf, size_t len, bool write)
{
	u64 page = ALIGN_DOWN(addr, PAGE_SIZE);
	u32 flags, need = write ? PROT_WRITE : PROT_READ;
	size_t done;

	if (!rights_of(vm, addr, &flags) || prot_of(flags) & need || flags & (VMA_SPECIAL | VMA_IO) ||
	    (write && flags & VMA_SHARED))
		return 0;
	if (vm_mprotect(vm, page, PAGE_SIZE, prot_of(flags) | PROT_READ | need))
		return 0;
	done = vm_access(vm, addr, buf, len, write);
	(void)!vm_mprotect(vm, page, PAGE_SIZE, prot_of(flags));
	return done;
}

size_t ptrace_access(struct vmspace *vm, u64 addr, void *buf, size_t len, bool write)
{
	size_t done = 0;

	while (done < len) {
		u64 at = addr + done;
		size_t want = min(len - done, PAGE_SIZE - (at & ~PAGE_MASK));
		size_t n = vm_access(vm, at, (char *)buf + done, want, write);

		if (n < want)
			n += access_forced(vm, at + n, (char *)buf + done + n, want - n, write);
		done += n;
		if (n < want)
			break;
	}
	return done;
}
