/* SPDX-License-Identifier: BSD-2-Clause */
/* Stateless DHCPv6 (RFC 8415 section 18.2.6): when a router says that there is more to know than its
 * advertisements hold, ask for name servers and search domains, and again when they get old. Runs in sections
 * under the lock of the interface's IPv6 configuration, on its timer. */
#include "base/string.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/random.h"
#include "net/abi.h"
#include "net/checksum.h"
#include "net/config.h"
#include "net/dhcp.h"
#include "net/ip6.h"
#include "net/udp.h"

#define CLIENT_PORT 546
#define SERVER_PORT 547
#define RETRY_FIRST (1 * NSEC_PER_SEC)
#define RETRY_MAX   (3600 * NSEC_PER_SEC)

static DEFINE_COUNTER(dhcp6_malformed, "DHCPv6 messages that were short or senseless");

static const struct net_addr servers = {.b = {0xff, 2, [13] = 1, [15] = 2}};

static u8 *option(u8 *p, u16 code, u16 len)
{
	u16 head[2] = {be16(code), be16(len)};

	memcpy(p, head, 4);
	return p + 4;
}

static void send_request(struct ip6_if *i)
{
	struct net_stack *net = net_if(i->dev)->net;
	struct ip_flow f = {.dst = servers, .oif = i->dev->index, .proto = IPPROTO_UDP, .ttl = 1};
	struct packet *p;
	struct udp_header *uh;
	u8 *o;

	if (ip_route_flow(net, &f) || !addr_is_link_local(&f.src))
		return;
	p = packet_alloc(PACKET_HEADROOM, sizeof(*uh) + 4 + 14 + 6 + 10);
	if (!p)
		return;
	uh = (struct udp_header *)packet_put(p, sizeof(*uh) + 4 + 14 + 6 + 10);
	o = (u8 *)(uh + 1);
	o[0] = DHCP6_INFORMATION_REQUEST;
	o[1] = (u8)(i->dhcp6_xid >> 16);
	o[2] = (u8)(i->dhcp6_xid >> 8);
	o[3] = (u8)i->dhcp6_xid;
	o = option(o + 4, DHCP6_OPT_CLIENT_ID, 10);
	dhcp6_duid(i->dev, o);
	o = option(o + 10, DHCP6_OPT_ELAPSED, 2);
	memset(o, i->dhcp6_tries ? 0xff : 0, 2);
	o = option(o + 2, DHCP6_OPT_ORO, 6);
	memcpy(o, (u8[]){0, DHCP6_OPT_DNS, 0, DHCP6_OPT_DOMAINS, 0, DHCP6_OPT_REFRESH}, 6);
	uh->source = be16(CLIENT_PORT);
	uh->dest = be16(SERVER_PORT);
	uh->len = be16((u16)p->len);
	uh->check = 0;
	uh->check = csum_fold(packet_csum(p, 0, p->len, csum_pseudo(&f.src, &f.dst, p->len, IPPROTO_UDP)));
	if (!uh->check)
		uh->check = 0xffff;
	ip6_output(net, p, &f);
}

void dhcp6_start(struct ip6_if *i)
{
	if (i->dhcp6_at)
		return; /* asked already, or the answer is fresh */
	i->dhcp6_xid = (u32)random_u64() & 0xffffff;
	i->dhcp6_tries = 0;
	i->dhcp6_asking = true;
	i->dhcp6_at = clock_monotonic() + random_u64() % NSEC_PER_SEC; /* not everybody at once */
}

void dhcp6_timer(struct ip6_if *i, u64 now)
{
	u64 wait;

	if (!i->dhcp6_at || i->dhcp6_at > now)
		return;
	if (!i->dhcp6_asking) { /* what we know got old */
		i->dhcp6_at = 0;
		dhcp6_start(i);
		return;
	}
	send_request(i);
	wait = min(RETRY_FIRST << min(i->dhcp6_tries, (u8)12), RETRY_MAX);
	i->dhcp6_at = now + wait - wait / 10 + random_u64() % (wait / 5);
	if (i->dhcp6_tries < 12)
		i->dhcp6_tries++;
}

bool dhcp6_input(struct netdev *dev, struct packet *p, const struct net_addr *src)
{
	struct net_stack *net = net_if(dev)->net;
	struct ip6_if *i = net->ip6 ? net->ip6->ifs[dev->index - 1] : NULL;
	struct dhcp6_answer a;

	if (!i || !READ_ONCE(i->dhcp6_asking) || !addr_is_link_local(src) || !packet_pull_linear(p, p->len))
		return false;
	net_lock(&i->lock);
	if (!i->dhcp6_asking || !dhcp6_parse(p->data, p->len, dev, i->dhcp6_xid, &a)) {
		counter_inc(&dhcp6_malformed);
		goto out;
	}
	i->dhcp6_asking = false;
	i->dhcp6_at = a.refresh == ~0u ? ~0ull : clock_monotonic() + a.refresh * NSEC_PER_SEC;
	net_dns6_set(net, a.dns, a.ndns, a.search, ~0u);
	ip6_set_timer(i);
out:
	net_unlock(&i->lock);
	return true;
}
