// SPDX-License-Identifier: BSD-2-Clause
/* Robust futexes: a thread registers a list of the locks that it holds; when it ends, the kernel marks them
 * FUTEX_OWNER_DIED and wakes a waiter. set_robust_list(2), get_robust_list(2); Documentation/robust-futex-ABI
 * of Linux. The list lies in memory that the application may have corrupted: every access may fail, and its
 * length is bounded. */
#include "kernel/counter.h"
#include "kernel/process.h"
#include "kernel/ptrace.h"
#include "kernel/syscall.h"
#include "futex_internal.h"

DEFINE_COUNTER(futex_owners_died, "futexes whose owner ended without unlocking");

SYSCALL_DEFINE2(set_robust_list, struct robust_list_head __app *, head, size_t, len)
{
	if (len != sizeof *head)
		return -EINVAL;
	current->robust_list = head;
	current->robust_list_len = len;
	return 0;
}

SYSCALL_DEFINE3(get_robust_list, int, pid, struct robust_list_head __app *__app *, head, size_t __app *, len)
{
	struct thread *t = pid ? thread_find((u32)pid) : current;
	struct robust_list_head __app *list;
	int err;

	if (!t)
		return -ESRCH;
	err = ptrace_may_access_thread(t, PTRACE_BY_REAL_IDS) ? 0 : -EPERM;
	list = t->robust_list;
	if (pid)
		thread_put(t);
	if (err)
		return err;
	if (copy_to_app(len, &(size_t){sizeof(struct robust_list_head)}, sizeof(size_t)) ||
	    copy_to_app(head, &list, sizeof list))
		return -EFAULT;
	return 0;
}

/* The owner of the lock at ADDR, if that is T, died. PENDING: T was about to take or release it. */
static int mark_died(struct thread *t, u32 __app *addr, bool pi, bool pending)
{
	u32 word, seen, new;
	int err;

	if ((u64)(__force u32 *)addr % sizeof(u32) || !app_range_ok(addr, sizeof word) ||
	    futex_read(&word, addr))
		return -EFAULT;
	/* It had released the lock but not yet woken a waiter, or had been woken and not yet taken it: wake
	 * one for it. */
	if (pending && !pi && !(word & FUTEX_TID_MASK)) {
		futex_wake_addr(t->vm, (u64)(__force u32 *)addr, 1);
		return 0;
	}
	while ((word & FUTEX_TID_MASK) == t->tid) {
		new = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
		seen = word;
		err = app_cmpxchg_u32_nofault(addr, &seen, new);
		if (err) {
			err = futex_fault_in(addr, true);
			if (err)
				return err;
			continue;
		}
		if (seen == word) {
			counter_inc(&futex_owners_died);
			/* Waiters of a PI futex are served by futex_exit_pi(). */
			if (!pi && (word & FUTEX_WAITERS))
				futex_wake_addr(t->vm, (u64)(__force u32 *)addr, 1);
			break;
		}
		word = seen;
	}
	return 0;
}

/* Bit 0 of a link says that the lock inherits priorities. */
static struct robust_list __app *untag(u64 link, bool *pi)
{
	*pi = link & 1;
	return (struct robust_list __app *)(link & ~1ull);
}

static void walk_robust_list(struct thread *t)
{
	struct robust_list_head __app *head = t->robust_list;
	struct robust_list __app *entry, *pending;
	struct robust_list_head h;
	bool pi, next_pi, pending_pi;
	u64 link;

	if (copy_from_app(&h, head, sizeof h))
		return;
	entry = untag((u64)h.list.next, &pi);
	pending = untag((u64)h.list_op_pending, &pending_pi);
	for (unsigned n = 0; entry != (struct robust_list __app *)head && n < ROBUST_LIST_LIMIT; n++) {
		/* Before the lock is marked: its next owner may free it. */
		bool bad = get_app(link, (u64 __app *)entry);

		if (entry != pending &&
		    mark_died(t, (u32 __app *)((u64)(__force void *)entry + (u64)h.futex_offset), pi, false))
			return;
		if (bad)
			return;
		entry = untag(link, &next_pi);
		pi = next_pi;
		cond_resched();
	}
	if (pending)
		mark_died(t, (u32 __app *)((u64)(__force void *)pending + (u64)h.futex_offset), pending_pi,
			  true);
}

void futex_exit_robust(struct thread *t)
{
	if (t->robust_list)
		walk_robust_list(t);
	t->robust_list = NULL;
	futex_exit_pi(t);
	/* After exec the thread lives on and may own futexes of its new program. One that ends makes way at
	 * once for whom it wakes last: who joins it, or its parent. */
	if (!t->sig.leaving)
		t->se.pi_exiting = false;
	else
		t->se.handoffs = SCHED_HANDOFFS;
}
