// SPDX-License-Identifier: BSD-2-Clause
/* /proc/sys: files that other subsystems add, and parsing what is written to such files. Lists only grow;
 * readers walk them without a lock. */
#include "proc.h"

struct registered {
	size_t (*show)(char *buf, size_t size);
	int (*store)(const char *text, size_t n);
};

static int registered_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_text(s, ((const struct registered *)ctx->arg)->show);
	return 0;
}

static int registered_store(const struct pseudo_ctx *ctx, const char *text, size_t n)
{
	return ((const struct registered *)ctx->arg)->store(text, n);
}

static DEFINE_MUTEX(register_lock); /* guards additions to all lists below /proc/sys */

static const struct pseudo_entry *child_of(const struct pseudo_dir *d, const char *name, size_t len)
{
	for (const struct pseudo_entry *e = d->entries; e && e->name; e++)
		if (!strncmp(e->name, name, len) && !e->name[len])
			return e;
	for (struct pseudo_extra *x = *d->extra; x; x = x->next)
		if (!strncmp(x->entry.name, name, len) && !x->entry.name[len])
			return &x->entry;
	return NULL;
}

static struct pseudo_extra *append(const struct pseudo_dir *d, const struct pseudo_entry *e)
{
	struct pseudo_extra **end = (struct pseudo_extra **)(uintptr_t)d->extra, *x = kzalloc(sizeof *x);

	if (!x)
		return NULL;
	x->entry = *e;
	while (*end)
		end = &(*end)->next;
	rcu_assign_pointer(*end, x);
	return x;
}

/* A new directory; never freed. */
static const struct pseudo_dir *add_dir(const struct pseudo_dir *in, const char *name, size_t len)
{
	struct {
		struct pseudo_dir dir;
		struct pseudo_extra *extra;
	} *d = kzalloc(sizeof *d);
	char *text = kstrndup(name, len);

	if (d && text) {
		d->dir.extra = &d->extra;
		if (append(in, &(const struct pseudo_entry)PROC_DIR(text, 0555, &d->dir)))
			return &d->dir;
	}
	kfree(d);
	kfree(text);
	return NULL;
}

int proc_sys_register(const char *path, unsigned mode, size_t (*show)(char *buf, size_t size),
		      int (*store)(const char *text, size_t n))
{
	const struct pseudo_dir *d = &proc_sys_dir;
	struct registered *r = kmalloc(sizeof *r);
	struct pseudo_entry e;
	int err = -ENOMEM;
	const char *slash;

	if (!r)
		return -ENOMEM;
	*r = (struct registered){show, store};
	mutex_lock(&register_lock);
	for (; d && (slash = strchr(path, '/')); path = slash + 1) {
		const struct pseudo_entry *c = child_of(d, path, (size_t)(slash - path));

		if (!c)
			d = add_dir(d, path, (size_t)(slash - path));
		else
			d = S_ISDIR(c->mode) ? c->dir : NULL;
	}
	e = (struct pseudo_entry)PROC_RW(path, mode, registered_show, store ? registered_store : NULL);
	e.arg = r;
	if (d && child_of(d, path, strlen(path)))
		err = -EEXIST;
	else if (d && append(d, &e))
		err = 0;
	mutex_unlock(&register_lock);
	if (err)
		kfree(r);
	return err;
}

int proc_parse(const char *text, s64 lo, s64 hi, s64 *out)
{
	const char *end;
	bool negative;
	u64 v;

	while (*text == ' ' || *text == '\t' || *text == '\n')
		text++;
	negative = *text == '-';
	if (negative || *text == '+')
		text++;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	v = str_to_u64(text, &end);
	while (*end == ' ' || *end == '\t' || *end == '\n')
		end++;
	if (*end)
		return -EINVAL;
	if (v > 0x7fffffffffffffffull)
		return -ERANGE;
	*out = negative ? -(s64)v : (s64)v;
	return *out < lo || *out > hi ? -ERANGE : 0;
}
