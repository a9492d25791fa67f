// SPDX-License-Identifier: BSD-2-Clause
/* Wait queues with the real wait.c: exclusive and other entries, events, timeouts, signals, and a ping-pong
 * that loses nothing. Run it with SAN=thread as well. */
// sources: kernel/sched/wait.c
#include "unit.h"
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "kernel/wait.h"
#include "sched/sched_area.h"

static struct waitq q;
static _Atomic int value, woken;

static bool count(struct wait_entry *e, u32 events)
{
	if (events && !(events & (u32)(uintptr_t)e->priv))
		return false;
	woken++;
	return true;
}

static void test_exclusive_and_events(void **state)
{
	struct wait_entry e[5];

	waitq_init(&q);
	woken = 0;
	assert_false(waitq_active(&q));
	for (unsigned i = 0; i < 5; i++) {
		wait_entry_init_fn(&e[i], count, (void *)(uintptr_t)(i == 4 ? 2 : 1), i >= 2);
		waitq_add(&q, &e[i]);
	}
	waitq_wake(&q, 1, 0); /* both shared ones and one exclusive */
	assert_int_equal(woken, 3);
	woken = 0;
	waitq_wake(&q, 1, 2); /* only the last one wants bit 1 */
	assert_int_equal(woken, 1);
	woken = 0;
	waitq_wake_all(&q);
	assert_int_equal(woken, 5);
	for (unsigned i = 0; i < 5; i++) {
		waitq_remove(&q, &e[i]);
		waitq_remove(&q, &e[i]); /* off the list already */
	}
	assert_false(waitq_active(&q));
}

static _Atomic int result;

static void wait_interruptible(void *arg)
{
	result = wait_event_interruptible(&q, value);
}

static void test_signal_ends_it(void **state)
{
	struct thread *t;

	waitq_init(&q);
	value = 0;
	t = host_thread_start(wait_interruptible, NULL);
	assert_true(host_thread_wait_asleep(t));
	waitq_wake_all(&q); /* condition still false: it sleeps again */
	assert_true(host_thread_wait_asleep(t));
	thread_set_flag(t, THREAD_SIGPENDING);
	thread_wake_state(t, 1u << THREAD_INTERRUPTIBLE);
	host_thread_join(t);
	assert_int_equal(result, -ERESTARTSYS);
	assert_false(waitq_active(&q));
}

static void test_timeout(void **state)
{
	u64 start = clock_monotonic();

	waitq_init(&q);
	value = 0;
	assert_int_equal(wait_event_until(&q, value, start + 5000), -ETIMEDOUT);
	assert_int_equal(clock_monotonic() - start, 5000);
	assert_int_equal(wait_event_until(&q, value, start), -ETIMEDOUT);
	value = 1;
	assert_int_equal(wait_event_until(&q, value, start), 0);
	thread_sleep_until(start + 9000);
	assert_int_equal(clock_monotonic() - start, 9000);
	assert_false(waitq_active(&q));
}

static void bounce(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (unsigned i = 0; i < 5000; i++) {
		wait_event(&q, value == me);
		value = (me + 1) % 3;
		waitq_wake_all(&q);
	}
}

static void test_nothing_is_lost(void **state)
{
	struct thread *t[3];

	waitq_init(&q);
	value = 0;
	for (intptr_t i = 0; i < 3; i++)
		t[i] = host_thread_start(bounce, (void *)i);
	for (unsigned i = 0; i < 3; i++)
		host_thread_join(t[i]);
	assert_false(waitq_active(&q));
}

static _Atomic int tokens, taken;

static void take_token(void *arg)
{
	for (unsigned i = 0; i < 2000; i++) {
		int n;

		wait_event_interruptible_exclusive(&q, tokens > 0, WAIT_FOREVER);
		n = tokens;
		while (n > 0 && !atomic_compare_exchange_weak(&tokens, &n, n - 1))
			;
		if (n > 0)
			taken++;
		else
			i--;
	}
}

/* One exclusive wake a token is enough. */
static void test_exclusive_wakes_suffice(void **state)
{
	struct thread *t[4];

	waitq_init(&q);
	tokens = taken = 0;
	for (unsigned i = 0; i < 4; i++)
		t[i] = host_thread_start(take_token, NULL);
	for (unsigned i = 0; i < 8000; i++) {
		tokens++;
		waitq_wake_one(&q);
		if (i % 64 == 0)
			schedule();
	}
	for (unsigned i = 0; i < 4; i++)
		host_thread_join(t[i]);
	assert_int_equal(taken, 8000);
}

UNIT_TESTS(test_exclusive_and_events, test_signal_ends_it, test_timeout, test_nothing_is_lost,
	   test_exclusive_wakes_suffice)
