/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMPv6 (RFC 4443): echo, errors out and in; neighbour discovery and MLD messages go to their files. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/counter.h"
#include "net/abi.h"
#include "net/checksum.h"
#include "net/icmp_local.h"
#include "net/ip6.h"
#include "net/raw.h"

static DEFINE_COUNTER(icmp6_malformed,
		      "ICMPv6 messages that were short, failed their checksum or came from afar");

int icmp6_transmit(struct net_stack *net, struct packet *p, struct ip_flow *f)
{
	struct icmp6_header *h = (struct icmp6_header *)p->data;

	h->checksum = 0;
	h->checksum =
		csum_fold(packet_csum(p, 0, p->len, csum_pseudo(&f->src, &f->dst, p->len, IPPROTO_ICMPV6)));
	mib_inc(net, MIB_ICMP_OUT_MSGS);
	return ip6_output(net, p, f);
}

static void echo_reply(struct net_stack *net, struct packet *p)
{
	struct ip_cb *cb = ip_cb(p);
	struct ip_flow f = {.dst = cb->src, .proto = IPPROTO_ICMPV6, .tos = cb->tos};
	struct packet *r;

	if (!addr_is_multicast(&cb->dst))
		f.src = cb->dst;
	if (addr_is_link_local(&f.dst))
		f.oif = cb->iif;
	if (ip_route_flow(net, &f))
		return;
	r = packet_alloc(PACKET_HEADROOM, p->len);
	if (!r)
		return;
	packet_copy_bits(p, 0, packet_put(r, p->len), p->len);
	r->data[0] = ICMP6_ECHO_REPLY;
	icmp6_transmit(net, r, &f);
}

void icmp6_error_input(struct net_stack *net, struct packet *p)
{
	struct icmp6_header h;
	const struct ip_cb *cb = ip_cb(p);
	struct icmp_error e = {.v6 = true, .offender = cb->src, .iif = cb->iif, .cb = cb};
	const u8 *ip;

	memcpy(&h, p->data, sizeof(h));
	packet_advance(p, sizeof(h));
	if (!packet_may_pull(p, IP6_HDR_LEN + 8))
		goto bad;
	ip = p->data;
	if (ip[0] >> 4 != 6)
		goto bad;
	e.type = h.type;
	e.code = h.code;
	memcpy(&e.src, ip + 8, 16);
	memcpy(&e.dst, ip + 24, 16);
	e.transport = ip + IP6_HDR_LEN;
	e.transport_len = packet_linear(p) - IP6_HDR_LEN;
	if (!net_addr_is_local(net, &e.src, NULL))
		goto bad;
	switch (h.type) {
	case ICMP6_UNREACH: {
		static const int errs[] = {ENETUNREACH,	 EACCES, EHOSTUNREACH, EHOSTUNREACH,
					   ECONNREFUSED, EACCES, EACCES};

		e.err = h.code < ARRAY_SIZE(errs) ? errs[h.code] : EPROTO;
		e.fatal = h.code == 4 || h.code == 1;
		break;
	}
	case ICMP6_TOO_BIG:
		e.err = EMSGSIZE;
		e.mtu = be32(h.info);
		if (e.mtu < IP6_MIN_MTU)
			e.mtu = IP6_MIN_MTU;
		break;
	case ICMP6_TIME_EXCEEDED:
		e.err = EHOSTUNREACH;
		break;
	default:
		e.err = EPROTO;
		e.fatal = true;
	}
	icmp_dispatch_error(net, ip[6], &e);
	return;
bad:
	counter_inc(&icmp6_malformed);
	mib_inc(net, MIB_ICMP_IN_ERRORS);
}

void icmp6_input(struct net_stack *net, struct packet *p)
{
	struct ip_cb *cb = ip_cb(p);
	bool nd;
	u8 type;

	mib_inc(net, MIB_ICMP_IN_MSGS);
	if (!packet_may_pull(p, sizeof(struct icmp6_header)) ||
	    (p->ip_summed == PACKET_CSUM_NONE &&
	     csum_fold(packet_csum(p, 0, p->len, csum_pseudo(&cb->src, &cb->dst, p->len, IPPROTO_ICMPV6))) !=
		     0))
		goto bad;
	type = p->data[0];
	nd = type >= ND_ROUTER_SOLICIT && type <= ND_ADVERT;
	/* RFC 4861 6.1, 7.1: hop limit 255, code 0; everything in one piece for the parsers. */
	if (nd && (cb->ttl != ND_HOPS || p->data[1] || !packet_may_pull(p, p->len)))
		goto bad;
	switch (type) {
	case ICMP6_UNREACH:
	case ICMP6_TOO_BIG:
	case ICMP6_TIME_EXCEEDED:
	case ICMP6_PARAMETER:
		icmp6_error_input(net, p);
		break;
	case ICMP6_ECHO:
		mib_inc(net, MIB_ICMP_IN_ECHOS);
		echo_reply(net, p);
		break;
	case ICMP6_ECHO_REPLY:
		mib_inc(net, MIB_ICMP_IN_ECHO_REPS);
		ping_input(net, p);
		break;
	case MLD_QUERY:
	case MLD_REPORT:
		mld_input(p);
		break;
	case ND_ROUTER_ADVERT:
		slaac_router_advert(p);
		break;
	case ND_SOLICIT:
		nd_solicit_input(p);
		break;
	case ND_ADVERT:
		nd_advert_input(p);
		break;
	}
	packet_free(p);
	return;
bad:
	counter_inc(&icmp6_malformed);
	packet_free(p);
}

/* RFC 4443 2.4 (e): never about an ICMPv6 error, nor, but for two cases, about multicast. */
static bool may_answer(struct packet *p, const u8 *ip, u8 type)
{
	struct net_addr src, dst;
	const u8 *upper = p->head + p->transport_off;

	memcpy(&src, ip + 8, 16);
	memcpy(&dst, ip + 24, 16);
	if (addr_is_any(&src) || addr_is_multicast(&src))
		return false;
	if (addr_is_multicast(&dst) && type != ICMP6_TOO_BIG && type != ICMP6_PARAMETER)
		return false;
	if (ip_cb(p)->proto == IPPROTO_ICMPV6)
		return upper < p->tail && *upper >= 128 && *upper != 137;
	return true;
}

void icmp6_send(struct net_stack *net, struct packet *p, u8 type, u8 code, u32 info)
{
	const u8 *ip = packet_network(p);
	u32 front = (u32)(p->data - ip);
	u32 quote = min(front + p->len, (u32)(IP6_MIN_MTU - IP6_HDR_LEN - sizeof(struct icmp6_header)));
	struct ip_flow f = {.proto = IPPROTO_ICMPV6};
	struct icmp6_header *h;
	struct packet *r;

	if (p->data < ip || !may_answer(p, ip, type) || (p->dev != net->lo && !icmp_rate_ok(net)))
		return;
	memcpy(&f.dst, ip + 8, 16);
	memcpy(&f.src, ip + 24, 16);
	if (!net_addr_is_local(net, &f.src, NULL))
		f.src = NET_ADDR_ANY;
	if (addr_is_link_local(&f.dst))
		f.oif = p->dev->index;
	if (ip_route_flow(net, &f))
		return;
	r = packet_alloc(PACKET_HEADROOM, sizeof(*h) + quote);
	if (!r)
		return;
	h = (struct icmp6_header *)packet_put(r, sizeof(*h));
	*h = (struct icmp6_header){.type = type, .code = code, .info = be32(info)};
	memcpy(packet_put(r, min(front, quote)), ip, min(front, quote));
	if (quote > front)
		packet_copy_bits(p, 0, packet_put(r, quote - front), quote - front);
	icmp6_transmit(net, r, &f);
}
