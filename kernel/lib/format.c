/* SPDX-License-Identifier: BSD-2-Clause */
/* printf formatting (base/format.h). Output goes through one bounded cursor that also counts what did not fit. */

#include "base/format.h"
#include "base/string.h"

struct out {
	char *buf;
	size_t size, len; /* room; length of the full text */
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

struct spec {
	bool left, zero, plus, space, alt, upper, is_signed;
	int width, precision; /* precision < 0: none */
	int size;	      /* bytes of the argument */
};

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_number(struct out *o, struct spec *s, u64 v, unsigned base, bool negative)
{
	const char *digits = s->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char tmp[24], prefix[3];
	int n = 0, np = 0;

	if (negative)
		prefix[np++] = '-';
	else if (s->is_signed && s->plus)
		prefix[np++] = '+';
	else if (s->is_signed && s->space)
		prefix[np++] = ' ';
	if (s->alt && base == 16 && v) {
		prefix[np++] = '0';
		prefix[np++] = s->upper ? 'X' : 'x';
	}
	for (u64 rest = v; rest; rest /= base)
		tmp[n++] = digits[rest % base];
	if (!n && s->precision != 0)
		tmp[n++] = '0';
	if (s->alt && base == 8 && (!n || tmp[n - 1] != '0'))
		tmp[n++] = '0';

	int zeros = max(s->precision - n, 0);
	if (s->precision < 0 && s->zero && !s->left)
		zeros = max(s->width - n - np, 0);
	int fill = s->width - n - np - zeros;
	if (!s->left)
		pad(o, ' ', fill);
	for (int i = 0; i < np; i++)
		put(o, prefix[i]);
	pad(o, '0', zeros);
	while (n)
		put(o, tmp[--n]);
	if (s->left)
		pad(o, ' ', fill);
}

static void put_string(struct out *o, struct spec *s, const char *str)
{
	if (!str)
		str = "(null)";
	int n = (int)strnlen(str, s->precision < 0 ? 1 << 20 : (size_t)s->precision);

	if (!s->left)
		pad(o, ' ', s->width - n);
	for (int i = 0; i < n; i++)
		put(o, str[i]);
	if (s->left)
		pad(o, ' ', s->width - n);
}

static const char *parse_flags(const char *f, struct spec *s)
{
	for (;; f++)
		switch (*f) {
		case '-':
			s->left = true;
			break;
		case '0':
			s->zero = true;
			break;
		case '+':
			s->plus = true;
			break;
		case ' ':
			s->space = true;
			break;
		case '#':
			s->alt = true;
			break;
		default:
			return f;
		}
}

static const char *parse_size(const char *f, struct spec *s)
{
	s->size = sizeof(int);
	if (*f == 'h') {
		s->size = *++f == 'h' ? (f++, 1) : 2;
	} else if (*f == 'l' || *f == 'z' || *f == 'j' || *f == 't') {
		s->size = 8;
		if (*++f == 'l')
			f++;
	}
	return f;
}

static u64 take_unsigned(const struct spec *s, u64 v)
{
	return s->size == 8 ? v : v & ((1ull << 8 * s->size) - 1);
}

static s64 take_signed(const struct spec *s, u64 v)
{
	int shift = 64 - 8 * s->size;

	return (s64)(v << shift) >> shift;
}

int vsnprintf(char *buf, size_t size, const char *f, va_list ap)
{
	struct out o = {buf, size, 0};

	for (; *f; f++) {
		struct spec s = {.precision = -1};

		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f = parse_flags(f + 1, &s);
		if (*f == '*') {
			s.width = va_arg(ap, int);
			if (s.width < 0) {
				s.left = true;
				s.width = -s.width;
			}
			f++;
		} else {
			while (*f >= '0' && *f <= '9')
				s.width = s.width * 10 + *f++ - '0';
		}
		if (*f == '.') {
			s.precision = 0;
			if (*++f == '*') {
				s.precision = va_arg(ap, int);
				f++;
			} else {
				while (*f >= '0' && *f <= '9')
					s.precision = s.precision * 10 + *f++ - '0';
			}
		}
		f = parse_size(f, &s);
		switch (*f) {
		case 'd':
		case 'i': {
			s64 v = take_signed(&s, s.size == 8 ? va_arg(ap, u64) : (u64)va_arg(ap, int));

			s.is_signed = true;
			put_number(&o, &s, v < 0 ? -(u64)v : (u64)v, 10, v < 0);
			break;
		}
		case 'X':
			s.upper = true;
			__attribute__((fallthrough));
		case 'u':
		case 'o':
		case 'x': {
			u64 v = take_unsigned(&s, s.size == 8 ? va_arg(ap, u64) : va_arg(ap, unsigned));

			put_number(&o, &s, v, *f == 'u' ? 10 : *f == 'o' ? 8 : 16, false);
			break;
		}
		case 'p': {
			u64 v = (u64)va_arg(ap, void *);

			put(&o, '0');
			put(&o, 'x');
			s.width = max(s.width - 2, 0);
			put_number(&o, &s, v, 16, false);
			break;
		}
		case 'c':
			if (!s.left)
				pad(&o, ' ', s.width - 1);
			put(&o, (char)va_arg(ap, int));
			if (s.left)
				pad(&o, ' ', s.width - 1);
			break;
		case 's':
			put_string(&o, &s, va_arg(ap, const char *));
			break;
		case '%':
			put(&o, '%');
			break;
		case '\0':
			f--;
			break;
		default:
			put(&o, *f);
		}
	}
	if (size)
		buf[min(o.len, size - 1)] = '\0';
	return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return size ? min(n, (int)size - 1) : 0;
}
