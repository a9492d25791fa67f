/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of text with a ring of chunk headers beside it: a chunk is what one read of a pipe gave. Positions are bytes since the
 * start, so a reader's position stays good while old text falls out. */
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

void logs_add(struct log_store *l, enum log_stream stream, const char *text, size_t n)
{
	while (n) {
		size_t part = n > l->capacity / 4 ? l->capacity / 4 : n;

		for (size_t i = 0; i < part; i++)
			l->text[(l->end + i) % l->capacity] = text[i];
		l->chunks[l->last++ % CHUNKS] = (struct chunk){l->end, (uint32_t)part, (uint8_t)stream};
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
		for (size_t j = 0; j < k; j++)
			buf[n + j] = l->text[(from + j) % l->capacity];
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
