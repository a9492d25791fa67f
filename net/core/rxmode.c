/* SPDX-License-Identifier: BSD-2-Clause */
/* What an interface receives beyond its own frames, and what it tells the network when it has moved. */
#include "base/string.h"
#include "net/abi.h"
#include "net/ip6.h"
#include "net/netlink.h"
#include "net/stack.h"

static void change_count(struct netdev *dev, u32 *count, int change)
{
	struct net_stack *net = net_if(dev)->net;
	bool turned;

	net_lock(&net->cfg_lock);
	turned = !*count != !(*count + (u32)change);
	*count += (u32)change;
	net_unlock(&net->cfg_lock);
	if (!turned)
		return;
	if (dev->ops->rx_mode_changed)
		dev->ops->rx_mode_changed(dev);
	net_enter();
	rtnl_notify_link(dev);
	net_leave();
}

void netdev_promiscuity(struct netdev *dev, int change)
{
	change_count(dev, &dev->promiscuity, change);
}

void netdev_allmulti(struct netdev *dev, int change)
{
	change_count(dev, &dev->allmulti, change);
}

void netdev_announce(struct netdev *dev)
{
	if (!dev->inet || !(dev->flags & IFF_UP))
		return;
	net_enter();
	for (struct if_addr *a = rcu_dereference(net_if(dev)->addrs); a; a = rcu_dereference(a->next)) {
		if (addr_is_v4(&a->addr))
			arp_announce(dev, a->addr.w[3]);
		else if (!(a->flags & IFA_F_TENTATIVE))
			nd_announce(dev, &a->addr);
	}
	net_leave();
}
