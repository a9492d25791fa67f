/* SPDX-License-Identifier: BSD-2-Clause */
/* The directory entry cache.
 *
 * Theory. A dentry names an inode (or, negative, the absence of one) below its parent. Entries hang in a hash
 * table keyed by parent and name. Being in the table counts as one reference, so dropping a user's reference
 * is one atomic subtraction and an unused entry (count 1) simply stays. The pruner takes unused entries from
 * the old end of one list by changing the count from 1 to 0: from then on no look-up can take a reference. A
 * child holds its parent, so trees shrink from the leaves.
 *
 * Readers walk a chain under RCU. Chains end in NULL, not in their head: a rename may move an entry to
 * another chain under a reader, who then merely misses entries; rename_seq tells path walks to try again, and
 * a look-up that is about to ask the file system repeats the search under the chain's lock. Names are
 * replaced, never edited.
 *
 * Locks: rename_lock > chain locks (by index) > lru_lock. All spin, none is taken in interrupts. Entries are
 * inserted and dropped by holders of the directory inode's lock, except by the pruner. */
#include "base/bits.h"
#include "base/string.h"
#include "internal.h"
#include "kernel/counter.h"
#include "kernel/kthread.h"
#include "kernel/random.h"
#include "kernel/sched.h"
#include <linux/inotify.h>

#define CHAIN_LOCKS  64
#define INLINE_NAME  40
#define MIN_DENTRIES 4096

static DEFINE_COUNTER(vfs_dcache_pruned, "directory entries freed to bound the cache");
static DEFINE_COUNTER(vfs_dentry_nomem, "directory entries that could not be made for want of memory");

/* A dentry with room for a short name. Longer and later names are a struct long_name. */
struct dentry_storage {
	struct dentry d;
	char short_name[INLINE_NAME];
};

struct long_name {
	struct rcu_head rcu; /* first: rcu_kfree */
	char text[];
};

static struct dentry **buckets;
static u32 bucket_mask;
static struct spinlock chain_locks[CHAIN_LOCKS];
static u64 hash_seed;
static struct slab_cache *dentry_cache;
static struct spinlock lru_lock;
static LIST_HEAD(lru); /* oldest first; guarded by lru_lock */
static u64 lru_count, dentry_limit;
static struct spinlock rename_lock; /* guards names, parents and chains against moves */
static _Atomic u32 rename_seq;
static struct work prune_work;
static _Atomic bool memory_short; /* a part has to go even below the limit */

static void prune_worker(struct work *w)
{
	u64 n = READ_ONCE(lru_count);
	bool shortage = atomic_exchange_explicit(&memory_short, false, memory_order_relaxed);

	if (n > dentry_limit)
		dcache_prune(n - dentry_limit + dentry_limit / 8);
	else if (shortage)
		dcache_prune(n / 4);
}

void dcache_pressure(void)
{
	if (!rcu_dereference(buckets))
		return;
	atomic_store_explicit(&memory_short, true, memory_order_relaxed);
	work_queue(&prune_work);
}

static bool dcache_init(void)
{
	static DEFINE_MUTEX(init_lock);
	struct memory_stats m;
	struct dentry **table;
	u32 n;

	mutex_lock(&init_lock);
	if (!buckets) {
		memory_stats(&m);
		n = (u32)1 << clamp(log2_floor(m.total / 16 + 1), 10u, 17u);
		dentry_limit = max((u64)MIN_DENTRIES, m.total / 4);
		hash_seed = random_u64();
		work_init(&prune_work, prune_worker);
		dentry_cache = slab_cache_create("dentry", sizeof(struct dentry_storage), 8);
		if (dentry_cache)
			slab_cache_reclaimable(dentry_cache);
		table = n * sizeof *table > KIB(64) ? vmalloc(n * sizeof *table) : kmalloc(n * sizeof *table);
		if (table && dentry_cache) {
			memset(table, 0, n * sizeof *table);
			bucket_mask = n - 1;
			rcu_assign_pointer(buckets, table);
		}
	}
	mutex_unlock(&init_lock);
	return buckets;
}

/* Multiply-and-fold over eight bytes at a time, seeded: names may come from outsiders. */
static u64 mix(u64 a, u64 b)
{
	unsigned __int128 p = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15ull) * (b ^ 0xd6e8feb86659fd93ull);

	return (u64)p ^ (u64)(p >> 64);
}

u32 dentry_hash(const struct dentry *parent, const char *name, size_t len)
{
	u64 h = mix(hash_seed ^ len, (u64)(uintptr_t)parent), v;

	for (; len >= 8; len -= 8, name += 8)
		h = mix(h, le64_get(name));
	if (len) {
		v = 0;
		for (size_t i = 0; i < len; i++)
			v |= (u64)(u8)name[i] << (8 * i);
		h = mix(h, v);
	}
	return (u32)(h ^ h >> 32);
}

/* NAME holds neither NUL nor more bytes than LEN; the entry's own text may change under us but always ends in
 * NUL. */
static bool name_equal(const char *text, const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] != name[i])
			return false;
	return !text[len];
}

struct dentry *dcache_find_rcu(struct dentry *parent, const char *name, size_t len, u32 hash)
{
	struct dentry *d;

	for (d = rcu_dereference(buckets[hash & bucket_mask]); d; d = rcu_dereference(d->hash_next))
		if (READ_ONCE(d->hash) == hash && READ_ONCE(d->parent) == parent && refcount_read(&d->ref) &&
		    name_equal(rcu_dereference(d->name), name, len))
			return d;
	return NULL;
}

static struct spinlock *chain_lock(u32 hash)
{
	return &chain_locks[hash & bucket_mask & (CHAIN_LOCKS - 1)];
}

struct dentry *dcache_find(struct dentry *parent, const char *name, size_t len, u32 hash)
{
	struct spinlock *l = chain_lock(hash);
	struct dentry *d;

	spin_lock(l);
	d = dcache_find_rcu(parent, name, len, hash);
	if (d && !refcount_get_unless_zero(&d->ref))
		d = NULL;
	spin_unlock(l);
	if (d && !(d->flags & DENTRY_ACCESSED))
		d->flags |= DENTRY_ACCESSED;
	return d;
}

struct dentry *dcache_find_alias(struct inode *i)
{
	for (u32 n = 0; n <= bucket_mask; n++) {
		struct dentry *d;

		spin_lock(chain_lock(n));
		for (d = buckets[n]; d; d = d->hash_next)
			if (d->inode == i && refcount_get_unless_zero(&d->ref))
				break;
		spin_unlock(chain_lock(n));
		if (d)
			return d;
		cond_resched();
	}
	if (i->super->root->inode != i)
		return NULL;
	dentry_get(i->super->root);
	return i->super->root;
}

struct dentry *dentry_alloc(struct dentry *parent, const char *name, size_t len)
{
	struct dentry_storage *s;
	struct long_name *ln;

	if (unlikely(!rcu_dereference(buckets)) && !dcache_init())
		goto nomem;
	s = slab_zalloc(dentry_cache);
	if (!s)
		goto nomem;
	if (len < INLINE_NAME) {
		s->d.name = s->short_name;
	} else {
		ln = kmalloc(sizeof *ln + len + 1);
		if (!ln) {
			slab_free(dentry_cache, s);
			goto nomem;
		}
		s->d.name = ln->text;
	}
	memcpy(s->d.name, name, len);
	s->d.name[len] = 0;
	s->d.len = (u32)len;
	refcount_set(&s->d.ref, 1);
	list_init(&s->d.lru);
	s->d.parent = parent ? parent : &s->d;
	if (parent)
		dentry_get(parent);
	s->d.hash = dentry_hash(s->d.parent, name, len);
	return &s->d;
nomem:
	counter_inc(&vfs_dentry_nomem);
	return NULL;
}

static void dentry_free_rcu(struct rcu_head *head)
{
	struct dentry_storage *s = container_of(head, struct dentry_storage, d.rcu);

	if (s->d.name != s->short_name)
		kfree(container_of(s->d.name, struct long_name, text[0]));
	slab_free(dentry_cache, s);
}

/* The count is zero and the entry hangs nowhere. Returns the parent, whose reference passes to the caller; or
 * NULL. */
static struct dentry *dentry_free(struct dentry *d)
{
	struct dentry *parent = d->parent != d ? d->parent : NULL;

	if (d->inode) {
		if (d->flags & DENTRY_UNLINKED && !d->inode->nlink && !list_empty(&d->inode->watches))
			inotify_event(d->inode, IN_DELETE_SELF, 0, NULL);
		inode_put(d->inode);
	}
	rcu_call(&d->rcu, dentry_free_rcu);
	return parent;
}

void dentry_put(struct dentry *d)
{
	while (d && refcount_put(&d->ref))
		d = dentry_free(d);
}

/* The chain's lock is held, or the rename lock and the chain's. */
static void chain_add(struct dentry *d)
{
	struct dentry **head = &buckets[d->hash & bucket_mask];

	WRITE_ONCE(d->hash_next, *head);
	d->hash_pprev = head;
	if (*head)
		(*head)->hash_pprev = &d->hash_next;
	rcu_assign_pointer(*head, d);
}

/* Leaves hash_next alone: a reader may stand on it. */
static void chain_del(struct dentry *d)
{
	WRITE_ONCE(*d->hash_pprev, d->hash_next);
	if (d->hash_next)
		d->hash_next->hash_pprev = d->hash_pprev;
}

void dcache_insert(struct dentry *d)
{
	struct spinlock *l = chain_lock(d->hash);
	bool over;

	dentry_get(d);
	spin_lock(l);
	chain_add(d);
	d->flags |= DENTRY_HASHED | DENTRY_ACCESSED;
	spin_lock(&lru_lock);
	list_add_tail(&d->lru, &lru);
	over = ++lru_count > dentry_limit;
	spin_unlock(&lru_lock);
	spin_unlock(l);
	if (unlikely(over))
		work_queue(&prune_work);
}

/* The chain of a dentry that a rename may be moving: lock it and look again. */
static struct spinlock *lock_own_chain(struct dentry *d)
{
	for (;;) {
		u32 hash = READ_ONCE(d->hash);
		struct spinlock *l = chain_lock(hash);

		spin_lock(l);
		if (READ_ONCE(d->hash) == hash)
			return l;
		spin_unlock(l);
	}
}

void dcache_drop(struct dentry *d)
{
	struct spinlock *l = lock_own_chain(d);
	bool hashed = d->flags & DENTRY_HASHED;

	if (hashed) {
		chain_del(d);
		d->flags &= ~(u32)DENTRY_HASHED;
		spin_lock(&lru_lock);
		list_del_init(&d->lru);
		lru_count--;
		spin_unlock(&lru_lock);
	}
	spin_unlock(l);
	if (hashed)
		dentry_put(d);
}

void dcache_unlink(struct dentry *d)
{
	d->flags |= DENTRY_UNLINKED;
	dcache_drop(d);
}

void dcache_prune(u64 n)
{
	LIST_HEAD(dead);
	struct dentry *d;
	u64 scan;

	spin_lock(&lru_lock);
	for (scan = lru_count; scan && n; scan--) {
		u32 one = 1;

		d = list_first_entry(&lru, struct dentry, lru);
		if (d->flags & DENTRY_ACCESSED) {
			d->flags &= ~(u32)DENTRY_ACCESSED;
			list_move_tail(&d->lru, &lru);
		} else if (!atomic_compare_exchange_strong_explicit(&d->ref.n, &one, 0, memory_order_acquire,
								    memory_order_relaxed)) {
			list_move_tail(&d->lru, &lru);
		} else {
			list_move_tail(&d->lru, &dead);
			lru_count--;
			n--;
		}
	}
	spin_unlock(&lru_lock);
	while (!list_empty(&dead)) {
		struct spinlock *l;

		d = list_first_entry(&dead, struct dentry, lru);
		list_del_init(&d->lru);
		l = lock_own_chain(d);
		chain_del(d);
		spin_unlock(l);
		counter_inc(&vfs_dcache_pruned);
		dentry_put(dentry_free(d));
	}
}

void vfs_drop_names(void)
{
	u64 before;

	/* The first round only takes marks of use away; a directory goes after what was below it. */
	do {
		before = READ_ONCE(lru_count);
		dcache_prune(~0ull);
		dcache_prune(~0ull);
	} while (READ_ONCE(lru_count) < before);
}

/* Does D lie below DIR? Under RCU: no sleep while the caller looks. */
static bool below_dir(const struct dentry *d, const struct inode *dir)
{
	while (d->parent != d) {
		d = d->parent;
		if (d->inode == dir)
			return true;
	}
	return false;
}

#define FORGET_BATCH 64

/* Take references on up to FORGET_BATCH cached entries of S that match. */
static unsigned forget_collect(struct super *s, struct inode *dir, const char *name, size_t len,
			       struct dentry **batch)
{
	struct dentry *d;
	unsigned n = 0;

	spin_lock(&lru_lock);
	for (struct list_head *p = lru.next; p != &lru && n < FORGET_BATCH; p = p->next) {
		struct dentry *parent;

		d = list_entry(p, struct dentry, lru);
		parent = READ_ONCE(d->parent);
		if (parent->inode->super != s)
			continue;
		if (name ? parent->inode == dir && d->len == len && !memcmp(d->name, name, len)
			 : below_dir(d, dir))
			if (refcount_get_unless_zero(&d->ref))
				batch[n++] = d;
	}
	spin_unlock(&lru_lock);
	return n;
}

void dcache_forget(struct super *s, struct inode *dir, const char *name, size_t len)
{
	struct dentry *batch[FORGET_BATCH];
	unsigned n;

	do {
		n = forget_collect(s, dir, name, len, batch);
		for (unsigned k = 0; k < n; k++) {
			dcache_unlink(batch[k]);
			dentry_put(batch[k]);
		}
	} while (n == FORGET_BATCH);
}

u32 rename_read_begin(void)
{
	u32 seq;

	while ((seq = atomic_load_explicit(&rename_seq, memory_order_acquire)) & 1)
		cpu_relax();
	return seq;
}

bool rename_read_retry(u32 seq)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&rename_seq, memory_order_relaxed) != seq;
}

void rename_read_lock(void)
{
	spin_lock(&rename_lock);
}

void rename_read_unlock(void)
{
	spin_unlock(&rename_lock);
}

static void lock_two_chains(u32 a, u32 b)
{
	struct spinlock *x = chain_lock(a), *y = chain_lock(b);

	spin_lock(x < y ? x : y);
	if (x != y)
		spin_lock(x < y ? y : x);
}

static void unlock_two_chains(u32 a, u32 b)
{
	spin_unlock(chain_lock(a));
	if (chain_lock(a) != chain_lock(b))
		spin_unlock(chain_lock(b));
}

/* Give D the place (PARENT, TEXT); its chain is not touched. Returns the old name's allocation, or NULL when
 * it was the short one. */
static struct long_name *dentry_set_place(struct dentry *d, struct dentry *parent, char *text, u32 len,
					  u32 hash)
{
	struct dentry_storage *s = container_of(d, struct dentry_storage, d);
	struct long_name *old =
		d->name == s->short_name ? NULL : container_of(d->name, struct long_name, text[0]);

	rcu_assign_pointer(d->name, text);
	d->len = len;
	WRITE_ONCE(d->parent, parent);
	WRITE_ONCE(d->hash, hash);
	return old;
}

static struct long_name *copy_name(const struct dentry *d)
{
	struct long_name *n = kmalloc(sizeof *n + d->len + 1);

	if (n)
		memcpy(n->text, d->name, d->len + 1);
	return n;
}

int dcache_move(struct dentry *d, struct dentry *target, bool exchange)
{
	struct long_name *dn = copy_name(target), *tn = exchange ? copy_name(d) : NULL;
	struct dentry *dp = d->parent, *tp = target->parent;
	u32 dh = d->hash, th = target->hash, dlen = d->len;
	struct long_name *old_d, *old_t = NULL;

	if (!dn || (exchange && !tn)) {
		kfree(dn);
		kfree(tn);
		return -ENOMEM;
	}
	if (!exchange)
		dcache_unlink(target);
	dentry_get(tp);
	spin_lock(&rename_lock);
	atomic_fetch_add_explicit(&rename_seq, 1, memory_order_acq_rel);
	lock_two_chains(dh, th);
	if (d->flags & DENTRY_HASHED)
		chain_del(d);
	if (exchange && target->flags & DENTRY_HASHED)
		chain_del(target);
	old_d = dentry_set_place(d, tp, dn->text, target->len, th);
	if (exchange)
		old_t = dentry_set_place(target, dp, tn->text, dlen, dh);
	if (d->flags & DENTRY_HASHED)
		chain_add(d);
	if (exchange && target->flags & DENTRY_HASHED)
		chain_add(target);
	unlock_two_chains(dh, th);
	atomic_fetch_add_explicit(&rename_seq, 1, memory_order_release);
	spin_unlock(&rename_lock);
	if (old_d)
		rcu_kfree(&old_d->rcu);
	if (old_t)
		rcu_kfree(&old_t->rcu);
	/* D's reference on its old parent: on an exchange it becomes the target's, which gives up its own on
	 * tp. */
	dentry_put(exchange ? tp : dp);
	return 0;
}

u64 vfs_dentries_total(void)
{
	return READ_ONCE(lru_count);
}
