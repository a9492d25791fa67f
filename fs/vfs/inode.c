/* SPDX-License-Identifier: BSD-2-Clause */
/* Inodes in memory: reference counts, and the per-super cache by number for file systems that ask for it.
 *
 * The last reference takes the inode out of its cache, has the file system free its part (super_ops.evict),
 * and frees the structure after an RCU grace period, since path walks look at inodes without references. */
#include "base/string.h"
#include "acl.h"
#include "kernel/counter.h"

#define INODE_BUCKETS 256

static DEFINE_COUNTER(vfs_inode_nomem, "inodes that could not be made for want of memory");

static struct slab_cache *inode_slab(void)
{
	static DEFINE_MUTEX(init_lock);
	static struct slab_cache *cache;
	struct slab_cache *made;

	if (unlikely(!rcu_dereference(cache))) {
		mutex_lock(&init_lock);
		made = cache ? NULL : slab_cache_create("inode", sizeof(struct inode), CACHE_LINE);
		if (made) {
			slab_cache_reclaimable(made);
			rcu_assign_pointer(cache, made);
		}
		mutex_unlock(&init_lock);
	}
	return cache;
}

struct inode *inode_alloc(struct super *s)
{
	struct slab_cache *cache = inode_slab();
	struct inode *i = cache ? slab_zalloc(cache) : NULL;

	if (!i) {
		counter_inc(&vfs_inode_nomem);
		return NULL;
	}
	i->super = s;
	refcount_get(&s->ref);
	refcount_set(&i->ref, 1);
	mutex_init(&i->lock);
	lock_may_nest(&i->lock); /* a directory, then what it holds; two directories: rename.c */
	list_init(&i->locks);
	list_init(&i->leases);
	list_init(&i->watches);
	list_init(&i->hash_node);
	i->nlink = 1;
	return i;
}

void inode_get(struct inode *i)
{
	refcount_get(&i->ref);
}

static void inode_free_rcu(struct rcu_head *head)
{
	struct inode *i = container_of(head, struct inode, rcu);

	acl_put(i->acl);
	acl_put(i->default_acl);
	slab_free(inode_slab(), i);
}

void inode_put(struct inode *i)
{
	struct super *s = i->super;

	if (!refcount_put(&i->ref))
		return;
	if (i->flags & INODE_HASHED) {
		spin_lock(&s->inodes_lock);
		list_del_init(&i->hash_node);
		spin_unlock(&s->inodes_lock);
	}
	if (s->ops && s->ops->evict)
		s->ops->evict(i);
	rcu_call(&i->rcu, inode_free_rcu);
	super_unref(s);
}

static struct list_head *inode_bucket(struct super *s, u64 ino)
{
	return &s->inodes[(ino * 0x9e3779b97f4a7c15ull >> 56) % INODE_BUCKETS];
}

/* The lock is held. An inode that is on its way out (count zero) does not count. */
static struct inode *inode_cache_search(struct super *s, u64 ino)
{
	struct inode *i;

	list_for_each_entry (i, inode_bucket(s, ino), hash_node)
		if (i->ino == ino && refcount_get_unless_zero(&i->ref))
			return i;
	return NULL;
}

struct inode *inode_cache_find(struct super *s, u64 ino)
{
	struct inode *i = NULL;

	spin_lock(&s->inodes_lock);
	if (s->inodes)
		i = inode_cache_search(s, ino);
	spin_unlock(&s->inodes_lock);
	return i;
}

static int inode_cache_init(struct super *s)
{
	struct list_head *table = kmalloc(INODE_BUCKETS * sizeof *table);

	if (!table)
		return -ENOMEM;
	for (unsigned n = 0; n < INODE_BUCKETS; n++)
		list_init(&table[n]);
	spin_lock(&s->inodes_lock);
	if (!s->inodes) {
		s->inodes = table;
		table = NULL;
	}
	spin_unlock(&s->inodes_lock);
	kfree(table);
	return 0;
}

struct inode *inode_cache_add(struct inode *i)
{
	struct super *s = i->super;
	struct inode *other;

	if (unlikely(!s->inodes) && inode_cache_init(s)) {
		inode_put(i);
		return ERR_PTR(-ENOMEM);
	}
	spin_lock(&s->inodes_lock);
	other = inode_cache_search(s, i->ino);
	if (!other) {
		i->flags |= INODE_HASHED;
		list_add(&i->hash_node, inode_bucket(s, i->ino));
	}
	spin_unlock(&s->inodes_lock);
	if (!other)
		return i;
	inode_put(i);
	return other;
}

void inode_cache_remove(struct inode *i)
{
	struct super *s = i->super;

	spin_lock(&s->inodes_lock);
	list_del_init(&i->hash_node);
	spin_unlock(&s->inodes_lock);
}

int inode_get_write(struct inode *i)
{
	s32 n = atomic_load_explicit(&i->writers, memory_order_relaxed);

	do {
		if (n < 0)
			return -ETXTBSY;
	} while (!atomic_compare_exchange_weak_explicit(&i->writers, &n, n + 1, memory_order_relaxed,
							memory_order_relaxed));
	return 0;
}

void inode_put_write(struct inode *i)
{
	atomic_fetch_sub_explicit(&i->writers, 1, memory_order_relaxed);
}

int inode_deny_write(struct inode *i)
{
	s32 n = atomic_load_explicit(&i->writers, memory_order_relaxed);

	do {
		if (n > 0)
			return -ETXTBSY;
	} while (!atomic_compare_exchange_weak_explicit(&i->writers, &n, n - 1, memory_order_relaxed,
							memory_order_relaxed));
	return 0;
}

void inode_allow_write(struct inode *i)
{
	atomic_fetch_add_explicit(&i->writers, 1, memory_order_relaxed);
}
