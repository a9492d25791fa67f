/* SPDX-License-Identifier: BSD-2-Clause */
/* Received UDP: checks, the socket it is for, ICMP errors. Sockets hang in the port table; the best match
 * wins: a connected one over a bound address over a wildcard, and one of the reuse group by hash. Multicast
 * and broadcast go to all. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "net/checksum.h"
#include "net/config.h"
#include "net/gso.h"
#include "net/ip6.h"
#include "net/udp.h"

#define DHCP_CLIENT_PORT  68
#define DHCP6_CLIENT_PORT 546
#define DHCP6_SERVER_PORT 547

/* -1: no match; else the better the higher. */
static int score(struct udp_sock *u, const struct net_addr *dst, u16 dport, const struct net_addr *src,
		 u16 sport, u32 iif)
{
	struct inet_sock *i = &u->inet;
	int n = 0;

	if (i->lport != dport)
		return -1;
	if (addr_is_any(&i->laddr)) {
		if (addr_is_v4(dst) ? i->s.family == AF_INET6 && inet_flag(i, INETF_V6ONLY)
				    : i->s.family == AF_INET)
			return -1;
	} else {
		if (!addr_equal(&i->laddr, dst))
			return -1;
		n += 4;
	}
	if (i->fport || u->connected) {
		if (i->fport != sport || !addr_equal(&i->faddr, src))
			return -1;
		n += 8;
	}
	if (i->s.bound_if) {
		if (i->s.bound_if != iif)
			return -1;
		n += 4;
	}
	if (i->s.family == AF_INET && addr_is_v4(dst))
		n += 2;
	if (READ_ONCE(i->s.incoming_cpu) == (s32)cpu_id()) /* SO_INCOMING_CPU spreads a reuse group */
		n++;
	return n;
}

/* With a reference. P, if any, is at its UDP header. */
static struct udp_sock *lookup(struct net_stack *net, u8 proto, const struct net_addr *dst, u16 dport,
			       const struct net_addr *src, u16 sport, u32 iif, struct packet *p)
{
	const struct port_slot *slot = port_slot(udp_ports(net, proto), dport);
	struct udp_sock *best = NULL;
	struct inet_sock *i;
	int best_score = -1;
	u32 reuse = 0;
	u64 hash = 0;

	rcu_read_lock();
	hlist_for_each_entry(i, &slot->socks, port_node)
	{
		struct udp_sock *u = container_of(i, struct udp_sock, inet);
		int n = score(u, dst, dport, src, sport, iif);

		if (n < best_score || n < 0)
			continue;
		if (n > best_score) {
			best_score = n;
			best = u;
			reuse = 1;
			continue;
		}
		/* Equals share by flow (SO_REUSEPORT); otherwise the newest, which stands first, keeps it. */
		if (socket_flag(&i->s, SOCKF_REUSEPORT)) {
			if (reuse == 1)
				hash = siphash(&(u64[3]){src->q[1], sport, dport}, 24, &net->hash_key);
			if (hash % ++reuse == 0)
				best = u;
		}
	}
	if (best && p && socket_flag(&best->inet.s, SOCKF_REUSEPORT) && !best->inet.fport)
		best = container_of(inet_group_choose(&slot->socks, offsetof(struct inet_sock, port_node),
						      &best->inet, p, sizeof(struct udp_header)),
				    struct udp_sock, inet);
	if (best && !refcount_get_unless_zero(&best->inet.s.ref))
		best = NULL;
	rcu_read_unlock();
	return best;
}

/* UDP-Lite (RFC 3828 3.1): LEN says how many bytes the checksum covers, 0 means all. */
static bool lite_ok(struct packet *p, const struct ip_cb *cb, const struct udp_header *uh, u32 len)
{
	if (!len)
		len = p->len;
	if (len < sizeof(*uh) || len > p->len || !uh->check)
		return false;
	return csum_fold(packet_csum(p, 0, len, csum_pseudo(&cb->src, &cb->dst, p->len, IPPROTO_UDPLITE))) ==
	       0;
}

/* For a packet of either family. */
static void count(struct net_stack *net, const struct ip_cb *cb, enum mib_index i)
{
	if (cb->proto == IPPROTO_UDP)
		mib_inc(net, addr_is_v4(&cb->dst) ? i : i + MIB_UDP6);
}

static bool checksum_ok(struct packet *p, const struct ip_cb *cb, const struct udp_header *uh, u32 len)
{
	if (p->ip_summed != PACKET_CSUM_NONE)
		return true;
	if (!uh->check)
		return addr_is_v4(&cb->dst); /* optional in IPv4 only (RFC 8200 8.1) */
	return csum_fold(packet_csum(p, 0, len, csum_pseudo(&cb->src, &cb->dst, len, IPPROTO_UDP))) == 0;
}

#define GRO_SEGMENTS 64
#define GRO_BYTES    65507u

static void free_merged(struct packet_frag *f)
{
	packet_free(f->priv);
}

/* UDP_GRO: make P the continuation of the last datagram on the queue, which the reader then gets in one go
 * with the segments' size. All but the last are of that size. */
static bool merge(struct udp_sock *u, struct packet *p)
{
	struct ip_cb *cb = ip_cb(p), *lcb;
	u32 cost = packet_truesize(p), size;
	struct packet *last;
	bool ok = false;

	if (p->nfrags || !p->len || cb->covered)
		return false;
	net_lock(&u->rx.lock);
	if (list_empty(&u->rx.packets))
		goto out;
	last = list_last_entry(&u->rx.packets, struct packet, node);
	lcb = ip_cb(last);
	size = last->gso_size ? last->gso_size : last->len;
	ok = p->len <= size && last->len % size == 0 && last->len / size < GRO_SEGMENTS &&
	     last->len + p->len <= GRO_BYTES && last->nfrags < PACKET_MAX_FRAGS && lcb->sport == cb->sport &&
	     addr_equal(&lcb->src, &cb->src) && addr_equal(&lcb->dst, &cb->dst) && lcb->iif == cb->iif &&
	     lcb->tos == cb->tos && lcb->ttl == cb->ttl &&
	     atomic_load_explicit(&u->inet.s.rmem, memory_order_relaxed) <= u->inet.s.rcvbuf &&
	     net_mem_charge(u->inet.s.net, cost, false);
	if (!ok)
		goto out;
	atomic_fetch_add_explicit(&u->inet.s.rmem, cost, memory_order_relaxed);
	last->extra += cost - p->len;
	last->gso_size = (u16)size;
	last->frags[last->nfrags++] =
		(struct packet_frag){.data = p->data, .len = p->len, .free = free_merged, .priv = p};
	last->len += p->len;
out:
	net_unlock(&u->rx.lock);
	return ok;
}

static void queue_datagram(struct net_stack *net, struct udp_sock *u, struct packet *p)
{
	struct ip_cb cb = *ip_cb(p);

	if ((u->gro && !p->gso_size && merge(u, p)) || rx_queue_add(&u->inet.s, &u->rx, p)) {
		count(net, &cb, MIB_UDP_IN_DATAGRAMS);
	} else {
		count(net, &cb, MIB_UDP_RCVBUF_ERRORS);
		count(net, &cb, MIB_UDP_IN_ERRORS);
	}
}

/* A send with UDP_SEGMENT on this host, to a socket that wants single datagrams. Takes P over. */
static void split(struct net_stack *net, struct udp_sock *u, struct packet *p)
{
	for (u32 off = 0; off < p->len; off += p->gso_size) {
		u32 n = min((u32)p->gso_size, p->len - off);
		struct packet *c = packet_alloc(0, n);

		if (!c)
			break;
		packet_copy_bits(p, off, packet_put(c, n), n);
		memcpy(c->cb, p->cb, sizeof(c->cb));
		c->dev = p->dev;
		queue_datagram(net, u, c);
	}
	packet_free(p);
}

/* P's data is the payload; takes it over. */
static void deliver(struct net_stack *net, struct udp_sock *u, struct packet *p)
{
	struct inet_sock *i = &u->inet;
	struct ip_cb *cb = ip_cb(p);

	if (u->connected && i->s.incoming_cpu != (s32)cpu_id())
		WRITE_ONCE(i->s.incoming_cpu, (s32)cpu_id());
	if (socket_wants_stamp(&i->s))
		cb->stamp = clock_realtime();
	if ((i->s.shutdown & RCV_SHUTDOWN) ||
	    (cb->covered && u->recv_coverage && cb->covered < u->recv_coverage)) {
		packet_free(p);
		return;
	}
	if (unlikely(i->s.filter) && !socket_filter_accept(&i->s, p, sizeof(struct udp_header), 0)) {
		count(net, cb, MIB_UDP_IN_ERRORS);
		u->rx.drops++;
		packet_free(p);
		return;
	}
	if (p->gso_type != GSO_UDP || p->len <= p->gso_size)
		p->gso_size = 0;
	if (unlikely(p->gso_size) && !u->gro)
		split(net, u, p);
	else
		queue_datagram(net, u, p);
}

/* Every socket that wants it gets a copy. P's data is the payload; takes it over. */
static void deliver_all(struct net_stack *net, struct packet *p, u16 dport, u16 sport)
{
	struct ip_cb *cb = ip_cb(p);
	bool multi = addr_is_multicast(&cb->dst);
	struct inet_sock *i;

	hlist_for_each_entry(i, &port_slot(udp_ports(net, cb->proto), dport)->socks, port_node)
	{
		struct udp_sock *u = container_of(i, struct udp_sock, inet);
		struct packet *c;

		if (score(u, &cb->dst, dport, &cb->src, sport, cb->iif) < 0)
			continue;
		if (multi && !inet_wants_group(i, &cb->dst, &cb->src, cb->iif))
			continue;
		if (!refcount_get_unless_zero(&i->s.ref))
			continue;
		c = packet_copy(p, packet_headroom(p));
		if (c)
			deliver(net, u, c);
		socket_put(&i->s);
	}
	packet_free(p);
}

void udp_input(struct net_stack *net, struct packet *p)
{
	struct ip_cb *cb = ip_cb(p);
	struct udp_header *uh;
	struct udp_sock *u;
	u16 sport, dport;
	u32 len;

	if (!packet_may_pull(p, sizeof(*uh)))
		goto bad;
	uh = (struct udp_header *)p->data;
	len = be16(uh->len);
	cb->covered = 0;
	if (cb->proto == IPPROTO_UDPLITE) {
		if (!lite_ok(p, cb, uh, len))
			goto bad;
		if (len && len < p->len)
			cb->covered = (u16)len;
	} else {
		if (len < sizeof(*uh) || len > p->len)
			goto bad;
		packet_trim(p, len);
		if (!checksum_ok(p, cb, uh, len)) {
			count(net, cb, MIB_UDP_IN_CSUM_ERRORS);
			goto bad;
		}
	}
	sport = be16(uh->source);
	dport = be16(uh->dest);
	cb->sport = sport;
	cb->dport = dport;
	p->transport_off = (u16)packet_headroom(p);
	if (cb->proto == IPPROTO_UDP && dport == DHCP_CLIENT_PORT && net_if(p->dev)->dhcp &&
	    addr_is_v4(&cb->src)) {
		packet_advance(p, sizeof(*uh));
		dhcp_input(p->dev, p, cb->src.w[3]);
		packet_free(p);
		return;
	}
	if (cb->proto == IPPROTO_UDP && unlikely(dport == DHCP6_CLIENT_PORT && sport == DHCP6_SERVER_PORT) &&
	    !addr_is_v4(&cb->dst)) {
		packet_advance(p, sizeof(*uh));
		if (dhcp6_input(p->dev, p, &cb->src)) {
			packet_free(p);
			return;
		}
		packet_push(p, sizeof(*uh));
	}
	if (addr_is_multicast(&cb->dst) ||
	    (addr_is_v4(&cb->dst) &&
	     net_addr_is_broadcast(net, cb->dst.w[3], p->dev == net->lo ? NULL : p->dev))) {
		packet_advance(p, sizeof(*uh));
		deliver_all(net, p, dport, sport);
		return;
	}
	u = lookup(net, cb->proto, &cb->dst, dport, &cb->src, sport, cb->iif, p);
	if (!u) {
		count(net, cb, MIB_UDP_NO_PORTS);
		icmp_port_unreachable(net, p);
		packet_free(p);
		return;
	}
	packet_advance(p, sizeof(*uh));
	deliver(net, u, p);
	socket_put(&u->inet.s);
	return;
bad:
	count(net, cb, MIB_UDP_IN_ERRORS);
	packet_free(p);
}

void udp_icmp_error(struct net_stack *net, u8 proto, const struct icmp_error *e)
{
	const struct udp_header *uh = (const struct udp_header *)e->transport;
	u16 sport = be16(uh->source), dport = be16(uh->dest);
	struct udp_sock *u = lookup(net, proto, &e->src, sport, &e->dst, dport, e->iif, NULL);
	struct inet_sock *i;
	bool fatal = e->fatal;

	if (!u)
		return;
	i = &u->inet;
	if (e->mtu) {
		if (i->pmtudisc < IP_PMTUDISC_INTERFACE)
			pmtu_update(net, &e->dst, e->mtu);
		if (i->pmtudisc == IP_PMTUDISC_DONT)
			goto out;
		fatal = true;
	}
	if (inet_wants_errors(i, &e->dst)) {
		inet_report_error(i, e, e->transport + sizeof(*uh),
				  e->transport_len > sizeof(*uh) ? e->transport_len - (u32)sizeof(*uh) : 0,
				  dport);
		socket_set_error(&i->s, e->err);
	} else if (u->connected && fatal) {
		socket_set_error(&i->s, e->err);
	}
out:
	socket_put(&i->s);
}

void udp_for_each(struct net_stack *net, u8 protocol, void (*fn)(struct udp_sock *, void *), void *arg)
{
	for (unsigned k = 0; k < PORT_SLOTS; k++) {
		struct inet_sock *i;

		hlist_for_each_entry(i, &udp_ports(net, protocol)->slot[k].socks, port_node)
			fn(container_of(i, struct udp_sock, inet), arg);
	}
}

int udp_stack_init(struct net_stack *net)
{
	net->udp = kzalloc(sizeof(*net->udp));
	if (!net->udp)
		return -ENOMEM;
	port_table_init(&net->udp->ports, false);
	port_table_init(&net->udp->lite, false);
	return 0;
}

void udp_stack_destroy(struct net_stack *net)
{
	kfree(net->udp);
	net->udp = NULL;
}
