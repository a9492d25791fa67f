// SPDX-License-Identifier: BSD-2-Clause
/* Sleeping locks between real threads: exclusion, no lost wake-up (the shim panics when all sleep), giving up
 * on a fatal signal, hand-off, reader-writer order. Run it with SAN=thread as well. */
// sources: kernel/sched/mutex.c kernel/sched/rwlock.c
#include "unit.h"
#include "kernel/mutex.h"
#include "kernel/sched.h"
#include "sched/sched_area.h"

#define THREADS 6
#define ROUNDS	4000

static struct mutex m;
static struct rwlock l;
static u64 plain;
static _Atomic int inside, readers_max;

static void count(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		mutex_lock(&m);
		assert_true(mutex_held(&m));
		plain++;
		if (i % 16 == 0)
			schedule();
		mutex_unlock(&m);
	}
}

static void test_exclusion(void **state)
{
	struct thread *t[THREADS];

	mutex_init(&m);
	plain = 0;
	for (unsigned i = 0; i < THREADS; i++)
		t[i] = host_thread_start(count, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		host_thread_join(t[i]);
	assert_int_equal(plain, THREADS * ROUNDS);
	assert_int_equal(m.owner, 0);
	assert_true(list_empty(&m.waiters));
}

static void test_trylock(void **state)
{
	mutex_init(&m);
	assert_true(mutex_trylock(&m));
	assert_false(mutex_trylock(&m));
	mutex_unlock(&m);
	assert_false(mutex_held(&m));
}

static _Atomic int killable_result;

static void lock_killable(void *arg)
{
	killable_result = mutex_lock_killable(&m);
	if (!killable_result)
		mutex_unlock(&m);
}

static void test_killable(void **state)
{
	struct thread *t, *u;

	mutex_init(&m);
	mutex_lock(&m);
	killable_result = 1;
	t = host_thread_start(lock_killable, NULL);
	u = host_thread_start(count, NULL);
	assert_true(host_thread_wait_asleep(t));
	assert_true(host_thread_wait_asleep(u));
	thread_set_flag(t, THREAD_EXITING);
	assert_true(thread_wake_state(t, 1u << THREAD_KILLABLE));
	host_thread_join(t);
	assert_int_equal(killable_result, -EINTR);
	mutex_unlock(&m); /* the other one gets it */
	host_thread_join(u);
	assert_int_equal(m.owner, 0);
}

static void take_once(void *arg)
{
	mutex_lock(&m);
	inside++;
	mutex_unlock(&m);
}

/* A waiter that was woken and found the mutex taken again is handed it at the next unlock. */
static void test_handoff(void **state)
{
	struct thread *t;

	mutex_init(&m);
	inside = 0;
	mutex_lock(&m);
	t = host_thread_start(take_once, NULL);
	assert_true(host_thread_wait_asleep(t));
	/* Woken, but we are faster: as unlock followed by a barging lock would look to it. */
	for (;;) {
		mutex_unlock(&m);
		if (!mutex_trylock(&m))
			break; /* handed over, or taken */
		if (!host_thread_wait_asleep(t)) {
			mutex_unlock(&m); /* it won the race at once */
			break;
		}
	}
	host_thread_join(t);
	assert_int_equal(inside, 1);
	assert_int_equal(m.owner, 0);
}

static void read_and_write(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		if ((i + n) % 8 == 0) {
			rwlock_write_lock(&l);
			assert_true(rwlock_write_held(&l));
			assert_int_equal(atomic_fetch_add(&inside, 100), 0);
			plain++;
			atomic_fetch_sub(&inside, 100);
			rwlock_write_unlock(&l);
		} else {
			rwlock_read_lock(&l);
			int now = atomic_fetch_add(&inside, 1) + 1;
			assert_true(now < 100);
			if (now > readers_max)
				readers_max = now;
			if (i % 32 == 1)
				schedule();
			atomic_fetch_sub(&inside, 1);
			rwlock_read_unlock(&l);
		}
	}
}

static void test_rwlock(void **state)
{
	struct thread *t[THREADS];

	rwlock_init(&l);
	plain = 0;
	inside = 0;
	for (uintptr_t i = 0; i < THREADS; i++)
		t[i] = host_thread_start(read_and_write, (void *)i);
	for (unsigned i = 0; i < THREADS; i++)
		host_thread_join(t[i]);
	assert_int_equal(plain, THREADS * ROUNDS / 8);
	assert_int_equal(l.count, 0);
}

static _Atomic int order, writer_at, reader_at;

static void one_writer(void *arg)
{
	rwlock_write_lock(&l);
	writer_at = ++order;
	rwlock_write_unlock(&l);
}

static void one_reader(void *arg)
{
	rwlock_read_lock(&l);
	reader_at = ++order;
	rwlock_read_unlock(&l);
}

/* A reader that comes after a waiting writer waits behind it: writers do not starve. */
static void test_writer_goes_before_later_reader(void **state)
{
	struct thread *w, *r;

	rwlock_init(&l);
	order = 0;
	rwlock_read_lock(&l);
	w = host_thread_start(one_writer, NULL);
	assert_true(host_thread_wait_asleep(w));
	assert_false(rwlock_read_trylock(&l));
	r = host_thread_start(one_reader, NULL);
	assert_true(host_thread_wait_asleep(r));
	rwlock_read_unlock(&l);
	host_thread_join(w);
	host_thread_join(r);
	assert_int_equal(writer_at, 1);
	assert_int_equal(reader_at, 2);
}

static void write_killable(void *arg)
{
	killable_result = rwlock_write_lock_killable(&l);
}

/* The reader behind a writer that gives up does not wait for an unlock that concerns it no more. */
static void test_reader_goes_on_when_writer_gives_up(void **state)
{
	struct thread *w, *r;

	rwlock_init(&l);
	killable_result = 1;
	reader_at = 0;
	rwlock_read_lock(&l);
	w = host_thread_start(write_killable, NULL);
	assert_true(host_thread_wait_asleep(w));
	r = host_thread_start(one_reader, NULL);
	assert_true(host_thread_wait_asleep(r));
	thread_set_flag(w, THREAD_EXITING);
	thread_wake_state(w, 1u << THREAD_KILLABLE);
	host_thread_join(w);
	host_thread_join(r);
	assert_int_equal(killable_result, -EINTR);
	assert_int_not_equal(reader_at, 0);
	rwlock_read_unlock(&l);
	assert_int_equal(l.count, 0);
}

UNIT_TESTS(test_exclusion, test_trylock, test_killable, test_handoff, test_rwlock,
	   test_writer_goes_before_later_reader, test_reader_goes_on_when_writer_gives_up)
