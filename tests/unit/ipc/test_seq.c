// SPDX-License-Identifier: BSD-2-Clause
/* Text that grows: sizes across the change of allocator, formats of masks and lists, and running out of memory. */
// sources: fs/pseudo/seq.c kernel/lib/iter.c
#include "unit.h"

#include "fs/pseudo.h"
#include "kernel/alloc.h"

static void is(struct seq *s, const char *want)
{
	assert_false(s->failed);
	assert_int_equal(s->len, strlen(want));
	assert_memory_equal(s->buf, want, s->len);
	s->len = 0;
}

static void test_formats(void **state)
{
	struct seq s = {0};
	size_t start;

	seq_printf(&s, "%d-%s", 7, "x");
	is(&s, "7-x");
	seq_cpumask(&s, 1);
	is(&s, "1");
	seq_cpumask(&s, 6);
	is(&s, "3f");
	seq_cpumask(&s, 32);
	is(&s, "ffffffff");
	seq_cpumask(&s, 40);
	is(&s, "ff,ffffffff");
	seq_cpulist(&s, 1);
	is(&s, "0");
	seq_cpulist(&s, 12);
	is(&s, "0-11");
	seq_escape(&s, "a b\tc\\d#", "#");
	is(&s, "a\\040b\\011c\\134d\\043");
	start = s.len;
	seq_puts(&s, "ab");
	seq_pad(&s, start, 5);
	seq_putc(&s, '|');
	is(&s, "ab   |");
	seq_free(&s);
	assert_int_equal(host_heap_live(), 0);
}

static void test_growth(void **state)
{
	struct seq s = {0};

	for (int i = 0; i < 40000; i++)
		seq_printf(&s, "%07d\n", i);
	assert_int_equal(s.len, 320000);
	assert_memory_equal(s.buf + 8 * 39999, "0039999\n", 8);
	seq_free(&s);
	assert_int_equal(host_heap_live(), 0);
}

static unsigned grown;

/* Longer each time it is asked, up to a point, as a table that changes under the reader. */
static size_t table(char *buf, size_t size)
{
	size_t n = 400 + (grown < 5 ? ++grown : 5) * 300;

	for (size_t i = 0; i < n && i + 1 < size; i++)
		buf[i] = 'a' + (char)(i % 26);
	return n;
}

static void test_text(void **state)
{
	struct seq s = {0};

	seq_text(&s, table);
	assert_false(s.failed);
	assert_true(s.len >= 700 && s.len <= 1900);
	assert_int_equal(s.buf[s.len - 1], 'a' + (int)((s.len - 1) % 26));
	seq_free(&s);
}

static void test_no_memory(void **state)
{
	struct seq s = {0};

	host_alloc_fail_after(1);
	for (int i = 0; i < 10000; i++)
		seq_puts(&s, "0123456789");
	assert_true(s.failed);
	host_alloc_fail_never();
	seq_free(&s);
	assert_int_equal(host_heap_live(), 0);
}

UNIT_TESTS(test_formats, test_growth, test_text, test_no_memory)
