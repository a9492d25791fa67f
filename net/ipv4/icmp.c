/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP (RFC 792, 1122 3.2.2, 1812 4.3): echo, errors out within a rate, errors in to the protocol they
 * concern. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "net/abi.h"
#include "net/checksum.h"
#include "net/icmp_local.h"
#include "net/ip.h"
#include "net/raw.h"

#define ERROR_RATE  1000 /* errors a second in all */
#define ERROR_BURST 50
#define QUOTE_MAX   548 /* RFC 1812: the error fits 576 bytes */

static DEFINE_COUNTER(icmp_malformed, "ICMP messages that were short or failed their checksum");

/* Token bucket over the whole stack. Racing callers may lose a token to each other: never exceeds the burst.
 */
bool icmp_rate_ok(struct net_stack *net)
{
	u64 now = clock_monotonic(), last = atomic_load_explicit(&net->icmp_stamp, memory_order_relaxed);
	u64 fresh = (now - last) * ERROR_RATE / NSEC_PER_SEC;
	u64 have = atomic_load_explicit(&net->icmp_tokens, memory_order_relaxed);

	if (fresh || !last) {
		have = last ? min(have + fresh, (u64)ERROR_BURST) : ERROR_BURST;
		atomic_store_explicit(&net->icmp_stamp, now, memory_order_relaxed);
	}
	if (!have) {
		mib_inc(net, MIB_ICMP_OUT_RATE_LIMIT);
		return false;
	}
	atomic_store_explicit(&net->icmp_tokens, have - 1, memory_order_relaxed);
	return true;
}

static int send_message(struct net_stack *net, struct packet *p, struct ip_flow *f)
{
	struct icmphdr *ic = (struct icmphdr *)p->data;

	ic->checksum = 0;
	ic->checksum = csum_fold(packet_csum(p, 0, p->len, 0));
	mib_inc(net, MIB_ICMP_OUT_MSGS);
	return ip_output(net, p, f);
}

static void echo_reply(struct net_stack *net, struct packet *p)
{
	struct ip_cb *cb = ip_cb(p);
	struct ip_flow f = {.src = cb->dst, .dst = cb->src, .proto = IPPROTO_ICMP, .tos = cb->tos};
	struct packet *r;

	/* Broadcast and multicast echoes are not answered (RFC 1122 allows; smurf attacks want it). */
	if (net->echo_ignore_all || !net_addr_is_local(net, &cb->dst, NULL) || ip_route_flow(net, &f))
		return;
	r = packet_alloc(PACKET_HEADROOM, p->len);
	if (!r)
		return;
	packet_copy_bits(p, 0, packet_put(r, p->len), p->len);
	((struct icmphdr *)r->data)->type = ICMP_ECHOREPLY;
	mib_inc(net, MIB_ICMP_OUT_ECHO_REPS);
	send_message(net, r, &f);
}

static const struct {
	int err;
	bool fatal;
} unreach[] = {
	[ICMP_NET_UNREACH] = {ENETUNREACH, false},    [ICMP_HOST_UNREACH] = {EHOSTUNREACH, false},
	[ICMP_PROT_UNREACH] = {ENOPROTOOPT, true},    [ICMP_PORT_UNREACH] = {ECONNREFUSED, true},
	[ICMP_FRAG_NEEDED] = {EMSGSIZE, false},	      [ICMP_SR_FAILED] = {EOPNOTSUPP, false},
	[ICMP_NET_UNKNOWN] = {ENETUNREACH, true},     [ICMP_HOST_UNKNOWN] = {EHOSTDOWN, true},
	[ICMP_HOST_ISOLATED] = {ENONET, true},	      [ICMP_NET_ANO] = {ENETUNREACH, true},
	[ICMP_HOST_ANO] = {EHOSTUNREACH, true},	      [ICMP_NET_UNR_TOS] = {ENETUNREACH, false},
	[ICMP_HOST_UNR_TOS] = {EHOSTUNREACH, false},  [ICMP_PKT_FILTERED] = {EHOSTUNREACH, true},
	[ICMP_PREC_VIOLATION] = {EHOSTUNREACH, true}, [ICMP_PREC_CUTOFF] = {EHOSTUNREACH, true},
};

void icmp_dispatch_error(struct net_stack *net, u8 proto, const struct icmp_error *e)
{
	raw_icmp_error(net, proto, e);
	if (proto == IPPROTO_TCP)
		tcp_icmp_error(net, e);
	else if (proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE)
		udp_icmp_error(net, proto, e);
}

/* RFC 1191 section 7: a router that does not say how large leaves us to guess the next usual size. */
static u32 next_lower_mtu(u32 len)
{
	static const u16 plateau[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 576};

	for (unsigned i = 0; i < ARRAY_SIZE(plateau); i++)
		if (len > plateau[i])
			return plateau[i];
	return 576;
}

static void error_input(struct net_stack *net, struct packet *p, u8 type, u8 code, u32 info)
{
	const struct ip_cb *cb = ip_cb(p);
	struct icmp_error e = {.type = type, .code = code, .offender = cb->src, .iif = cb->iif, .cb = cb};
	struct iphdr *ip;
	u32 hdr;

	packet_advance(p, ICMP_HDR_LEN);
	if (!packet_may_pull(p, IP_HDR_LEN))
		goto bad;
	ip = (struct iphdr *)p->data;
	hdr = ip->ihl * 4u;
	if (ip->version != 4 || hdr < IP_HDR_LEN || !packet_may_pull(p, hdr + 8))
		goto bad;
	ip = (struct iphdr *)p->data;
	if (be16(ip->frag_off) & IP_OFF_MASK)
		return; /* only a first fragment names ports */
	e.src = addr_v4(ip->saddr);
	e.dst = addr_v4(ip->daddr);
	e.transport = p->data + hdr;
	e.transport_len = packet_linear(p) - hdr;
	if (!net_addr_is_local(net, &e.src, NULL))
		goto bad;
	if (type == ICMP_DEST_UNREACH) {
		if (code > NR_ICMP_UNREACH)
			return;
		e.err = unreach[code].err;
		e.fatal = unreach[code].fatal;
		if (code == ICMP_FRAG_NEEDED) {
			e.mtu = info & 0xffff;
			if (!e.mtu)
				e.mtu = next_lower_mtu(be16(ip->tot_len));
			if (e.mtu < IP_MIN_MTU)
				goto bad;
		}
	} else if (type == ICMP_TIME_EXCEEDED) {
		if (code == ICMP_EXC_FRAGTIME) /* the receiver lost a part: nothing for the sender to mend */
			return;
		e.err = EHOSTUNREACH;
	} else if (type == ICMP_PARAMETERPROB) {
		e.err = EPROTO;
		e.fatal = true;
	} else {
		return;
	}
	icmp_dispatch_error(net, ip->protocol, &e);
	return;
bad:
	counter_inc(&icmp_malformed);
	mib_inc(net, MIB_ICMP_IN_ERRORS);
}

void icmp_input(struct net_stack *net, struct packet *p)
{
	struct icmphdr *ic;

	mib_inc(net, MIB_ICMP_IN_MSGS);
	if (!packet_may_pull(p, ICMP_HDR_LEN)) {
		mib_inc(net, MIB_ICMP_IN_ERRORS);
		goto out;
	}
	if (p->ip_summed == PACKET_CSUM_NONE && csum_fold(packet_csum(p, 0, p->len, 0)) != 0) {
		mib_inc(net, MIB_ICMP_IN_CSUM_ERRORS);
		counter_inc(&icmp_malformed);
		goto out;
	}
	ic = (struct icmphdr *)p->data;
	switch (ic->type) {
	case ICMP_ECHO:
		mib_inc(net, MIB_ICMP_IN_ECHOS);
		echo_reply(net, p);
		break;
	case ICMP_ECHOREPLY:
		mib_inc(net, MIB_ICMP_IN_ECHO_REPS);
		ping_input(net, p);
		break;
	case ICMP_DEST_UNREACH:
		mib_inc(net, MIB_ICMP_IN_DEST_UNREACHS);
		error_input(net, p, ic->type, ic->code, be32(ic->un.gateway));
		break;
	case ICMP_TIME_EXCEEDED:
		mib_inc(net, MIB_ICMP_IN_TIME_EXCDS);
		error_input(net, p, ic->type, ic->code, 0);
		break;
	case ICMP_PARAMETERPROB:
		error_input(net, p, ic->type, ic->code, be32(ic->un.gateway));
		break;
	}
out:
	packet_free(p);
}

/* RFC 1122 3.2.2: never about an ICMP error, a broadcast or multicast, a later fragment, or a source that is
 * no host. */
static bool may_answer(struct net_stack *net, struct packet *p, const struct iphdr *ip)
{
	if (be16(ip->frag_off) & IP_OFF_MASK)
		return false;
	if (ip4_is_multicast(ip->daddr) || net_addr_is_broadcast(net, ip->daddr, NULL) || !ip->saddr ||
	    ip4_is_multicast(ip->saddr) || net_addr_is_broadcast(net, ip->saddr, NULL))
		return false;
	if (ip->protocol == IPPROTO_ICMP) {
		u32 off = (u32)(packet_network(p) - p->head) + ip->ihl * 4u;
		u8 type = p->head + off < p->tail ? p->head[off] : ICMP_DEST_UNREACH;

		return type == ICMP_ECHO || type == ICMP_ECHOREPLY || type == ICMP_TIMESTAMP;
	}
	return true;
}

void icmp_send(struct net_stack *net, struct packet *p, u8 type, u8 code, u32 info)
{
	struct iphdr *ip = (struct iphdr *)packet_network(p);
	struct ip_flow f = {.proto = IPPROTO_ICMP};
	u32 front = (u32)(p->data - packet_network(p)), quote = min(front + p->len, (u32)QUOTE_MAX);
	struct icmphdr *ic;
	struct packet *r;
	struct net_addr dst;

	if (p->data < packet_network(p) || !may_answer(net, p, ip))
		return;
	if (p->dev != net->lo && !icmp_rate_ok(net))
		return;
	dst = addr_v4(ip->daddr);
	f.dst = addr_v4(ip->saddr);
	if (net_addr_is_local(net, &dst, NULL))
		f.src = dst;
	else
		f.src = addr_v4(0);
	f.tos = (ip->tos & 0x1e) | 0xc0; /* internetwork control (RFC 1812 4.3.2.5) */
	if (ip_route_flow(net, &f))
		return;
	r = packet_alloc(PACKET_HEADROOM, ICMP_HDR_LEN + quote);
	if (!r)
		return;
	ic = (struct icmphdr *)packet_put(r, ICMP_HDR_LEN);
	*ic = (struct icmphdr){.type = type, .code = code};
	ic->un.gateway = be32(info);
	memcpy(packet_put(r, min(front, quote)), ip, min(front, quote));
	if (quote > front)
		packet_copy_bits(p, 0, packet_put(r, quote - front), quote - front);
	if (type == ICMP_DEST_UNREACH)
		mib_inc(net, MIB_ICMP_OUT_DEST_UNREACHS);
	send_message(net, r, &f);
}

void icmp_port_unreachable(struct net_stack *net, struct packet *p)
{
	if (addr_is_v4(&ip_cb(p)->dst))
		icmp_send(net, p, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
	else
		icmp6_send(net, p, 1, 4, 0);
}

void icmp_local_unreachable(struct net_stack *net, struct packet *p)
{
	struct icmp_error e = {.err = EHOSTUNREACH, .type = ICMP_DEST_UNREACH, .code = ICMP_HOST_UNREACH};
	u32 hdr;
	u8 proto;

	if (!packet_may_pull(p, IP_HDR_LEN))
		return;
	if (p->data[0] >> 4 == 4) {
		const struct iphdr *ip = (const struct iphdr *)p->data;

		hdr = ip->ihl * 4u;
		proto = ip->protocol;
		e.src = addr_v4(ip->saddr);
		e.dst = addr_v4(ip->daddr);
		e.offender = e.src;
	} else {
		hdr = sizeof(struct ipv6hdr);
		proto = p->data[6];
		e.v6 = true;
		e.type = 1;
		e.code = 3;
		memcpy(&e.src, p->data + 8, 16);
		memcpy(&e.dst, p->data + 24, 16);
		e.offender = e.src;
	}
	if (!packet_may_pull(p, hdr + 8))
		return;
	e.transport = p->data + hdr;
	e.transport_len = packet_linear(p) - hdr;
	icmp_dispatch_error(net, proto, &e);
}
