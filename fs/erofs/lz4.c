/* SPDX-License-Identifier: BSD-2-Clause */
/* LZ4 block decoder, from the format description (lz4_Block_format.md of the LZ4 project).
 *
 * A block is a row of sequences: a token (literal count and match length, four bits each, 15 meaning that
 * more bytes follow), the literals, a two-byte offset backwards, more match length. Every count is checked
 * against what is left of both buffers before a byte moves. Copies go eight bytes at a time where both
 * buffers have that much room. */
#include "base/bits.h"
#include "base/string.h"
#include "erofs.h"

#define MIN_MATCH 4

static void copy8(u8 *dst, const u8 *src)
{
	u64 v;

	__builtin_memcpy(&v, src, 8);
	__builtin_memcpy(dst, &v, 8);
}

/* A count that goes on in bytes of 255. False: the input ended or the count is absurd. */
static bool long_count(const u8 **src, const u8 *end, size_t *count)
{
	u8 b;

	do {
		if (*src == end || *count > ((size_t)1 << 32))
			return false;
		b = *(*src)++;
		*count += b;
	} while (b == 255);
	return true;
}

/* COUNT bytes from OFFSET back; OUT + COUNT <= LIMIT holds. The ranges overlap when the offset is short: the
 * pattern repeats. */
static u8 *copy_match(u8 *out, u8 *limit, size_t offset, size_t count)
{
	const u8 *from = out - offset;
	u8 *end = out + count;

	if (offset >= 8 && (size_t)(limit - out) >= count + 8) {
		while (out < end) {
			copy8(out, from);
			out += 8;
			from += 8;
		}
		return end;
	}
	if (offset == 1) {
		memset(out, *from, count);
		return end;
	}
	while (out < end)
		*out++ = *from++;
	return end;
}

ssize_t lz4_decode(const u8 *src, size_t srclen, u8 *dst, size_t dstlen)
{
	const u8 *end = src + srclen;
	u8 *out = dst, *limit = dst + dstlen;

	while (src < end && out < limit) {
		u8 token = *src++;
		size_t lit = token >> 4, match = token & 15, offset, room = (size_t)(limit - out);

		if (lit == 15 && !long_count(&src, end, &lit))
			return -EUCLEAN;
		if (lit > (size_t)(end - src) && room > (size_t)(end - src))
			return -EUCLEAN;
		if (lit <= 16 && (size_t)(end - src) >= 16 && room >= 16) {
			copy8(out, src);
			copy8(out + 8, src + 8);
		} else {
			memcpy(out, src, min(lit, room));
		}
		if (lit >= room)
			return (ssize_t)dstlen;
		out += lit;
		src += lit;
		if (src == end)
			break; /* the last sequence has no match */
		if (end - src < 2)
			return -EUCLEAN;
		offset = le16_get(src);
		src += 2;
		if (!offset || offset > (size_t)(out - dst))
			return -EUCLEAN;
		if (match == 15 && !long_count(&src, end, &match))
			return -EUCLEAN;
		match = min(match + MIN_MATCH, (size_t)(limit - out));
		out = copy_match(out, limit, offset, match);
	}
	return out - dst;
}
