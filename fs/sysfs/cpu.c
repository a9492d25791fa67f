// SPDX-License-Identifier: BSD-2-Clause
/* /sys/devices/system/{cpu,node}. Every virtual CPU is shown as a core of its own in one package, and memory
 * as one node. */
#include "kernel/page.h"
#include "kernel/percpu.h"
#include "kernel/vm.h"
#include "sysfs.h"

static int list_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_cpulist(s, cpu_count);
	seq_putc(s, '\n');
	return 0;
}

static int map_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_cpumask(s, cpu_count);
	seq_putc(s, '\n');
	return 0;
}

static int kernel_max_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_printf(s, "%u\n", cpu_count - 1);
	return 0;
}

static int own_number(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_printf(s, "%llu\n", (unsigned long long)ctx->num);
	return 0;
}

/* The mask with the one bit of this CPU. */
static int own_mask(struct seq *s, const struct pseudo_ctx *ctx)
{
	unsigned words = (cpu_count + 31) / 32;

	for (unsigned w = words; w-- > 0;) {
		u32 bits = ctx->num / 32 == w ? 1u << (ctx->num % 32) : 0;

		if (w == words - 1)
			seq_printf(s, "%0*x", (int)(((cpu_count - 1) % 32 + 4) / 4), bits);
		else
			seq_printf(s, ",%08x", bits);
	}
	seq_putc(s, '\n');
	return 0;
}

static const struct pseudo_entry topology_entries[] = {
	ATTR("core_id", own_number),
	PSEUDO_TEXT("physical_package_id", "0\n"),
	PSEUDO_TEXT("die_id", "0\n"),
	ATTR("thread_siblings", own_mask),
	ATTR("thread_siblings_list", own_number),
	ATTR("core_cpus", own_mask),
	ATTR("core_cpus_list", own_number),
	ATTR("core_siblings", map_show),
	ATTR("core_siblings_list", list_show),
	ATTR("package_cpus", map_show),
	ATTR("package_cpus_list", list_show),
	ATTR("die_cpus", map_show),
	ATTR("die_cpus_list", list_show),
	{0},
};
/* cache/indexN/: the index is the context's tid. Caches of the third level belong to all CPUs. */
static int cache_number(struct seq *s, const struct pseudo_ctx *ctx)
{
	size_t field = (size_t)(uintptr_t)ctx->arg;
	struct cpu_cache c;

	arch_cpu_cache(ctx->tid, &c);
	seq_printf(s, "%u\n", *(const u32 *)((const char *)&c + field));
	return 0;
}

static int cache_type(struct seq *s, const struct pseudo_ctx *ctx)
{
	static const char *const types[] = {"?", "Data", "Instruction", "Unified"};
	struct cpu_cache c;

	arch_cpu_cache(ctx->tid, &c);
	seq_printf(s, "%s\n", types[min(c.type, 3u)]);
	return 0;
}

static int cache_size(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct cpu_cache c;

	arch_cpu_cache(ctx->tid, &c);
	seq_printf(s, "%lluK\n", (unsigned long long)c.line * c.partitions * c.ways * c.sets >> 10);
	return 0;
}

static int cache_cpus(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct cpu_cache c;

	arch_cpu_cache(ctx->tid, &c);
	return c.level < 3 ? own_mask(s, ctx) : map_show(s, ctx);
}

static int cache_cpu_list(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct cpu_cache c;

	arch_cpu_cache(ctx->tid, &c);
	return c.level < 3 ? own_number(s, ctx) : list_show(s, ctx);
}

#define CACHE_NUMBER(n, field)                                           \
	{                                                                \
		.name = n, .mode = S_IFREG | 0444, .show = cache_number, \
		.arg = (const void *)offsetof(struct cpu_cache, field)   \
	}

static const struct pseudo_entry cache_entries[] = {
	CACHE_NUMBER("level", level),
	CACHE_NUMBER("coherency_line_size", line),
	CACHE_NUMBER("physical_line_partition", partitions),
	CACHE_NUMBER("ways_of_associativity", ways),
	CACHE_NUMBER("number_of_sets", sets),
	ATTR("type", cache_type),
	ATTR("size", cache_size),
	ATTR("shared_cpu_map", cache_cpus),
	ATTR("shared_cpu_list", cache_cpu_list),
	{0},
};
static const struct pseudo_dir cache_dir = {.entries = cache_entries};
static const struct pseudo_entry cache_entry = DIR(NULL, &cache_dir);

static int cache_find(const struct pseudo_ctx *ctx, const char *name, size_t len, struct pseudo_found *out)
{
	struct cpu_cache c;
	u64 n;

	if (!sysfs_numbered(name, len, "index", &n) || n > UINT32_MAX || !arch_cpu_cache((u32)n, &c))
		return -ENOENT;
	out->entry = &cache_entry;
	out->ctx.tid = (u32)n;
	return 0;
}

static bool cache_next(const struct pseudo_ctx *ctx, u64 *cursor, struct pseudo_found *out)
{
	struct cpu_cache c;

	if (!arch_cpu_cache((u32)*cursor, &c))
		return false;
	out->entry = &cache_entry;
	out->ctx.tid = (u32)*cursor;
	snprintf(out->name, sizeof out->name, "index%llu", (unsigned long long)(*cursor)++);
	return true;
}

static const struct pseudo_dir caches_dir = {.find = cache_find, .next = cache_next};
static const struct pseudo_dir topology_dir = {.entries = topology_entries};
static const struct pseudo_entry cpu_entries[] = {
	DIR("topology", &topology_dir),
	DIR("cache", &caches_dir),
	PSEUDO_TEXT("online", "1\n"),
	{0},
};
static const struct pseudo_dir cpu_dir = {.entries = cpu_entries};
static const struct pseudo_entry cpu_entry = DIR(NULL, &cpu_dir);

static int cpu_find(const struct pseudo_ctx *ctx, const char *name, size_t len, struct pseudo_found *out)
{
	u64 n;

	if (!sysfs_numbered(name, len, "cpu", &n) || n >= cpu_count)
		return -ENOENT;
	out->entry = &cpu_entry;
	out->ctx.num = n;
	return 0;
}

static bool cpu_next(const struct pseudo_ctx *ctx, u64 *cursor, struct pseudo_found *out)
{
	if (*cursor >= cpu_count)
		return false;
	out->entry = &cpu_entry;
	out->ctx.num = *cursor;
	snprintf(out->name, sizeof out->name, "cpu%llu", (unsigned long long)(*cursor)++);
	return true;
}

static const struct pseudo_entry cpus_entries[] = {
	ATTR("online", list_show),
	ATTR("possible", list_show),
	ATTR("present", list_show),
	PSEUDO_TEXT("offline", "\n"),
	PSEUDO_TEXT("isolated", "\n"),
	ATTR("kernel_max", kernel_max_show),
	{0},
};
const struct pseudo_dir sysfs_cpu = {.entries = cpus_entries, .find = cpu_find, .next = cpu_next};

static void kb(struct seq *s, const char *name, u64 pages)
{
	size_t start;

	seq_puts(s, "Node 0 ");
	start = s->len;
	seq_printf(s, "%s:", name);
	seq_pad(s, start, 16);
	seq_printf(s, "%8llu kB\n", (unsigned long long)pages << (PAGE_SHIFT - 10));
}

static int node_meminfo(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct hugetlb_stats huge;
	struct memory_stats m;

	memory_stats(&m);
	hugetlb_stats(&huge);
	kb(s, "MemTotal", m.total);
	kb(s, "MemFree", m.free);
	kb(s, "MemUsed", m.total - min(m.free, m.total));
	kb(s, "FilePages", m.page_cache);
	kb(s, "AnonPages", m.anon);
	kb(s, "Shmem", m.shmem);
	kb(s, "KernelStack", m.kernel_stacks);
	kb(s, "PageTables", m.page_tables);
	kb(s, "Slab", m.slab);
	kb(s, "AnonHugePages", m.huge);
	seq_printf(
		s,
		"Node 0 HugePages_Total: %5llu\nNode 0 HugePages_Free:  %5llu\nNode 0 HugePages_Surp:  %5u\n",
		(unsigned long long)huge.total, (unsigned long long)huge.free, 0);
	return 0;
}

static const struct pseudo_entry node_entries[] = {
	ATTR("cpumap", map_show),
	ATTR("cpulist", list_show),
	PSEUDO_TEXT("distance", "10\n"),
	ATTR("meminfo", node_meminfo),
	{0},
};
static const struct pseudo_dir node_dir = {.entries = node_entries, .find = cpu_find, .next = cpu_next};
static const struct pseudo_entry nodes_entries[] = {
	PSEUDO_TEXT("online", "0\n"),
	PSEUDO_TEXT("possible", "0\n"),
	PSEUDO_TEXT("has_cpu", "0\n"),
	PSEUDO_TEXT("has_memory", "0\n"),
	PSEUDO_TEXT("has_normal_memory", "0\n"),
	DIR("node0", &node_dir),
	{0},
};
const struct pseudo_dir sysfs_node = {.entries = nodes_entries};
