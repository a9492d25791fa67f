// SPDX-License-Identifier: BSD-2-Clause
/* Futexes: waiting for a word of the application to change. futex(2).
 *
 * Waiters sleep on hashed buckets, found by key: (address space, address) for private futexes and private
 * memory, (inode, offset) for shared memory. A waiter counts itself in, locks the bucket, reads the word, and
 * queues only if it has the expected value. A waker, who changed the word before, reads the count (and then
 * needs no lock when nobody waits), takes matching waiters off under the lock, and wakes them after it.
 *
 * Store-load F1: the waiter's count, then the word. Pairs with F2: the application's word, then the count. So
 * either the waiter sees the new word or the waker sees the waiter. Model: tests/models/futex.pml.
 *
 * A waiter's structure lies on its stack. It returns only after it took itself off its bucket, or after
 * `woken`, which is the last thing that a waker writes to it.
 *
 * Lock order: buckets by address, then pi_lock (futex_pi.c). The word is touched under a bucket's lock only
 * by the _nofault accesses; when one fails everything is unlocked, the page is made present, and all starts
 * over. */
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include "kernel/process.h"
#include "futex_internal.h"

#define BUCKETS_PER_CPU 128

DEFINE_COUNTER(futex_faults, "futex operations that had to make the page present");

static struct futex_bucket *buckets;
static unsigned bucket_shift; /* 64 - log2 of their number */

struct futex_bucket *futex_bucket(const struct futex_key *key)
{
	u64 h = (key->object >> 4) * 0x9e3779b97f4a7c15ull + (key->offset >> 2);

	return &buckets[h * 0xd6e8feb86659fd93ull >> bucket_shift];
}

int futex_get(struct futex_ref *f, u32 __app *addr, bool shared)
{
	u64 a = (u64)(__force u32 *)addr;

	f->addr = addr;
	if (a % sizeof(u32))
		return -EINVAL;
	if (!app_range_ok(addr, sizeof(u32)))
		return -EFAULT;
	if (!shared) {
		f->key = (struct futex_key){.object = (u64)current->vm, .offset = a};
		return 0;
	}
	return vm_futex_key(current->vm, a, false, &f->key);
}

void futex_put(struct futex_ref *f)
{
	if (f->key.shared)
		vm_futex_key_put(&f->key);
}

int futex_fault_in(u32 __app *addr, bool write)
{
	counter_inc(&futex_faults);
	return vm_fault_in(current->vm, (u64)(__force u32 *)addr, write);
}

int futex_read(u32 *val, u32 __app *addr)
{
	int err = 0;

	while (!err && app_load_u32_nofault(val, addr))
		err = futex_fault_in(addr, false);
	return err;
}

void futex_lock_pair(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_lock(&(a < b ? a : b)->lock);
	if (a != b)
		spin_lock(&(a < b ? b : a)->lock);
}

void futex_unlock_pair(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

void futex_waiter_init(struct futex_waiter *w)
{
	/* One by one: the compiler would clear all of it first by a string instruction, which is slow to
	 * start. */
	w->thread = current;
	atomic_store_explicit(&w->bucket, NULL, memory_order_relaxed);
	atomic_store_explicit(&w->woken, false, memory_order_relaxed);
	w->bitset = FUTEX_BITSET_MATCH_ANY;
	w->priority = READ_ONCE(current->se.want.rt_priority);
	w->pi.thread = current;
	w->pi.pi = NULL;
	atomic_store_explicit(&w->granted, false, memory_order_relaxed);
	w->owner_died = false;
	w->requeue_pi = NULL;
}

void futex_insert(struct futex_bucket *b, struct futex_waiter *w)
{
	struct futex_waiter *other;

	if (likely(!w->priority)) {
		list_add_tail(&w->node, &b->list);
		return;
	}
	list_for_each_entry (other, &b->list, node)
		if (other->priority < w->priority)
			break;
	list_add_tail(&w->node, &other->node); /* before OTHER, or last */
}

void futex_enqueue(struct futex_bucket *b, struct futex_waiter *w, const struct futex_key *key)
{
	w->key = *key;
	futex_insert(b, w);
	atomic_store_explicit(&w->bucket, b, memory_order_relaxed);
}

void futex_dequeue(struct futex_bucket *b, struct futex_waiter *w)
{
	list_del(&w->node);
	atomic_store_explicit(&w->bucket, NULL, memory_order_relaxed);
	atomic_fetch_sub_explicit(&b->waiters, 1, memory_order_relaxed);
}

void futex_take(struct futex_bucket *b, struct futex_waiter *w, struct list_head *list)
{
	futex_dequeue(b, w);
	list_add_tail(&w->node, list);
}

void futex_wake_list(struct list_head *list)
{
	struct futex_waiter *w, *next;

	list_for_each_entry_safe (w, next, list, node) {
		struct thread *t = w->thread;

		/* The last touch: the waiter may return at once. T itself stays for as long as we do not
		 * sleep (RCU). */
		atomic_store_explicit(&w->woken, true, memory_order_release);
		thread_wake(t);
	}
}

bool futex_unqueue(struct futex_waiter *w)
{
	struct futex_bucket *b;

	while ((b = atomic_load_explicit(&w->bucket, memory_order_acquire))) {
		spin_lock(&b->lock);
		if (likely(atomic_load_explicit(&w->bucket, memory_order_relaxed) == b)) {
			futex_dequeue(b, w);
			spin_unlock(&b->lock);
			return true;
		}
		spin_unlock(&b->lock); /* requeued or taken meanwhile */
	}
	while (!atomic_load_explicit(&w->woken, memory_order_acquire))
		cpu_relax(); /* the waker, on another CPU, is between its lock and its last touch */
	return false;
}

int futex_wait_setup(struct futex_ref *f, u32 val, struct futex_waiter *w)
{
	struct futex_bucket *b = futex_bucket(&f->key);
	u32 now;
	int err;

	for (;;) {
		/* F1: the addition is the fence. */
		atomic_fetch_add_explicit(&b->waiters, 1, memory_order_seq_cst);
		spin_lock(&b->lock);
		err = app_load_u32_nofault(&now, f->addr);
		if (likely(!err && now == val)) {
			futex_enqueue(b, w, &f->key);
			spin_unlock(&b->lock);
			return 0;
		}
		spin_unlock(&b->lock);
		atomic_fetch_sub_explicit(&b->waiters, 1, memory_order_relaxed);
		if (!err)
			return -EAGAIN;
		err = futex_fault_in(f->addr, false);
		if (err)
			return err;
	}
}

int futex_sleep(struct futex_waiter *w, const struct futex_timeout *to)
{
	int ret = 0;

	for (;;) {
		bool in_time;

		thread_set_state(THREAD_INTERRUPTIBLE);
		if (atomic_load_explicit(&w->woken, memory_order_acquire))
			break;
		if (signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		in_time = to->realtime ? schedule_until_realtime(to->deadline) : schedule_until(to->deadline);
		if (!in_time && !atomic_load_explicit(&w->woken, memory_order_acquire)) {
			ret = -ETIMEDOUT;
			break;
		}
	}
	thread_set_state(THREAD_RUNNING);
	return ret;
}

int futex_get_timeout(struct futex_timeout *to, const struct __kernel_timespec __app *ts, bool relative,
		      bool realtime)
{
	struct __kernel_timespec t;
	u64 ns, now;

	*to = (struct futex_timeout){.deadline = WAIT_FOREVER, .realtime = realtime};
	if (!ts)
		return 0;
	if (copy_from_app(&t, ts, sizeof t))
		return -EFAULT;
	if (t.tv_sec < 0 || t.tv_nsec < 0 || (u64)t.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	if ((u64)t.tv_sec >= WAIT_FOREVER / NSEC_PER_SEC)
		return 0; /* 584 years */
	ns = (u64)t.tv_sec * NSEC_PER_SEC + (u64)t.tv_nsec;
	if (relative) {
		now = clock_monotonic();
		ns = ns >= WAIT_FOREVER - now ? WAIT_FOREVER : now + ns;
	}
	to->deadline = ns;
	return 0;
}

static long restart_wait(struct restart_block *r)
{
	struct futex_timeout to = {.deadline = r->arg[3], .realtime = r->arg[2] & 2};

	return futex_wait((u32 __app *)r->arg[0], r->arg[2] & 1, (u32)r->arg[1], (u32)r->arg[4], &to);
}

long futex_wait(u32 __app *addr, bool shared, u32 val, u32 bitset, const struct futex_timeout *to)
{
	struct futex_waiter w;
	struct futex_ref f;
	int err;

	if (!bitset)
		return -EINVAL;
	err = futex_get(&f, addr, shared);
	if (err)
		return err;
	futex_waiter_init(&w);
	w.bitset = bitset;
	err = futex_wait_setup(&f, val, &w);
	if (!err) {
		err = futex_sleep(&w, to);
		if (!futex_unqueue(&w))
			err = 0; /* woken: that counts, whatever came at the same time */
	}
	futex_put(&f);
	if (err == -ERESTARTSYS && to->deadline != WAIT_FOREVER) {
		current->restart = (struct restart_block){
			.fn = restart_wait,
			.arg = {(u64)(__force u32 *)addr, val, (u64)shared | (u64)to->realtime << 1,
				to->deadline, bitset},
		};
		return -ERESTART_RESTARTBLOCK;
	}
	return err;
}

/* Wake up to NR waiters (at least one) on KEY that share a bit of BITSET. -EINVAL: one of them waits for a PI
 * futex. */
static int wake_key(const struct futex_key *key, int nr, u32 bitset)
{
	struct futex_bucket *b = futex_bucket(key);
	struct futex_waiter *w, *next;
	LIST_HEAD(woken);
	int n = 0;

	/* F2. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&b->waiters, memory_order_relaxed))
		return 0;
	spin_lock(&b->lock);
	list_for_each_entry_safe (w, next, &b->list, node) {
		if (!futex_key_equal(&w->key, key))
			continue;
		if (w->pi.pi || w->requeue_pi) {
			n = -EINVAL;
			break;
		}
		if (!(w->bitset & bitset))
			continue;
		futex_take(b, w, &woken);
		if (++n >= nr)
			break;
	}
	spin_unlock(&b->lock);
	futex_wake_list(&woken);
	return n;
}

long futex_wake(u32 __app *addr, bool shared, int nr, u32 bitset)
{
	struct futex_ref f;
	int ret;

	if (!bitset)
		return -EINVAL;
	ret = futex_get(&f, addr, shared);
	if (ret)
		return ret;
	ret = wake_key(&f.key, nr, bitset);
	futex_put(&f);
	return ret;
}

int futex_wake_addr(struct vmspace *vm, u64 addr, int n)
{
	struct futex_key key;
	int ret;

	if (addr % sizeof(u32) || vm_futex_key(vm, addr, false, &key))
		return 0;
	ret = wake_key(&key, n, FUTEX_BITSET_MATCH_ANY);
	if (key.shared)
		vm_futex_key_put(&key);
	return max(ret, 0);
}

static int futex_init(void)
{
	unsigned bits = log2_ceil((u64)cpu_count * BUCKETS_PER_CPU);

	bucket_shift = 64 - bits;
	buckets = kzalloc(sizeof(struct futex_bucket) << bits);
	if (!buckets)
		panic("futex_init: no memory");
	for (unsigned i = 0; i < 1u << bits; i++)
		list_init(&buckets[i].list);
	return 0;
}
INITCALL(futex_init, INIT_LATE);
