/* SPDX-License-Identifier: BSD-2-Clause */
/* NETLINK_ROUTE requests (rtnetlink(7)): links, addresses, routes, neighbours; get, dump, change. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "net/abi.h"
#include "net/ip.h"
#include "net/netlink.h"

#define IFLA_MAX_ 64

static size_t addr_len(u8 family)
{
	return family == AF_INET ? 4 : 16;
}

static const void *addr_bytes(const struct net_addr *a)
{
	return addr_is_v4(a) ? (const void *)&a->w[3] : (const void *)a;
}

static bool load_addr(u8 family, const struct nlattr *a, struct net_addr *out)
{
	u32 v4;

	if (nl_len(a) < addr_len(family))
		return false;
	if (family == AF_INET) {
		memcpy(&v4, nl_data(a), 4);
		*out = addr_v4(v4);
	} else {
		memcpy(out, nl_data(a), 16);
	}
	return true;
}

static u32 load_u32(const struct nlattr *a)
{
	u32 v = 0;

	memcpy(&v, nl_data(a), min(nl_len(a), sizeof(v)));
	return v;
}

static bool fill_link(struct nl_msg *m, struct netdev *dev, u32 portid, u32 seq, u16 flags, u16 type)
{
	static const u8 broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[6];
	bool lo = dev->flags & IFF_LOOPBACK;
	struct ifinfomsg *i = nl_begin(m, portid, seq, type, flags, sizeof(*i));
	struct rtnl_link_stats64 st = {
		.rx_packets = dev->stats.rx_packets,
		.tx_packets = dev->stats.tx_packets,
		.rx_bytes = dev->stats.rx_bytes,
		.tx_bytes = dev->stats.tx_bytes,
		.rx_errors = dev->stats.rx_errors,
		.tx_errors = dev->stats.tx_errors,
		.rx_dropped = dev->stats.rx_dropped,
		.tx_dropped = dev->stats.tx_dropped,
	};
	struct rtnl_link_stats st32 = {
		.rx_packets = (u32)st.rx_packets,
		.tx_packets = (u32)st.tx_packets,
		.rx_bytes = (u32)st.rx_bytes,
		.tx_bytes = (u32)st.tx_bytes,
		.rx_errors = (u32)st.rx_errors,
		.tx_errors = (u32)st.tx_errors,
		.rx_dropped = (u32)st.rx_dropped,
		.tx_dropped = (u32)st.tx_dropped,
	};
	struct rtnl_link_ifmap map = {};
	bool running = (dev->flags & IFF_UP) && dev->link_up;

	i->ifi_family = AF_UNSPEC;
	i->ifi_type = lo ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
	i->ifi_index = (int)dev->index;
	i->ifi_flags = (dev->flags & ~(u32)IFF_RUNNING) | (running ? IFF_RUNNING | IFF_LOWER_UP : 0);
	nl_attr_str(m, IFLA_IFNAME, dev->name);
	nl_attr_u32(m, IFLA_TXQLEN, net_if(dev)->txqlen);
	nl_attr_u8(m, IFLA_OPERSTATE, lo ? 0 : (running ? 6 : 2)); /* RFC 2863: unknown, up, down */
	nl_attr_u8(m, IFLA_LINKMODE, 0);
	nl_attr_u32(m, IFLA_MTU, dev->mtu);
	nl_attr_u32(m, IFLA_GROUP, 0);
	nl_attr_u32(m, IFLA_PROMISCUITY, 0);
	nl_attr_u32(m, IFLA_NUM_TX_QUEUES, max(dev->nqueues, 1u));
	nl_attr_u32(m, IFLA_NUM_RX_QUEUES, max(dev->nqueues, 1u));
	nl_attr_u8(m, IFLA_CARRIER, running);
	nl_attr_str(m, IFLA_QDISC, "noqueue");
	nl_attr(m, IFLA_MAP, &map, sizeof(map));
	nl_attr(m, IFLA_ADDRESS, lo ? none : dev->mac, 6);
	nl_attr(m, IFLA_BROADCAST, lo ? none : broadcast, 6);
	nl_attr(m, IFLA_STATS64, &st, sizeof(st));
	nl_attr(m, IFLA_STATS, &st32, sizeof(st32));
	return nl_end(m);
}

static int get_link(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	struct net_stack *net = r->sk->s.net;
	const struct nlattr *a[IFLA_MAX_ + 1];
	const struct ifinfomsg *i = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	struct netdev *dev = NULL;

	if (!r->dump) {
		if (r->nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*i)) ||
		    nl_parse(i + 1, r->nlh->nlmsg_len - NLMSG_LENGTH(sizeof(*i)), a, IFLA_MAX_))
			return -EINVAL;
		if (i->ifi_index > 0) {
			dev = net_device_by_index(net, (u32)i->ifi_index);
		} else if (a[IFLA_IFNAME]) {
			char name[IFNAMSIZ] = "";

			memcpy(name, nl_data(a[IFLA_IFNAME]), min(nl_len(a[IFLA_IFNAME]), sizeof(name) - 1));
			dev = net_device_find(net, name);
		} else {
			return -EINVAL;
		}
		if (!dev)
			return -ENODEV;
		return fill_link(m, dev, r->portid, r->nlh->nlmsg_seq, 0, RTM_NEWLINK) ? 0 : -EMSGSIZE;
	}
	for (; (dev = net_device_by_index(net, (u32)*cursor + 1)); ++*cursor)
		if (!fill_link(m, dev, r->portid, r->nlh->nlmsg_seq, r->answer_flags, RTM_NEWLINK))
			return 1;
	return 0;
}

static u32 seconds_left(u64 until)
{
	u64 now = clock_monotonic();

	return until == ~0ull ? ~0u : (until > now ? (u32)((until - now) / NSEC_PER_SEC) : 0);
}

static bool fill_addr(struct nl_msg *m, struct netdev *dev, const struct if_addr *a, u32 portid, u32 seq,
		      u16 flags, u16 type)
{
	bool v4 = addr_is_v4(&a->addr);
	struct ifaddrmsg *i = nl_begin(m, portid, seq, type, flags, sizeof(*i));
	struct ifa_cacheinfo ci = {.ifa_prefered = seconds_left(a->preferred_until),
				   .ifa_valid = seconds_left(a->valid_until)};
	size_t n = v4 ? 4 : 16;

	i->ifa_family = v4 ? AF_INET : AF_INET6;
	i->ifa_prefixlen = a->plen;
	i->ifa_flags = a->flags | (a->valid_until == ~0ull ? IFA_F_PERMANENT : 0);
	i->ifa_scope = a->scope;
	i->ifa_index = dev->index;
	nl_attr(m, IFA_ADDRESS, addr_bytes(&a->addr), n);
	if (v4) {
		nl_attr(m, IFA_LOCAL, addr_bytes(&a->addr), n);
		if (!addr_is_any(&a->broadcast))
			nl_attr(m, IFA_BROADCAST, addr_bytes(&a->broadcast), n);
		nl_attr_str(m, IFA_LABEL, a->label);
	}
	nl_attr_u32(m, IFA_FLAGS, i->ifa_flags);
	nl_attr(m, IFA_CACHEINFO, &ci, sizeof(ci));
	return nl_end(m);
}

static int get_addr(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	u64 n = 0;

	if (!r->dump)
		return -EOPNOTSUPP;
	for (u32 i = 1; i <= NET_MAX_DEVS; i++) {
		struct netdev *dev = net_device_by_index(r->sk->s.net, i);

		if (!dev)
			break;
		for (struct if_addr *a = rcu_dereference(net_if(dev)->addrs); a;
		     a = rcu_dereference(a->next)) {
			if (r->family && r->family != (addr_is_v4(&a->addr) ? AF_INET : AF_INET6))
				continue;
			if (n++ < *cursor)
				continue;
			if (!fill_addr(m, dev, a, r->portid, r->nlh->nlmsg_seq, r->answer_flags, RTM_NEWADDR))
				return 1;
			*cursor = n;
		}
	}
	return 0;
}

static int change_addr(struct nl_request *r)
{
	const struct ifaddrmsg *i = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	struct if_addr a = {.valid_until = ~0ull, .preferred_until = ~0ull, .flags = IFA_F_PERMANENT};
	struct route link = {.type = RTN_UNICAST, .protocol = RTPROT_KERNEL, .scope = RT_SCOPE_LINK};
	const struct nlattr *at[IFA_MAX + 1], *local;
	struct net_stack *net = r->sk->s.net;
	struct netdev *dev;
	bool v4;
	int err;

	if (r->nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*i)) ||
	    nl_parse(i + 1, r->nlh->nlmsg_len - NLMSG_LENGTH(sizeof(*i)), at, IFA_MAX))
		return -EINVAL;
	v4 = i->ifa_family == AF_INET;
	if (!v4 && (i->ifa_family != AF_INET6 || !net->ip6))
		return -EAFNOSUPPORT;
	dev = net_device_by_index(net, i->ifa_index);
	if (!dev)
		return -ENODEV;
	local = at[IFA_LOCAL] ? at[IFA_LOCAL] : at[IFA_ADDRESS];
	if (!local || !load_addr(i->ifa_family, local, &a.addr) || i->ifa_prefixlen > (v4 ? 32 : 128))
		return -EINVAL;
	a.plen = i->ifa_prefixlen;
	a.scope = i->ifa_scope;
	if (at[IFA_BROADCAST] && !load_addr(i->ifa_family, at[IFA_BROADCAST], &a.broadcast))
		return -EINVAL;
	if (at[IFA_LABEL])
		memcpy(a.label, nl_data(at[IFA_LABEL]), min(nl_len(at[IFA_LABEL]), sizeof(a.label) - 1));
	link.dev = dev;
	link.plen = a.plen;
	link.src = a.addr;
	link.dst = a.addr;
	for (unsigned b = a.plen; b < (v4 ? 32u : 128u); b++)
		link.dst.b[(v4 ? 12 : 0) + b / 8] &= (u8) ~(0x80 >> b % 8);
	link.gateway = v4 ? addr_v4(0) : NET_ADDR_ANY;
	if (r->nlh->nlmsg_type == RTM_DELADDR) {
		err = if_addr_del(dev, &a.addr, a.plen);
		if (!err)
			route_del(net, &link);
	} else {
		err = if_addr_add(dev, &a);
		if (err == -EEXIST && (r->nlh->nlmsg_flags & NLM_F_REPLACE))
			err = 0;
		if (!err && !(dev->flags & IFF_LOOPBACK))
			route_add(net, &link, true);
	}
	if (!err) {
		net_enter();
		rtnl_notify_addr(dev, &a, r->nlh->nlmsg_type != RTM_DELADDR);
		net_leave();
	}
	return err;
}

static bool fill_route(struct nl_msg *m, const struct route *rt, u32 portid, u32 seq, u16 flags, u16 type)
{
	bool v4 = addr_is_v4(&rt->dst);
	struct rtmsg *t = nl_begin(m, portid, seq, type, flags, sizeof(*t));
	size_t n = v4 ? 4 : 16;

	t->rtm_family = v4 ? AF_INET : AF_INET6;
	t->rtm_dst_len = rt->plen;
	t->rtm_table = RT_TABLE_MAIN;
	t->rtm_protocol = rt->protocol;
	t->rtm_scope = rt->scope;
	t->rtm_type = rt->type;
	nl_attr_u32(m, RTA_TABLE, RT_TABLE_MAIN);
	if (rt->plen)
		nl_attr(m, RTA_DST, addr_bytes(&rt->dst), n);
	if (!addr_is_any(&rt->gateway))
		nl_attr(m, RTA_GATEWAY, addr_bytes(&rt->gateway), n);
	if (!addr_is_any(&rt->src))
		nl_attr(m, RTA_PREFSRC, addr_bytes(&rt->src), n);
	if (rt->metric)
		nl_attr_u32(m, RTA_PRIORITY, rt->metric);
	if (rt->dev)
		nl_attr_u32(m, RTA_OIF, rt->dev->index);
	if (rt->mtu) {
		size_t at = nl_nest(m, RTA_METRICS);

		nl_attr_u32(m, RTAX_MTU, rt->mtu);
		nl_nest_end(m, at);
	}
	return nl_end(m);
}

/* What the table does not hold but `ip route show table local` expects. */
static bool fill_local(struct nl_msg *m, struct netdev *dev, const struct if_addr *a, struct nl_request *r)
{
	bool v4 = addr_is_v4(&a->addr);
	struct rtmsg *t =
		nl_begin(m, r->portid, r->nlh->nlmsg_seq, RTM_NEWROUTE, r->answer_flags, sizeof(*t));

	t->rtm_family = v4 ? AF_INET : AF_INET6;
	t->rtm_dst_len = v4 ? 32 : 128;
	t->rtm_table = RT_TABLE_LOCAL;
	t->rtm_protocol = RTPROT_KERNEL;
	t->rtm_scope = RT_SCOPE_HOST;
	t->rtm_type = RTN_LOCAL;
	nl_attr_u32(m, RTA_TABLE, RT_TABLE_LOCAL);
	nl_attr(m, RTA_DST, addr_bytes(&a->addr), v4 ? 4 : 16);
	nl_attr(m, RTA_PREFSRC, addr_bytes(&a->addr), v4 ? 4 : 16);
	nl_attr_u32(m, RTA_OIF, dev->index);
	return nl_end(m);
}

static int lookup_route(struct nl_request *r, struct nl_msg *m)
{
	const struct rtmsg *t = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	const struct nlattr *at[RTA_MAX + 1];
	struct net_addr dst, src;
	struct route_result res;
	struct rtmsg *o;
	int err;

	if (r->nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*t)) ||
	    nl_parse(t + 1, r->nlh->nlmsg_len - NLMSG_LENGTH(sizeof(*t)), at, RTA_MAX))
		return -EINVAL;
	if (t->rtm_family != AF_INET && t->rtm_family != AF_INET6)
		return -EAFNOSUPPORT;
	src = t->rtm_family == AF_INET ? addr_v4(0) : NET_ADDR_ANY;
	dst = src;
	if ((at[RTA_DST] && !load_addr(t->rtm_family, at[RTA_DST], &dst)) ||
	    (at[RTA_SRC] && !load_addr(t->rtm_family, at[RTA_SRC], &src)))
		return -EINVAL;
	err = route_lookup(r->sk->s.net, &dst, &src, at[RTA_OIF] ? load_u32(at[RTA_OIF]) : 0, &res);
	if (err)
		return err;
	o = nl_begin(m, r->portid, r->nlh->nlmsg_seq, RTM_NEWROUTE, 0, sizeof(*o));
	o->rtm_family = t->rtm_family;
	o->rtm_dst_len = t->rtm_family == AF_INET ? 32 : 128;
	o->rtm_table = RT_TABLE_MAIN;
	o->rtm_type = res.type;
	o->rtm_flags = RTM_F_CLONED;
	nl_attr_u32(m, RTA_TABLE, RT_TABLE_MAIN);
	nl_attr(m, RTA_DST, addr_bytes(&dst), addr_len(t->rtm_family));
	nl_attr_u32(m, RTA_OIF, res.dev->index);
	nl_attr(m, RTA_PREFSRC, addr_bytes(&res.src), addr_len(t->rtm_family));
	if (res.gateway)
		nl_attr(m, RTA_GATEWAY, addr_bytes(&res.nexthop), addr_len(t->rtm_family));
	return nl_end(m) ? 0 : -EMSGSIZE;
}

static int get_route(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	struct net_stack *net = r->sk->s.net;
	u64 n = 0;

	if (!r->dump)
		return lookup_route(r, m);
	for (unsigned f = 0; f < 2; f++) {
		if (r->family && r->family != (f ? AF_INET6 : AF_INET))
			continue;
		for (struct route *rt = rcu_dereference(net->routes[f]); rt; rt = rcu_dereference(rt->next)) {
			if (n++ < *cursor)
				continue;
			if (!fill_route(m, rt, r->portid, r->nlh->nlmsg_seq, r->answer_flags, RTM_NEWROUTE))
				return 1;
			*cursor = n;
		}
	}
	for (u32 i = 1; i <= NET_MAX_DEVS; i++) {
		struct netdev *dev = net_device_by_index(net, i);

		if (!dev)
			break;
		for (struct if_addr *a = rcu_dereference(net_if(dev)->addrs); a;
		     a = rcu_dereference(a->next)) {
			if ((r->family && r->family != (addr_is_v4(&a->addr) ? AF_INET : AF_INET6)) ||
			    n++ < *cursor)
				continue;
			if (!fill_local(m, dev, a, r))
				return 1;
			*cursor = n;
		}
	}
	return 0;
}

static int change_route(struct nl_request *r)
{
	const struct rtmsg *t = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	struct net_stack *net = r->sk->s.net;
	const struct nlattr *at[RTA_MAX + 1], *mx[RTAX_MAX + 1];
	struct route rt = {};
	struct route_result via;
	bool v4, del = r->nlh->nlmsg_type == RTM_DELROUTE;
	int err;

	if (r->nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*t)) ||
	    nl_parse(t + 1, r->nlh->nlmsg_len - NLMSG_LENGTH(sizeof(*t)), at, RTA_MAX))
		return -EINVAL;
	v4 = t->rtm_family == AF_INET;
	if (!v4 && (t->rtm_family != AF_INET6 || !net->ip6))
		return -EAFNOSUPPORT;
	if (t->rtm_dst_len > (v4 ? 32 : 128))
		return -EINVAL;
	rt.dst = rt.gateway = rt.src = v4 ? addr_v4(0) : NET_ADDR_ANY;
	rt.plen = t->rtm_dst_len;
	rt.type = t->rtm_type ? t->rtm_type : RTN_UNICAST;
	rt.protocol = t->rtm_protocol;
	rt.scope = t->rtm_scope;
	if ((at[RTA_DST] && !load_addr(t->rtm_family, at[RTA_DST], &rt.dst)) ||
	    (at[RTA_GATEWAY] && !load_addr(t->rtm_family, at[RTA_GATEWAY], &rt.gateway)) ||
	    (at[RTA_PREFSRC] && !load_addr(t->rtm_family, at[RTA_PREFSRC], &rt.src)))
		return -EINVAL;
	if (at[RTA_PRIORITY])
		rt.metric = load_u32(at[RTA_PRIORITY]);
	if (at[RTA_METRICS] && !nl_parse(nl_data(at[RTA_METRICS]), nl_len(at[RTA_METRICS]), mx, RTAX_MAX) &&
	    mx[RTAX_MTU])
		rt.mtu = load_u32(mx[RTAX_MTU]);
	if (at[RTA_OIF]) {
		rt.dev = net_device_by_index(net, load_u32(at[RTA_OIF]));
		if (!rt.dev)
			return -ENODEV;
	}
	if (!rt.dev && rt.type == RTN_UNICAST && !del) {
		struct net_addr any = v4 ? addr_v4(0) : NET_ADDR_ANY;

		if (addr_is_any(&rt.gateway) || route_lookup(net, &rt.gateway, &any, 0, &via))
			return -ENETUNREACH;
		rt.dev = via.dev;
	}
	if (del)
		err = route_del(net, &rt);
	else
		err = route_add(net, &rt, r->nlh->nlmsg_flags & NLM_F_REPLACE);
	if (!err) {
		net_enter();
		rtnl_notify_route(net, &rt, !del);
		net_leave();
	}
	return err;
}

struct neigh_walk {
	struct nl_request *r;
	struct nl_msg *m;
	u64 n, *cursor;
	bool full;
};

static bool fill_neigh(const struct neigh_info *i, void *arg)
{
	struct neigh_walk *w = arg;
	bool v4 = addr_is_v4(&i->addr);
	struct ndmsg *d;

	if ((w->r->family && w->r->family != (v4 ? AF_INET : AF_INET6)) || w->n++ < *w->cursor)
		return true;
	d = nl_begin(w->m, w->r->portid, w->r->nlh->nlmsg_seq, RTM_NEWNEIGH, w->r->answer_flags, sizeof(*d));
	d->ndm_family = v4 ? AF_INET : AF_INET6;
	d->ndm_ifindex = (int)i->dev->index;
	d->ndm_state = i->state;
	d->ndm_type = RTN_UNICAST;
	nl_attr(w->m, NDA_DST, addr_bytes(&i->addr), v4 ? 4 : 16);
	if (!(i->state & (NUD_INCOMPLETE | NUD_FAILED)))
		nl_attr(w->m, NDA_LLADDR, i->mac, 6);
	w->full = !nl_end(w->m);
	if (!w->full)
		*w->cursor = w->n;
	return !w->full;
}

static int get_neigh(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	struct neigh_walk w = {.r = r, .m = m, .cursor = cursor};

	if (!r->dump)
		return -EOPNOTSUPP;
	neigh_for_each(r->sk->s.net, fill_neigh, &w);
	return w.full;
}

static int change_neigh(struct nl_request *r)
{
	const struct ndmsg *d = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	const struct nlattr *at[NDA_MAX + 1];
	struct net_addr addr;
	struct netdev *dev;

	if (r->nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*d)) ||
	    nl_parse(d + 1, r->nlh->nlmsg_len - NLMSG_LENGTH(sizeof(*d)), at, NDA_MAX))
		return -EINVAL;
	if (d->ndm_family != AF_INET && d->ndm_family != AF_INET6)
		return -EAFNOSUPPORT;
	dev = net_device_by_index(r->sk->s.net, (u32)d->ndm_ifindex);
	if (!dev)
		return -ENODEV;
	if (!at[NDA_DST] || !load_addr(d->ndm_family, at[NDA_DST], &addr))
		return -EINVAL;
	if (r->nlh->nlmsg_type == RTM_DELNEIGH)
		return neigh_remove(dev, &addr);
	if (!at[NDA_LLADDR] || nl_len(at[NDA_LLADDR]) < 6)
		return -EINVAL;
	return neigh_set(dev, &addr, nl_data(at[NDA_LLADDR]), d->ndm_state ? d->ndm_state : NUD_PERMANENT);
}

static int change_link(struct nl_request *r)
{
	const struct ifinfomsg *i = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	struct net_stack *net = r->sk->s.net;
	const struct nlattr *at[IFLA_MAX_ + 1];
	struct netdev *dev;
	int err = 0;

	if (r->nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*i)) ||
	    nl_parse(i + 1, r->nlh->nlmsg_len - NLMSG_LENGTH(sizeof(*i)), at, IFLA_MAX_))
		return -EINVAL;
	dev = net_device_by_index(net, (u32)i->ifi_index);
	if (!dev && at[IFLA_IFNAME]) {
		char name[IFNAMSIZ] = "";

		memcpy(name, nl_data(at[IFLA_IFNAME]), min(nl_len(at[IFLA_IFNAME]), sizeof(name) - 1));
		dev = net_device_find(net, name);
	}
	if (!dev)
		return r->nlh->nlmsg_flags & NLM_F_CREATE ? -EOPNOTSUPP : -ENODEV;
	if (at[IFLA_MTU]) {
		u32 mtu = load_u32(at[IFLA_MTU]);

		if (mtu < IP_MIN_MTU || mtu > 65536)
			return -EINVAL;
		dev->mtu = mtu;
		route_changed(net);
	}
	if (at[IFLA_TXQLEN])
		net_if(dev)->txqlen = load_u32(at[IFLA_TXQLEN]);
	if (i->ifi_change & IFF_UP)
		err = net_device_up(dev, i->ifi_flags & IFF_UP);
	else if (!i->ifi_change && i->ifi_flags)
		err = net_device_up(dev, i->ifi_flags & IFF_UP);
	if (!err) {
		net_enter();
		rtnl_notify_link(dev);
		net_leave();
	}
	return err;
}

int rtnl_request(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	if (r->nlh->nlmsg_len >= NLMSG_LENGTH(1))
		r->family = *(u8 *)NLMSG_DATA((struct nlmsghdr *)r->nlh);
	switch (r->nlh->nlmsg_type) {
	case RTM_GETLINK:
		return get_link(r, m, cursor);
	case RTM_GETADDR:
		return get_addr(r, m, cursor);
	case RTM_GETROUTE:
		return get_route(r, m, cursor);
	case RTM_GETNEIGH:
		return get_neigh(r, m, cursor);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return change_addr(r);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return change_route(r);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return change_neigh(r);
	case RTM_NEWLINK:
	case RTM_SETLINK:
		return change_link(r);
	case RTM_GETRULE:
	case RTM_GETQDISC:
	case RTM_GETNEIGHTBL:
	case RTM_GETNETCONF:
	case RTM_GETADDRLABEL:
	case RTM_GETMULTICAST:
	case RTM_GETANYCAST:
	case RTM_GETNEXTHOP:
		return r->dump ? 0 : -EOPNOTSUPP;
	}
	return -EOPNOTSUPP;
}

void rtnl_notify_link(struct netdev *dev)
{
	struct nl_msg m;

	if (!netlink_has_listeners(RTNLGRP_LINK) || !nl_alloc(&m, 2048))
		return;
	fill_link(&m, dev, 0, 0, 0, RTM_NEWLINK);
	netlink_broadcast(net_if(dev)->net, &m, RTNLGRP_LINK);
}

void rtnl_notify_addr(struct netdev *dev, const struct if_addr *a, bool added)
{
	unsigned group = addr_is_v4(&a->addr) ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR;
	struct nl_msg m;

	if (!netlink_has_listeners(group) || !nl_alloc(&m, 512))
		return;
	fill_addr(&m, dev, a, 0, 0, 0, added ? RTM_NEWADDR : RTM_DELADDR);
	netlink_broadcast(net_if(dev)->net, &m, group);
}

void rtnl_notify_route(struct net_stack *net, const void *route, bool added)
{
	const struct route *rt = route;
	unsigned group = addr_is_v4(&rt->dst) ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE;
	struct nl_msg m;

	if (!netlink_has_listeners(group) || !nl_alloc(&m, 512))
		return;
	fill_route(&m, rt, 0, 0, 0, added ? RTM_NEWROUTE : RTM_DELROUTE);
	netlink_broadcast(net, &m, group);
}
