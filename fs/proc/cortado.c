// SPDX-License-Identifier: BSD-2-Clause
/* /proc/cortado: what this kernel counts about itself, as "name value" lines. The agent's /metrics reads
 * them. */
#include "kernel/counter.h"
#include "kernel/page.h"
#include "kernel/syscall_table.h"
#include "proc.h"

static int counters_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	for (struct counter *c = __start_counters; c < __stop_counters; c++)
		seq_printf(s, "%s %llu\n", c->name, (unsigned long long)c->value);
	return 0;
}

/* What the counters mean: "name text". */
static int help_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	for (struct counter *c = __start_counters; c < __stop_counters; c++)
		seq_printf(s, "%s %s\n", c->name, c->help);
	return 0;
}

/* Calls made since boot: "name count", with "absent" for those that have no handler. */
static int syscalls_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	for (unsigned i = 0; i < syscall_count && i < SYSCALL_SLOTS; i++) {
		u64 n = syscall_calls_total(i);

		if (n && syscall_names[i])
			seq_printf(s, "%s %llu%s\n", syscall_names[i], (unsigned long long)n,
				   syscall_table[i] ? "" : " absent");
	}
	return 0;
}

static int memory_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	struct memory_stats m;

	memory_stats(&m);
#define LINE(field) seq_printf(s, #field "_bytes %llu\n", (unsigned long long)m.field << PAGE_SHIFT)
	LINE(total);
	LINE(free);
	LINE(page_cache);
	LINE(shmem);
	LINE(reclaimable);
	LINE(anon);
	LINE(slab);
	LINE(page_tables);
	LINE(kernel_stacks);
	LINE(ballooned);
	LINE(unbacked);
	LINE(huge);
	LINE(reserved);
#undef LINE
	return 0;
}

static const struct pseudo_entry entries[] = {
	PROC_FILE("counters", 0444, counters_show),
	PROC_FILE("counters_help", 0444, help_show),
	PROC_FILE("syscalls", 0444, syscalls_show),
	PROC_FILE("memory", 0444, memory_show),
	{0},
};
const struct pseudo_dir proc_cortado_dir = {.entries = entries};
