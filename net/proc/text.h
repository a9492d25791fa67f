/* SPDX-License-Identifier: BSD-2-Clause */
/* Text into a buffer that may be too small: len counts what the whole would need, as proc_net_register()
 * wants. */
#pragma once

#include "base/format.h"

struct text {
	char *buf;
	size_t size, len;
};

static inline __printf(2, 3) void text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->len += (size_t)vsnprintf(t->buf + min(t->len, t->size), t->len < t->size ? t->size - t->len : 0,
				    fmt, ap);
	va_end(ap);
}

/* Pad with spaces up to COLUMN bytes after START. */
static inline void text_pad(struct text *t, size_t start, size_t column)
{
	while (t->len < start + column)
		text_printf(t, " ");
}
