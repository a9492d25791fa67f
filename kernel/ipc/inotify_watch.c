// SPDX-License-Identifier: BSD-2-Clause
/* inotify: watches on inodes, and the events that the VFS reports for them.
 *
 * inode->watches is guarded by one of a few spin locks, chosen by the inode's address; an inode without
 * watches costs one comparison. An event first collects the watches that want it, with references, and queues
 * outside the lock. The VFS may pass IN_EXCL_UNLINK in an event's mask: the named child was already unlinked
 * from this directory. */
#include "inotify.h"
#include "kernel/process.h"

#define NLOCKS	   16
#define MAX_INLINE 8
#define REPORTED   (IN_ALL_EVENTS | IN_UNMOUNT)

static struct spinlock locks[NLOCKS];
static _Atomic u32 watches;
static struct spinlock all_lock; /* guards all_watches; taken alone */
static LIST_HEAD(all_watches);

static struct spinlock *inode_lock_of(const struct inode *i)
{
	return &locks[(uintptr_t)i / sizeof *i % NLOCKS];
}

void inotify_watch_put(struct inotify_watch *w)
{
	if (!refcount_put(&w->ref))
		return;
	inotify_group_put(w->group);
	kfree(w);
}

void inotify_watch_remove(struct inotify_watch *w)
{
	struct inotify_group *g = w->group;
	struct inode *inode = w->inode;
	bool attached;

	mutex_lock(&g->mutex);
	attached = w->attached;
	if (attached) {
		w->attached = false;
		rb_erase(&g->watches, &w->node, NULL);
	}
	mutex_unlock(&g->mutex);
	if (!attached)
		return;
	spin_lock(inode_lock_of(inode));
	list_del_init(&w->inode_node);
	spin_unlock(inode_lock_of(inode));
	spin_lock(&all_lock);
	list_del_init(&w->all_node);
	spin_unlock(&all_lock);
	inotify_queue(g, w->wd, IN_IGNORED, 0, NULL);
	atomic_fetch_sub_explicit(&watches, 1, memory_order_relaxed);
	inode_put(inode);
	inotify_watch_put(w);
}

/* With g->mutex held. */
static struct inotify_watch *watch_by_wd(struct inotify_group *g, int wd)
{
	struct rb_node *n = g->watches.node;

	while (n) {
		struct inotify_watch *w = rb_entry(n, struct inotify_watch, node);

		if (w->wd == wd)
			return w;
		n = wd < w->wd ? n->left : n->right;
	}
	return NULL;
}

static struct inotify_watch *watch_of_inode(struct inotify_group *g, struct inode *inode)
{
	struct inotify_watch *w, *found = NULL;

	spin_lock(inode_lock_of(inode));
	list_for_each_entry (w, &inode->watches, inode_node)
		if (w->group == g)
			found = w;
	spin_unlock(inode_lock_of(inode));
	return found && found->attached ? found : NULL;
}

static void watch_insert(struct inotify_group *g, struct inotify_watch *w)
{
	struct rb_node **link = &g->watches.node, *parent = NULL;

	/* Numbers are not used again until they wrap, so that a late event names no other watch. */
	do
		g->last_wd = g->last_wd == 0x7fffffff ? 1 : g->last_wd + 1;
	while (watch_by_wd(g, g->last_wd));
	w->wd = g->last_wd;
	while (*link) {
		parent = *link;
		link = w->wd < rb_entry(parent, struct inotify_watch, node)->wd ? &parent->left
										: &parent->right;
	}
	rb_insert(&g->watches, &w->node, parent, link, NULL);
	w->attached = true;
	inode_get(w->inode);
	spin_lock(inode_lock_of(w->inode));
	list_add_tail(&w->inode_node, &w->inode->watches);
	spin_unlock(inode_lock_of(w->inode));
	spin_lock(&all_lock);
	list_add(&w->all_node, &all_watches);
	spin_unlock(&all_lock);
}

/* With g->mutex held. A watch descriptor, or -errno. */
static int watch_add(struct inotify_group *g, struct inode *inode, u32 mask)
{
	struct inotify_watch *w;

	if (atomic_load_explicit(&watches, memory_order_relaxed) >= inotify_max_watches)
		return -ENOSPC;
	w = kzalloc(sizeof *w);
	if (!w)
		return -ENOMEM;
	refcount_set(&w->ref, 1);
	refcount_get(&g->ref);
	w->group = g;
	w->inode = inode;
	w->mask = mask;
	watch_insert(g, w);
	atomic_fetch_add_explicit(&watches, 1, memory_order_relaxed);
	return w->wd;
}

int inotify_watch_inode(struct inotify_group *g, struct inode *inode, u32 mask)
{
	u32 keep = (mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK)) | IN_UNMOUNT;
	struct inotify_watch *w;
	int ret;

	mutex_lock(&g->mutex);
	w = watch_of_inode(g, inode);
	if (!w) {
		ret = watch_add(g, inode, keep);
	} else if (mask & IN_MASK_CREATE) {
		ret = -EEXIST;
	} else {
		w->mask = mask & IN_MASK_ADD ? w->mask | keep : keep;
		ret = w->wd;
	}
	mutex_unlock(&g->mutex);
	return ret;
}

int inotify_watch_path(struct inotify_group *g, const char *path, u32 mask)
{
	struct path p;
	int ret = vfs_lookup_at(AT_FDCWD, path, mask & IN_DONT_FOLLOW ? AT_SYMLINK_NOFOLLOW : 0, &p);

	if (ret)
		return ret;
	if ((mask & IN_ONLYDIR) && (p.dentry->inode->mode & S_IFMT) != S_IFDIR)
		ret = -ENOTDIR;
	else
		ret = inode_permission(p.dentry->inode, MAY_READ);
	if (!ret)
		ret = inotify_watch_inode(g, p.dentry->inode, mask);
	path_put(&p);
	return ret;
}

int inotify_watch_drop(struct inotify_group *g, int wd)
{
	struct inotify_watch *w;

	mutex_lock(&g->mutex);
	w = watch_by_wd(g, wd);
	if (w)
		refcount_get(&w->ref);
	mutex_unlock(&g->mutex);
	if (!w)
		return -EINVAL;
	inotify_watch_remove(w);
	inotify_watch_put(w);
	return 0;
}

void inotify_watch_drop_all(struct inotify_group *g)
{
	for (;;) {
		struct inotify_watch *w = NULL;
		struct rb_node *r;

		mutex_lock(&g->mutex);
		r = rb_first(&g->watches);
		if (r) {
			w = rb_entry(r, struct inotify_watch, node);
			refcount_get(&w->ref);
		}
		mutex_unlock(&g->mutex);
		if (!w)
			break;
		inotify_watch_remove(w);
		inotify_watch_put(w);
	}
}

static bool watch_wants(const struct inotify_watch *w, u32 mask)
{
	u32 want = w->mask;

	if (mask & (IN_DELETE_SELF | IN_UNMOUNT))
		return true; /* the end of the watch, reported or not */
	if ((mask & IN_EXCL_UNLINK) && (want & IN_EXCL_UNLINK))
		return false;
	return want & mask & REPORTED;
}

/* References to the watches of INODE that want MASK, in VEC; the number there are, which may exceed ROOM. */
static size_t watches_collect(struct inode *inode, u32 mask, struct inotify_watch **vec, size_t room)
{
	struct inotify_watch *w;
	size_t n = 0;

	spin_lock(inode_lock_of(inode));
	list_for_each_entry (w, &inode->watches, inode_node) {
		if (!watch_wants(w, mask))
			continue;
		if (n < room) {
			refcount_get(&w->ref);
			vec[n] = w;
		}
		n++;
	}
	spin_unlock(inode_lock_of(inode));
	return n;
}

static void watch_deliver(struct inotify_watch *w, u32 mask, u32 cookie, const char *name)
{
	u32 want = w->mask;

	if (want & mask & REPORTED)
		inotify_queue(w->group, w->wd, mask & ((want & REPORTED) | IN_ISDIR), cookie, name);
	if ((want & IN_ONESHOT && want & mask & REPORTED) || mask & (IN_DELETE_SELF | IN_UNMOUNT))
		inotify_watch_remove(w);
}

void inotify_event(struct inode *inode, u32 mask, u32 cookie, const char *name)
{
	struct inotify_watch *inline_vec[MAX_INLINE], **vec = inline_vec;
	size_t room = MAX_INLINE, n;

	if (!inode || list_empty(&inode->watches))
		return;
	n = watches_collect(inode, mask, vec, room);
	if (n > room) {
		/* Many watchers: again with a larger array; without memory the first ones are served. */
		struct inotify_watch **large = kmalloc(n * sizeof *large);

		if (large) {
			for (size_t i = 0; i < room; i++)
				inotify_watch_put(vec[i]);
			vec = large;
			room = n;
			n = watches_collect(inode, mask, vec, room);
		}
	}
	n = min(n, room);
	for (size_t i = 0; i < n; i++) {
		watch_deliver(vec[i], mask, cookie, name);
		inotify_watch_put(vec[i]);
	}
	if (vec != inline_vec)
		kfree(vec);
}

/* A watch of an inode of S, with a reference, and its last event; NULL: there is none left. */
static struct inotify_watch *watch_of_super(struct super *s, u32 *mask)
{
	struct inotify_watch *w, *found = NULL;

	spin_lock(&all_lock);
	list_for_each_entry (w, &all_watches, all_node)
		if (w->inode->super == s) {
			refcount_get(&w->ref);
			*mask = IN_UNMOUNT | (S_ISDIR(w->inode->mode) ? IN_ISDIR : 0);
			found = w;
			break;
		}
	spin_unlock(&all_lock);
	return found;
}

void inotify_super_gone(struct super *s)
{
	struct inotify_watch *w;
	u32 mask;

	while ((w = watch_of_super(s, &mask))) {
		watch_deliver(w, mask, 0, NULL);
		inotify_watch_put(w);
	}
}
