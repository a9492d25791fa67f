// SPDX-License-Identifier: BSD-2-Clause
/* The generator: seeding, waiting for it, key erasure, reseeding, and that CPUs do not share output. */
// sources: kernel/drivers/random/*.c
#include "unit.h"

#include "base/err.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/kthread.h"
#include "kernel/percpu.h"
#include "kernel/random.h"
#include "kernel/sched.h"

DECLARE_COUNTER(random_reseeds);
static int asked;

static void test_output_before_seeding(void **state)
{
	u8 a[100] = {0}, b[100] = {0};

	assert_false(random_ready());
	random_bytes(a, sizeof a);
	random_bytes(b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
	assert_true(random_u64() != random_u64());
}

static void wait_ready(void *arg)
{
	*(int *)arg = random_wait_ready_interruptible();
}

/* With a signal pending the wait ends; without a source, jitter fills the pool within a few hundred ms. */
static void test_wait(void **state)
{
	u64 start = clock_monotonic();
	int result = 1;
	struct thread *t;

	thread_set_flag(current, THREAD_SIGPENDING);
	assert_int_equal(random_wait_ready_interruptible(), -ERESTARTSYS);
	thread_clear_flag(current, THREAD_SIGPENDING);
	t = host_thread_start(wait_ready, &result);
	random_wait_ready();
	host_thread_join(t);
	assert_int_equal(result, 0);
	assert_true(random_ready());
	assert_true(clock_monotonic() - start <= 400 * NSEC_PER_MSEC);
}

static void ask(void)
{
	asked++;
}

static void test_reseeds(void **state)
{
	u64 before = random_reseeds.value;

	random_register_source(ask);
	for (int i = 0; i < 100; i++)
		(void)random_u64();
	assert_true(random_reseeds.value == before);
	host_time_advance(61 * NSEC_PER_SEC);
	(void)random_u64();
	assert_true(random_reseeds.value == before + 1);
	assert_int_equal(asked, 1);
	random_bump_generation();
	assert_true(random_reseeds.value == before + 2);
}

static void take_one(void *arg)
{
	random_bytes(arg, 64);
}

static void test_cpus_differ(void **state)
{
	u8 out[8][64];
	struct thread *t[8];

	for (int i = 0; i < 8; i++)
		t[i] = host_thread_start(take_one, out[i]);
	for (int i = 0; i < 8; i++)
		host_thread_join(t[i]);
	for (int i = 0; i < 8; i++)
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(out[i], out[k], 64);
}

/* All lengths work, and nothing is written beyond them. */
static void test_lengths(void **state)
{
	u8 buf[260];

	for (size_t n = 0; n < 256; n++) {
		memset(buf, 0x7e, sizeof buf);
		random_bytes(buf, n);
		for (size_t i = n; i < sizeof buf; i++)
			assert_int_equal(buf[i], 0x7e);
	}
}

static void test_bits_are_balanced(void **state)
{
	unsigned ones = 0;

	for (int i = 0; i < 4096; i++)
		ones += (unsigned)__builtin_popcountll(random_u64());
	/* 262144 fair bits: six standard deviations are 1536 */
	assert_in_range(ones, 131072 - 1536, 131072 + 1536);
}

static void test_interrupt_entropy(void **state)
{
	for (u32 i = 0; i < 1000; i++)
		random_add_interrupt(i);
}

UNIT_TESTS(test_output_before_seeding, test_wait, test_reseeds, test_cpus_differ, test_lengths,
	   test_bits_are_balanced, test_interrupt_entropy)
