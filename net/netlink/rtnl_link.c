/* SPDX-License-Identifier: BSD-2-Clause */
/* Links: RTM_GETLINK, RTM_NEWLINK, RTM_SETLINK. Interfaces are the machine's: none is made or removed here.
 */
#include "rtnl.h"

static u32 shown_flags(const struct netdev *dev)
{
	bool up = dev->flags & IFF_UP;

	return (dev->flags & ~(u32)IFF_RUNNING) | (up && dev->link_up ? IFF_RUNNING | IFF_LOWER_UP : 0);
}

static void put_statistics(struct nl_msg *m, const struct netdev *dev)
{
	struct rtnl_link_stats64 st = {
		.rx_packets = dev->stats.rx_packets,
		.tx_packets = dev->stats.tx_packets,
		.rx_bytes = dev->stats.rx_bytes,
		.tx_bytes = dev->stats.tx_bytes,
		.rx_errors = dev->stats.rx_errors,
		.tx_errors = dev->stats.tx_errors,
		.rx_dropped = dev->stats.rx_dropped,
		.tx_dropped = dev->stats.tx_dropped,
		.multicast = dev->stats.multicast,
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
		.multicast = (u32)st.multicast,
	};

	nl_attr(m, IFLA_STATS64, &st, sizeof(st));
	nl_attr(m, IFLA_STATS, &st32, sizeof(st32));
}

static bool fill_link(struct nl_msg *m, struct netdev *dev, const struct rtnl_to *to)
{
	static const u8 broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[6];
	bool lo = dev->flags & IFF_LOOPBACK, running = (dev->flags & IFF_UP) && dev->link_up;
	struct ifinfomsg *i = rtnl_begin(m, to, sizeof(*i));
	u32 changes = dev->carrier_changes;
	struct rtnl_link_ifmap map = {};

	i->ifi_family = AF_UNSPEC;
	i->ifi_type = lo ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
	i->ifi_index = (int)dev->index;
	i->ifi_flags = shown_flags(dev);
	nl_attr_str(m, IFLA_IFNAME, dev->name);
	nl_attr_u32(m, IFLA_TXQLEN, net_if(dev)->txqlen);
	nl_attr_u8(m, IFLA_OPERSTATE, lo ? 0 : (running ? 6 : 2)); /* RFC 2863: unknown, up, down */
	nl_attr_u8(m, IFLA_LINKMODE, 0);
	nl_attr_u32(m, IFLA_MTU, dev->mtu);
	nl_attr_u32(m, IFLA_MIN_MTU, lo ? 0 : IP_MIN_MTU);
	nl_attr_u32(m, IFLA_MAX_MTU, dev->max_mtu);
	nl_attr_u32(m, IFLA_GROUP, 0);
	nl_attr_u32(m, IFLA_PROMISCUITY, dev->promiscuity);
	nl_attr_u32(m, IFLA_NUM_TX_QUEUES, max(dev->nqueues, 1u));
	nl_attr_u32(m, IFLA_GSO_MAX_SEGS, 65535);
	nl_attr_u32(m, IFLA_GSO_MAX_SIZE, 65536);
	nl_attr_u32(m, IFLA_NUM_RX_QUEUES, max(dev->nqueues, 1u));
	nl_attr_u8(m, IFLA_CARRIER, dev->link_up);
	nl_attr_str(m, IFLA_QDISC, "noqueue");
	nl_attr_u32(m, IFLA_CARRIER_CHANGES, changes);
	nl_attr_u32(m, IFLA_CARRIER_UP_COUNT, (changes + dev->link_up) / 2);
	nl_attr_u32(m, IFLA_CARRIER_DOWN_COUNT, (changes + !dev->link_up) / 2);
	nl_attr_u8(m, IFLA_PROTO_DOWN, 0);
	nl_attr(m, IFLA_MAP, &map, sizeof(map));
	nl_attr(m, IFLA_ADDRESS, lo ? none : dev->mac, 6);
	nl_attr(m, IFLA_BROADCAST, lo ? none : broadcast, 6);
	put_statistics(m, dev);
	return nl_end(m);
}

/* The interface that a request names: by index, else by name. */
static struct netdev *named_dev(struct net_stack *net, int index, const struct nlattr **at)
{
	const struct nlattr *a = at[IFLA_IFNAME] ? at[IFLA_IFNAME] : at[IFLA_ALT_IFNAME];
	char name[IFNAMSIZ] = "";

	if (index > 0)
		return net_device_by_index(net, (u32)index);
	if (!a)
		return NULL;
	memcpy(name, nl_data(a), min(nl_len(a), sizeof(name) - 1));
	return net_device_find(net, name);
}

int rtnl_get_link(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	const struct ifinfomsg *i = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	struct rtnl_to to = rtnl_answer(r, RTM_NEWLINK);
	struct net_stack *net = r->sk->s.net;
	const struct nlattr *at[IFLA_MAX_ + 1];
	struct netdev *dev;

	if (!r->dump) {
		int err = rtnl_parse(r, sizeof(*i), at, IFLA_MAX_);

		if (err)
			return err;
		if (i->ifi_index <= 0 && !at[IFLA_IFNAME] && !at[IFLA_ALT_IFNAME])
			return nl_refuse(r, -EINVAL, "No interface named");
		dev = named_dev(net, i->ifi_index, at);
		if (!dev)
			return -ENODEV;
		return fill_link(m, dev, &to) ? 0 : -EMSGSIZE;
	}
	for (; (dev = net_device_by_index(net, (u32)*cursor + 1)); ++*cursor)
		if (!fill_link(m, dev, &to))
			return 1;
	return 0;
}

static int change_name(struct nl_request *r, struct netdev *dev, const struct nlattr *a)
{
	char name[IFNAMSIZ] = "";

	if (nl_len(a) > IFNAMSIZ)
		return -EINVAL;
	memcpy(name, nl_data(a), min(nl_len(a), sizeof(name) - 1));
	return strcmp(name, dev->name) ? netdev_rename(dev, name) : 0;
}

static int change_flags(struct netdev *dev, const struct ifinfomsg *i)
{
	u32 change = i->ifi_change ? i->ifi_change : ~0u;
	int err = 0;

	if (!i->ifi_flags && !i->ifi_change)
		return 0;
	netdev_user_mode(dev, change & (IFF_PROMISC | IFF_ALLMULTI), i->ifi_flags);
	if (change & IFF_UP)
		err = net_device_up(dev, i->ifi_flags & IFF_UP);
	return err;
}

int rtnl_change_link(struct nl_request *r)
{
	const struct ifinfomsg *i = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	const struct nlattr *at[IFLA_MAX_ + 1];
	struct netdev *dev;
	int err = rtnl_parse(r, sizeof(*i), at, IFLA_MAX_);

	if (err)
		return err;
	dev = named_dev(r->sk->s.net, i->ifi_index, at);
	if (!dev) {
		if (r->nlh->nlmsg_flags & NLM_F_CREATE)
			return nl_refuse(r, -EOPNOTSUPP, "Unknown device type");
		return -ENODEV;
	}
	if (r->nlh->nlmsg_flags & NLM_F_EXCL)
		return -EEXIST;
	if (at[IFLA_ADDRESS])
		err = nl_len(at[IFLA_ADDRESS]) < 6 ? -EINVAL : netdev_set_mac(dev, nl_data(at[IFLA_ADDRESS]));
	if (!err && at[IFLA_MTU]) {
		u32 mtu = rtnl_load_u32(at[IFLA_MTU]);

		err = netdev_set_mtu(dev, mtu);
		if (err)
			nl_refuse(r, err,
				  mtu < IP_MIN_MTU ? "mtu less than device minimum"
						   : "mtu greater than device maximum");
	}
	if (!err && at[IFLA_IFNAME] && i->ifi_index > 0)
		err = change_name(r, dev, at[IFLA_IFNAME]);
	if (!err && at[IFLA_TXQLEN])
		net_if(dev)->txqlen = rtnl_load_u32(at[IFLA_TXQLEN]);
	return err ? err : change_flags(dev, i);
}

void rtnl_notify_link(struct netdev *dev)
{
	struct rtnl_to to = {.type = RTM_NEWLINK};
	struct nl_msg m;

	if (!netlink_has_listeners(RTNLGRP_LINK) || !nl_alloc(&m, 2048))
		return;
	fill_link(&m, dev, &to);
	netlink_broadcast(net_if(dev)->net, &m, RTNLGRP_LINK);
}
