/* SPDX-License-Identifier: BSD-2-Clause */
/* Packing and unpacking of 9P2000.L messages. Everything that is read comes from a server that may be wrong.
 */
#include "proto.h"
#include "base/bits.h"
#include "base/string.h"

#define ERRNO_LAST 133 /* EHWPOISON: what lies above has a meaning inside this kernel only */
#define NAME_LAST  255

static u8 *room(struct p9_buf *b, size_t n)
{
	u8 *p = b->p + b->at;

	if (b->bad || n > b->size - b->at) {
		b->bad = true;
		return NULL;
	}
	b->at += n;
	return p;
}

static void put(struct p9_buf *b, const void *v, size_t n)
{
	u8 *p = room(b, n);

	if (p)
		memcpy(p, v, n);
}

void p9_begin(struct p9_buf *b, void *p, size_t size, u8 type)
{
	*b = (struct p9_buf){.p = p, .size = size};
	p9_put32(b, 0);
	p9_put8(b, type);
	p9_put16(b, P9_NOTAG);
}

void p9_put8(struct p9_buf *b, u8 v)
{
	put(b, &v, sizeof v);
}

void p9_put16(struct p9_buf *b, u16 v)
{
	put(b, &v, sizeof v);
}

void p9_put32(struct p9_buf *b, u32 v)
{
	put(b, &v, sizeof v);
}

void p9_put64(struct p9_buf *b, u64 v)
{
	put(b, &v, sizeof v);
}

void p9_put_str(struct p9_buf *b, const char *s, size_t len)
{
	if (len > 0xffff)
		b->bad = true;
	p9_put16(b, (u16)len);
	put(b, s, len);
}

int p9_end(struct p9_buf *b, u32 extra)
{
	u32 size = (u32)b->at + extra;

	if (b->bad)
		return -ENAMETOOLONG;
	memcpy(b->p, &size, sizeof size);
	return 0;
}

void p9_set_tag(u8 *message, u16 tag)
{
	memcpy(message + 5, &tag, sizeof tag);
}

static const u8 *take(struct p9_buf *b, size_t n)
{
	static const u8 zeros[8];
	const u8 *p = room(b, n);

	return p ? p : zeros;
}

u8 p9_get8(struct p9_buf *b)
{
	return *take(b, 1);
}

u16 p9_get16(struct p9_buf *b)
{
	return le16_get(take(b, 2));
}

u32 p9_get32(struct p9_buf *b)
{
	return le32_get(take(b, 4));
}

u64 p9_get64(struct p9_buf *b)
{
	return le64_get(take(b, 8));
}

struct p9_qid p9_get_qid(struct p9_buf *b)
{
	struct p9_qid q;

	q.type = p9_get8(b);
	q.version = p9_get32(b);
	q.path = p9_get64(b);
	return q;
}

const char *p9_get_str(struct p9_buf *b, size_t *len)
{
	size_t n = p9_get16(b);
	const u8 *p = room(b, n);

	*len = p ? n : 0;
	return (const char *)p;
}

int p9_reply(struct p9_buf *b, void *p, size_t cap, u32 written, u8 type, u16 tag)
{
	u32 size, error;
	u8 got;

	*b = (struct p9_buf){.p = p, .size = min(cap, (size_t)written)};
	size = p9_get32(b);
	got = p9_get8(b);
	if (p9_get16(b) != tag || b->bad || size != written || size < P9_HEADER)
		return -EIO;
	if (got == P9_RLERROR) {
		error = p9_get32(b);
		return b->bad || !error || error > ERRNO_LAST ? -EIO : -(int)error;
	}
	return got == type + 1 ? 0 : -EIO;
}

bool p9_dirent_get(const u8 *data, size_t len, size_t *at, struct p9_dirent *out)
{
	struct p9_buf b = {.p = (u8 *)(uintptr_t)data, .size = len, .at = *at};

	if (*at >= len)
		return false;
	out->qid = p9_get_qid(&b);
	out->next = p9_get64(&b);
	out->type = p9_get8(&b);
	out->name = p9_get_str(&b, &out->len);
	if (b.bad || !out->len || out->len > NAME_LAST || memchr(out->name, 0, out->len) ||
	    memchr(out->name, '/', out->len) || out->next > 0x7fffffffffffffffull)
		return false;
	*at = b.at;
	return true;
}
