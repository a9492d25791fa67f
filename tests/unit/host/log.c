// SPDX-License-Identifier: BSD-2-Clause
/* The log goes to stderr; a panic aborts. Weak. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/log.h"

__weak enum log_level log_console_level = LOG_DEBUG;

__weak void log_printf(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > log_console_level)
		return;
	va_start(ap, fmt);
	fprintf(stderr, "<%d> ", level);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

__weak void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "panic: ");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	abort();
}
