/* SPDX-License-Identifier: BSD-2-Clause */
/* 9p inodes: one for each qid path (directories: one for each place), the fid that stands for its name, and
 * its attributes.
 *
 * A path fid is a name to servers such as QEMU's, so every look-up that leads to an inode gives it the fid it
 * came with. A file whose last name went is reached through an open fid, if the server can do that, and only
 * after the server has shown that it means the same file. Attributes that a path walk has just fetched are
 * good for the call that walked. */
#include "p9.h"
#include "../vfs/internal.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/process.h"

#define FRESH_NS NSEC_PER_MSEC

static DEFINE_COUNTER(p9_data_lost, "9p files let go with data that could not be written");

static void set_ops(struct inode *i)
{
	switch (i->mode & S_IFMT) {
	case S_IFDIR:
		i->ops = &p9_dir_ops;
		i->fops = &p9_dir_fops;
		break;
	case S_IFREG:
		i->ops = &p9_file_ops;
		i->fops = &p9_file_fops;
		break;
	case S_IFLNK:
		i->ops = &p9_link_ops;
		break;
	default:
		i->ops = &p9_special_ops;
	}
}

/* Take over what the server says. SEQ: size_seq when it was asked. */
static void apply(struct inode *i, const struct p9_attr *a, u32 seq)
{
	struct p9_inode *pi = p9_inode(i);
	u64 flags = spin_lock_irqsave(&pi->lock), before = i->size;

	i->mode = (i->mode & S_IFMT) | (a->mode & 07777);
	i->uid = a->uid;
	i->gid = a->gid;
	i->nlink = (u32)min(a->nlink, 0xffffffffull);
	i->rdev = a->rdev & 0xffffffff; /* written as here */
	i->blocks = a->blocks;
	i->atime = (u64)a->atime;
	i->mtime = (u64)a->mtime;
	i->ctime = (u64)a->ctime;
	i->btime = a->valid & P9_GETATTR_BTIME ? (u64)a->btime : 0;
	if (pi->size_seq == seq && !pi->resizing)
		WRITE_ONCE(i->size, a->size);
	else
		before = 0;
	pi->qid = a->qid;
	pi->fresh_by = current;
	pi->fresh_at = clock_monotonic();
	spin_unlock_irqrestore(&pi->lock, flags);
	if (i->cache && a->size < before)
		pagecache_invalidate(i->cache, DIV_ROUND_UP(a->size, PAGE_SIZE), ~0ull >> PAGE_SHIFT);
}

static struct inode *make(struct super *s, struct p9_fid *fid, const struct p9_attr *a)
{
	struct inode *i = inode_alloc(s);
	struct p9_inode *pi = i ? kzalloc(sizeof *pi) : NULL;

	if (!pi) {
		if (i)
			inode_put(i);
		return NULL;
	}
	pi->inode = i;
	spin_init(&pi->lock);
	mutex_init(&pi->writeback_lock);
	list_init(&pi->handles);
	list_init(&pi->mapped_node);
	i->priv = pi;
	i->ino = a->qid.path;
	i->mode = a->mode;
	if (S_ISREG(i->mode)) {
		(void)pagecache_init(&pi->cache, i, &p9_cache_ops);
		i->cache = &pi->cache;
	}
	set_ops(i);
	p9_fid_get(fid);
	pi->fid = fid;
	apply(i, a, 0);
	return i;
}

/* Does what the server describes deserve the inode that has its number? */
static bool same_file(struct inode *i, const struct p9_attr *a)
{
	return !p9_inode(i)->gone && (i->mode & S_IFMT) == (a->mode & S_IFMT);
}

struct inode *p9_iget(struct super *s, struct p9_fid *fid)
{
	struct p9_attr a;
	struct inode *i;
	int err = p9_getattr(fid, &a);

	if (err) {
		p9_fid_put(fid);
		return ERR_PTR(err);
	}
	/* A directory's inode belongs to one place in the tree, whatever number the server gives: were two
	 * places to share one, a server could have us take the locks of a directory and its parent in a
	 * circle. */
	i = S_ISDIR(a.mode) ? NULL : inode_cache_find(s, a.qid.path);
	if (i && !same_file(i, &a)) {
		inode_cache_remove(i);
		inode_put(i);
		i = NULL;
	}
	if (!i) {
		i = make(s, fid, &a);
		if (!i)
			i = ERR_PTR(-ENOMEM);
		else if (!S_ISDIR(i->mode))
			i = inode_cache_add(i);
	} else {
		apply(i, &a, p9_inode(i)->size_seq);
	}
	if (IS_ERR(i))
		p9_fid_put(fid);
	else
		p9_set_path_fid(i, fid);
	return i;
}

void p9_evict(struct inode *i)
{
	struct p9_super *ps = p9_super(i->super);
	struct p9_inode *pi = p9_inode(i);
	u64 flags;

	if (!pi)
		return;
	flags = spin_lock_irqsave(&ps->lock);
	list_del_init(&pi->mapped_node);
	spin_unlock_irqrestore(&ps->lock, flags);
	if (i->cache) {
		if (pi->writeback_error)
			counter_inc(&p9_data_lost);
		pagecache_destroy(i->cache);
	}
	p9_fid_put(pi->made);
	p9_fid_put(pi->fid);
	rcu_kfree(&pi->rcu);
}

struct p9_fid *p9_path_fid(struct inode *i)
{
	struct p9_inode *pi = p9_inode(i);
	u64 flags = spin_lock_irqsave(&pi->lock);
	struct p9_fid *f = pi->fid;

	p9_fid_get(f);
	spin_unlock_irqrestore(&pi->lock, flags);
	return f;
}

struct p9_fid *p9_open_fid(struct inode *i, bool readable, bool writable)
{
	struct p9_inode *pi = p9_inode(i);
	u64 flags = spin_lock_irqsave(&pi->lock);
	struct p9_fid *found = NULL;
	struct p9_handle *h;

	list_for_each_entry (h, &pi->handles, node)
		if ((!readable || h->readable) && (!writable || (h->writable && !h->fid->append))) {
			found = h->fid;
			p9_fid_get(found);
			break;
		}
	spin_unlock_irqrestore(&pi->lock, flags);
	return found;
}

void p9_set_path_fid(struct inode *i, struct p9_fid *fid)
{
	struct p9_inode *pi = p9_inode(i);
	u64 flags = spin_lock_irqsave(&pi->lock);
	struct p9_fid *old = pi->fid;

	pi->fid = fid;
	pi->stale = false;
	spin_unlock_irqrestore(&pi->lock, flags);
	p9_fid_put(old);
}

void p9_size_begin(struct inode *i)
{
	struct p9_inode *pi = p9_inode(i);
	u64 flags = spin_lock_irqsave(&pi->lock);

	pi->size_seq++;
	pi->resizing++;
	pi->fresh_by = NULL;
	spin_unlock_irqrestore(&pi->lock, flags);
}

void p9_size_end(struct inode *i)
{
	struct p9_inode *pi = p9_inode(i);
	u64 flags = spin_lock_irqsave(&pi->lock);

	pi->size_seq++;
	pi->resizing--;
	pi->fresh_by = NULL;
	spin_unlock_irqrestore(&pi->lock, flags);
}

int p9_refresh_from(struct inode *i, struct p9_fid *fid)
{
	struct p9_inode *pi = p9_inode(i);
	u32 seq = READ_ONCE(pi->size_seq);
	struct p9_attr a;
	int err = p9_getattr(fid, &a);

	if (err)
		return err;
	if (a.qid.path != i->ino || (a.mode & S_IFMT) != (i->mode & S_IFMT))
		return -ESTALE;
	apply(i, &a, seq);
	return 0;
}

/* A fid through which the server reaches I itself although its name is gone. NULL: it cannot. */
static struct p9_fid *nameless_fid(struct inode *i)
{
	struct p9_fid *f = p9_inode(i)->ours ? NULL : p9_open_fid(i, false, false);

	if (f && p9_refresh_from(i, f)) {
		p9_fid_put(f);
		f = NULL;
	}
	return f;
}

int p9_refresh(struct inode *i)
{
	struct p9_inode *pi = p9_inode(i);
	struct p9_fid *f;
	int err = -ENOENT;

	if (!pi->gone) {
		f = p9_path_fid(i);
		err = p9_refresh_from(i, f);
		p9_fid_put(f);
	}
	if (err != -ENOENT && err != -ESTALE)
		return err;
	f = nameless_fid(i);
	if (f)
		i->nlink = pi->gone ? 0 : i->nlink;
	/* The server no longer knows it by name: what we know of an open file is all there is. */
	else if (!pi->gone && list_empty(&pi->handles))
		return err;
	p9_fid_put(f);
	return 0;
}

int p9_refresh_once(struct inode *i)
{
	struct p9_inode *pi = p9_inode(i);
	u64 flags;
	bool fresh;

	flags = spin_lock_irqsave(&pi->lock);
	fresh = p9_loose(i) || (pi->fresh_by == current && clock_monotonic() - pi->fresh_at < FRESH_NS);
	pi->fresh_by = NULL;
	spin_unlock_irqrestore(&pi->lock, flags);
	return fresh ? 0 : p9_refresh(i);
}

int p9_getattr_op(struct inode *i, struct statx *out)
{
	u64 mount = out->stx_mnt_id;
	int err = p9_refresh_once(i);

	if (!err) {
		inode_getattr(i, out);
		out->stx_mnt_id = mount;
	}
	return err;
}

static int set_through(struct inode *i, struct p9_fid *f, const struct p9_setattr *sa)
{
	int err = p9_setattr(f, sa);

	p9_fid_put(f);
	return err;
}

/* Write zeros over [AT, END) of an open file. */
static int write_zeros(struct p9_fid *f, u64 at, u64 end)
{
	void *zeros = kzalloc(PAGE_SIZE);
	ssize_t n = zeros ? 0 : -ENOMEM;

	while (at < end && n >= 0) {
		n = p9_write(f, at, zeros, (u32)min(end - at, PAGE_SIZE));
		at += n > 0 ? (u64)n : 0;
		if (!n)
			n = -EIO;
	}
	kfree(zeros);
	return n < 0 ? (int)n : 0;
}

/* A file without a name. A server that changes attributes by name would change those of whatever has the name
 * now, so it is not asked. Nobody but us can see the file: its attributes are ours to keep. What is cut off
 * is overwritten, since it might come back; reads end at our size (io.c). */
static int set_nameless(struct inode *i, const struct p9_setattr *sa)
{
	struct p9_fid *f;
	int err;

	if (!(sa->valid & P9_SET_SIZE) || sa->size == i->size)
		return 0;
	f = p9_open_fid(i, false, true);
	if (!f)
		return -ENOENT;
	if (sa->size < i->size)
		err = write_zeros(f, sa->size, i->size);
	else
		err = write_zeros(f, sa->size - 1, sa->size);
	p9_fid_put(f);
	return err;
}

static int set_at_server(struct inode *i, const struct p9_setattr *sa)
{
	int err;

	if (!p9_inode(i)->gone)
		return set_through(i, p9_path_fid(i), sa);
	err = set_nameless(i, sa);
	p9_inode(i)->ours |= !err;
	return err;
}

static struct p9_setattr translate(const struct inode_attr *a)
{
	struct p9_setattr sa = {.mode = a->mode & 07777,
				.uid = a->uid,
				.gid = a->gid,
				.size = a->size,
				.atime = a->atime,
				.mtime = a->mtime};

	if (a->valid & ATTR_MODE)
		sa.valid |= P9_SET_MODE;
	if (a->valid & ATTR_UID)
		sa.valid |= P9_SET_UID;
	if (a->valid & ATTR_GID)
		sa.valid |= P9_SET_GID;
	if (a->valid & ATTR_SIZE) {
		sa.valid |= P9_SET_SIZE; /* the server's clock gives the times */
		return sa;
	}
	if (a->valid & ATTR_ATIME)
		sa.valid |= P9_SET_ATIME | (a->valid & ATTR_ATIME_NOW ? 0 : P9_SET_ATIME_VAL);
	if (a->valid & ATTR_MTIME)
		sa.valid |= P9_SET_MTIME | (a->valid & ATTR_MTIME_NOW ? 0 : P9_SET_MTIME_VAL);
	if (!sa.valid && a->valid & ATTR_CTIME)
		sa.valid = P9_SET_CTIME;
	return sa;
}

/* I->lock is held. */
int p9_setattr_op(struct inode *i, const struct inode_attr *a)
{
	struct p9_setattr sa = translate(a);
	struct inode_attr rest = *a;
	int err;

	if (a->valid & ATTR_SIZE && !i->cache)
		return -EINVAL;
	if (a->valid & ATTR_SIZE)
		p9_size_begin(i);
	err = sa.valid ? set_at_server(i, &sa) : 0;
	if (!err && a->valid & ATTR_SIZE) {
		u64 old = i->size;

		WRITE_ONCE(i->size, a->size);
		if (a->size <= old)
			pagecache_truncate(i->cache, a->size, ~0ull);
	}
	if (a->valid & ATTR_SIZE)
		p9_size_end(i);
	if (err)
		return err;
	rest.valid &= ~(u32)ATTR_SIZE;
	inode_apply_attr(i, &rest);
	p9_inode(i)->fresh_by = NULL;
	return 0;
}

const struct inode_ops p9_file_ops = {
	.open = p9_open_op,
	.getattr = p9_getattr_op,
	.setattr = p9_setattr_op,
	.getxattr = p9_getxattr,
	.setxattr = p9_setxattr,
	.listxattr = p9_listxattr,
	.removexattr = p9_removexattr,
};

const struct inode_ops p9_special_ops = {
	.getattr = p9_getattr_op,
	.setattr = p9_setattr_op,
	.getxattr = p9_getxattr,
	.setxattr = p9_setxattr,
	.listxattr = p9_listxattr,
	.removexattr = p9_removexattr,
};
