// SPDX-License-Identifier: BSD-2-Clause
/* Directories of pseudo file systems: finding names and listing them.
 *
 * Positions: 0 and 1 are the dots, then the fixed entries by index, from EXTRA_POS the registered ones, from
 * DYNAMIC_POS the generated ones by their cursor. */
#include "internal.h"

#define EXTRA_POS   (1ull << 20)
#define DYNAMIC_POS (1ull << 32)

static bool name_is(const char *want, const char *name, size_t len)
{
	return !strncmp(want, name, len) && !want[len];
}

static struct pseudo_ctx child_ctx(const struct pseudo_entry *e, const struct pseudo_ctx *dir)
{
	struct pseudo_ctx ctx = *dir;

	if (e->arg)
		ctx.arg = e->arg;
	ctx.strict |= e->strict;
	return ctx;
}

static struct pseudo_extra *extra_first(const struct pseudo_dir *d)
{
	return d->extra ? rcu_dereference(*(struct pseudo_extra **)(uintptr_t)d->extra) : NULL;
}

int pseudo_lookup(const struct pseudo_entry *entry, const struct pseudo_ctx *ctx, const char *name,
		  size_t len, struct pseudo_found *out, bool *dynamic)
{
	const struct pseudo_dir *d = entry->dir;
	const struct pseudo_entry *e;
	int err = d->check ? d->check(ctx) : 0;

	*dynamic = false;
	if (err)
		return err;
	for (e = d->entries; e && e->name; e++)
		if (name_is(e->name, name, len))
			goto found;
	for (struct pseudo_extra *x = extra_first(d); x; x = x->next) {
		e = &x->entry;
		if (name_is(e->name, name, len))
			goto found;
	}
	if (!d->find)
		return -ENOENT;
	*dynamic = true;
	out->ctx = *ctx;
	return d->find(ctx, name, len, out);
found:
	out->entry = e;
	out->ctx = child_ctx(e, ctx);
	return 0;
}

/* Inode numbers are made from what an inode stands for, so that they are the same at each look-up. */
u64 pseudo_ino(const struct pseudo_entry *entry, const struct pseudo_ctx *ctx)
{
	u64 h = (u64)(uintptr_t)entry * 0x9e3779b97f4a7c15ull;

	h = (h ^ (h >> 29) ^ ctx->pid) * 0xbf58476d1ce4e5b9ull;
	h = (h ^ (h >> 32) ^ (u64)ctx->tid << 20 ^ ctx->num) * 0x94d049bb133111ebull;
	h = (h ^ (h >> 31) ^ (u64)(uintptr_t)ctx->arg) * 0x9e3779b97f4a7c15ull;
	return (h >> 33) | 0x80000000ull;
}

static unsigned dtype(const struct pseudo_entry *e)
{
	return e->mode >> 12 & 15;
}

static bool emit(struct dir_context *dc, const struct pseudo_entry *e, const struct pseudo_ctx *ctx,
		 const char *name, u64 next)
{
	if (!dc->emit(dc, name, strlen(name), next, pseudo_ino(e, ctx), dtype(e)))
		return false;
	dc->pos = next;
	return true;
}

static bool emit_child(struct dir_context *dc, const struct pseudo_entry *e, const struct pseudo_ctx *dir,
		       u64 next)
{
	struct pseudo_ctx ctx = child_ctx(e, dir);

	return emit(dc, e, &ctx, e->name, next);
}

/* False when the reader's buffer is full. */
static bool list_fixed(struct dir_context *dc, const struct pseudo_dir *d, const struct pseudo_ctx *ctx)
{
	for (u64 i = dc->pos - 2; d->entries && d->entries[i].name; i++)
		if (!emit_child(dc, &d->entries[i], ctx, i + 3))
			return false;
	dc->pos = EXTRA_POS;
	return true;
}

static bool list_extra(struct dir_context *dc, const struct pseudo_dir *d, const struct pseudo_ctx *ctx)
{
	u64 i = EXTRA_POS;

	for (struct pseudo_extra *x = extra_first(d); x; x = x->next, i++)
		if (i >= dc->pos && !emit_child(dc, &x->entry, ctx, i + 1))
			return false;
	dc->pos = DYNAMIC_POS;
	return true;
}

static void list_dynamic(struct dir_context *dc, const struct pseudo_dir *d, const struct pseudo_ctx *ctx)
{
	struct pseudo_found found;
	u64 cursor = dc->pos - DYNAMIC_POS;

	for (;;) {
		found.ctx = *ctx;
		if (!d->next(ctx, &cursor, &found) ||
		    !emit(dc, found.entry, &found.ctx, found.name, DYNAMIC_POS + cursor))
			return;
	}
}

static int pseudo_iterate(struct file *f, struct dir_context *dc)
{
	const struct pseudo_inode *pi = pseudo_inode(f->inode);
	const struct pseudo_dir *d = pi->entry->dir;
	if (d->check && d->check(&pi->ctx))
		return -ENOENT;
	if (dc->pos == 0 && dc->emit(dc, ".", 1, 1, f->inode->ino, 4))
		dc->pos = 1;
	if (dc->pos == 1 && dc->emit(dc, "..", 2, 2, f->path.dentry->parent->inode->ino, 4))
		dc->pos = 2;
	if (dc->pos < 2)
		return 0;
	if (dc->pos < EXTRA_POS && !list_fixed(dc, d, &pi->ctx))
		return 0;
	if (dc->pos < DYNAMIC_POS && !list_extra(dc, d, &pi->ctx))
		return 0;
	if (d->next)
		list_dynamic(dc, d, &pi->ctx);
	return 0;
}

const struct file_ops pseudo_dir_fops = {.iterate = pseudo_iterate, .seek = generic_dir_seek};
