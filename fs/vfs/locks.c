/* SPDX-License-Identifier: BSD-2-Clause */
/* Advisory locks: POSIX record locks (owned by a descriptor table), OFD locks (by an open file) and flock (by
 * an open file).
 *
 * An inode's locks are one list: per owner, record locks are sorted by start, do not overlap, and neighbours
 * of one type are joined. Inodes fall into a few shards; a shard's spin lock guards the lists of its inodes
 * and the list of all its locks (/proc/locks), and waiters sleep on its queue and try again. A record lock
 * that waits is entered in a global table so that a cycle of waiting owners can be found (EDEADLK);
 * waiters_lock is taken last. Everything allocated is allocated before the spin lock is taken: a change
 * needs at most two new records. */
#include "base/format.h"
#include "internal.h"
#include "kernel/counter.h"
#include "kernel/sched.h"
#include "kernel/wait.h"

#define LOCK_SHARDS 32
#define LOCK_EOF    0x7fffffffffffffffull /* the last byte of a lock "to the end" */

static DEFINE_COUNTER(vfs_lock_deadlocks, "record locks refused because they would close a cycle");

enum lock_kind { LOCK_POSIX, LOCK_OFD, LOCK_FLOCK };

struct file_lock {
	struct list_head node;	   /* inode->locks */
	struct list_head all_node; /* shard->all */
	enum lock_kind kind;
	void *owner; /* struct fdtable * or struct file * */
	struct inode *inode;
	u32 pid;
	short type;	/* F_RDLCK, F_WRLCK */
	u64 start, end; /* first and last byte */
};

/* A lock that waits: for the deadlock search and for /proc/locks. */
struct lock_waiter {
	struct list_head node;
	const struct file_lock *lock; /* what it waits for */
	void *owner, *blocker;	      /* its owner, and who was in the way last */
};

static struct lock_shard {
	struct spinlock lock;
	struct list_head all;
	struct waitq queue;
} shards[LOCK_SHARDS];
static struct spinlock waiters_lock;
static LIST_HEAD(waiters); /* guarded by waiters_lock */

static struct lock_shard *shard_of(const struct inode *i)
{
	static struct spinlock init_lock;
	static bool ready;

	if (unlikely(!rcu_dereference(ready))) {
		spin_lock(&init_lock);
		for (unsigned n = 0; !ready && n < LOCK_SHARDS; n++) {
			list_init(&shards[n].all);
			waitq_init(&shards[n].queue);
		}
		rcu_assign_pointer(ready, true);
		spin_unlock(&init_lock);
	}
	return &shards[((uintptr_t)i >> 6) % LOCK_SHARDS];
}

static struct waitq *lock_queue(const struct inode *i)
{
	return &shard_of(i)->queue;
}

/* The shard is locked for these two. */
static void record_insert(struct file_lock *l, struct list_head *prev, struct list_head *next)
{
	list_insert_(&l->node, prev, next);
	list_add_tail(&l->all_node, &shard_of(l->inode)->all);
}

static void record_remove(struct file_lock *l, struct list_head *gone)
{
	list_del(&l->all_node);
	list_move_tail(&l->node, gone);
}

static bool overlaps(const struct file_lock *a, const struct file_lock *b)
{
	return a->start <= b->end && b->start <= a->end;
}

static bool same_family(const struct file_lock *a, const struct file_lock *b)
{
	return (a->kind == LOCK_FLOCK) == (b->kind == LOCK_FLOCK);
}

static bool same_owner(const struct file_lock *a, const struct file_lock *b)
{
	return a->kind == b->kind && a->owner == b->owner;
}

/* The first lock that stands in L's way; the shard is locked. */
static struct file_lock *find_conflict(struct inode *i, const struct file_lock *l)
{
	struct file_lock *o;

	list_for_each_entry (o, &i->locks, node)
		if (same_family(o, l) && !same_owner(o, l) && overlaps(o, l) &&
		    (o->type == F_WRLCK || l->type == F_WRLCK))
			return o;
	return NULL;
}

/* Would waiting for BLOCKER close a cycle back to OWNER? waiters_lock is held. Chains are short; a long one
 * counts as none. */
static bool closes_cycle(const void *owner, const void *blocker)
{
	for (int hops = 0; hops < 64; hops++) {
		struct lock_waiter *w, *next = NULL;

		if (blocker == owner)
			return true;
		list_for_each_entry (w, &waiters, node)
			if (w->owner == blocker) {
				next = w;
				break;
			}
		if (!next)
			return false;
		blocker = next->blocker;
	}
	return false;
}

/* Replace what L's owner holds of L's range by L (or by nothing, F_UNLCK), with SPARE for the pieces. The
 * shard is locked. Dropped records go to GONE. */
static void apply(struct inode *i, const struct file_lock *l, struct list_head *spare, struct list_head *gone)
{
	struct file_lock *o, *next, *n;
	struct file_lock want = *l;

	list_for_each_entry_safe (o, next, &i->locks, node) {
		if (!same_owner(o, l))
			continue;
		/* Join with neighbours and overlaps of one type. */
		if (o->type == want.type && o->start <= (want.end == LOCK_EOF ? want.end : want.end + 1) &&
		    want.start <= (o->end == LOCK_EOF ? o->end : o->end + 1)) {
			want.start = min(want.start, o->start);
			want.end = max(want.end, o->end);
			record_remove(o, gone);
			continue;
		}
		if (!overlaps(o, &want))
			continue;
		if (o->start < want.start && o->end > want.end) {
			n = list_first_entry(spare, struct file_lock, node);
			list_del(&n->node);
			*n = *o;
			n->start = want.end + 1;
			o->end = want.start - 1;
			record_insert(n, &o->node, o->node.next);
		} else if (o->start < want.start) {
			o->end = want.start - 1;
		} else if (o->end > want.end) {
			o->start = want.end + 1;
		} else {
			record_remove(o, gone);
		}
	}
	if (want.type == F_UNLCK)
		return;
	n = list_first_entry(spare, struct file_lock, node);
	list_del(&n->node);
	*n = want;
	/* Before the first of the same owner that lies behind. */
	list_for_each_entry (o, &i->locks, node)
		if (same_owner(o, n) && o->start > n->end)
			break;
	record_insert(n, o->node.prev, &o->node);
}

static void free_list(struct list_head *l)
{
	while (!list_empty(l)) {
		struct file_lock *o = list_first_entry(l, struct file_lock, node);

		list_del(&o->node);
		kfree(o);
	}
}

static int spare_fill(struct list_head *spare)
{
	for (int n = 0; n < 2; n++) {
		struct file_lock *o = kmalloc(sizeof *o);

		if (!o) {
			free_list(spare);
			return -ENOLCK;
		}
		list_add(&o->node, spare);
	}
	return 0;
}

/* One attempt: 0 done, -EAGAIN with *BLOCKER naming who holds it. */
static int try_apply(struct inode *i, const struct file_lock *l, void **blocker)
{
	LIST_HEAD(spare);
	LIST_HEAD(gone);
	struct file_lock *conflict = NULL;
	int err = spare_fill(&spare);

	if (err)
		return err;
	spin_lock(&shard_of(i)->lock);
	if (l->type != F_UNLCK)
		conflict = find_conflict(i, l);
	if (conflict) {
		err = -EAGAIN;
		*blocker = conflict->owner;
	} else {
		apply(i, l, &spare, &gone);
	}
	spin_unlock(&shard_of(i)->lock);
	if (!err && waitq_active(lock_queue(i)))
		waitq_wake_all(lock_queue(i));
	free_list(&spare);
	free_list(&gone);
	return err;
}

/* Enter W as waiting, unless that closes a cycle. */
static int waiter_enter(struct lock_waiter *w, bool detect)
{
	int err = 0;

	spin_lock(&waiters_lock);
	if (detect && closes_cycle(w->owner, w->blocker)) {
		counter_inc(&vfs_lock_deadlocks);
		err = -EDEADLK;
	} else {
		list_add(&w->node, &waiters);
	}
	spin_unlock(&waiters_lock);
	return err;
}

static void waiter_leave(struct lock_waiter *w)
{
	spin_lock(&waiters_lock);
	list_del(&w->node);
	spin_unlock(&waiters_lock);
}

static int lock_wait(struct inode *i, const struct file_lock *l)
{
	struct lock_waiter w = {.lock = l, .owner = l->owner};
	struct wait_entry e;
	int err;

	wait_entry_init(&e, false);
	for (;;) {
		wait_prepare(lock_queue(i), &e, THREAD_INTERRUPTIBLE);
		/* The attempt allocates but does not sleep; a wake since the state was set makes schedule
		 * return at once. */
		err = try_apply(i, l, &w.blocker);
		if (err != -EAGAIN)
			break;
		if (thread_signal_interrupts(THREAD_INTERRUPTIBLE)) {
			err = -ERESTARTSYS;
			break;
		}
		err = waiter_enter(&w, l->kind == LOCK_POSIX);
		if (err)
			break;
		schedule();
		waiter_leave(&w);
	}
	wait_finish(lock_queue(i), &e);
	return err;
}

static int lock_set(struct inode *i, const struct file_lock *l, bool wait)
{
	void *blocker;
	int err = try_apply(i, l, &blocker);

	return err == -EAGAIN && wait ? lock_wait(i, l) : err;
}

/* The byte range of FL in F: -EINVAL, -EOVERFLOW. */
static int range_of(struct file *f, const struct flock *fl, struct file_lock *l)
{
	s64 base, start, end;

	switch (fl->l_whence) {
	case 0:
		base = 0;
		break;
	case 1:
		base = (s64)f->pos;
		break;
	case 2:
		base = (s64)f->inode->size;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, fl->l_start, &start))
		return -EOVERFLOW;
	end = (s64)LOCK_EOF;
	if (fl->l_len > 0) {
		if (__builtin_add_overflow(start, fl->l_len - 1, &end))
			return -EOVERFLOW;
	} else if (fl->l_len < 0) {
		end = start - 1;
		start += fl->l_len;
	}
	if (start < 0 || end < 0)
		return -EINVAL;
	l->start = (u64)start;
	l->end = (u64)end;
	return 0;
}

/* F_OFD_GETLK with F_UNLCK asks for what the open file itself holds in the range. */
static struct file_lock *find_own(struct inode *i, const struct file_lock *l)
{
	struct file_lock *o;

	list_for_each_entry (o, &i->locks, node)
		if (same_owner(o, l) && overlaps(o, l))
			return o;
	return NULL;
}

static void lock_get(struct inode *i, const struct file_lock *l, struct flock *fl)
{
	struct file_lock *o;

	spin_lock(&shard_of(i)->lock);
	o = l->type == F_UNLCK ? find_own(i, l) : find_conflict(i, l);
	if (!o) {
		fl->l_type = F_UNLCK;
	} else {
		fl->l_type = o->type;
		fl->l_whence = 0;
		fl->l_start = (s64)o->start;
		fl->l_len = o->end == LOCK_EOF ? 0 : (s64)(o->end - o->start + 1);
		fl->l_pid = o->kind == LOCK_OFD ? -1 : (int)o->pid;
	}
	spin_unlock(&shard_of(i)->lock);
}

int locks_posix(struct file *f, unsigned cmd, struct flock *fl, bool ofd)
{
	struct file_lock l = {.kind = ofd ? LOCK_OFD : LOCK_POSIX,
			      .owner = ofd ? (void *)f : (void *)current_fdtable(),
			      .inode = file_named_inode(f) ?: file_inode(f),
			      .pid = current_process()->pid,
			      .type = fl->l_type};
	bool get = cmd == F_GETLK || cmd == F_OFD_GETLK;
	int err;

	if (!l.inode)
		return -ENOLCK;
	if (l.type != F_RDLCK && l.type != F_WRLCK && (cmd == F_GETLK || l.type != F_UNLCK))
		return -EINVAL;
	if (ofd && fl->l_pid)
		return -EINVAL;
	err = range_of(f, fl, &l);
	if (err)
		return err;
	if (get) {
		lock_get(l.inode, &l, fl);
		return 0;
	}
	if ((l.type == F_RDLCK && !file_readable(f)) || (l.type == F_WRLCK && !file_writable(f)))
		return -EBADF;
	return lock_set(l.inode, &l, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
}

int locks_flock(struct file *f, unsigned op, bool wait)
{
	struct file_lock l = {.kind = LOCK_FLOCK,
			      .owner = f,
			      .inode = file_named_inode(f) ?: file_inode(f),
			      .pid = current_process()->pid,
			      .end = LOCK_EOF};
	short type = op == LOCK_SH ? F_RDLCK : op == LOCK_EX ? F_WRLCK : F_UNLCK;
	int err;

	if (!l.inode)
		return -ENOLCK;
	if (type != F_UNLCK && !file_readable(f) && !file_writable(f))
		return -EBADF;
	l.type = type;
	err = lock_set(l.inode, &l, false);
	if (err != -EAGAIN)
		return err;
	/* A conversion that cannot be had at once gives up what it holds first, as flock(2) says. */
	l.type = F_UNLCK;
	lock_set(l.inode, &l, false);
	l.type = type;
	return wait ? lock_wait(l.inode, &l) : err;
}

static void remove_owned(struct inode *i, void *owner)
{
	struct file_lock *o, *next;
	LIST_HEAD(gone);

	if (likely(list_empty(&i->locks)))
		return;
	spin_lock(&shard_of(i)->lock);
	list_for_each_entry_safe (o, next, &i->locks, node)
		if (o->owner == owner)
			record_remove(o, &gone);
	spin_unlock(&shard_of(i)->lock);
	if (!list_empty(&gone))
		waitq_wake_all(lock_queue(i));
	free_list(&gone);
}

void locks_remove_posix(struct file *f, void *owner)
{
	remove_owned(file_named_inode(f), owner);
}

void locks_remove_file(struct file *f)
{
	if (file_named_inode(f))
		remove_owned(file_named_inode(f), f);
}

struct text {
	char *buf;
	size_t size, len;
};

static void show_lock(struct text *t, unsigned nr, const struct file_lock *l, bool waits)
{
	static const char *const kinds[] = {"POSIX ", "OFDLCK", "FLOCK "};
	u64 dev = l->inode->super->dev;
	char end[24] = "EOF";

	if (l->end != LOCK_EOF)
		snprintf(end, sizeof end, "%llu", (unsigned long long)l->end);
	t->len += (size_t)snprintf(
		t->len < t->size ? t->buf + t->len : NULL, t->len < t->size ? t->size - t->len : 0,
		"%u: %s%s ADVISORY  %s %d %02x:%02x:%llu %llu %s\n", nr, waits ? "-> " : "", kinds[l->kind],
		l->type == F_WRLCK ? "WRITE" : "READ", l->kind == LOCK_OFD ? -1 : (int)l->pid,
		(unsigned)(dev >> 8 & 0xfff), (unsigned)((dev & 0xff) | (dev >> 12 & 0xfff00)),
		(unsigned long long)l->inode->ino, (unsigned long long)l->start, end);
}

/* L with number NR, and those that wait for it. The shard is locked. */
static void show_with_waiters(struct text *t, unsigned nr, const struct file_lock *l)
{
	struct lock_waiter *w;

	show_lock(t, nr, l, false);
	spin_lock(&waiters_lock);
	list_for_each_entry (w, &waiters, node)
		if (w->lock->inode == l->inode && w->blocker == l->owner && overlaps(w->lock, l) &&
		    same_family(w->lock, l))
			show_lock(t, nr, w->lock, true);
	spin_unlock(&waiters_lock);
}

size_t vfs_locks_text(char *buf, size_t size)
{
	struct text t = {.buf = buf, .size = size};
	struct file_lock *l;
	unsigned nr = 0;

	shard_of(NULL);
	for (unsigned k = 0; k < LOCK_SHARDS; k++) {
		spin_lock(&shards[k].lock);
		list_for_each_entry (l, &shards[k].all, all_node)
			show_with_waiters(&t, ++nr, l);
		spin_unlock(&shards[k].lock);
	}
	return t.len + leases_text(t.len < size ? buf + t.len : NULL, t.len < size ? size - t.len : 0, nr);
}
