/* SPDX-License-Identifier: BSD-2-Clause */
/* Network addresses. Every layer above IP handles one kind: 16 bytes, IPv4 as v4-mapped (::ffff:a.b.c.d, RFC
 * 4291 2.5.5.2). A u32 IPv4 address is in network byte order everywhere; ports in host order unless a name
 * says be. */
#pragma once

#include "base/bits.h"
#include "base/types.h"

struct net_addr {
	union {
		u8 b[16];
		u32 w[4];
		u64 q[2];
	};
};

#define ADDR_V4_MARK be32_const(0xffff)
#define be32_const(v)                                                                               \
	((u32)((((u32)(v)) >> 24) | ((((u32)(v)) >> 8) & 0xff00) | ((((u32)(v)) << 8) & 0xff0000) | \
	       (((u32)(v)) << 24)))
#define IP4(a, b, c, d) be32_const((u32)(a) << 24 | (u32)(b) << 16 | (u32)(c) << 8 | (u32)(d))
#define IP4_BROADCAST	0xffffffffu
#define NET_ADDR_ANY	((struct net_addr){})

static inline struct net_addr addr_v4(u32 v4)
{
	return (struct net_addr){.w = {0, 0, ADDR_V4_MARK, v4}};
}

static inline bool addr_is_v4(const struct net_addr *a)
{
	return a->q[0] == 0 && a->w[2] == ADDR_V4_MARK;
}

static inline bool addr_is_any(const struct net_addr *a)
{
	return a->q[0] == 0 && (a->w[2] == 0 || a->w[2] == ADDR_V4_MARK) && a->w[3] == 0;
}

static inline bool addr_equal(const struct net_addr *a, const struct net_addr *b)
{
	return a->q[0] == b->q[0] && a->q[1] == b->q[1];
}

static inline bool ip4_is_multicast(u32 a)
{
	return (a & be32_const(0xf0000000)) == be32_const(0xe0000000);
}

static inline bool ip4_is_loopback(u32 a)
{
	return (a & be32_const(0xff000000)) == be32_const(0x7f000000);
}

static inline bool addr_is_multicast(const struct net_addr *a)
{
	return addr_is_v4(a) ? ip4_is_multicast(a->w[3]) : a->b[0] == 0xff;
}

static inline bool addr_is_link_local(const struct net_addr *a) /* fe80::/10 */
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

static inline bool addr_is_loopback(const struct net_addr *a)
{
	if (addr_is_v4(a))
		return ip4_is_loopback(a->w[3]);
	return a->q[0] == 0 && a->w[2] == 0 && a->w[3] == be32_const(1);
}

static inline u32 ip4_mask(unsigned plen)
{
	return plen ? be32((u32)(~0ull << (32 - plen))) : 0;
}

/* Do the first PLEN bits of A and B agree? */
static inline bool addr_prefix_equal(const struct net_addr *a, const struct net_addr *b, unsigned plen)
{
	for (unsigned i = 0; i < 2; i++) {
		if (plen < 64)
			return plen == 0 || ((a->q[i] ^ b->q[i]) & be64(~0ull << (64 - plen))) == 0;
		if (a->q[i] != b->q[i])
			return false;
		plen -= 64;
	}
	return true;
}

/* Text of A (dotted quad when v4-mapped) into BUF; enough room is ADDR_TEXT_MAX. Returns BUF. */
#define ADDR_TEXT_MAX 46
char *addr_text(const struct net_addr *a, char buf[ADDR_TEXT_MAX]);
/* Parse "a.b.c.d"; *END is the first byte not used. False when it is none. */
bool ip4_parse(const char *s, u32 *out, const char **end);
