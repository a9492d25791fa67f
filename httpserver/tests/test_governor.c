/* SPDX-License-Identifier: BSD-2-Clause */
/* The governor alone, and in a small simulation of a VM with a heap, garbage and a balloon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../governor.h"

#define MIB(n) ((uint64_t)(n) << 20)

static struct governor_input input(double now, uint64_t target, uint64_t actual, uint64_t available)
{
	return (struct governor_input){.now = now, .boot = MIB(512), .target = MIB(target), .actual = MIB(actual),
				       .free = MIB(available), .available = MIB(available), .heap_used = MIB(40),
				       .heap_committed = MIB(300)};
}

static void nothing_without_pressure(void **state)
{
	struct governor g;
	struct governor_input in = input(1, 512, 512, 200);

	governor_init(&g);
	assert_int_equal(governor_decide(&g, &in), GOVERN_NOTHING);
}

static void shrinks_when_the_balloon_wants_what_is_not_free(void **state)
{
	struct governor g;
	struct governor_input in = input(1, 192, 512, 100);

	governor_init(&g);
	assert_int_equal(governor_decide(&g, &in), GOVERN_SHRINK);
	/* Not again at once: a collection takes time to show. */
	assert_int_equal(governor_decide(&g, &in), GOVERN_NOTHING);
	in.now += GOVERNOR_PAUSE_FIRST;
	assert_int_equal(governor_decide(&g, &in), GOVERN_SHRINK);
}

static void no_collection_when_free_memory_is_enough(void **state)
{
	struct governor g;
	struct governor_input in = input(1, 192, 512, 400);

	governor_init(&g);
	assert_int_equal(governor_decide(&g, &in), GOVERN_NOTHING);
}

static void fruitless_collections_get_rarer(void **state)
{
	struct governor g;
	struct governor_input in = input(0, 192, 512, 10);
	unsigned n = 0;

	governor_init(&g);
	for (in.now = 0; in.now < 300; in.now += 0.5)
		n += governor_decide(&g, &in) == GOVERN_SHRINK;
	assert_in_range(n, 4, 12); /* 600 steps; doubling pauses up to 60 s */
}

static void relaxes_when_memory_is_back(void **state)
{
	struct governor g;
	struct governor_input in = input(1, 192, 512, 10);

	governor_init(&g);
	assert_int_equal(governor_decide(&g, &in), GOVERN_SHRINK);
	in = input(10, 192, 192, 60);
	assert_int_equal(governor_decide(&g, &in), GOVERN_NOTHING); /* still deflated: stay tight */
	in = input(20, 512, 512, 300);
	assert_int_equal(governor_decide(&g, &in), GOVERN_RELAX);
	assert_int_equal(governor_decide(&g, &in), GOVERN_NOTHING);
}

/* A VM of 512 MiB: 60 used by kernel and runtime, a heap of 300 with 20 live. The balloon takes what is free. */
static void simulated_vm_reaches_its_target_and_recovers(void **state)
{
	const uint64_t total = MIB(512), fixed = MIB(60), live = MIB(20);

	for (int round = 0; round < 10; round++) {
		uint64_t committed = MIB(300), actual = total, target = MIB(192);
		struct governor g;
		bool relaxed = false;

		governor_init(&g);
		for (double now = 0; now < 10; now += 0.5) {
			uint64_t free = actual - fixed - committed;
			uint64_t take = actual - target < free ? actual - target : free;

			actual -= take;
			free -= take;
			struct governor_input in = {.now = now, .boot = total, .target = target, .actual = actual, .free = free,
						    .available = free, .heap_used = live, .heap_committed = committed};
			if (governor_decide(&g, &in) == GOVERN_SHRINK)
				committed = live + live / 10;
		}
		assert_int_equal(actual, target);
		target = actual = total;
		for (double now = 10; now < 12; now += 0.5) {
			uint64_t free = actual - fixed - committed;
			struct governor_input in = {.now = now, .boot = total, .target = target, .actual = actual, .free = free,
						    .available = free, .heap_used = live, .heap_committed = committed};
			relaxed |= governor_decide(&g, &in) == GOVERN_RELAX;
		}
		assert_true(relaxed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_without_pressure),
		cmocka_unit_test(shrinks_when_the_balloon_wants_what_is_not_free),
		cmocka_unit_test(no_collection_when_free_memory_is_enough),
		cmocka_unit_test(fruitless_collections_get_rarer),
		cmocka_unit_test(relaxes_when_memory_is_back),
		cmocka_unit_test(simulated_vm_reaches_its_target_and_recovers),
	};

	return cmocka_run_group_tests_name("governor", tests, NULL, NULL);
}
