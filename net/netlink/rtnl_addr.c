/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses: RTM_GETADDR, RTM_NEWADDR, RTM_DELADDR. An address brings the route to its subnet with it. */
#include "kernel/clock.h"
#include "rtnl.h"

static u32 seconds_left(u64 until)
{
	u64 now = clock_monotonic();

	return until == ~0ull ? ~0u : (until > now ? (u32)((until - now) / NSEC_PER_SEC) : 0);
}

static u64 until(u32 seconds)
{
	return seconds == ~0u ? ~0ull : clock_monotonic() + seconds * NSEC_PER_SEC;
}

static bool fill_addr(struct nl_msg *m, struct netdev *dev, const struct if_addr *a, const struct rtnl_to *to)
{
	bool v4 = addr_is_v4(&a->addr), peer = !addr_is_any(&a->peer);
	struct ifaddrmsg *i = rtnl_begin(m, to, sizeof(*i));
	struct ifa_cacheinfo ci = {.ifa_prefered = seconds_left(a->preferred_until),
				   .ifa_valid = seconds_left(a->valid_until)};

	i->ifa_family = rtnl_family(&a->addr);
	i->ifa_prefixlen = a->plen;
	i->ifa_flags = a->flags | (a->valid_until == ~0ull ? IFA_F_PERMANENT : 0);
	i->ifa_scope = a->scope;
	i->ifa_index = dev->index;
	rtnl_put_addr(m, IFA_ADDRESS, peer ? &a->peer : &a->addr);
	if (v4 || peer)
		rtnl_put_addr(m, IFA_LOCAL, &a->addr);
	if (v4) {
		if (!addr_is_any(&a->broadcast))
			rtnl_put_addr(m, IFA_BROADCAST, &a->broadcast);
		nl_attr_str(m, IFA_LABEL, a->label);
	}
	nl_attr_u32(m, IFA_FLAGS, i->ifa_flags);
	nl_attr(m, IFA_CACHEINFO, &ci, sizeof(ci));
	return nl_end(m);
}

/* IPv6 only, as on Linux. */
static int get_one(struct nl_request *r, struct nl_msg *m)
{
	struct rtnl_to to = rtnl_answer(r, RTM_NEWADDR);
	const struct nlattr *at[IFA_MAX + 1], *want;
	struct net_addr addr;
	int err = rtnl_parse(r, sizeof(struct ifaddrmsg), at, IFA_MAX);

	if (err)
		return err;
	if (r->family != AF_INET6)
		return -EOPNOTSUPP;
	want = at[IFA_LOCAL] ? at[IFA_LOCAL] : at[IFA_ADDRESS];
	if (!want || !rtnl_load_addr(AF_INET6, want, &addr))
		return -EINVAL;
	for (u32 i = 1; i <= NET_MAX_DEVS; i++) {
		struct netdev *dev = net_device_by_index(r->sk->s.net, i);

		if (!dev)
			break;
		for (struct if_addr *a = rcu_dereference(net_if(dev)->addrs); a; a = rcu_dereference(a->next))
			if (addr_equal(&a->addr, &addr))
				return fill_addr(m, dev, a, &to) ? 0 : -EMSGSIZE;
	}
	return -EADDRNOTAVAIL;
}

int rtnl_get_addr(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	const struct ifaddrmsg *ask = rtnl_header(r, sizeof(*ask));
	struct rtnl_to to = rtnl_answer(r, RTM_NEWADDR);
	u32 only = 0;
	u64 n = 0;

	if (!r->dump)
		return get_one(r, m);
	if (r->sk->strict) {
		if (!ask)
			return nl_refuse(r, -EINVAL, "Invalid header for address dump request");
		if (ask->ifa_prefixlen || ask->ifa_flags || ask->ifa_scope)
			return nl_refuse(r, -EINVAL, "Invalid values in header for address dump request");
		only = ask->ifa_index;
		if (only && !net_device_by_index(r->sk->s.net, only))
			return -ENODEV;
	}
	for (u32 k = 0; k < 2 * NET_MAX_DEVS; k++) { /* all of IPv4, then all of IPv6 */
		u8 family = k < NET_MAX_DEVS ? AF_INET : AF_INET6;
		u32 i = k % NET_MAX_DEVS + 1;
		struct netdev *dev = net_device_by_index(r->sk->s.net, i);

		if (!dev || (only && only != i) || (r->family && r->family != family))
			continue;
		for (struct if_addr *a = rcu_dereference(net_if(dev)->addrs); a;
		     a = rcu_dereference(a->next)) {
			if (family != rtnl_family(&a->addr) || n++ < *cursor)
				continue;
			if (!fill_addr(m, dev, a, &to))
				return 1;
			*cursor = n;
		}
	}
	return 0;
}

/* The subnet's route that goes with A. */
static struct route subnet_route(struct netdev *dev, const struct if_addr *a)
{
	bool v4 = addr_is_v4(&a->addr), peer = !addr_is_any(&a->peer);
	struct route link = {.type = RTN_UNICAST,
			     .protocol = RTPROT_KERNEL,
			     .scope = v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
			     .metric = v4 ? 0 : 256,
			     .dev = dev,
			     .plen = a->plen,
			     .src = v4 ? a->addr : NET_ADDR_ANY,
			     .dst = peer ? a->peer : a->addr,
			     .gateway = v4 ? addr_v4(0) : NET_ADDR_ANY};

	for (unsigned b = a->plen; b < (v4 ? 32u : 128u); b++)
		link.dst.b[(v4 ? 12 : 0) + b / 8] &= (u8) ~(0x80 >> b % 8);
	return link;
}

static int load(struct nl_request *r, const struct ifaddrmsg *i, const struct nlattr **at, struct if_addr *a)
{
	const struct nlattr *local = at[IFA_LOCAL] ? at[IFA_LOCAL] : at[IFA_ADDRESS];
	bool v4 = i->ifa_family == AF_INET;

	if (!local || !rtnl_load_addr(i->ifa_family, local, &a->addr))
		return nl_refuse(r, -EINVAL, "Local address is not supplied");
	if (i->ifa_prefixlen > (v4 ? 32 : 128))
		return nl_refuse(r, -EINVAL, "Invalid prefix length");
	a->peer = a->broadcast = v4 ? addr_v4(0) : NET_ADDR_ANY;
	if (at[IFA_LOCAL] && at[IFA_ADDRESS] && !rtnl_load_addr(i->ifa_family, at[IFA_ADDRESS], &a->peer))
		return -EINVAL;
	if (addr_equal(&a->peer, &a->addr))
		a->peer = v4 ? addr_v4(0) : NET_ADDR_ANY;
	a->plen = i->ifa_prefixlen;
	a->scope = i->ifa_scope;
	if (at[IFA_BROADCAST] && !rtnl_load_addr(i->ifa_family, at[IFA_BROADCAST], &a->broadcast))
		return -EINVAL;
	if (at[IFA_LABEL])
		memcpy(a->label, nl_data(at[IFA_LABEL]), min(nl_len(at[IFA_LABEL]), sizeof(a->label) - 1));
	if (at[IFA_CACHEINFO] && nl_len(at[IFA_CACHEINFO]) >= sizeof(struct ifa_cacheinfo)) {
		struct ifa_cacheinfo ci;

		memcpy(&ci, nl_data(at[IFA_CACHEINFO]), sizeof(ci));
		if (!ci.ifa_valid || ci.ifa_prefered > ci.ifa_valid)
			return nl_refuse(r, -EINVAL, "Invalid address lifetime");
		a->valid_until = until(ci.ifa_valid);
		a->preferred_until = until(ci.ifa_prefered);
		if (ci.ifa_valid != ~0u)
			a->flags &= (u8)~IFA_F_PERMANENT;
	}
	return 0;
}

static void notify_route(struct netdev *dev, const struct route *link, bool added)
{
	net_enter();
	rtnl_notify_route(net_if(dev)->net, link, added);
	net_leave();
}

static int remove(struct netdev *dev, const struct if_addr *a)
{
	struct route link = subnet_route(dev, a);
	int err = if_addr_del(dev, &a->addr, a->plen);

	if (!err && !route_del(net_if(dev)->net, &link))
		notify_route(dev, &link, false);
	return err;
}

static int add(struct nl_request *r, struct netdev *dev, const struct if_addr *a)
{
	struct route link = subnet_route(dev, a);
	int err = if_addr_add(dev, a);

	if (err == -EEXIST &&
	    (r->nlh->nlmsg_flags & NLM_F_REPLACE)) { /* its lifetimes and the like are new */
		if_addr_del(dev, &a->addr, a->plen);
		err = if_addr_add(dev, a);
	}
	if (!err && !(dev->flags & IFF_LOOPBACK) && !route_add(net_if(dev)->net, &link, true))
		notify_route(dev, &link, true);
	return err;
}

int rtnl_change_addr(struct nl_request *r)
{
	const struct ifaddrmsg *i = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	struct if_addr a = {.valid_until = ~0ull, .preferred_until = ~0ull, .flags = IFA_F_PERMANENT};
	bool del = r->nlh->nlmsg_type == RTM_DELADDR;
	struct net_stack *net = r->sk->s.net;
	const struct nlattr *at[IFA_MAX + 1];
	struct netdev *dev;
	int err = rtnl_parse(r, sizeof(*i), at, IFA_MAX);

	if (err)
		return err;
	if (i->ifa_family != AF_INET && (i->ifa_family != AF_INET6 || !net->ip6))
		return -EAFNOSUPPORT;
	dev = net_device_by_index(net, i->ifa_index);
	if (!dev)
		return nl_refuse(r, -ENODEV, "Device not found");
	err = load(r, i, at, &a);
	if (!err)
		err = del ? remove(dev, &a) : add(r, dev, &a);
	if (!err) {
		net_enter();
		rtnl_notify_addr(dev, &a, !del);
		net_leave();
	}
	return err;
}

void rtnl_notify_addr(struct netdev *dev, const struct if_addr *a, bool added)
{
	unsigned group = addr_is_v4(&a->addr) ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR;
	struct rtnl_to to = {.type = added ? RTM_NEWADDR : RTM_DELADDR};
	struct nl_msg m;

	if (!netlink_has_listeners(group) || !nl_alloc(&m, 512))
		return;
	fill_addr(&m, dev, a, &to);
	netlink_broadcast(net_if(dev)->net, &m, group);
}
