/* SPDX-License-Identifier: BSD-2-Clause */
/* SOL_IP and SOL_IPV6 options (ip(7), ipv6(7)), and multicast membership. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "net/inet.h"

static struct inet_member **find_member(struct inet_sock *i, const struct net_addr *group, u32 ifindex)
{
	struct inet_member **at;

	for (at = &i->groups; *at; at = &(*at)->next)
		if (addr_equal(&(*at)->group, group) && (!ifindex || (*at)->ifindex == ifindex))
			break;
	return at;
}

/* The interface for a group: given, or of a local address, or where the routing table leads. */
static struct netdev *group_dev(struct inet_sock *i, const struct net_addr *group, u32 ifindex, u32 local)
{
	struct net_addr any = addr_v4(0), addr = addr_v4(local);
	struct route_result rt;
	struct netdev *dev = NULL;

	if (ifindex)
		return net_device_by_index(i->s.net, ifindex);
	if (local)
		return net_addr_is_local(i->s.net, &addr, &dev) ? dev : NULL;
	if (!addr_is_v4(group))
		any = NET_ADDR_ANY;
	if (route_lookup(i->s.net, group, &any, 0, &rt) == 0)
		return rt.dev;
	return i->s.net->lo;
}

static int join(struct inet_sock *i, const struct net_addr *group, u32 ifindex, u32 local,
		const struct net_addr *source)
{
	struct netdev *dev;
	struct inet_member *m, **at;
	int err;

	if (!addr_is_multicast(group))
		return -EINVAL;
	dev = group_dev(i, group, ifindex, local);
	if (!dev)
		return -ENODEV;
	at = find_member(i, group, dev->index);
	m = *at;
	if (m) {
		if (!source)
			return -EADDRINUSE;
		if (m->mode != MCAST_INCLUDE) {
			if (m->nsources)
				return -EINVAL;
			if_group_leave(dev, group, NULL); /* from all sources to some */
			m->mode = MCAST_INCLUDE;
		}
		for (unsigned k = 0; k < m->nsources; k++)
			if (addr_equal(&m->sources[k], source))
				return -EADDRNOTAVAIL;
		if (m->nsources == ARRAY_SIZE(m->sources))
			return -ENOBUFS;
		err = if_group_join(dev, group, source);
		if (!err)
			m->sources[m->nsources++] = *source;
		return err;
	}
	m = kzalloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->group = *group;
	m->ifindex = dev->index;
	m->mode = source ? MCAST_INCLUDE : MCAST_EXCLUDE;
	if (source)
		m->sources[m->nsources++] = *source;
	err = if_group_join(dev, group, source);
	if (err) {
		kfree(m);
		return err;
	}
	rcu_assign_pointer(*at, m);
	return 0;
}

static void free_member(struct inet_sock *i, struct inet_member **at)
{
	struct inet_member *m = *at;
	struct netdev *dev = net_device_by_index(i->s.net, m->ifindex);

	rcu_assign_pointer(*at, m->next);
	if (dev && m->mode == MCAST_EXCLUDE)
		if_group_leave(dev, &m->group, NULL);
	for (unsigned k = 0; dev && m->mode == MCAST_INCLUDE && k < m->nsources; k++)
		if_group_leave(dev, &m->group, &m->sources[k]);
	rcu_synchronize(); /* the receive path walks the list */
	kfree(m);
}

static int leave(struct inet_sock *i, const struct net_addr *group, u32 ifindex, u32 local,
		 const struct net_addr *source)
{
	struct netdev *dev = ifindex || local ? group_dev(i, group, ifindex, local) : NULL;
	struct inet_member *m, **at;

	if (!addr_is_multicast(group))
		return -EINVAL;
	if ((ifindex || local) && !dev)
		return -ENODEV;
	at = find_member(i, group, dev ? dev->index : 0);
	m = *at;
	if (source && (!m || (m->mode != MCAST_INCLUDE && m->nsources)))
		return -EINVAL;
	if (!m)
		return -EADDRNOTAVAIL;
	if (source) {
		for (unsigned k = 0; k < m->nsources; k++)
			if (addr_equal(&m->sources[k], source)) {
				if (m->nsources == 1) {
					free_member(i, at);
					return 0;
				}
				m->sources[k] = m->sources[--m->nsources];
				dev = net_device_by_index(i->s.net, m->ifindex);
				if (dev)
					if_group_leave(dev, group, source);
				return 0;
			}
		return -EADDRNOTAVAIL;
	}
	free_member(i, at);
	return 0;
}

static int block(struct inet_sock *i, const struct net_addr *group, u32 ifindex, u32 local,
		 const struct net_addr *source, bool on)
{
	struct netdev *dev = group_dev(i, group, ifindex, local);
	struct inet_member *m = dev ? *find_member(i, group, dev->index) : NULL;

	if (!m || m->mode != MCAST_EXCLUDE)
		return -EINVAL;
	for (unsigned k = 0; k < m->nsources; k++)
		if (addr_equal(&m->sources[k], source)) {
			if (on)
				return -EADDRNOTAVAIL;
			m->sources[k] = m->sources[--m->nsources];
			return 0;
		}
	if (!on)
		return -EADDRNOTAVAIL;
	if (m->nsources == ARRAY_SIZE(m->sources))
		return -ENOBUFS;
	m->sources[m->nsources++] = *source;
	return 0;
}

void inet_drop_groups(struct inet_sock *i)
{
	while (i->groups)
		free_member(i, &i->groups);
}

static bool sockaddr_group(const void *sa, bool v6, struct net_addr *out)
{
	const struct sockaddr *s = sa;

	if (v6)
		memcpy(out, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
	else
		*out = addr_v4(((const struct sockaddr_in *)sa)->sin_addr.s_addr);
	return s->sa_family == (v6 ? AF_INET6 : AF_INET);
}

/* The protocol-independent interface of RFC 3678, level IP or IPV6. */
static int generic_group(struct inet_sock *i, bool v6, int opt, const void *val, int len)
{
	struct group_source_req g;
	struct net_addr group, source;
	bool with_source = opt != MCAST_JOIN_GROUP && opt != MCAST_LEAVE_GROUP;

	if (len < (int)(with_source ? sizeof(g) : sizeof(struct group_req)))
		return -EINVAL;
	memset(&g, 0, sizeof(g));
	memcpy(&g, val, min((size_t)len, with_source ? sizeof(g) : sizeof(struct group_req)));
	if (!sockaddr_group(&g.gsr_group, v6, &group) ||
	    (with_source && !sockaddr_group(&g.gsr_source, v6, &source)))
		return v6 ? -EADDRNOTAVAIL : -EINVAL;
	switch (opt) {
	case MCAST_JOIN_GROUP:
		return join(i, &group, g.gsr_interface, 0, NULL);
	case MCAST_LEAVE_GROUP:
		return leave(i, &group, g.gsr_interface, 0, NULL);
	case MCAST_JOIN_SOURCE_GROUP:
		return join(i, &group, g.gsr_interface, 0, &source);
	case MCAST_LEAVE_SOURCE_GROUP:
		return leave(i, &group, g.gsr_interface, 0, &source);
	}
	return block(i, &group, g.gsr_interface, 0, &source, opt == MCAST_BLOCK_SOURCE);
}

static int set_mc_if(struct inet_sock *i, const void *val, int len)
{
	struct ip_mreqn r = {};
	struct net_addr a;
	struct netdev *dev;

	if (len >= (int)sizeof(r))
		memcpy(&r, val, sizeof(r));
	else if (len >= (int)sizeof(struct ip_mreq))
		memcpy(&r, val, sizeof(struct ip_mreq));
	else if (len >= (int)sizeof(struct in_addr))
		memcpy(&r.imr_address, val, sizeof(struct in_addr));
	else
		return -EINVAL;
	a = addr_v4(r.imr_address.s_addr);
	if (!r.imr_ifindex) {
		if (addr_is_any(&a)) {
			i->mc_if = i->mc_src = 0;
			return 0;
		}
		if (!net_addr_is_local(i->s.net, &a, &dev))
			return -EADDRNOTAVAIL;
		r.imr_ifindex = (int)dev->index;
	} else if (!net_device_by_index(i->s.net, (u32)r.imr_ifindex)) {
		return -EADDRNOTAVAIL;
	}
	i->mc_if = (u32)r.imr_ifindex;
	i->mc_src = a.w[3];
	return 0;
}

static int set_groups_v4(struct inet_sock *i, int opt, const void *val, int len)
{
	struct ip_mreqn r = {};
	struct ip_mreq_source sr;
	struct net_addr group, source;

	switch (opt) {
	case IP_ADD_MEMBERSHIP:
	case IP_DROP_MEMBERSHIP:
		if (i->s.type == SOCK_STREAM)
			return -EPROTO;
		if (len < (int)sizeof(struct ip_mreq))
			return -EINVAL;
		memcpy(&r, val, len >= (int)sizeof(r) ? sizeof(r) : sizeof(struct ip_mreq));
		group = addr_v4(r.imr_multiaddr.s_addr);
		if (opt == IP_ADD_MEMBERSHIP)
			return join(i, &group, (u32)r.imr_ifindex, r.imr_address.s_addr, NULL);
		return leave(i, &group, (u32)r.imr_ifindex, r.imr_address.s_addr, NULL);
	}
	if (len != (int)sizeof(sr))
		return -EINVAL;
	memcpy(&sr, val, sizeof(sr));
	group = addr_v4(sr.imr_multiaddr);
	source = addr_v4(sr.imr_sourceaddr);
	if (opt == IP_ADD_SOURCE_MEMBERSHIP)
		return join(i, &group, 0, sr.imr_interface, &source);
	if (opt == IP_DROP_SOURCE_MEMBERSHIP)
		return leave(i, &group, 0, sr.imr_interface, &source);
	return block(i, &group, 0, sr.imr_interface, &source, opt == IP_BLOCK_SOURCE);
}

/* Booleans of both levels. */
static const struct {
	int level, opt;
	u32 flag;
} flag_options[] = {
	{SOL_IP, IP_RECVTTL, INETF_RECVTTL},
	{SOL_IP, IP_RECVTOS, INETF_RECVTOS},
	{SOL_IP, IP_PKTINFO, INETF_PKTINFO},
	{SOL_IP, IP_RECVERR, INETF_RECVERR},
	{SOL_IP, IP_RECVOPTS, INETF_RECVOPTS},
	{SOL_IP, IP_FREEBIND, INETF_FREEBIND},
	{SOL_IP, IP_TRANSPARENT, INETF_TRANSPARENT},
	{SOL_IP, IP_BIND_ADDRESS_NO_PORT, INETF_BIND_NO_PORT},
	{SOL_IP, IP_RECVORIGDSTADDR, INETF_RECVORIGDST},
	{SOL_IP, IP_RECVFRAGSIZE, INETF_RECVFRAGSIZE},
	{SOL_IPV6, IPV6_RECVPKTINFO, INETF_PKTINFO6},
	{SOL_IPV6, IPV6_RECVHOPLIMIT, INETF_RECVHOPLIMIT},
	{SOL_IPV6, IPV6_2292PKTINFO, INETF_PKTINFO6_OLD},
	{SOL_IPV6, IPV6_2292HOPLIMIT, INETF_RECVHOPLIMIT_OLD},
	{SOL_IPV6, IPV6_RECVTCLASS, INETF_RECVTCLASS},
	{SOL_IPV6, IPV6_RECVERR, INETF_RECVERR6},
	{SOL_IPV6, IPV6_DONTFRAG, INETF_DONTFRAG6},
	{SOL_IPV6, IPV6_AUTOFLOWLABEL, INETF_AUTOFLOWLABEL},
	{SOL_IPV6, IPV6_FREEBIND, INETF_FREEBIND},
	{SOL_IPV6, IPV6_TRANSPARENT, INETF_TRANSPARENT},
};

/* An int, or for the old options a single byte. */
static int small_int(const void *val, int len, int *v)
{
	if (len >= (int)sizeof(int)) {
		memcpy(v, val, sizeof(int));
		return 0;
	}
	if (len >= 1) {
		*v = *(const u8 *)val;
		return 0;
	}
	return -EINVAL;
}

static int set_ip(struct inet_sock *i, int opt, const void *val, int len)
{
	int v, err;

	switch (opt) {
	case IP_ADD_MEMBERSHIP:
	case IP_DROP_MEMBERSHIP:
	case IP_ADD_SOURCE_MEMBERSHIP:
	case IP_DROP_SOURCE_MEMBERSHIP:
	case IP_BLOCK_SOURCE:
	case IP_UNBLOCK_SOURCE:
		return set_groups_v4(i, opt, val, len);
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
	case MCAST_JOIN_SOURCE_GROUP:
	case MCAST_LEAVE_SOURCE_GROUP:
	case MCAST_BLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
		return generic_group(i, false, opt, val, len);
	case IP_MULTICAST_IF:
		return i->s.type == SOCK_STREAM ? -EINVAL : set_mc_if(i, val, len);
	case IP_OPTIONS:
		return len ? -EOPNOTSUPP : 0; /* source routes and the like are not sent */
	}
	err = small_int(val, len, &v);
	if (err)
		return err;
	switch (opt) {
	case IP_TOS:
		i->tos = (u8)(i->s.type == SOCK_STREAM ? v & ~3 : v);  /* TCP keeps the ECN bits for itself */
		i->s.priority = (0x4620 >> (i->tos >> 3 & 3) * 4) & 7; /* TC_PRIO_* of the old TOS bits */
		return 0;
	case IP_TTL:
		if (v != -1 && (v < 1 || v > 255))
			return -EINVAL;
		i->ttl = (u8)(v == -1 ? 0 : v);
		return 0;
	case IP_MULTICAST_TTL:
		if (i->s.type == SOCK_STREAM || v < -1 || v > 255)
			return -EINVAL;
		i->mc_ttl = (u8)(v == -1 ? 1 : v);
		return 0;
	case IP_MULTICAST_LOOP:
		inet_set_flag(i, INETF_MC_NOLOOP, !v);
		return 0;
	case IP_MULTICAST_ALL:
		if (v != 0 && v != 1)
			return -EINVAL;
		inet_set_flag(i, INETF_MC_NOT_ALL, !v);
		return 0;
	case IP_HDRINCL:
		if (i->s.type != SOCK_RAW)
			return -ENOPROTOOPT;
		inet_set_flag(i, INETF_HDRINCL, v);
		return 0;
	case IP_MTU_DISCOVER:
		if (v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_OMIT)
			return -EINVAL;
		i->pmtudisc = (u8)v;
		return 0;
	case IP_MINTTL:
		if (v < 0 || v > 255)
			return -EINVAL;
		i->min_ttl = (u8)v;
		return 0;
	case IP_RETOPTS:
	case IP_PASSSEC:
	case IP_NODEFRAG:
	case IP_CHECKSUM:
		return 0;
	case IP_UNICAST_IF:
		return v && !net_device_by_index(i->s.net, be32((u32)v)) ? -EADDRNOTAVAIL : 0;
	}
	return -ENOPROTOOPT;
}

static int set_ip6(struct inet_sock *i, int opt, const void *val, int len)
{
	int v, err;

	switch (opt) {
	case IPV6_ADD_MEMBERSHIP:
	case IPV6_DROP_MEMBERSHIP: {
		struct ipv6_mreq r;
		struct net_addr group;

		if (i->s.type == SOCK_STREAM)
			return -EPROTO;
		if (len < (int)sizeof(r))
			return -EINVAL;
		memcpy(&r, val, sizeof(r));
		memcpy(&group, &r.ipv6mr_multiaddr, sizeof(group));
		return opt == IPV6_ADD_MEMBERSHIP ? join(i, &group, (u32)r.ipv6mr_ifindex, 0, NULL)
						  : leave(i, &group, (u32)r.ipv6mr_ifindex, 0, NULL);
	}
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
	case MCAST_JOIN_SOURCE_GROUP:
	case MCAST_LEAVE_SOURCE_GROUP:
	case MCAST_BLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
		return generic_group(i, true, opt, val, len);
	}
	err = option_int(val, len, &v);
	if (err)
		return err;
	switch (opt) {
	case IPV6_V6ONLY:
		if (i->lport)
			return -EINVAL;
		inet_set_flag(i, INETF_V6ONLY, v);
		return 0;
	case IPV6_UNICAST_HOPS:
		if (v < -1 || v > 255)
			return -EINVAL;
		i->hops6 = (u8)(v == -1 ? 0 : v);
		return 0;
	case IPV6_MULTICAST_HOPS:
		if (i->s.type == SOCK_STREAM)
			return -ENOPROTOOPT;
		if (v < -1 || v > 255)
			return -EINVAL;
		i->mc_hops6 = (u8)(v == -1 ? 1 : v);
		return 0;
	case IPV6_MULTICAST_LOOP:
		if (v != 0 && v != 1)
			return -EINVAL;
		inet_set_flag(i, INETF_MC6_NOLOOP, !v);
		return 0;
	case IPV6_MULTICAST_ALL:
		if (v != 0 && v != 1)
			return -EINVAL;
		inet_set_flag(i, INETF_MC6_NOT_ALL, !v);
		return 0;
	case IPV6_MULTICAST_IF:
		if (v && !net_device_by_index(i->s.net, (u32)v))
			return -ENODEV;
		i->mc_if6 = (u32)v;
		return 0;
	case IPV6_TCLASS:
		if (v < -1 || v > 255)
			return -EINVAL;
		v = v == -1 ? 0 : v;
		i->tclass = (u8)(i->s.type == SOCK_STREAM ? v & ~3 : v);
		return 0;
	case IPV6_MTU_DISCOVER:
		if (v < IPV6_PMTUDISC_DONT || v > IPV6_PMTUDISC_OMIT)
			return -EINVAL;
		i->pmtudisc = (u8)v;
		return 0;
	case IPV6_FLOWINFO_SEND:
	case IPV6_MTU:
	case IPV6_RECVPATHMTU:
	case IPV6_RECVRTHDR:
	case IPV6_RECVHOPOPTS:
	case IPV6_RECVDSTOPTS:
	case IPV6_ADDR_PREFERENCES:
		return 0;
	case IPV6_UNICAST_IF:
		return v && !net_device_by_index(i->s.net, be32((u32)v)) ? -EADDRNOTAVAIL : 0;
	case IPV6_ADDRFORM:
		return v == AF_INET6 ? 0 : -EADDRNOTAVAIL;
	}
	return -ENOPROTOOPT;
}

int inet_setsockopt(struct socket *s, int level, int opt, const void *val, int len)
{
	struct inet_sock *i = inet_sk(s);
	int v, err;

	if (level != SOL_IP && level != SOL_IPV6)
		return -ENOPROTOOPT;
	if (level == SOL_IPV6 && s->family != AF_INET6)
		return -ENOPROTOOPT;
	for (unsigned k = 0; k < ARRAY_SIZE(flag_options); k++)
		if (flag_options[k].level == level && flag_options[k].opt == opt) {
			err = small_int(val, len, &v);
			if (!err)
				inet_set_flag(i, flag_options[k].flag, v);
			if (!err && !v && (opt == IP_RECVERR || opt == IPV6_RECVERR))
				error_queue_purge(s, false);
			return err;
		}
	socket_lock(s);
	err = level == SOL_IP ? set_ip(i, opt, val, len) : set_ip6(i, opt, val, len);
	socket_unlock(s);
	return err;
}

static int path_mtu(struct inet_sock *i)
{
	struct ip_flow f;
	int mtu;

	if (!i->fport)
		return -ENOTCONN;
	net_enter();
	mtu = inet_flow(i, &i->faddr, 0, NULL, &f);
	if (!mtu)
		mtu = (int)min(ip_flow_mtu(i->s.net, &f), 65535u);
	net_leave();
	return mtu;
}

static int get_ip(struct inet_sock *i, int opt, void *val, int *len)
{
	int v;

	switch (opt) {
	case IP_TOS:
		v = i->tos;
		break;
	case IP_TTL:
		v = i->ttl ? i->ttl : i->s.net->default_ttl;
		break;
	case IP_MULTICAST_TTL:
		v = i->mc_ttl;
		break;
	case IP_MULTICAST_LOOP:
		v = !inet_flag(i, INETF_MC_NOLOOP);
		break;
	case IP_MULTICAST_ALL:
		v = !inet_flag(i, INETF_MC_NOT_ALL);
		break;
	case IP_HDRINCL:
		if (i->s.type != SOCK_RAW)
			return -ENOPROTOOPT;
		v = inet_flag(i, INETF_HDRINCL) != 0;
		break;
	case IP_MTU_DISCOVER:
		v = i->pmtudisc;
		break;
	case IP_MINTTL:
		v = i->min_ttl;
		break;
	case IP_MTU:
		v = path_mtu(i);
		if (v < 0)
			return v;
		break;
	case IP_MULTICAST_IF:
		return option_put(val, len, &i->mc_src, sizeof(i->mc_src));
	case IP_OPTIONS:
		*len = 0;
		return 0;
	case IP_RETOPTS:
	case IP_PASSSEC:
	case IP_NODEFRAG:
	case IP_CHECKSUM:
	case IP_UNICAST_IF:
		v = 0;
		break;
	default:
		return -ENOPROTOOPT;
	}
	if (*len < (int)sizeof(int) && *len > 0 && v >= 0 &&
	    v <= 255) { /* ip(7): a byte for a short buffer */
		*(u8 *)val = (u8)v;
		*len = 1;
		return 0;
	}
	return option_put_int(val, len, v);
}

static int get_ip6(struct inet_sock *i, int opt, void *val, int *len)
{
	int v;

	switch (opt) {
	case IPV6_V6ONLY:
		v = inet_flag(i, INETF_V6ONLY) != 0;
		break;
	case IPV6_UNICAST_HOPS:
		v = i->hops6 ? i->hops6 : i->s.net->default_ttl;
		break;
	case IPV6_MULTICAST_HOPS:
		v = i->mc_hops6;
		break;
	case IPV6_MULTICAST_LOOP:
		v = !inet_flag(i, INETF_MC6_NOLOOP);
		break;
	case IPV6_MULTICAST_ALL:
		v = !inet_flag(i, INETF_MC6_NOT_ALL);
		break;
	case IPV6_MULTICAST_IF:
		v = (int)i->mc_if6;
		break;
	case IPV6_TCLASS:
		v = i->tclass;
		break;
	case IPV6_MTU_DISCOVER:
		v = i->pmtudisc;
		break;
	case IPV6_MTU:
		v = path_mtu(i);
		if (v < 0)
			return v;
		break;
	case IPV6_ADDRFORM:
		v = AF_INET6;
		break;
	case IPV6_FLOWINFO_SEND:
	case IPV6_RECVPATHMTU:
	case IPV6_RECVRTHDR:
	case IPV6_RECVHOPOPTS:
	case IPV6_RECVDSTOPTS:
	case IPV6_ADDR_PREFERENCES:
	case IPV6_UNICAST_IF:
		v = 0;
		break;
	default:
		return -ENOPROTOOPT;
	}
	return option_put_int(val, len, v);
}

int inet_getsockopt(struct socket *s, int level, int opt, void *val, int *len)
{
	struct inet_sock *i = inet_sk(s);

	if (level == SOL_IPV6 && s->family != AF_INET6)
		return -EOPNOTSUPP;
	for (unsigned k = 0; k < ARRAY_SIZE(flag_options); k++)
		if (flag_options[k].level == level && flag_options[k].opt == opt)
			return option_put_int(val, len, inet_flag(i, flag_options[k].flag) != 0);
	if (level == SOL_IP)
		return get_ip(i, opt, val, len);
	if (level == SOL_IPV6)
		return get_ip6(i, opt, val, len);
	return -EOPNOTSUPP;
}
