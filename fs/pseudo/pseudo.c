// SPDX-License-Identifier: BSD-2-Clause
/* Pseudo file systems: supers and inodes. An inode holds a copy of its context. Generated names come and go
 * by themselves: a cached one is used again only while a look-up would find the same. */
#include "internal.h"
#include "kernel/clock.h"

static const struct inode_ops fixed_dir_ops, dynamic_dir_ops, file_iops, sized_iops, link_iops, jump_iops;

const struct pseudo_ctx *pseudo_inode_ctx(const struct inode *i)
{
	return &pseudo_inode(i)->ctx;
}

bool pseudo_inode_is(const struct inode *i, const struct pseudo_entry *entry)
{
	return (i->ops == &fixed_dir_ops || i->ops == &dynamic_dir_ops) && pseudo_inode(i)->entry == entry;
}

static const struct inode_ops *ops_of(const struct pseudo_entry *e)
{
	switch (e->mode & S_IFMT) {
	case S_IFDIR:
		return e->dir->find || e->dir->check ? &dynamic_dir_ops : &fixed_dir_ops;
	case S_IFLNK:
		return e->jump ? &jump_iops : &link_iops;
	default:
		return e->kind == PSEUDO_SIZE ? &sized_iops : &file_iops;
	}
}

/* What may change in the life of an inode by itself. No sleep. */
static void take_attributes(struct inode *i)
{
	const struct pseudo_fs *fs = i->super->priv;
	const struct pseudo_inode *pi = pseudo_inode(i);
	u32 uid = 0, gid = 0;

	if (S_ISDIR(i->mode))
		i->nlink = pi->entry->dir->nlink ? pi->entry->dir->nlink(&pi->ctx) : 2;
	else if (pi->entry->kind == PSEUDO_SIZE)
		i->size = pi->entry->size(&pi->ctx);
	if (!fs->owner)
		return;
	fs->owner(&pi->ctx, &uid, &gid);
	WRITE_ONCE(i->uid, uid);
	WRITE_ONCE(i->gid, gid);
}

/* A new inode for ENTRY; NULL on no memory. */
static struct inode *inode_make(struct super *s, const struct pseudo_entry *e, const struct pseudo_ctx *ctx)
{
	const struct pseudo_fs *fs = s->priv;
	struct pseudo_inode *pi = kmalloc(sizeof *pi);
	struct inode *i;

	if (!pi)
		return NULL;
	i = inode_alloc(s);
	if (!i) {
		kfree(pi);
		return NULL;
	}
	*pi = (struct pseudo_inode){.entry = e, .ctx = *ctx};
	i->priv = pi;
	i->ino = pseudo_ino(e, ctx);
	i->mode = e->mode;
	i->flags |= INODE_PSEUDO;
	i->ops = ops_of(e);
	i->atime = i->mtime = i->ctime = clock_realtime();
	if (S_ISDIR(e->mode))
		i->fops = &pseudo_dir_fops;
	else if (S_ISREG(e->mode))
		i->size = fs->file_size;
	take_attributes(i);
	return i;
}

static struct inode *pseudo_inode_lookup(struct inode *dir, const char *name, size_t len)
{
	const struct pseudo_inode *pi = pseudo_inode(dir);
	struct pseudo_found found;
	struct inode *i;
	bool dynamic;
	int err = pseudo_lookup(pi->entry, &pi->ctx, name, len, &found, &dynamic);

	if (err)
		return ERR_PTR(err);
	i = inode_make(dir->super, found.entry, &found.ctx);
	return i ? i : ERR_PTR(-ENOMEM);
}

static bool ctx_equal(const struct pseudo_ctx *a, const struct pseudo_ctx *b)
{
	return a->pid == b->pid && a->tid == b->tid && a->since == b->since && a->num == b->num &&
	       a->arg == b->arg;
}

/* Would a look-up find something else by now? */
static bool names_another(const struct pseudo_inode *dir, const struct dentry *d)
{
	const struct pseudo_inode *pi = pseudo_inode(d->inode);
	const struct pseudo_dir *pd = dir->entry->dir;
	struct pseudo_found found = {.ctx = dir->ctx};

	for (const struct pseudo_entry *e = pd->entries; e && e->name; e++)
		if (e == pi->entry)
			return false;
	return pd->find && (pd->find_sleeps || pd->find(&dir->ctx, d->name, d->len, &found) ||
			    found.entry != pi->entry || !ctx_equal(&found.ctx, &pi->ctx));
}

static bool pseudo_stale(struct dentry *d)
{
	const struct pseudo_inode *dir = pseudo_inode(d->parent->inode);
	const struct pseudo_dir *pd = dir->entry->dir;

	if (!d->inode || (pd->check && pd->check(&dir->ctx)) || names_another(dir, d))
		return true;
	take_attributes(d->inode);
	return false;
}

static ssize_t pseudo_readlink(struct inode *i, char *buf, size_t size)
{
	const struct pseudo_inode *pi = pseudo_inode(i);

	return pi->entry->readlink(&pi->ctx, buf, size);
}

static int pseudo_jump(struct inode *i, struct path *out)
{
	const struct pseudo_inode *pi = pseudo_inode(i);

	return pi->entry->jump(&pi->ctx, out);
}

static int pseudo_open(struct inode *i, struct file *f)
{
	const struct pseudo_inode *pi = pseudo_inode(i);

	if (S_ISDIR(i->mode)) {
		f->ops = &pseudo_dir_fops;
		return 0;
	}
	return pi->entry->kind == PSEUDO_OPEN ? pi->entry->open(&pi->ctx, f)
					      : pseudo_open_text(f, pi->entry, &pi->ctx);
}

static int pseudo_setattr(struct inode *i, const struct inode_attr *a)
{
	const struct pseudo_fs *fs = i->super->priv;

	if (fs->fixed_modes && a->valid & (ATTR_MODE | ATTR_UID | ATTR_GID))
		return -EPERM;
	inode_apply_attr(i, a);
	return 0;
}

/* Names come by themselves. In proc what does not exist cannot be made either, in the words that Linux has
 * for it. */
static int pseudo_create(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
	const struct pseudo_fs *fs = dir->super->priv;

	return fs->fixed_modes ? -ENOENT : S_ISREG(mode) ? -EACCES : -EPERM;
}

static int pseudo_mkdir(struct inode *dir, struct dentry *d, u32 mode)
{
	return pseudo_create(dir, d, S_IFDIR, 0);
}

static int pseudo_symlink(struct inode *dir, struct dentry *d, const char *target)
{
	return pseudo_create(dir, d, S_IFLNK, 0);
}

static void pseudo_evict(struct inode *i)
{
	kfree(i->priv);
}

static const struct inode_ops fixed_dir_ops = {
	.lookup = pseudo_inode_lookup,
	.create = pseudo_create,
	.mkdir = pseudo_mkdir,
	.symlink = pseudo_symlink,
	.open = pseudo_open,
	.setattr = pseudo_setattr,
};
static const struct inode_ops dynamic_dir_ops = {
	.lookup = pseudo_inode_lookup,
	.create = pseudo_create,
	.mkdir = pseudo_mkdir,
	.symlink = pseudo_symlink,
	.open = pseudo_open,
	.setattr = pseudo_setattr,
	.revalidate = pseudo_stale,
};
static const struct inode_ops file_iops = {.open = pseudo_open, .setattr = pseudo_setattr};
static const struct inode_ops sized_iops = {
	.open = pseudo_open,
	.setattr = pseudo_setattr,
	.revalidate = pseudo_stale,
};
static const struct inode_ops link_iops = {.readlink = pseudo_readlink, .setattr = pseudo_setattr};
static const struct inode_ops jump_iops = {
	.readlink = pseudo_readlink,
	.jump = pseudo_jump,
	.setattr = pseudo_setattr,
};
static const struct super_ops pseudo_super_ops = {.evict = pseudo_evict};

static struct super *pseudo_mount(const struct fs_type *t, const char *source __maybe_unused,
				  u32 flags __maybe_unused, const char *options __maybe_unused)
{
	struct pseudo_fs *fs = container_of((struct fs_type *)(uintptr_t)t, struct pseudo_fs, type);
	struct super *s = super_create(t, &pseudo_super_ops, fs->magic, PAGE_SIZE);
	struct pseudo_ctx ctx = {.arg = fs->root->arg};
	struct inode *root;
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	s->priv = fs;
	root = inode_make(s, fs->root, &ctx);
	if (root)
		root->ino = 1;
	err = super_set_root(s, root);
	if (!err)
		return s;
	super_put(s);
	return ERR_PTR(err);
}

int pseudo_register(struct pseudo_fs *fs)
{
	fs->type.nodev = true;
	fs->type.mount = pseudo_mount;
	return fs_register(&fs->type);
}
