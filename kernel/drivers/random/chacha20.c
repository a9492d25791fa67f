/* SPDX-License-Identifier: BSD-2-Clause */
/* ChaCha20, 20 rounds, the IETF layout: 32-bit block counter, 96-bit nonce. RFC 8439. Little-endian machines
 * only. */

#include "chacha20.h"
#include "base/bits.h"
#include "base/string.h"

static inline u32 rotl(u32 x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static __always_inline void quarter_round(u32 *a, u32 *b, u32 *c, u32 *d)
{
	*a += *b;
	*d = rotl(*d ^ *a, 16);
	*c += *d;
	*b = rotl(*b ^ *c, 12);
	*a += *b;
	*d = rotl(*d ^ *a, 8);
	*c += *d;
	*b = rotl(*b ^ *c, 7);
}

void chacha20_block(const u8 key[CHACHA20_KEY_SIZE], u32 counter, const u8 nonce[CHACHA20_NONCE_SIZE],
		    u8 out[CHACHA20_BLOCK_SIZE])
{
	u32 in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}; /* "expand 32-byte k" */
	u32 x[16];

	memcpy(&in[4], key, CHACHA20_KEY_SIZE);
	in[12] = counter;
	memcpy(&in[13], nonce, CHACHA20_NONCE_SIZE);
	memcpy(x, in, sizeof x);
	for (int i = 0; i < 10; i++) {
		quarter_round(&x[0], &x[4], &x[8], &x[12]);
		quarter_round(&x[1], &x[5], &x[9], &x[13]);
		quarter_round(&x[2], &x[6], &x[10], &x[14]);
		quarter_round(&x[3], &x[7], &x[11], &x[15]);
		quarter_round(&x[0], &x[5], &x[10], &x[15]);
		quarter_round(&x[1], &x[6], &x[11], &x[12]);
		quarter_round(&x[2], &x[7], &x[8], &x[13]);
		quarter_round(&x[3], &x[4], &x[9], &x[14]);
	}
	for (int i = 0; i < 16; i++)
		x[i] += in[i];
	memcpy(out, x, sizeof x);
}
