// SPDX-License-Identifier: BSD-2-Clause
/* The primitives behind the random generator and keyed hashes, against published vectors. */
// sources: kernel/drivers/random/chacha20.c kernel/drivers/random/blake2s.c kernel/lib/siphash.c
#include "unit.h"

#include "base/siphash.h"
#include "kernel/drivers/random/blake2s.h"
#include "kernel/drivers/random/chacha20.h"

/* RFC 8439, 2.3.2 */
static void test_chacha20_block(void **state)
{
	static const u8 expected[64] = {0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd,
					0x1f, 0xa3, 0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0,
					0x68, 0x03, 0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2,
					0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05,
					0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1, 0xde, 0x16, 0x4e,
					0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e};
	static const u8 nonce[12] = {0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0};
	u8 key[32], out[64];

	for (int i = 0; i < 32; i++)
		key[i] = (u8)i;
	chacha20_block(key, 1, nonce, out);
	assert_memory_equal(out, expected, 64);
}

/* RFC 8439, appendix A.1, vector 1 */
static void test_chacha20_zero_key(void **state)
{
	static const u8 expected[16] = {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90,
					0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28};
	static const u8 zeros[32];
	u8 out[64];

	chacha20_block(zeros, 0, zeros, out);
	assert_memory_equal(out, expected, sizeof expected);
}

/* RFC 7693, appendix B, and the empty string. */
static void test_blake2s(void **state)
{
	static const u8 abc[32] = {0x50, 0x8c, 0x5e, 0x8c, 0x32, 0x7c, 0x14, 0xe2, 0xe1, 0xa7, 0x2b,
				   0xa3, 0x4e, 0xeb, 0x45, 0x2f, 0x37, 0x45, 0x8b, 0x20, 0x9e, 0xd6,
				   0x3a, 0x29, 0x4d, 0x99, 0x9b, 0x4c, 0x86, 0x67, 0x59, 0x82};
	static const u8 empty[4] = {0x69, 0x21, 0x7a, 0x30};
	struct blake2s s;
	u8 out[32];

	blake2s_init(&s);
	blake2s_update(&s, "abc", 3);
	blake2s_final(&s, out);
	assert_memory_equal(out, abc, 32);
	blake2s_init(&s);
	blake2s_final(&s, out);
	assert_memory_equal(out, empty, 4);
}

/* RFC 7693, appendix E: a hash over hashes of many lengths, fed in pieces. */
static void blake2s_sequence(u8 *out, size_t len, u32 seed)
{
	u32 a = 0xdead4bad * seed, b = 1;

	for (size_t i = 0; i < len; i++) {
		u32 t = a + b;

		a = b;
		b = t;
		out[i] = (u8)(t >> 24);
	}
}

static void test_blake2s_pieces(void **state)
{
	static const size_t lengths[] = {0, 3, 64, 65, 255, 1024};
	u8 in[1024], whole[32], pieces[32];

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct blake2s s;
		size_t n = lengths[i], at = 0;

		blake2s_sequence(in, n, (u32)n);
		blake2s_init(&s);
		blake2s_update(&s, in, n);
		blake2s_final(&s, whole);
		blake2s_init(&s);
		for (size_t step = 1; at < n; step = step * 3 + 1) {
			size_t part = min(step, n - at);

			blake2s_update(&s, in + at, part);
			at += part;
		}
		blake2s_final(&s, pieces);
		assert_memory_equal(whole, pieces, 32);
	}
}

/* The authors' vectors: key 00..0f, message 00, 01, .. of each length. */
static void test_siphash(void **state)
{
	static const u64 expected[16] = {
		0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
		0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
		0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
		0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5};
	struct siphash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
	u8 message[16];

	for (u8 i = 0; i < 16; i++) {
		message[i] = i;
		assert_true(siphash(message, i, &key) == expected[i]);
	}
}

UNIT_TESTS(test_chacha20_block, test_chacha20_zero_key, test_blake2s, test_blake2s_pieces, test_siphash)
