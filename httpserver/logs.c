/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of text with a ring of chunk headers beside it: a chunk is text of one stream, what one read of a
 * pipe gave or several small ones. Positions are bytes since the start, so a reader's position stays good
 * while old text falls out. */
#include "logs.h"

#include <stdlib.h>
#include <string.h>

#define CHUNKS 4096 /* power of two */

struct chunk {
	uint64_t start;
	uint32_t len;
	uint8_t stream;
};

struct log_store {
	char *text;
	size_t capacity;
	uint64_t end;
	struct chunk chunks[CHUNKS];
	uint64_t first, last; /* chunk numbers kept: [first, last) */
	void (*listener)(void *);
	void *arg;
};

struct log_store *logs_create(size_t capacity)
{
	struct log_store *l = calloc(1, sizeof *l);

	if (!l || !(l->text = malloc(capacity))) {
		free(l);
		return NULL;
	}
	l->capacity = capacity;
	return l;
}

/* Copy N bytes at position POS of the ring out, or in. */
static void ring_copy(const struct log_store *l, uint64_t pos, size_t n, char *out, const char *in)
{
	size_t at = pos % l->capacity, first = n < l->capacity - at ? n : l->capacity - at;

	memcpy(out ? out : l->text + at, in ? in : l->text + at, first);
	memcpy(out ? out + first : l->text, in ? in + first : l->text, n - first);
}

static const struct chunk *chunk_at(const struct log_store *l, uint64_t i)
{
	return &l->chunks[i % CHUNKS];
}

static void forget_old(struct log_store *l)
{
	while (l->first < l->last &&
	       (l->last - l->first > CHUNKS || l->end - chunk_at(l, l->first)->start > l->capacity))
		l->first++;
}

/* Make the N bytes at the end part of the last chunk, as long as it is small: headers for small writes would
 * run out before the text does. */
static bool extend_last(struct log_store *l, enum log_stream stream, size_t n)
{
	struct chunk *last = &l->chunks[(l->last - 1) % CHUNKS];

	if (l->first == l->last || last->stream != stream || last->len + n > 2 * l->capacity / CHUNKS)
		return false;
	last->len += (uint32_t)n;
	return true;
}

void logs_add(struct log_store *l, enum log_stream stream, const char *text, size_t n)
{
	while (n) {
		size_t part = n > l->capacity / 4 ? l->capacity / 4 : n;

		ring_copy(l, l->end, part, NULL, text);
		if (!extend_last(l, stream, part))
			l->chunks[l->last++ % CHUNKS] =
				(struct chunk){l->end, (uint32_t)part, (uint8_t)stream};
		l->end += part;
		text += part;
		n -= part;
		forget_old(l);
	}
	if (l->listener)
		l->listener(l->arg);
}

size_t logs_read(const struct log_store *l, unsigned streams, uint64_t *pos, char *buf, size_t size)
{
	size_t n = 0;

	for (uint64_t i = l->first; i < l->last && n < size; i++) {
		const struct chunk *c = chunk_at(l, i);
		uint64_t from = *pos > c->start ? *pos : c->start, end = c->start + c->len;

		if (from >= end)
			continue;
		if (!(c->stream & streams)) {
			*pos = end;
			continue;
		}
		size_t k = (size_t)(end - from) < size - n ? (size_t)(end - from) : size - n;
		ring_copy(l, from, k, buf + n, NULL);
		n += k;
		*pos = from + k;
	}
	return n;
}

uint64_t logs_tail(const struct log_store *l, unsigned streams, unsigned lines)
{
	unsigned seen = 0;
	bool newest = true;

	if (!lines)
		return l->end;
	for (uint64_t i = l->last; i-- > l->first;) {
		const struct chunk *c = chunk_at(l, i);

		if (!(c->stream & streams))
			continue;
		for (uint32_t j = c->len; j-- > 0;) {
			/* The newline that ends the newest line does not begin another. */
			if (l->text[(c->start + j) % l->capacity] == '\n' && !newest && ++seen == lines)
				return c->start + j + 1;
			newest = false;
		}
	}
	return l->first < l->last ? chunk_at(l, l->first)->start : l->end;
}

uint64_t logs_end(const struct log_store *l)
{
	return l->end;
}

void logs_on_add(struct log_store *l, void (*fn)(void *), void *arg)
{
	l->listener = fn;
	l->arg = arg;
}
