// SPDX-License-Identifier: BSD-2-Clause
/* /proc/PID/pagemap: eight bytes for each page of the address space, at eight times its number (PAGEMAP_* in
 * kernel/vm.h). Page frames are for those with CAP_SYS_ADMIN. */
#include "base/iter.h"
#include "kernel/app.h"
#include "kernel/vm.h"
#include "proc.h"
#include <linux/capability.h>

#define ENTRIES 256 /* at a time */

struct pagemap { /* file->priv */
	struct vmspace *vm;
	bool frames;
};

static ssize_t pagemap_read(struct file *f, struct iter *to, u64 *pos)
{
	struct pagemap *pm = f->priv;
	u64 entries[ENTRIES], total = 0;

	if (*pos % sizeof *entries || to->left % sizeof *entries)
		return -EINVAL;
	while (to->left && *pos / sizeof *entries < APP_LIMIT >> PAGE_SHIFT) {
		u64 first = *pos / sizeof *entries;
		size_t n = min(min(to->left / sizeof *entries, (size_t)ENTRIES),
			       (size_t)((APP_LIMIT >> PAGE_SHIFT) - first));

		vm_pagemap(pm->vm, first << PAGE_SHIFT, entries, n);
		for (size_t i = 0; i < n && !pm->frames; i++)
			entries[i] &= ~PAGEMAP_FRAME;
		if (iter_copy_out(to, entries, n * sizeof *entries) != n * sizeof *entries)
			return total ? (ssize_t)total : -EFAULT;
		*pos += n * sizeof *entries;
		total += n * sizeof *entries;
	}
	return (ssize_t)total;
}

static s64 pagemap_seek(struct file *f, s64 off, int whence)
{
	if (whence == 1)
		off += (s64)f->pos;
	else if (whence != 0)
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

static void pagemap_release(struct file *f)
{
	struct pagemap *pm = f->priv;

	vmspace_put(pm->vm);
	kfree(pm);
}

static const struct file_ops pagemap_fops = {
	.read = pagemap_read,
	.seek = pagemap_seek,
	.release = pagemap_release,
};

int proc_pagemap_open(const struct pseudo_ctx *ctx, struct file *f)
{
	struct vmspace *vm = proc_vm(ctx);
	struct pagemap *pm;

	if (IS_ERR(vm))
		return (int)PTR_ERR(vm);
	if (!vm)
		return -ESRCH;
	pm = kmalloc(sizeof *pm);
	if (!pm) {
		vmspace_put(vm);
		return -ENOMEM;
	}
	*pm = (struct pagemap){vm, process_capable(CAP_SYS_ADMIN)};
	f->priv = pm;
	f->ops = &pagemap_fops;
	return 0;
}
