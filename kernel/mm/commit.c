// SPDX-License-Identifier: BSD-2-Clause
/* What is promised to applications, and how much may be: /proc/sys/vm/overcommit_memory, Committed_AS. A
 * private writable mapping is a promise of all its pages, unless it was made with MAP_NORESERVE (which mode 2
 * does not honour); pages of memory files count once they exist. Counted per CPU: only mode 2 and readers add
 * up. */
#include "fs/pagecache.h"
#include "internal.h"
#include "kernel/percpu.h"
#include "vm_internal.h"

u32 vm_overcommit_memory, vm_overcommit_ratio = 50;
u64 vm_overcommit_kbytes;

static DEFINE_PER_CPU(s64, committed);

static bool is_promise(u32 flags)
{
	return (flags & (VMA_WRITE | VMA_SHARED | VMA_NORESERVE | VMA_HUGETLB)) == VMA_WRITE;
}

void vm_commit(u32 flags, s64 pages)
{
	if (is_promise(flags))
		this_cpu(committed) += pages;
}

u64 vm_committed(void)
{
	s64 n = (s64)pagecache_shmem_total();

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		n += READ_ONCE(*per_cpu_ptr(&committed, cpu));
	return n > 0 ? (u64)n : 0;
}

u64 vm_commit_limit(void)
{
	u64 kbytes = READ_ONCE(vm_overcommit_kbytes), huge = 0;
	struct hugetlb_stats pool;

	if (kbytes)
		return kbytes >> (PAGE_SHIFT - 10);
	hugetlb_stats(&pool);
	huge = pool.total * HUGE_PAGES;
	return (managed_pages - min(managed_pages, huge)) * READ_ONCE(vm_overcommit_ratio) / 100;
}

int vm_check_commit(u32 flags, u64 pages)
{
	if (!is_promise(flags))
		return 0;
	switch (READ_ONCE(vm_overcommit_memory)) {
	case 1:
		return 0;
	case 2:
		return vm_committed() + pages > vm_commit_limit() ? -ENOMEM : 0;
	default: /* all of RAM and more in one mapping is never going to be there */
		return pages > managed_pages ? -ENOMEM : 0;
	}
}
