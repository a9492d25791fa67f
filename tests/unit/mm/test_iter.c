// SPDX-License-Identifier: BSD-2-Clause
/* struct iter: copies over segments (empty ones too), faults in the middle, advance and revert. */
// sources: kernel/lib/iter.c
#include "unit.h"

#include "base/err.h"
#include "base/iter.h"

static char a[10], b[20], c[5];

static void make(struct iter *it, struct iter_vec *v, bool app)
{
	v[0] = (struct iter_vec){a, sizeof a};
	v[1] = (struct iter_vec){NULL, 0};
	v[2] = (struct iter_vec){b, sizeof b};
	v[3] = (struct iter_vec){c, sizeof c};
	assert_int_equal(iter_init_vec(it, v, 4, app), 0);
}

static void test_copy(void **state)
{
	for (int app = 0; app < 2; app++) {
		struct iter_vec v[4];
		struct iter it;
		char src[35], back[40];

		for (int i = 0; i < 35; i++)
			src[i] = (char)(i + 1);
		memset(a, 0, sizeof a);
		memset(b, 0, sizeof b);
		make(&it, v, app);
		assert_int_equal(it.left, 35);
		assert_int_equal(iter_copy_out(&it, src, 7), 7);
		assert_int_equal(iter_copy_out(&it, src + 7, 100), 28);
		assert_int_equal(it.left, 0);
		assert_memory_equal(a, src, 10);
		assert_memory_equal(b, src + 10, 20);
		assert_memory_equal(c, src + 30, 5);
		make(&it, v, app);
		assert_int_equal(iter_copy_in(&it, back, 40), 35);
		assert_memory_equal(back, src, 35);
		iter_revert(&it, 26);
		assert_int_equal(it.left, 26);
		assert_int_equal(iter_copy_in(&it, back, 40), 26);
		assert_memory_equal(back, src + 9, 26);
		iter_revert(&it, 35);
		iter_advance(&it, 12);
		assert_int_equal(iter_zero(&it, 10), 10);
		assert_int_equal(b[1], 12);
		assert_int_equal(b[2], 0);
		assert_int_equal(b[11], 0);
		assert_int_equal(b[12], 23);
	}
}

static void test_single_and_sum(void **state)
{
	struct iter_vec huge[2] = {{NULL, (size_t)INT64_MAX}, {NULL, 1}};
	struct iter it;
	char x[4] = "abc", y[4];

	iter_init_kernel(&it, x, 4);
	assert_int_equal(iter_copy_in(&it, y, 2), 2);
	iter_revert(&it, 1);
	assert_int_equal(iter_copy_in(&it, y, 9), 3);
	assert_string_equal(y, "bc");
	assert_int_equal(iter_init_vec(&it, huge, 2, true), -EINVAL);
	assert_int_equal(iter_init_vec(&it, huge, 0, true), 0);
	assert_int_equal(iter_copy_in(&it, y, 1), 0);
}

static void test_fault(void **state)
{
	struct iter_vec v[4];
	struct iter it;
	char src[35];

	memset(src, 1, sizeof src);
	host_app_bad_range(b + 5, 1);
	make(&it, v, true);
	assert_int_equal(iter_copy_out(&it, src, 35), 15);
	assert_int_equal(it.left, 20);
	assert_int_equal(iter_copy_out(&it, src, 35), 0);
	make(&it, v, true);
	assert_int_equal(iter_zero(&it, 35), 15);
}

UNIT_TESTS(test_copy, test_single_and_sum, test_fault)
