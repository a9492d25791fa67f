/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum (RFC 1071, 1624). Sums are 32-bit, unfolded, in memory order. */
#pragma once

#include "net/addr.h"

u32 csum_partial(const void *data, size_t n, u32 sum);

static inline u32 csum_add(u32 a, u32 b)
{
	a += b;
	return a + (a < b);
}

/* The sum of a block that starts at offset OFF of the whole: odd offsets swap bytes. */
static inline u32 csum_block_add(u32 sum, u32 block, u32 off)
{
	if (off & 1)
		block = block << 8 | block >> 24;
	return csum_add(sum, block);
}

static inline u16 csum_fold(u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}

static inline u16 ip_checksum(const void *data, size_t n)
{
	return csum_fold(csum_partial(data, n, 0));
}

/* Pseudo-header sum for upper-layer protocol PROTO of LEN bytes (RFC 9293 3.1, RFC 8200 8.1). */
u32 csum_pseudo(const struct net_addr *src, const struct net_addr *dst, u32 len, u8 proto);
