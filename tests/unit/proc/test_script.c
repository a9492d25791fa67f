// SPDX-License-Identifier: BSD-2-Clause
/* #! lines: what Linux's binfmt_script makes of them. */
// sources: kernel/proc/script.c
#include "unit.h"

#include "base/err.h"
#include "kernel/proc/script.h"

static int parse(const char *text, struct script_line *out)
{
	char head[SCRIPT_HEAD_SIZE] = {0};

	memcpy(head, text, strnlen(text, sizeof(head)));
	return script_parse(head, out);
}

static void expect(const char *text, const char *interp, const char *arg)
{
	struct script_line l;

	assert_int_equal(parse(text, &l), 0);
	assert_string_equal(l.interp, interp);
	assert_string_equal(l.arg, arg);
}

static void test_plain(void **state)
{
	expect("#!/bin/sh\necho\n", "/bin/sh", "");
	expect("#!/bin/sh", "/bin/sh", ""); /* no newline, the file ends */
	expect("#! /bin/sh\n", "/bin/sh", "");
	expect("#!\t /bin/sh \t\n", "/bin/sh", "");
}

static void test_argument(void **state)
{
	expect("#!/usr/bin/env node\n", "/usr/bin/env", "node");
	expect("#!/usr/bin/env -S node --trace\n", "/usr/bin/env", "-S node --trace"); /* one argument */
	expect("#!/bin/awk \t -f  \n", "/bin/awk", "-f");
}

static void test_not_a_script(void **state)
{
	struct script_line l;

	assert_int_equal(parse("", &l), -ENOEXEC);
	assert_int_equal(parse("#", &l), -ENOEXEC);
	assert_int_equal(parse("# !/bin/sh\n", &l), -ENOEXEC);
	assert_int_equal(parse("\x7f" "ELF", &l), -ENOEXEC);
	assert_int_equal(parse("#!\n", &l), -ENOEXEC);
	assert_int_equal(parse("#!", &l), -ENOEXEC);
	assert_int_equal(parse("#!  \t \n/bin/sh\n", &l), -ENOEXEC);
}

static void test_long_lines(void **state)
{
	char text[400];
	struct script_line l;

	/* A name that may go on beyond what was read is refused. */
	memset(text, 'x', sizeof(text));
	memcpy(text, "#!/", 3);
	text[399] = 0;
	assert_int_equal(parse(text, &l), -ENOEXEC);
	/* A whole name with an argument that is cut: taken, as far as it was read. */
	text[100] = ' ';
	assert_int_equal(parse(text, &l), 0);
	assert_int_equal(strlen(l.interp), 98);
	assert_int_equal(strlen(l.arg), SCRIPT_HEAD_SIZE - 1 - 101);
	/* The newline is the last byte that is read; the one after it is too late. */
	memset(text, 'x', sizeof(text));
	memcpy(text, "#!/", 3);
	text[256] = '\n';
	assert_int_equal(parse(text, &l), -ENOEXEC);
	text[255] = '\n';
	assert_int_equal(parse(text, &l), 0);
	assert_int_equal(strlen(l.interp), 253);
	/* Blanks up to the limit. */
	memset(text, ' ', sizeof(text));
	memcpy(text, "#!/a", 4);
	assert_int_equal(parse(text, &l), 0);
	assert_string_equal(l.interp, "/a");
	assert_string_equal(l.arg, "");
}

UNIT_TESTS(test_plain, test_argument, test_not_a_script, test_long_lines)
