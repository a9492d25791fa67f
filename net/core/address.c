/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses of interfaces: RCU lists, changed under net->cfg_lock; each change tells the
 * route table. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "net/abi.h"
#include "net/ip6.h"

/* An IPv6 address brings the group with it where neighbours ask for it (RFC 4291 2.7.1). Reception does not
 * depend on it (ip6_own_group), so lack of memory only leaves switches that snoop untold. */
static void solicited_node(struct netdev *dev, const struct net_addr *addr, bool join)
{
	struct net_addr group = ip6_solicited_node(addr);

	if (addr_is_v4(addr) || (dev->flags & IFF_LOOPBACK))
		return;
	if (join)
		(void)!if_group_join(dev, &group, NULL);
	else
		if_group_leave(dev, &group, NULL);
}

int if_addr_add(struct netdev *dev, const struct if_addr *a)
{
	struct net_stack *net = net_if(dev)->net;
	struct if_addr *n, **at;
	int err = 0;

	if (a->plen > (addr_is_v4(&a->addr) ? 32 : 128) || addr_is_multicast(&a->addr))
		return -EINVAL;
	n = net_alloc(sizeof(*n));
	if (!n)
		return -ENOMEM;
	*n = *a;
	n->next = NULL;
	if (addr_is_v4(&n->addr) && addr_is_any(&n->broadcast) && n->plen < 31 &&
	    !(dev->flags & IFF_LOOPBACK))
		n->broadcast = addr_v4(n->addr.w[3] | ~ip4_mask(n->plen));
	if (!n->label[0])
		str_copy(n->label, dev->name, sizeof(n->label));
	net_lock(&net->cfg_lock);
	for (at = &net_if(dev)->addrs; *at; at = &(*at)->next)
		if (addr_equal(&(*at)->addr, &n->addr) && (*at)->plen == n->plen)
			err = -EEXIST;
	if (!err)
		rcu_assign_pointer(*at, n);
	net_unlock(&net->cfg_lock);
	if (err) {
		kfree(n);
		return err;
	}
	route_changed(net);
	solicited_node(dev, &a->addr, true);
	return 0;
}

int if_addr_del(struct netdev *dev, const struct net_addr *addr, int plen)
{
	struct net_stack *net = net_if(dev)->net;
	struct if_addr **at, *a = NULL;

	net_lock(&net->cfg_lock);
	for (at = &net_if(dev)->addrs; (a = *at); at = &a->next)
		if (addr_equal(&a->addr, addr) && (plen < 0 || a->plen == plen)) {
			rcu_assign_pointer(*at, a->next);
			break;
		}
	net_unlock(&net->cfg_lock);
	if (!a)
		return -EADDRNOTAVAIL;
	solicited_node(dev, &a->addr, false);
	rcu_call(&a->rcu, rcu_kfree);
	route_changed(net);
	return 0;
}

void if_addr_flush(struct netdev *dev, bool v4)
{
	for (;;) {
		const struct if_addr *a = if_addr_first(dev, v4);
		struct net_addr addr;

		if (!a)
			return;
		addr = a->addr;
		if (if_addr_del(dev, &addr, -1) < 0)
			return;
	}
}

const struct if_addr *if_addr_first(const struct netdev *dev, bool v4)
{
	for (struct if_addr *a = rcu_dereference(net_if(dev)->addrs); a; a = rcu_dereference(a->next))
		if (addr_is_v4(&a->addr) == v4)
			return a;
	return NULL;
}

bool net_addr_is_local(struct net_stack *net, const struct net_addr *addr, struct netdev **out)
{
	if (addr_is_v4(addr) && ip4_is_loopback(addr->w[3]) && net->lo && (net->lo->flags & IFF_UP)) {
		if (out)
			*out = net->lo;
		return true;
	}
	for (u32 i = 1; i <= NET_MAX_DEVS; i++) {
		struct netdev *dev = net_device_by_index(net, i);

		if (!dev)
			break;
		for (struct if_addr *a = rcu_dereference(net_if(dev)->addrs); a; a = rcu_dereference(a->next))
			if (addr_equal(&a->addr, addr) && !(a->flags & IFA_F_TENTATIVE)) {
				if (out)
					*out = dev;
				return true;
			}
	}
	return false;
}

bool net_addr_is_broadcast(struct net_stack *net, u32 v4, const struct netdev *only)
{
	struct net_addr addr = addr_v4(v4);

	if (v4 == IP4_BROADCAST)
		return true;
	for (u32 i = 1; i <= NET_MAX_DEVS; i++) {
		struct netdev *dev = net_device_by_index(net, i);

		if (!dev)
			break;
		if ((only && only != dev) || !(dev->flags & IFF_BROADCAST))
			continue;
		for (struct if_addr *a = rcu_dereference(net_if(dev)->addrs); a; a = rcu_dereference(a->next))
			if (addr_is_v4(&a->addr) && addr_equal(&a->broadcast, &addr) && a->plen < 31)
				return true;
	}
	return false;
}
