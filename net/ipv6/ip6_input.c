/* SPDX-License-Identifier: BSD-2-Clause */
/* Receiving IPv6 (RFC 8200): header checks, extension headers, reassembly, delivery. Hosts only. */
#include "base/string.h"
#include "net/abi.h"
#include "net/ip6.h"

enum { EXT_HOP_BY_HOP = 0, EXT_ROUTING = 43, EXT_FRAGMENT = 44, EXT_NONE = 59, EXT_DEST_OPTIONS = 60 };
#define EXT_MAX 8 /* headers in a row; more are an attack */

bool ip6_own_group(const struct netdev *dev, const struct net_addr *group)
{
	struct net_addr all = IP6_ALL_NODES, node_local = all;

	node_local.b[1] = 1;
	if (addr_equal(group, &all) || addr_equal(group, &node_local))
		return true;
	if (group->q[0] != be64(0xff02000000000000ull) || group->b[11] != 1 || group->b[12] != 0xff)
		return false;
	for (struct if_addr *a = rcu_dereference(net_if(dev)->addrs); a; a = rcu_dereference(a->next)) {
		struct net_addr s = ip6_solicited_node(&a->addr);

		if (!addr_is_v4(&a->addr) && addr_equal(&s, group))
			return true;
	}
	return false;
}

/* The interface that P, for DST, counts as received by: what this host sends itself belongs to the one that
 * has the address (its scope, RFC 4007 5). NULL: P is not for us. */
static struct netdev *receiving_device(struct net_stack *net, struct packet *p, const struct net_addr *dst)
{
	struct netdev *dev;

	if (addr_is_multicast(dst))
		return p->dev == net->lo || ip6_own_group(p->dev, dst) || if_group_member(p->dev, dst)
			       ? p->dev
			       : NULL;
	if (!net_addr_is_local(net, dst, &dev))
		return NULL;
	if (p->dev == net->lo)
		return dev;
	return !addr_is_loopback(dst) && (!addr_is_link_local(dst) || dev == p->dev) ? p->dev : NULL;
}

/* Options of a hop-by-hop or destination header (4.2). 0 go on, 1 drop, 2 drop and complain about *AT. */
static int check_options(const u8 *p, const u8 *end, bool multicast, u32 *at)
{
	const u8 *start = p;

	p += 2;
	while (p < end) {
		u8 type = *p;

		if (type == 0) { /* Pad1 */
			p++;
			continue;
		}
		if (end - p < 2 || end - p < 2 + p[1])
			return 1;
		if (type != 1 && type != 5 &&
		    (type & 0xc0)) { /* neither PadN nor router alert, and not to be skipped */
			*at = (u32)(p - start);
			switch (type >> 6) {
			case 1:
				return 1;
			case 2:
				return 2;
			default:
				return multicast ? 1 : 2;
			}
		}
		p += 2 + p[1];
	}
	return 0;
}

static void parameter_problem(struct net_stack *net, struct packet *p, u8 code, u32 at)
{
	icmp6_send(net, p, ICMP6_PARAMETER, code, (u32)(p->data - packet_network(p)) + at);
}

/* Walk the extension headers. Returns P at its upper-layer header with cb->proto set, or NULL (P is gone). */
static struct packet *extensions(struct net_stack *net, struct packet *p, u8 next)
{
	u8 name_at = 6; /* offset of the "next header" field that gave NEXT */

	for (unsigned n = 0; n < EXT_MAX; n++) {
		u32 len, at = 0;
		int r;

		if (next != EXT_HOP_BY_HOP && next != EXT_ROUTING && next != EXT_FRAGMENT &&
		    next != EXT_DEST_OPTIONS) {
			if (next == EXT_NONE)
				break;
			ip_cb(p)->proto = next;
			p->transport_off = (u16)packet_headroom(p);
			return p;
		}
		if (next == EXT_HOP_BY_HOP && n) {
			parameter_problem(net, p, 1, 0);
			break;
		}
		if (!packet_may_pull(p, 8))
			break;
		if (next == EXT_FRAGMENT) {
			u16 field = (u16)(p->data[2] << 8 | p->data[3]);
			u32 id;

			memcpy(&id, p->data + 4, 4);
			ip_cb(p)->proto = next = p->data[0];
			packet_advance(p, 8);
			p->transport_off = (u16)packet_headroom(p);
			if (field & 0xfff9) {
				p = frag_reassemble(net, p, id, field & 0xfff8, field & 1, 0);
				if (!p)
					return NULL;
				next = ip_cb(p)->proto;
			}
			continue;
		}
		len = (p->data[1] + 1u) * 8;
		if (!packet_may_pull(p, len))
			break;
		if (next == EXT_ROUTING) {
			if (p->data[3]) { /* segments left: we are no waypoint (RFC 5095) */
				parameter_problem(net, p, 0, 2);
				break;
			}
		} else {
			r = check_options(p->data, p->data + len, addr_is_multicast(&ip_cb(p)->dst), &at);
			if (r == 2)
				parameter_problem(net, p, 2, at);
			if (r)
				break;
		}
		name_at = 0;
		next = p->data[0];
		packet_advance(p, len);
	}
	(void)name_at;
	packet_free(p);
	return NULL;
}

void ip6_input(struct packet *p)
{
	struct net_stack *net = net_if(p->dev)->net;
	struct ip_cb *cb = ip_cb(p);
	struct netdev *dev;
	const u8 *h;
	u32 len;
	u8 next;

	mib_inc(net, MIB_IP6_IN_RECEIVES);
	if (!net->ip6)
		goto drop;
	if (!packet_may_pull(p, IP6_HDR_LEN) || p->data[0] >> 4 != 6)
		goto bad;
	h = p->data;
	len = IP6_HDR_LEN + (u32)(h[4] << 8 | h[5]);
	if (len == IP6_HDR_LEN && p->dev == net->lo)
		len = p->len; /* more than 64 KiB on the loopback */
	if (len > p->len)
		goto bad;
	packet_trim(p, len);
	p->network_off = (u16)packet_headroom(p);
	memset(cb, 0, sizeof(*cb));
	memcpy(&cb->src, h + 8, 16);
	memcpy(&cb->dst, h + 24, 16);
	cb->ttl = h[7];
	cb->tos = (u8)(h[0] << 4 | h[1] >> 4);
	next = h[6];
	/* v4-mapped addresses never travel in IPv6 packets, nor does the loopback's outside of it (RFC
	 * 4291 2.5.3). */
	if (addr_is_multicast(&cb->src) || addr_is_v4(&cb->src) || addr_is_v4(&cb->dst) ||
	    (addr_is_loopback(&cb->src) && p->dev != net->lo))
		goto bad;
	dev = receiving_device(net, p, &cb->dst);
	if (!dev)
		goto drop;
	cb->iif = dev->index;
	packet_advance(p, IP6_HDR_LEN);
	p->transport_off = (u16)packet_headroom(p);
	p = extensions(net, p, next);
	if (!p)
		return;
	mib_inc(net, MIB_IP6_IN_DELIVERS);
	ip_deliver(net, p);
	return;
bad:
	mib_inc(net, MIB_IP6_IN_HDR_ERRORS);
drop:
	packet_free(p);
}
