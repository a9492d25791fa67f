// SPDX-License-Identifier: BSD-2-Clause
/* The radix tree against a plain table: random inserts, deletes, look-ups and walks over sparse and dense
 * indexes; nothing is lost when memory runs out, and nothing leaks. */
// sources: fs/vfs/radix.c
#include "unit.h"

#include "base/err.h"
#include "fs/vfs/radix.h"

#define KEYS 512

static u64 seed = 42;

static u32 rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(seed >> 33);
}

static u64 key_of(u32 n)
{
	static const u64 bases[] = {0,		60,	    4090, 1ull << 20, 1ull << 40, (1ull << 52) - 64,
				    1ull << 63, ~0ull - 100};

	return bases[n / 64] + n % 64;
}

static long items[KEYS];

static void check_next(void *root, const bool *in)
{
	u64 index = 0;
	u32 n = 0;

	for (;;) {
		void *p = radix_next(&root, &index);

		while (n < KEYS && !in[n])
			n++;
		if (!p) {
			assert_int_equal(n, KEYS);
			return;
		}
		assert_true(n < KEYS);
		assert_true(index == key_of(n));
		assert_ptr_equal(p, &items[n]);
		n++;
		index++;
	}
}

static void test_model(void **state)
{
	bool in[KEYS] = {0};
	void *root = NULL;

	for (u32 round = 0; round < 20000; round++) {
		u32 n = rnd() % KEYS;

		if (n >= 64 && n < 68)
			continue; /* 60..63 are keys of the first row */
		if (in[n]) {
			assert_ptr_equal(radix_find(&root, key_of(n)), &items[n]);
			assert_ptr_equal(radix_delete(&root, key_of(n)), &items[n]);
			in[n] = false;
		} else {
			assert_null(radix_find(&root, key_of(n)));
			assert_null(radix_delete(&root, key_of(n)));
			assert_int_equal(radix_insert(&root, key_of(n), &items[n]), 0);
			in[n] = true;
		}
		if (round % 500 == 0)
			check_next(root, in);
	}
	for (u32 n = 0; n < KEYS; n++)
		if (in[n])
			radix_delete(&root, key_of(n));
	assert_null(root);
	assert_int_equal(host_heap_live(), 0);
}

static void test_single(void **state)
{
	void *root = NULL;
	u64 index = 0;

	assert_int_equal(radix_insert(&root, 0, &items[0]), 0);
	assert_int_equal(host_heap_live(), 0); /* one page needs no node */
	assert_ptr_equal(radix_next(&root, &index), &items[0]);
	index = 1;
	assert_null(radix_next(&root, &index));
	assert_int_equal(radix_insert(&root, 1ull << 50, &items[1]), 0);
	assert_ptr_equal(radix_find(&root, 0), &items[0]);
	assert_ptr_equal(radix_delete(&root, 0), &items[0]);
	assert_ptr_equal(radix_delete(&root, 1ull << 50), &items[1]);
	assert_null(root);
	/* A far index first: no node is left over below. */
	assert_int_equal(radix_insert(&root, 1ull << 40, &items[2]), 0);
	assert_ptr_equal(radix_delete(&root, 1ull << 40), &items[2]);
	assert_null(root);
	assert_int_equal(host_heap_live(), 0);
}

static void test_no_memory(void **state)
{
	for (u64 n = 0; n < 12; n++) {
		void *root = NULL;
		int err;

		assert_int_equal(radix_insert(&root, 0, &items[0]), 0);
		host_alloc_fail_after(n);
		err = radix_insert(&root, 1ull << 51, &items[1]);
		host_alloc_fail_never();
		assert_true(err == 0 || err == -ENOMEM);
		assert_ptr_equal(radix_find(&root, 0), &items[0]);
		assert_ptr_equal(radix_find(&root, 1ull << 51), err ? NULL : &items[1]);
		radix_delete(&root, 0);
		radix_delete(&root, 1ull << 51);
		assert_null(root);
		assert_int_equal(host_heap_live(), 0);
	}
}

UNIT_TESTS(test_model, test_single, test_no_memory)
