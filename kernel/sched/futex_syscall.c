// SPDX-License-Identifier: BSD-2-Clause
/* futex(2) and futex_waitv(2): decoding. */
#include "kernel/alloc.h"
#include "kernel/syscall.h"
#include "futex_internal.h"
#include <linux/time.h>

static bool has_timeout(int cmd)
{
	switch (cmd) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_WAIT_REQUEUE_PI:
		return true;
	}
	return false;
}

static __noinline long futex_any(u32 __app *addr, int op, u32 val,
				 const struct __kernel_timespec __app *timeout, u32 __app *addr2, u32 val3)
{
	int cmd = op & FUTEX_CMD_MASK, val2 = (int)(u64)timeout;
	bool shared = !(op & FUTEX_PRIVATE_FLAG), realtime = op & FUTEX_CLOCK_REALTIME;
	struct futex_timeout to;
	int err;

	if (realtime && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_WAIT_REQUEUE_PI && cmd != FUTEX_LOCK_PI2)
		return -ENOSYS;
	if (has_timeout(cmd)) {
		err = futex_get_timeout(&to, timeout, cmd == FUTEX_WAIT, realtime || cmd == FUTEX_LOCK_PI);
		if (err)
			return err;
	}
	switch (cmd) {
	case FUTEX_WAIT:
		return futex_wait(addr, shared, val, FUTEX_BITSET_MATCH_ANY, &to);
	case FUTEX_WAIT_BITSET:
		return futex_wait(addr, shared, val, val3, &to);
	case FUTEX_WAKE:
		return futex_wake(addr, shared, (int)val, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(addr, shared, (int)val, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(addr, shared, (int)val, addr2, val2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(addr, shared, (int)val, addr2, val2, &val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(addr, shared, (int)val, addr2, val2, val3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return futex_lock_pi(addr, shared, false, &to);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(addr, shared, true, NULL);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(addr, shared);
	case FUTEX_WAIT_REQUEUE_PI:
		return futex_wait_requeue_pi(addr, shared, val, FUTEX_BITSET_MATCH_ANY, addr2, &to);
	case FUTEX_CMP_REQUEUE_PI:
		return val == 1 ? futex_requeue_pi(addr, shared, val2, addr2, val3) : -EINVAL;
	}
	return -ENOSYS;
}

/* What locks and condition variables do most has a way of its own: the frame of the others is large. */
SYSCALL_DEFINE6(futex, u32 __app *, addr, int, op, u32, val, const struct __kernel_timespec __app *, timeout,
		u32 __app *, addr2, u32, val3)
{
	static const struct futex_timeout never = {.deadline = WAIT_FOREVER};

	if (op == (FUTEX_WAKE | FUTEX_PRIVATE_FLAG))
		return futex_wake(addr, false, (int)val, FUTEX_BITSET_MATCH_ANY);
	if (op == (FUTEX_WAIT | FUTEX_PRIVATE_FLAG) && !timeout)
		return futex_wait(addr, false, val, FUTEX_BITSET_MATCH_ANY, &never);
	return futex_any(addr, op, val, timeout, addr2, val3);
}

/* futex_waitv: one waiter for each word; whichever is woken first ends the wait. */
struct waitv {
	struct futex_waiter waiter;
	struct futex_ref ref;
	struct futex_waitv item;
};

static int waitv_load(struct waitv *v, const struct futex_waitv __app *items, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct futex_waitv *item = &v[i].item;

		if (copy_from_app(&v[i].item, &items[i], sizeof *item))
			return -EFAULT;
		if ((item->flags & ~(u32)(FUTEX_32 | FUTEX_PRIVATE_FLAG)) || item->__reserved ||
		    !(item->flags & FUTEX_32) || item->val > UINT32_MAX)
			return -EINVAL;
	}
	return 0;
}

/* Find all words, so that a bad address is told before a changed value. */
static int waitv_get(struct waitv *v, unsigned n)
{
	int err;

	for (unsigned i = 0; i < n; i++) {
		err = futex_get(&v[i].ref, (u32 __app *)v[i].item.uaddr,
				!(v[i].item.flags & FUTEX_PRIVATE_FLAG));
		if (err) {
			while (i--)
				futex_put(&v[i].ref);
			return err;
		}
	}
	return 0;
}

/* Queue on all, or up to one whose value changed: its number is left in *N. */
static int waitv_enqueue(struct waitv *v, unsigned *n)
{
	int err;

	for (unsigned i = 0; i < *n; i++) {
		futex_waiter_init(&v[i].waiter);
		err = futex_wait_setup(&v[i].ref, (u32)v[i].item.val, &v[i].waiter);
		if (err) {
			*n = i;
			return err;
		}
	}
	return 0;
}

/* Take all of the first N off again. Returns the index of one that was woken, or -1. */
static int waitv_unqueue(struct waitv *v, unsigned n)
{
	int woken = -1;

	for (unsigned i = 0; i < n; i++) {
		if (!futex_unqueue(&v[i].waiter))
			woken = (int)i;
	}
	return woken;
}

static bool waitv_any_woken(struct waitv *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (atomic_load_explicit(&v[i].waiter.woken, memory_order_acquire))
			return true;
	return false;
}

static int waitv_sleep(struct waitv *v, unsigned n, const struct futex_timeout *to)
{
	int ret = 0;

	for (;;) {
		thread_set_state(THREAD_INTERRUPTIBLE);
		if (waitv_any_woken(v, n))
			break;
		if (signal_pending(current)) {
			ret = -ERESTARTSYS;
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

SYSCALL_DEFINE5(futex_waitv, struct futex_waitv __app *, waiters, unsigned, n, unsigned, flags,
		const struct __kernel_timespec __app *, timeout, int, clock)
{
	struct futex_timeout to = {.deadline = WAIT_FOREVER};
	unsigned queued = n;
	struct waitv *v;
	int ret, woken;

	if (flags || !n || n > FUTEX_WAITV_MAX || !waiters)
		return -EINVAL;
	if (timeout) {
		if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
			return -EINVAL;
		ret = futex_get_timeout(&to, timeout, false, clock == CLOCK_REALTIME);
		if (ret)
			return ret;
	}
	v = kcalloc(n, sizeof *v);
	if (!v)
		return -ENOMEM;
	ret = waitv_load(v, waiters, n);
	if (!ret)
		ret = waitv_get(v, n);
	if (ret)
		goto free;
	ret = waitv_enqueue(v, &queued);
	if (!ret)
		ret = waitv_sleep(v, n, &to);
	woken = waitv_unqueue(v, queued);
	for (unsigned i = 0; i < n; i++)
		futex_put(&v[i].ref);
	/* A wake-up that came while we were still queuing counts too: the waker believes that it woke
	 * somebody. */
	if (woken >= 0)
		ret = woken;
free:
	kfree(v);
	return ret;
}
