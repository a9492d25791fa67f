/* SPDX-License-Identifier: BSD-2-Clause */
/* rename(2) and renameat2(2).
 *
 * Locks, in this order: the super's rename_lock when two directories take part (the tree's shape is then
 * still), both directories (an ancestor first, else by address), then the inodes that move or go, by address,
 * directories first. */
#include "base/string.h"
#include "internal.h"
#include <linux/fs.h>
#include <linux/inotify.h>

/* Is A an ancestor of D, or D itself? The rename lock of the super is held. */
static bool is_ancestor(const struct dentry *a, const struct dentry *d)
{
	for (; d != a; d = d->parent)
		if (d->parent == d)
			return false;
	return true;
}

static void lock_two(struct inode *a, struct inode *b)
{
	mutex_lock(&a->lock);
	if (b != a)
		mutex_lock(&b->lock);
}

static void unlock_two(struct inode *a, struct inode *b)
{
	mutex_unlock(&a->lock);
	if (b != a)
		mutex_unlock(&b->lock);
}

static void lock_dirs(struct dentry *from, struct dentry *to)
{
	struct inode *f = from->inode, *t = to->inode;

	if (f == t) {
		mutex_lock(&f->lock);
		return;
	}
	mutex_lock(&f->super->rename_lock);
	if (is_ancestor(from, to) || (!is_ancestor(to, from) && f < t))
		lock_two(f, t);
	else
		lock_two(t, f);
}

static void unlock_dirs(struct dentry *from, struct dentry *to)
{
	unlock_two(from->inode, to->inode);
	if (from->inode != to->inode)
		mutex_unlock(&from->inode->super->rename_lock);
}

/* The inodes that move or go. T may be NULL. */
static void lock_children(struct inode *s, struct inode *t, bool lock)
{
	struct inode *first = s, *second = t && t != s ? t : NULL;

	if (second &&
	    (S_ISDIR(second->mode) != S_ISDIR(first->mode) ? S_ISDIR(second->mode) : second < first)) {
		first = t;
		second = s;
	}
	if (lock) {
		mutex_lock(&first->lock);
		if (second)
			mutex_lock(&second->lock);
	} else {
		if (second)
			mutex_unlock(&second->lock);
		mutex_unlock(&first->lock);
	}
}

static int check(struct walk *from, struct walk *to, struct dentry *s, struct dentry *t, u32 flags)
{
	struct inode *sd = from->path.dentry->inode, *td = to->path.dentry->inode;
	bool exchange = flags & RENAME_EXCHANGE;
	int err;

	if (!s->inode)
		return -ENOENT;
	if (flags & RENAME_NOREPLACE && t->inode)
		return -EEXIST;
	if (exchange && !t->inode)
		return -ENOENT;
	if (!dentry_is_dir(s) && (from->trailing || (!exchange && to->trailing)))
		return -ENOTDIR;
	if (exchange && to->trailing && !dentry_is_dir(t))
		return -ENOTDIR;
	if (sd != td && dentry_is_dir(s) && is_ancestor(s, to->path.dentry))
		return -EINVAL;
	if (sd != td && t->inode && is_ancestor(t, from->path.dentry))
		return exchange ? -EINVAL : -ENOTEMPTY;
	if (s->inode == t->inode)
		return 0;
	err = may_delete(sd, s, dentry_is_dir(s));
	if (!err)
		err = !t->inode ? may_create(td)
				: may_delete(td, t, exchange ? dentry_is_dir(t) : dentry_is_dir(s));
	/* A directory that gets another parent has its ".." rewritten. */
	if (!err && sd != td) {
		if (dentry_is_dir(s))
			err = inode_permission(s->inode, MAY_WRITE);
		if (!err && exchange && dentry_is_dir(t))
			err = inode_permission(t->inode, MAY_WRITE);
	}
	if (!err && (!sd->ops || !sd->ops->rename))
		err = -EPERM;
	return err;
}

static void tell(struct inode *sd, struct inode *td, struct inode *moved, struct inode *other,
		 const char *oldname, const char *newname, u32 flags)
{
	static _Atomic u32 next_cookie = 1;
	u32 cookie = atomic_fetch_add_explicit(&next_cookie, 1, memory_order_relaxed);

	notify_name(sd, IN_MOVED_FROM, cookie, oldname, S_ISDIR(moved->mode));
	notify_name(td, IN_MOVED_TO, cookie, newname, S_ISDIR(moved->mode));
	/* What was replaced has a link less; that it is gone is told with its last reference. */
	if (other && !(flags & RENAME_EXCHANGE) && !list_empty(&other->watches))
		inotify_event(other, IN_ATTRIB | (S_ISDIR(other->mode) ? IN_ISDIR : 0), 0, NULL);
	if (!list_empty(&moved->watches))
		inotify_event(moved, IN_MOVE_SELF, 0, NULL);
	if (other && flags & RENAME_EXCHANGE) {
		cookie = atomic_fetch_add_explicit(&next_cookie, 1, memory_order_relaxed);
		notify_name(td, IN_MOVED_FROM, cookie, newname, S_ISDIR(other->mode));
		notify_name(sd, IN_MOVED_TO, cookie, oldname, S_ISDIR(other->mode));
		if (!list_empty(&other->watches))
			inotify_event(other, IN_MOVE_SELF, 0, NULL);
	}
}

/* Both directories are locked, S and T looked up. */
static int rename_locked(struct walk *from, struct walk *to, struct dentry *s, struct dentry *t, u32 flags)
{
	struct inode *sd = from->path.dentry->inode, *td = to->path.dentry->inode;
	bool hashed = t->flags & DENTRY_HASHED;
	int err = check(from, to, s, t, flags);

	if (err || s->inode == t->inode)
		return err;
	lock_children(s->inode, t->inode, true);
	err = sd->ops->rename(sd, s, td, t, flags);
	if (!err && t->inode && !(flags & RENAME_EXCHANGE) && dentry_is_dir(t))
		t->inode->flags |= INODE_DEAD;
	lock_children(s->inode, t->inode, false);
	if (err)
		return err;
	if (dcache_move(s, t, flags & RENAME_EXCHANGE)) {
		/* The names on the file system are right; forget ours, so that the next look-up asks again.
		 */
		dcache_unlink(s);
		if (hashed)
			dcache_unlink(t);
	}
	return 0;
}

static int rename_walked(struct walk *from, struct walk *to, u32 flags)
{
	struct dentry *sdir = from->path.dentry, *tdir = to->path.dentry, *s, *t;
	struct inode *moved = NULL, *other = NULL;
	char *names;
	int err;

	if (from->path.mnt != to->path.mnt)
		return -EXDEV;
	if (from->last_type != LAST_NORMAL)
		return -EBUSY;
	if (to->last_type != LAST_NORMAL)
		return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	err = path_want_write(&from->path);
	if (err)
		return err;
	names = kmalloc(2 * (NAME_LEN_MAX + 1));
	if (!names)
		return -ENOMEM;
	lock_dirs(sdir, tdir);
	s = lookup_child(sdir, from->last, from->last_len, true);
	err = IS_ERR(s) ? (int)PTR_ERR(s) : 0;
	if (err)
		goto out_unlock;
	t = lookup_child(tdir, to->last, to->last_len, true);
	err = IS_ERR(t) ? (int)PTR_ERR(t) : 0;
	if (err)
		goto out_s;
	str_copy(names, s->name, NAME_LEN_MAX + 1);
	str_copy(names + NAME_LEN_MAX + 1, t->name, NAME_LEN_MAX + 1);
	moved = s->inode;
	other = t->inode;
	err = rename_locked(from, to, s, t, flags);
	unlock_dirs(sdir, tdir);
	if (!err && moved != other)
		tell(sdir->inode, tdir->inode, moved, other, names, names + NAME_LEN_MAX + 1, flags);
	dentry_put(t);
	dentry_put(s);
	kfree(names);
	return err;
out_s:
	dentry_put(s);
out_unlock:
	unlock_dirs(sdir, tdir);
	kfree(names);
	return err;
}

int namei_rename(int olddir, const char *old, int newdir, const char *new, u32 flags)
{
	struct walk *w;
	int err;

	if (flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (flags & RENAME_EXCHANGE && flags & (RENAME_NOREPLACE | RENAME_WHITEOUT))
		return -EINVAL;
	if (flags & RENAME_WHITEOUT)
		return -EINVAL; /* as a file system without whiteouts answers */
	w = kmalloc(2 * sizeof *w);
	if (!w)
		return -ENOMEM;
	err = walk_start(&w[0], olddir, old, WALK_PARENT);
	if (err)
		goto out_free;
	err = walk_start(&w[1], newdir, new, WALK_PARENT);
	if (err)
		goto out_old;
	err = rename_walked(&w[0], &w[1], flags);
	walk_end(&w[1]);
out_old:
	walk_end(&w[0]);
out_free:
	kfree(w);
	return err;
}
