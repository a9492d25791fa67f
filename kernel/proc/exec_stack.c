// SPDX-License-Identifier: BSD-2-Clause
/* The first stack of a program, from high to low addresses: a null word, the file's name, environment
 * strings, argument strings; the platform string and 16 random bytes; then, 16-byte aligned, argc, argv, envp
 * and the auxiliary vector, whose start is the initial stack pointer. System V ABI x86-64 3.4.1;
 * getauxval(3). */
#include "arch/syscall.h"
#include "base/string.h"
#include "exec.h"
#include "kernel/alloc.h"
#include "kernel/random.h"
#include <linux/auxvec.h>
#include <linux/mman.h>

#define STACK_FIRST \
	KIB(132) /* mapped from the start below what the arguments need; the rest grows by faults */
#define STACK_JITTER KIB(8)
#define AT_MINSIG    51 /* AT_MINSIGSTKSZ */
#define CLOCK_TICKS  100
static const char platform[] = "x86_64";

static int map_stack(struct exec *x, u64 below_top)
{
	u64 len = ALIGN_UP(below_top, PAGE_SIZE) + STACK_FIRST;
	u32 prot = PROT_READ | PROT_WRITE | (x->layout.exec_stack ? PROT_EXEC : 0);
	long at = vm_mmap(x->vm, x->stack_top - len, len, prot,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN | MAP_STACK, NULL,
			  0);

	return at < 0 ? (int)at : 0;
}

static void aux(struct exec *x, u64 type, u64 value)
{
	x->auxv[x->auxv_len++] = type;
	x->auxv[x->auxv_len++] = value;
}

static void build_auxv(struct exec *x, u64 name, u64 platform_at, u64 random_at)
{
	const struct cred *c = x->cred.new;

	if (x->vm->vdso)
		aux(x, AT_SYSINFO_EHDR, x->vm->vdso);
	aux(x, AT_MINSIG, signal_minstack());
	aux(x, AT_HWCAP, arch_hwcap());
	aux(x, AT_PAGESZ, PAGE_SIZE);
	aux(x, AT_CLKTCK, CLOCK_TICKS);
	aux(x, AT_PHDR, x->layout.phdr ? x->layout.phdr + x->bias : 0);
	aux(x, AT_PHENT, sizeof(struct elf64_phdr));
	aux(x, AT_PHNUM, x->hdr.e_phnum);
	aux(x, AT_BASE, x->interp_bias);
	aux(x, AT_FLAGS, 0);
	aux(x, AT_ENTRY, x->layout.entry + x->bias);
	aux(x, AT_UID, c->uid);
	aux(x, AT_EUID, c->euid);
	aux(x, AT_GID, c->gid);
	aux(x, AT_EGID, c->egid);
	aux(x, AT_SECURE, x->cred.secure);
	aux(x, AT_RANDOM, random_at);
	aux(x, AT_HWCAP2, 0);
	aux(x, AT_EXECFN, name);
	aux(x, AT_PLATFORM, platform_at);
	aux(x, AT_NULL, 0);
}

/* Addresses of COUNT strings that lie one behind the other from *AT (at S in the kernel), and a NULL. */
static u64 *list_strings(u64 *out, u32 count, u64 *at, const char **s)
{
	while (count--) {
		size_t n = strlen(*s) + 1;

		*out++ = *at;
		*at += n;
		*s += n;
	}
	*out++ = 0;
	return out;
}

/* argc, argv, envp, auxv at x->sp. */
static int write_table(struct exec *x, size_t words)
{
	size_t size = words * sizeof(u64);
	u64 *table = size <= KIB(64) ? kmalloc(size) : vmalloc(size), *w = table;
	const char *s = x->args.buf;
	u64 at = x->arg_start;
	bool done;

	if (!table)
		return -ENOMEM;
	*w++ = x->args.argc;
	w = list_strings(w, x->args.argc, &at, &s);
	w = list_strings(w, x->args.envc, &at, &s);
	memcpy(w, x->auxv, x->auxv_len * sizeof(u64));
	done = vm_access(x->vm, x->sp, table, size, true) == size;
	if (size <= KIB(64))
		kfree(table);
	else
		vfree(table);
	return done ? 0 : -ENOMEM;
}

int exec_build_stack(struct exec *x)
{
	struct exec_args *a = &x->args;
	size_t strings, words;
	u64 name, platform_at, random_at, sp;
	u8 seed[16];
	int err;

	strings = a->len; /* without the name */
	err = exec_args_add_name(a, x->filename);
	if (err)
		return err;
	x->arg_start = x->stack_top - sizeof(u64) - a->len;
	x->arg_end = x->env_start = x->arg_start + a->arg_bytes;
	x->env_end = name = x->arg_start + strings;

	sp = ALIGN_DOWN(x->arg_start - (x->randomize ? random_u64() % STACK_JITTER : 0), 16ull);
	platform_at = sp -= sizeof(platform);
	random_at = sp -= sizeof(seed);
	build_auxv(x, name, platform_at, random_at);
	words = 1 + a->argc + 1 + a->envc + 1 + x->auxv_len;
	x->sp = ALIGN_DOWN(sp - words * sizeof(u64), 16ull);

	err = map_stack(x, x->stack_top - x->sp);
	if (err)
		return err;
	random_bytes(seed, sizeof(seed));
	if (vm_access(x->vm, x->arg_start, a->buf, a->len, true) != a->len ||
	    vm_access(x->vm, platform_at, (void *)platform, sizeof(platform), true) != sizeof(platform) ||
	    vm_access(x->vm, random_at, seed, sizeof(seed), true) != sizeof(seed))
		return -ENOMEM;
	return write_table(x, words);
}
