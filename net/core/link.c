/* SPDX-License-Identifier: BSD-2-Clause */
/* What an administrator changes of an interface: its name, address, largest packet, receive modes. Listeners
 * hear of each. Thread context. */
#include "base/err.h"
#include "base/format.h"
#include "base/string.h"
#include "net/abi.h"
#include "net/ip.h"
#include "net/netlink.h"

static void changed(struct netdev *dev)
{
	net_enter();
	route_changed(net_if(dev)->net);
	rtnl_notify_link(dev);
	net_leave();
}

int netdev_set_mtu(struct netdev *dev, u32 mtu)
{
	if (mtu < IP_MIN_MTU || mtu > (dev->max_mtu ? dev->max_mtu : 65536u))
		return -EINVAL;
	if (dev->mtu == mtu)
		return 0;
	dev->mtu = mtu;
	changed(dev);
	return 0;
}

int netdev_set_mac(struct netdev *dev, const u8 mac[6])
{
	static const u8 none[6];
	int err;

	if (!dev->ops->set_mac)
		return -EOPNOTSUPP;
	if ((mac[0] & 1) || memcmp(mac, none, 6) == 0)
		return -EADDRNOTAVAIL;
	err = dev->ops->set_mac(dev, mac);
	if (err)
		return err;
	memcpy(dev->mac, mac, 6);
	changed(dev);
	netdev_announce(dev);
	return 0;
}

static bool good_name(const char *s)
{
	if (!s[0] || strcmp(s, ".") == 0 || strcmp(s, "..") == 0 || strlen(s) >= IFNAMSIZ)
		return false;
	for (; *s; s++)
		if (*s == '/' || *s == ':' || *s == ' ' || (*s >= '\t' && *s <= '\r'))
			return false;
	return true;
}

/* Labels begin with the interface's name: eth0, eth0:1. cfg_lock held. */
static void rename_labels(struct netdev *dev, const char *name)
{
	size_t old = strlen(dev->name);

	for (struct if_addr *a = net_if(dev)->addrs; a; a = a->next) {
		char label[sizeof(a->label)];

		if (memcmp(a->label, dev->name, old) != 0 || (a->label[old] && a->label[old] != ':'))
			continue;
		snprintf(label, sizeof(label), "%s%s", name, a->label + old);
		memcpy(a->label, label, sizeof(label));
	}
}

int netdev_rename(struct netdev *dev, const char *name)
{
	struct net_stack *net = net_if(dev)->net;
	int err = 0;

	if (dev->flags & IFF_UP)
		return -EBUSY;
	if (!good_name(name))
		return -EINVAL;
	net_lock(&net->cfg_lock);
	if (net_device_find(net, name)) {
		err = -EEXIST;
	} else {
		rename_labels(dev, name);
		str_copy(dev->name, name, sizeof(dev->name));
	}
	net_unlock(&net->cfg_lock);
	if (!err)
		changed(dev);
	return err;
}

/* These show as flags only when somebody set them so; programs that listen count besides. */
void netdev_user_mode(struct netdev *dev, u32 mask, u32 flags)
{
	u32 turn = (dev->flags ^ flags) & mask & (IFF_PROMISC | IFF_ALLMULTI);

	dev->flags ^= turn;
	if (turn & IFF_PROMISC)
		netdev_promiscuity(dev, flags & IFF_PROMISC ? 1 : -1);
	if (turn & IFF_ALLMULTI)
		netdev_allmulti(dev, flags & IFF_ALLMULTI ? 1 : -1);
}
