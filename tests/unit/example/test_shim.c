// SPDX-License-Identifier: BSD-2-Clause
/* The shim itself: sleeping and waking, virtual time, fault injection. Also the pattern for a new test. */
#include "unit.h"

#include "base/err.h"
#include "kernel/alloc.h"
#include "kernel/app.h"
#include "kernel/clock.h"
#include "kernel/kthread.h"
#include "kernel/mutex.h"
#include "kernel/page.h"
#include "kernel/process.h"
#include "kernel/timer.h"
#include "kernel/wait.h"

static DEFINE_WAITQ(queue);
static DEFINE_MUTEX(mutex);
static _Atomic int ready;
static int counted;

static void wait_for_ready(void *arg)
{
	*(int *)arg = wait_event_interruptible(&queue, ready);
}

static void test_wake(void **state)
{
	int result = 1;
	struct thread *t = host_thread_start(wait_for_ready, &result);

	assert_true(host_thread_wait_asleep(t));
	ready = 1;
	waitq_wake_all(&queue);
	host_thread_join(t);
	assert_int_equal(result, 0);
}

static void test_timeout_moves_time(void **state)
{
	u64 start = clock_monotonic();

	ready = 0;
	assert_int_equal(wait_event_until(&queue, ready, start + 5 * NSEC_PER_SEC), -ETIMEDOUT);
	assert_int_equal(clock_monotonic() - start, 5 * NSEC_PER_SEC);
}

static void add_many(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		mutex_lock(&mutex);
		counted++;
		mutex_unlock(&mutex);
	}
}

static void test_mutex(void **state)
{
	struct thread *t[4];

	for (int i = 0; i < 4; i++)
		t[i] = host_thread_start(add_many, NULL);
	for (int i = 0; i < 4; i++)
		host_thread_join(t[i]);
	assert_int_equal(counted, 8000);
}

static void test_faults(void **state)
{
	char from[8] = "abcdefg", to[8];
	void *p;

	host_alloc_fail_after(1);
	p = kmalloc(10);
	assert_non_null(p);
	assert_null(kmalloc(10));
	assert_null(page_alloc(0, 0));
	host_alloc_fail_never();
	kfree(p);
	host_app_bad_range(from + 4, 4);
	assert_int_equal(copy_from_app_partial(to, from, 8), 4);
	assert_int_equal(copy_from_app(to, (void *)APP_LIMIT, 1), -EFAULT);
	host_app_clear();
}

static void test_pages(void **state)
{
	struct page *p = page_alloc(3, PAGE_ZERO);

	assert_non_null(p);
	assert_int_equal(page_to_phys(p) % (8 * PAGE_SIZE), 0);
	assert_ptr_equal(virt_to_page((u8 *)page_to_virt(p) + 5000), p + 1);
	page_put(p);
	assert_int_equal(host_pages_live(), 0);
}

static int fired;
static void fire(struct timer *t)
{
	fired++;
}

static void test_timer(void **state)
{
	struct timer t;

	timer_init(&t, fire);
	timer_set(&t, clock_monotonic() + 100);
	host_time_advance(99);
	assert_int_equal(fired, 0);
	host_time_advance(1);
	assert_int_equal(fired, 1);
	assert_false(timer_cancel(&t));
}

static void test_work_runs(struct work *w)
{
	fired = 100;
}

static void test_work(void **state)
{
	struct work w;

	work_init(&w, test_work_runs);
	assert_true(work_queue(&w));
	work_flush(&w);
	assert_int_equal(fired, 100);
}

UNIT_TESTS(test_wake, test_timeout_moves_time, test_mutex, test_faults, test_pages, test_timer, test_work)
