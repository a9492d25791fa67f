/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP options (RFC 9293 3.2, 7323, 2018): parsing what arrives, writing ours. */
#include "base/string.h"
#include "net/tcp.h"

enum { OPT_EOL, OPT_NOP, OPT_MSS, OPT_WSCALE, OPT_SACK_OK, OPT_SACK, OPT_TS = 8, OPT_FASTOPEN = 34 };

static u16 get16(const u8 *p)
{
	return (u16)(p[0] << 8 | p[1]);
}

static u32 get32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static u8 *put16(u8 *p, u16 v)
{
	p[0] = (u8)(v >> 8);
	p[1] = (u8)v;
	return p + 2;
}

static u8 *put32(u8 *p, u32 v)
{
	return put16(put16(p, (u16)(v >> 16)), (u16)v);
}

static void parse_one(const struct tcphdr *th, const u8 *p, u8 len, struct tcp_options *o)
{
	switch (p[0]) {
	case OPT_MSS:
		if (len == 4 && th->syn)
			o->mss = get16(p + 2);
		break;
	case OPT_WSCALE:
		if (len == 3 && th->syn) {
			o->have_wscale = true;
			o->wscale = min(p[2], (u8)TCP_MAX_WSCALE);
		}
		break;
	case OPT_SACK_OK:
		if (len == 2 && th->syn)
			o->sack_ok = true;
		break;
	case OPT_TS:
		if (len == 10) {
			o->have_ts = true;
			o->ts_val = get32(p + 2);
			o->ts_ecr = get32(p + 6);
		}
		break;
	case OPT_SACK:
		if (len >= 10 && (len - 2) % 8 == 0) {
			o->nsack = (u8)min((len - 2) / 8, 4);
			for (unsigned i = 0; i < o->nsack; i++)
				o->sack[i] = (struct tcp_sack){get32(p + 2 + 8 * i), get32(p + 6 + 8 * i)};
		}
		break;
	case OPT_FASTOPEN: /* a request, or an even number of bytes (RFC 7413 4.1.1) */
		if (th->syn && (len == 2 || (len >= 6 && len <= 2 + TCP_FO_MAX && len % 2 == 0))) {
			o->have_fo = true;
			o->fo_len = len - 2;
			memcpy(o->fo, p + 2, o->fo_len);
		}
		break;
	}
}

/* TH is followed by its options, all linear (doff was checked). Malformed options end the list. */
void tcp_parse_options(const struct tcphdr *th, struct tcp_options *o)
{
	const u8 *p = (const u8 *)(th + 1), *end = (const u8 *)th + th->doff * 4;

	memset(o, 0, offsetof(struct tcp_options, sack));
	/* The usual case of an established connection: NOP NOP TS and nothing else. */
	if (th->doff == 8 && p[0] == OPT_NOP && p[1] == OPT_NOP && p[2] == OPT_TS && p[3] == 10) {
		o->have_ts = true;
		o->ts_val = get32(p + 4);
		o->ts_ecr = get32(p + 8);
		return;
	}
	while (p < end && *p != OPT_EOL) {
		u8 len;

		if (*p == OPT_NOP) {
			p++;
			continue;
		}
		if (end - p < 2)
			return;
		len = p[1];
		if (len < 2 || len > end - p)
			return;
		parse_one(th, p, len, o);
		p += len;
	}
}

u32 tcp_write_syn_options(u8 *to, const struct tcp_syn_options *o)
{
	u8 *p = to;

	*p++ = OPT_MSS;
	*p++ = 4;
	p = put16(p, o->mss);
	if (o->sack) {
		*p++ = OPT_SACK_OK;
		*p++ = 2;
	} else if (o->ts) {
		*p++ = OPT_NOP;
		*p++ = OPT_NOP;
	}
	if (o->ts) {
		*p++ = OPT_TS;
		*p++ = 10;
		p = put32(p, o->ts_val);
		p = put32(p, o->ts_ecr);
	}
	if (o->wscale_ok) {
		*p++ = OPT_NOP;
		*p++ = OPT_WSCALE;
		*p++ = 3;
		*p++ = o->wscale;
	}
	if (o->fo) {
		*p++ = OPT_FASTOPEN;
		*p++ = (u8)(2 + o->fo_len);
		memcpy(p, o->fo_cookie, o->fo_len);
		p += o->fo_len;
	}
	while ((p - to) & 3)
		*p++ = OPT_NOP;
	return (u32)(p - to);
}

u32 tcp_write_timestamp(u8 *to, u32 ts_val, u32 ts_ecr)
{
	to[0] = to[1] = OPT_NOP;
	to[2] = OPT_TS;
	to[3] = 10;
	put32(put32(to + 4, ts_val), ts_ecr);
	return 12;
}

static u8 *put_sack(u8 *p, const struct tcp_sack *s)
{
	return put32(put32(p, s->start), s->end);
}

/* ROOM: bytes that may be used. SACK blocks: a duplicate first (RFC 2883), then the most recent stretches
 * (RFC 2018). */
u32 tcp_write_options(u8 *to, struct tcp_sock *tp, u64 now, u32 room)
{
	unsigned recent = tp->gaps ? tp->gaps->nrecent : 0;
	u8 *p = to;

	if (tp->ts_ok)
		p += tcp_write_timestamp(p, tcp_ts(tp, now), tp->ts_recent);
	room -= (u32)(p - to);
	if (unlikely(tp->sack_ok && (recent || tp->dsack_due) && room >= 12)) {
		unsigned n = min(recent + (tp->dsack_due ? 1u : 0u), (room - 4) / 8), k = 0;

		*p++ = OPT_NOP;
		*p++ = OPT_NOP;
		*p++ = OPT_SACK;
		*p++ = (u8)(2 + 8 * n);
		if (tp->dsack_due) {
			p = put_sack(p, &tp->gaps->dsack);
			tp->dsack_due = false;
			n--;
		}
		for (; n; n--)
			p = put_sack(p, &tp->gaps->recent[k++]);
	}
	return (u32)(p - to);
}
