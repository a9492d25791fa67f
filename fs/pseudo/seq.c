// SPDX-License-Identifier: BSD-2-Clause
/* Text that grows (fs/pseudo.h). Small texts live on the heap, large ones in vmalloc space, so that a file
 * may be as large as the list it shows. One owner at a time; no locks. */
#include "base/format.h"
#include "base/string.h"
#include "fs/pseudo.h"
#include "kernel/alloc.h"

#define FIRST_SIZE 1024
#define HEAP_MAX   (64u << 10) /* beyond it: vmalloc */

static void *text_alloc(size_t size)
{
	return size <= HEAP_MAX ? kmalloc(size) : vmalloc(size);
}

static void text_free(void *p, size_t size)
{
	if (size <= HEAP_MAX)
		kfree(p);
	else
		vfree(p);
}

void seq_free(struct seq *s)
{
	text_free(s->buf, s->cap);
	*s = (struct seq){0};
}

/* Make room for N more bytes. */
static bool seq_reserve(struct seq *s, size_t n)
{
	size_t cap = s->cap ? s->cap : FIRST_SIZE;
	char *buf;

	if (s->failed)
		return false;
	if (s->cap - s->len >= n)
		return true;
	while (cap - s->len < n)
		cap *= 2;
	buf = text_alloc(cap);
	if (!buf) {
		s->failed = true;
		return false;
	}
	if (s->len)
		memcpy(buf, s->buf, s->len);
	text_free(s->buf, s->cap);
	s->buf = buf;
	s->cap = cap;
	return true;
}

void seq_write(struct seq *s, const void *data, size_t n)
{
	if (!seq_reserve(s, n))
		return;
	memcpy(s->buf + s->len, data, n);
	s->len += n;
}

void seq_puts(struct seq *s, const char *text)
{
	seq_write(s, text, strlen(text));
}

void seq_putc(struct seq *s, char c)
{
	seq_write(s, &c, 1);
}

void seq_printf(struct seq *s, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (!seq_reserve(s, 128))
		return;
	va_start(ap, fmt);
	n = (size_t)vsnprintf(s->buf + s->len, s->cap - s->len, fmt, ap);
	va_end(ap);
	if (n >= s->cap - s->len) {
		if (!seq_reserve(s, n + 1))
			return;
		va_start(ap, fmt);
		n = (size_t)vsnprintf(s->buf + s->len, s->cap - s->len, fmt, ap);
		va_end(ap);
	}
	s->len += n;
}

void seq_text(struct seq *s, size_t (*show)(char *buf, size_t size))
{
	size_t want = 512;

	while (seq_reserve(s, want)) {
		size_t room = s->cap - s->len, n = show(s->buf + s->len, room);

		if (n < room) {
			s->len += n;
			return;
		}
		want = max(n + 1, 2 * room); /* it may have grown meanwhile */
	}
}

void seq_escape(struct seq *s, const char *text, const char *esc)
{
	for (; *text; text++) {
		u8 c = (u8)*text;

		if (c == ' ' || c == '\t' || c == '\n' || c == '\\' || strchr(esc, c))
			seq_printf(s, "\\%03o", c);
		else
			seq_putc(s, (char)c);
	}
}

void seq_pad(struct seq *s, size_t start, size_t width)
{
	while (!s->failed && s->len < start + width)
		seq_putc(s, ' ');
}

void seq_cpumask(struct seq *s, unsigned count)
{
	unsigned words = (count + 31) / 32;

	for (unsigned w = words; w-- > 0;) {
		unsigned bits = w == words - 1 && count % 32 ? count % 32 : 32;
		u32 mask = bits == 32 ? ~0u : (1u << bits) - 1;

		if (w == words - 1)
			seq_printf(s, "%0*x", (int)((bits + 3) / 4), mask);
		else
			seq_printf(s, ",%08x", mask);
	}
}

void seq_cpulist(struct seq *s, unsigned count)
{
	if (count > 1)
		seq_printf(s, "0-%u", count - 1);
	else
		seq_puts(s, "0");
}
