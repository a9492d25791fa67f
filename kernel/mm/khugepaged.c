// SPDX-License-Identifier: BSD-2-Clause
/* Collapsing small pages into 2 MiB ones in the background. A fault that would have liked a large page and
 * got small ones (none was free; the range was advised later) says so through thp_missed(); some time after,
 * address spaces are looked through a few ranges at a time, until a whole pass has found nothing and no fault
 * has complained since. An idle machine is left alone. Tunables as in Linux's
 * /sys/kernel/mm/transparent_hugepage/khugepaged, but fewer absent pages are made up for by default: a
 * runtime's heap is to grow by what is used. */
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include "kernel/kthread.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/timer.h"
#include "vm_internal.h"

DEFINE_COUNTER(thp_collapses, "2 MiB pages put together from small ones in the background");
DEFINE_COUNTER(thp_scans, "passes over all address spaces for pages to put together");

struct thp_tunables thp_tunables = {
	.pages_to_scan = 4096,
	.scan_sleep_ms = 10000,
	.alloc_sleep_ms = 60000,
	.max_ptes_none = 64,
};

static struct timer next_scan;
static struct work scan_work;
static _Atomic bool wanted; /* somebody missed a large page since the pass began */
static _Atomic bool active; /* a scan is due or under way */

/* The work's own: where it goes on. */
static u32 at_pid = 1;
static u64 at_addr;
static bool found; /* this pass has collapsed something, or could not for want of memory */

static void arm(void)
{
	timer_set(&next_scan, clock_monotonic() + READ_ONCE(thp_tunables.scan_sleep_ms) * NSEC_PER_MSEC);
}

void thp_missed(void)
{
	if (atomic_load_explicit(&wanted, memory_order_relaxed))
		return;
	atomic_store(&wanted, true);
	if (!atomic_exchange(&active, true))
		arm();
}

void thp_rescan(void)
{
	thp_missed();
	if (timer_pending(&next_scan))
		arm();
}

/* Is the table of HADDR full enough, with nothing that is shared? V's lock is written. */
static bool worth_it(struct vma *v, u64 haddr)
{
	u64 next;
	pte_t *pmd = pt_next(v->vm, haddr, &next), e = pmd ? pte_read(pmd) : 0, *table;
	u32 none = 0, most = READ_ONCE(thp_tunables.max_ptes_none);

	if (!pte_present(e) || pte_large(e))
		return false;
	table = phys_to_virt(pte_phys(e));
	for (unsigned i = 0; i < PT_ENTRIES; i++) {
		struct page *p = pte_none(table[i]) ? NULL : phys_to_page(pte_phys(table[i]));

		if (p ? !(p->flags & PAGE_ANON) || refcount_read(&p->ref) != 1 : ++none > most)
			return false;
	}
	return true;
}

static int try_range(struct vma *v, u64 haddr)
{
	int err = -EINVAL;

	rwlock_write_lock(&v->lock);
	if (worth_it(v, haddr))
		err = thp_collapse(v, haddr, PAGE_NORETRY);
	rwlock_write_unlock(&v->lock);
	return err;
}

/* The ranges of V from at_addr on. vm->lock is read. */
static void scan_vma(struct vma *v, u64 *budget)
{
	u64 a = ALIGN_UP(max(v->start, at_addr), HUGE_SIZE), next;

	for (; *budget && thp_suitable(v, a); a = next) {
		int err = pt_next(v->vm, a, &next) ? try_range(v, a) : -EINVAL;

		*budget -= min(*budget, HUGE_PAGES);
		at_addr = next;
		if (!err)
			counter_inc(&thp_collapses);
		found |= !err || err == -ENOMEM;
		if (err == -ENOMEM)
			*budget = 0;
	}
}

/* Returns whether all of VM was seen. */
static bool scan_space(struct vmspace *vm, u64 *budget)
{
	struct vma *v;

	rwlock_read_lock(&vm->lock);
	for (v = vma_find(vm, at_addr); v && *budget; v = vma_next(v))
		scan_vma(v, budget);
	rwlock_read_unlock(&vm->lock);
	return !v;
}

/* The pass is over: is another one due? */
static bool go_on(void)
{
	bool again = atomic_exchange(&wanted, false) || found;

	counter_inc(&thp_scans);
	at_pid = 1;
	at_addr = 0;
	found = false;
	if (again && thp_policy_get() != THP_NEVER)
		return true;
	atomic_store(&active, false);
	/* Somebody may have missed a page in between, and seen a scan under way. */
	return atomic_load(&wanted) && !atomic_exchange(&active, true);
}

static void scan(struct work *w)
{
	u64 budget = READ_ONCE(thp_tunables.pages_to_scan);

	while (budget && thp_policy_get() != THP_NEVER) {
		struct process *p = process_next(at_pid);
		struct vmspace *vm;
		bool done = true;

		if (!p)
			break;
		if (p->pid != at_pid)
			at_addr = 0;
		at_pid = p->pid;
		vm = process_get_vm(p);
		if (vm) {
			done = scan_space(vm, &budget);
			vmspace_put(vm);
		}
		process_put(p);
		if (done) {
			at_pid++;
			at_addr = 0;
		}
		cond_resched();
	}
	if (!budget || go_on())
		arm();
}

static void scan_due(struct timer *t)
{
	work_queue(&scan_work);
}

static int khugepaged_init(void)
{
	timer_init(&next_scan, scan_due);
	work_init(&scan_work, scan);
	return 0;
}
INITCALL(khugepaged_init, INIT_CORE);
