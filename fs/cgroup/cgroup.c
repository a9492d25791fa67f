// SPDX-License-Identifier: BSD-2-Clause
/* cgroup2: one group, the root, that shows the VM's own bounds in the files where runtimes look for a
 * container's. memory.max is the RAM and memory.current all that is not free, the balloon's pages included,
 * so that a runtime which sizes itself by them sees what it may use. Nothing can be set: the VM's size is the
 * host's business. */
#include "base/err.h"
#include "base/format.h"
#include "base/string.h"
#include "fs/pseudo.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include "kernel/page.h"
#include "kernel/percpu.h"
#include "kernel/process.h"
#include "kernel/sched.h"

#define CGROUP2_MAGIC 0x63677270

#define FILE(n, s)                                           \
	{                                                    \
		.name = n, .mode = S_IFREG | 0444, .show = s \
	}

typedef unsigned long long ull;

DECLARE_COUNTER(vm_minor_faults);
DECLARE_COUNTER(vm_major_faults);
DECLARE_COUNTER(pagecache_scanned);
DECLARE_COUNTER(pagecache_reclaimed);
DECLARE_COUNTER(pagecache_scanned_background);
DECLARE_COUNTER(pagecache_reclaimed_background);
DECLARE_COUNTER(workingset_refaults);
DECLARE_COUNTER(workingset_activations);
DECLARE_COUNTER(workingset_restores);
DECLARE_COUNTER(thp_faults);
DECLARE_COUNTER(thp_collapses);

static int procs_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct process *p;

	for (u32 pid = 1; (p = process_next(pid)); process_put(p)) {
		pid = p->pid + 1;
		seq_printf(s, "%u\n", p->pid);
	}
	return 0;
}

static int threads_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct process *p;
	struct thread *t;

	for (u32 pid = 1; (p = process_next(pid)); process_put(p)) {
		pid = p->pid + 1;
		for (u32 tid = 1; (t = process_thread_next(p, tid)); thread_put(t)) {
			tid = t->tid + 1;
			seq_printf(s, "%u\n", t->tid);
		}
	}
	return 0;
}

/* Every process is in the only group already. */
static int procs_store(const struct pseudo_ctx *ctx, const char *text, size_t n)
{
	const char *end;
	u64 pid = str_to_u64(text, &end);
	struct process *p;

	if (end == text || (*end && *end != '\n') || pid > PID_MAX)
		return -EINVAL;
	p = pid ? process_find((u32)pid) : NULL;
	if (pid && !p)
		return -ESRCH;
	if (p)
		process_put(p);
	return 0;
}

static int memory_max(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct memory_stats m;

	memory_stats(&m);
	seq_printf(s, "%llu\n", (ull)m.total << PAGE_SHIFT);
	return 0;
}

static int memory_current(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct memory_stats m;

	memory_stats(&m);
	seq_printf(s, "%llu\n", (ull)(m.total - min(m.free, m.total)) << PAGE_SHIFT);
	return 0;
}

static int memory_stat(struct seq *s, const struct pseudo_ctx *ctx)
{
	u64 file, active, major = counter_read(&vm_major_faults);
	struct memory_stats m;

	memory_stats(&m);
	file = m.page_cache > m.shmem ? m.page_cache - m.shmem : 0;
	active = file > m.reclaimable ? file - m.reclaimable : 0;
	const struct {
		const char *name;
		u64 pages;
	} rows[] = {
		{"anon", m.anon},
		{"file", m.page_cache},
		{"kernel", m.slab + m.page_tables + m.kernel_stacks},
		{"kernel_stack", m.kernel_stacks},
		{"pagetables", m.page_tables},
		{"percpu", m.percpu},
		{"sock", 0},
		{"vmalloc", m.vmalloc},
		{"shmem", m.shmem},
		{"file_mapped", active},
		{"file_dirty", 0},
		{"file_writeback", 0},
		{"swapcached", 0},
		{"anon_thp", m.huge},
		{"file_thp", 0},
		{"shmem_thp", 0},
		{"inactive_anon", m.shmem},
		{"active_anon", m.anon},
		{"inactive_file", m.reclaimable},
		{"active_file", active},
		{"unevictable", 0},
		{"slab_reclaimable", m.slab_reclaimable},
		{"slab_unreclaimable", m.slab - min(m.slab_reclaimable, m.slab)},
		{"slab", m.slab},
		{"balloon", m.ballooned},
	};
	static const struct {
		const char *name;
		const struct counter *counter;
	} events[] = {
		{"pgscan_kswapd", &pagecache_scanned_background},
		{"pgscan_direct", &pagecache_scanned},
		{"pgsteal_kswapd", &pagecache_reclaimed_background},
		{"pgsteal_direct", &pagecache_reclaimed},
		{"workingset_refault_file", &workingset_refaults},
		{"workingset_activate_file", &workingset_activations},
		{"workingset_restore_file", &workingset_restores},
		{"thp_fault_alloc", &thp_faults},
		{"thp_collapse_alloc", &thp_collapses},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		seq_printf(s, "%s %llu\n", rows[i].name, (ull)rows[i].pages << PAGE_SHIFT);
	seq_printf(s, "pgfault %llu\npgmajfault %llu\n", (ull)(counter_read(&vm_minor_faults) + major),
		   (ull)major);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		seq_printf(s, "%s %llu\n", events[i].name, (ull)counter_read(events[i].counter));
	return 0;
}

/* The sum of counters whose name is NAME; 0 when nobody counts that. */
static u64 counted(const char *name)
{
	for (struct counter *c = __start_counters; c < __stop_counters; c++)
		if (!strcmp(c->name, name))
			return counter_read(c);
	return 0;
}

static int memory_events(struct seq *s, const struct pseudo_ctx *ctx)
{
	ull kills = counted("oom_kills");

	seq_printf(s, "low 0\nhigh 0\nmax 0\noom %llu\noom_kill %llu\noom_group_kill 0\n", kills, kills);
	return 0;
}

static int cpu_stat(struct seq *s, const struct pseudo_ctx *ctx)
{
	u64 user = 0, system = 0;

	for (unsigned i = 0; i < cpu_count; i++) {
		struct cpu_times t;

		cpu_times(i, &t);
		user += t.user;
		system += t.system + t.irq;
	}
	seq_printf(s,
		   "usage_usec %llu\nuser_usec %llu\nsystem_usec %llu\nnr_periods 0\nnr_throttled "
		   "0\nthrottled_usec 0\n",
		   (ull)((user + system) / NSEC_PER_USEC), (ull)(user / NSEC_PER_USEC),
		   (ull)(system / NSEC_PER_USEC));
	return 0;
}

static int cpus_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_cpulist(s, cpu_count);
	seq_putc(s, '\n');
	return 0;
}

static int pids_current(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_printf(s, "%u\n", thread_count());
	return 0;
}

static const struct pseudo_entry entries[] = {
	PSEUDO_TEXT("cgroup.controllers", "cpuset cpu io memory pids\n"),
	PSEUDO_TEXT("cgroup.freeze", "0\n"),
	PSEUDO_TEXT("cgroup.max.depth", "0\n"),
	PSEUDO_TEXT("cgroup.max.descendants", "0\n"),
	{.name = "cgroup.procs", .mode = S_IFREG | 0644, .show = procs_show, .store = procs_store},
	PSEUDO_TEXT("cgroup.stat", "nr_descendants 0\nnr_dying_descendants 0\n"),
	PSEUDO_TEXT("cgroup.subtree_control", "\n"),
	{.name = "cgroup.threads", .mode = S_IFREG | 0644, .show = threads_show, .store = procs_store},
	PSEUDO_TEXT("cpu.idle", "0\n"),
	PSEUDO_TEXT("cpu.max", "max 100000\n"),
	PSEUDO_TEXT("cpu.max.burst", "0\n"),
	PSEUDO_OPENED("cpu.pressure", 0644, pressure_open, &pressure_cpu),
	FILE("cpu.stat", cpu_stat),
	PSEUDO_TEXT("cpu.weight", "100\n"),
	PSEUDO_TEXT("cpu.weight.nice", "0\n"),
	FILE("cpuset.cpus", cpus_show),
	FILE("cpuset.cpus.effective", cpus_show),
	PSEUDO_TEXT("cpuset.mems", "0\n"),
	PSEUDO_TEXT("cpuset.mems.effective", "0\n"),
	PSEUDO_OPENED("io.pressure", 0644, pressure_open, &pressure_io),
	PSEUDO_TEXT("io.stat", ""),
	FILE("memory.current", memory_current),
	FILE("memory.events", memory_events),
	FILE("memory.events.local", memory_events),
	PSEUDO_TEXT("memory.high", "max\n"),
	PSEUDO_TEXT("memory.low", "0\n"),
	FILE("memory.max", memory_max),
	PSEUDO_TEXT("memory.min", "0\n"),
	PSEUDO_TEXT("memory.oom.group", "0\n"),
	PSEUDO_OPENED("memory.pressure", 0644, pressure_open, &pressure_memory),
	FILE("memory.stat", memory_stat),
	PSEUDO_TEXT("memory.swap.current", "0\n"),
	PSEUDO_TEXT("memory.swap.events", "high 0\nmax 0\nfail 0\n"),
	PSEUDO_TEXT("memory.swap.high", "max\n"),
	PSEUDO_TEXT("memory.swap.max", "0\n"),
	FILE("pids.current", pids_current),
	PSEUDO_TEXT("pids.events", "max 0\n"),
	PSEUDO_TEXT("pids.max", "max\n"),
	{0},
};
static const struct pseudo_dir dir = {.entries = entries};
static const struct pseudo_entry root = {.mode = S_IFDIR | 0755, .dir = &dir};

static int cgroup_init(void)
{
	static struct pseudo_fs cgroup2 = {.type.name = "cgroup2", .magic = CGROUP2_MAGIC, .root = &root};

	return pseudo_register(&cgroup2);
}
INITCALL(cgroup_init, INIT_FS);
