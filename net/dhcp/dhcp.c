/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCPv4 client (RFC 2131, 2132, 3442): one state machine per interface, driven by its timer and by packets
 * for port 68, in sections. It configures the interface itself: address, routes, MTU, name servers.
 *
 *	SELECTING   discover sent, waiting for an offer		REQUESTING  waiting for the ACK
 *	BOUND       until T1					RENEWING    asking our server, until T2
 *	REBINDING   asking anybody, until the lease ends
 *
 * Nobody waits for silence: who uses the offered address answers a probe while we request it, or our
 * announcement soon after. Then it is declined (RFC 2131 3.1.5), and another asked for ten seconds later.
 *
 * dhcp_client.lock guards all fields. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/log.h"
#include "kernel/random.h"
#include "net/abi.h"
#include "net/checksum.h"
#include "net/config.h"
#include "net/dhcp.h"
#include "net/ip.h"
#include "net/udp.h"

#define SERVER_PORT 67
#define CLIENT_PORT 68
#define RETRY_FIRST (1 * NSEC_PER_SEC)
#define RETRY_MAX   (64 * NSEC_PER_SEC)
#define RETRY_RENEW (60 * NSEC_PER_SEC)
#define REQUESTS    4			/* before starting over */
#define DECLINE	    (10 * NSEC_PER_SEC) /* how long a new address may prove to be taken, and the pause then */

static DEFINE_COUNTER(dhcp_malformed, "DHCP messages that were short or senseless");
static DEFINE_COUNTER(dhcp_naks, "DHCP leases that a server took back");
static DEFINE_COUNTER(dhcp_declines, "DHCP leases of addresses that somebody used already");
static DEFINE_COUNTER(dhcp_leases, "DHCP leases obtained or renewed");

enum state { STOPPED, SELECTING, REQUESTING, BOUND, RENEWING, REBINDING };
static const char *const state_names[] = {"stopped", "selecting", "requesting",
					  "bound",   "renewing",  "rebinding"};

struct dhcp_client {
	struct spinlock lock;
	struct netdev *dev;
	struct net_timer timer;
	enum state state;
	u32 xid;
	unsigned tries;
	u64 began; /* of the exchange, for `secs` */
	struct dhcp_lease lease;
	bool taken;	     /* REQUESTING: somebody else has that address */
	u64 new_until;	     /* BOUND: somebody may have it still */
	u64 t1, t2, expires; /* CLOCK_MONOTONIC ns; ~0: never */
};

static u8 *option(u8 *p, u8 code, const void *data, u8 len)
{
	p[0] = code;
	p[1] = len;
	memcpy(p + 2, data, len);
	return p + 2 + len;
}

/* The message's options for TYPE; returns the end. */
static u8 *write_options(struct dhcp_client *c, u8 *p, u8 type)
{
	static const u8 wanted[] = {DHCP_OPT_MASK,   DHCP_OPT_ROUTER, DHCP_OPT_DNS,	  DHCP_OPT_HOSTNAME,
				    DHCP_OPT_DOMAIN, DHCP_OPT_MTU,    DHCP_OPT_BROADCAST, DHCP_OPT_NTP,
				    DHCP_OPT_T1,     DHCP_OPT_T2,     DHCP_OPT_ROUTES,	  DHCP_OPT_SEARCH};
	struct net_stack *net = net_if(c->dev)->net;
	u8 id[7] = {1};
	u16 max = be16(1500);

	memcpy(id + 1, c->dev->mac, 6);
	p = option(p, DHCP_OPT_TYPE, &type, 1);
	p = option(p, DHCP_OPT_CLIENT_ID, id, sizeof(id));
	if ((type == DHCP_REQUEST && c->state == REQUESTING) || type == DHCP_DECLINE) {
		p = option(p, DHCP_OPT_REQUESTED, &c->lease.addr, 4);
		p = option(p, DHCP_OPT_SERVER, &c->lease.server, 4);
	}
	if (type == DHCP_RELEASE) {
		p = option(p, DHCP_OPT_SERVER, &c->lease.server, 4);
	} else if (type != DHCP_DECLINE) {
		p = option(p, DHCP_OPT_MAX_SIZE, &max, 2);
		p = option(p, DHCP_OPT_PARAMETERS, wanted, sizeof(wanted));
		if (net->hostname[0])
			p = option(p, DHCP_OPT_HOSTNAME, net->hostname, (u8)strlen(net->hostname));
	}
	*p++ = DHCP_OPT_END;
	return p;
}

static void transmit(struct dhcp_client *c, struct packet *p, bool unicast)
{
	struct net_stack *net = net_if(c->dev)->net;
	struct ip_flow f = {.proto = IPPROTO_UDP, .ttl = 64, .oif = c->dev->index};
	struct udp_header *uh = (struct udp_header *)packet_push(p, sizeof(*uh));

	f.src = addr_v4(unicast ? c->lease.addr : 0);
	f.dst = addr_v4(unicast ? c->lease.server : IP4_BROADCAST);
	if (unicast) {
		if (ip_route_flow(net, &f)) {
			packet_free(p);
			return;
		}
	} else {
		f.rt.dev = c->dev;
		f.rt.nexthop = f.dst;
		f.rt.mtu = c->dev->mtu;
		f.rt.type = RTN_UNICAST; /* no copy for ourselves */
	}
	uh->source = be16(CLIENT_PORT);
	uh->dest = be16(SERVER_PORT);
	uh->len = be16((u16)p->len);
	uh->check = 0;
	uh->check = csum_fold(packet_csum(p, 0, p->len, csum_pseudo(&f.src, &f.dst, p->len, IPPROTO_UDP)));
	if (!uh->check)
		uh->check = 0xffff;
	ip_output(net, p, &f);
}

static void send_message(struct dhcp_client *c, u8 type)
{
	struct packet *p = packet_alloc(PACKET_HEADROOM, sizeof(struct dhcp_message) + 312);
	struct dhcp_message *m;
	bool have = c->state == BOUND || c->state == RENEWING || c->state == REBINDING;

	if (!p)
		return;
	m = (struct dhcp_message *)packet_put(p, sizeof(*m));
	memset(m, 0, sizeof(*m));
	m->op = 1;
	m->htype = 1;
	m->hlen = 6;
	m->xid = c->xid;
	m->secs = be16((u16)min((clock_monotonic() - c->began) / NSEC_PER_SEC, 65535ull));
	m->ciaddr = have ? c->lease.addr : 0;
	memcpy(m->chaddr, c->dev->mac, 6);
	m->cookie = DHCP_COOKIE;
	p->tail = write_options(c, p->tail, type);
	p->len = (u32)(p->tail - p->data);
	if (p->len < 300) /* BOOTP's size: some relays insist */
		memset(packet_put(p, 300 - p->len), 0, 300 - (p->len));
	transmit(c, p, have && c->state != REBINDING);
}

static u64 retry_delay(const struct dhcp_client *c)
{
	u64 d = min(RETRY_FIRST << min(c->tries, 6u), RETRY_MAX);

	return d - d / 8 + random_u64() % (d / 4);
}

static void discover(struct dhcp_client *c)
{
	u64 now = clock_monotonic();

	if (c->state != SELECTING) {
		c->state = SELECTING;
		c->tries = 0;
		c->began = now;
		c->xid = (u32)random_u64();
	}
	send_message(c, DHCP_DISCOVER);
	net_timer_set(&c->timer, now + retry_delay(c));
	c->tries++;
}

static void unconfigure(struct dhcp_client *c)
{
	struct net_stack *net = net_if(c->dev)->net;
	struct net_addr a = addr_v4(c->lease.addr);

	if (if_addr_del(c->dev, &a, -1) == 0)
		route_flush_dev(net, c->dev, true);
}

static void configure(struct dhcp_client *c)
{
	struct net_stack *net = net_if(c->dev)->net;
	struct dhcp_lease *l = &c->lease;
	struct if_addr a = {.addr = addr_v4(l->addr), .plen = l->plen, .scope = RT_SCOPE_UNIVERSE};
	struct route r = {
		.type = RTN_UNICAST, .protocol = RTPROT_KERNEL, .scope = RT_SCOPE_LINK, .dev = c->dev};
	const struct if_addr *old = if_addr_first(c->dev, true);
	bool fresh = !old || old->addr.w[3] != l->addr || old->plen != l->plen;

	if (l->mtu >= 576 && l->mtu < c->dev->mtu)
		c->dev->mtu = l->mtu;
	if (fresh) {
		if_addr_flush(c->dev, true);
		route_flush_dev(net, c->dev, true);
		if (l->broadcast)
			a.broadcast = addr_v4(l->broadcast);
		a.valid_until = a.preferred_until = c->expires;
		if_addr_add(c->dev, &a);
	} else {
		struct if_addr *same = (struct if_addr *)old; /* only when it ends changes */

		WRITE_ONCE(same->valid_until, c->expires);
		WRITE_ONCE(same->preferred_until, c->expires);
	}
	r.src = a.addr;
	r.dst = addr_v4(l->addr & ip4_mask(l->plen));
	r.plen = l->plen;
	r.gateway = addr_v4(0);
	route_add(net, &r, true);
	r.protocol = RTPROT_DHCP;
	r.scope = RT_SCOPE_UNIVERSE;
	for (unsigned i = 0; i < l->nroutes; i++) {
		r.dst = addr_v4(l->routes[i].dst & ip4_mask(l->routes[i].plen));
		r.plen = l->routes[i].plen;
		r.gateway = addr_v4(l->routes[i].gateway);
		r.scope = l->routes[i].gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
		route_add(net, &r, true);
	}
	net_lock(&net->cfg_lock);
	for (unsigned i = 0; i < ARRAY_SIZE(net->dns); i++)
		net->dns[i] = l->dns[i];
	net->ntp = l->ntp;
	net->boot_server = l->server;
	str_copy(net->domain, l->domain, sizeof(net->domain));
	str_copy(net->search, l->search, sizeof(net->search));
	if (!net->hostname[0])
		str_copy(net->hostname, l->hostname, sizeof(net->hostname));
	net_unlock(&net->cfg_lock);
	if (fresh)
		arp_announce(c->dev, l->addr);
}

static u64 after(u64 now, u32 seconds)
{
	return seconds == ~0u ? ~0ull : now + seconds * NSEC_PER_SEC;
}

static void bound(struct dhcp_client *c, const struct dhcp_lease *l)
{
	u64 now = clock_monotonic();
	char text[ADDR_TEXT_MAX];
	struct net_addr a = addr_v4(l->addr);
	bool first = c->state == REQUESTING;

	c->lease = *l;
	c->expires = after(now, l->seconds);
	c->t1 = after(now, l->t1);
	c->t2 = after(now, l->t2);
	configure(c);
	c->state = BOUND;
	c->tries = 0;
	counter_inc(&dhcp_leases);
	if (c->t1 != ~0ull)
		net_timer_set(&c->timer, c->t1);
	else
		net_timer_cancel(&c->timer);
	c->new_until = first ? now + DECLINE : 0;
	if (first)
		log_info("%s: %s/%u by DHCP", c->dev->name, addr_text(&a, text), l->plen);
}

static void decline(struct dhcp_client *c)
{
	c->state = SELECTING;
	c->tries = 0;
	c->xid = (u32)random_u64(); /* what is under way is not for us any more */
	counter_inc(&dhcp_declines);
	log_warn("%s: the address that DHCP gave is in use", c->dev->name);
	send_message(c, DHCP_DECLINE);
	net_timer_set(&c->timer, clock_monotonic() + DECLINE);
}

void dhcp_conflict(struct netdev *dev, u32 addr)
{
	struct dhcp_client *c = net_if(dev)->dhcp;

	if (!c)
		return;
	net_lock(&c->lock);
	if (c->lease.addr == addr) {
		c->taken = true;
		if (c->state == BOUND && clock_monotonic() < c->new_until) {
			unconfigure(c);
			decline(c);
		}
	}
	net_unlock(&c->lock);
}

static void request(struct dhcp_client *c)
{
	send_message(c, DHCP_REQUEST);
	net_timer_set(&c->timer, clock_monotonic() + retry_delay(c));
	c->tries++;
}

/* Ask again for the lease that ends at END: in half of the time that is left. */
static void renew(struct dhcp_client *c, u64 end)
{
	u64 now = clock_monotonic(), wait = end > now ? (end - now) / 2 : 0;

	send_message(c, DHCP_REQUEST);
	net_timer_set(&c->timer, min(now + max(wait, RETRY_RENEW), max(end, now + NSEC_PER_SEC)));
}

static void dhcp_timer(struct net_timer *t)
{
	struct dhcp_client *c = container_of(t, struct dhcp_client, timer);
	u64 now = clock_monotonic();

	net_lock(&c->lock);
	switch (c->state) {
	case STOPPED:
		break;
	case SELECTING:
		discover(c);
		break;
	case REQUESTING:
		if (c->tries > REQUESTS) {
			c->state = STOPPED;
			discover(c);
		} else {
			request(c);
		}
		break;
	case BOUND:
		c->state = RENEWING;
		c->began = now;
		c->xid = (u32)random_u64();
		/* fall through */
	case RENEWING:
		if (now < c->t2) {
			renew(c, c->t2);
			break;
		}
		c->state = REBINDING;
		/* fall through */
	case REBINDING:
		if (now < c->expires) {
			renew(c, c->expires);
			break;
		}
		unconfigure(c);
		discover(c);
		break;
	}
	net_unlock(&c->lock);
}

void dhcp_input(struct netdev *dev, struct packet *p, u32 src)
{
	struct dhcp_client *c = net_if(dev)->dhcp;
	struct dhcp_lease l;
	int type;

	if (!packet_may_pull(p, min(p->len, 1500u)))
		return;
	net_lock(&c->lock);
	type = dhcp_parse(p->data, packet_linear(p), c->xid, dev->mac, &l);
	if (type < 0) {
		if (type != -ESRCH)
			counter_inc(&dhcp_malformed);
		goto out;
	}
	switch (type) {
	case DHCP_OFFER:
		if (c->state != SELECTING || !l.addr || !l.server)
			break;
		c->lease = l;
		c->state = REQUESTING;
		c->tries = 0;
		c->taken = false;
		arp_probe(dev, l.addr);
		request(c);
		break;
	case DHCP_ACK:
		if (c->state == REQUESTING && c->taken && l.addr == c->lease.addr)
			decline(c);
		else if ((c->state == REQUESTING || c->state == RENEWING || c->state == REBINDING) &&
			 l.addr && l.seconds) {
			if (!l.server)
				l.server = c->lease.server;
			bound(c, &l);
		}
		break;
	case DHCP_NAK:
		if (c->state != REQUESTING && c->state != RENEWING && c->state != REBINDING)
			break;
		counter_inc(&dhcp_naks);
		if (c->state != REQUESTING)
			unconfigure(c);
		c->state = STOPPED;
		discover(c);
		break;
	}
out:
	net_unlock(&c->lock);
}

int dhcp_start(struct netdev *dev)
{
	struct dhcp_client *c = net_if(dev)->dhcp;

	if (!c) {
		c = kzalloc(sizeof(*c));
		if (!c)
			return -ENOMEM;
		spin_init(&c->lock);
		c->dev = dev;
		net_timer_init(&c->timer, dhcp_timer);
		rcu_assign_pointer(net_if(dev)->dhcp, c);
	}
	net_lock(&c->lock);
	if (c->state == BOUND || c->state == RENEWING || c->state == REBINDING) {
		c->state = REBINDING; /* the link came back: is our address still good here? */
		c->began = clock_monotonic();
		c->xid = (u32)random_u64();
		renew(c, c->expires);
	} else {
		c->state = STOPPED;
		discover(c);
	}
	net_unlock(&c->lock);
	return 0;
}

void dhcp_stop(struct netdev *dev, bool release)
{
	struct dhcp_client *c = net_if(dev)->dhcp;

	if (!c)
		return;
	net_lock(&c->lock);
	if (release && (c->state == BOUND || c->state == RENEWING || c->state == REBINDING)) {
		send_message(c, DHCP_RELEASE);
		unconfigure(c);
	}
	c->state = STOPPED;
	net_timer_cancel(&c->timer);
	net_unlock(&c->lock);
}

const char *dhcp_state(const struct netdev *dev)
{
	const struct dhcp_client *c = net_if(dev)->dhcp;

	return c ? state_names[c->state] : "off";
}
