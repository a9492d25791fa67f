// SPDX-License-Identifier: BSD-2-Clause
/* The LZ4 decoder against the reference library: what that compresses comes back, partial output is a prefix,
 * and hostile input neither reaches outside its buffers (sanitizers watch) nor yields more than was asked. */
// sources: fs/erofs/lz4.c
// ldflags: -llz4
#include "unit.h"

#include <lz4.h>
#include <lz4hc.h>

#include "base/err.h"
#include "fs/erofs/erofs.h"

static u64 seed = 88172645463325252ull;

static u32 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)(seed >> 16);
}

/* Text of varying entropy: runs, short alphabets, noise, repeats of earlier parts. */
static void fill(u8 *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		size_t len = min((size_t)(rnd() % 400 + 1), n - at);

		switch (rnd() % 4) {
		case 0:
			memset(p + at, (int)rnd(), len);
			break;
		case 1:
			for (size_t k = 0; k < len; k++)
				p[at + k] = (u8)('a' + rnd() % 4);
			break;
		case 2:
			for (size_t k = 0; k < len; k++)
				p[at + k] = (u8)rnd();
			break;
		default:
			for (size_t k = 0; at && k < len; k++)
				p[at + k] = p[(at + k) - (rnd() % 8 ? min(at, (size_t)17) : (size_t)1)];
		}
		at += len;
	}
}

/* Buffers of exactly the right size, so that the sanitizer sees one byte too many. */
static void check_one(size_t n, int hc)
{
	u8 *plain = malloc(n + 1), *packed = malloc((size_t)LZ4_compressBound((int)n) + 1), *src, *out;
	int len;

	fill(plain, n);
	len = hc ? LZ4_compress_HC((char *)plain, (char *)packed, (int)n, LZ4_compressBound((int)n), 9)
		 : LZ4_compress_default((char *)plain, (char *)packed, (int)n, LZ4_compressBound((int)n));
	assert_true(len > 0);
	src = malloc((size_t)len);
	memcpy(src, packed, (size_t)len);
	out = malloc(n);
	assert_int_equal(lz4_decode(src, (size_t)len, out, n), n);
	assert_memory_equal(out, plain, n);
	for (int k = 0; k < 8; k++) {
		size_t want = rnd() % n + 1;
		u8 *part = malloc(want);

		assert_int_equal(lz4_decode(src, (size_t)len, part, want), want);
		assert_memory_equal(part, plain, want);
		free(part);
	}
	/* A larger buffer: no more than there is. */
	free(out);
	out = malloc(n + 100);
	assert_int_equal(lz4_decode(src, (size_t)len, out, n + 100), n);
	free(out);
	free(src);
	free(packed);
	free(plain);
}

static void test_reference(void **state)
{
	for (int k = 0; k < 400; k++)
		check_one(rnd() % (k < 200 ? 300 : 70000) + 1, k & 1);
}

static void test_hostile(void **state)
{
	for (int k = 0; k < 30000; k++) {
		size_t n = rnd() % 64 + 1, room = rnd() % 600 + 1;
		u8 *src = malloc(n), *out = malloc(room);
		ssize_t got;

		for (size_t j = 0; j < n; j++)
			src[j] = (u8)(rnd() % 3 ? rnd() : 0xff * (rnd() % 2));
		got = lz4_decode(src, n, out, room);
		assert_true(got == -EUCLEAN || (got >= 0 && got <= (ssize_t)room));
		free(src);
		free(out);
	}
}

/* Valid blocks with one byte changed: same answer as the reference whenever that accepts them; but for an
 * offset of zero, which the format forbids and the reference lets pass. */
static void test_mutated(void **state)
{
	int stricter = 0;

	for (int k = 0; k < 3000; k++) {
		u8 plain[2000], packed[2200], out[2000], ref[2000];
		int len, want;
		ssize_t got;

		fill(plain, sizeof plain);
		len = LZ4_compress_default((char *)plain, (char *)packed, sizeof plain, sizeof packed);
		packed[rnd() % (u32)len] = (u8)rnd();
		want = LZ4_decompress_safe((char *)packed, (char *)ref, len, sizeof ref);
		got = lz4_decode(packed, (size_t)len, out, sizeof out);
		if (want == (int)sizeof ref && got == -EUCLEAN) {
			stricter++;
		} else if (want == (int)sizeof ref) {
			assert_int_equal(got, want);
			assert_memory_equal(out, ref, sizeof out);
		}
	}
	assert_true(stricter < 30);
}

static void test_edges(void **state)
{
	u8 out[16];

	assert_int_equal(lz4_decode((const u8 *)"", 0, out, sizeof out), 0);
	assert_int_equal(lz4_decode((const u8 *)"\x10", 1, out, sizeof out), -EUCLEAN); /* literal missing */
	assert_int_equal(lz4_decode((const u8 *)"\x10x", 2, out, sizeof out), 1);
	assert_int_equal(lz4_decode((const u8 *)"\x10x\x00\x00", 4, out, sizeof out),
			 -EUCLEAN); /* offset 0 */
	assert_int_equal(lz4_decode((const u8 *)"\x10x\x02\x00", 4, out, sizeof out),
			 -EUCLEAN); /* before the start */
	assert_int_equal(lz4_decode((const u8 *)"\x10x\x01", 3, out, sizeof out),
			 -EUCLEAN); /* half an offset */
	assert_int_equal(lz4_decode((const u8 *)"\xf0\xff\xff", 3, out, sizeof out),
			 -EUCLEAN); /* endless count */
	assert_int_equal(lz4_decode((const u8 *)"\x1fx\x01\x00", 4, out, sizeof out), -EUCLEAN);
}

UNIT_TESTS(test_reference, test_hostile, test_mutated, test_edges)
