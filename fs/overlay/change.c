/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and removing names in the overlay. The VFS holds the overlay directory's lock (and that of an inode
 * that is linked or removed); the upper file system is called with its own locks, through entries that are in
 * no cache. */
#include "overlay.h"
#include "base/string.h"

/* Remove NAME from the upper part of DIR. */
int ovl_upper_unlink(struct inode *dir, const char *name, size_t len, bool is_dir)
{
	struct inode *up = ovl_upper(dir), *victim;
	struct dentry *d = dentry_alloc(NULL, name, len);
	int err;

	if (!d)
		return -ENOMEM;
	mutex_lock(&up->lock);
	victim = up->ops->lookup(up, name, len);
	err = IS_ERR(victim) ? (int)PTR_ERR(victim) : 0;
	if (!err) {
		d->inode = victim;
		mutex_lock(&victim->lock);
		err = is_dir ? up->ops->rmdir(up, d) : up->ops->unlink(up, d);
		mutex_unlock(&victim->lock);
	}
	mutex_unlock(&up->lock);
	dentry_put(d);
	return err;
}

/* Hide NAME of DIR, whose upper part has nothing of that name. */
int ovl_whiteout(struct inode *dir, const char *name, size_t len)
{
	struct inode *up = ovl_upper(dir);
	struct dentry *d = dentry_alloc(NULL, name, len);
	int err;

	if (!d)
		return -ENOMEM;
	mutex_lock(&up->lock);
	err = up->ops->create(up, d, S_IFCHR, 0);
	mutex_unlock(&up->lock);
	dentry_put(d);
	return err;
}

struct collector {
	struct dir_context dir;
	char name[NAME_LEN_MAX + 1];
	size_t len;
};

static bool collect_one(struct dir_context *ctx, const char *name, size_t len, u64 next, u64 ino,
			unsigned dtype)
{
	struct collector *c = container_of(ctx, struct collector, dir);

	ctx->pos = next;
	if (dtype != S_IFCHR >> 12)
		return true;
	memcpy(c->name, name, len);
	c->len = len;
	return false;
}

/* UP is an upper directory that holds nothing but whiteouts: remove them, so that it can be removed. */
int ovl_clear_whiteouts(struct inode *up)
{
	struct dentry *d = dentry_alloc(NULL, "", 0), *v;
	struct file f = {.inode = up, .path = {NULL, d}};
	struct collector c;
	int err = 0;

	if (!d)
		return -ENOMEM;
	inode_get(up);
	d->inode = up;
	while (!err) {
		c.dir = (struct dir_context){.emit = collect_one};
		c.len = 0;
		err = up->fops->iterate(&f, &c.dir);
		if (err || !c.len)
			break;
		v = dentry_alloc(NULL, c.name, c.len);
		if (!v) {
			err = -ENOMEM;
			break;
		}
		mutex_lock(&up->lock);
		err = up->ops->unlink(up, v);
		mutex_unlock(&up->lock);
		dentry_put(v);
	}
	dentry_put(d);
	return err;
}

/* What to make. */
struct recipe {
	u32 mode;
	u64 rdev;
	const char *target;
	struct inode *link;
};

static int upper_make(struct inode *up, struct dentry *d, const struct recipe *r)
{
	if (r->link)
		return up->ops->link(up, d, r->link);
	if (r->target)
		return up->ops->symlink(up, d, r->target);
	if (S_ISDIR(r->mode))
		return up->ops->mkdir(up, d, r->mode);
	return up->ops->create(up, d, r->mode, r->rdev);
}

/* Make an upper inode for D. The name may be hidden by a whiteout, which gives way. */
static int make(struct inode *dir, struct dentry *d, const struct recipe *r)
{
	struct inode *old, *i;
	struct dentry *u;
	bool was_hidden;
	int err = ovl_copy_up(dir, true);

	if (err)
		return err;
	u = dentry_alloc(NULL, d->name, d->len);
	if (!u)
		return -ENOMEM;
	old = ovl_lookup_upper(dir, d->name, d->len);
	err = IS_ERR(old) ? (int)PTR_ERR(old) : 0;
	if (err)
		goto out;
	was_hidden = old;
	if (old) {
		inode_put(old);
		err = ovl_upper_unlink(dir, d->name, d->len, false);
		if (err)
			goto out;
	}
	mutex_lock(&ovl_upper(dir)->lock);
	err = upper_make(ovl_upper(dir), u, r);
	mutex_unlock(&ovl_upper(dir)->lock);
	if (err) {
		if (was_hidden)
			ovl_whiteout(dir, d->name, d->len);
		goto out;
	}
	if (S_ISDIR(r->mode) && was_hidden)
		u->inode->flags |= INODE_OPAQUE;
	ovl_sync_attributes(dir);
	if (r->link)
		goto out;
	inode_get(u->inode);
	i = ovl_iget(dir->super, NULL, u->inode, dir, d->name, d->len);
	if (IS_ERR(i)) {
		err = (int)PTR_ERR(i);
		ovl_upper_unlink(dir, d->name, d->len, S_ISDIR(r->mode));
		if (was_hidden)
			ovl_whiteout(dir, d->name, d->len);
		goto out;
	}
	dentry_instantiate(d, i);
out:
	dentry_put(u);
	return err;
}

int ovl_create(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
	/* What looks like a whiteout would vanish. */
	if (S_ISCHR(mode) && !rdev)
		return -EPERM;
	return make(dir, d, &(struct recipe){.mode = mode, .rdev = rdev});
}

int ovl_mkdir(struct inode *dir, struct dentry *d, u32 mode)
{
	return make(dir, d, &(struct recipe){.mode = mode});
}

int ovl_symlink(struct inode *dir, struct dentry *d, const char *target)
{
	return make(dir, d, &(struct recipe){.mode = S_IFLNK, .target = target});
}

int ovl_link(struct inode *dir, struct dentry *d, struct inode *i)
{
	int err = ovl_copy_up(i, true);

	if (err)
		return err;
	err = make(dir, d, &(struct recipe){.mode = i->mode, .link = ovl_upper(i)});
	if (err)
		return err;
	i->nlink++;
	ovl_links_changed(i);
	inode_get(i);
	dentry_instantiate(d, i);
	return 0;
}

struct inode *ovl_tmpfile(struct inode *dir, u32 mode)
{
	struct inode *up, *i;
	int err = ovl_copy_up(dir, true);

	if (err)
		return ERR_PTR(err);
	mutex_lock(&ovl_upper(dir)->lock);
	up = ovl_upper(dir)->ops->tmpfile(ovl_upper(dir), mode);
	mutex_unlock(&ovl_upper(dir)->lock);
	if (IS_ERR(up))
		return up;
	i = ovl_iget(dir->super, NULL, up, dir, "", 0);
	if (!IS_ERR(i))
		i->nlink = 0;
	return i;
}

/* Take D's name away: from the upper part if it is there, by a whiteout if it would show through. */
static int remove_name(struct inode *dir, struct dentry *d, bool is_dir)
{
	bool below = ovl_below(dir, d->name, d->len);
	struct ovl_inode *oi = ovl_inode(d->inode);
	struct inode *up;
	int err = below ? ovl_copy_up(dir, true) : 0;

	if (err)
		return err;
	/* From here on a copy of it gets no name: its name is on the way out. */
	mutex_lock(&oi->copy_lock);
	up = ovl_lookup_upper(dir, d->name, d->len);
	err = IS_ERR(up) ? (int)PTR_ERR(up) : 0;
	if (!err && up) {
		inode_put(up);
		err = ovl_upper_unlink(dir, d->name, d->len, is_dir);
	}
	if (!err && below)
		err = ovl_whiteout(dir, d->name, d->len);
	if (!err && d->len == oi->len && !memcmp(d->name, oi->name, d->len) && oi->parent == dir)
		oi->unlinked = true;
	mutex_unlock(&oi->copy_lock);
	if (!err) {
		d->inode->nlink = is_dir || !d->inode->nlink ? 0 : d->inode->nlink - 1;
		ovl_links_changed(d->inode);
		ovl_sync_attributes(dir);
	}
	return err;
}

int ovl_unlink(struct inode *dir, struct dentry *d)
{
	return remove_name(dir, d, false);
}

int ovl_rmdir(struct inode *dir, struct dentry *d)
{
	int ret = ovl_dir_empty(d->inode);

	if (ret <= 0)
		return ret ? ret : -ENOTEMPTY;
	if (ovl_upper(d->inode)) {
		ret = ovl_clear_whiteouts(ovl_upper(d->inode));
		if (ret)
			return ret;
	}
	return remove_name(dir, d, true);
}
