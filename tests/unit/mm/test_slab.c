// SPDX-License-Identifier: BSD-2-Clause
/* Slab and kmalloc: sizes, alignment, disjointness, and that empty caches give their pages back. */
// clang-format off
// sources: kernel/mm/section.c kernel/mm/buddy.c kernel/mm/boot_memory.c kernel/mm/page_alloc.c
// sources: kernel/mm/balloon_pages.c kernel/mm/memory_stats.c
// sources: kernel/mm/clear_ahead.c kernel/mm/slab.c kernel/mm/kmalloc.c tests/unit/mm/fake_arch.c
// clang-format on
#include "unit.h"

#include "arch/memory.h"
#include "base/bits.h"
#include "kernel/alloc.h"
#include "kernel/page.h"
#include "tests/unit/mm/fake_arch.h"

static void boot_once(void)
{
	static bool booted;

	if (!booted)
		fake_boot(HOST_PHYS_BASE, MIB(64));
	booted = true;
}

#define N 3000
static struct obj {
	u8 *p;
	size_t size;
	u8 fill;
} objs[N];

static void check_fill(struct obj *o)
{
	for (size_t i = 0; i < o->size; i++)
		if (o->p[i] != o->fill)
			fail_msg("object of %zu bytes was overwritten at %zu", o->size, i);
}

static size_t random_size(void)
{
	switch (rand() % 10) {
	case 0:
		return (size_t)rand() % 60000;
	case 1:
	case 2:
		return (size_t)rand() % 4097;
	default:
		return (size_t)rand() % 300;
	}
}

static void test_kmalloc_random(void **state)
{
	boot_once();
	srand(3);
	for (int step = 0; step < 30000; step++) {
		struct obj *o = &objs[rand() % N];

		if (!o->p) {
			o->size = random_size();
			o->p = rand() % 2 ? kmalloc(o->size) : kzalloc(o->size);
			assert_non_null(o->p);
			assert_int_equal((u64)o->p % 16, 0);
			if (is_power_of_2(o->size) && o->size <= PAGE_SIZE)
				assert_int_equal((u64)o->p % o->size, 0);
			o->fill = (u8)rand();
			memset(o->p, o->fill, o->size);
		} else if (rand() % 5 == 0) {
			size_t size = random_size();

			check_fill(o);
			o->p = krealloc(o->p, size);
			assert_non_null(o->p);
			for (size_t i = 0; i < size && i < o->size; i++)
				assert_int_equal(o->p[i], o->fill);
			o->size = size;
			memset(o->p, o->fill, size);
		} else {
			check_fill(o);
			kfree(o->p);
			o->p = NULL;
		}
	}
	for (int i = 0; i < N; i++) {
		if (objs[i].p)
			check_fill(&objs[i]);
		kfree(objs[i].p);
		objs[i].p = NULL;
	}
}

static void test_limits(void **state)
{
	void *p;

	boot_once();
	assert_null(kmalloc(MIB(4) + 1));
	assert_null(kcalloc(SIZE_MAX / 2, 3));
	p = kmalloc(MIB(2));
	assert_non_null(p);
	kfree(p);
	p = kstrndup("abcdef", 3);
	assert_string_equal(p, "abc");
	kfree(p);
	kfree(NULL);
}

static void test_cache(void **state)
{
	static void *p[2000];
	struct slab_cache *c;
	struct memory_stats s;
	struct slab_info info;
	u64 before;

	boot_once();
	c = slab_cache_create("test", 200, 64);
	assert_non_null(c);
	assert_null(slab_cache_create("huge", MIB(1), 8));
	memory_stats(&s);
	before = s.slab;
	for (int i = 0; i < 2000; i++) {
		p[i] = slab_alloc(c);
		assert_non_null(p[i]);
		assert_int_equal((u64)p[i] % 64, 0);
		memset(p[i], i, 200);
	}
	for (int i = 0; i < 2000; i++)
		for (int k = 0; k < 200; k++)
			assert_int_equal(((u8 *)p[i])[k], (u8)i);
	assert_true(slab_info(0, &info) && info.used == 2000);
	assert_string_equal(info.name, "test");
	memory_stats(&s);
	assert_int_equal(info.slabs * info.pages, s.slab - before);
	assert_true(s.slab - before >= 2000 * 256 / PAGE_SIZE &&
		    s.slab - before <= 2000 * 256 / PAGE_SIZE + 9);
	for (int i = 0; i < 2000; i++)
		slab_free(c, p[(i * 37) % 2000]);
	memory_stats(&s);
	/* What the magazine and one empty slab hold may stay. */
	assert_true(s.slab - before <= 34);
	assert_true(slab_info(0, &info));
	assert_int_equal(info.used, 0);
}

UNIT_TESTS(test_kmalloc_random, test_limits, test_cache)
