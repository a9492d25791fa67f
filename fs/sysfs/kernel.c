// SPDX-License-Identifier: BSD-2-Clause
/* /sys/kernel: the policies of memory management. */
#include "kernel/counter.h"
#include "kernel/vm.h"
#include "sysfs.h"

/* A choice is shown as all words with the current one in brackets, and is set by writing one of them. */
static void choice_show(struct seq *s, const char *const *words, size_t n, size_t current_choice)
{
	for (size_t i = 0; i < n; i++)
		seq_printf(s, i == current_choice ? "%s[%s]" : "%s%s", i ? " " : "", words[i]);
	seq_putc(s, '\n');
}

static int choice_parse(const char *const *words, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(words[i]);

		if (!strncmp(text, words[i], len) && (!text[len] || (text[len] == '\n' && !text[len + 1])))
			return (int)i;
	}
	return -EINVAL;
}

static const char *const policies[] = {
	[THP_ALWAYS] = "always", [THP_MADVISE] = "madvise", [THP_NEVER] = "never"};

static int enabled_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	choice_show(s, policies, ARRAY_SIZE(policies), thp_policy_get());
	return 0;
}

static int enabled_store(const struct pseudo_ctx *ctx, const char *text, size_t n)
{
	int choice = choice_parse(policies, ARRAY_SIZE(policies), text);

	if (choice < 0)
		return choice;
	thp_policy_set((enum thp_policy)choice);
	thp_rescan();
	return 0;
}

/* Huge pages are taken when a free one is there: no compaction is done for them, whatever is chosen. */
static const char *const defrag_words[] = {"always", "defer", "defer+madvise", "madvise", "never"};
static size_t defrag_choice = 3;

static int defrag_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	choice_show(s, defrag_words, ARRAY_SIZE(defrag_words), defrag_choice);
	return 0;
}

static int defrag_store(const struct pseudo_ctx *ctx, const char *text, size_t n)
{
	int choice = choice_parse(defrag_words, ARRAY_SIZE(defrag_words), text);

	if (choice < 0)
		return choice;
	defrag_choice = (size_t)choice;
	return 0;
}

static int pmd_size_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_printf(s, "%lu\n", HUGE_SIZE);
	return 0;
}

static int tunable_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_printf(s, "%u\n", READ_ONCE(*(u32 *)ctx->arg));
	return 0;
}

static int tunable_store(const struct pseudo_ctx *ctx, const char *text, size_t n)
{
	u32 *value = (u32 *)(uintptr_t)ctx->arg;
	const char *end;
	u64 v = str_to_u64(text, &end);

	if (end == text || (*end && *end != '\n') || v > 0xffffffff ||
	    (value == &thp_tunables.max_ptes_none && v >= HUGE_SIZE / PAGE_SIZE) ||
	    (value == &thp_tunables.pages_to_scan && !v))
		return -EINVAL;
	WRITE_ONCE(*value, (u32)v);
	thp_rescan();
	return 0;
}

static int collapsed_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_printf(s, "%llu\n", (unsigned long long)counter_read(ctx->arg));
	return 0;
}

DECLARE_COUNTER(thp_collapses);
DECLARE_COUNTER(thp_scans);

#define TUNABLE(n, field)                                                                        \
	{                                                                                        \
		.name = n, .mode = S_IFREG | 0644, .show = tunable_show, .store = tunable_store, \
		.arg = (void *)&thp_tunables.field                                               \
	}
#define COUNT(n, c)                                                                            \
	{                                                                                      \
		.name = n, .mode = S_IFREG | 0444, .show = collapsed_show, .arg = (void *)&(c) \
	}
static const struct pseudo_entry khugepaged_entries[] = {
	TUNABLE("pages_to_scan", pages_to_scan),
	TUNABLE("scan_sleep_millisecs", scan_sleep_ms),
	TUNABLE("alloc_sleep_millisecs", alloc_sleep_ms),
	TUNABLE("max_ptes_none", max_ptes_none),
	PSEUDO_TEXT("max_ptes_shared", "0\n"),
	PSEUDO_TEXT("max_ptes_swap", "0\n"),
	PSEUDO_TEXT("defrag", "0\n"),
	COUNT("pages_collapsed", thp_collapses),
	COUNT("full_scans", thp_scans),
	{0},
};
static const struct pseudo_dir khugepaged_dir = {.entries = khugepaged_entries};

static const struct pseudo_entry thp_entries[] = {
	ATTR_RW("enabled", enabled_show, enabled_store),
	ATTR_RW("defrag", defrag_show, defrag_store),
	ATTR("hpage_pmd_size", pmd_size_show),
	PSEUDO_TEXT("shmem_enabled", "always within_size advise [never] deny force\n"),
	PSEUDO_TEXT("use_zero_page", "0\n"),
	DIR("khugepaged", &khugepaged_dir),
	{0},
};
static const struct pseudo_dir thp_dir = {.entries = thp_entries};

static int pool_total(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct hugetlb_stats h;

	hugetlb_stats(&h);
	seq_printf(s, "%llu\n", (unsigned long long)h.total);
	return 0;
}

static int pool_free(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct hugetlb_stats h;

	hugetlb_stats(&h);
	seq_printf(s, "%llu\n", (unsigned long long)h.free);
	return 0;
}

static int pool_reserved(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct hugetlb_stats h;

	hugetlb_stats(&h);
	seq_printf(s, "%llu\n", (unsigned long long)h.reserved);
	return 0;
}

static int pool_store(const struct pseudo_ctx *ctx, const char *text, size_t n)
{
	const char *end;
	u64 v = str_to_u64(text, &end);

	if (end == text || (*end && *end != '\n'))
		return -EINVAL;
	hugetlb_resize(v);
	return 0;
}

static const struct pseudo_entry pool_entries[] = {
	ATTR_RW("nr_hugepages", pool_total, pool_store),
	ATTR_RW("nr_hugepages_mempolicy", pool_total, pool_store),
	ATTR("free_hugepages", pool_free),
	ATTR("resv_hugepages", pool_reserved),
	PSEUDO_TEXT("surplus_hugepages", "0\n"),
	PSEUDO_TEXT("nr_overcommit_hugepages", "0\n"),
	{0},
};
static const struct pseudo_dir pool_dir = {.entries = pool_entries};
static const struct pseudo_entry pools_entries[] = {DIR("hugepages-2048kB", &pool_dir), {0}};
static const struct pseudo_dir pools_dir = {.entries = pools_entries};

static const struct pseudo_entry mm_entries[] = {
	DIR("transparent_hugepage", &thp_dir),
	DIR("hugepages", &pools_dir),
	{0},
};
static const struct pseudo_dir mm_dir = {.entries = mm_entries};

static const struct pseudo_entry kernel_entries[] = {
	DIR("mm", &mm_dir),
	DIR("debug", &sysfs_empty),
	DIR("security", &sysfs_empty),
	DIR("tracing", &sysfs_empty),
	PSEUDO_TEXT("fscaps", "1\n"),
	PSEUDO_TEXT("kexec_loaded", "0\n"),
	PSEUDO_TEXT("profiling", "0\n"),
	{0},
};
const struct pseudo_dir sysfs_kernel = {.entries = kernel_entries};
