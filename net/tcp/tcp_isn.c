/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that an attacker must not guess: initial sequence numbers (RFC 6528), timestamp offsets (RFC
 * 7323 5.4), SYN cookies (RFC 4987 3.6). */
#include "kernel/clock.h"
#include "net/tcp.h"

struct tuple {
	struct net_addr l, f;
	u64 ports;
	u64 extra;
};

static u64 hash(const struct siphash_key *k, const struct net_addr *l, u16 lport, const struct net_addr *f,
		u16 fport, u64 extra)
{
	struct tuple t = {*l, *f, (u64)lport << 16 | fport, extra};

	return siphash(&t, sizeof(t), k);
}

u32 tcp_isn(struct net_stack *net, const struct net_addr *laddr, u16 lport, const struct net_addr *faddr,
	    u16 fport)
{
	/* A tick each 64 ns: the clock laps in 4.6 minutes, above the MSL. */
	return (u32)hash(&net->isn_key, laddr, lport, faddr, fport, 0) + (u32)(clock_monotonic() >> 6);
}

u32 tcp_ts_offset(struct net_stack *net, const struct net_addr *laddr, const struct net_addr *faddr)
{
	return (u32)hash(&net->isn_key, laddr, 0, faddr, 0, 1);
}

static const u16 cookie_mss[8] = {216, 536, 1200, 1360, 1400, 1440, 1460, 8960};
#define COOKIE_PERIOD (64 * NSEC_PER_SEC)

/* Five bits of time, three of MSS, 24 of hash, all over the peer's ISN. */
static u32 cookie(struct net_stack *net, const struct net_addr *l, u16 lport, const struct net_addr *f,
		  u16 fport, u32 peer_isn, u32 period, u32 mss_index)
{
	u64 h = hash(&net->cookie_key, l, lport, f, fport, (u64)peer_isn << 32 | period << 3 | mss_index);

	return (period & 31) << 27 | mss_index << 24 | (u32)(h & 0xffffff);
}

u32 tcp_cookie_make(struct net_stack *net, const struct net_addr *l, u16 lport, const struct net_addr *f,
		    u16 fport, u32 peer_isn, u16 *mss)
{
	u32 i = ARRAY_SIZE(cookie_mss) - 1;

	while (i && cookie_mss[i] > *mss)
		i--;
	*mss = cookie_mss[i];
	return cookie(net, l, lport, f, fport, peer_isn, (u32)(clock_monotonic() / COOKIE_PERIOD), i);
}

u16 tcp_cookie_check(struct net_stack *net, const struct net_addr *l, u16 lport, const struct net_addr *f,
		     u16 fport, u32 peer_isn, u32 c)
{
	u32 now = (u32)(clock_monotonic() / COOKIE_PERIOD), i = c >> 24 & 7;

	for (u32 age = 0; age < 2; age++)
		if (cookie(net, l, lport, f, fport, peer_isn, now - age, i) == c)
			return cookie_mss[i];
	return 0;
}

/* Six bits: the window scale (15: none), whether the peer takes SACK, and ECN. */
#define COOKIE_TS_BITS 6

u32 tcp_cookie_ts(struct net_stack *net, const struct net_addr *l, const struct net_addr *f,
		  const struct tcp_options *o, bool ecn)
{
	u32 now = (u32)(clock_monotonic() / NSEC_PER_MSEC), bits;
	u32 ts = now >> COOKIE_TS_BITS << COOKIE_TS_BITS;

	bits = (o->have_wscale ? o->wscale : 15u) | (o->sack_ok ? 16u : 0) | (ecn ? 32u : 0);
	return (ts | bits) + tcp_ts_offset(net, l, f);
}

void tcp_cookie_options(struct net_stack *net, const struct net_addr *l, const struct net_addr *f, u32 ts_ecr,
			struct tcp_options *o)
{
	u32 bits = ts_ecr - tcp_ts_offset(net, l, f);

	o->have_wscale = (bits & 15) != 15;
	o->wscale = o->have_wscale ? bits & 15 : 0;
	o->sack_ok = bits & 16;
	o->ecn = bits & 32;
}
