/* SPDX-License-Identifier: BSD-2-Clause */
/* Stateless address configuration (RFC 4862, 4861 section 6): a link-local address, duplicate detection,
 * routers and prefixes from their advertisements, lifetimes. One timer an interface, set for the next thing
 * that is due: a tentative address's second, the next solicitation, or an address or route that ends. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/cmdline.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "net/abi.h"
#include "net/config.h"
#include "net/dhcp.h"
#include "net/ip6.h"
#include "net/netlink.h"

#define DAD_NS	     NSEC_PER_SEC
#define SOLICITS     3
#define SOLICIT_NS   (4 * NSEC_PER_SEC)
#define TWO_HOURS    7200u
#define ROUTE_METRIC 256
#define RA_METRIC    1024

#define MAX_ADDRESSES	  16 /* of an interface, by advertisements */
#define MAX_LEARNT_ROUTES 32

static DEFINE_COUNTER(ip6_adverts_refused, "prefixes and routers that were too many to be learnt");
static DEFINE_COUNTER(ip6_duplicates, "IPv6 addresses given up because another station has them");
static DEFINE_COUNTER(ip6_bad_adverts, "router advertisements that were malformed");

struct prefix_option {
	u8 type, len, plen, flags;
	u32 valid, preferred, reserved;
	struct net_addr prefix;
} __packed;

enum { RA_MANAGED = 0x80, RA_OTHER = 0x40 }; /* there is DHCPv6 */

struct advert {
	struct icmp6_header h; /* info: hop limit, flags, router lifetime */
	u32 reachable, retrans;
} __packed;

static struct ip6_if *ip6_if(const struct netdev *dev)
{
	return net_if(dev)->net->ip6 ? net_if(dev)->net->ip6->ifs[dev->index - 1] : NULL;
}

static u32 load32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static struct net_addr interface_id(const struct netdev *dev, const struct net_addr *prefix)
{
	struct net_addr a = *prefix;

	a.b[8] = dev->mac[0] ^ 2; /* modified EUI-64 (RFC 4291 appendix A) */
	a.b[9] = dev->mac[1];
	a.b[10] = dev->mac[2];
	a.b[11] = 0xff;
	a.b[12] = 0xfe;
	a.b[13] = dev->mac[3];
	a.b[14] = dev->mac[4];
	a.b[15] = dev->mac[5];
	return a;
}

static u64 lifetime_end(u32 seconds)
{
	return seconds == ~0u ? ~0ull : clock_monotonic() + seconds * NSEC_PER_SEC;
}

void ip6_set_timer(struct ip6_if *i)
{
	struct net_stack *net = net_if(i->dev)->net;
	u64 next = ~0ull;

	if (i->solicits_left)
		next = i->solicit_at;
	if (i->dhcp6_at)
		next = min(next, i->dhcp6_at);
	for (struct if_addr *a = net_if(i->dev)->addrs; a; a = a->next) {
		if (addr_is_v4(&a->addr))
			continue;
		if (a->flags & IFA_F_TENTATIVE)
			next = min(next, a->dad_until);
		next = min(next, a->valid_until);
		if (!(a->flags & IFA_F_DEPRECATED))
			next = min(next, a->preferred_until);
	}
	for (struct route *r = net->routes[1]; r; r = r->next)
		if (r->dev == i->dev && r->expires)
			next = min(next, r->expires);
	if (next != ~0ull)
		net_timer_set(&i->timer, next);
}

/* Add ADDR, tentatively unless DEV is the loopback, and ask whether anybody has it. */
static void add_address(struct ip6_if *i, const struct net_addr *addr, u8 plen, u64 valid, u64 preferred)
{
	struct net_addr any = NET_ADDR_ANY;
	struct if_addr a = {.addr = *addr,
			    .plen = plen,
			    .valid_until = valid,
			    .preferred_until = preferred,
			    .flags = IFA_F_TENTATIVE,
			    .dad_until = clock_monotonic() + DAD_NS,
			    .scope = addr_is_link_local(addr) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE};
	struct route r = {.dst = *addr,
			  .plen = plen,
			  .type = RTN_UNICAST,
			  .protocol = RTPROT_KERNEL,
			  .dev = i->dev,
			  .metric = ROUTE_METRIC,
			  .expires = valid == ~0ull ? 0 : valid};

	if (if_addr_add(i->dev, &a))
		return;
	memset(&r.dst.b[8], 0, 8); /* all our prefixes are 64 long */
	if (addr_is_link_local(addr))
		route_add(net_if(i->dev)->net, &r, true);
	nd_solicit_from(i->dev, addr, &any, NULL);
}

static void solicit_routers(struct ip6_if *i)
{
	struct net_stack *net = net_if(i->dev)->net;
	struct ip_flow f = {
		.dst = IP6_ALL_ROUTERS, .oif = i->dev->index, .proto = IPPROTO_ICMPV6, .ttl = ND_HOPS};
	struct packet *p;
	u8 *o;

	i->solicits_left--;
	i->solicit_at = clock_monotonic() + SOLICIT_NS;
	if (ip_route_flow(net, &f))
		return;
	p = packet_alloc(PACKET_HEADROOM, sizeof(struct icmp6_header) + 8);
	if (!p)
		return;
	*(struct icmp6_header *)packet_put(p, sizeof(struct icmp6_header)) =
		(struct icmp6_header){.type = ND_ROUTER_SOLICIT};
	if (!addr_is_any(&f.src)) {
		o = packet_put(p, 8);
		o[0] = ND_OPT_SOURCE;
		o[1] = 1;
		memcpy(o + 2, i->dev->mac, 6);
	}
	icmp6_transmit(net, p, &f);
}

static void drop_address(struct ip6_if *i, const struct net_addr *addr)
{
	struct net_addr a = *addr;

	if_addr_del(i->dev, &a, -1);
}

static void check_addresses(struct ip6_if *i, u64 now)
{
	for (struct if_addr *a = net_if(i->dev)->addrs, *next; a; a = next) {
		next = a->next;
		if (addr_is_v4(&a->addr))
			continue;
		if (a->valid_until <= now) {
			drop_address(i, &a->addr);
			continue;
		}
		if ((a->flags & IFA_F_TENTATIVE) && a->dad_until <= now) {
			a->flags &= (u8)~IFA_F_TENTATIVE; /* nobody objected */
			route_changed(net_if(i->dev)->net);
			rtnl_notify_addr(i->dev, a, true);
		}
		if (a->preferred_until <= now)
			a->flags |= IFA_F_DEPRECATED;
	}
}

static void check_routes(struct ip6_if *i, u64 now)
{
	struct net_stack *net = net_if(i->dev)->net;

	for (struct route *r = net->routes[1], *next; r; r = next) {
		next = r->next;
		if (r->dev == i->dev && r->expires && r->expires <= now) {
			struct route copy = *r;

			route_del(net, &copy);
		}
	}
}

static void slaac_timer(struct net_timer *t)
{
	struct ip6_if *i = container_of(t, struct ip6_if, timer);
	u64 now = clock_monotonic();

	net_lock(&i->lock);
	if (i->up) {
		check_addresses(i, now);
		check_routes(i, now);
		if (i->solicits_left && i->solicit_at <= now)
			solicit_routers(i);
		dhcp6_timer(i, now);
		ip6_set_timer(i);
	}
	net_unlock(&i->lock);
}

void slaac_duplicate(struct netdev *dev, const struct net_addr *addr)
{
	struct ip6_if *i = ip6_if(dev);
	char text[ADDR_TEXT_MAX];

	if (!i)
		return;
	counter_inc(&ip6_duplicates);
	log_warn("%s: %s is in use by another station", dev->name, addr_text(addr, text));
	net_lock(&i->lock);
	drop_address(i, addr);
	net_unlock(&i->lock);
}

/* RFC 8106: name servers and search domains. */
static void dns_servers(struct net_stack *net, const u8 *o)
{
	struct net_addr servers[3];
	unsigned n = min((o[1] - 1u) / 2, (unsigned)ARRAY_SIZE(servers));

	memcpy(servers, o + 8, n * sizeof(servers[0]));
	net_dns6_set(net, servers, n, NULL, load32(o + 4));
}

static void dns_search(struct net_stack *net, const u8 *o)
{
	char search[DNS_SEARCH_MAX];

	if (dns_name_list(o + 8, o[1] * 8u - 8, false, search, sizeof(search)))
		net_dns6_set(net, NULL, 0, search, load32(o + 4));
}

/* Anybody on the link can advertise: a route is learnt only while there are few. */
static void learn_route(struct net_stack *net, struct route *r)
{
	unsigned n = 0;

	for (const struct route *o = net->routes[1]; o; o = o->next) {
		if (o->dev != r->dev || o->protocol != RTPROT_RA)
			continue;
		if (o->plen == r->plen && addr_equal(&o->dst, &r->dst) &&
		    addr_equal(&o->gateway, &r->gateway)) {
			n = 0;
			break;
		}
		n++;
	}
	if (n < MAX_LEARNT_ROUTES)
		route_add(net, r, true);
	else
		counter_inc(&ip6_adverts_refused);
}

static bool may_add_address(const struct ip6_if *i)
{
	unsigned n = 0;

	for (const struct if_addr *a = net_if(i->dev)->addrs; a; a = a->next)
		n += !addr_is_v4(&a->addr);
	if (n >= MAX_ADDRESSES)
		counter_inc(&ip6_adverts_refused);
	return n < MAX_ADDRESSES;
}

static struct if_addr *find_in_prefix(struct ip6_if *i, const struct net_addr *prefix)
{
	for (struct if_addr *a = net_if(i->dev)->addrs; a; a = a->next)
		if (!addr_is_v4(&a->addr) && addr_prefix_equal(&a->addr, prefix, 64))
			return a;
	return NULL;
}

static void prefix_information(struct ip6_if *i, const struct prefix_option *o)
{
	struct net_stack *net = net_if(i->dev)->net;
	u32 valid = be32(o->valid), preferred = be32(o->preferred);
	struct net_addr prefix = o->prefix, addr;
	struct if_addr *a;

	if (addr_is_link_local(&prefix) || addr_is_multicast(&prefix) || o->plen > 128 || preferred > valid)
		return;
	for (unsigned b = o->plen; b < 128; b++)
		prefix.b[b / 8] &= (u8) ~(0x80 >> b % 8);
	if (o->flags & 0x80) { /* on-link */
		struct route r = {.dst = prefix,
				  .plen = o->plen,
				  .type = RTN_UNICAST,
				  .protocol = RTPROT_RA,
				  .dev = i->dev,
				  .metric = ROUTE_METRIC,
				  .expires = valid == ~0u ? 0 : lifetime_end(valid)};

		if (valid)
			learn_route(net, &r);
		else
			route_del(net, &r);
	}
	if (!(o->flags & 0x40) || o->plen != 64) /* not autonomous */
		return;
	a = find_in_prefix(i, &prefix);
	if (a) {
		u64 left =
			a->valid_until == ~0ull ? ~0ull : (a->valid_until - clock_monotonic()) / NSEC_PER_SEC;

		/* RFC 4862 5.5.3 (e): an advertisement may not shorten a lifetime below two hours. */
		if (valid > TWO_HOURS || valid > left)
			a->valid_until = lifetime_end(valid);
		else if (left > TWO_HOURS)
			a->valid_until = lifetime_end(TWO_HOURS);
		a->preferred_until = lifetime_end(preferred);
		if (preferred)
			a->flags &= (u8)~IFA_F_DEPRECATED;
	} else if (valid && may_add_address(i)) {
		addr = interface_id(i->dev, &prefix);
		add_address(i, &addr, 64, lifetime_end(valid), lifetime_end(preferred));
	}
}

void slaac_router_advert(struct packet *p)
{
	struct net_stack *net = net_if(p->dev)->net;
	const struct advert *ra = (const struct advert *)p->data;
	struct net_addr router = ip_cb(p)->src;
	const u8 *o = p->data + sizeof(*ra), *end = p->tail, *lla;
	struct ip6_if *i = ip6_if(p->dev);
	struct route r = {.type = RTN_UNICAST,
			  .protocol = RTPROT_RA,
			  .metric = RA_METRIC,
			  .dev = p->dev,
			  .gateway = router};
	u32 lifetime, info;
	bool bad = false;
	u8 len = 0;

	if (!i || !net->ip6->accept_ra || p->len < sizeof(*ra) || !addr_is_link_local(&router))
		return;
	lla = nd_option(o, end, ND_OPT_SOURCE, &len, &bad);
	if (bad) {
		counter_inc(&ip6_bad_adverts);
		return;
	}
	net_lock(&i->lock);
	i->solicits_left = 0;
	info = be32(ra->h.info);
	lifetime = info & 0xffff;
	r.expires = lifetime_end(lifetime);
	if (lifetime)
		learn_route(net, &r);
	else
		route_del(net, &r);
	if (be32(ra->reachable) && be32(ra->reachable) <= 3600000)
		net_if(p->dev)->reachable_ms = be32(ra->reachable);
	if (lla)
		neigh_update(p->dev, &router, lla + 2, false, NEIGH_REPLACE, true);
	for (; o < end; o += o[1] * 8) { /* nd_option() found every length good */
		if (o[0] == ND_OPT_PREFIX && o[1] == 4) {
			prefix_information(i, (const struct prefix_option *)o);
		} else if (o[0] == ND_OPT_MTU && o[1] == 1) {
			u32 mtu = load32(o + 4);

			if (mtu >= IP6_MIN_MTU && mtu < p->dev->mtu)
				r.mtu = mtu;
		} else if (o[0] == ND_OPT_RDNSS && o[1] >= 3) {
			dns_servers(net, o);
		} else if (o[0] == ND_OPT_DNSSL && o[1] >= 2) {
			dns_search(net, o);
		}
	}
	if (r.mtu && lifetime)
		learn_route(net, &r);
	if (info >> 16 & (RA_MANAGED | RA_OTHER))
		dhcp6_start(i);
	ip6_set_timer(i);
	net_unlock(&i->lock);
}

static void bring_up(struct ip6_if *i)
{
	struct net_addr prefix = {.b = {0xfe, 0x80}}, addr;
	struct netdev *dev = i->dev;

	if (dev->flags & IFF_LOOPBACK) {
		struct if_addr lo = {.addr.b = {[15] = 1},
				     .plen = 128,
				     .scope = RT_SCOPE_HOST,
				     .flags = IFA_F_PERMANENT,
				     .valid_until = ~0ull,
				     .preferred_until = ~0ull};

		if_addr_add(dev, &lo);
		return;
	}
	i->up = true;
	addr = interface_id(dev, &prefix);
	add_address(i, &addr, 64, ~0ull, ~0ull);
	i->solicits_left = net_if(dev)->net->ip6->accept_ra ? SOLICITS : 0;
	i->solicit_at = clock_monotonic() + DAD_NS; /* once the link-local address is ours */
	ip6_set_timer(i);
}

void net_ip6_device_changed(struct netdev *dev, bool up)
{
	struct net_stack *net = net_if(dev)->net;
	struct ip6_if *i = ip6_if(dev);

	if (!net->ip6 || dev->mtu < IP6_MIN_MTU)
		return;
	if (!i) {
		i = net_zalloc(sizeof(*i));
		if (!i)
			return;
		i->dev = dev;
		spin_init(&i->lock);
		net_timer_init(&i->timer, slaac_timer);
		net->ip6->ifs[dev->index - 1] = i;
	}
	net_lock(&i->lock);
	if (up) {
		bring_up(i);
	} else {
		i->up = i->dhcp6_asking = false;
		i->dhcp6_at = 0;
		net_timer_cancel(&i->timer);
		if_addr_flush(dev, false);
		route_flush_dev(net, dev, false);
	}
	net_unlock(&i->lock);
}

int ip6_stack_init(struct net_stack *net)
{
	net->ip6 = kzalloc(sizeof(*net->ip6));
	if (!net->ip6)
		return -ENOMEM;
	net->ip6->accept_ra = true;
	for (u32 i = 0; i < net->ndevs; i++)
		if (net->devs[i]->flags & IFF_UP)
			net_ip6_device_changed(net->devs[i], true);
	return 0;
}

void ip6_stack_destroy(struct net_stack *net)
{
	if (!net->ip6)
		return;
	for (u32 i = 0; i < NET_MAX_DEVS; i++) {
		if (net->ip6->ifs[i])
			net_timer_cancel(&net->ip6->ifs[i]->timer);
		kfree(net->ip6->ifs[i]);
	}
	kfree(net->ip6);
	net->ip6 = NULL;
}
