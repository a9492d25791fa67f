/* SPDX-License-Identifier: BSD-2-Clause */
/* Internet sockets: creation and what they share: addresses, flows, information about received packets,
 * errors. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/process.h"
#include "net/inet.h"
#include "net/raw.h"
#include "net/tcp.h"
#include "net/udp.h"
#include <linux/capability.h>

#define SIN6_MIN 24 /* without sin6_scope_id (RFC 2133) */

static bool may_raw(void)
{
	return process_capable(CAP_NET_RAW);
}

struct socket *inet_create(struct net_stack *net, int family, int type, int protocol)
{
	bool v6 = family == AF_INET6;

	if (protocol < 0 || protocol >= 256 + 7) /* up to IPPROTO_MPTCP, which is not offered */
		return ERR_PTR(-EINVAL);
	switch (type) {
	case SOCK_STREAM:
		if (protocol && protocol != IPPROTO_TCP)
			return ERR_PTR(-EPROTONOSUPPORT);
		return tcp_create(net, family);
	case SOCK_DGRAM:
		if (protocol == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
			return ping_create(net, family);
		if (protocol && protocol != IPPROTO_UDP && protocol != IPPROTO_UDPLITE)
			return ERR_PTR(-EPROTONOSUPPORT);
		return udp_create(net, family, protocol ? protocol : IPPROTO_UDP);
	case SOCK_RAW:
		if (!may_raw())
			return ERR_PTR(-EPERM);
		if (!protocol)
			return ERR_PTR(-EPROTONOSUPPORT);
		return raw_create(net, family, protocol);
	}
	return ERR_PTR(-ESOCKTNOSUPPORT);
}

void inet_init(struct inet_sock *i, struct net_stack *net, const struct socket_ops *ops, int family, int type,
	       int protocol)
{
	socket_init(&i->s, net, ops, family, type, protocol);
	i->laddr = i->faddr = family == AF_INET ? addr_v4(0) : NET_ADDR_ANY;
	if (family == AF_INET6) /* of IPv4 groups it hears only those that it joined */
		inet_set_flag(i, INETF_MC_NOT_ALL, true);
	i->mc_ttl = i->mc_hops6 = 1;
	i->pmtudisc = IP_PMTUDISC_WANT;
	inet_set_flag(i, INETF_V6ONLY, family == AF_INET6 && net->bindv6only);
}

int inet_parse(struct inet_sock *i, const struct sockaddr *sa, int len, struct net_addr *addr, u16 *port,
	       u32 *scope)
{
	*scope = 0;
	if (len < (int)sizeof(sa->sa_family))
		return -EINVAL;
	if (i->s.family == AF_INET) {
		const struct sockaddr_in *sin = (const struct sockaddr_in *)sa;

		if (len < (int)sizeof(*sin))
			return -EINVAL;
		if (sin->sin_family != AF_INET)
			return -EAFNOSUPPORT;
		*addr = addr_v4(sin->sin_addr.s_addr);
		*port = be16(sin->sin_port);
		return 0;
	}
	if (len < SIN6_MIN)
		return -EINVAL;
	if (sa->sa_family != AF_INET6)
		return -EAFNOSUPPORT;
	memcpy(addr, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
	*port = be16(((const struct sockaddr_in6 *)sa)->sin6_port);
	if (len >= (int)sizeof(struct sockaddr_in6) &&
	    (addr_is_link_local(addr) || (addr->b[0] == 0xff && (addr->b[1] & 0xf) <= 2)))
		*scope = ((const struct sockaddr_in6 *)sa)->sin6_scope_id;
	if (addr_is_v4(addr) && inet_flag(i, INETF_V6ONLY))
		return -ENETUNREACH;
	return 0;
}

int inet_fill(int family, const struct net_addr *addr, u16 port, u32 scope, struct sockaddr *sa)
{
	if (family == AF_INET) {
		struct sockaddr_in sin = {.sin_family = AF_INET,
					  .sin_port = be16(port),
					  .sin_addr.s_addr = addr_is_v4(addr) ? addr->w[3] : 0};

		memcpy(sa, &sin, sizeof(sin));
		return sizeof(sin);
	} else {
		struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = be16(port)};

		if (!(addr_is_v4(addr) && addr_is_any(addr)))
			memcpy(&sin6.sin6_addr, addr, 16);
		if (addr_is_link_local(addr))
			sin6.sin6_scope_id = scope;
		memcpy(sa, &sin6, sizeof(sin6));
		return sizeof(sin6);
	}
}

int inet_getname(struct socket *s, struct sockaddr *sa, bool peer)
{
	struct inet_sock *i = inet_sk(s);

	if (peer && !i->fport)
		return -ENOTCONN;
	return peer ? inet_fill(s->family, &i->faddr, i->fport, i->scope, sa)
		    : inet_fill(s->family, &i->laddr, i->lport, i->scope, sa);
}

int inet_check_bind(struct inet_sock *i, const struct net_addr *addr, u32 scope)
{
	struct netdev *dev = NULL;

	if (addr_is_any(addr) || addr_is_multicast(addr) || i->s.net->nonlocal_bind ||
	    inet_flag(i, INETF_FREEBIND | INETF_TRANSPARENT))
		return 0;
	if (addr_is_v4(addr) && net_addr_is_broadcast(i->s.net, addr->w[3], NULL))
		return 0;
	if (addr_is_link_local(addr) && !scope && !i->s.bound_if)
		return -EINVAL;
	if (!net_addr_is_local(i->s.net, addr, &dev))
		return -EADDRNOTAVAIL;
	return 0;
}

int inet_parse_bind(struct inet_sock *i, const struct sockaddr *sa, int len, struct net_addr *addr, u16 *port,
		    u32 *scope)
{
	int err;

	if (len >= (int)sizeof(struct sockaddr_in) && sa->sa_family == AF_UNSPEC && i->s.family == AF_INET) {
		struct sockaddr_in sin;

		memcpy(&sin, sa, sizeof(sin)); /* an old habit: AF_UNSPEC with the wildcard address */
		if (sin.sin_addr.s_addr)
			return -EAFNOSUPPORT;
		*addr = addr_v4(0);
		*port = be16(sin.sin_port);
		*scope = 0;
	} else {
		err = inet_parse(i, sa, len, addr, port, scope);
		if (err)
			return err == -ENETUNREACH ? -EINVAL : err;
	}
	return inet_check_bind(i, addr, *scope);
}

/* An interface and a source address of the sender's choice. */
static int choose_source(struct inet_sock *i, struct ip_flow *f, u32 ifindex, const struct net_addr *src)
{
	if (ifindex)
		f->oif = ifindex;
	if (addr_is_any(src))
		return 0;
	if (addr_is_v4(src) != addr_is_v4(&f->dst))
		return -EINVAL;
	f->src = *src;
	if (inet_flag(i, INETF_FREEBIND | INETF_TRANSPARENT) || net_addr_is_local(i->s.net, src, NULL))
		return 0;
	return addr_is_v4(src) ? -ENETUNREACH : -EINVAL;
}

static int control_v4(struct inet_sock *i, int type, const void *data, size_t n, int v, struct ip_flow *f)
{
	struct in_pktinfo pi;
	struct net_addr src;

	switch (type) {
	case IP_PKTINFO:
		if (n != sizeof(pi))
			return -EINVAL;
		memcpy(&pi, data, sizeof(pi));
		src = addr_v4(pi.ipi_spec_dst.s_addr);
		return choose_source(i, f, (u32)pi.ipi_ifindex, &src);
	case IP_TTL:
		if (n != sizeof(int) || v < 1 || v > 255)
			return -EINVAL;
		f->ttl = (u8)v;
		return 0;
	case IP_TOS:
		if ((n != sizeof(int) && n != 1) || v < 0 || v > 255)
			return -EINVAL;
		f->tos = (u8)v;
		return 0;
	case IP_RETOPTS:
		return n ? -EINVAL : 0;
	}
	return -EINVAL;
}

static int control_v6(struct inet_sock *i, int type, const void *data, size_t n, int v, struct ip_flow *f)
{
	struct net_addr src;

	if (type == IPV6_PKTINFO || type == IPV6_2292PKTINFO) {
		if (n < sizeof(struct in6_pktinfo_))
			return -EINVAL;
		memcpy(&src, data, sizeof(src));
		memcpy(&v, (const u8 *)data + sizeof(src), sizeof(v));
		return choose_source(i, f, (u32)v, &src);
	}
	if (addr_is_v4(&f->dst))
		return 0;
	if (n != sizeof(int) || v < -1 || v > 255)
		return -EINVAL;
	switch (type) {
	case IPV6_HOPLIMIT:
	case IPV6_2292HOPLIMIT:
		if (v >= 0)
			f->ttl = (u8)v;
		return 0;
	case IPV6_TCLASS:
		f->tos = (u8)max(v, 0);
		return 0;
	case IPV6_DONTFRAG:
		if (v < 0 || v > 1)
			return -EINVAL;
		f->whole = v;
		return 0;
	}
	return -EINVAL;
}

/* Each family of destinations has its level, and passes over the other's but for a source address in IPv6's
 * form. */
static int flow_from_control(struct inet_sock *i, const struct net_msg *m, struct ip_flow *f)
{
	bool v4 = addr_is_v4(&f->dst);
	const struct cmsghdr *h;
	size_t pos = 0;

	while ((h = msg_next_cmsg(m, &pos))) {
		size_t n;
		int v = 0, err = 0;

		if (IS_ERR(h))
			return (int)PTR_ERR(h);
		n = h->cmsg_len - sizeof(*h);
		memcpy(&v, h + 1, min(n, sizeof(v)));
		if (h->cmsg_level == SOL_IP && v4)
			err = control_v4(i, h->cmsg_type, h + 1, n, v, f);
		else if (h->cmsg_level == SOL_IPV6 && i->s.family == AF_INET6)
			err = control_v6(i, h->cmsg_type, h + 1, n, v, f);
		if (err)
			return err;
	}
	return 0;
}

int inet_flow(struct inet_sock *i, const struct net_addr *dst, u8 proto, const struct net_msg *m,
	      struct ip_flow *f)
{
	bool multi = addr_is_multicast(dst), v4 = addr_is_v4(dst);
	int err;

	*f = (struct ip_flow){.src = i->laddr,
			      .dst = *dst,
			      .oif = i->s.bound_if,
			      .proto = proto,
			      .tos = v4 ? i->tos : i->tclass};
	if (addr_is_any(&f->src) || addr_is_multicast(&f->src) || addr_is_v4(&f->src) != v4 ||
	    (v4 && net_addr_is_broadcast(i->s.net, f->src.w[3], NULL)))
		f->src = v4 ? addr_v4(0) : NET_ADDR_ANY;
	f->ttl = v4 ? i->ttl : i->hops6;
	f->df = i->pmtudisc == IP_PMTUDISC_DO || i->pmtudisc == IP_PMTUDISC_PROBE;
	f->df_fit = i->pmtudisc == IP_PMTUDISC_WANT;
	f->whole = i->pmtudisc == IP_PMTUDISC_INTERFACE || (!v4 && inet_flag(i, INETF_DONTFRAG6));
	f->dev_mtu = i->pmtudisc >= IP_PMTUDISC_PROBE;
	if (!f->oif)
		f->oif = m && m->scope ? m->scope : addr_is_link_local(dst) ? i->scope : 0;
	if (multi) {
		f->ttl = v4 ? i->mc_ttl : i->mc_hops6;
		f->confined = !f->ttl;
		f->mc_loop = !inet_flag(i, v4 ? INETF_MC_NOLOOP : INETF_MC6_NOLOOP);
		if (!f->oif)
			f->oif = v4 ? i->mc_if : i->mc_if6;
		if (v4 && addr_is_any(&f->src))
			f->src = addr_v4(i->mc_src);
	}
	if (m && m->control) {
		err = flow_from_control(i, m, f);
		if (err)
			return err;
	}
	err = ip_route_flow(i->s.net, f);
	if (err)
		return err;
	if (f->rt.type == RTN_BROADCAST && proto != IPPROTO_TCP && !socket_flag(&i->s, SOCKF_BROADCAST))
		return -EACCES;
	return 0;
}

void inet_put_control(struct inet_sock *i, struct net_msg *m, const struct ip_cb *cb)
{
	struct in6_pktinfo_ pi6 = {.addr = cb->dst, .ifindex = (int)cb->iif};
	int ttl = cb->ttl, tos = cb->tos;

	if (inet_flag(i, INETF_PKTINFO6))
		msg_put_cmsg(m, SOL_IPV6, IPV6_PKTINFO, &pi6, sizeof(pi6));
	if (!addr_is_v4(&cb->dst)) {
		if (inet_flag(i, INETF_RECVHOPLIMIT))
			msg_put_cmsg(m, SOL_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl));
		if (inet_flag(i, INETF_RECVTCLASS))
			msg_put_cmsg(m, SOL_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
		if (inet_flag(i, INETF_PKTINFO6_OLD))
			msg_put_cmsg(m, SOL_IPV6, IPV6_2292PKTINFO, &pi6, sizeof(pi6));
		if (inet_flag(i, INETF_RECVHOPLIMIT_OLD))
			msg_put_cmsg(m, SOL_IPV6, IPV6_2292HOPLIMIT, &ttl, sizeof(ttl));
		return;
	}
	if (inet_flag(i, INETF_PKTINFO)) {
		struct in_pktinfo pi = {.ipi_ifindex = (int)cb->iif, .ipi_addr.s_addr = cb->dst.w[3]};

		pi.ipi_spec_dst = pi.ipi_addr;
		if (ip4_is_multicast(cb->dst.w[3]) || net_addr_is_broadcast(i->s.net, cb->dst.w[3], NULL)) {
			struct netdev *dev = net_device_by_index(i->s.net, cb->iif);
			const struct if_addr *a = dev ? if_addr_first(dev, true) : NULL;

			pi.ipi_spec_dst.s_addr = a ? a->addr.w[3] : 0;
		}
		msg_put_cmsg(m, SOL_IP, IP_PKTINFO, &pi, sizeof(pi));
	}
	if (inet_flag(i, INETF_RECVTTL))
		msg_put_cmsg(m, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	if (inet_flag(i, INETF_RECVTOS))
		msg_put_cmsg(m, SOL_IP, IP_TOS, &cb->tos, 1);
	if (inet_flag(i, INETF_RECVORIGDST)) {
		struct sockaddr_in sin = {
			.sin_family = AF_INET, .sin_port = be16(cb->dport), .sin_addr.s_addr = cb->dst.w[3]};

		msg_put_cmsg(m, SOL_IP, IP_RECVORIGDSTADDR, &sin, sizeof(sin));
	}
}

void inet_recv_info(struct inet_sock *i, struct net_msg *m, struct packet *p, u16 port)
{
	struct ip_cb *cb = ip_cb(p);

	if (m->name)
		m->namelen = inet_fill(i->s.family, &cb->src, port, cb->iif, m->name);
	i->s.stamp = cb->stamp ? cb->stamp : clock_realtime();
	msg_put_timestamp(&i->s, m, i->s.stamp);
	if (unlikely(inet_flag(i, INETF_CONTROL)))
		inet_put_control(i, m, cb);
	if (socket_flag(&i->s, SOCKF_RXQ_OVFL) && p->drops)
		msg_put_cmsg(m, SOL_SOCKET, SO_RXQ_OVFL, &p->drops, sizeof(u32));
}

bool inet_wants_group(struct inet_sock *i, const struct net_addr *group, const struct net_addr *src,
		      u32 ifindex)
{
	for (struct inet_member *g = rcu_dereference(i->groups); g; g = rcu_dereference(g->next)) {
		const struct inet_filter *f = rcu_dereference(g->filter);
		unsigned k = 0;

		if (!addr_equal(&g->group, group) || (g->ifindex && g->ifindex != ifindex))
			continue;
		while (k < f->n && !addr_equal(&f->addr[k], src))
			k++;
		return (k < f->n) == (f->mode == MCAST_INCLUDE);
	}
	return !inet_flag(i, addr_is_v4(group) ? INETF_MC_NOT_ALL : INETF_MC6_NOT_ALL);
}
