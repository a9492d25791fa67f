/* SPDX-License-Identifier: BSD-2-Clause */
/* The two string routines of our own in base/string.h; host builds take them too. */

#include "base/err.h"
#include "base/string.h"

ssize_t str_copy(char *dst, const char *src, size_t size)
{
	size_t n = strnlen(src, size);

	if (!size)
		return -E2BIG;
	if (n == size) {
		memcpy(dst, src, size - 1);
		dst[size - 1] = '\0';
		return -E2BIG;
	}
	memcpy(dst, src, n + 1);
	return (ssize_t)n;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

u64 str_to_u64(const char *s, const char **end)
{
	int base = 10;
	u64 v = 0;

	if (s[0] == '0' && (s[1] | 32) == 'x' && digit(s[2]) < 16) {
		base = 16;
		s += 2;
	} else if (s[0] == '0') {
		base = 8;
	}
	while (digit(*s) < base)
		v = v * (u64)base + (u64)digit(*s++);
	switch (*s | 32) {
	case 'g':
		v <<= 10;
		__attribute__((fallthrough));
	case 'm':
		v <<= 10;
		__attribute__((fallthrough));
	case 'k':
		v <<= 10;
		s++;
	}
	if (end)
		*end = s;
	return v;
}
