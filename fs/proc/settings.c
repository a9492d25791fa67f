// SPDX-License-Identifier: BSD-2-Clause
/* Settings of a process that mean nothing here, but that programs write and read back: core dump filter,
 * login uid. Those that were set are kept in a short list, by process; an absent one has the default. */
#include "kernel/mutex.h"
#include "proc.h"

enum setting { COREDUMP_FILTER, LOGINUID, NSETTINGS };
static const u32 setting_defaults[NSETTINGS] = {0x33, ~0u};

struct settings {
	struct list_head node;
	u32 pid;
	u64 since;
	u32 values[NSETTINGS];
};

static DEFINE_MUTEX(settings_lock); /* guards the list */
static LIST_HEAD(settings_list);

/* Those of the process, or NULL. Drops those of processes that are gone. */
static struct settings *settings_find(const struct pseudo_ctx *ctx)
{
	struct settings *st, *next, *found = NULL;

	list_for_each_entry_safe (st, next, &settings_list, node) {
		struct pseudo_ctx owner = {.pid = st->pid, .since = st->since};
		struct process *p = proc_process(&owner);

		if (!p) {
			list_del(&st->node);
			kfree(st);
			continue;
		}
		process_put(p);
		if (st->pid == ctx->pid)
			found = st;
	}
	return found;
}

static u32 setting_get(const struct pseudo_ctx *ctx, enum setting which)
{
	struct settings *st;
	u32 value;

	mutex_lock(&settings_lock);
	st = settings_find(ctx);
	value = st ? st->values[which] : setting_defaults[which];
	mutex_unlock(&settings_lock);
	return value;
}

static int setting_put(const struct pseudo_ctx *ctx, enum setting which, u32 value)
{
	struct settings *st;

	mutex_lock(&settings_lock);
	st = settings_find(ctx);
	if (!st && value != setting_defaults[which]) {
		st = kmalloc(sizeof *st);
		if (st) {
			st->pid = ctx->pid;
			st->since = ctx->since;
			memcpy(st->values, setting_defaults, sizeof st->values);
			list_add(&st->node, &settings_list);
		}
	}
	if (st)
		st->values[which] = value;
	mutex_unlock(&settings_lock);
	return st || value == setting_defaults[which] ? 0 : -ENOMEM;
}

int proc_coredump_filter(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_printf(s, "%08x\n", setting_get(ctx, COREDUMP_FILTER));
	return 0;
}

int proc_coredump_filter_store(const struct pseudo_ctx *ctx, const char *text, size_t n __maybe_unused)
{
	s64 v;
	int err = proc_parse(text, 0, 0xffffffffll, &v);

	return err ? err : setting_put(ctx, COREDUMP_FILTER, (u32)v & 0x1ff);
}

int proc_loginuid(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_printf(s, "%u", setting_get(ctx, LOGINUID));
	return 0;
}

int proc_loginuid_store(const struct pseudo_ctx *ctx, const char *text, size_t n __maybe_unused)
{
	s64 v;
	int err = proc_parse(text, 0, 0xffffffffll, &v);

	if (err)
		return -EINVAL;
	return ctx->pid == current_process()->pid ? setting_put(ctx, LOGINUID, (u32)v) : -EPERM;
}

int proc_sessionid(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_puts(s, "4294967295");
	return 0;
}
