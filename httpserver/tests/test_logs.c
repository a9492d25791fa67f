/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../logs.h"

static void add(struct log_store *l, enum log_stream s, const char *text)
{
	logs_add(l, s, text, strlen(text));
}

static void expect(struct log_store *l, unsigned streams, uint64_t pos, const char *text)
{
	char buf[256];
	size_t n = logs_read(l, streams, &pos, buf, sizeof buf - 1);

	buf[n] = '\0';
	assert_string_equal(buf, text);
}

static void keeps_order_and_streams(void **state)
{
	struct log_store *l = logs_create(1000);

	add(l, LOG_STDOUT, "one\n");
	add(l, LOG_STDERR, "two\n");
	add(l, LOG_STDOUT, "three\n");
	expect(l, LOG_STDOUT | LOG_STDERR, 0, "one\ntwo\nthree\n");
	expect(l, LOG_STDOUT, 0, "one\nthree\n");
	expect(l, LOG_STDERR, 0, "two\n");
}

static void tail_counts_lines(void **state)
{
	struct log_store *l = logs_create(1000);

	add(l, LOG_STDOUT, "one\ntwo\nthr");
	add(l, LOG_STDOUT, "ee\nfour\n");
	expect(l, LOG_STDOUT, logs_tail(l, LOG_STDOUT, 1), "four\n");
	expect(l, LOG_STDOUT, logs_tail(l, LOG_STDOUT, 2), "three\nfour\n");
	expect(l, LOG_STDOUT, logs_tail(l, LOG_STDOUT, 99), "one\ntwo\nthree\nfour\n");
	expect(l, LOG_STDOUT, logs_tail(l, LOG_STDOUT, 0), "");
	add(l, LOG_STDOUT, "unfinished");
	expect(l, LOG_STDOUT, logs_tail(l, LOG_STDOUT, 1), "unfinished");
}

static void old_text_falls_out_and_positions_stay_good(void **state)
{
	struct log_store *l = logs_create(64);
	uint64_t pos = 0;
	char line[16], buf[256];

	for (int i = 0; i < 1000; i++) {
		memset(line, 'a' + i % 26, 9);
		line[9] = '\n';
		logs_add(l, LOG_STDOUT, line, 10);
	}
	size_t n = logs_read(l, LOG_STDOUT, &pos, buf, sizeof buf);
	assert_in_range(n, 40, 64);
	assert_int_equal(pos, logs_end(l));
	assert_int_equal(buf[n - 2], 'a' + 999 % 26);
	assert_int_equal(logs_read(l, LOG_STDOUT, &pos, buf, sizeof buf), 0);
}

static void small_reads_lose_nothing(void **state)
{
	struct log_store *l = logs_create(1000);
	uint64_t pos = 0;
	char all[64] = "", buf[3];
	size_t n;

	add(l, LOG_STDOUT, "hello ");
	add(l, LOG_STDERR, "world\n");
	while ((n = logs_read(l, LOG_STDOUT | LOG_STDERR, &pos, buf, sizeof buf)))
		strncat(all, buf, n);
	assert_string_equal(all, "hello world\n");
}

static void small_writes_fill_the_store_too(void **state)
{
	const size_t room = 1u << 20;
	struct log_store *l = logs_create(room);
	char *all = test_malloc(room);
	uint64_t pos = 0, half = room;

	for (size_t i = 0; i < room; i++)
		logs_add(l, LOG_STDOUT, i % 2 ? "\n" : "a", 1);
	assert_int_equal(logs_read(l, LOG_STDOUT, &pos, all, room), room);
	for (size_t i = 0; i < room; i++)
		assert_int_equal(all[i], i % 2 ? '\n' : 'a');
	add(l, LOG_STDERR, "error\n"); /* what falls out for it is little */
	pos = 0;
	assert_in_range(logs_read(l, LOG_STDOUT | LOG_STDERR, &pos, all, room), room - 1024, room);
	assert_int_equal(logs_read(l, LOG_STDERR, &half, all, room), 6);
	assert_int_equal(logs_tail(l, LOG_STDOUT, 5), room - 10);
	test_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order_and_streams),
		cmocka_unit_test(tail_counts_lines),
		cmocka_unit_test(old_text_falls_out_and_positions_stay_good),
		cmocka_unit_test(small_reads_lose_nothing),
		cmocka_unit_test(small_writes_fill_the_store_too),
	};

	return cmocka_run_group_tests_name("logs", tests, NULL, NULL);
}
