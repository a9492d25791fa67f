// SPDX-License-Identifier: BSD-2-Clause
/* Mapping a validated program into a new address space: segments, bss, interpreter, vDSO, brk.
 *
 * Where things go (norandmaps: no random part): a position-independent program at 0x555555554000 plus up to 1
 * TiB, its brk behind it; the stack at the top of the lower half minus up to 16 GiB; everything else top-down
 * from a gap below the stack. The low 64 GiB (compressed oops, CDS archive) and 4-20 TiB (ZGC) stay free. */
#include "base/string.h"
#include "exec.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/cmdline.h"
#include "kernel/random.h"
#include "kernel/vdso.h"
#include <linux/mman.h>
#include <linux/personality.h>

#define PIE_BASE	0x555555554000ull
#define PIE_RANDOM	(1ull << 40)
#define MMAP_RANDOM	(1ull << 40)
#define BRK_RANDOM	MIB(32)
#define STACK_GAP_LEAST MIB(128) /* address space kept for the stack below its top */
#define STACK_GAP_EXTRA MIB(17)	 /* guard gap and the random part of the stack's pointer */

bool exec_randomize(const struct process *p)
{
	return !cmdline_flag("norandmaps") && !(p->personality & ADDR_NO_RANDOMIZE);
}

u64 exec_random(const struct exec *x, u64 range)
{
	return x->randomize ? ALIGN_DOWN(random_u64() % range, PAGE_SIZE) : 0;
}

static u32 prot_of(const struct elf64_phdr *p)
{
	return (p->p_flags & PF_R ? PROT_READ : 0) | (p->p_flags & PF_W ? PROT_WRITE : 0) |
	       (p->p_flags & PF_X ? PROT_EXEC : 0);
}

static int map_fixed(struct vmspace *vm, u64 addr, u64 len, u32 prot, struct file *f, u64 off)
{
	long at = vm_mmap(vm, addr, len, prot, MAP_PRIVATE | MAP_FIXED | (f ? 0 : MAP_ANONYMOUS), f, off);

	return at < 0 ? (int)at : 0;
}

/* Zero [ADDR, ADDR + LEN) of another address space; less than a page. */
static int zero_range(struct vmspace *vm, u64 addr, size_t len)
{
	static const char zeros[256];

	while (len) {
		size_t n = min(len, sizeof(zeros));

		if (vm_access(vm, addr, (void *)zeros, n, true) != n)
			return -ENOMEM;
		addr += n;
		len -= n;
	}
	return 0;
}

static int map_segment(struct vmspace *vm, struct file *f, const struct elf64_phdr *p, u64 bias)
{
	u64 start = ALIGN_DOWN(p->p_vaddr, PAGE_SIZE) + bias;
	u64 file_end = p->p_vaddr + p->p_filesz + bias, mem_end = p->p_vaddr + p->p_memsz + bias;
	u64 anon = start;
	int err;

	if (p->p_filesz) {
		anon = ALIGN_UP(file_end, PAGE_SIZE);
		err = map_fixed(vm, start, anon - start, prot_of(p), f, ALIGN_DOWN(p->p_offset, PAGE_SIZE));
		if (err)
			return err;
		if (mem_end > file_end && anon > file_end) {
			err = zero_range(vm, file_end, anon - file_end);
			if (err && (p->p_flags & PF_W))
				return err; /* in a segment that is not written the rest does no harm */
		}
	}
	if (mem_end <= anon)
		return 0;
	return map_fixed(vm, anon, ALIGN_UP(mem_end, PAGE_SIZE) - anon, prot_of(p), NULL, 0);
}

static int map_segments(struct vmspace *vm, struct file *f, const struct elf64_hdr *h,
			const struct elf64_phdr *ph, u64 bias)
{
	for (unsigned i = 0; i < h->e_phnum; i++) {
		int err;

		if (ph[i].p_type != PT_LOAD || !ph[i].p_memsz)
			continue;
		err = map_segment(vm, f, &ph[i], bias);
		if (err)
			return err;
	}
	return 0;
}

/* The difference between load and link address for an image that is to start near BASE; checked for room. */
static int choose_bias(const struct elf_layout *l, u64 base, u64 *bias)
{
	base = ALIGN_DOWN(base, l->align);
	if (!base || l->high - l->low > APP_LIMIT - base)
		return -ENOMEM;
	*bias = base - ALIGN_DOWN(l->low, l->align);
	return 0;
}

static int map_program(struct exec *x)
{
	int err;

	if (x->layout.pie) {
		err = choose_bias(&x->layout, PIE_BASE + exec_random(x, PIE_RANDOM), &x->bias);
		if (err)
			return err;
	}
	return map_segments(x->vm, x->file, &x->hdr, x->ph, x->bias);
}

/* The interpreter goes where mmap finds room for all of it. */
static int map_interp(struct exec *x)
{
	const struct elf_layout *l = &x->interp_layout;

	if (l->pie) {
		u64 len = l->high - l->low + l->align - PAGE_SIZE;
		long at = vm_mmap(x->vm, 0, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, NULL,
				  0);
		int err;

		if (at < 0)
			return (int)at;
		err = vm_munmap(x->vm, (u64)at, len);
		if (!err)
			err = choose_bias(l, ALIGN_UP((u64)at, l->align), &x->interp_bias);
		if (err)
			return err;
	}
	return map_segments(x->vm, x->interp, &x->interp_hdr, x->interp_ph, x->interp_bias);
}

static void place_mmap_base(struct exec *x)
{
	u64 gap = clamp(x->stack_limit, STACK_GAP_LEAST, APP_LIMIT / 6 * 5) + STACK_GAP_EXTRA;

	x->vm->mmap_base = ALIGN_DOWN(x->stack_top - gap - exec_random(x, MMAP_RANDOM), PAGE_SIZE);
}

int exec_map(struct exec *x)
{
	long vdso;
	int err;

	x->vm = vmspace_create();
	if (!x->vm)
		return -ENOMEM;
	x->stack_top = APP_LIMIT - exec_random(x, GIB(16));
	place_mmap_base(x);
	err = map_program(x);
	if (!err && x->interp)
		err = map_interp(x);
	if (err)
		return err;
	x->brk = ALIGN_UP(x->layout.brk + x->bias, PAGE_SIZE) + exec_random(x, BRK_RANDOM);
	if (x->brk >= APP_LIMIT)
		x->brk = ALIGN_UP(x->layout.brk + x->bias, PAGE_SIZE);
	vm_set_brk(x->vm, x->brk);
	x->vm->code_start = x->layout.code_start + x->bias;
	x->vm->code_end = x->layout.code_end + x->bias;
	x->vm->data_start = x->layout.data_start + x->bias;
	x->vm->data_end = x->layout.data_end + x->bias;
	vdso = vdso_map(x->vm);
	x->vm->vdso = vdso > 0 ? (u64)vdso : 0; /* programs live without it */
	x->entry = x->interp ? x->interp_layout.entry + x->interp_bias : x->layout.entry + x->bias;
	return x->entry >= APP_LIMIT ? -EINVAL : 0;
}

int exec_load(struct exec *x)
{
	int err = exec_identify(x);

	if (err)
		return err;
	err = exec_cred_prepare(x->old_cred, x->file, &x->cred);
	if (!err)
		err = exec_map(x);
	if (!err)
		err = exec_build_stack(x);
	return err;
}

void exec_release(struct exec *x)
{
	if (x->vm)
		vmspace_put(x->vm);
	cred_put(x->cred.new);
	if (x->interp)
		exe_put(x->interp);
	if (x->file)
		exe_put(x->file);
	kfree(x->ph);
	kfree(x->interp_ph);
	exec_args_free(&x->args);
}

void exec_adopt(struct exec *x, struct process *p, struct thread *t)
{
	const char *base = strrchr(x->filename, '/');
	struct file *old;
	u64 flags;

	str_copy(t->name, base ? base + 1 : x->filename, sizeof(t->name));
	flags = spin_lock_irqsave(&p->lock);
	old = p->exe;
	p->exe = x->file;
	x->file = NULL;
	p->arg_start = x->arg_start;
	p->arg_end = x->arg_end;
	p->env_start = x->env_start;
	p->env_end = x->env_end;
	p->start_stack = x->sp;
	p->start_brk = x->brk;
	memcpy(p->auxv, x->auxv, sizeof(p->auxv));
	p->auxv_len = x->auxv_len;
	exec_cred_commit(t, &x->cred);
	spin_unlock_irqrestore(&p->lock, flags);
	if (old)
		exe_put(old);
	trace_follow(t);
}
