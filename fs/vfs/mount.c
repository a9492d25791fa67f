/* SPDX-License-Identifier: BSD-2-Clause */
/* The mount tree: what is mounted where.
 *
 * mount_lock guards the shape of the tree; path walks find mounts in a hash by (parent mount, mount point)
 * under RCU, and only for entries that carry DENTRY_MOUNTED. A mount is referenced by the tree, its children
 * and every path through it. Unmounting hides it from look-ups, waits for a grace period, and only then knows
 * whether anyone still uses it. */
#include "base/string.h"
#include "internal.h"
#include "kernel/counter.h"
#include "kernel/log.h"
#include <linux/mount.h>

#define MOUNT_BUCKETS 64
#define MNT_FORCE     1 /* umount2 flags: not in the UAPI headers */
#define MNT_DETACH    2
#define MNT_EXPIRE    4

static DEFINE_COUNTER(vfs_mount_failures, "mounts that failed");

DEFINE_MUTEX(mount_lock);
struct mount *root_mount;
DEFINE_WAITQ(mounts_waitq);
_Atomic u64 mounts_sequence;
static LIST_HEAD(mounts); /* guarded by mount_lock */
static struct mount *mount_hash[MOUNT_BUCKETS];

#define MOUNT_FLAGS                                                                                \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | \
	 MS_STRICTATIME | MS_NOSYMFOLLOW | MS_SYNCHRONOUS)

static struct mount **mount_bucket(struct mount *parent, struct dentry *d)
{
	u64 h = ((uintptr_t)parent >> 6) ^ ((uintptr_t)d >> 5);

	return &mount_hash[(h * 0x9e3779b97f4a7c15ull >> 58) % MOUNT_BUCKETS];
}

struct mount *mount_at(struct mount *parent, struct dentry *d)
{
	struct mount *m;

	for (m = rcu_dereference(*mount_bucket(parent, d)); m; m = rcu_dereference(m->hash_next))
		if (m->parent == parent && m->mountpoint == d)
			return m;
	return NULL;
}

void path_follow_mounts(struct path *p)
{
	while (unlikely(p->dentry->flags & DENTRY_MOUNTED)) {
		struct mount *m;

		rcu_read_lock();
		m = mount_at(p->mnt, p->dentry);
		if (m && !refcount_get_unless_zero(&m->ref))
			m = NULL;
		rcu_read_unlock();
		if (!m)
			return;
		path_put(p);
		p->mnt = m;
		p->dentry = m->root;
		dentry_get(p->dentry);
	}
}

static void mount_free_rcu(struct rcu_head *head)
{
	struct mount *m = container_of(head, struct mount, rcu);

	kfree(m->source);
	kfree(m);
}

void mount_put(struct mount *m)
{
	if (m && unlikely(READ_ONCE(m->expiring)))
		WRITE_ONCE(m->expiring, false);
	mount_put_quietly(m);
}

void mount_put_quietly(struct mount *m)
{
	struct mount *parent;

	while (m && refcount_put(&m->ref)) {
		parent = m->parent != m ? m->parent : NULL;
		if (m->mountpoint)
			dentry_put(m->mountpoint);
		dentry_put(m->root);
		super_put(m->super);
		rcu_call(&m->rcu, mount_free_rcu);
		m = parent;
	}
}

/* A mount of ROOT in S, in no tree yet. Takes its own references. */
static struct mount *mount_alloc(struct super *s, struct dentry *root, const char *source, u32 flags)
{
	static _Atomic u32 next_id = 1;
	struct mount *m = kzalloc(sizeof *m);

	if (!m)
		return NULL;
	m->source = kstrdup(source && *source ? source : "none");
	if (!m->source) {
		kfree(m);
		return NULL;
	}
	super_get(s);
	dentry_get(root);
	m->super = s;
	m->root = root;
	m->parent = m;
	m->flags = flags & MOUNT_FLAGS;
	m->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
	refcount_set(&m->ref, 1);
	list_init(&m->node);
	return m;
}

struct mount *mount_internal(struct super *s)
{
	return mount_alloc(s, s->root, "none", 0);
}

static void mounts_changed(void)
{
	atomic_fetch_add_explicit(&mounts_sequence, 1, memory_order_relaxed);
	waitq_wake_all(&mounts_waitq);
}

/* Hang M on AT; mount_lock is held. The reference M was made with becomes the tree's. */
static void mount_attach(struct mount *m, const struct path *at)
{
	struct mount **head = mount_bucket(at->mnt, at->dentry);

	mount_get(at->mnt);
	dentry_get(at->dentry);
	m->parent = at->mnt;
	m->mountpoint = at->dentry;
	m->attached = true;
	m->hash_next = *head;
	at->dentry->flags |= DENTRY_MOUNTED;
	rcu_assign_pointer(*head, m);
	list_add_tail(&m->node, &mounts);
}

/* mount_lock is held. */
static void mount_unhash(struct mount *m)
{
	struct mount **p = mount_bucket(m->parent, m->mountpoint);

	while (*p != m)
		p = &(*p)->hash_next;
	rcu_assign_pointer(*p, m->hash_next);
}

static void mount_rehash(struct mount *m)
{
	struct mount **head = mount_bucket(m->parent, m->mountpoint);

	m->hash_next = *head;
	rcu_assign_pointer(*head, m);
}

/* Is anything mounted on D, in whatever parent? mount_lock is held. */
static bool mounted_somewhere(const struct dentry *d)
{
	struct mount *m;

	list_for_each_entry (m, &mounts, node)
		if (m->mountpoint == d)
			return true;
	return false;
}

static bool mount_has_children(const struct mount *parent)
{
	struct mount *m;

	list_for_each_entry (m, &mounts, node)
		if (m != parent && m->parent == parent)
			return true;
	return false;
}

static bool same_kind(const struct dentry *a, const struct dentry *b)
{
	return dentry_is_dir(a) == dentry_is_dir(b);
}

/* Lock the tree and move AT to the top of what is mounted there. */
static int attach_locked(struct mount *m, const struct path *at)
{
	struct path top = *at;
	int err = 0;

	path_get(&top);
	mutex_lock(&mount_lock);
	path_follow_mounts(&top);
	if (top.dentry->flags & DENTRY_UNLINKED)
		err = -ENOENT;
	else if (!same_kind(m->root, top.dentry))
		err = -ENOTDIR;
	else
		mount_attach(m, &top);
	mutex_unlock(&mount_lock);
	path_put(&top);
	if (!err)
		mounts_changed();
	return err;
}

struct super *type_mount(const char *type, const char *source, u32 flags, const char *options)
{
	struct fs_type *t = fs_find(type, strlen(type));

	if (!t)
		return ERR_PTR(-ENODEV);
	return t->mount(t, source, flags, options);
}

int mount_new(const struct path *at, const char *source, const char *type, u32 flags, const char *options)
{
	struct super *s = type_mount(type, source, flags, options);
	struct mount *m;
	int err = -ENOMEM;

	if (IS_ERR(s)) {
		counter_inc(&vfs_mount_failures);
		return (int)PTR_ERR(s);
	}
	m = mount_alloc(s, s->root, source, flags);
	super_put(s);
	if (m)
		err = attach_locked(m, at);
	if (err) {
		counter_inc(&vfs_mount_failures);
		mount_put(m);
	}
	return err;
}

static int mount_root(const char *source, const char *type, u32 flags, const char *options)
{
	struct super *s = type_mount(type, source, flags, options);
	struct mount *m;

	if (IS_ERR(s))
		return (int)PTR_ERR(s);
	m = mount_alloc(s, s->root, source, flags);
	super_put(s);
	if (!m)
		return -ENOMEM;
	mutex_lock(&mount_lock);
	m->attached = true;
	list_add_tail(&m->node, &mounts);
	root_mount = m;
	mutex_unlock(&mount_lock);
	mounts_changed();
	return 0;
}

int mount_replace_root(struct super *s, const char *source)
{
	struct mount *m = mount_alloc(s, s->root, source, 0), *old;

	if (!m)
		return -ENOMEM;
	mutex_lock(&mount_lock);
	old = root_mount;
	m->attached = true;
	old->attached = false;
	list_del_init(&old->node);
	list_add(&m->node, &mounts);
	root_mount = m;
	mutex_unlock(&mount_lock);
	mount_put(old);
	mounts_changed();
	return 0;
}

int vfs_mount(const char *source, const char *path, const char *type, u32 flags, const char *options)
{
	struct path at;
	int err;

	if (!root_mount && !strcmp(path, "/"))
		return mount_root(source, type, flags, options);
	err = vfs_lookup(path, true, &at);
	if (err)
		return err;
	err = mount_new(&at, source, type, flags, options);
	path_put(&at);
	return err;
}

static bool is_below(const struct dentry *d, const struct dentry *root)
{
	for (; d != root; d = d->parent)
		if (d == d->parent)
			return false;
	return true;
}

/* Give TOP, a copy of FROM that begins at ROOT, copies of all that is mounted below, at the same places.
 * Parents come before their children, in as many rounds as that takes. mount_lock is held. */
static int copy_children(struct mount *from, struct mount *top, struct dentry *root)
{
	struct mount *m, *copy;
	bool again = true;
	int err = 0;

	from->copy = top;
	while (again && !err) {
		again = false;
		list_for_each_entry (m, &mounts, node) {
			struct path at = {m->parent->copy, m->mountpoint};

			if (m->copy || !at.mnt || m->parent == m || m == top ||
			    (m->parent == from && !is_below(m->mountpoint, root)))
				continue;
			copy = mount_alloc(m->super, m->root, m->source, m->flags);
			if (!copy) {
				err = -ENOMEM;
				break;
			}
			m->copy = copy;
			mount_attach(copy, &at);
			again = true;
		}
	}
	from->copy = NULL;
	list_for_each_entry (m, &mounts, node)
		m->copy = NULL;
	return err;
}

struct mount *mount_tree_copy(const struct path *from, bool recursive)
{
	struct mount *m = mount_alloc(from->mnt->super, from->dentry, from->mnt->source, from->mnt->flags);
	int err = 0;

	if (!m)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&mount_lock);
	m->attached = true; /* what hangs below it stays */
	if (recursive)
		err = copy_children(from->mnt, m, from->dentry);
	mutex_unlock(&mount_lock);
	if (!err)
		return m;
	mount_tree_drop(m);
	return ERR_PTR(err);
}

struct mount *mount_detached(struct super *s, const char *source, u32 flags)
{
	struct mount *m = mount_alloc(s, s->root, source, flags);

	if (m)
		m->attached = true;
	return m;
}

int mount_bind(const struct path *from, const struct path *to, bool recursive)
{
	struct mount *m = mount_tree_copy(from, recursive);
	int err;

	if (IS_ERR(m))
		return (int)PTR_ERR(m);
	err = attach_locked(m, to);
	if (err)
		mount_tree_drop(m);
	return err;
}

/* Are files open for writing through mount M, or, M being NULL, through any of S? What keeps others from
 * being opened is set already: pairs with count_open. mount_lock is held. */
static bool mounts_written(const struct mount *m, const struct super *s)
{
	struct mount *o;

	atomic_thread_fence(memory_order_seq_cst);
	list_for_each_entry (o, &mounts, node)
		if ((m ? o == m : o->super == s) && atomic_load(&o->writers))
			return true;
	return false;
}

/* mount_lock is held. */
static int reconfigure(struct super *s, u32 flags, const char *options)
{
	bool was = s->read_only;
	int err;

	if (!s->ops || !s->ops->remount)
		return was && !(flags & MS_RDONLY) ? -EROFS : 0;
	s->read_only |= flags & MS_RDONLY;
	err = !was && s->read_only && mounts_written(NULL, s) ? -EBUSY : s->ops->remount(s, flags, options);
	s->read_only = err ? was : flags & MS_RDONLY;
	return err;
}

/* mount_lock is held. -EBUSY: files are open for writing. */
static int change_flags(struct mount *m, u32 flags)
{
	u32 was = m->flags;

	m->flags = flags;
	if (!(flags & ~was & MS_RDONLY) || !mounts_written(m, NULL))
		return 0;
	m->flags = was;
	return -EBUSY;
}

int super_reconfigure(struct super *s, u32 flags, const char *options)
{
	int err;

	mutex_lock(&mount_lock);
	err = reconfigure(s, flags, options);
	mutex_unlock(&mount_lock);
	if (!err)
		mounts_changed();
	return err;
}

int mount_remount(const struct path *p, u32 flags, const char *options, bool bind)
{
	int err = 0;

	if (p->dentry != p->mnt->root)
		return -EINVAL;
	mutex_lock(&mount_lock);
	if (!bind)
		err = reconfigure(p->mnt->super, flags, options);
	if (!err)
		err = change_flags(p->mnt, flags & MOUNT_FLAGS);
	mutex_unlock(&mount_lock);
	if (!err)
		mounts_changed();
	return err;
}

int mount_move(const struct path *from, const struct path *to)
{
	struct mount *m = from->mnt, *up;
	struct path top = *to;
	struct dentry *old_point;
	struct mount *old_parent;
	int err = -EINVAL;

	if (from->dentry != m->root)
		return err;
	path_get(&top);
	mutex_lock(&mount_lock);
	path_follow_mounts(&top);
	if (!m->attached || m == root_mount)
		goto out;
	if (!same_kind(m->root, top.dentry)) {
		err = -ENOTDIR;
		goto out;
	}
	err = -ELOOP;
	for (up = top.mnt; up->parent != up; up = up->parent)
		if (up == m)
			goto out;
	err = 0;
	if (m->parent == m) { /* it hangs nowhere yet */
		mount_attach(m, &top);
		goto out;
	}
	old_point = m->mountpoint;
	old_parent = m->parent;
	mount_unhash(m);
	list_del_init(&m->node);
	if (!mounted_somewhere(old_point))
		old_point->flags &= ~(u32)DENTRY_MOUNTED;
	mount_attach(m, &top);
	dentry_put(old_point);
	mount_put(old_parent);
out:
	mutex_unlock(&mount_lock);
	path_put(&top);
	if (!err)
		mounts_changed();
	return err;
}

/* Take M, and with LAZY everything below it, out of the tree; mount_lock is held. The tree's references are
 * the caller's. */
static void detach_tree(struct mount *m, struct list_head *gone)
{
	struct mount *c;
	bool again = true;

	m->attached = false;
	list_move_tail(&m->node, gone);
	while (again) {
		again = false;
		list_for_each_entry (c, &mounts, node)
			if (c->parent != c && !c->parent->attached) {
				mount_unhash(c);
				c->attached = false;
				list_move_tail(&c->node, gone);
				again = true;
				break;
			}
	}
}

/* Let go of the tree's references on what left it. */
static void put_detached(struct list_head *gone)
{
	while (!list_empty(gone)) {
		struct mount *m = list_first_entry(gone, struct mount, node);

		list_del_init(&m->node);
		if (m->super->ops && m->super->ops->sync)
			m->super->ops->sync(m->super);
		mount_put(m);
	}
}

static void clear_mounted(struct list_head *gone)
{
	struct mount *m;

	list_for_each_entry (m, gone, node)
		if (m->mountpoint && !mounted_somewhere(m->mountpoint))
			m->mountpoint->flags &= ~(u32)DENTRY_MOUNTED;
}

void mount_tree_drop(struct mount *m)
{
	LIST_HEAD(gone);

	mutex_lock(&mount_lock);
	if (m->parent == m) { /* else it was moved into the tree meanwhile */
		detach_tree(m, &gone);
		clear_mounted(&gone);
	}
	mutex_unlock(&mount_lock);
	if (!list_empty(&gone)) {
		rcu_synchronize();
		put_detached(&gone);
	}
}

int mount_detach(const struct path *p, u32 umount_flags)
{
	struct mount *m = p->mnt;
	LIST_HEAD(gone);
	int err = -EINVAL;

	if (p->dentry != m->root)
		return err;
	mutex_lock(&mount_lock);
	if (!m->attached || (m->parent == m && m != root_mount))
		goto out;
	err = umount_flags & MNT_EXPIRE ? -EINVAL : -EBUSY;
	if (m->parent == m)
		goto out;
	if (umount_flags & MNT_EXPIRE) {
		err = refcount_read(&m->ref) > 2 || mount_has_children(m) ? -EBUSY
		      : m->expiring					  ? 0
									  : -EAGAIN;
		m->expiring |= err == -EAGAIN;
		if (err)
			goto out;
	}
	err = -EBUSY;
	mount_unhash(m);
	rcu_synchronize();
	/* References left: the tree's and the caller's path. */
	if (!(umount_flags & MNT_DETACH) && (mount_has_children(m) || refcount_read(&m->ref) > 2)) {
		mount_rehash(m);
		goto out;
	}
	detach_tree(m, &gone);
	clear_mounted(&gone);
	err = 0;
out:
	mutex_unlock(&mount_lock);
	put_detached(&gone);
	if (!err)
		mounts_changed();
	return err;
}

int mount_set_flags(const struct path *p, u32 set, u32 clear, bool recursive)
{
	struct mount *m;
	int err;

	if (p->dentry != p->mnt->root)
		return -EINVAL;
	mutex_lock(&mount_lock);
	err = change_flags(p->mnt, (p->mnt->flags & ~clear) | set);
	if (recursive && !err)
		list_for_each_entry (m, &mounts, node) {
			struct mount *up = m;

			while (up != p->mnt && up->parent != up)
				up = up->parent;
			if (up == p->mnt && m != up)
				err = change_flags(m, (m->flags & ~clear) | set) ?: err;
		}
	mutex_unlock(&mount_lock);
	mounts_changed();
	return err;
}

int path_want_write(const struct path *p)
{
	return p->mnt->flags & MS_RDONLY || p->mnt->super->read_only ? -EROFS : 0;
}

struct mount *mount_next_locked(struct mount *prev)
{
	struct list_head *n = prev ? prev->node.next : mounts.next;

	return n == &mounts ? NULL : list_entry(n, struct mount, node);
}
