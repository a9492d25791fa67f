// SPDX-License-Identifier: BSD-2-Clause
/* /proc/{meminfo,vmstat,zoneinfo,slabinfo}: memory of the whole system. The balloon's pages count as used:
 * they are part of the VM's memory, and not free. */
#include "kernel/alloc.h"
#include "kernel/blockdev.h"
#include "kernel/counter.h"
#include "kernel/page.h"
#include "kernel/vm.h"
#include "proc.h"
#include "system.h"

DECLARE_COUNTER(vm_minor_faults);
DECLARE_COUNTER(vm_major_faults);
DECLARE_COUNTER(pagecache_scanned);
DECLARE_COUNTER(pagecache_reclaimed);
DECLARE_COUNTER(pagecache_scanned_background);
DECLARE_COUNTER(pagecache_reclaimed_background);
DECLARE_COUNTER(workingset_refaults);
DECLARE_COUNTER(workingset_activations);
DECLARE_COUNTER(workingset_restores);
DECLARE_COUNTER(page_reclaim_runs);
DECLARE_COUNTER(reclaim_background_runs);
DECLARE_COUNTER(oom_kills);
DECLARE_COUNTER(hugetlb_allocs);
DECLARE_COUNTER(hugetlb_failures);
DECLARE_COUNTER(thp_faults);
DECLARE_COUNTER(thp_fallbacks);
DECLARE_COUNTER(thp_collapses);
DECLARE_COUNTER(thp_splits);

static u64 positive(s64 n)
{
	return n > 0 ? (u64)n : 0;
}

/* Sums over all processes. */
struct process_sums {
	u64 mapped;
};

static void sum_processes(struct process_sums *sum)
{
	struct process *p;

	*sum = (struct process_sums){0};
	for (u32 pid = 1; (p = process_next(pid)); process_put(p)) {
		struct vmspace *vm = process_get_vm(p);

		pid = p->pid + 1;
		if (vm) {
			sum->mapped += positive(vm->rss_file) + positive(vm->rss_shmem);
			vmspace_put(vm);
		}
	}
}

static void kb(struct seq *s, const char *name, u64 pages)
{
	size_t start = s->len;

	seq_printf(s, "%s:", name);
	seq_pad(s, start, 16);
	seq_printf(s, "%8llu kB\n", (unsigned long long)pages << (PAGE_SHIFT - 10));
}

/* What can be had without anybody being short: not the last of the free memory, nor all of the files in use.
 */
static u64 memory_available(const struct memory_stats *m)
{
	u64 low = READ_ONCE(page_low), files = m->reclaimable;
	u64 slab = m->slab_reclaimable;

	files -= min(files / 2, low);
	slab -= min(slab / 2, low);
	return min((m->free > page_high ? m->free - page_high : 0) + files + slab, m->total);
}

int proc_meminfo(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	struct process_sums sums;
	struct hugetlb_stats huge;
	struct memory_stats m;
	u64 file;

	memory_stats(&m);
	hugetlb_stats(&huge);
	sum_processes(&sums);
	file = m.page_cache > m.shmem ? m.page_cache - m.shmem : 0;
	kb(s, "MemTotal", m.total);
	kb(s, "MemFree", m.free);
	kb(s, "MemAvailable", memory_available(&m));
	kb(s, "Buffers", 0);
	kb(s, "Cached", m.page_cache);
	kb(s, "SwapCached", 0);
	kb(s, "Active", m.anon + (file > m.reclaimable ? file - m.reclaimable : 0));
	kb(s, "Inactive", m.shmem + m.reclaimable);
	kb(s, "Active(anon)", m.anon);
	kb(s, "Inactive(anon)", m.shmem);
	kb(s, "Active(file)", file > m.reclaimable ? file - m.reclaimable : 0);
	kb(s, "Inactive(file)", m.reclaimable);
	kb(s, "Unevictable", m.locked);
	kb(s, "Mlocked", m.locked);
	kb(s, "SwapTotal", 0);
	kb(s, "SwapFree", 0);
	kb(s, "Dirty", 0);
	kb(s, "Writeback", 0);
	kb(s, "AnonPages", m.anon);
	kb(s, "Mapped", sums.mapped);
	kb(s, "Shmem", m.shmem);
	kb(s, "KReclaimable", m.slab_reclaimable);
	kb(s, "Slab", m.slab);
	kb(s, "SReclaimable", m.slab_reclaimable);
	kb(s, "SUnreclaim", m.slab - min(m.slab_reclaimable, m.slab));
	kb(s, "KernelStack", m.kernel_stacks);
	kb(s, "PageTables", m.page_tables);
	kb(s, "SecPageTables", 0);
	kb(s, "NFS_Unstable", 0);
	kb(s, "Bounce", 0);
	kb(s, "WritebackTmp", 0);
	kb(s, "CommitLimit", vm_commit_limit());
	kb(s, "Committed_AS", vm_committed());
	kb(s, "VmallocTotal", (VMALLOC_END - VMALLOC_BASE) >> PAGE_SHIFT);
	kb(s, "VmallocUsed", m.vmalloc);
	kb(s, "VmallocChunk", 0);
	kb(s, "Percpu", m.percpu);
	kb(s, "HardwareCorrupted", 0);
	kb(s, "AnonHugePages", m.huge);
	kb(s, "ShmemHugePages", 0);
	kb(s, "ShmemPmdMapped", 0);
	kb(s, "FileHugePages", 0);
	kb(s, "FilePmdMapped", 0);
	seq_printf(s,
		   "HugePages_Total:   %5llu\nHugePages_Free:    %5llu\nHugePages_Rsvd:    "
		   "%5llu\nHugePages_Surp:    %5u\n",
		   (unsigned long long)huge.total, (unsigned long long)huge.free,
		   (unsigned long long)huge.reserved, 0);
	kb(s, "Hugepagesize", HUGE_SIZE >> PAGE_SHIFT);
	kb(s, "Hugetlb", huge.total * (HUGE_SIZE >> PAGE_SHIFT));
	return 0;
}

int proc_vmstat(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	struct process_sums sums;
	struct memory_stats m;
	u64 file, sectors[2] = {0, 0}, disk[BLOCK_STAT_FIELDS];

	memory_stats(&m);
	sum_processes(&sums);
	for (struct block_device *bd = block_next(NULL); bd; bd = block_next(bd)) {
		block_stat(bd, disk);
		sectors[0] += disk[2];
		sectors[1] += disk[6];
	}
	file = m.page_cache > m.shmem ? m.page_cache - m.shmem : 0;
	const struct {
		const char *name;
		u64 value;
	} rows[] = {
		{"nr_free_pages", m.free},
		{"nr_zone_inactive_anon", m.shmem},
		{"nr_zone_active_anon", m.anon},
		{"nr_zone_inactive_file", m.reclaimable},
		{"nr_zone_active_file", file > m.reclaimable ? file - m.reclaimable : 0},
		{"nr_inactive_anon", m.shmem},
		{"nr_active_anon", m.anon},
		{"nr_inactive_file", m.reclaimable},
		{"nr_active_file", file > m.reclaimable ? file - m.reclaimable : 0},
		{"nr_unevictable", m.locked},
		{"nr_mlock", m.locked},
		{"nr_slab_reclaimable", m.slab_reclaimable},
		{"nr_slab_unreclaimable", m.slab - min(m.slab_reclaimable, m.slab)},
		{"nr_anon_pages", m.anon},
		{"nr_mapped", sums.mapped},
		{"nr_file_pages", m.page_cache},
		{"nr_dirty", 0},
		{"nr_writeback", 0},
		{"nr_shmem", m.shmem},
		{"nr_anon_transparent_hugepages", m.huge >> (HUGE_SHIFT - PAGE_SHIFT)},
		{"nr_kernel_stack", m.kernel_stacks << (PAGE_SHIFT - 10)},
		{"nr_page_table_pages", m.page_tables},
		{"pgpgin", sectors[0] / 2},
		{"pgpgout", sectors[1] / 2},
		{"pswpin", 0},
		{"pswpout", 0},
		{"pgalloc_normal", m.allocated},
		{"pgfree", m.freed},
		{"pgfault", counter_read(&vm_minor_faults) + counter_read(&vm_major_faults)},
		{"pgmajfault", counter_read(&vm_major_faults)},
		{"pgsteal_kswapd", counter_read(&pagecache_reclaimed_background)},
		{"pgsteal_direct", counter_read(&pagecache_reclaimed)},
		{"pgscan_kswapd", counter_read(&pagecache_scanned_background)},
		{"pgscan_direct", counter_read(&pagecache_scanned)},
		{"pgscan_file",
		 counter_read(&pagecache_scanned_background) + counter_read(&pagecache_scanned)},
		{"pgsteal_file",
		 counter_read(&pagecache_reclaimed_background) + counter_read(&pagecache_reclaimed)},
		{"workingset_refault_file", counter_read(&workingset_refaults)},
		{"workingset_activate_file", counter_read(&workingset_activations)},
		{"workingset_restore_file", counter_read(&workingset_restores)},
		{"pageoutrun", counter_read(&reclaim_background_runs)},
		{"allocstall_normal", counter_read(&page_reclaim_runs)},
		{"oom_kill", counter_read(&oom_kills)},
		{"htlb_buddy_alloc_success", counter_read(&hugetlb_allocs)},
		{"htlb_buddy_alloc_fail", counter_read(&hugetlb_failures)},
		{"thp_fault_alloc", counter_read(&thp_faults)},
		{"thp_fault_fallback", counter_read(&thp_fallbacks)},
		{"thp_collapse_alloc", counter_read(&thp_collapses)},
		{"thp_split_pmd", counter_read(&thp_splits)},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		seq_printf(s, "%s %llu\n", rows[i].name, (unsigned long long)rows[i].value);
	return 0;
}

int proc_zoneinfo(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	struct memory_stats m;

	memory_stats(&m);
	seq_printf(s,
		   "Node 0, zone   Normal\n  per-node stats\n      nr_inactive_anon %llu\n      "
		   "nr_active_anon %llu\n",
		   (unsigned long long)m.shmem, (unsigned long long)m.anon);
	seq_printf(s,
		   "  pages free     %llu\n        boost    0\n        min      %llu\n        low      %llu\n"
		   "        high     %llu\n        spanned  %llu\n        present  %llu\n        managed  "
		   "%llu\n",
		   (unsigned long long)m.free, (unsigned long long)page_reserve, (unsigned long long)page_low,
		   (unsigned long long)page_high, (unsigned long long)(m.total + m.reserved),
		   (unsigned long long)(m.total + m.reserved), (unsigned long long)m.total);
	return 0;
}

int proc_buddyinfo(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_puts(s, "Node 0, zone   Normal ");
	for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++)
		seq_printf(s, "%6llu ",
			   (unsigned long long)(buddy_free_blocks(order, MIGRATE_UNMOVABLE) +
						buddy_free_blocks(order, MIGRATE_MOVABLE)));
	seq_putc(s, '\n');
	return 0;
}

/* Linux's kinds; we keep the first two. */
static const char *const kinds[] = {"Unmovable", "Movable", "Reclaimable", "HighAtomic", "Isolate"};

int proc_pagetypeinfo(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	u64 blocks[MIGRATE_TYPES];

	seq_printf(s, "Page block order: %d\nPages per block:  %llu\n\n", HUGE_SHIFT - PAGE_SHIFT,
		   (unsigned long long)(HUGE_SIZE >> PAGE_SHIFT));
	seq_puts(s, "Free pages count per migrate type at order ");
	for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++)
		seq_printf(s, "%6u ", order);
	seq_putc(s, '\n');
	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		seq_printf(s, "Node    0, zone   Normal, type %12s ", kinds[k]);
		for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++)
			seq_printf(s, "%6llu ",
				   k < MIGRATE_TYPES
					   ? (unsigned long long)buddy_free_blocks(order, (enum migrate)k)
					   : 0ull);
		seq_putc(s, '\n');
	}
	buddy_count_kinds(blocks);
	seq_puts(s, "\nNumber of blocks type ");
	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++)
		seq_printf(s, "%12s ", kinds[k]);
	seq_puts(s, "\nNode 0, zone   Normal ");
	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++)
		seq_printf(s, "%12llu ", k < MIGRATE_TYPES ? (unsigned long long)blocks[k] : 0ull);
	seq_putc(s, '\n');
	return 0;
}

int proc_slabinfo(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	struct slab_info c;

	seq_printf(
		s,
		"slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> "
		"<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> "
		"<num_slabs> <sharedavail>\n");
	for (u32 i = 0; slab_info(i, &c); i++) {
		size_t start = s->len;

		seq_printf(s, "%s", c.name);
		seq_pad(s, start, 17);
		seq_printf(
			s,
			" %6llu %6llu %6u %4u %4u : tunables    0    0    0 : slabdata %6llu %6llu      0\n",
			(unsigned long long)c.used, (unsigned long long)(c.slabs * c.per_slab), c.size,
			c.per_slab, c.pages, (unsigned long long)c.slabs, (unsigned long long)c.slabs);
	}
	return 0;
}
