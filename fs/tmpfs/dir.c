/* SPDX-License-Identifier: BSD-2-Clause */
/* tmpfs directories: entries by name and by position. Every function runs with the directory inode's lock
 * held by the VFS, except iterate, which takes it. Links, sizes and times of the inodes concerned are kept
 * here. */
#include "base/string.h"
#include "tmpfs.h"
#include "kernel/clock.h"
#include <linux/fs.h>

static int name_cmp(const struct tmpfs_entry *e, const char *name, size_t len)
{
	int c = memcmp(e->name, name, min((size_t)e->len, len));

	return c ? c : e->len < len ? -1 : e->len > len;
}

static struct tmpfs_entry *entry_find(const struct inode *dir, const char *name, size_t len)
{
	struct rb_node *n = tmpfs_inode(dir)->names.node;

	while (n) {
		struct tmpfs_entry *e = rb_entry(n, struct tmpfs_entry, by_name);
		int c = name_cmp(e, name, len);

		if (!c)
			return e;
		n = c > 0 ? n->left : n->right;
	}
	return NULL;
}

static struct tmpfs_entry *entry_alloc(const char *name, size_t len, struct inode *i)
{
	struct tmpfs_entry *e = kmalloc(sizeof *e + len + 1);

	if (!e)
		return NULL;
	memcpy(e->name, name, len);
	e->name[len] = 0;
	e->len = (u32)len;
	e->inode = i;
	return e;
}

static void entry_link(struct inode *dir, struct tmpfs_entry *e)
{
	struct tmpfs_inode *ti = tmpfs_inode(dir);
	struct rb_node **link = &ti->names.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = name_cmp(rb_entry(parent, struct tmpfs_entry, by_name), e->name, e->len) > 0
			       ? &parent->left
			       : &parent->right;
	}
	rb_insert(&ti->names, &e->by_name, parent, link, NULL);
	/* Positions only grow: the place is at the far right. */
	e->pos = ti->next_pos++;
	parent = rb_last(&ti->positions);
	rb_insert(&ti->positions, &e->by_pos, parent, parent ? &parent->right : &ti->positions.node, NULL);
	dir->size += TMPFS_DIRENT_SIZE;
}

/* Leaves the entry and its reference to the caller. */
static void entry_unlink(struct inode *dir, struct tmpfs_entry *e)
{
	rb_erase(&tmpfs_inode(dir)->names, &e->by_name, NULL);
	rb_erase(&tmpfs_inode(dir)->positions, &e->by_pos, NULL);
	dir->size -= TMPFS_DIRENT_SIZE;
}

static void touch(struct inode *i, u64 now)
{
	i->mtime = i->ctime = now;
}

static struct inode *tmpfs_lookup(struct inode *dir, const char *name, size_t len)
{
	struct tmpfs_entry *e = entry_find(dir, name, len);

	if (!e)
		return ERR_PTR(-ENOENT);
	inode_get(e->inode);
	return e->inode;
}

/* Give I, whose reference is taken over on success, the name of D. */
int tmpfs_add_name(struct inode *dir, struct dentry *d, struct inode *i)
{
	struct tmpfs_entry *e = entry_alloc(d->name, d->len, i);

	if (!e)
		return -ENOMEM;
	entry_link(dir, e);
	touch(dir, clock_realtime());
	inode_get(i); /* the dentry's */
	dentry_instantiate(d, i);
	return 0;
}

static int make(struct inode *dir, struct dentry *d, u32 mode, u64 rdev, const char *target)
{
	struct inode *i = tmpfs_inode_new(dir->super, dir, mode, rdev);
	int err;

	if (IS_ERR(i))
		return (int)PTR_ERR(i);
	if (target) {
		tmpfs_inode(i)->target = kstrdup(target);
		i->size = strlen(target);
		err = tmpfs_inode(i)->target ? 0 : -ENOMEM;
		if (err)
			goto fail;
	}
	err = tmpfs_add_name(dir, d, i);
	if (err)
		goto fail;
	if (S_ISDIR(mode))
		dir->nlink++;
	return 0;
fail:
	inode_put(i);
	return err;
}

static int tmpfs_create(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
	return make(dir, d, mode, rdev, NULL);
}

static int tmpfs_mkdir(struct inode *dir, struct dentry *d, u32 mode)
{
	return make(dir, d, mode, 0, NULL);
}

static int tmpfs_symlink(struct inode *dir, struct dentry *d, const char *target)
{
	return make(dir, d, S_IFLNK | 0777, 0, target);
}

static struct inode *tmpfs_tmpfile(struct inode *dir, u32 mode)
{
	struct inode *i = tmpfs_inode_new(dir->super, dir, mode, 0);

	if (!IS_ERR(i))
		i->nlink = 0;
	return i;
}

static int tmpfs_link(struct inode *dir, struct dentry *d, struct inode *i)
{
	int err;

	inode_get(i);
	err = tmpfs_add_name(dir, d, i);
	if (err) {
		inode_put(i);
		return err;
	}
	i->nlink++;
	i->ctime = clock_realtime();
	return 0;
}

static bool dir_empty(const struct inode *dir)
{
	return !tmpfs_inode(dir)->names.node;
}

/* Drop entry E of DIR and one link of its inode, two of a directory. The dentry keeps the inode alive for the
 * caller. */
static void remove_entry(struct inode *dir, struct tmpfs_entry *e)
{
	struct inode *i = e->inode;
	u64 now = clock_realtime();

	entry_unlink(dir, e);
	if (S_ISDIR(i->mode)) {
		i->nlink = 0;
		dir->nlink--;
	} else {
		i->nlink--;
	}
	i->ctime = now;
	touch(dir, now);
	kfree(e);
	inode_put(i);
}

static int tmpfs_unlink(struct inode *dir, struct dentry *d)
{
	struct tmpfs_entry *e = entry_find(dir, d->name, d->len);

	if (!e)
		return -ENOENT;
	remove_entry(dir, e);
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, struct dentry *d)
{
	return dir_empty(d->inode) ? tmpfs_unlink(dir, d) : -ENOTEMPTY;
}

/* A directory I moved from FROM to TO: its ".." counts. */
static void moved_dir(struct inode *i, struct inode *from, struct inode *to)
{
	if (S_ISDIR(i->mode) && from != to) {
		from->nlink--;
		to->nlink++;
	}
}

static int exchange(struct inode *from, struct tmpfs_entry *a, struct inode *to, struct tmpfs_entry *b)
{
	struct inode *x = a->inode, *y = b->inode;

	a->inode = y;
	b->inode = x;
	moved_dir(x, from, to);
	moved_dir(y, to, from);
	x->ctime = y->ctime = clock_realtime();
	return 0;
}

static int tmpfs_rename(struct inode *from, struct dentry *fd, struct inode *to, struct dentry *td, u32 flags)
{
	struct tmpfs_entry *old = entry_find(from, fd->name, fd->len),
			   *victim = entry_find(to, td->name, td->len), *e;
	struct inode *i;
	u64 now;

	if (!old)
		return -ENOENT;
	i = old->inode;
	now = clock_realtime();
	if (flags & RENAME_EXCHANGE) {
		if (!victim)
			return -ENOENT;
		touch(from, now);
		touch(to, now);
		return exchange(from, old, to, victim);
	}
	if (victim && S_ISDIR(victim->inode->mode) && !dir_empty(victim->inode))
		return -ENOTEMPTY;
	e = entry_alloc(td->name, td->len, i);
	if (!e)
		return -ENOMEM;
	if (victim)
		remove_entry(to, victim);
	entry_unlink(from, old);
	entry_link(to, e);
	kfree(old);
	moved_dir(i, from, to);
	touch(from, now);
	touch(to, now);
	i->ctime = now;
	return 0;
}

static struct tmpfs_entry *entry_at(const struct inode *dir, u64 pos)
{
	struct rb_node *n = tmpfs_inode(dir)->positions.node;
	struct tmpfs_entry *best = NULL;

	while (n) {
		struct tmpfs_entry *e = rb_entry(n, struct tmpfs_entry, by_pos);

		if (e->pos >= pos)
			best = e;
		n = e->pos >= pos ? n->left : n->right;
	}
	return best;
}

static u64 parent_ino(struct file *f)
{
	u64 ino;

	rcu_read_lock();
	ino = rcu_dereference(f->path.dentry->parent)->inode->ino;
	rcu_read_unlock();
	return ino;
}

static int tmpfs_iterate(struct file *f, struct dir_context *ctx)
{
	struct inode *dir = f->inode;
	struct tmpfs_entry *e;

	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, 1, dir->ino, S_IFDIR >> 12))
			return 0;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		if (!ctx->emit(ctx, "..", 2, 2, parent_ino(f), S_IFDIR >> 12))
			return 0;
		ctx->pos = 2;
	}
	mutex_lock(&dir->lock);
	for (e = entry_at(dir, ctx->pos); e;) {
		struct rb_node *next = rb_next(&e->by_pos);

		if (!ctx->emit(ctx, e->name, e->len, e->pos + 1, e->inode->ino, e->inode->mode >> 12 & 15))
			break;
		ctx->pos = e->pos + 1;
		e = next ? rb_entry(next, struct tmpfs_entry, by_pos) : NULL;
	}
	mutex_unlock(&dir->lock);
	return 0;
}

void tmpfs_dir_doom(struct inode *dir)
{
	struct tmpfs_super *ts = tmpfs_super(dir->super);
	struct rb_node *n;
	bool drain;

	/* A loop, not recursion: trees may be deeper than a kernel stack. Whoever comes first drains for all.
	 */
	spin_lock(&ts->doomed_lock);
	while ((n = rb_first(&tmpfs_inode(dir)->names))) {
		struct tmpfs_entry *e = rb_entry(n, struct tmpfs_entry, by_name);

		rb_erase(&tmpfs_inode(dir)->names, n, NULL);
		list_add_tail(&e->doomed, &ts->doomed);
	}
	drain = !ts->draining;
	ts->draining = true;
	while (drain && !list_empty(&ts->doomed)) {
		struct tmpfs_entry *e = list_first_entry(&ts->doomed, struct tmpfs_entry, doomed);

		list_del(&e->doomed);
		spin_unlock(&ts->doomed_lock);
		inode_put(e->inode);
		kfree(e);
		spin_lock(&ts->doomed_lock);
	}
	if (drain)
		ts->draining = false;
	spin_unlock(&ts->doomed_lock);
}

static ssize_t tmpfs_readlink(struct inode *i, char *buf, size_t size)
{
	return str_copy(buf, tmpfs_inode(i)->target, size) < 0 ? -ENAMETOOLONG : (ssize_t)i->size;
}

const struct inode_ops tmpfs_dir_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.mkdir = tmpfs_mkdir,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
};

const struct inode_ops tmpfs_link_ops = {
	.readlink = tmpfs_readlink,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
};

const struct inode_ops tmpfs_special_ops = {
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
};

const struct file_ops tmpfs_dir_fops = {
	.iterate = tmpfs_iterate,
	.seek = generic_dir_seek,
};
