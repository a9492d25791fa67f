/* SPDX-License-Identifier: BSD-2-Clause */
/* Mapping the vDSO into an address space: the vvar page, then the shared object's pages, all straight from the kernel image. */

#include "arch/memory.h"
#include "arch/vvar.h"
#include "base/err.h"
#include "kernel/page.h"
#include "kernel/vdso.h"
#include "kernel/vm.h"

extern const u8 vdso_image[], vdso_image_end[];

static int vdso_fault(struct vm_fault *f)
{
	u64 index = (f->addr - f->vma->start) >> PAGE_SHIFT;
	const void *from = index == 0 ? (const void *)&vvar : vdso_image + ((index - 1) << PAGE_SHIFT);

	f->page = phys_to_page(virt_to_phys(from));
	if (!f->page)
		return -EFAULT;
	page_get(f->page);
	return 0;
}

static const char *vdso_name(struct vma *vma)
{
	return "[vdso]";
}

static const struct vm_ops vdso_ops = {.fault = vdso_fault, .name = vdso_name};

long vdso_map(struct vmspace *vm)
{
	u64 len = PAGE_SIZE + (u64)(vdso_image_end - vdso_image);
	long at = vm_map_special(vm, vm->mmap_base, len, VMA_READ | VMA_EXEC, &vdso_ops, NULL);

	if (at < 0)
		return at;
	vm->vdso = (u64)at + PAGE_SIZE;
	return (long)vm->vdso;
}
