/* SPDX-License-Identifier: BSD-2-Clause */
/* Routes and rules: RTM_GETROUTE, RTM_NEWROUTE, RTM_DELROUTE, RTM_GETRULE. There is one table, main; what the
 * table local would hold follows from the addresses, and the rules are the three that every system begins
 * with. */
#include "rtnl.h"
#include <linux/fib_rules.h>

static bool fill_route(struct nl_msg *m, const struct route *rt, const struct rtnl_to *to)
{
	struct rtmsg *t = rtnl_begin(m, to, sizeof(*t));

	t->rtm_family = rtnl_family(&rt->dst);
	t->rtm_dst_len = rt->plen;
	t->rtm_table = RT_TABLE_MAIN;
	t->rtm_protocol = rt->protocol;
	t->rtm_scope = rt->scope;
	t->rtm_type = rt->type;
	if (rt->dev && !rt->dev->link_up)
		t->rtm_flags |= RTNH_F_LINKDOWN;
	nl_attr_u32(m, RTA_TABLE, RT_TABLE_MAIN);
	if (rt->plen)
		rtnl_put_addr(m, RTA_DST, &rt->dst);
	if (!addr_is_any(&rt->gateway))
		rtnl_put_addr(m, RTA_GATEWAY, &rt->gateway);
	if (!addr_is_any(&rt->src))
		rtnl_put_addr(m, RTA_PREFSRC, &rt->src);
	if (rt->metric)
		nl_attr_u32(m, RTA_PRIORITY, rt->metric);
	if (rt->dev)
		nl_attr_u32(m, RTA_OIF, rt->dev->index);
	if (rt->mtu) {
		size_t at = nl_nest(m, RTA_METRICS);

		nl_attr_u32(m, RTAX_MTU, rt->mtu);
		nl_nest_end(m, at);
	}
	if (!addr_is_v4(&rt->dst))
		nl_attr_u8(m, RTA_PREF, 0);
	return nl_end(m);
}

/* A route of the table local: DST, PLEN bits, is this host's own or a broadcast address. */
static bool fill_local(struct nl_msg *m, struct netdev *dev, const struct net_addr *dst, u8 plen, u8 type,
		       const struct net_addr *src, const struct rtnl_to *to)
{
	bool v4 = addr_is_v4(dst);
	struct rtmsg *t = rtnl_begin(m, to, sizeof(*t));

	t->rtm_family = rtnl_family(dst);
	t->rtm_dst_len = plen;
	t->rtm_table = RT_TABLE_LOCAL;
	t->rtm_protocol = RTPROT_KERNEL;
	t->rtm_scope = !v4 ? RT_SCOPE_UNIVERSE : type == RTN_BROADCAST ? RT_SCOPE_LINK : RT_SCOPE_HOST;
	t->rtm_type = type;
	nl_attr_u32(m, RTA_TABLE, RT_TABLE_LOCAL);
	rtnl_put_addr(m, RTA_DST, dst);
	if (v4)
		rtnl_put_addr(m, RTA_PREFSRC, src);
	nl_attr_u32(m, RTA_OIF, dev->index);
	return nl_end(m);
}

static int lookup_route(struct nl_request *r, struct nl_msg *m)
{
	const struct rtmsg *t = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	struct rtnl_to to = rtnl_answer(r, RTM_NEWROUTE);
	const struct nlattr *at[RTA_MAX + 1];
	struct net_addr dst, src;
	struct route_result res;
	u32 oif, table = RT_TABLE_MAIN;
	struct rtmsg *o;
	int err = rtnl_parse(r, sizeof(*t), at, RTA_MAX);

	if (err)
		return err;
	if (t->rtm_family != AF_INET && t->rtm_family != AF_INET6)
		return -EAFNOSUPPORT;
	src = t->rtm_family == AF_INET ? addr_v4(0) : NET_ADDR_ANY;
	dst = src;
	if ((at[RTA_DST] && !rtnl_load_addr(t->rtm_family, at[RTA_DST], &dst)) ||
	    (at[RTA_SRC] && !rtnl_load_addr(t->rtm_family, at[RTA_SRC], &src)))
		return nl_refuse(r, -EINVAL, "Invalid address");
	oif = at[RTA_OIF] ? rtnl_load_u32(at[RTA_OIF]) : 0;
	if (!addr_is_any(&src) && !net_addr_is_local(r->sk->s.net, &src, NULL))
		return -EINVAL;
	err = route_lookup(r->sk->s.net, &dst, &src, oif, &res);
	if (err)
		return err;
	if ((t->rtm_flags & RTM_F_LOOKUP_TABLE) && (res.type == RTN_LOCAL || res.type == RTN_BROADCAST))
		table = RT_TABLE_LOCAL;
	o = rtnl_begin(m, &to, sizeof(*o));
	o->rtm_family = t->rtm_family;
	o->rtm_dst_len = t->rtm_family == AF_INET ? 32 : 128;
	o->rtm_table = (u8)table;
	o->rtm_type = res.type;
	o->rtm_flags = RTM_F_CLONED;
	nl_attr_u32(m, RTA_TABLE, table);
	rtnl_put_addr(m, RTA_DST, &dst);
	nl_attr_u32(m, RTA_OIF, res.dev->index);
	rtnl_put_addr(m, RTA_PREFSRC, &src);
	if (res.gateway)
		rtnl_put_addr(m, RTA_GATEWAY, &res.nexthop);
	nl_attr_u32(m, RTA_UID, 0);
	return nl_end(m) ? 0 : -EMSGSIZE;
}

/* What a dump is limited to, for callers that check strictly. */
struct route_filter {
	u32 table, oif;
	u8 protocol, type;
};

static int load_filter(struct nl_request *r, struct route_filter *f)
{
	const struct rtmsg *t = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	const struct nlattr *at[RTA_MAX + 1];
	int err;

	if (!r->sk->strict)
		return 0;
	err = rtnl_parse(r, sizeof(*t), at, RTA_MAX);
	if (err)
		return err;
	if (t->rtm_dst_len || t->rtm_src_len || t->rtm_tos || t->rtm_scope)
		return nl_refuse(r, -EINVAL, "Invalid values in header for FIB dump request");
	f->table = at[RTA_TABLE] ? rtnl_load_u32(at[RTA_TABLE]) : t->rtm_table;
	f->oif = at[RTA_OIF] ? rtnl_load_u32(at[RTA_OIF]) : 0;
	f->protocol = t->rtm_protocol;
	f->type = t->rtm_type;
	if (f->oif && !net_device_by_index(r->sk->s.net, f->oif))
		return -ENODEV;
	return f->table && f->table != RT_TABLE_MAIN && f->table != RT_TABLE_LOCAL
		       ? nl_refuse(r, -ENOENT, "FIB table does not exist")
		       : 0;
}

static bool passes(const struct route_filter *f, u32 table, const struct netdev *dev, u8 protocol, u8 type)
{
	return (!f->table || f->table == table) && (!f->oif || (dev && dev->index == f->oif)) &&
	       (!f->protocol || f->protocol == protocol) && (!f->type || f->type == type);
}

/* The routes of the table local that ADDRESS of DEV makes, the Nth of them: false when there are not so many.
 */
static bool local_route(const struct netdev *dev, const struct if_addr *a, unsigned n, struct net_addr *dst,
			u8 *plen, u8 *type)
{
	bool v4 = addr_is_v4(&a->addr), lo = dev->flags & IFF_LOOPBACK;

	*dst = a->addr;
	*plen = v4 ? 32 : 128;
	*type = RTN_LOCAL;
	if (n == 0)
		return true;
	if (!v4 || n > 1)
		return false;
	if (lo) { /* all of 127/8 */
		*dst = addr_v4(a->addr.w[3] & ip4_mask(a->plen));
		*plen = a->plen;
		return a->plen < 32;
	}
	*dst = a->broadcast;
	*type = RTN_BROADCAST;
	return !addr_is_any(&a->broadcast) && a->plen < 31;
}

static int dump_local(struct nl_request *r, struct nl_msg *m, const struct route_filter *f, u64 *n,
		      u64 *cursor)
{
	struct rtnl_to to = rtnl_answer(r, RTM_NEWROUTE);
	struct net_addr dst;
	u8 plen, type;

	for (u32 i = 1; i <= NET_MAX_DEVS; i++) {
		struct netdev *dev = net_device_by_index(r->sk->s.net, i);

		if (!dev)
			break;
		for (struct if_addr *a = rcu_dereference(net_if(dev)->addrs); a;
		     a = rcu_dereference(a->next)) {
			if ((r->family && r->family != rtnl_family(&a->addr)) || !(dev->flags & IFF_UP))
				continue;
			for (unsigned k = 0; local_route(dev, a, k, &dst, &plen, &type); k++) {
				if (!passes(f, RT_TABLE_LOCAL, dev, RTPROT_KERNEL, type) || (*n)++ < *cursor)
					continue;
				if (!fill_local(m, dev, &dst, plen, type, &a->addr, &to))
					return 1;
				*cursor = *n;
			}
		}
	}
	return 0;
}

int rtnl_get_route(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	struct rtnl_to to = rtnl_answer(r, RTM_NEWROUTE);
	struct net_stack *net = r->sk->s.net;
	struct route_filter f = {};
	u64 n = 0;
	int err;

	if (!r->dump)
		return lookup_route(r, m);
	err = load_filter(r, &f);
	if (err)
		return err;
	for (unsigned k = 0; k < 3; k++) { /* IPv4's default routes first, then its others, then IPv6's */
		if (r->family && r->family != (k == 2 ? AF_INET6 : AF_INET))
			continue;
		for (struct route *rt = rcu_dereference(net->routes[k == 2]); rt;
		     rt = rcu_dereference(rt->next)) {
			if ((k < 2 && !rt->plen != !k) ||
			    !passes(&f, RT_TABLE_MAIN, rt->dev, rt->protocol, rt->type) ||
			    (rt->dev && !(rt->dev->flags & IFF_UP)) || n++ < *cursor)
				continue;
			if (!fill_route(m, rt, &to))
				return 1;
			*cursor = n;
		}
	}
	return dump_local(r, m, &f, &n, cursor);
}

/* The interface that leads to RT's gateway, unless the caller knows better (onlink). */
static int resolve_nexthop(struct nl_request *r, struct route *rt, u32 flags)
{
	struct net_stack *net = r->sk->s.net;
	struct net_addr any = addr_is_v4(&rt->dst) ? addr_v4(0) : NET_ADDR_ANY;
	struct route_result via;

	if (addr_is_any(&rt->gateway))
		return rt->dev ? 0 : nl_refuse(r, -ENODEV, "Nexthop device required");
	if (rt->dev && !(rt->dev->flags & IFF_UP))
		return nl_refuse(r, -ENETDOWN, "Nexthop device is not up");
	if (flags & RTNH_F_ONLINK)
		return rt->dev ? 0 : nl_refuse(r, -ENODEV, "Nexthop device required for onlink");
	if (route_lookup(net, &rt->gateway, &any, rt->dev ? rt->dev->index : 0, &via) ||
	    via.type != RTN_UNICAST || via.gateway)
		return nl_refuse(r, -ENETUNREACH, "Nexthop has invalid gateway");
	rt->dev = via.dev;
	return 0;
}

static int load_route(struct nl_request *r, const struct rtmsg *t, const struct nlattr **at, struct route *rt)
{
	u32 table = at[RTA_TABLE] ? rtnl_load_u32(at[RTA_TABLE]) : t->rtm_table;
	bool v4 = t->rtm_family == AF_INET;
	const struct nlattr *mx[RTAX_MAX + 1];

	if (t->rtm_dst_len > (v4 ? 32 : 128))
		return nl_refuse(r, -EINVAL, "Invalid prefix length");
	if (table != RT_TABLE_UNSPEC && table != RT_TABLE_MAIN)
		return nl_refuse(r, -EOPNOTSUPP, "The main table is the only one");
	if (at[RTA_MULTIPATH] || at[RTA_VIA] || at[RTA_ENCAP] || at[RTA_NH_ID])
		return nl_refuse(r, -EOPNOTSUPP, "A route has one next hop of its own family");
	rt->dst = rt->gateway = rt->src = v4 ? addr_v4(0) : NET_ADDR_ANY;
	rt->plen = t->rtm_dst_len;
	rt->type = t->rtm_type ? t->rtm_type : RTN_UNICAST;
	rt->protocol = t->rtm_protocol;
	rt->scope = v4 ? t->rtm_scope : RT_SCOPE_UNIVERSE;
	rt->metric = at[RTA_PRIORITY] ? rtnl_load_u32(at[RTA_PRIORITY]) : 0;
	if (!v4 && !rt->metric && r->nlh->nlmsg_type == RTM_NEWROUTE)
		rt->metric = 1024;
	if ((at[RTA_DST] && !rtnl_load_addr(t->rtm_family, at[RTA_DST], &rt->dst)) ||
	    (at[RTA_GATEWAY] && !rtnl_load_addr(t->rtm_family, at[RTA_GATEWAY], &rt->gateway)) ||
	    (at[RTA_PREFSRC] && !rtnl_load_addr(t->rtm_family, at[RTA_PREFSRC], &rt->src)))
		return nl_refuse(r, -EINVAL, "Invalid address");
	if (v4 && rt->dst.w[3] & ~ip4_mask(rt->plen))
		return nl_refuse(r, -EINVAL, "Invalid prefix for given prefix length");
	if (at[RTA_METRICS] && !nl_parse(nl_data(at[RTA_METRICS]), nl_len(at[RTA_METRICS]), mx, RTAX_MAX) &&
	    mx[RTAX_MTU])
		rt->mtu = rtnl_load_u32(mx[RTAX_MTU]);
	if (at[RTA_OIF]) {
		rt->dev = net_device_by_index(r->sk->s.net, rtnl_load_u32(at[RTA_OIF]));
		if (!rt->dev)
			return nl_refuse(r, -ENODEV, "Device not found");
	}
	return 0;
}

/* The route that route_del() would take away; *RT becomes it, to be told of. */
static int remove(struct net_stack *net, struct route *rt)
{
	struct route *o;

	net_enter();
	for (o = rcu_dereference(net->routes[addr_is_v4(&rt->dst) ? 0 : 1]); o; o = rcu_dereference(o->next))
		if (o->plen == rt->plen && addr_equal(&o->dst, &rt->dst) && (!rt->dev || rt->dev == o->dev) &&
		    (!rt->metric || rt->metric == o->metric) &&
		    (addr_is_any(&rt->gateway) || addr_equal(&rt->gateway, &o->gateway)) &&
		    (!rt->protocol || rt->protocol == o->protocol)) {
			*rt = *o;
			break;
		}
	net_leave();
	return o ? route_del(net, rt) : -ESRCH;
}

static bool exists(struct net_stack *net, const struct route *rt)
{
	bool found = false;

	for (struct route *o = rcu_dereference(net->routes[addr_is_v4(&rt->dst) ? 0 : 1]); o && !found;
	     o = rcu_dereference(o->next))
		found = o->plen == rt->plen && o->metric == rt->metric && addr_equal(&o->dst, &rt->dst);
	return found;
}

static int add(struct nl_request *r, struct route *rt, u32 flags)
{
	u16 how = r->nlh->nlmsg_flags;
	int err = 0;

	if (rt->type == RTN_UNICAST)
		err = resolve_nexthop(r, rt, flags);
	else
		rt->dev = NULL;
	if (err)
		return err;
	if (!addr_is_any(&rt->src) && !net_addr_is_local(r->sk->s.net, &rt->src, NULL))
		return nl_refuse(r, -EINVAL, "Invalid prefsrc address");
	if (!(how & NLM_F_CREATE) && !exists(r->sk->s.net, rt))
		return -ENOENT;
	return route_add(r->sk->s.net, rt, how & NLM_F_REPLACE);
}

int rtnl_change_route(struct nl_request *r)
{
	const struct rtmsg *t = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	bool del = r->nlh->nlmsg_type == RTM_DELROUTE;
	struct net_stack *net = r->sk->s.net;
	const struct nlattr *at[RTA_MAX + 1];
	struct route rt = {};
	int err = rtnl_parse(r, sizeof(*t), at, RTA_MAX);

	if (err)
		return err;
	if (t->rtm_family != AF_INET && (t->rtm_family != AF_INET6 || !net->ip6))
		return -EAFNOSUPPORT;
	err = load_route(r, t, at, &rt);
	if (!err)
		err = del ? remove(net, &rt) : add(r, &rt, t->rtm_flags);
	if (!err) {
		net_enter();
		rtnl_notify_route(net, &rt, !del);
		net_leave();
	}
	return err;
}

void rtnl_notify_route(struct net_stack *net, const void *route, bool added)
{
	const struct route *rt = route;
	unsigned group = addr_is_v4(&rt->dst) ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE;
	struct rtnl_to to = {.type = added ? RTM_NEWROUTE : RTM_DELROUTE};
	struct nl_msg m;

	if (!netlink_has_listeners(group) || !nl_alloc(&m, 512))
		return;
	fill_route(&m, rt, &to);
	netlink_broadcast(net, &m, group);
}

int rtnl_get_rule(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	static const struct {
		u32 priority, table;
		bool v6;
	} rules[] = {
		{0, RT_TABLE_LOCAL, true}, {32766, RT_TABLE_MAIN, true}, {32767, RT_TABLE_DEFAULT, false}};
	struct rtnl_to to = rtnl_answer(r, RTM_NEWRULE);
	u64 n = 0;

	if (!r->dump)
		return -EOPNOTSUPP;
	for (unsigned k = 0; k < 2; k++) {
		u8 family = k ? AF_INET6 : AF_INET;

		if ((r->family && r->family != family) || (k && !r->sk->s.net->ip6))
			continue;
		for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
			struct fib_rule_hdr *h;

			if ((k && !rules[i].v6) || n++ < *cursor)
				continue;
			h = rtnl_begin(m, &to, sizeof(*h));
			h->family = family;
			h->table = (u8)rules[i].table;
			h->action = FR_ACT_TO_TBL;
			nl_attr_u32(m, FRA_TABLE, rules[i].table);
			nl_attr_u32(m, FRA_SUPPRESS_PREFIXLEN, ~0u);
			nl_attr_u8(m, FRA_PROTOCOL, RTPROT_KERNEL);
			if (rules[i].priority)
				nl_attr_u32(m, FRA_PRIORITY, rules[i].priority);
			if (!nl_end(m))
				return 1;
			*cursor = n;
		}
	}
	return 0;
}
