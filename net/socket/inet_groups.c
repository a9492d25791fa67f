/* SPDX-License-Identifier: BSD-2-Clause */
/* Membership of multicast groups and its source filters (RFC 3376 2, 3678; ip(7), ipv6(7)): the options that
 * join, leave, block and list. A change makes a new filter, tells the interface of all that it asks for, and
 * only then withdraws what the old one did: what both want never stops. */
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

/* Room for N sources, of which the first HAVE are there. */
static struct inet_filter *filter_new(u32 mode, unsigned n, const struct net_addr *addr, unsigned have)
{
	struct inet_filter *f = kmalloc(sizeof(*f) + n * sizeof(*addr));

	if (f) {
		f->mode = (u8)mode;
		f->n = (u8)n;
		if (have)
			memcpy(f->addr, addr, have * sizeof(*addr));
	}
	return f;
}

/* Withdraw what F asks DEV for, of its sources the first N. */
static void filter_leave(struct netdev *dev, const struct net_addr *group, const struct inet_filter *f,
			 unsigned n)
{
	if (f->mode == MCAST_EXCLUDE)
		if_group_leave(dev, group, NULL);
	for (unsigned k = 0; f->mode == MCAST_INCLUDE && k < n; k++)
		if_group_leave(dev, group, &f->addr[k]);
}

static int filter_join(struct netdev *dev, const struct net_addr *group, const struct inet_filter *f)
{
	int err = 0;

	if (f->mode == MCAST_EXCLUDE)
		return if_group_join(dev, group, NULL);
	for (unsigned k = 0; k < f->n && !err; k++) {
		err = if_group_join(dev, group, &f->addr[k]);
		if (err)
			filter_leave(dev, group, f, k);
	}
	return err;
}

/* M has filter F, which is taken over (NULL: no memory), from now on. */
static int set_filter(struct inet_sock *i, struct inet_member *m, struct inet_filter *f)
{
	struct netdev *dev = net_device_by_index(i->s.net, m->ifindex);
	struct inet_filter *old = m->filter;
	int err;

	if (!f)
		return -ENOBUFS;
	err = filter_join(dev, &m->group, f);
	if (err) {
		kfree(f);
		return err;
	}
	rcu_assign_pointer(m->filter, f);
	filter_leave(dev, &m->group, old, old->n);
	rcu_call(&old->rcu, rcu_kfree);
	return 0;
}

static void free_member(struct inet_sock *i, struct inet_member **at)
{
	struct inet_member *m = *at;

	rcu_assign_pointer(*at, m->next);
	filter_leave(net_device_by_index(i->s.net, m->ifindex), &m->group, m->filter, m->filter->n);
	rcu_call(&m->filter->rcu, rcu_kfree);
	rcu_call(&m->rcu, rcu_kfree);
}

/* *AT takes (MODE is INCLUDE) or refuses SOURCE as well, or (ON is not set) no longer. */
static int change_source(struct inet_sock *i, struct inet_member **at, u8 mode, const struct net_addr *source,
			 bool on)
{
	struct inet_filter *f = (*at)->filter, *next;
	unsigned k = 0;

	if (f->mode != mode && (f->n || mode == MCAST_EXCLUDE))
		return -EINVAL;
	if (on && f->n >= (addr_is_v4(source) ? INET_FILTER_V4 : INET_FILTER_V6))
		return -ENOBUFS;
	while (k < f->n && !addr_equal(&f->addr[k], source))
		k++;
	if (on == (k < f->n))
		return -EADDRNOTAVAIL;
	if (on) {
		next = filter_new(mode, f->n + 1u, f->addr, f->n);
		if (next)
			next->addr[k] = *source;
		return set_filter(i, *at, next);
	}
	if (mode == MCAST_INCLUDE && f->n == 1) {
		free_member(i, at);
		return 0;
	}
	next = filter_new(mode, f->n - 1u, f->addr, f->n - 1u);
	if (next && k < next->n)
		next->addr[k] = f->addr[next->n];
	return set_filter(i, *at, next);
}

static int join(struct inet_sock *i, const struct net_addr *group, u32 ifindex, u32 local,
		const struct net_addr *source)
{
	struct inet_member *m, **at;
	struct netdev *dev;
	int err = -ENOMEM;

	if (!addr_is_multicast(group))
		return -EINVAL;
	dev = group_dev(i, group, ifindex, local);
	if (!dev)
		return -ENODEV;
	at = find_member(i, group, dev->index);
	if (*at)
		return source ? change_source(i, at, MCAST_INCLUDE, source, true) : -EADDRINUSE;
	m = kzalloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->group = *group;
	m->ifindex = dev->index;
	m->filter =
		filter_new(source ? MCAST_INCLUDE : MCAST_EXCLUDE, source != NULL, source, source != NULL);
	if (m->filter)
		err = filter_join(dev, group, m->filter);
	if (err) {
		kfree(m->filter);
		kfree(m);
		return err;
	}
	rcu_assign_pointer(*at, m);
	return 0;
}

static int leave(struct inet_sock *i, const struct net_addr *group, u32 ifindex, u32 local,
		 const struct net_addr *source)
{
	struct netdev *dev = ifindex || local ? group_dev(i, group, ifindex, local) : NULL;
	struct inet_member **at;

	if (!addr_is_multicast(group))
		return -EINVAL;
	if ((ifindex || local) && !dev)
		return -ENODEV;
	at = find_member(i, group, dev ? dev->index : 0);
	if (!*at)
		return source ? -EINVAL : -EADDRNOTAVAIL;
	if (source)
		return change_source(i, at, MCAST_INCLUDE, source, false);
	free_member(i, at);
	return 0;
}

static int block(struct inet_sock *i, const struct net_addr *group, u32 ifindex, u32 local,
		 const struct net_addr *source, bool on)
{
	struct netdev *dev = group_dev(i, group, ifindex, local);
	struct inet_member **at = dev ? find_member(i, group, dev->index) : NULL;

	return at && *at ? change_source(i, at, MCAST_EXCLUDE, source, on) : -EINVAL;
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

/* A whole filter as the application has it: of IP_MSFILTER (`generic` is not set) or MCAST_MSFILTER. */
struct filter_value {
	bool generic, v6, known_family;
	u32 ifindex, local, mode, n;
	struct net_addr group;
	u32 head, step; /* bytes before the first source, and of each */
};

static int parse_filter(bool v6, int opt, const void *val, int len, struct filter_value *v)
{
	const struct group_filter *g = val;
	const struct ip_msfilter *m = val;

	memset(v, 0, sizeof(*v));
	v->v6 = v6;
	v->generic = opt == MCAST_MSFILTER;
	v->head = v->generic ? GROUP_FILTER_SIZE(0) : IP_MSFILTER_SIZE(0);
	v->step = v->generic ? sizeof(g->gf_group) : sizeof(u32);
	if (len < (int)v->head)
		return -EINVAL;
	if (v->generic) {
		v->known_family = sockaddr_group(&g->gf_group, v6, &v->group) || v6;
		v->ifindex = g->gf_interface;
		v->mode = g->gf_fmode;
		v->n = g->gf_numsrc;
	} else {
		v->known_family = true;
		v->group = addr_v4(m->imsf_multiaddr);
		v->local = m->imsf_interface;
		v->mode = m->imsf_fmode;
		v->n = m->imsf_numsrc;
	}
	return 0;
}

static int parse_sources(const struct filter_value *v, const u8 *val, struct inet_filter *f)
{
	for (unsigned k = 0; k < v->n; k++) {
		const void *at = val + v->head + (size_t)k * v->step;

		if (!v->generic)
			f->addr[k] = addr_v4(*(const u32 *)at);
		else if (!sockaddr_group(at, v->v6, &f->addr[k]) && !v->v6)
			return -EADDRNOTAVAIL;
	}
	return 0;
}

static int set_msfilter(struct inet_sock *i, bool v6, int opt, const void *val, int len)
{
	struct filter_value v;
	int err = parse_filter(v6, opt, val, len, &v);
	struct inet_member **at;
	struct inet_filter *f;
	struct netdev *dev;

	if (err)
		return err;
	if (v.n > (v6 ? INET_FILTER_V6 : INET_FILTER_V4))
		return -ENOBUFS;
	if (v.head + v.n * v.step > (u32)len)
		return -EINVAL;
	if (!v.known_family)
		return -EADDRNOTAVAIL;
	if (!addr_is_multicast(&v.group) || (v.mode != MCAST_INCLUDE && v.mode != MCAST_EXCLUDE))
		return -EINVAL;
	dev = group_dev(i, &v.group, v.ifindex, v.local);
	if (!dev)
		return -ENODEV;
	if (v.mode == MCAST_INCLUDE && !v.n)
		return leave(i, &v.group, v6 ? v.ifindex : dev->index, 0, NULL);
	at = find_member(i, &v.group, dev->index);
	if (!*at || (v6 && !v.ifindex)) /* here IPv6 wants the interface's number, as Linux */
		return -EINVAL;
	f = filter_new(v.mode, v.n, NULL, 0);
	err = f ? parse_sources(&v, val, f) : 0;
	if (err) {
		kfree(f);
		return err;
	}
	return set_filter(i, *at, f);
}

/* Tells how many sources there are, and as many of them as the application has room for. */
static int get_msfilter(struct inet_sock *i, bool v6, int opt, u8 *val, int *len)
{
	struct filter_value v;
	int err = parse_filter(v6, opt, val, *len, &v);
	const struct inet_filter *f;
	const struct inet_member *m;
	struct netdev *dev;
	u32 n;

	if (err)
		return err;
	if (!v.known_family || !addr_is_multicast(&v.group))
		return -EINVAL;
	if (!v.generic) {
		dev = group_dev(i, &v.group, 0, v.local);
		if (!dev)
			return -ENODEV;
		v.ifindex = dev->index;
	}
	m = *find_member(i, &v.group, v.ifindex);
	if (!m || m->ifindex != v.ifindex)
		return -EADDRNOTAVAIL;
	f = m->filter;
	n = min(min((u32)f->n, v.n), ((u32)*len - v.head) / v.step);
	if (v.generic) {
		((struct group_filter *)val)->gf_fmode = f->mode;
		((struct group_filter *)val)->gf_numsrc = f->n;
	} else {
		((struct ip_msfilter *)val)->imsf_fmode = f->mode;
		((struct ip_msfilter *)val)->imsf_numsrc = f->n;
	}
	for (u32 k = 0; k < n; k++) {
		void *at = val + v.head + (size_t)k * v.step;

		if (v.generic)
			inet_fill(v6 ? AF_INET6 : AF_INET, &f->addr[k], 0, 0, at);
		else
			*(u32 *)at = f->addr[k].w[3];
	}
	*len = (int)(v.head + n * v.step);
	return 0;
}

int inet_get_filter(struct inet_sock *i, bool v6, int opt, void *val, int *len)
{
	int err;

	socket_lock(&i->s);
	err = get_msfilter(i, v6, opt, val, len);
	socket_unlock(&i->s);
	return err;
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

static int set_group_v6(struct inet_sock *i, bool add, const void *val, int len)
{
	struct net_addr group;
	struct ipv6_mreq r;

	if (i->s.type == SOCK_STREAM)
		return -EPROTO;
	if (len < (int)sizeof(r))
		return -EINVAL;
	memcpy(&r, val, sizeof(r));
	memcpy(&group, &r.ipv6mr_multiaddr, sizeof(group));
	return add ? join(i, &group, (u32)r.ipv6mr_ifindex, 0, NULL)
		   : leave(i, &group, (u32)r.ipv6mr_ifindex, 0, NULL);
}

static int set_group_v4(struct inet_sock *i, bool add, const void *val, int len)
{
	struct ip_mreqn r = {};
	struct net_addr group;

	if (i->s.type == SOCK_STREAM)
		return -EPROTO;
	if (len < (int)sizeof(struct ip_mreq))
		return -EINVAL;
	memcpy(&r, val, len >= (int)sizeof(r) ? sizeof(r) : sizeof(struct ip_mreq));
	group = addr_v4(r.imr_multiaddr.s_addr);
	return add ? join(i, &group, (u32)r.imr_ifindex, r.imr_address.s_addr, NULL)
		   : leave(i, &group, (u32)r.imr_ifindex, r.imr_address.s_addr, NULL);
}

static int set_source_v4(struct inet_sock *i, int opt, const void *val, int len)
{
	struct net_addr group, source;
	struct ip_mreq_source r;

	if (len != (int)sizeof(r))
		return -EINVAL;
	memcpy(&r, val, sizeof(r));
	group = addr_v4(r.imr_multiaddr);
	source = addr_v4(r.imr_sourceaddr);
	if (opt == IP_ADD_SOURCE_MEMBERSHIP)
		return join(i, &group, 0, r.imr_interface, &source);
	if (opt == IP_DROP_SOURCE_MEMBERSHIP)
		return leave(i, &group, 0, r.imr_interface, &source);
	return block(i, &group, 0, r.imr_interface, &source, opt == IP_BLOCK_SOURCE);
}

int inet_set_group(struct inet_sock *i, bool v6, int opt, const void *val, int len)
{
	if (opt == MCAST_MSFILTER || (!v6 && opt == IP_MSFILTER))
		return set_msfilter(i, v6, opt, val, len);
	if (opt >= MCAST_JOIN_GROUP && opt <= MCAST_LEAVE_SOURCE_GROUP)
		return generic_group(i, v6, opt, val, len);
	if (v6)
		return set_group_v6(i, opt == IPV6_ADD_MEMBERSHIP, val, len);
	if (opt == IP_ADD_MEMBERSHIP || opt == IP_DROP_MEMBERSHIP)
		return set_group_v4(i, opt == IP_ADD_MEMBERSHIP, val, len);
	return set_source_v4(i, opt, val, len);
}
