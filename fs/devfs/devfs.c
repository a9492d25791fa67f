// SPDX-License-Identifier: BSD-2-Clause
/* devtmpfs: /dev, a small file system in memory that comes with the nodes of all devices.
 *
 * Names are entries of their directory's list; each holds a reference on its inode, so inodes live as long as
 * their names. A directory's list is guarded by its inode's lock. Entries carry rising positions, which makes
 * reading a directory stable while names come and go. Regular files have a page cache as their only storage.
 */
#include "devfs.h"
#include "fs/pagecache.h"
#include "kernel/clock.h"

static const struct inode_ops dir_ops, file_ops_i, link_ops;
static const struct file_ops dir_fops, reg_fops;
static _Atomic u64 next_ino = 2;

static u64 ino_next(void)
{
	return atomic_fetch_add_explicit(&next_ino, 1, memory_order_relaxed);
}

static int inode_setup(struct inode *i, struct inode *parent)
{
	switch (i->mode & S_IFMT) {
	case S_IFDIR: {
		struct dev_dir *d = kzalloc(sizeof *d);

		if (!d)
			return -ENOMEM;
		list_init(&d->entries);
		d->next_pos = 2;
		d->parent = parent ? parent : i;
		i->priv = d;
		i->nlink = 2;
		i->ops = &dir_ops;
		i->fops = &dir_fops;
		return 0;
	}
	case S_IFREG: {
		struct page_cache *c = kzalloc(sizeof *c);

		if (!c)
			return -ENOMEM;
		if (pagecache_init(c, i, NULL)) {
			kfree(c);
			return -ENOMEM;
		}
		c->unevictable = true;
		i->cache = c;
		i->ops = &file_ops_i;
		i->fops = &reg_fops;
		return 0;
	}
	case S_IFLNK:
		i->ops = &link_ops;
		return 0;
	default:
		i->ops = &file_ops_i;
		return 0;
	}
}

struct inode *devfs_inode_make(struct super *s, struct inode *parent, u32 mode, u64 rdev)
{
	struct inode *i = inode_alloc(s);

	if (!i)
		return ERR_PTR(-ENOMEM);
	i->ino = parent ? ino_next() : 1;
	i->mode = mode;
	i->rdev = rdev;
	i->atime = i->mtime = i->ctime = i->btime = clock_realtime();
	if (inode_setup(i, parent)) {
		i->mode = 0; /* nothing for evict */
		inode_put(i);
		return ERR_PTR(-ENOMEM);
	}
	return i;
}

struct dev_entry *devfs_entry_find(struct inode *dir, const char *name, size_t len)
{
	struct dev_dir *d = dir->priv;
	struct dev_entry *e;

	list_for_each_entry (e, &d->entries, node)
		if (e->len == len && !memcmp(e->name, name, len))
			return e;
	return NULL;
}

int devfs_entry_add(struct inode *dir, const char *name, size_t len, struct inode *i)
{
	struct dev_entry *e = kmalloc(sizeof *e + len + 1);
	struct dev_dir *d = dir->priv;

	if (!e)
		return -ENOMEM;
	memcpy(e->name, name, len);
	e->name[len] = '\0';
	e->len = (u32)len;
	e->inode = i;
	e->pos = d->next_pos++;
	list_add_tail(&e->node, &d->entries);
	if (S_ISDIR(i->mode))
		dir->nlink++;
	dir->mtime = dir->ctime = clock_realtime();
	return 0;
}

void devfs_entry_remove(struct inode *dir, struct dev_entry *e)
{
	struct inode *i = e->inode;

	list_del(&e->node);
	kfree(e);
	dir->mtime = dir->ctime = i->ctime = clock_realtime();
	if (S_ISDIR(i->mode)) {
		dir->nlink--;
		i->nlink = 0;
	} else {
		i->nlink--;
	}
	inode_put(i);
}

static struct inode *devfs_lookup(struct inode *dir, const char *name, size_t len)
{
	struct dev_entry *e = devfs_entry_find(dir, name, len);

	if (!e)
		return ERR_PTR(-ENOENT);
	inode_get(e->inode);
	return e->inode;
}

/* A new inode under the name of D; *OUT without a reference of its own. */
static int node_make(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
	struct inode *i = devfs_inode_make(dir->super, dir, mode, rdev);
	int err;

	if (IS_ERR(i))
		return (int)PTR_ERR(i);
	inode_init_owner(i, dir, mode);
	inode_get(i); /* for D */
	err = devfs_entry_add(dir, d->name, d->len, i);
	if (err) {
		inode_put(i);
		inode_put(i);
		return err;
	}
	d->inode = i;
	return 0;
}

static int devfs_create(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
	return node_make(dir, d, mode, rdev);
}

static int devfs_mkdir(struct inode *dir, struct dentry *d, u32 mode)
{
	return node_make(dir, d, S_IFDIR | (mode & 07777), 0);
}

static int devfs_symlink(struct inode *dir, struct dentry *d, const char *target)
{
	char *text = kstrdup(target);
	int err;

	if (!text)
		return -ENOMEM;
	err = node_make(dir, d, S_IFLNK | 0777, 0);
	if (err) {
		kfree(text);
		return err;
	}
	d->inode->priv = text;
	d->inode->size = strlen(text);
	return 0;
}

static int devfs_link(struct inode *dir, struct dentry *d, struct inode *target)
{
	int err;

	inode_get(target);
	err = devfs_entry_add(dir, d->name, d->len, target);
	if (err) {
		inode_put(target);
		return err;
	}
	target->nlink++;
	target->ctime = clock_realtime();
	inode_get(target);
	d->inode = target;
	return 0;
}

static int devfs_unlink(struct inode *dir, struct dentry *d)
{
	struct dev_entry *e = devfs_entry_find(dir, d->name, d->len);

	if (!e)
		return -ENOENT;
	devfs_entry_remove(dir, e);
	return 0;
}

static int devfs_rmdir(struct inode *dir, struct dentry *d)
{
	struct dev_dir *victim = d->inode->priv;

	return list_empty(&victim->entries) ? devfs_unlink(dir, d) : -ENOTEMPTY;
}

static int devfs_rename(struct inode *from, struct dentry *fd, struct inode *to, struct dentry *td, u32 flags)
{
	struct dev_entry *e = devfs_entry_find(from, fd->name, fd->len),
			 *old = devfs_entry_find(to, td->name, td->len);
	struct inode *i;
	int err;

	if (flags & ~1u) /* RENAME_NOREPLACE has been seen to by the VFS */
		return -EINVAL;
	if (!e)
		return -ENOENT;
	i = e->inode;
	if (old && S_ISDIR(old->inode->mode) && !list_empty(&((struct dev_dir *)old->inode->priv)->entries))
		return -ENOTEMPTY;
	inode_get(i);
	err = devfs_entry_add(to, td->name, td->len, i);
	if (err) {
		inode_put(i);
		return err;
	}
	if (old)
		devfs_entry_remove(to, old);
	i->nlink++; /* entry_remove takes one */
	devfs_entry_remove(from, e);
	if (S_ISDIR(i->mode)) {
		i->nlink = 2;
		((struct dev_dir *)i->priv)->parent = to;
	}
	return 0;
}

static ssize_t devfs_readlink(struct inode *i, char *buf, size_t size)
{
	str_copy(buf, i->priv, size);
	return (ssize_t)strlen(buf);
}

static int devfs_setattr(struct inode *i, const struct inode_attr *a)
{
	if (a->valid & ATTR_SIZE && i->cache) {
		u64 old = i->size;

		i->size = a->size;
		if (a->size < old)
			pagecache_truncate(i->cache, a->size, ~0ull);
	}
	inode_apply_attr(i, a);
	return 0;
}

static unsigned dtype(const struct inode *i)
{
	return i->mode >> 12 & 15;
}

static int devfs_iterate(struct file *f, struct dir_context *ctx)
{
	struct inode *dir = f->inode;
	struct dev_dir *d = dir->priv;
	struct dev_entry *e;

	mutex_lock(&dir->lock);
	if (ctx->pos == 0 && ctx->emit(ctx, ".", 1, 1, dir->ino, 4))
		ctx->pos = 1;
	if (ctx->pos == 1 && ctx->emit(ctx, "..", 2, 2, d->parent->ino, 4))
		ctx->pos = 2;
	if (ctx->pos >= 2)
		list_for_each_entry (e, &d->entries, node) {
			if (e->pos < ctx->pos)
				continue;
			if (!ctx->emit(ctx, e->name, e->len, e->pos + 1, e->inode->ino, dtype(e->inode)))
				break;
			ctx->pos = e->pos + 1;
		}
	mutex_unlock(&dir->lock);
	return 0;
}

void devfs_evict(struct inode *i)
{
	switch (i->mode & S_IFMT) {
	case S_IFDIR: {
		struct dev_dir *d = i->priv;
		struct dev_entry *e, *next;

		list_for_each_entry_safe (e, next, &d->entries, node) {
			inode_put(e->inode);
			kfree(e);
		}
		kfree(d);
		break;
	}
	case S_IFREG:
		pagecache_destroy(i->cache);
		kfree(i->cache);
		break;
	case S_IFLNK:
		kfree(i->priv);
		break;
	}
}

static const struct inode_ops dir_ops = {
	.lookup = devfs_lookup,
	.create = devfs_create,
	.mkdir = devfs_mkdir,
	.symlink = devfs_symlink,
	.link = devfs_link,
	.unlink = devfs_unlink,
	.rmdir = devfs_rmdir,
	.rename = devfs_rename,
	.setattr = devfs_setattr,
};
const struct inode_ops devfs_fixed_dir_ops = {.lookup = devfs_lookup, .setattr = devfs_setattr};
static const struct inode_ops file_ops_i = {.setattr = devfs_setattr};
static const struct inode_ops link_ops = {.readlink = devfs_readlink, .setattr = devfs_setattr};
static const struct file_ops dir_fops = {.iterate = devfs_iterate, .seek = generic_dir_seek};
static const struct file_ops reg_fops = {
	.read = pagecache_file_read,
	.write = pagecache_file_write,
	.mmap = pagecache_file_mmap,
	.seek = generic_file_seek,
};
const struct super_ops devfs_super_ops = {.evict = devfs_evict};
