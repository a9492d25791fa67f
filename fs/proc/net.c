// SPDX-License-Identifier: BSD-2-Clause
/* /proc/net: files that the network stack registers. The list only grows; readers walk it without a lock. */
#include "proc.h"

static struct pseudo_extra *files; /* RCU; newest last */
static DEFINE_MUTEX(net_lock);	   /* guards additions */

const struct pseudo_dir proc_net_dir = {.extra = &files};

static int net_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_text(s, (size_t(*)(char *, size_t))(uintptr_t)ctx->arg);
	return 0;
}

static u64 net_size(const struct pseudo_ctx *ctx)
{
	return ((size_t(*)(char *, size_t))(uintptr_t)ctx->arg)(NULL, 0);
}

static int add(const char *name, size_t (*show)(char *buf, size_t size),
	       u64 (*length)(const struct pseudo_ctx *))
{
	struct pseudo_extra *x = kzalloc(sizeof *x), **end = &files;

	if (!x)
		return -ENOMEM;
	x->entry = (struct pseudo_entry)PROC_FILE(name, 0444, net_show);
	x->entry.arg = (const void *)(uintptr_t)show;
	if (length) {
		x->entry.kind = PSEUDO_SIZE;
		x->entry.size = length;
	}
	mutex_lock(&net_lock);
	while (*end)
		end = &(*end)->next;
	rcu_assign_pointer(*end, x);
	mutex_unlock(&net_lock);
	return 0;
}

int proc_net_register(const char *name, size_t (*show)(char *buf, size_t size))
{
	return add(name, show, NULL);
}

int proc_net_register_sized(const char *name, size_t (*show)(char *buf, size_t size))
{
	return add(name, show, net_size);
}
