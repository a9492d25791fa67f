/* SPDX-License-Identifier: BSD-2-Clause */
/* Overlay directories: looking names up in both parts, and reading their union. Positions: those of the upper
 * part, then those of the lower part with bit 62 set. */
#include "overlay.h"
#include "base/string.h"

#define LOWER_POS (1ull << 62)

struct inode *ovl_lookup_upper(struct inode *dir, const char *name, size_t len)
{
	struct inode *up = ovl_upper(dir), *i;

	if (!up)
		return NULL;
	mutex_lock(&up->lock);
	i = up->ops->lookup(up, name, len);
	mutex_unlock(&up->lock);
	return PTR_ERR(i) == -ENOENT ? NULL : i;
}

struct inode *ovl_lookup_lower(struct inode *dir, const char *name, size_t len)
{
	struct inode *low = ovl_lower(dir), *i;

	if (!low)
		return NULL;
	mutex_lock(&low->lock);
	i = low->ops->lookup(low, name, len);
	mutex_unlock(&low->lock);
	return PTR_ERR(i) == -ENOENT ? NULL : i;
}

bool ovl_below(struct inode *dir, const char *name, size_t len)
{
	struct inode *i = ovl_lookup_lower(dir, name, len);

	if (!i)
		return false;
	if (!IS_ERR(i))
		inode_put(i);
	return true; /* an entry that cannot be read is an entry */
}

struct inode *ovl_lookup(struct inode *dir, const char *name, size_t len)
{
	struct inode *up = ovl_lookup_upper(dir, name, len), *low = NULL;

	if (IS_ERR(up))
		return up;
	if (up && ovl_is_whiteout(up)) {
		inode_put(up);
		return ERR_PTR(-ENOENT);
	}
	if (!up || (S_ISDIR(up->mode) && !(up->flags & INODE_OPAQUE))) {
		low = ovl_lookup_lower(dir, name, len);
		if (IS_ERR(low)) {
			if (up)
				inode_put(up);
			return low;
		}
		/* Only directories join. */
		if (low && up && !S_ISDIR(low->mode)) {
			inode_put(low);
			low = NULL;
		}
	}
	if (!up && !low)
		return ERR_PTR(-ENOENT);
	if (!up && !S_ISDIR(low->mode) && low->nlink > 1)
		up = ovl_index_find(dir->super, low->ino);
	return ovl_iget(dir->super, low, up, dir, name, len);
}

/* A reader of one part, which hands on to the reader of the union. */
struct part {
	struct dir_context dir;
	struct dir_context *outer;
	struct inode *overlay;
	bool lower, full;
};

static bool is_dots(const char *name, size_t len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

/* Is the upper entry NAME a whiteout? The upper directory is locked: its iterate is running. */
static bool hidden_above(struct inode *up, const char *name, size_t len)
{
	struct inode *i = up->ops->lookup(up, name, len);
	bool hidden;

	if (IS_ERR(i))
		return false;
	hidden = ovl_is_whiteout(i);
	inode_put(i);
	return hidden;
}

static bool part_emit(struct dir_context *ctx, const char *name, size_t len, u64 next, u64 ino,
		      unsigned dtype)
{
	struct part *p = container_of(ctx, struct part, dir);
	u64 mark = p->lower ? LOWER_POS : 0;
	bool skip;

	if (p->lower) {
		struct inode *up = is_dots(name, len) ? NULL : ovl_lookup_upper(p->overlay, name, len);

		skip = up || (is_dots(name, len) && ovl_upper(p->overlay));
		if (up && !IS_ERR(up))
			inode_put(up);
	} else {
		skip = dtype == S_IFCHR >> 12 && hidden_above(ovl_upper(p->overlay), name, len);
	}
	if (!skip && !p->outer->emit(p->outer, name, len, next | mark, ino, dtype)) {
		p->full = true;
		return false;
	}
	ctx->pos = next;
	p->outer->pos = next | mark;
	return true;
}

static int read_part(struct file *f, struct inode *real, struct dir_context *ctx, bool lower, bool *full)
{
	struct part p = {.dir = {.emit = part_emit, .pos = ctx->pos & ~LOWER_POS},
			 .outer = ctx,
			 .overlay = f->inode,
			 .lower = lower};
	struct file part_file = {.inode = real, .path = f->path};
	int err = real->fops->iterate(&part_file, &p.dir);

	*full = p.full;
	return err;
}

int ovl_dir_iterate(struct file *f, struct dir_context *ctx)
{
	struct inode *up = ovl_upper(f->inode), *low = ovl_lower(f->inode);
	bool full = false;
	int err = 0;

	if (!(ctx->pos & LOWER_POS)) {
		if (up)
			err = read_part(f, up, ctx, false, &full);
		if (err || full)
			return err;
		ctx->pos = LOWER_POS;
	}
	return low ? read_part(f, low, ctx, true, &full) : 0;
}

struct finder {
	struct dir_context dir;
	bool found;
};

static bool find_any(struct dir_context *ctx, const char *name, size_t len, u64 next, u64 ino, unsigned dtype)
{
	struct finder *f = container_of(ctx, struct finder, dir);

	f->found |= !is_dots(name, len);
	return !f->found;
}

int ovl_dir_empty(struct inode *dir)
{
	struct finder find = {.dir = {.emit = find_any}};
	struct dentry *d = dentry_alloc(NULL, "", 0);
	struct file f = {.inode = dir, .path = {NULL, d}};
	int err;

	if (!d)
		return -ENOMEM;
	inode_get(dir);
	d->inode = dir; /* ".." of a root is itself: any directory will do here */
	err = ovl_dir_iterate(&f, &find.dir);
	dentry_put(d);
	return err ? err : !find.found;
}
