// SPDX-License-Identifier: BSD-2-Clause
/* Address spaces of applications.
 *
 * Theory. A struct vmspace is a tree of VMAs (what is mapped where, with which rights) and page tables (which
 * pages are there now). Mappings cost nothing until they are touched; faults bring pages in, one VMA lock at
 * a time, without any lock of the whole space. Changes of the layout (mmap, munmap, mprotect, mremap, brk,
 * fork) hold vm->lock for writing, and the lock of each VMA that they change, which waits for faults under
 * way in it. Pages: anonymous ones are owned by page-table entries alone (page->ref counts those); a write to
 * one that is shared after fork copies it. File pages belong to the page cache; page->mapcount counts the
 * entries that map them. Large pages (2 MiB) are compound blocks whose head counts the large entries;
 * splitting one turns it into 512 pages of their own (thp.c). Files: vma.c the tree, tlb.c translations,
 * pagetable.c tables, fault*.c faults, zap.c unmapping, and one file per operation. */
#include "base/string.h"
#include "internal.h"
#include "kernel/alloc.h"
#include "kernel/cmdline.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "kernel/random.h"
#include "vm_internal.h"

static bool randomize = true;

/* Huge pages by default where 2 MiB is small change, which is from 1 GiB on (of which the firmware and the
 * kernel have taken their part), unless the command line has a say. */
static enum thp_policy first_policy(void)
{
	const char *word = cmdline_get("transparent_hugepage");

	if (word && !strcmp(word, "always"))
		return THP_ALWAYS;
	if (word && !strcmp(word, "madvise"))
		return THP_MADVISE;
	if (word && !strcmp(word, "never"))
		return THP_NEVER;
	return managed_pages >= (GIB(1) - MIB(64)) >> PAGE_SHIFT ? THP_ALWAYS : THP_MADVISE;
}

static int vmspace_init(void)
{
	vma_init();
	randomize = !cmdline_flag("norandmaps");
	/* A batch is at most as large as what was touched before it; still, a small machine cannot spare
	 * much. */
	fault_batch_max = (u32)clamp(managed_pages / 1024, 4ul, 64ul);
	thp_policy_set(first_policy());
	hugetlb_resize(cmdline_u64("hugepages", 0));
	return 0;
}
INITCALL(vmspace_init, INIT_CORE);

/* Below the stack, which may grow to 32 GiB, at a random distance of up to 1 TiB: 0-64 GiB and 4-20 TiB stay
 * free. */
static u64 choose_mmap_base(void)
{
	u64 base = ALIGN_DOWN(APP_LIMIT - GIB(32), HUGE_SIZE);

	return randomize ? base - ((random_u64() & (BIT(28) - 1)) << PAGE_SHIFT) : base;
}

struct vmspace *vmspace_create(void)
{
	static _Atomic u64 last_id;
	struct vmspace *vm = kzalloc(sizeof *vm);
	struct page *root;

	if (!vm)
		return NULL;
	vm->cpus = &vm->cpus_inline;
	if (cpu_count > 64)
		vm->cpus = kcalloc(DIV_ROUND_UP(cpu_count, 64), sizeof(u64));
	root = page_alloc(0, PAGE_ZERO);
	if (!vm->cpus || !root) {
		if (root)
			page_free(root, 0);
		if (vm->cpus != &vm->cpus_inline)
			kfree(vm->cpus);
		kfree(vm);
		return NULL;
	}
	arch_root_init(page_to_virt(root));
	vm->root = page_to_phys(root);
	refcount_set(&vm->ref, 1);
	rwlock_init(&vm->lock);
	spin_init(&vm->pt_lock);
	vm->pt_pages = 1;
	vm->tlb_gen = 1;
	vm->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
	vm->mmap_base = choose_mmap_base();
	reclaim_add_space(vm);
	return vm;
}

void vmspace_get(struct vmspace *vm)
{
	refcount_get(&vm->ref);
}

static void unmap_everything(struct vmspace *vm)
{
	struct vma *dead = NULL;
	struct tlb_batch b;

	rwlock_write_lock(&vm->lock);
	if (vm_unmap_locked(vm, 0, APP_LIMIT, &dead))
		panic("vmspace_put: cannot unmap"); /* no VMA is cut, so nothing is allocated */
	/* Tables that a failed move left behind. */
	tlb_batch_begin(&b, vm, 0);
	free_tables(&b, 0, APP_LIMIT, 0, ALIGN_UP(APP_LIMIT, HUGE_SIZE));
	tlb_batch_end(&b);
	rwlock_write_unlock(&vm->lock);
	vm_release_dead(dead);
}

void vmspace_put(struct vmspace *vm)
{
	if (!vm || !refcount_put(&vm->ref))
		return;
	if (unlikely(vm->aio))
		vm->aio->free(vm->aio);
	reclaim_remove_space(vm);
	tlb_leave_all(vm);
	unmap_everything(vm);
	ASSERT(!vm->nvmas && vm->pt_pages == 1);
	ASSERT(!vm->rss_anon && !vm->rss_file && !vm->rss_shmem && !vm->huge_pages && !vm->hugetlb_pages);
	page_free(phys_to_page(vm->root), 0);
	if (vm->cpus != &vm->cpus_inline)
		kfree(vm->cpus);
	kfree(vm);
}

void vm_account(struct vmspace *vm, u32 flags, s64 delta)
{
	vm->total_vm += (u64)delta;
	vm_commit(flags, delta);
	if (flags & VMA_LOCKED)
		vm->locked_vm += (u64)delta;
	if (flags & VMA_GROWSDOWN)
		vm->stack_vm += (u64)delta;
	else if ((flags & (VMA_WRITE | VMA_SHARED)) == VMA_WRITE)
		vm->data_vm += (u64)delta;
	else if ((flags & (VMA_WRITE | VMA_EXEC)) == VMA_EXEC)
		vm->exec_vm += (u64)delta;
	if (vm->total_vm > atomic_load_explicit(&vm->peak_vm, memory_order_relaxed))
		atomic_store_explicit(&vm->peak_vm, vm->total_vm, memory_order_relaxed);
}

const char *vma_name(struct vma *v)
{
	if (v->ops && v->ops->name && !v->file)
		return v->ops->name(v);
	if (v->flags & VMA_BRK)
		return "[heap]";
	if (v->flags & VMA_GROWSDOWN)
		return "[stack]";
	return "";
}
