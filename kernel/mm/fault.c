// SPDX-License-Identifier: BSD-2-Clause
/* Page faults: find the VMA, check the rights, bring the page in or copy it.
 *
 * The fast path takes one lock, the VMA's for reading, found under RCU; entries are written under the lock of
 * their table. Anonymous memory touched in sequence is populated in growing batches, since each fault costs
 * more than the pages it brings. */
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "internal.h"
#include "kernel/counter.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/psi.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "vm_internal.h"

#define WRITEBACK_ROUNDS 64 /* and then somebody has to go */

DEFINE_COUNTER(fault_oom, "page faults that found no memory after reclaim");
DEFINE_COUNTER(fault_stack_grown, "faults that grew a stack");

struct fault_counts {
	u64 minor, major;
};
static DEFINE_PER_CPU(struct fault_counts, fault_counts);

static u64 minor_total(void)
{
	u64 n = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		n += READ_ONCE(per_cpu_ptr(&fault_counts, cpu)->minor);
	return n;
}

static u64 major_total(void)
{
	u64 n = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		n += READ_ONCE(per_cpu_ptr(&fault_counts, cpu)->major);
	return n;
}

DEFINE_COUNTER_SUM(vm_minor_faults, minor_total, "page faults served from memory");
DEFINE_COUNTER_SUM(vm_major_faults, major_total, "page faults that waited for a device");

void fault_count_major(void)
{
	usage_count(&current->used, USAGE_MAJ_FAULTS, 1);
	this_cpu(fault_counts).major++;
	usage_count(&current->used, USAGE_MIN_FAULTS,
		    -1ull); /* counted as one on entry, perhaps on another CPU: the sums are right */
	this_cpu(fault_counts).minor--;
}

u32 fault_batch_max = 16;
#define BATCH_LIMIT 64

static inline pte_t small_entry(const struct vma *v, struct page *p, bool write)
{
	return pte_app(page_to_phys(p), vma_accessible(v), write, v->flags & VMA_EXEC, false);
}

/* How many pages to bring in at ADDR: half as many again each time the VMA is touched in sequence, so that at
 * most a third comes for nothing. */
static u32 batch_size(struct vma *v, u64 addr)
{
	u32 n = 1;
	u64 room;

	if (vm_load(v->fault_next) == addr && !(v->flags & VMA_RANDOM))
		n = min((vm_load(v->batch) * 3u + 1) / 2, fault_batch_max);
	n = max(n, 1u);
	room = min(v->end, ALIGN_DOWN(addr, HUGE_SIZE) + HUGE_SIZE) - addr;
	n = (u32)min((u64)n, PAGES(room));
	vm_store(v->batch, (u8)n);
	vm_store(v->fault_next, addr + (u64)n * PAGE_SIZE);
	return n;
}

static int fault_anon(struct vma *v, u64 addr, pte_t *pmd)
{
	struct page *pages[BATCH_LIMIT];
	u32 want = batch_size(v, addr), got = 0, used = 0;
	pte_t *table, e,
		rights = pte_app(0, vma_accessible(v), v->flags & VMA_WRITE, v->flags & VMA_EXEC, false);
	struct spinlock *lock;

	/* Only the first is needed: the others must not cause reclaim. */
	if (want > 1)
		got = page_alloc_many(PAGE_MOVABLE | PAGE_ZERO, pages, want);
	if (!got) {
		pages[got++] = page_alloc(0, PAGE_MOVABLE | PAGE_ZERO);
		if (!pages[0])
			return -ENOMEM;
	}
	e = pte_read(pmd);
	if (unlikely(!pte_present(e) || pte_large(e)))
		goto out; /* it changed: look again */
	lock = pt_table_lock(e);
	table = phys_to_virt(pte_phys(e));
	spin_lock(lock);
	for (pte_t *slot = &table[pt_index(addr, 0)]; used < got && pte_none(*slot); slot++, used++) {
		atomic_store_explicit(&pages[used]->flags, PAGE_ANON, memory_order_relaxed);
		pte_write(slot, rights | page_phys(pages[used]));
	}
	spin_unlock(lock);
	if (used)
		atomic_fetch_add_explicit(&v->vm->rss_anon, used, memory_order_relaxed);
	if (thp_suitable(v, ALIGN_DOWN(addr, HUGE_SIZE)))
		thp_missed();
out:
	for (u32 i = used; i < got; i++)
		page_free(pages[i], 0);
	return 0;
}

/* A write to a page that is mapped without write permission: copy it, unless it is ours alone. LOCK is held;
 * released here. */
int vma_write_fault_small(struct vma *v, u64 addr, pte_t *pte, struct spinlock *lock, pte_t old)
{
	struct page *from = phys_to_page(pte_phys(old)), *to;
	bool was_anon;

	if (v->flags & VMA_SHARED) {
		struct vm_fault f = {v, addr, v->pgoff + PAGES(addr - v->start), true, from};
		int err = 0;

		page_get(from);
		spin_unlock(lock);
		if (v->ops && v->ops->page_mkwrite)
			err = v->ops->page_mkwrite(&f);
		if (!err) {
			spin_lock(lock);
			if (*pte == old || pte_change(*pte, true, false, v->flags & VMA_EXEC) ==
						   pte_change(old, true, false, v->flags & VMA_EXEC))
				pte_write(pte, small_entry(v, from, true));
			spin_unlock(lock);
			if (vma_page_cache(v))
				pagecache_mapped_write(vma_page_cache(v));
		}
		page_put(from);
		return err;
	}
	was_anon = from->flags & PAGE_ANON;
	if (was_anon && refcount_read(&from->ref) == 1) {
		pte_write(pte, small_entry(v, from, true));
		spin_unlock(lock);
		return 0;
	}
	page_get(from);
	spin_unlock(lock);
	to = page_alloc(0, PAGE_MOVABLE);
	if (!to) {
		page_put(from);
		return -ENOMEM;
	}
	arch_copy_pages(page_to_virt(to), page_to_virt(from), 1);
	atomic_store_explicit(&to->flags, PAGE_ANON, memory_order_relaxed);
	spin_lock(lock);
	if (pte_phys(*pte) == pte_phys(old) && !pte_writable(*pte) && pte_present(*pte)) {
		/* Other threads must not go on reading the old page once this one writes the new. */
		pte_write(pte, 0);
		tlb_flush_range(v->vm, addr, addr + PAGE_SIZE, false);
		pte_write(pte, small_entry(v, to, true));
		spin_unlock(lock);
		if (!was_anon) {
			struct tlb_batch b;

			tlb_batch_begin(&b, v->vm, 1);
			page_unmapped(&b, v, from, old);
			b.anon--;
			tlb_batch_end(&b);
		}
		page_put(from); /* the mapping's */
	} else {
		spin_unlock(lock);
		page_free(to, 0);
	}
	page_put(from); /* ours */
	if (!was_anon)
		vma_forget_copied(v, addr);
	return 0;
}

/* An entry is there. It may allow the access by now, or need a copy. */
static int fault_present(struct vma *v, u64 addr, u32 flags, pte_t *pmd)
{
	pte_t e = pte_read(pmd), old;
	struct spinlock *lock;
	pte_t *pte;

	if (!pte_present(e) || pte_large(e))
		return 0;
	lock = pt_table_lock(e);
	pte = (pte_t *)phys_to_virt(pte_phys(e)) + pt_index(addr, 0);
	spin_lock(lock);
	old = *pte;
	if (pte_present(old) && flags & FAULT_WRITE && !pte_writable(old))
		return vma_write_fault_small(v, addr, pte, lock, old);
	spin_unlock(lock);
	return 0; /* resolved by another CPU: the stale translation went with the fault */
}

int vma_fault(struct vma *v, u64 addr, u32 flags)
{
	u64 haddr = ALIGN_DOWN(addr, HUGE_SIZE);
	struct vmspace *vm = v->vm;
	pte_t *pmd = pt_make(vm, addr, 1), e;

	if (unlikely(!pmd))
		return -ENOMEM;
	if (unlikely(v->flags & VMA_HUGETLB))
		return hugetlb_fault(v, haddr, flags, pmd);
	e = pte_read(pmd);
	if (pte_none(e) && thp_suitable(v, haddr)) {
		int err = thp_fault(v, haddr, pmd);

		if (err != -EAGAIN)
			return err;
	}
	if (pte_large(e)) {
		if (flags & FAULT_WRITE && !pte_writable(e))
			return thp_write_fault(v, haddr, pmd, e);
		return 0;
	}
	if (pte_none(e)) {
		if (!pt_make(vm, addr, 0))
			return pte_large(pte_read(pmd)) ? 0 : -ENOMEM;
		e = pte_read(pmd);
		if (!pte_present(e) || pte_large(e))
			return 0;
	}
	if (!pte_none(pte_read((pte_t *)phys_to_virt(pte_phys(e)) + pt_index(addr, 0))))
		return fault_present(v, addr, flags, pmd);
	return vma_anonymous(v) ? fault_anon(v, addr, pmd) : vma_fault_file(v, addr, flags, pmd);
}

static bool rights_ok(const struct vma *v, u32 flags)
{
	if (flags & FAULT_WRITE)
		return v->flags & VMA_WRITE;
	if (flags & FAULT_EXEC)
		return v->flags & VMA_EXEC;
	return vma_accessible(v);
}

/* ADDR is just below a VMA that grows down: extend it, if limits and neighbours allow. */
static bool grow_stack(struct vmspace *vm, u64 addr)
{
	struct process *proc = current_process();
	struct vma *v, *prev;
	u64 size, floor;
	bool ok = false;

	rwlock_write_lock(&vm->lock);
	v = vma_find(vm, addr);
	if (!v || !(v->flags & VMA_GROWSDOWN))
		goto out;
	if (v->start <= addr) {
		ok = true; /* another thread was faster */
		goto out;
	}
	prev = vma_prev(v);
	size = v->end - addr;
	floor = MMAP_MIN_ADDR;
	if (prev)
		floor = prev->end +
			(vma_accessible(prev) && !(prev->flags & VMA_GROWSDOWN) ? STACK_GUARD_GAP : 0);
	if (addr < floor || (vm == current->vm && size > proc->rlim[RLIMIT_STACK].rlim_cur) ||
	    vm_check_limits(vm, v->flags, PAGES(v->start - addr)))
		goto out;
	rwlock_write_lock(&v->lock);
	vm_account(vm, v->flags, (s64)PAGES(v->start - addr));
	vma_set_bounds(v, addr, v->end, v->pgoff - PAGES(v->start - addr));
	rwlock_write_unlock(&v->lock);
	counter_inc(&fault_stack_grown);
	ok = true;
out:
	rwlock_write_unlock(&vm->lock);
	return ok;
}

/* 0, or -errno as vma_fault, or -ENOENT for no mapping. */
static int fault_once(struct vmspace *vm, u64 addr, u32 flags)
{
	bool stack_above;
	struct vma *v = vma_lock_fault(vm, addr, &stack_above);
	int err;

	if (unlikely(!v))
		return stack_above && grow_stack(vm, addr) ? -EAGAIN : -ENOENT;
	err = rights_ok(v, flags) ? vma_fault(v, addr, flags) : -EACCES;
	vma_unlock_read(v);
	return err;
}

/* Pages that became clean. */
static u64 write_back(void)
{
	u64 n;

	thread_set_flag(current, THREAD_MAKES_ROOM);
	n = vfs_writeback();
	thread_clear_flag(current, THREAD_MAKES_ROOM);
	return n;
}

bool vm_wait_for_memory(unsigned round)
{
	bool stall;

	if (fatal_signal_pending(current))
		return false;
	/* Some allocations on the way (read-ahead) do not reclaim themselves. But do not go round for ever on
	 * a few pages. */
	if (round < 8 && page_reclaim(256))
		return true;
	/* Nothing to write: somebody else may just have written it all. */
	if (round < WRITEBACK_ROUNDS && (write_back() || page_reclaim(256)))
		return true;
	counter_inc(&fault_oom);
	oom_kill();
	if (fatal_signal_pending(current))
		return false;
	stall = psi_memstall_enter();
	schedule(); /* let the victim go */
	psi_memstall_leave(stall);
	return true;
}

static int fault_resolve(struct vmspace *vm, u64 addr, u32 flags)
{
	int err;

	addr = ALIGN_DOWN(addr, PAGE_SIZE);
	do
		err = fault_once(vm, addr, flags);
	while (err == -EAGAIN);
	return err;
}

int vm_handle_fault(struct vmspace *vm, u64 addr, bool write, bool exec, bool from_app, int *sig, int *code)
{
	u32 flags = (write ? FAULT_WRITE : 0) | (exec ? FAULT_EXEC : 0);
	int err;

	usage_count(&current->used, USAGE_MIN_FAULTS, 1);
	this_cpu(fault_counts).minor++;
	if (addr >= APP_LIMIT) {
		*sig = SIGSEGV;
		*code = SEGV_MAPERR;
		return -EFAULT;
	}
	for (unsigned round = 0; (err = fault_resolve(vm, addr, flags)) == -ENOMEM; round++)
		if (!vm_wait_for_memory(round))
			return from_app ? 0
					: (*sig = SIGKILL, *code = SI_KERNEL,
					   -ENOMEM); /* the signal is pending */
	switch (err) {
	case 0:
		return 0;
	case -ENOENT:
		*sig = SIGSEGV;
		*code = SEGV_MAPERR;
		break;
	case -EACCES:
		*sig = SIGSEGV;
		*code = SEGV_ACCERR;
		break;
	default:
		*sig = SIGBUS;
		*code = BUS_ADRERR;
	}
	return err;
}

int vm_fault_in(struct vmspace *vm, u64 addr, bool write)
{
	if (addr >= APP_LIMIT)
		return -EFAULT;
	return fault_resolve(vm, addr, write ? FAULT_WRITE : 0) ? -EFAULT : 0;
}

/* Is the page of ADDR there, with the access asked for? V's lock is held. Returns the end of what the answer
 * covers. */
static u64 present_until(struct vma *v, u64 addr, bool write, bool *present)
{
	u64 next;
	pte_t *pmd = pt_next(v->vm, addr, &next), e = pmd ? pte_read(pmd) : 0;

	*present = false;
	if (pte_large(e)) {
		*present = pte_present(e) && (!write || pte_writable(e));
		return *present ? next : addr + PAGE_SIZE;
	}
	if (pte_present(e)) {
		e = pte_read((pte_t *)phys_to_virt(pte_phys(e)) + pt_index(addr, 0));
		*present = pte_present(e) && (!write || pte_writable(e));
	}
	return addr + PAGE_SIZE;
}

int vm_populate(struct vmspace *vm, u64 start, u64 end, bool write, bool read)
{
	u64 a = start;
	int result = 0;

	while (a < end) {
		struct vma *v;
		u64 stop;
		int err = 0;

		if (fatal_signal_pending(current))
			return -EINTR;
		v = vma_lock_read(vm, a);
		if (!v)
			return -ENOMEM;
		stop = min(v->end, end);
		/* Neither asked for: as the mapping's own rights say, without breaking sharing of read-only
		 * pages. */
		bool w = write || (!read && (v->flags & (VMA_WRITE | VMA_SHARED)) == VMA_WRITE);

		if (!rights_ok(v, w ? FAULT_WRITE : 0)) {
			vma_unlock_read(v);
			if (write || read)
				return -EINVAL;
			result = -EFAULT; /* PROT_NONE: nothing to bring in */
			a = stop;
			continue;
		}
		/* As a sequential toucher would, at full speed; but let writers of the VMA in now and then.
		 */
		for (unsigned i = 0; i < 256 && a < stop && !err; i++) {
			bool present;
			u64 next = present_until(v, a, w, &present);

			if (present) {
				a = next;
				continue;
			}
			vm_store(v->fault_next, a);
			vm_store(v->batch, (u8)min((u64)fault_batch_max, max(PAGES(stop - a), 1ul)));
			err = vma_fault(v, a, w ? FAULT_WRITE : 0);
		}
		vma_unlock_read(v);
		if (err && err != -EAGAIN)
			return err;
		cond_resched();
	}
	return result;
}
