/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum over memory: 64-bit words with end-around carry (RFC 1071 section 2), four at a time.
 */
#include "base/string.h"
#include "net/checksum.h"

static inline u64 add64(u64 a, u64 b)
{
	a += b;
	return a + (a < b);
}

static inline u64 load64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

u32 csum_partial(const void *data, size_t n, u32 start)
{
	const u8 *p = data;
	u64 sum = start;

	for (; n >= 32; n -= 32, p += 32) {
		sum = add64(sum, load64(p));
		sum = add64(sum, load64(p + 8));
		sum = add64(sum, load64(p + 16));
		sum = add64(sum, load64(p + 24));
	}
	for (; n >= 8; n -= 8, p += 8)
		sum = add64(sum, load64(p));
	if (n) {
		u64 last = 0;

		memcpy(&last, p, n);
		sum = add64(sum, last);
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (u32)sum;
}

u32 csum_pseudo(const struct net_addr *src, const struct net_addr *dst, u32 len, u8 proto)
{
	u32 sum = csum_add(be32(len), be32(proto));

	if (addr_is_v4(dst))
		return csum_add(csum_add(sum, src->w[3]), dst->w[3]);
	return csum_partial(dst, 16, csum_partial(src, 16, sum));
}
