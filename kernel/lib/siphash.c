/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash-2-4 with a 64-bit result. J.-P. Aumasson, D. J. Bernstein: "SipHash: a fast short-input PRF", 2012.
 */

#include "base/siphash.h"
#include "base/bits.h"

struct sip_state {
	u64 v0, v1, v2, v3;
};

static inline u64 rotl(u64 x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_round(struct sip_state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip_state *s, u64 m)
{
	s->v3 ^= m;
	sip_round(s);
	sip_round(s);
	s->v0 ^= m;
}

u64 siphash(const void *data, size_t len, const struct siphash_key *key)
{
	struct sip_state s = {
		.v0 = key->k[0] ^ 0x736f6d6570736575ull, /* "somepseu" */
		.v1 = key->k[1] ^ 0x646f72616e646f6dull, /* "dorandom" */
		.v2 = key->k[0] ^ 0x6c7967656e657261ull, /* "lygenera" */
		.v3 = key->k[1] ^ 0x7465646279746573ull, /* "tedbytes" */
	};
	const u8 *p = data;
	u64 last = (u64)len << 56;

	for (size_t n = len / 8; n; n--, p += 8)
		sip_word(&s, le64_get(p));
	for (size_t i = 0; i < len % 8; i++)
		last |= (u64)p[i] << (8 * i);
	sip_word(&s, last);
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
