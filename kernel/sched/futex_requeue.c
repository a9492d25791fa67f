// SPDX-License-Identifier: BSD-2-Clause
/* Operations on two futexes: FUTEX_WAKE_OP and FUTEX_REQUEUE, FUTEX_CMP_REQUEUE. futex(2). */
#include "futex_internal.h"

static int get_pair(struct futex_ref *f1, u32 __app *addr1, struct futex_ref *f2, u32 __app *addr2,
		    bool shared)
{
	int err = futex_get(f1, addr1, shared);

	if (err)
		return err;
	err = futex_get(f2, addr2, shared);
	if (err)
		futex_put(f1);
	return err;
}

static int sign_extend_12(u32 v)
{
	return (int)(v << 20) >> 20;
}

/* The new value of a word by FUTEX_WAKE_OP's encoding; -ENOSYS for an unknown operation. */
static int apply_op(u32 op, u32 old, u32 *new)
{
	u32 kind = op >> 28 & 7, arg = (u32)sign_extend_12(op >> 12 & 0xfff);

	if (op & (u32)FUTEX_OP_OPARG_SHIFT << 28)
		arg = 1u << (arg & 31);
	switch (kind) {
	case FUTEX_OP_SET:
		*new = arg;
		return 0;
	case FUTEX_OP_ADD:
		*new = old + arg;
		return 0;
	case FUTEX_OP_OR:
		*new = old | arg;
		return 0;
	case FUTEX_OP_ANDN:
		*new = old & ~arg;
		return 0;
	case FUTEX_OP_XOR:
		*new = old ^ arg;
		return 0;
	}
	return -ENOSYS;
}

static int compare_op(u32 op, u32 old)
{
	int v = (int)old, arg = sign_extend_12(op & 0xfff);

	switch (op >> 24 & 0xf) {
	case FUTEX_OP_CMP_EQ:
		return v == arg;
	case FUTEX_OP_CMP_NE:
		return v != arg;
	case FUTEX_OP_CMP_LT:
		return v < arg;
	case FUTEX_OP_CMP_GE:
		return v >= arg;
	case FUTEX_OP_CMP_LE:
		return v <= arg;
	case FUTEX_OP_CMP_GT:
		return v > arg;
	}
	return -ENOSYS;
}

/* Change the word and say whether the comparison held: 0, 1, -EFAULT (try again), -ENOSYS. Buckets locked. */
static int change_word(u32 __app *addr, u32 op)
{
	u32 old, seen, new;
	int err = app_load_u32_nofault(&old, addr);

	while (!err) {
		err = apply_op(op, old, &new);
		if (err)
			break;
		seen = old;
		err = app_cmpxchg_u32_nofault(addr, &seen, new);
		if (!err && seen == old)
			return compare_op(op, old);
		old = seen;
	}
	return err;
}

/* Take up to NR waiters of KEY; -EINVAL when one waits for a PI futex. */
static int take_key(struct futex_bucket *b, const struct futex_key *key, int nr, struct list_head *woken)
{
	struct futex_waiter *w, *next;
	int n = 0;

	list_for_each_entry_safe (w, next, &b->list, node) {
		if (!futex_key_equal(&w->key, key))
			continue;
		if (w->pi.pi || w->requeue_pi)
			return -EINVAL;
		futex_take(b, w, woken);
		if (++n >= nr)
			break;
	}
	return n;
}

long futex_wake_op(u32 __app *addr1, bool shared, int nr1, u32 __app *addr2, int nr2, u32 op)
{
	struct futex_bucket *b1, *b2;
	struct futex_ref f1, f2;
	LIST_HEAD(woken);
	int n, ret, more;

	ret = get_pair(&f1, addr1, &f2, addr2, shared);
	if (ret)
		return ret;
	b1 = futex_bucket(&f1.key);
	b2 = futex_bucket(&f2.key);
	for (;;) {
		futex_lock_pair(b1, b2);
		ret = change_word(addr2, op);
		if (ret != -EFAULT)
			break;
		futex_unlock_pair(b1, b2);
		ret = futex_fault_in(addr2, true);
		if (ret)
			goto out;
	}
	if (ret < 0)
		goto unlock;
	n = take_key(b1, &f1.key, nr1, &woken);
	if (n >= 0 && ret) {
		more = take_key(b2, &f2.key, nr2, &woken);
		n = more < 0 ? more : n + more;
	}
	ret = n;
unlock:
	futex_unlock_pair(b1, b2);
	futex_wake_list(&woken);
out:
	futex_put(&f2);
	futex_put(&f1);
	return ret;
}

/* Move W to the other futex; the caller holds both locks. */
static void move(struct futex_bucket *from, struct futex_bucket *to, struct futex_waiter *w,
		 const struct futex_key *key)
{
	if (from != to) {
		list_del(&w->node);
		futex_insert(to, w);
		atomic_fetch_sub_explicit(&from->waiters, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&to->waiters, 1, memory_order_relaxed);
		atomic_store_explicit(&w->bucket, to, memory_order_release);
	}
	w->key = *key;
}

/* The word is compared under the locks, so that a wake-up between the comparison and the move cannot be
 * missed. */
long futex_requeue(u32 __app *addr1, bool shared, int nr_wake, u32 __app *addr2, int nr_requeue,
		   const u32 *cmp)
{
	struct futex_waiter *w, *next;
	struct futex_bucket *b1, *b2;
	struct futex_ref f1, f2;
	LIST_HEAD(woken);
	int ret, n = 0;
	u32 now;

	if (nr_wake < 0 || nr_requeue < 0)
		return -EINVAL;
	ret = get_pair(&f1, addr1, &f2, addr2, shared);
	if (ret)
		return ret;
	b1 = futex_bucket(&f1.key);
	b2 = futex_bucket(&f2.key);
	for (;;) {
		/* Who is moved must be found by wakers of the second futex from the moment that this call can
		 * be seen. */
		atomic_fetch_add_explicit(&b2->waiters, 1, memory_order_seq_cst);
		futex_lock_pair(b1, b2);
		ret = cmp ? app_load_u32_nofault(&now, addr1) : 0;
		if (!ret)
			break;
		futex_unlock_pair(b1, b2);
		atomic_fetch_sub_explicit(&b2->waiters, 1, memory_order_relaxed);
		ret = futex_fault_in(addr1, false);
		if (ret)
			goto out;
	}
	if (cmp && now != *cmp) {
		ret = -EAGAIN;
		goto unlock;
	}
	list_for_each_entry_safe (w, next, &b1->list, node) {
		if (n >= nr_wake + (s64)nr_requeue)
			break;
		if (!futex_key_equal(&w->key, &f1.key))
			continue;
		if (w->pi.pi || w->requeue_pi) {
			ret = -EINVAL;
			break;
		}
		if (n < nr_wake)
			futex_take(b1, w, &woken);
		else if (!futex_key_equal(&f1.key, &f2.key))
			move(b1, b2, w, &f2.key);
		n++;
	}
	if (!ret)
		ret = n;
unlock:
	atomic_fetch_sub_explicit(&b2->waiters, 1, memory_order_relaxed);
	futex_unlock_pair(b1, b2);
	futex_wake_list(&woken);
out:
	futex_put(&f2);
	futex_put(&f1);
	return ret;
}
