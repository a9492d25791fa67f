// SPDX-License-Identifier: BSD-2-Clause
/* futex(2) between real threads on the test's own memory: each operation's result and errno, timeouts on
 * virtual time, signals, faults, and a hammering that loses no wake-up. Run it with SAN=thread as well. */
// sources: kernel/sched/futex.c kernel/sched/futex_requeue.c
// sources: kernel/sched/futex_pi.c kernel/sched/futex_syscall.c
#include "unit.h"
#include "base/err.h"
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "kernel/sched/futex_internal.h"
#include "sched/sched_area.h"
#include <limits.h>
#include <linux/futex.h>

long sys_futex(u64, u64, u64, u64, u64, u64);
long sys_futex_waitv(u64, u64, u64, u64, u64, u64);

#define P(op) (FUTEX_##op | FUTEX_PRIVATE_FLAG)
#define NONE  0xffffffffull

static _Atomic u32 word, word2;

static long fut(void *addr, int op, u64 val, u64 timeout, void *addr2, u64 val3)
{
	return sys_futex((u64)addr, (u64)op, val, timeout, (u64)addr2, val3);
}

struct sleeper {
	struct thread *t;
	void *addr, *addr2;
	int op;
	u32 val, bitset;
	struct __kernel_timespec ts, *timeout;
	_Atomic long ret;
	_Atomic bool done;
};

static void sleep_main(void *arg)
{
	struct sleeper *s = arg;

	sched_area_add_thread(current);
	s->ret = fut(s->addr, s->op, s->val, (u64)s->timeout, s->addr2, s->bitset);
	s->done = true;
}

static void start(struct sleeper *s, void *addr, int op, u32 val, u32 bitset)
{
	s->addr = addr;
	s->op = op;
	s->val = val;
	s->bitset = bitset;
	s->ret = 12345;
	s->done = false;
	s->t = host_thread_start(sleep_main, s);
	assert_true(host_thread_wait_asleep(s->t));
}

static long finish(struct sleeper *s)
{
	host_thread_join(s->t);
	return s->ret;
}

static int setup(void **state)
{
	static bool once;

	host_app_clear();
	word = word2 = 0;
	sched_area_add_thread(current);
	if (!once)
		assert_int_equal(host_run_initcalls(INIT_LATE), 0);
	once = true;
	return 0;
}

static void test_wait_needs_the_value(void **state)
{
	word = 7;
	assert_int_equal(fut(&word, P(WAIT), 6, 0, NULL, 0), -EAGAIN);
	assert_int_equal(fut(&word, P(WAKE), 1, 0, NULL, 0), 0);
	assert_int_equal(fut((char *)&word + 1, P(WAIT), 7, 0, NULL, 0), -EINVAL);
	assert_int_equal(fut((char *)&word + 2, P(WAKE), 7, 0, NULL, 0), -EINVAL);
	assert_int_equal(fut(&word, P(WAIT_BITSET), 7, 0, NULL, 0), -EINVAL);
	assert_int_equal(fut(&word, P(WAKE_BITSET), 1, 0, NULL, 0), -EINVAL);
	assert_int_equal(fut((void *)(1ull << 63), P(WAIT), 0, 0, NULL, 0), -EFAULT);
	assert_int_equal(fut(&word, 99, 0, 0, NULL, 0), -ENOSYS);
	assert_int_equal(fut(&word, P(WAKE) | FUTEX_CLOCK_REALTIME, 1, 0, NULL, 0), -ENOSYS);
	host_app_bad_range((void *)&word, 4);
	assert_int_equal(fut(&word, P(WAIT), 7, 0, NULL, 0), -EFAULT);
}

static void test_wake_counts(void **state)
{
	struct sleeper s[5] = {0};

	for (unsigned i = 0; i < 5; i++)
		start(&s[i], (void *)&word, i % 2 ? P(WAIT) : FUTEX_WAIT, 0, 0);
	/* Private and shared waiters differ here (the key shim gives shared ones another object). */
	assert_int_equal(fut((void *)&word, P(WAKE), 1, 0, NULL, 0), 1);
	assert_int_equal(fut((void *)&word, FUTEX_WAKE, 2, 0, NULL, 0), 2);
	assert_int_equal(fut((void *)&word, P(WAKE), INT_MAX, 0, NULL, 0), 1);
	assert_int_equal(fut((void *)&word, FUTEX_WAKE, INT_MAX, 0, NULL, 0), 1);
	assert_int_equal(fut((void *)&word, FUTEX_WAKE, INT_MAX, 0, NULL, 0), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(finish(&s[i]), 0);
}

static void test_bitsets(void **state)
{
	struct sleeper a = {0}, b = {0};

	start(&a, (void *)&word, P(WAIT_BITSET), 0, 1);
	start(&b, (void *)&word, P(WAIT_BITSET), 0, 6);
	assert_int_equal(fut((void *)&word, P(WAKE_BITSET), 9, 0, NULL, 8), 0);
	assert_int_equal(fut((void *)&word, P(WAKE_BITSET), 9, 0, NULL, 2), 1);
	assert_int_equal(finish(&b), 0);
	assert_false(a.done);
	assert_int_equal(fut((void *)&word, P(WAKE), 9, 0, NULL, 0), 1);
	assert_int_equal(finish(&a), 0);
}

static void test_timeouts(void **state)
{
	struct __kernel_timespec ts = {.tv_nsec = 5000000}, bad = {.tv_nsec = 1000000000};
	u64 before = clock_monotonic();

	assert_int_equal(fut((void *)&word, P(WAIT), 0, (u64)&ts, NULL, 0), -ETIMEDOUT);
	assert_int_equal(clock_monotonic() - before, 5000000);
	/* Absolute, and long past. */
	ts = (struct __kernel_timespec){.tv_nsec = 1};
	assert_int_equal(fut((void *)&word, P(WAIT_BITSET), 0, (u64)&ts, NULL, NONE), -ETIMEDOUT);
	assert_int_equal(fut((void *)&word, P(WAIT), 0, (u64)&bad, NULL, 0), -EINVAL);
	bad = (struct __kernel_timespec){.tv_sec = -1};
	assert_int_equal(fut((void *)&word, P(WAIT), 0, (u64)&bad, NULL, 0), -EINVAL);
	assert_int_equal(fut((void *)&word, P(WAIT), 0, 64, NULL, 0), -EFAULT);
	/* Wall clock, absolute. */
	before = clock_realtime();
	ts = (struct __kernel_timespec){.tv_sec = (s64)(before / NSEC_PER_SEC) + 1,
					.tv_nsec = (long)(before % NSEC_PER_SEC)};
	assert_int_equal(fut((void *)&word, P(WAIT_BITSET) | FUTEX_CLOCK_REALTIME, 0, (u64)&ts, NULL, NONE),
			 -ETIMEDOUT);
	assert_int_equal(clock_realtime() - before, NSEC_PER_SEC);
	assert_int_equal(fut((void *)&word, P(WAKE), 1, 0, NULL, 0), 0); /* nobody was left behind */
}

static void test_signals(void **state)
{
	struct sleeper s = {0};

	start(&s, (void *)&word, P(WAIT), 0, 0);
	thread_set_flag(s.t, THREAD_SIGPENDING);
	thread_wake_state(s.t, 1u << THREAD_INTERRUPTIBLE);
	assert_int_equal(finish(&s), -ERESTARTSYS);
	s.ts = (struct __kernel_timespec){.tv_sec = 1000};
	s.timeout = &s.ts;
	start(&s, (void *)&word, P(WAIT), 0, 0);
	thread_set_flag(s.t, THREAD_SIGPENDING);
	thread_wake_state(s.t, 1u << THREAD_INTERRUPTIBLE);
	assert_int_equal(finish(&s), -ERESTART_RESTARTBLOCK);
	assert_non_null(s.t->restart.fn);
	assert_int_equal(fut((void *)&word, P(WAKE), 1, 0, NULL, 0), 0);
}

static void test_requeue(void **state)
{
	struct sleeper s[4] = {0};

	for (unsigned i = 0; i < 4; i++)
		start(&s[i], (void *)&word, P(WAIT), 0, 0);
	assert_int_equal(fut((void *)&word, P(CMP_REQUEUE), 1, 2, (void *)&word2, 1), -EAGAIN);
	assert_int_equal(fut((void *)&word, P(CMP_REQUEUE), (u64)-1, 2, (void *)&word2, 0), -EINVAL);
	assert_int_equal(fut((void *)&word, P(CMP_REQUEUE), 1, 2, (void *)&word2, 0), 3);
	assert_int_equal(finish(&s[0]), 0);
	assert_int_equal(fut((void *)&word2, P(WAKE), 9, 0, NULL, 0), 2);
	assert_int_equal(finish(&s[1]), 0);
	assert_int_equal(finish(&s[2]), 0);
	assert_int_equal(fut((void *)&word, P(REQUEUE), 0, 9, (void *)&word, 0), 1); /* onto itself */
	assert_int_equal(fut((void *)&word, P(REQUEUE), 0, 9, (void *)&word2, 0), 1);
	assert_int_equal(fut((void *)&word, P(WAKE), 9, 0, NULL, 0), 0);
	assert_int_equal(fut((void *)&word2, P(WAKE), 9, 0, NULL, 0), 1);
	assert_int_equal(finish(&s[3]), 0);
}

static void test_wake_op(void **state)
{
	struct sleeper a = {0}, b = {0};

	start(&a, (void *)&word, P(WAIT), 0, 0);
	start(&b, (void *)&word2, P(WAIT), 0, 0);
	/* word2 += 5; wake word; wake word2 if it was > 0: it was not. */
	assert_int_equal(fut((void *)&word, P(WAKE_OP), 1, 1, (void *)&word2,
			     FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_GT, 0)),
			 1);
	assert_int_equal(word2, 5);
	assert_int_equal(finish(&a), 0);
	assert_int_equal(fut((void *)&word, P(WAKE_OP), 1, 1, (void *)&word2,
			     FUTEX_OP((FUTEX_OP_ANDN | FUTEX_OP_OPARG_SHIFT), 2, FUTEX_OP_CMP_EQ, 5)),
			 1);
	assert_int_equal(word2, 1);
	assert_int_equal(finish(&b), 0);
	assert_int_equal(
		fut((void *)&word, P(WAKE_OP), 1, 1, (void *)&word2, FUTEX_OP(6, 2, FUTEX_OP_CMP_EQ, 5)),
		-ENOSYS);
	/* Operand -1 is sign-extended. */
	word2 = 1;
	assert_int_equal(fut((void *)&word, P(WAKE_OP), 1, 1, (void *)&word2,
			     FUTEX_OP(FUTEX_OP_ADD, -1, FUTEX_OP_CMP_LT, -1)),
			 0);
	assert_int_equal(word2, 0);
}

static struct futex_waitv v[3];
static _Atomic long v_ret;

static void waitv_main(void *arg)
{
	v_ret = sys_futex_waitv((u64)v, 3, 0, 0, 0, 0);
}

static void test_waitv(void **state)
{
	static _Atomic u32 words[3];
	struct thread *t;

	for (unsigned i = 0; i < 3; i++)
		v[i] = (struct futex_waitv){.uaddr = (u64)&words[i], .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG};
	t = host_thread_start(waitv_main, NULL);
	assert_true(host_thread_wait_asleep(t));
	assert_int_equal(fut((void *)&words[1], P(WAKE), 1, 0, NULL, 0), 1);
	host_thread_join(t);
	assert_int_equal(v_ret, 1);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(fut((void *)&words[i], P(WAKE), 1, 0, NULL, 0), 0);
	words[2] = 4;
	assert_int_equal(sys_futex_waitv((u64)v, 3, 0, 0, 0, 0), -EAGAIN);
	assert_int_equal(sys_futex_waitv((u64)v, 0, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(sys_futex_waitv((u64)v, 129, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(sys_futex_waitv((u64)v, 3, 1, 0, 0, 0), -EINVAL);
	v[1].flags = FUTEX_PRIVATE_FLAG;
	assert_int_equal(sys_futex_waitv((u64)v, 3, 0, 0, 0, 0), -EINVAL);
}

/* A mutex in the application's way: 0 free, 1 taken, 2 taken and waited for. */
static u64 guarded;

static void hammer(void *arg)
{
	for (unsigned i = 0; i < 3000; i++) {
		u32 c = 0;

		if (!atomic_compare_exchange_strong(&word, &c, 1)) {
			if (c != 2)
				c = atomic_exchange(&word, 2);
			while (c) {
				fut((void *)&word, P(WAIT), 2, 0, NULL, 0);
				c = atomic_exchange(&word, 2);
			}
		}
		guarded++;
		if (i % 8 == 0)
			schedule();
		if (atomic_exchange(&word, 0) == 2)
			fut((void *)&word, P(WAKE), 1, 0, NULL, 0);
	}
}

static void test_hammer(void **state)
{
	struct thread *t[6];

	guarded = 0;
	for (unsigned i = 0; i < 6; i++)
		t[i] = host_thread_start(hammer, NULL);
	for (unsigned i = 0; i < 6; i++)
		host_thread_join(t[i]);
	assert_int_equal(guarded, 18000);
}

/* ---- priority inheritance ---- */

static void become(struct thread *t, u32 bits)
{
	word = t->tid | bits;
}

static void test_pi_lock_and_unlock(void **state)
{
	u32 me = current->tid;

	assert_int_equal(fut((void *)&word, P(LOCK_PI), 0, 0, NULL, 0), 0);
	assert_int_equal(word, me);
	assert_int_equal(fut((void *)&word, P(LOCK_PI), 0, 0, NULL, 0), -EDEADLK);
	assert_int_equal(fut((void *)&word, P(TRYLOCK_PI), 0, 0, NULL, 0), -EDEADLK);
	assert_int_equal(fut((void *)&word, P(UNLOCK_PI), 0, 0, NULL, 0), 0);
	assert_int_equal(word, 0);
	assert_int_equal(fut((void *)&word, P(UNLOCK_PI), 0, 0, NULL, 0), -EPERM);
	word = 30000; /* nobody */
	assert_int_equal(fut((void *)&word, P(LOCK_PI), 0, 0, NULL, 0), -ESRCH);
	word = FUTEX_OWNER_DIED;
	assert_int_equal(fut((void *)&word, P(LOCK_PI), 0, 0, NULL, 0), 0);
	assert_int_equal(word, me | FUTEX_OWNER_DIED);
}

/* Waiters are served by priority; the owner runs at the highest of theirs. */
static void test_pi_order_and_boost(void **state)
{
	struct sleeper low = {0}, high = {0};

	become(current, 0);
	start(&low, (void *)&word, P(LOCK_PI), 0, 0);
	assert_int_equal(word, current->tid | FUTEX_WAITERS);
	assert_int_equal(current->se.boost, 0);
	high.addr = (void *)&word;
	start(&high, (void *)&word, P(LOCK_PI), 0, 0);
	/* HIGH becomes a real-time thread while it waits. */
	high.t->se.want.rt_priority = 50;
	futex_priority_changed(high.t);
	assert_int_equal(current->se.boost, 50);
	assert_int_equal(fut((void *)&word, P(TRYLOCK_PI), 0, 0, NULL, 0), -EDEADLK);
	assert_int_equal(fut((void *)&word, P(WAKE), 1, 0, NULL, 0), -EINVAL);
	assert_int_equal(fut((void *)&word, P(UNLOCK_PI), 0, 0, NULL, 0), 0);
	assert_int_equal(finish(&high), 0);
	assert_int_equal(current->se.boost, 0);
	assert_int_equal(word, high.t->tid | FUTEX_WAITERS);
	assert_false(low.done);
	/* HIGH ends without unlocking. */
	futex_exit_pi(high.t);
	assert_int_equal(finish(&low), 0);
	assert_int_equal(word, low.t->tid | FUTEX_OWNER_DIED);
	assert_true(list_empty(&low.t->se.pi_owned));
}

static void test_pi_timeout_and_signal(void **state)
{
	struct sleeper s = {0};

	become(current, 0);
	s.ts = (struct __kernel_timespec){.tv_sec = 1};
	s.timeout = &s.ts; /* absolute, by the wall clock: long past */
	s.addr = (void *)&word;
	s.op = P(LOCK_PI);
	s.t = host_thread_start(sleep_main, &s);
	assert_int_equal(finish(&s), -ETIMEDOUT);
	assert_true(list_empty(&current->se.pi_owned));
	s.timeout = NULL;
	start(&s, (void *)&word, P(LOCK_PI), 0, 0);
	thread_set_flag(s.t, THREAD_SIGPENDING);
	thread_wake_state(s.t, 1u << THREAD_INTERRUPTIBLE);
	assert_int_equal(finish(&s), -ERESTARTNOINTR);
	assert_int_equal(fut((void *)&word, P(UNLOCK_PI), 0, 0, NULL, 0), 0);
	assert_int_equal(word, 0);
}

/* We hold A and want B; B's owner wants A. */
static void test_pi_deadlock(void **state)
{
	struct sleeper s = {0};

	become(current, 0);
	start(&s, (void *)&word, P(LOCK_PI), 0, 0);
	word2 = s.t->tid;
	assert_int_equal(fut((void *)&word2, P(LOCK_PI), 0, 0, NULL, 0), -EDEADLK);
	assert_int_equal(fut((void *)&word, P(UNLOCK_PI), 0, 0, NULL, 0), 0);
	assert_int_equal(finish(&s), 0);
	assert_true(list_empty(&s.t->se.pi_owned));
}

static void test_requeue_pi(void **state)
{
	struct sleeper s[3] = {0};

	for (unsigned i = 0; i < 3; i++) {
		s[i].addr2 = (void *)&word2;
		start(&s[i], (void *)&word, P(WAIT_REQUEUE_PI), 0, 0);
	}
	assert_int_equal(fut((void *)&word, P(WAKE), 1, 0, NULL, 0), -EINVAL);
	assert_int_equal(fut((void *)&word, P(CMP_REQUEUE_PI), 2, 9, (void *)&word2, 0), -EINVAL);
	assert_int_equal(fut((void *)&word, P(CMP_REQUEUE_PI), 1, 9, (void *)&word2, 1), -EAGAIN);
	/* The mutex is free: the first waiter gets it, the others wait for it. */
	assert_int_equal(fut((void *)&word, P(CMP_REQUEUE_PI), 1, 9, (void *)&word2, 0), 3);
	assert_int_equal(finish(&s[0]), 0);
	assert_int_equal(word2, s[0].t->tid | FUTEX_WAITERS);
	futex_exit_pi(s[0].t);
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(finish(&s[i]), 0);
		assert_int_equal(word2 & FUTEX_TID_MASK, s[i].t->tid);
		futex_exit_pi(s[i].t);
	}
	assert_int_equal(word2 & FUTEX_WAITERS, 0);
}

static u64 pi_guarded;

static void pi_hammer(void *arg)
{
	sched_area_add_thread(current);
	for (unsigned i = 0; i < 1500; i++) {
		u32 free = 0, mine = current->tid;

		if (!atomic_compare_exchange_strong(&word, &free, mine))
			assert_int_equal(fut((void *)&word, P(LOCK_PI), 0, 0, NULL, 0), 0);
		assert_int_equal(word & FUTEX_TID_MASK, mine);
		pi_guarded++;
		if (i % 8 == 0)
			schedule();
		if (!atomic_compare_exchange_strong(&word, &mine, 0))
			assert_int_equal(fut((void *)&word, P(UNLOCK_PI), 0, 0, NULL, 0), 0);
	}
	assert_true(list_empty(&current->se.pi_owned));
}

static void test_pi_hammer(void **state)
{
	struct thread *t[5];

	pi_guarded = 0;
	for (unsigned i = 0; i < 5; i++)
		t[i] = host_thread_start(pi_hammer, NULL);
	for (unsigned i = 0; i < 5; i++)
		host_thread_join(t[i]);
	assert_int_equal(pi_guarded, 7500);
	assert_int_equal(word & FUTEX_TID_MASK, 0);
}

#define T(f) cmocka_unit_test_setup(f, setup)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_wait_needs_the_value),
		T(test_wake_counts),
		T(test_bitsets),
		T(test_timeouts),
		T(test_signals),
		T(test_requeue),
		T(test_wake_op),
		T(test_waitv),
		T(test_hammer),
		T(test_pi_lock_and_unlock),
		T(test_pi_order_and_boost),
		T(test_pi_timeout_and_signal),
		T(test_pi_deadlock),
		T(test_requeue_pi),
		T(test_pi_hammer),
	};

	host_set_cpus(64);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
