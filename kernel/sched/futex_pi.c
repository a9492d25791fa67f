// SPDX-License-Identifier: BSD-2-Clause
/* Priority-inheriting futexes: the word holds the owner's thread id; whoever waits lends the owner its
 * priority. futex(2), "Priority-inheritance futexes"; Sha, Rajkumar, Lehoczky 1990.
 *
 * A pi_state exists while somebody waits. It is found through any waiter on the bucket with its key, so the
 * bucket's lock keeps it. Unlock hands the futex to the first waiter by priority: word, owner, and lent
 * priorities change in one step. pi_lock, taken inside bucket locks, guards all pi_states, the lists of who
 * owns and waits, and the chains between them; only contended PI operations take it. A chain (owner waits for
 * a futex whose owner waits ...) has no cycle: lock refuses to make one (EDEADLK). */
#include "kernel/alloc.h"
#include "kernel/process.h"
#include "futex_internal.h"

static struct spinlock pi_lock = SPINLOCK_INIT;

/* Lending: all under pi_lock. */

static u8 priority_of(struct thread *t)
{
	u8 own = READ_ONCE(t->se.want.rt_priority),
	   lent = atomic_load_explicit(&t->se.boost, memory_order_relaxed);

	return max(own, lent);
}

static void insert_by_priority(struct pi_state *s, struct pi_waiter *w)
{
	struct list_head *before = s->waiters.prev;

	/* From the end: most often all are alike. */
	while (before != &s->waiters && list_entry(before, struct pi_waiter, node)->priority < w->priority)
		before = before->prev;
	list_add(&w->node, before);
}

/* What OWNER's waiters lend may have changed: adjust it, and whoever it waits for in turn. */
static void lend(struct thread *owner)
{
	while (owner) {
		struct pi_waiter *w = owner->se.pi_blocked;
		struct pi_state *s;
		u8 top = 0;

		list_for_each_entry (s, &owner->se.pi_owned, owner_node)
			if (!list_empty(&s->waiters))
				top = max(top,
					  list_first_entry(&s->waiters, struct pi_waiter, node)->priority);
		if (atomic_load_explicit(&owner->se.boost, memory_order_relaxed) != top)
			sched_set_boost(owner, top);
		if (!w || w->priority == priority_of(owner))
			return;
		w->priority = priority_of(owner);
		list_del(&w->node);
		insert_by_priority(w->pi, w);
		owner = w->pi->owner;
	}
}

void futex_priority_changed(struct thread *t)
{
	spin_lock(&pi_lock);
	if (t->se.pi_blocked)
		lend(t);
	spin_unlock(&pi_lock);
}

static bool makes_cycle(struct thread *waiter, struct pi_state *s)
{
	struct thread *t = s->owner;

	while (t && t != waiter)
		t = t->se.pi_blocked ? t->se.pi_blocked->pi->owner : NULL;
	return t == waiter;
}

static void set_owner(struct pi_state *s, struct thread *owner)
{
	struct thread *old = s->owner;

	list_del(&s->owner_node);
	s->owner = owner;
	thread_get(owner);
	list_add_tail(&s->owner_node, &owner->se.pi_owned);
	lend(old);
	lend(owner);
	thread_put(old);
}

/* Waiter and state: bucket locked. */

static int start_waiting(struct futex_waiter *w, struct pi_state *s)
{
	int err = 0;

	spin_lock(&pi_lock);
	if (makes_cycle(w->thread, s)) {
		err = -EDEADLK;
	} else {
		w->pi.pi = s;
		w->pi.priority = priority_of(w->thread);
		w->thread->se.pi_blocked = &w->pi;
		s->refs++;
		insert_by_priority(s, &w->pi);
		lend(s->owner);
	}
	spin_unlock(&pi_lock);
	return err;
}

/* Drop a reference that no waiter holds any more; the last one frees S. */
static void release_state(struct pi_state *s)
{
	if (s->refs)
		return;
	list_del(&s->owner_node);
	lend(s->owner);
	thread_put(s->owner);
	kfree(s);
}

/* W does not wait for its futex any more, having got it or not. */
static void stop_waiting(struct futex_waiter *w)
{
	struct pi_state *s = w->pi.pi;

	spin_lock(&pi_lock);
	if (!atomic_load_explicit(&w->granted, memory_order_relaxed)) {
		list_del(&w->pi.node);
		w->thread->se.pi_blocked = NULL;
		lend(s->owner);
	}
	w->pi.pi = NULL;
	s->refs--;
	release_state(s);
	spin_unlock(&pi_lock);
}

/* Give S to its first waiter, which the caller wakes; it stays on the bucket until it runs. pi_lock and the
 * bucket are held: woken before they are dropped, it would only run into them. Its structure stays until the
 * caller sleeps (RCU). */
static struct thread *hand_over(struct pi_state *s, bool died)
{
	struct pi_waiter *pw = list_first_entry(&s->waiters, struct pi_waiter, node);
	struct futex_waiter *w = container_of(pw, struct futex_waiter, pi);
	struct thread *heir = pw->thread;

	list_del(&pw->node);
	heir->se.pi_blocked = NULL;
	set_owner(s, heir);
	w->owner_died = died;
	s->word_stale = died;
	atomic_store_explicit(&w->granted, true, memory_order_release);
	return heir;
}

static struct futex_waiter *first_waiter(struct futex_bucket *b, const struct futex_key *key)
{
	struct futex_waiter *w;

	list_for_each_entry (w, &b->list, node)
		if (futex_key_equal(&w->key, key))
			return w;
	return NULL;
}

/* The word changed under us, so look again; or it did not, and ERR it is. */
static int changed_or(u32 __app *addr, u32 seen, int err)
{
	u32 now;

	if (app_load_u32_nofault(&now, addr))
		return -EFAULT;
	return now != seen ? -EAGAIN : err;
}

/* A state for a futex that nobody waits for yet, owned by the thread that its word names. Consumes *SPARE. */
static int make_state(struct futex_ref *f, u32 word, struct pi_state **spare, struct pi_state **out)
{
	struct thread *owner = thread_find(word & FUTEX_TID_MASK);
	struct pi_state *s = *spare;
	u32 seen = word;
	int err;

	if (!owner)
		return changed_or(f->addr, word, -ESRCH);
	err = -EPERM;
	if (thread_test_flag(owner, THREAD_KERNEL))
		goto put;
	err = app_cmpxchg_u32_nofault(f->addr, &seen, word | FUTEX_WAITERS);
	if (!err && seen != word)
		err = -EAGAIN;
	if (err)
		goto put;
	spin_lock(&pi_lock);
	if (owner->se.pi_exiting) {
		/* It has marked its robust futexes already: if this one was among them, the word shows it. */
		spin_unlock(&pi_lock);
		err = changed_or(f->addr, word | FUTEX_WAITERS, -ESRCH);
		goto put;
	}
	*s = (struct pi_state){.owner = owner, .key = f->key};
	list_init(&s->waiters);
	list_add_tail(&s->owner_node, &owner->se.pi_owned);
	spin_unlock(&pi_lock);
	*spare = NULL;
	*out = s;
	return 0; /* the reference of thread_find() is the state's */
put:
	thread_put(owner);
	return err;
}

/* Does the word name S's owner? Of one that died it tells that nobody is, until its heir has written it:
 * between the walk of the robust list and futex_exit_pi(), and while `word_stale`. */
static bool word_agrees(struct pi_state *s, u32 word)
{
	u32 tid = word & FUTEX_TID_MASK;

	return tid == s->owner->tid || s->word_stale || (!tid && word & FUTEX_OWNER_DIED);
}

/* Take the futex for T or find whom to wait for. 1: T has it. 0: wait for *OUT (WAITERS is set in the word);
 * drop it with drop_state() if nobody does. -EAGAIN: start over. -EFAULT: make the word writable. Bucket
 * locked. */
static int lock_word(struct futex_ref *f, struct futex_bucket *b, struct thread *t, struct pi_state **spare,
		     struct pi_state **out)
{
	struct futex_waiter *w;
	struct pi_state *s;
	u32 word, seen;
	int err;

	err = app_load_u32_nofault(&word, f->addr);
	if (err)
		return err;
	if ((word & FUTEX_TID_MASK) == t->tid)
		return -EDEADLK;
	w = first_waiter(b, &f->key);
	seen = word;
	if (!w && !(word & FUTEX_TID_MASK)) {
		err = app_cmpxchg_u32_nofault(f->addr, &seen, t->tid | (word & FUTEX_OWNER_DIED));
		return err ? err : (seen == word ? 1 : -EAGAIN);
	}
	if (!w)
		return make_state(f, word, spare, out);
	s = w->pi.pi;
	if (!s)
		return -EINVAL;
	if (!word_agrees(s, word))
		return -EINVAL; /* the application wrote the word behind our back */
	if (!(word & FUTEX_WAITERS)) {
		err = app_cmpxchg_u32_nofault(f->addr, &seen, word | FUTEX_WAITERS);
		if (err || seen != word)
			return err ? err : -EAGAIN;
	}
	*out = s;
	return 0;
}

static void drop_state(struct pi_state *s)
{
	spin_lock(&pi_lock);
	release_state(s);
	spin_unlock(&pi_lock);
}

/* W owns a futex whose owner died: write that into the word. -EFAULT: make it writable and come again. Bucket
 * locked. */
static int write_died(struct futex_waiter *w, u32 __app *addr)
{
	struct pi_state *s = w->pi.pi;
	u32 word, seen, new;
	int err = app_load_u32_nofault(&word, addr);

	while (!err) {
		new = w->thread->tid | FUTEX_OWNER_DIED | (s->refs > 1 ? FUTEX_WAITERS : 0);
		seen = word;
		err = app_cmpxchg_u32_nofault(addr, &seen, new);
		if (!err && seen == word)
			break;
		word = seen;
	}
	if (!err) {
		w->owner_died = false;
		s->word_stale = false;
	}
	return err;
}

static int sleep_pi(struct futex_waiter *w, const struct futex_timeout *to)
{
	int ret = 0;

	for (;;) {
		thread_set_state(THREAD_INTERRUPTIBLE);
		if (atomic_load_explicit(&w->granted, memory_order_acquire) ||
		    atomic_load_explicit(&w->woken, memory_order_acquire))
			break;
		if (signal_pending(current)) {
			ret = -ERESTARTNOINTR;
			break;
		}
		if (!(to->realtime ? schedule_until_realtime(to->deadline) : schedule_until(to->deadline))) {
			ret = -ETIMEDOUT;
			break;
		}
	}
	thread_set_state(THREAD_RUNNING);
	return ret;
}

/* W, which slept on the PI futex at ADDR, leaves it: 0 when it was granted, else ERR. The bucket is B,
 * locked; unlocks it. */
static int leave_pi(struct futex_bucket *b, struct futex_waiter *w, u32 __app *addr, int err)
{
	bool granted = atomic_load_explicit(&w->granted, memory_order_relaxed);
	int fault = 0;

	while (granted && w->owner_died && !fault && write_died(w, addr)) {
		spin_unlock(&b->lock);
		fault = futex_fault_in(addr, true);
		spin_lock(&b->lock);
	}
	futex_dequeue(b, w);
	stop_waiting(w);
	spin_unlock(&b->lock);
	return fault ? fault : granted ? 0 : err;
}

long futex_lock_pi(u32 __app *addr, bool shared, bool try, const struct futex_timeout *to)
{
	struct pi_state *spare, *s = NULL;
	struct futex_bucket *b;
	struct futex_waiter w;
	struct futex_ref f;
	int ret;

	ret = futex_get(&f, addr, shared);
	if (ret)
		return ret;
	futex_waiter_init(&w);
	b = futex_bucket(&f.key);
	spare = kmalloc(sizeof *spare);
	if (!spare) {
		ret = -ENOMEM;
		goto out;
	}
	for (;;) {
		spin_lock(&b->lock);
		ret = lock_word(&f, b, current, &spare, &s);
		if (ret != -EAGAIN && ret != -EFAULT)
			break;
		spin_unlock(&b->lock);
		if (ret == -EFAULT) {
			ret = futex_fault_in(addr, true);
			if (ret)
				goto out;
		}
		cond_resched();
	}
	if (ret) {
		ret = ret == 1 ? 0 : ret;
		goto unlock;
	}
	ret = try ? -EAGAIN : start_waiting(&w, s);
	if (ret) {
		drop_state(s);
		goto unlock;
	}
	atomic_fetch_add_explicit(&b->waiters, 1, memory_order_relaxed);
	futex_enqueue(b, &w, &f.key);
	spin_unlock(&b->lock);
	ret = sleep_pi(&w, to);
	spin_lock(&b->lock);
	ret = leave_pi(b, &w, addr, ret);
	goto out;
unlock:
	spin_unlock(&b->lock);
out:
	kfree(spare);
	futex_put(&f);
	return ret;
}

/* Give the futex, whose word is WORD, to the next waiter, *HEIR, or set it free. Bucket locked. */
static int unlock_word(struct futex_ref *f, struct futex_bucket *b, u32 word, struct thread **heir)
{
	struct futex_waiter *w = first_waiter(b, &f->key);
	struct pi_state *s = w ? w->pi.pi : NULL;
	u32 seen = word, new = 0;
	int err;

	if (w && (!s || s->owner != current))
		return -EINVAL;
	spin_lock(&pi_lock);
	if (s && !list_empty(&s->waiters)) {
		struct pi_waiter *next = list_first_entry(&s->waiters, struct pi_waiter, node);

		new = next->thread->tid | (next->node.next != &s->waiters ? FUTEX_WAITERS : 0);
	}
	err = app_cmpxchg_u32_nofault(f->addr, &seen, new);
	if (!err && seen != word)
		err = -EAGAIN;
	if (!err && new)
		*heir = hand_over(s, false);
	spin_unlock(&pi_lock);
	return err;
}

long futex_unlock_pi(u32 __app *addr, bool shared)
{
	struct thread *heir = NULL;
	struct futex_bucket *b;
	struct futex_ref f;
	u32 word;
	int ret;

	ret = futex_get(&f, addr, shared);
	if (ret)
		return ret;
	b = futex_bucket(&f.key);
	for (;;) {
		ret = futex_read(&word, addr);
		if (!ret && (word & FUTEX_TID_MASK) != current->tid)
			ret = -EPERM;
		if (ret)
			break;
		spin_lock(&b->lock);
		ret = unlock_word(&f, b, word, &heir);
		spin_unlock(&b->lock);
		if (heir)
			thread_wake(heir);
		if (ret == -EFAULT)
			ret = futex_fault_in(addr, true);
		else if (ret != -EAGAIN)
			break;
		if (ret && ret != -EAGAIN)
			break;
		cond_resched();
	}
	futex_put(&f);
	return ret;
}

/* The owner exits: its contended PI futexes go to their first waiters, who write the words themselves. */
void futex_exit_pi(struct thread *t)
{
	spin_lock(&pi_lock);
	t->se.pi_exiting = true;
	while (!list_empty(&t->se.pi_owned)) {
		struct pi_state *s = list_first_entry(&t->se.pi_owned, struct pi_state, owner_node);
		struct futex_key key = s->key;
		struct futex_bucket *b = futex_bucket(&key);

		spin_unlock(&pi_lock); /* the bucket comes first */
		spin_lock(&b->lock);
		spin_lock(&pi_lock);
		if (!list_empty(&t->se.pi_owned) &&
		    list_first_entry(&t->se.pi_owned, struct pi_state, owner_node) == s &&
		    futex_key_equal(&s->key, &key) && !list_empty(&s->waiters))
			thread_wake(hand_over(s, true));
		spin_unlock(&b->lock); /* pi_lock stays: the list is looked at again */
	}
	spin_unlock(&pi_lock);
}

/* FUTEX_WAIT_REQUEUE_PI: wait on a plain futex (a condition variable) to be moved to, or given, a PI futex
 * (its mutex). */
long futex_wait_requeue_pi(u32 __app *addr1, bool shared, u32 val, u32 bitset, u32 __app *addr2,
			   const struct futex_timeout *to)
{
	struct futex_ref f1, f2;
	struct futex_bucket *b;
	struct futex_waiter w;
	int ret;

	if (addr1 == addr2 || !bitset)
		return -EINVAL;
	ret = futex_get(&f2, addr2, shared);
	if (ret)
		return ret;
	ret = futex_get(&f1, addr1, shared);
	if (ret)
		goto put2;
	ret = -EINVAL;
	if (futex_key_equal(&f1.key, &f2.key))
		goto put1;
	futex_waiter_init(&w);
	w.bitset = bitset;
	w.requeue_pi = &f2.key;
	ret = futex_wait_setup(&f1, val, &w);
	if (ret)
		goto put1;
	ret = sleep_pi(&w, to);
	while ((b = atomic_load_explicit(&w.bucket, memory_order_acquire))) {
		spin_lock(&b->lock);
		if (atomic_load_explicit(&w.bucket, memory_order_relaxed) != b) {
			spin_unlock(&b->lock);
			continue;
		}
		if (w.pi.pi) {
			/* Moved. A restart would find VAL changed: say so at once. */
			ret = leave_pi(b, &w, addr2, ret == -ERESTARTNOINTR ? -EAGAIN : ret);
		} else {
			futex_dequeue(b, &w);
			spin_unlock(&b->lock);
			ret = ret ? ret : -EAGAIN;
		}
		goto put1;
	}
	while (!atomic_load_explicit(&w.woken, memory_order_acquire))
		cpu_relax();
	ret = 0; /* the requeuer took the futex for us */
put1:
	futex_put(&f1);
put2:
	futex_put(&f2);
	return ret;
}

/* Give or move one waiter of F1 to the PI futex F2. 1: it has it; 0: it waits there. Both locked. */
static int requeue_one(struct futex_ref *f2, struct futex_bucket *b1, struct futex_bucket *b2,
		       struct futex_waiter *w, struct pi_state **spare, struct list_head *woken)
{
	struct pi_state *s = NULL;
	int ret;

	if (!w->requeue_pi || !futex_key_equal(w->requeue_pi, &f2->key))
		return -EINVAL;
	if (!*spare)
		return -ENOMEM; /* the caller brings a new one and comes again */
	ret = lock_word(f2, b2, w->thread, spare, &s);
	if (ret < 0)
		return ret;
	if (ret == 1) {
		futex_take(b1, w, woken);
		return 1;
	}
	ret = start_waiting(w, s);
	if (ret) {
		drop_state(s);
		return ret;
	}
	if (b1 != b2) {
		atomic_fetch_add_explicit(&b2->waiters, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&b1->waiters, 1, memory_order_relaxed);
	}
	list_del(&w->node);
	futex_insert(b2, w);
	w->key = f2->key;
	atomic_store_explicit(&w->bucket, b2, memory_order_release);
	return 0;
}

long futex_requeue_pi(u32 __app *addr1, bool shared, int nr_requeue, u32 __app *addr2, u32 cmp)
{
	struct pi_state *spare = NULL;
	struct futex_bucket *b1, *b2;
	struct futex_ref f1, f2;
	struct futex_waiter *w;
	LIST_HEAD(woken);
	int ret, done = 0;
	bool first = true;
	u32 now;

	if (addr1 == addr2 || nr_requeue < 0)
		return -EINVAL;
	ret = futex_get(&f1, addr1, shared);
	if (ret)
		return ret;
	ret = futex_get(&f2, addr2, shared);
	if (ret)
		goto put1;
	ret = -EINVAL;
	if (futex_key_equal(&f1.key, &f2.key))
		goto put2;
	b1 = futex_bucket(&f1.key);
	b2 = futex_bucket(&f2.key);
	while (done < 1 + (s64)nr_requeue) {
		u32 __app *fault = addr2;

		if (!spare)
			spare = kmalloc(sizeof *spare);
		ret = -ENOMEM;
		if (!spare)
			break;
		futex_lock_pair(b1, b2);
		/* Only the first round compares: what follows is part of the same operation. */
		ret = first ? app_load_u32_nofault(&now, addr1) : 0;
		if (ret) {
			fault = addr1;
		} else if (first && now != cmp) {
			ret = -EAGAIN;
			futex_unlock_pair(b1, b2);
			break;
		} else {
			w = first_waiter(b1, &f1.key);
			ret = w ? requeue_one(&f2, b1, b2, w, &spare, &woken) : -ENOENT;
		}
		futex_unlock_pair(b1, b2);
		futex_wake_list(&woken);
		list_init(&woken);
		if (ret >= 0) {
			first = false;
			done++;
		} else if (ret == -EFAULT) {
			ret = futex_fault_in(fault, fault == addr2);
			if (ret)
				break;
		} else if (ret != -EAGAIN) {
			break; /* -ENOENT: no waiter is left */
		}
		cond_resched();
	}
	if (ret == -ENOENT || ret >= 0)
		ret = done;
put2:
	futex_put(&f2);
put1:
	futex_put(&f1);
	kfree(spare);
	return ret;
}
