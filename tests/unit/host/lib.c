// SPDX-License-Identifier: BSD-2-Clause
/* The helpers of kernel/lib that libc lacks. Weak: a test may name the kernel's own files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/format.h"
#include "base/string.h"

__weak int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	if (!size || n < 0)
		return 0;
	return min(n, (int)size - 1);
}

__weak ssize_t str_copy(char *dst, const char *src, size_t size)
{
	size_t n = strnlen(src, size);

	if (!size)
		return -E2BIG;
	if (n < size) {
		memcpy(dst, src, n + 1);
		return (ssize_t)n;
	}
	memcpy(dst, src, size - 1);
	dst[size - 1] = 0;
	return -E2BIG;
}

__weak u64 str_to_u64(const char *s, const char **end)
{
	char *e;
	u64 v = strtoull(s, &e, s[0] == '0' && (s[1] | 32) == 'x' ? 16 : 10);

	switch (*e) {
	case 'k':
	case 'K':
		v <<= 10;
		e++;
		break;
	case 'm':
	case 'M':
		v <<= 20;
		e++;
		break;
	case 'g':
	case 'G':
		v <<= 30;
		e++;
		break;
	}
	if (end)
		*end = e;
	return v;
}
