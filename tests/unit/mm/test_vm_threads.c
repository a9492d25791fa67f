// SPDX-License-Identifier: BSD-2-Clause
/* Threads in one address space at once: each keeps a region of its own, with known contents, while neighbours
 * map, unmap, protect and fault beside it and the tree is rebalanced under their look-ups. */
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
#include "kernel/mm/internal.h"
#include "kernel/mm/vm_internal.h"
#include "kernel/process.h"
#include "tests/unit/mm/fake_arch.h"
#include <linux/mman.h>

#define THREADS 6
#define ROUNDS	400
#define RW	(PROT_READ | PROT_WRITE)

static struct vmspace *vm;

struct worker {
	u64 id;
	unsigned seed;
};

static u64 value_of(const struct worker *w, u64 addr)
{
	return w->id << 56 | addr;
}

static void check(struct worker *w, u64 addr, u64 want)
{
	u64 v = 1;

	if (vm_access(vm, addr, &v, sizeof v, false) != sizeof v || v != want) {
		fprintf(stderr, "thread %lu: %lx holds %lx, not %lx\n", (unsigned long)w->id,
			(unsigned long)addr, (unsigned long)v, (unsigned long)want);
		abort();
	}
}

static void work(void *arg)
{
	struct worker *w = arg;

	current->vm = vm;
	for (int round = 0; round < ROUNDS; round++) {
		u64 n = 1 + (u64)rand_r(&w->seed) % 40, v;
		long a = vm_mmap(vm, 0, n * PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);

		if (a < 0)
			abort();
		for (u64 i = 0; i < n; i++) {
			u64 at = (u64)a + i * PAGE_SIZE;

			check(w, at, 0);
			v = value_of(w, at);
			if (vm_access(vm, at, &v, sizeof v, true) != sizeof v)
				abort();
		}
		if (rand_r(&w->seed) % 2 &&
		    vm_mprotect(vm, (u64)a + n / 2 * PAGE_SIZE, (n - n / 2) * PAGE_SIZE, PROT_READ))
			abort();
		if (rand_r(&w->seed) % 4 == 0) {
			struct vmspace *child = vmspace_fork(vm);

			if (!IS_ERR(child)) {
				if (vm_access(child, (u64)a, &v, sizeof v, false) != sizeof v ||
				    v != value_of(w, (u64)a))
					abort();
				vmspace_put(child);
			}
		}
		for (u64 i = 0; i < n; i++)
			check(w, (u64)a + i * PAGE_SIZE, value_of(w, (u64)a + i * PAGE_SIZE));
		if (vm_munmap(vm, (u64)a, n * PAGE_SIZE))
			abort();
	}
	current->vm = NULL;
}

static void test_threads(void **state)
{
	struct thread *t[THREADS];
	struct worker w[THREADS];

	host_set_cpus(THREADS + 2);
	fake_boot(HOST_PHYS_BASE, MIB(128));
	host_run_initcalls(INIT_CORE);
	vm = vmspace_create();
	assert_non_null(vm);
	for (unsigned i = 0; i < THREADS; i++) {
		w[i] = (struct worker){i + 1, i * 77 + 5};
		t[i] = host_thread_start(work, &w[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		host_thread_join(t[i]);
	assert_int_equal(vm->nvmas, 0);
	assert_int_equal(vm_rss(vm), 0);
	vmspace_put(vm);
}

UNIT_TESTS(test_threads)
