/* SPDX-License-Identifier: BSD-2-Clause */
/* SOL_IP and SOL_IPV6 options (ip(7), ipv6(7)). Membership of groups is in inet_groups.c. */
#include "base/err.h"
#include "base/string.h"
#include "net/inet.h"

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
	case IP_MSFILTER:
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
	case MCAST_JOIN_SOURCE_GROUP:
	case MCAST_LEAVE_SOURCE_GROUP:
	case MCAST_BLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
	case MCAST_MSFILTER:
		return inet_set_group(i, false, opt, val, len);
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
	case IPV6_DROP_MEMBERSHIP:
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
	case MCAST_JOIN_SOURCE_GROUP:
	case MCAST_LEAVE_SOURCE_GROUP:
	case MCAST_BLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
	case MCAST_MSFILTER:
		return inet_set_group(i, true, opt, val, len);
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
	if ((level == SOL_IP && opt == IP_MSFILTER) ||
	    ((level == SOL_IP || level == SOL_IPV6) && opt == MCAST_MSFILTER))
		return inet_get_filter(i, level == SOL_IPV6, opt, val, len);
	if (level == SOL_IP)
		return get_ip(i, opt, val, len);
	if (level == SOL_IPV6)
		return get_ip6(i, opt, val, len);
	return -EOPNOTSUPP;
}
