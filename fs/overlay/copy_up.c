/* SPDX-License-Identifier: BSD-2-Clause */
/* Copying up: an object of the lower tree gets an upper inode with the same number, attributes, extended
 * attributes and contents, and only then its name. Directories come without their entries: those show
 * through. copy_lock of the object is held around its copy; the upper directory's lock only while the name is
 * made. */
#include "overlay.h"
#include "../vfs/pagecache_internal.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/sched.h"

static DEFINE_COUNTER(overlay_copies, "files and directories copied up");
static DEFINE_COUNTER(overlay_copy_failures, "copies up that failed");

static int copy_page(struct inode *low, struct inode *up, u64 index)
{
	struct page *from = pagecache_get(low->cache, index), *to;
	int err;

	if (IS_ERR(from))
		return (int)PTR_ERR(from);
	to = page_alloc(0, PAGE_MOVABLE);
	if (!to) {
		page_put(from);
		return -ENOMEM;
	}
	memcpy(page_to_virt(to), page_to_virt(from), PAGE_SIZE);
	err = pagecache_add_memory(up->cache, to, index);
	page_put(to);
	page_put(from);
	return err;
}

static int copy_data(struct inode *low, struct inode *up)
{
	u64 pages = DIV_ROUND_UP(low->size, PAGE_SIZE);
	int err = 0;

	for (u64 n = 0; !err && n < pages; n++) {
		if (n % 64 == 0)
			pagecache_readahead(low->cache, n, 64);
		err = fatal_signal_pending(current) ? -EINTR : copy_page(low, up, n);
		cond_resched();
	}
	if (!err)
		up->size = low->size;
	return err;
}

static int copy_xattr(struct inode *low, struct inode *up, const char *name)
{
	ssize_t n = low->ops->getxattr(low, name, NULL, 0);
	char *value;
	int err;

	if (n < 0)
		return (int)n;
	value = kmalloc((size_t)n + 1);
	if (!value)
		return -ENOMEM;
	n = low->ops->getxattr(low, name, value, (size_t)n + 1);
	err = n < 0 ? (int)n : up->ops->setxattr(up, name, value, (size_t)n, 0);
	kfree(value);
	return err;
}

static int copy_xattrs(struct inode *low, struct inode *up)
{
	ssize_t n = low->ops->listxattr && up->ops->setxattr ? low->ops->listxattr(low, NULL, 0) : 0, got;
	char *names;
	int err = 0;

	if (n <= 0)
		return (int)n;
	names = kmalloc((size_t)n);
	if (!names)
		return -ENOMEM;
	got = low->ops->listxattr(low, names, (size_t)n);
	for (ssize_t at = 0; !err && at < got; at += (ssize_t)strlen(names + at) + 1)
		err = copy_xattr(low, up, names + at);
	kfree(names);
	return err;
}

static void copy_attributes(struct inode *low, struct inode *up)
{
	up->ino = low->ino;
	up->mode = low->mode;
	up->uid = low->uid;
	up->gid = low->gid;
	up->atime = low->atime;
	up->mtime = low->mtime;
	up->ctime = low->ctime;
	up->btime = low->btime;
}

static char *link_text(struct inode *low)
{
	char *text = kmalloc(PATH_SIZE);
	ssize_t n = text ? low->ops->readlink(low, text, PATH_SIZE) : -ENOMEM;

	if (n >= 0)
		return text;
	kfree(text);
	return ERR_PTR(n);
}

/* An upper inode like LOW, without a name yet. ERR_PTR. */
static struct inode *make_copy(struct super *upper, struct inode *low, bool data)
{
	struct inode *up = tmpfs_inode_new(upper, NULL, low->mode, low->rdev);
	int err = 0;

	if (IS_ERR(up))
		return up;
	if (S_ISLNK(low->mode)) {
		char *text = link_text(low);

		err = IS_ERR(text) ? (int)PTR_ERR(text) : 0;
		if (!err) {
			tmpfs_inode(up)->target = text;
			up->size = strlen(text);
		}
	}
	if (!err && S_ISREG(low->mode) && data)
		err = copy_data(low, up);
	if (!err)
		err = copy_xattrs(low, up);
	if (err) {
		inode_put(up);
		return ERR_PTR(err);
	}
	copy_attributes(low, up);
	inode_share_acls(up, low);
	return up;
}

/* index_lock is held. */
static struct ovl_index *index_search(struct ovl_super *os, u64 ino)
{
	struct ovl_index *x;

	list_for_each_entry (x, &os->index, node)
		if (x->ino == ino)
			return x;
	return NULL;
}

struct inode *ovl_index_find(struct super *s, u64 lower_ino)
{
	struct ovl_super *os = s->priv;
	struct ovl_index *x;
	struct inode *found;

	spin_lock(&os->index_lock);
	x = index_search(os, lower_ino);
	found = x ? x->upper : NULL;
	if (found)
		inode_get(found);
	spin_unlock(&os->index_lock);
	return found;
}

u32 ovl_index_nlink(struct super *s, struct inode *lower)
{
	struct ovl_super *os = s->priv;
	u32 nlink = lower->nlink;
	struct ovl_index *x;

	if (nlink <= 1)
		return nlink;
	spin_lock(&os->index_lock);
	x = index_search(os, lower->ino);
	if (x)
		nlink = x->nlink;
	spin_unlock(&os->index_lock);
	return nlink;
}

void ovl_index_free(struct ovl_super *os)
{
	while (!list_empty(&os->index)) {
		struct ovl_index *x = list_first_entry(&os->index, struct ovl_index, node);

		list_del(&x->node);
		if (x->upper)
			inode_put(x->upper);
		kfree(x);
	}
}

/* Enter or change the record of LOW: its copy UP (NULL: leave as it is) and its count of links. */
static int index_set(struct ovl_super *os, struct inode *low, struct inode *up, u32 nlink)
{
	struct ovl_index *fresh = kmalloc(sizeof *fresh), *x;

	if (!fresh)
		return -ENOMEM;
	*fresh = (struct ovl_index){.ino = low->ino};
	spin_lock(&os->index_lock);
	x = index_search(os, low->ino);
	if (!x) {
		x = fresh;
		fresh = NULL;
		list_add(&x->node, &os->index);
	}
	x->nlink = nlink;
	if (up && !x->upper) {
		inode_get(up);
		x->upper = up;
	}
	spin_unlock(&os->index_lock);
	kfree(fresh);
	return 0;
}

void ovl_links_changed(struct inode *i)
{
	struct inode *up = ovl_upper(i), *low = ovl_lower(i);

	if (S_ISDIR(i->mode))
		return;
	if (up)
		up->nlink = i->nlink;
	else if (low->nlink > 1 && index_set(i->super->priv, low, NULL, i->nlink))
		counter_inc(&overlay_copy_failures);
}

/* Give UP the name of OI in its parent's upper directory. */
static int name_copy(struct ovl_inode *oi, struct inode *up)
{
	struct inode *dir = ovl_upper(oi->parent);
	struct dentry *d = dentry_alloc(NULL, oi->name, oi->len);
	u64 mtime, ctime;
	int err;

	if (!d)
		return -ENOMEM;
	mutex_lock(&dir->lock);
	mtime = dir->mtime;
	ctime = dir->ctime;
	inode_get(up);
	err = tmpfs_add_name(dir, d, up);
	if (err)
		inode_put(up);
	else if (S_ISDIR(up->mode))
		dir->nlink++;
	dir->mtime = mtime; /* nothing changed that anybody could see */
	dir->ctime = ctime;
	mutex_unlock(&dir->lock);
	dentry_put(d);
	return err;
}

/* I has no upper inode, its parent has. */
static int copy_one(struct inode *i, bool data)
{
	struct ovl_inode *oi = ovl_inode(i);
	struct ovl_super *os = i->super->priv;
	struct inode *up;
	int err = 0;

	mutex_lock(&oi->copy_lock);
	if (oi->upper)
		goto out;
	up = make_copy(os->upper_super, oi->lower, data);
	err = IS_ERR(up) ? (int)PTR_ERR(up) : 0;
	if (err)
		goto out;
	if (!oi->unlinked)
		err = name_copy(oi, up);
	if (!S_ISDIR(i->mode))
		up->nlink = i->nlink;
	if (err) {
		inode_put(up);
		goto out;
	}
	/* Without the index other names show the old contents: so do they on Linux. */
	if (!S_ISDIR(i->mode) && oi->lower->nlink > 1 && index_set(os, oi->lower, up, i->nlink))
		counter_inc(&overlay_copy_failures);
	rcu_assign_pointer(oi->upper, up);
	counter_inc(&overlay_copies);
out:
	mutex_unlock(&oi->copy_lock);
	if (err)
		counter_inc(&overlay_copy_failures);
	return err;
}

int ovl_copy_up(struct inode *i, bool data)
{
	int err = 0;

	/* From the top down, by a loop: trees may be deeper than a kernel stack. */
	while (!err && !ovl_upper(i)) {
		struct inode *top = i, *parent;

		while ((parent = ovl_inode(top)->parent) && !ovl_upper(parent))
			top = parent;
		err = copy_one(top, data);
	}
	return err;
}
