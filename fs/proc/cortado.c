// SPDX-License-Identifier: BSD-2-Clause
/* /proc/cortado: what this kernel counts about itself, as "name value" lines. The agent's /metrics reads
 * them. */
#include "kernel/balloon.h"
#include "kernel/counter.h"
#include "kernel/page.h"
#include "kernel/process.h"
#include "kernel/syscall_table.h"
#include "proc.h"

static int counters_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	for (struct counter *c = __start_counters; c < __stop_counters; c++)
		seq_printf(s, "%s %llu\n", c->name, (unsigned long long)counter_read(c));
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

		if (n && syscall_name(i))
			seq_printf(s, "%s %llu%s\n", syscall_name(i), (unsigned long long)n,
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

/* The last process that was killed because memory ran out, and what it held then. */
static int oom_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	struct oom_record r;

	oom_last(&r);
	if (!r.pid)
		return 0;
	seq_printf(s, "pid %u\n", r.pid);
#define LINE(field) seq_printf(s, #field "_bytes %llu\n", (unsigned long long)r.field << PAGE_SHIFT)
	LINE(total_vm);
	LINE(anon);
	LINE(file);
	LINE(shmem);
	LINE(page_tables);
	LINE(limit);
	LINE(free);
#undef LINE
	return 0;
}

/* What the guest keeps of its memory: at boot, as the host wants it, and now. */
static int balloon_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	struct balloon_state b;

	balloon_state(&b);
	seq_printf(s,
		   "present %d\nboot_bytes %llu\ntarget_bytes %llu\nactual_bytes %llu\nreported_bytes %llu\n",
		   b.present, (unsigned long long)b.boot_bytes, (unsigned long long)b.target_bytes,
		   (unsigned long long)b.actual_bytes, (unsigned long long)b.reported_bytes);
	return 0;
}

/* EPOLLPRI once after each change. file->version holds the sequence that was reported last, plus one; the
 * first poll only takes note. */
static u32 balloon_poll(const struct pseudo_ctx *ctx __maybe_unused, struct file *f, struct poll_table *pt)
{
	struct balloon_state b;
	u64 seen = f->version;

	poll_wait(f, &balloon_waitq, pt);
	balloon_state(&b);
	f->version = b.sequence + 1ull;
	return EPOLLIN | (seen && seen != f->version ? EPOLLPRI : 0u);
}

#ifdef DEBUG
static int fail_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_printf(s, "%d\n", alloc_fail_hit());
	return 0;
}

static int fail_store(const struct pseudo_ctx *ctx __maybe_unused, const char *text, size_t n __maybe_unused)
{
	s64 v;
	int err = proc_parse(text, 0, 1000000, &v);

	if (!err)
		alloc_fail_next((u32)v);
	return err;
}
#endif

static const struct pseudo_entry entries[] = {
#ifdef DEBUG
	PROC_RW("fail_nth", 0666, fail_show, fail_store),
#endif
	PROC_POLL("balloon", balloon_show, balloon_poll),
	PROC_FILE("counters", 0444, counters_show),
	PROC_FILE("counters_help", 0444, help_show),
	PROC_FILE("syscalls", 0444, syscalls_show),
	PROC_FILE("memory", 0444, memory_show),
	PROC_FILE("oom", 0444, oom_show),
	{0},
};
const struct pseudo_dir proc_cortado_dir = {.entries = entries};
