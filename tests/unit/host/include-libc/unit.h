/* SPDX-License-Identifier: BSD-2-Clause */
/* First include of every test: cmocka and the libc headers that go along with the kernel's. Do not add
 * <fcntl.h>, <sys/stat.h>, <sys/epoll.h>, <sys/resource.h> or <signal.h>: the kernel's headers define the
 * same things. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host.h"

#define UNIT_MAP1_(f) cmocka_unit_test(f),
#define UNIT_MAP_END_(...)
#define UNIT_EVAL0_(...)   __VA_ARGS__
#define UNIT_EVAL1_(...)   UNIT_EVAL0_(UNIT_EVAL0_(UNIT_EVAL0_(__VA_ARGS__)))
#define UNIT_EVAL2_(...)   UNIT_EVAL1_(UNIT_EVAL1_(UNIT_EVAL1_(__VA_ARGS__)))
#define UNIT_EVAL3_(...)   UNIT_EVAL2_(UNIT_EVAL2_(UNIT_EVAL2_(__VA_ARGS__)))
#define UNIT_EVAL_(...)	   UNIT_EVAL3_(UNIT_EVAL3_(UNIT_EVAL3_(__VA_ARGS__)))
#define UNIT_PAREN_	   ()
#define UNIT_EACH_(f, ...) UNIT_MAP1_(f) __VA_OPT__(UNIT_AGAIN_ UNIT_PAREN_(__VA_ARGS__))
#define UNIT_AGAIN_()	   UNIT_EACH_

/* main(): runs the named functions, void f(void **state), in order, each after host_reset(). */
#define UNIT_TESTS(...)                                                            \
	static int unit_setup_(void **state)                                       \
	{                                                                          \
		host_reset();                                                      \
		return 0;                                                          \
	}                                                                          \
	int main(void)                                                             \
	{                                                                          \
		struct CMUnitTest tests[] = {UNIT_EVAL_(UNIT_EACH_(__VA_ARGS__))}; \
		for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)        \
			tests[i].setup_func = unit_setup_;                         \
		return cmocka_run_group_tests(tests, NULL, NULL);                  \
	}
