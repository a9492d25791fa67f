/* SPDX-License-Identifier: BSD-2-Clause */
/* Routes: one RCU list per family, longest prefix first, then lowest metric. Local, broadcast and multicast
 * destinations are decided from the interfaces' addresses before the table is asked. A host has a handful of
 * routes: a list beats a trie. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "net/abi.h"
#include "net/ip.h"

static struct route **table(struct net_stack *net, bool v4)
{
	return &net->routes[v4 ? 0 : 1];
}

static unsigned full_plen(const struct route *r, bool v4)
{
	return v4 ? r->plen + 96u : r->plen;
}

void route_changed(struct net_stack *net)
{
	atomic_fetch_add_explicit(&net->route_gen, 1, memory_order_release);
}

/* Without a carrier, too, as on Linux: what is sent then is lost as on any wire, and connections outlive it.
 */
static bool dev_usable(const struct netdev *dev)
{
	return dev->flags & IFF_UP;
}

/* The source address for a packet that leaves DEV for TO (RFC 6724 in its simplest useful form: same
 * subnet, then the first address with enough scope). */
static struct net_addr choose_source(struct netdev *dev, const struct net_addr *to)
{
	const struct if_addr *best = NULL;
	bool v4 = addr_is_v4(to);
	bool link =
		addr_is_link_local(to) || (to->b[0] == 0xff && (to->b[1] & 0xf) == 2); /* ff02::/16, too */

	for (struct if_addr *a = rcu_dereference(net_if(dev)->addrs); a; a = rcu_dereference(a->next)) {
		if (addr_is_v4(&a->addr) != v4 || (a->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)))
			continue;
		if (!v4 && addr_is_link_local(&a->addr) != link) {
			if (!best && link)
				best = a;
			continue;
		}
		if (addr_prefix_equal(&a->addr, to, a->plen + (v4 ? 96u : 0)))
			return a->addr;
		if (!best || (best->flags & IFA_F_DEPRECATED))
			best = a;
	}
	return best ? best->addr : (v4 ? addr_v4(0) : NET_ADDR_ANY);
}

static const struct route *table_find(struct net_stack *net, const struct net_addr *dst, u32 oif)
{
	bool v4 = addr_is_v4(dst);

	for (struct route *r = rcu_dereference(*table(net, v4)); r; r = rcu_dereference(r->next)) {
		if (oif && r->dev && r->dev->index != oif)
			continue;
		if (r->dev && !dev_usable(r->dev))
			continue;
		if (addr_prefix_equal(&r->dst, dst, full_plen(r, v4)))
			return r;
	}
	return NULL;
}

/* The interface for a broadcast or multicast destination that no route covers. */
static struct netdev *default_dev(struct net_stack *net, const struct net_addr *src)
{
	struct netdev *dev;

	if (!addr_is_any(src) && net_addr_is_local(net, src, &dev))
		return dev;
	for (u32 i = 1; i <= NET_MAX_DEVS; i++) {
		dev = net_device_by_index(net, i);
		if (!dev)
			break;
		if (!(dev->flags & IFF_LOOPBACK) && dev_usable(dev))
			return dev;
	}
	return NULL;
}

static int fill(struct route_result *out, struct netdev *dev, const struct net_addr *nexthop,
		struct net_addr *src, u8 type)
{
	out->dev = dev;
	out->nexthop = *nexthop;
	out->mtu = dev->mtu;
	out->type = type;
	out->gateway = false;
	if (addr_is_any(src))
		*src = choose_source(dev, nexthop);
	return 0;
}

static int lookup_local(struct net_stack *net, const struct net_addr *dst, struct net_addr *src,
			struct route_result *out)
{
	if (addr_is_any(src))
		*src = addr_is_v4(dst) && ip4_is_loopback(dst->w[3]) ? addr_v4(IP4(127, 0, 0, 1)) : *dst;
	return fill(out, net->lo, dst, src, RTN_LOCAL);
}

int route_lookup(struct net_stack *net, const struct net_addr *dst, struct net_addr *src, u32 oif,
		 struct route_result *out)
{
	struct netdev *dev = NULL;
	const struct route *r;

	out->gen = atomic_load_explicit(&net->route_gen, memory_order_acquire);
	if (oif) {
		dev = net_device_by_index(net, oif);
		if (!dev)
			return -ENODEV;
		if (!(dev->flags & IFF_UP))
			return -ENETUNREACH;
	}
	if (net_addr_is_local(net, dst, NULL))
		return net->lo && (net->lo->flags & IFF_UP) ? lookup_local(net, dst, src, out) : -ENETUNREACH;
	if (addr_is_v4(dst) && net_addr_is_broadcast(net, dst->w[3], dev)) {
		if (!dev && dst->w[3] == IP4_BROADCAST) {
			r = table_find(net, dst, 0);
			dev = addr_is_any(src) && r && r->dev ? r->dev : default_dev(net, src);
		}
		for (u32 i = 1; !dev && i <= net->ndevs; i++) {
			struct netdev *d = net_device_by_index(net, i);

			if (d && net_addr_is_broadcast(net, dst->w[3], d) && dev_usable(d))
				dev = d;
		}
		return dev ? fill(out, dev, dst, src, RTN_BROADCAST) : -ENETUNREACH;
	}
	if (addr_is_multicast(dst)) {
		if (!dev) {
			r = table_find(net, dst, 0);
			dev = addr_is_any(src) && r && r->dev ? r->dev : default_dev(net, src);
		}
		if (!dev)
			return -ENETUNREACH;
		return fill(out, dev, dst, src, RTN_MULTICAST);
	}
	r = table_find(net, dst, oif);
	if (!r)
		return addr_is_v4(dst) && oif && dev && !(dev->flags & IFF_LOOPBACK) &&
				       if_addr_first(dev, true)
			       ? fill(out, dev, dst, src, RTN_UNICAST)
			       : -ENETUNREACH;
	switch (r->type) {
	case RTN_UNREACHABLE:
		return -EHOSTUNREACH;
	case RTN_PROHIBIT:
		return -EACCES;
	case RTN_BLACKHOLE:
		return -EINVAL;
	}
	out->dev = r->dev;
	out->gateway = !addr_is_any(&r->gateway);
	out->nexthop = out->gateway ? r->gateway : *dst;
	out->mtu = r->mtu ? min(r->mtu, r->dev->mtu) : r->dev->mtu;
	out->type = RTN_UNICAST;
	if (addr_is_any(src)) /* IPv4: on the router's subnet; an IPv6 router's own address says nothing, it
				 is link-local */
		*src = !addr_is_any(&r->src) ? r->src
					     : choose_source(r->dev, addr_is_v4(dst) ? &out->nexthop : dst);
	return 0;
}

static bool same_route(const struct route *a, const struct route *b)
{
	return a->plen == b->plen && addr_equal(&a->dst, &b->dst) && a->metric == b->metric;
}

int route_add(struct net_stack *net, const struct route *r, bool replace)
{
	bool v4 = addr_is_v4(&r->dst);
	struct route *n, *old = NULL, **at;
	int err = 0;

	if (r->plen > (v4 ? 32 : 128))
		return -EINVAL;
	if (r->type == RTN_UNICAST
		    ? !r->dev
		    : r->type != RTN_UNREACHABLE && r->type != RTN_PROHIBIT && r->type != RTN_BLACKHOLE)
		return -EINVAL;
	n = net_alloc(sizeof(*n));
	if (!n)
		return -ENOMEM;
	*n = *r;
	net_lock(&net->cfg_lock);
	for (at = table(net, v4); *at; at = &(*at)->next) {
		if (same_route(*at, n)) {
			old = *at;
			if (!replace) {
				err = -EEXIST;
				break;
			}
			n->next = old->next;
			rcu_assign_pointer(*at, n);
			goto out;
		}
		if ((*at)->plen < n->plen || ((*at)->plen == n->plen && (*at)->metric > n->metric))
			break;
	}
	if (!err) {
		n->next = *at;
		rcu_assign_pointer(*at, n);
	}
out:
	net_unlock(&net->cfg_lock);
	if (err)
		kfree(n);
	else if (old)
		rcu_call(&old->rcu, rcu_kfree);
	route_changed(net);
	return err;
}

int route_del(struct net_stack *net, const struct route *m)
{
	bool v4 = addr_is_v4(&m->dst);
	struct route *r, **at;

	net_lock(&net->cfg_lock);
	for (at = table(net, v4); (r = *at); at = &r->next)
		if (r->plen == m->plen && addr_equal(&r->dst, &m->dst) && (!m->dev || m->dev == r->dev) &&
		    (!m->metric || m->metric == r->metric) &&
		    (addr_is_any(&m->gateway) || addr_equal(&m->gateway, &r->gateway))) {
			rcu_assign_pointer(*at, r->next);
			break;
		}
	net_unlock(&net->cfg_lock);
	if (!r)
		return -ESRCH;
	rcu_call(&r->rcu, rcu_kfree);
	route_changed(net);
	return 0;
}

static void flush(struct net_stack *net, struct netdev *dev, bool v4)
{
	struct route **at = &net->routes[v4 ? 0 : 1], *r;

	net_lock(&net->cfg_lock);
	while ((r = *at)) {
		if (dev && r->dev != dev) {
			at = &r->next;
			continue;
		}
		rcu_assign_pointer(*at, r->next);
		rcu_call(&r->rcu, rcu_kfree);
	}
	net_unlock(&net->cfg_lock);
	route_changed(net);
}

void route_flush_dev(struct net_stack *net, struct netdev *dev, bool v4)
{
	flush(net, dev, v4);
}

void route_purge(struct net_stack *net)
{
	flush(net, NULL, true);
	flush(net, NULL, false);
}
