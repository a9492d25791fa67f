/* SPDX-License-Identifier: BSD-2-Clause */
/* printf formatting: d i u x X o c s p %, flags "-0+ #", width, precision, '*', and hh h l ll z. %p prints 0x and hex.
 * Both return the length that the full text would have, as C99 says. Any context. */
#pragma once

#include "base/types.h"

int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);
/* Like snprintf but returns the bytes really written, without the terminator: safe for `n += scnprintf(b + n, size - n, ...)`. */
int scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
