// SPDX-License-Identifier: BSD-2-Clause
/* Address spaces against a model: random mmap, munmap, mprotect, mremap, madvise, fork, truncation, reads and
 * writes through a software MMU with a TLB. The model is an array with one entry a page: mapped or not,
 * rights, and the value that the page's first word must hold. Seeded; at the end everything is unmapped and
 * no page may be missing. */
// clang-format off
// sources: kernel/mm/commit.c kernel/mm/gap.c kernel/mm/balloon_pages.c kernel/mm/memory_stats.c
// sources: kernel/mm/access.c kernel/mm/boot_memory.c kernel/mm/brk.c kernel/mm/buddy.c
// sources: kernel/mm/fault.c kernel/mm/fault_file.c kernel/mm/fork.c kernel/mm/hugetlb.c
// sources: kernel/mm/kmalloc.c kernel/mm/madvise.c kernel/mm/mlock.c kernel/mm/mmap.c
// sources: kernel/mm/mprotect.c kernel/mm/mremap.c kernel/mm/munmap.c kernel/mm/page_alloc.c
// sources: kernel/mm/pagetable.c kernel/mm/reclaim.c kernel/mm/rmap.c kernel/mm/section.c
// sources: kernel/mm/slab.c kernel/mm/syscalls_map.c kernel/mm/syscalls_membarrier.c
// sources: kernel/mm/syscalls_mempolicy.c kernel/mm/syscalls_pkey.c kernel/mm/syscalls_process_vm.c
// sources: kernel/mm/thp.c kernel/mm/tlb.c kernel/mm/vma.c kernel/mm/vmspace.c kernel/mm/zap.c
// sources: kernel/lib/rbtree.c kernel/lib/iter.c tests/unit/mm/fake_arch.c tests/unit/mm/fake_mmu.c
// sources: kernel/mm/clear_ahead.c tests/unit/mm/fake_file.c
// clang-format on
#include "unit.h"

#include "arch/memory.h"
#include "base/err.h"
#include "fs/file.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/process.h"
#include "kernel/mm/internal.h"
#include "kernel/mm/vm_internal.h"
#include "tests/unit/mm/fake_arch.h"
#include "tests/unit/mm/fake_file.h"
#include <linux/mman.h>

/* <asm/signal.h> does not go along with libc. */
#ifndef SIGBUS
enum { SIGBUS = 7, SIGSEGV = 11 };
#endif
#ifndef SEGV_MAPERR
enum { SEGV_MAPERR = 1, SEGV_ACCERR = 2, BUS_ADRERR = 2 };
#endif

#define BASE		0x10000000000ull /* a window of 8 MiB, aligned to 2 MiB */
#define PAGES_IN_WINDOW 2048u
#define FILE_PAGES	64u

enum kind { NONE, ANON, PRIVATE_FILE, SHARED_FILE };
struct model_page {
	u8 kind, prot;
	u32 index;   /* page of the file */
	u64 value;   /* first word; of private pages */
	bool copied; /* a private file page that was written */
};
struct model {
	struct model_page p[PAGES_IN_WINDOW];
};
static struct model parent_model, child_model;
static u64 file_value[FILE_PAGES];
static struct file *file;

static void boot_once(void)
{
	static bool booted;

	if (booted)
		return;
	booted = true;
	host_set_cpus(1);
	fake_boot(HOST_PHYS_BASE, MIB(128));
	host_run_initcalls(INIT_CORE);
	file = fake_file_create(FILE_PAGES);
}

static u64 free_now(void)
{
	struct memory_stats s;

	page_drain_cpu();
	memory_stats(&s);
	return s.free + s.slab;
}

static u64 *at(struct vmspace *vm, u32 page, bool write, int *sig)
{
	return fake_mmu(vm, BASE + (u64)page * PAGE_SIZE, write, sig);
}

static u64 expected(const struct model_page *m)
{
	if (m->kind == SHARED_FILE || (m->kind == PRIVATE_FILE && !m->copied))
		return file_value[m->index];
	return m->value;
}

static void check_page(struct vmspace *vm, struct model *mod, u32 page)
{
	struct model_page *m = &mod->p[page];
	int sig = 0;
	u64 *p = at(vm, page, false, &sig);

	if (m->kind == NONE || !m->prot) {
		if (p)
			fail_msg("page %u is readable", page);
		assert_int_equal(sig, SIGSEGV);
		return;
	}
	if (!p)
		fail_msg("page %u gives signal %d", page, sig);
	if (*p != expected(m))
		fail_msg("page %u holds %lx, not %lx", page, (unsigned long)*p, (unsigned long)expected(m));
}

static void write_page(struct vmspace *vm, struct model *mod, u32 page, u64 value)
{
	struct model_page *m = &mod->p[page];
	int sig = 0;
	u64 *p = at(vm, page, true, &sig);

	if (m->kind == NONE || !(m->prot & PROT_WRITE)) {
		if (p)
			fail_msg("page %u is writable", page);
		return;
	}
	if (!p)
		fail_msg("page %u: signal %d on write", page, sig);
	*p = value;
	if (m->kind == SHARED_FILE)
		file_value[m->index] = value;
	else
		m->value = value, m->copied = true;
}

static void random_range(u32 *start, u32 *n)
{
	switch (rand() % 6) {
	case 0: /* whole large pages */
		*start = (u32)rand() % (PAGES_IN_WINDOW / 512) * 512;
		*n = 512;
		break;
	case 1:
		*start = (u32)rand() % PAGES_IN_WINDOW;
		*n = 1 + (u32)rand() % 700;
		break;
	default:
		*start = (u32)rand() % PAGES_IN_WINDOW;
		*n = 1 + (u32)rand() % 20;
	}
	*n = min(*n, PAGES_IN_WINDOW - *start);
}

static u32 random_prot(void)
{
	static const u32 prots[] = {PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE,
				    PROT_READ | PROT_WRITE | PROT_EXEC};

	return prots[rand() % 5];
}

static void op_map(struct vmspace *vm, struct model *m)
{
	u32 start, n, prot = random_prot(), kind = rand() % 4 ? ANON : PRIVATE_FILE + (u32)rand() % 2,
		      index = 0;
	u32 flags = MAP_FIXED | (kind == SHARED_FILE ? MAP_SHARED : MAP_PRIVATE) |
		    (rand() % 6 ? 0 : MAP_POPULATE) | (rand() % 8 ? 0 : MAP_STACK);
	long r;

	random_range(&start, &n);
	if (kind != ANON) {
		n = min(n, FILE_PAGES);
		index = (u32)rand() % (FILE_PAGES - n + 1);
	}
	r = vm_mmap(vm, BASE + (u64)start * PAGE_SIZE, (u64)n * PAGE_SIZE, prot, flags,
		    kind == ANON ? NULL : file, (u64)index * PAGE_SIZE);
	assert_int_equal(r, BASE + (u64)start * PAGE_SIZE);
	for (u32 i = 0; i < n; i++)
		m->p[start + i] = (struct model_page){(u8)kind, (u8)prot, index + i, 0, false};
	/* Populating a writable private mapping makes the copies at once. */
	for (u32 i = 0; kind == PRIVATE_FILE && flags & MAP_POPULATE && prot & PROT_WRITE && i < n; i++) {
		m->p[start + i].copied = true;
		m->p[start + i].value = file_value[index + i];
	}
}

static void op_unmap(struct vmspace *vm, struct model *m)
{
	u32 start, n;

	random_range(&start, &n);
	assert_int_equal(vm_munmap(vm, BASE + (u64)start * PAGE_SIZE, (u64)n * PAGE_SIZE), 0);
	memset(&m->p[start], 0, n * sizeof m->p[0]);
}

static void op_protect(struct vmspace *vm, struct model *m)
{
	u32 start, n, prot = random_prot(), i;
	int r;

	random_range(&start, &n);
	r = vm_mprotect(vm, BASE + (u64)start * PAGE_SIZE, (u64)n * PAGE_SIZE, prot);
	for (i = 0; i < n && m->p[start + i].kind; i++)
		m->p[start + i].prot = (u8)prot;
	assert_int_equal(r, i < n ? -ENOMEM : 0);
}

static void op_dontneed(struct vmspace *vm, struct model *m)
{
	u32 start, n;
	bool hole = false;
	int r;

	random_range(&start, &n);
	r = vm_madvise(vm, BASE + (u64)start * PAGE_SIZE, (u64)n * PAGE_SIZE, MADV_DONTNEED);
	for (u32 i = 0; i < n; i++) {
		hole |= !m->p[start + i].kind;
		m->p[start + i].value = 0;
		m->p[start + i].copied = false;
	}
	assert_int_equal(r, hole ? -ENOMEM : 0);
}

static void op_advise(struct vmspace *vm, struct model *m)
{
	static const int advice[] = {MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP,
				     25 /* COLLAPSE */};
	u32 start, n;

	random_range(&start, &n);
	vm_madvise(vm, BASE + (u64)start * PAGE_SIZE, (u64)n * PAGE_SIZE, advice[rand() % 5]);
}

/* The pages from START that mremap would find in one VMA, at least. */
static u32 uniform(const struct model *m, u32 start, u32 n)
{
	u32 i = 0;

	while (i < n && m->p[start].kind && m->p[start + i].kind == m->p[start].kind &&
	       m->p[start + i].prot == m->p[start].prot &&
	       (m->p[start].kind == ANON || m->p[start + i].index == m->p[start].index + i))
		i++;
	return i;
}

static void op_remap(struct vmspace *vm, struct model *m)
{
	static struct model_page moved[PAGES_IN_WINDOW];
	u32 start, n, to, tn, flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	long r;

	random_range(&start, &n);
	random_range(&to, &tn);
	if (rand() % 8 == 0) {
		flags |= MREMAP_DONTUNMAP;
		tn = n;
	}
	n = uniform(m, start, n);
	if (!n || (flags & MREMAP_DONTUNMAP && n != tn) || to + tn > PAGES_IN_WINDOW)
		return;
	r = vm_mremap(vm, BASE + (u64)start * PAGE_SIZE, (u64)n * PAGE_SIZE, (u64)tn * PAGE_SIZE, flags,
		      BASE + (u64)to * PAGE_SIZE);
	if (start < to + tn && to < start + n) {
		assert_int_equal(r, -EINVAL);
		return;
	}
	if (r == -EFAULT && tn > 0) {
		/* Adjoining pages of one model kind may lie in several VMAs (flags differ): refused after the
		 * target was unmapped. */
		memset(&m->p[to], 0, tn * sizeof m->p[0]);
		if (n > tn)
			memset(&m->p[start + tn], 0, (n - tn) * sizeof m->p[0]);
		return;
	}
	assert_int_equal(r, BASE + (u64)to * PAGE_SIZE);
	memcpy(moved, &m->p[start], n * sizeof moved[0]);
	for (u32 i = 0; i < n; i++) {
		if (flags & MREMAP_DONTUNMAP && i < tn) {
			m->p[start + i].value = 0;
			m->p[start + i].copied = false;
		} else {
			m->p[start + i].kind = NONE;
		}
	}
	for (u32 i = 0; i < tn; i++) {
		if (i < n)
			m->p[to + i] = moved[i];
		else
			m->p[to + i] = (struct model_page){moved[0].kind, moved[0].prot, moved[0].index + i,
							   0, false};
	}
}

static void check_all(struct vmspace *vm, struct model *m)
{
	for (u32 i = 0; i < PAGES_IN_WINDOW; i++)
		if (!(m->p[i].kind > ANON && m->p[i].index >= FILE_PAGES)) /* grown beyond the end: SIGBUS */
			check_page(vm, m, i);
}

/* The tree's order, gaps, counts. */
static void check_tree(struct vmspace *vm)
{
	u64 last = 0, pages = 0, n = 0;

	for (struct vma *v = vma_find(vm, 0); v; v = vma_next(v), n++) {
		assert_true(v->start < v->end && v->start >= last && v->gap == v->start - last);
		pages += vma_pages(v);
		last = v->end;
	}
	assert_int_equal(n, vm->nvmas);
	assert_int_equal(pages, vm->total_vm);
	assert_true(vm->rss_anon >= 0 && vm->rss_file >= 0 && vm->huge_pages >= 0);
}

static void step(struct vmspace *vm, struct model *m)
{
	switch (rand() % 16) {
	case 0:
	case 1:
		op_map(vm, m);
		break;
	case 2:
		op_unmap(vm, m);
		break;
	case 3:
	case 4:
		op_protect(vm, m);
		break;
	case 5:
		op_dontneed(vm, m);
		break;
	case 6:
		op_remap(vm, m);
		break;
	case 7:
		op_advise(vm, m);
		break;
	default: {
		u32 start, n;

		random_range(&start, &n);
		for (u32 i = 0; i < n; i++) {
			if (m->p[start + i].kind > ANON && m->p[start + i].index >= FILE_PAGES)
				continue;
			if (rand() % 2)
				write_page(vm, m, start + i, (u64)rand() + 1);
			else
				check_page(vm, m, start + i);
		}
	}
	}
}

static void run(unsigned seed, int steps, enum thp_policy policy)
{
	struct vmspace *vm, *child = NULL;
	u64 before;

	boot_once();
	thp_policy_set(policy);
	memset(&parent_model, 0, sizeof parent_model);
	vm = vmspace_create();
	vmspace_put(vm);
	before = free_now();
	vm = vmspace_create();
	assert_non_null(vm);
	current->vm = vm;
	srand(seed);
	for (int i = 0; i < steps; i++) {
		step(vm, &parent_model);
		if (child)
			step(child, &child_model);
		if (rand() % 100 == 0) {
			if (child) {
				check_all(child, &child_model);
				check_tree(child);
				vmspace_put(child);
				child = NULL;
			} else {
				child = vmspace_fork(vm);
				assert_false(IS_ERR(child));
				child_model = parent_model;
			}
		}
		if (i % 50 == 0) {
			check_tree(vm);
			check_all(vm, &parent_model);
		}
	}
	if (child)
		vmspace_put(child);
	check_all(vm, &parent_model);
	current->vm = NULL;
	vmspace_put(vm);
	fake_file_drop(file);
	/* Nothing is lost but what slab caches keep. */
	assert_true(free_now() + 40 >= before);
	for (u32 i = 0; i < FILE_PAGES; i++)
		file_value[i] = 0;
}

static void test_random_small(void **state)
{
	for (unsigned seed = 1; seed <= 6; seed++)
		run(seed, 1500, THP_NEVER);
}

static void test_random_huge(void **state)
{
	for (unsigned seed = 10; seed <= 16; seed++)
		run(seed, 1500, THP_ALWAYS);
}

static void test_random_madvise(void **state)
{
	for (unsigned seed = 20; seed <= 24; seed++)
		run(seed, 1500, THP_MADVISE);
}

/* A CPU that tags translations: two tags, for a parent, its child, and the next child. */
static void test_random_tagged(void **state)
{
	u64 flushes = fake_tlb_flushes, tagged;

	arch_tlb_tags = 2;
	for (unsigned seed = 30; seed <= 31; seed++)
		run(seed, 1500, seed % 2 ? THP_NEVER : THP_ALWAYS);
	tagged = fake_tlb_flushes - flushes;
	arch_tlb_tags = 1;
	flushes = fake_tlb_flushes;
	for (unsigned seed = 30; seed <= 31; seed++)
		run(seed, 1500, seed % 2 ? THP_NEVER : THP_ALWAYS);
	assert_true(tagged < fake_tlb_flushes - flushes);
}

static struct vmspace *fresh(void)
{
	struct vmspace *vm;

	boot_once();
	thp_policy_set(THP_ALWAYS);
	vm = vmspace_create();
	current->vm = vm;
	return vm;
}

static void done(struct vmspace *vm)
{
	current->vm = NULL;
	vmspace_put(vm);
}

#define RW	(PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)

static void test_errors(void **state)
{
	struct vmspace *vm = fresh();
	long a;

	assert_int_equal(vm_mmap(vm, 0, 0, RW, PRIVATE, NULL, 0), -EINVAL);
	assert_int_equal(vm_mmap(vm, 0, ~0ull, RW, PRIVATE, NULL, 0), -ENOMEM);
	assert_int_equal(vm_mmap(vm, 0, ~0ull - 8191, RW, PRIVATE, NULL, 0), -ENOMEM);
	assert_int_equal(vm_mmap(vm, 0, 4096, RW, MAP_ANONYMOUS, NULL, 0), -EINVAL);
	assert_int_equal(vm_mmap(vm, 0, 4096, RW, PRIVATE, NULL, 1), -EINVAL);
	assert_int_equal(vm_mmap(vm, 0x1000, 4096, RW, PRIVATE | MAP_FIXED, NULL, 0), -EPERM);
	assert_int_equal(vm_mmap(vm, 0x100001, 4096, RW, PRIVATE | MAP_FIXED, NULL, 0), -EINVAL);
	assert_int_equal(vm_mmap(vm, APP_LIMIT, 4096, RW, PRIVATE | MAP_FIXED, NULL, 0), -ENOMEM);
	assert_int_equal(vm_mmap(vm, 0, 4096, RW, MAP_PRIVATE, file, ~0ull & PAGE_MASK), -EOVERFLOW);
	assert_int_equal(vm_mmap(vm, 0, GIB(1), RW, PRIVATE, NULL, 0), -ENOMEM); /* more than all memory */
	a = vm_mmap(vm, 0, MIB(1), RW, PRIVATE, NULL, 0);
	assert_true(a > 0);
	assert_int_equal(vm_mmap(vm, (u64)a + 4096, 4096, RW, PRIVATE | MAP_FIXED_NOREPLACE, NULL, 0),
			 -EEXIST);
	assert_int_equal(vm_munmap(vm, (u64)a + 1, 4096), -EINVAL);
	assert_int_equal(vm_munmap(vm, (u64)a, 0), -EINVAL);
	assert_int_equal(vm_mprotect(vm, (u64)a + 1, 4096, RW), -EINVAL);
	assert_int_equal(vm_mprotect(vm, (u64)a, 0, RW), 0);
	assert_int_equal(vm_mprotect(vm, (u64)a, 4096, 0x40), -EINVAL);
	assert_int_equal(vm_mprotect(vm, (u64)a + MIB(1) - 4096, 8192, RW), -ENOMEM);
	assert_int_equal(vm_madvise(vm, (u64)a, 4096, 9999), -EINVAL);
	assert_int_equal(vm_madvise(vm, (u64)a + 1, 4096, MADV_DONTNEED), -EINVAL);
	assert_int_equal(vm_mremap(vm, (u64)a, 4096, 0, 0, 0), -EINVAL);
	assert_int_equal(vm_mremap(vm, 0x7000000, 4096, 8192, 0, 0), -EFAULT);
	assert_int_equal(vm_mremap(vm, (u64)a, 0, 8192, MREMAP_MAYMOVE, 0), -EINVAL);
	assert_int_equal(vm_mremap(vm, (u64)a, MIB(2), MIB(3), MREMAP_MAYMOVE, 0), -EFAULT);
	done(vm);
}

/* A reservation of terabytes costs nothing, and there is room for many. */
static void test_reserve(void **state)
{
	struct vmspace *vm = fresh();
	u64 before = free_now();
	long a = vm_mmap(vm, 0, 16ull << 40, PROT_NONE, PRIVATE | MAP_NORESERVE, NULL, 0), b;

	assert_true(a > 0);
	b = vm_mmap(vm, 0, 16ull << 40, PROT_NONE, PRIVATE | MAP_NORESERVE, NULL, 0);
	assert_int_equal(b + (long)(16ull << 40), a); /* top-down, next to each other: one VMA */
	assert_int_equal(vm->nvmas, 1);
	/* Commit in steps from the start: the border moves, no VMA is made after the first. */
	for (u64 off = 0; off < MIB(8); off += KIB(64)) {
		assert_int_equal(vm_mprotect(vm, (u64)b + off, KIB(64), RW), 0);
		assert_int_equal(vm->nvmas, 2);
	}
	for (u64 off = MIB(8); off < MIB(9); off += KIB(64)) {
		assert_int_equal(vm_mmap(vm, (u64)b + off, KIB(64), RW, PRIVATE | MAP_FIXED, NULL, 0),
				 b + (long)off);
		assert_true(vm->nvmas <= 3);
	}
	assert_int_equal(vm_munmap(vm, (u64)b, 32ull << 40), 0);
	assert_int_equal(vm->nvmas, 0);
	assert_true(free_now() + 8 >= before);
	done(vm);
}

static void test_many_vmas(void **state)
{
	struct vmspace *vm = fresh();
	long a = vm_mmap(vm, 0, 40000 * PAGE_SIZE, PROT_NONE, PRIVATE | MAP_NORESERVE, NULL, 0);

	for (u64 i = 0; i < 40000; i += 2)
		assert_int_equal(vm_mprotect(vm, (u64)a + i * PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	assert_int_equal(vm->nvmas, 40000);
	check_tree(vm);
	for (u64 i = 0; i < 40000; i += 2)
		assert_int_equal(
			vm_mprotect(vm, (u64)a + ((i * 7919) % 40000) * PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
	assert_int_equal(vm->nvmas, 1);
	done(vm);
}

static void test_signals(void **state)
{
	struct vmspace *vm = fresh();
	int sig, code;
	long a = vm_mmap(vm, 0, 70 * PAGE_SIZE, PROT_READ, MAP_PRIVATE, file, 0);

	assert_int_equal(vm_handle_fault(vm, 0, false, false, true, &sig, &code), -ENOENT);
	assert_true(sig == SIGSEGV && code == SEGV_MAPERR);
	assert_int_not_equal(vm_handle_fault(vm, (u64)a, true, false, true, &sig, &code), 0);
	assert_true(sig == SIGSEGV && code == SEGV_ACCERR);
	assert_int_not_equal(vm_handle_fault(vm, (u64)a, false, true, true, &sig, &code), 0);
	assert_true(sig == SIGSEGV && code == SEGV_ACCERR);
	assert_int_equal(vm_handle_fault(vm, (u64)a + 63 * PAGE_SIZE, false, false, true, &sig, &code), 0);
	assert_int_not_equal(vm_handle_fault(vm, (u64)a + 64 * PAGE_SIZE, false, false, true, &sig, &code),
			     0);
	assert_true(sig == SIGBUS && code == BUS_ADRERR);
	done(vm);
	fake_file_drop(file);
}

static void test_stack_grows(void **state)
{
	struct vmspace *vm = fresh();
	u64 top = 0x7ff000000000ull;
	int sig;
	long low;

	assert_int_equal(
		vm_mmap(vm, top - KIB(128), KIB(128), RW, PRIVATE | MAP_FIXED | MAP_GROWSDOWN, NULL, 0),
		(long)(top - KIB(128)));
	current_process()->rlim[RLIMIT_STACK].rlim_cur = MIB(8);
	assert_non_null(fake_mmu(vm, top - MIB(7), true, &sig));
	assert_null(fake_mmu(vm, top - MIB(9), true, &sig));
	assert_int_equal(sig, SIGSEGV);
	/* Another mapping below keeps its distance. */
	low = vm_mmap(vm, top - MIB(7) - MIB(1), KIB(4), RW, PRIVATE, NULL, 0);
	assert_true(low < (long)(top - MIB(7) - MIB(1)));
	assert_int_equal(vm_mmap(vm, top - MIB(7) - KIB(64), KIB(4), RW, PRIVATE | MAP_FIXED, NULL, 0),
			 (long)(top - MIB(7) - KIB(64)));
	assert_null(fake_mmu(vm, top - MIB(7) - KIB(32), true, &sig));
	current_process()->rlim[RLIMIT_STACK].rlim_cur = ~0ull;
	done(vm);
}

static void test_brk(void **state)
{
	struct vmspace *vm = fresh();
	u64 start = 0x555500000123ull;
	int sig;

	vm_set_brk(vm, start);
	assert_int_equal(vm_brk(vm, 0), start);
	assert_int_equal(vm_brk(vm, start + MIB(3)), start + MIB(3));
	memset(fake_mmu(vm, start + MIB(2), true, &sig), 7, 8);
	assert_int_equal(vm_brk(vm, start + MIB(1)), start + MIB(1));
	assert_null(fake_mmu(vm, start + MIB(2), true, &sig));
	assert_int_equal(vm_brk(vm, start + MIB(3)), start + MIB(3));
	assert_int_equal(*(u8 *)fake_mmu(vm, start + MIB(2), true, &sig), 0);
	assert_string_equal(vma_name(vma_find(vm, start + PAGE_SIZE)), "[heap]");
	assert_int_equal(vm_mmap(vm, 0x555500800000ull, KIB(4), RW, PRIVATE | MAP_FIXED, NULL, 0),
			 0x555500800000ull);
	assert_int_equal(vm_brk(vm, start + MIB(16)), start + MIB(3));
	done(vm);
}

/* Truncation takes mapped pages away, copies included; what is mapped later faults. */
static void test_truncate(void **state)
{
	struct vmspace *vm = fresh();
	long p = vm_mmap(vm, 0, 16 * PAGE_SIZE, RW, MAP_PRIVATE, file, 0);
	long s = vm_mmap(vm, 0, 16 * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	int sig;

	for (u64 i = 0; i < 16; i++) {
		*(u64 *)fake_mmu(vm, (u64)s + i * PAGE_SIZE, true, &sig) = 100 + i;
		assert_int_equal(*(u64 *)fake_mmu(vm, (u64)p + i * PAGE_SIZE, i & 1, &sig), 100 + i);
	}
	fake_file_truncate(file, 8);
	for (u64 i = 0; i < 16; i++) {
		u64 *a = fake_mmu(vm, (u64)s + i * PAGE_SIZE, false, &sig),
		    *b = fake_mmu(vm, (u64)p + i * PAGE_SIZE, false, &sig);

		if (i < 8) {
			assert_int_equal(*a, 100 + i);
			assert_int_equal(*b, 100 + i);
		} else {
			assert_null(a);
			assert_null(b);
			assert_int_equal(sig, SIGBUS);
		}
	}
	fake_file_truncate(file, FILE_PAGES);
	done(vm);
	fake_file_drop(file);
}

/* What a large private mapping has copied, be it at the first touch or later, leaves the cache, unless others
 * use it; a small mapping's stays. */
static void test_copied_leave_cache(void **state)
{
	struct vmspace *vm = fresh();
	long small = vm_mmap(vm, 0, 16 * PAGE_SIZE, RW, MAP_PRIVATE, file, 0);
	long large = vm_mmap(vm, 0, MIB(1), RW, MAP_PRIVATE, file, 16 * PAGE_SIZE);
	long shared = vm_mmap(vm, 0, PAGE_SIZE, RW, MAP_SHARED, file, 18 * PAGE_SIZE);
	int sig;

	assert_non_null(fake_mmu(vm, (u64)small, true, &sig));
	assert_non_null(fake_file_page(0));
	*(u64 *)fake_mmu(vm, (u64)large, true, &sig) = 5;
	assert_null(fake_file_page(16));
	assert_int_equal(*(u64 *)fake_mmu(vm, (u64)large, false, &sig), 5);
	assert_int_equal(*(u64 *)fake_mmu(vm, (u64)large + PAGE_SIZE, false, &sig), 0);
	assert_non_null(fake_file_page(17));
	*(u64 *)fake_mmu(vm, (u64)large + PAGE_SIZE, true, &sig) = 6;
	assert_null(fake_file_page(17));
	*(u64 *)fake_mmu(vm, (u64)shared, true, &sig) = 7;
	assert_int_equal(*(u64 *)fake_mmu(vm, (u64)large + 2 * PAGE_SIZE, true, &sig), 7);
	assert_non_null(fake_file_page(18));
	done(vm);
	fake_file_drop(file);
}

/* Reclaim drops mappings of file pages that were not used for two visits; private copies and locked pages
 * stay. */
static void test_reclaim_mapped(void **state)
{
	struct vmspace *vm = fresh();
	long p = vm_mmap(vm, 0, 32 * PAGE_SIZE, RW, MAP_PRIVATE, file, 0);
	int sig;

	for (u64 i = 0; i < 32; i++)
		assert_non_null(fake_mmu(vm, (u64)p + i * PAGE_SIZE, i >= 30, &sig));
	assert_int_equal(vm->rss_file, 30);
	assert_int_equal(vm_reclaim_mapped(1000), 30); /* two rounds: marks, then mappings */
	assert_int_equal(vm->rss_file, 0);
	assert_int_equal(vm->rss_anon, 2);
	for (u64 i = 0; i < 32; i++)
		assert_non_null(fake_mmu(vm, (u64)p + i * PAGE_SIZE, false, &sig));
	assert_true(vm_reclaim_mapped(5) >= 5);
	done(vm);
	fake_file_drop(file);
}

static void test_access_and_populate(void **state)
{
	struct vmspace *vm = fresh(), *child;
	long a = vm_mmap(vm, 0, MIB(4), RW, PRIVATE | MAP_POPULATE, NULL, 0);
	char in[10000], out[10000];
	struct vma_usage u;

	assert_int_equal(vm_rss(vm), PAGES(MIB(4)));
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (char)i;
	assert_int_equal(vm_access(vm, (u64)a + 3000, in, sizeof in, true), sizeof in);
	child = vmspace_fork(vm);
	memset(in, 1, sizeof in);
	assert_int_equal(vm_access(vm, (u64)a + 3000, in, sizeof in, true), sizeof in);
	assert_int_equal(vm_access(child, (u64)a + 3000, out, sizeof out, false), sizeof out);
	for (size_t i = 0; i < sizeof out; i++)
		assert_int_equal(out[i], (char)i);
	assert_int_equal(vm_access(vm, (u64)a + MIB(4) - 100, out, sizeof out, false), 100);
	vma_usage(vma_find(vm, (u64)a), &u);
	assert_int_equal(u.rss, MIB(4));
	assert_int_equal(u.anonymous, MIB(4));
	vmspace_put(child);
	assert_int_equal(vm_madvise(vm, (u64)a, MIB(4), MADV_DONTNEED), 0);
	assert_int_equal(vm_rss(vm), 0);
	done(vm);
}

static void test_hugetlb(void **state)
{
	struct vmspace *vm = fresh();
	struct hugetlb_stats s;
	int sig;
	long a;

	assert_int_equal(vm_mmap(vm, 0, MIB(2), RW, PRIVATE | MAP_HUGETLB, NULL, 0), -ENOMEM);
	assert_int_equal(hugetlb_resize(4), 4);
	a = vm_mmap(vm, 0, MIB(5), RW, PRIVATE | MAP_HUGETLB, NULL, 0);
	assert_true(a > 0 && IS_ALIGNED((u64)a, HUGE_SIZE));
	assert_int_equal(vm_mmap(vm, 0, MIB(4), RW, PRIVATE | MAP_HUGETLB, NULL, 0), -ENOMEM);
	assert_non_null(fake_mmu(vm, (u64)a + MIB(3), true, &sig));
	hugetlb_stats(&s);
	assert_true(s.total == 4 && s.free == 3 && s.reserved == 2);
	assert_int_equal(vm_munmap(vm, (u64)a, KIB(4)), 0); /* rounded up */
	assert_int_equal(vm_munmap(vm, (u64)a + MIB(2), MIB(4)), 0);
	hugetlb_stats(&s);
	assert_true(s.total == 4 && s.free == 4 && s.reserved == 0);
	assert_int_equal(hugetlb_resize(0), 0);
	done(vm);
}

static struct page *hogged;

static void hog(u64 leave)
{
	struct page *p;

	for (u64 left = free_now(); left > leave && (p = page_alloc(0, PAGE_NORECLAIM)); left--) {
		p->priv = hogged;
		hogged = p;
	}
}

static void release(u64 n)
{
	for (; hogged && n; n--) {
		struct page *p = hogged;

		hogged = p->priv;
		p->priv = NULL;
		page_free(p, 0);
	}
}

/* Faults that find no memory end "a process". */
void oom_kill(void)
{
	if (!hogged)
		fail_msg("out of memory with nothing to free");
	release(20);
}

/* Any operation may fail for want of memory at any point: the structure stays sound, nothing is lost. */
static void test_low_memory(void **state)
{
	for (unsigned seed = 1; seed < 12; seed++) {
		struct vmspace *vm, *child = NULL;
		u64 before;

		boot_once();
		before = free_now();
		vm = fresh();
		thp_policy_set(seed % 2 ? THP_ALWAYS : THP_NEVER);
		srand(seed);
		for (int i = 0; i < 600; i++) {
			u32 start, n;
			u64 at;

			if (i % 20 == 0) {
				release(~0ull);
				hog((u64)rand() % 3000);
			}
			random_range(&start, &n);
			at = BASE + (u64)start * PAGE_SIZE;
			switch (rand() % 8) {
			case 0:
			case 1:
				(void)!vm_mmap(vm, at, (u64)n * PAGE_SIZE, RW, PRIVATE | MAP_FIXED, NULL, 0);
				break;
			case 2:
				(void)!vm_munmap(vm, at, (u64)n * PAGE_SIZE);
				break;
			case 3:
				(void)!vm_mprotect(vm, at, (u64)n * PAGE_SIZE, random_prot());
				break;
			case 4:
				(void)!vm_mremap(vm, at, (u64)n * PAGE_SIZE, (u64)n * PAGE_SIZE,
						 MREMAP_MAYMOVE | MREMAP_FIXED,
						 BASE + (u64)rand() % 1000 * PAGE_SIZE);
				break;
			case 5:
				(void)!vm_madvise(vm, at, (u64)n * PAGE_SIZE,
						  rand() % 2 ? MADV_DONTNEED : MADV_DONTDUMP);
				break;
			case 6:
				if (child)
					vmspace_put(child);
				child = vmspace_fork(vm);
				if (IS_ERR(child))
					child = NULL;
				break;
			default:
				for (u32 k = 0; k < n; k++) {
					int sig;
					u64 *p = fake_mmu(vm, at + k * PAGE_SIZE, rand() % 2, &sig);

					if (p)
						*(volatile u64 *)p;
				}
			}
			check_tree(vm);
		}
		release(~0ull);
		if (child)
			vmspace_put(child);
		done(vm);
		assert_true(free_now() + 60 >= before);
	}
}

/* Every allocation in turn fails: errors come back, nothing leaks. The allocator is the real one, so run it
 * dry instead. */
static void test_out_of_memory(void **state)
{
	struct vmspace *vm = fresh(), *child;
	struct page *hog = NULL, *p;
	long a = vm_mmap(vm, 0, MIB(2), RW, PRIVATE | MAP_POPULATE, NULL, 0);
	u64 before = free_now();

	while ((p = page_alloc(0, PAGE_NORETRY))) {
		p->priv = hog;
		hog = p;
	}
	child = vmspace_fork(vm);
	if (!IS_ERR(child))
		vmspace_put(child);
	assert_int_equal(vm_madvise(vm, (u64)a, MIB(2), MADV_POPULATE_WRITE), 0);
	assert_true(vm_madvise(vm, (u64)a + PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED) <= 0);
	assert_int_equal(vm_munmap(vm, (u64)a, MIB(2)), 0);
	while (hog) {
		p = hog;
		hog = p->priv;
		p->priv = NULL;
		page_free(p, 0);
	}
	assert_true(free_now() + 8 >= before);
	done(vm);
}

UNIT_TESTS(test_errors, test_reserve, test_many_vmas, test_signals, test_stack_grows, test_brk, test_truncate,
	   test_copied_leave_cache, test_reclaim_mapped, test_access_and_populate, test_hugetlb,
	   test_out_of_memory, test_low_memory, test_random_small, test_random_huge, test_random_madvise,
	   test_random_tagged)
