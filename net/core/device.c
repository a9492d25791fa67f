/* SPDX-License-Identifier: BSD-2-Clause */
/* Interfaces: registration, receiving into the IP layer, sending with what the device cannot do done in
 * software. */
#include "base/err.h"
#include "base/format.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/log.h"
#include "net/abi.h"
#include "net/checksum.h"
#include "net/config.h"
#include "net/gso.h"
#include "net/multicast.h"
#include "net/netlink.h"
#include <linux/if_packet.h>

static void name_device(struct net_stack *net, struct netdev *dev)
{
	for (unsigned i = 0; i < NET_MAX_DEVS; i++) {
		snprintf(dev->name, sizeof(dev->name), "eth%u", i);
		if (!net_device_find(net, dev->name))
			return;
	}
}

int net_add_device(struct net_stack *net, struct netdev *dev)
{
	unsigned nqueues = max(dev->nqueues, 1u);
	struct net_if *nif = kzalloc(sizeof(*nif) + nqueues * sizeof(nif->polls[0]));
	int err = 0;

	if (!nif)
		return -ENOMEM;
	nif->net = net;
	nif->dev = dev;
	nif->txqlen = 1000;
	net_timer_init(&nif->report_timer, mc_report_timer);
	nif->reachable_ms = 30000;
	for (unsigned i = 0; i < nqueues; i++) {
		nif->polls[i].nif = nif;
		nif->polls[i].queue = i;
	}
	net_lock(&net->cfg_lock);
	if (net->ndevs == NET_MAX_DEVS) {
		err = -ENOSPC;
	} else {
		if (!dev->name[0])
			name_device(net, dev);
		dev->index = net->ndevs + 1;
		if (!(dev->flags & IFF_LOOPBACK))
			dev->flags |= IFF_BROADCAST | IFF_MULTICAST;
		dev->inet = nif;
		rcu_assign_pointer(net->devs[net->ndevs], dev);
		net->ndevs++;
	}
	net_unlock(&net->cfg_lock);
	if (err)
		kfree(nif);
	return err;
}

int netdev_register(struct netdev *dev)
{
	int err = net_add_device(&net_default, dev);

	if (err)
		return err;
	/* A frame that came between the driver's starting the device and here found no place to be polled
	 * from, and its queue's interrupt stays off until a poll. */
	for (unsigned i = 0; i < max(dev->nqueues, 1u); i++)
		netdev_schedule_poll(dev, i);
	net_configure_device(dev);
	return 0;
}

static void tell(struct netdev *dev)
{
	net_enter();
	rtnl_notify_link(dev);
	net_leave();
}

int net_device_up(struct netdev *dev, bool up)
{
	int err = 0;

	if (up == !!(dev->flags & IFF_UP))
		return 0;
	if (dev->ops->set_up)
		err = dev->ops->set_up(dev, up);
	if (err)
		return err;
	if (up) {
		dev->flags |= IFF_UP | IFF_RUNNING;
	} else {
		dev->flags &= ~(IFF_UP | IFF_RUNNING);
		neigh_flush_dev(dev);
	}
	route_changed(net_if(dev)->net);
	if (up)
		mc_device_up(dev);
	if (net_if(dev)->net->ip6)
		net_ip6_device_changed(dev, up);
	tell(dev);
	return 0;
}

void netdev_link_changed(struct netdev *dev, bool up)
{
	if (dev->link_up == up)
		return;
	dev->link_up = up;
	if (!dev->inet)
		return;
	dev->carrier_changes++;
	route_changed(net_if(dev)->net);
	tell(dev);
	net_config_link_changed(dev, up);
}

struct netdev *net_device_find(struct net_stack *net, const char *name)
{
	for (unsigned i = 0; i < NET_MAX_DEVS; i++) {
		struct netdev *d = rcu_dereference(net->devs[i]);

		if (!d)
			break;
		if (strcmp(d->name, name) == 0)
			return d;
	}
	return NULL;
}

struct netdev *netdev_find(const char *name)
{
	return net_device_find(&net_default, name);
}

struct netdev *netdev_by_index(u32 index)
{
	return net_device_by_index(&net_default, index);
}

struct netdev *netdev_next(struct netdev *prev)
{
	return net_device_by_index(&net_default, prev ? prev->index + 1 : 1);
}

void netdev_schedule_poll(struct netdev *dev, unsigned queue)
{
	if (dev->inet)
		net_poll_schedule(&net_if(dev)->polls[queue]);
}

void net_ip_input(struct packet *p)
{
	if (packet_linear(p) < 1 && !packet_may_pull(p, 1)) {
		packet_free(p);
		return;
	}
	if (p->data[0] >> 4 == 6)
		ip6_input(p);
	else
		ip4_input(p);
}

static u8 frame_kind(const struct netdev *dev, const struct eth_header *eth)
{
	if (eth->dst[0] & 1)
		return memcmp(eth->dst, "\xff\xff\xff\xff\xff\xff", 6) == 0 ? PACKET_BROADCAST
									    : PACKET_MULTICAST;
	return memcmp(eth->dst, dev->mac, 6) == 0 ? PACKET_HOST : PACKET_OTHERHOST;
}

void netdev_receive(struct netdev *dev, struct packet *p)
{
	struct eth_header *eth;

	p->dev = dev;
	this_cpu(net_cpu).processed++;
	atomic_fetch_add_explicit(&dev->stats.rx_packets, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&dev->stats.rx_bytes, p->len, memory_order_relaxed);
	if (!packet_may_pull(p, ETH_HDR_LEN) || !(dev->flags & IFF_UP)) {
		atomic_fetch_add_explicit(&dev->stats.rx_dropped, 1, memory_order_relaxed);
		packet_free(p);
		return;
	}
	eth = (struct eth_header *)p->data;
	p->protocol = be16(eth->type);
	p->kind = frame_kind(dev, eth);
	netdev_tap(dev, p, p->kind);
	/* A frame for another station is none of ours (a promiscuous device hands such up). */
	if (p->kind == PACKET_OTHERHOST) {
		packet_free(p);
		return;
	}
	if (p->kind == PACKET_MULTICAST)
		atomic_fetch_add_explicit(&dev->stats.multicast, 1, memory_order_relaxed);
	/* Checksum offsets count from data: keep them true as headers go. */
	p->csum_start = p->csum_start >= ETH_HDR_LEN ? (u16)(p->csum_start - ETH_HDR_LEN) : 0;
	packet_advance(p, ETH_HDR_LEN);
	switch (p->protocol) {
	case ETH_TYPE_IP4:
		ip4_input(p);
		break;
	case ETH_TYPE_ARP:
		arp_input(p);
		break;
	case ETH_TYPE_IP6:
		ip6_input(p);
		break;
	default:
		atomic_fetch_add_explicit(&dev->stats.rx_dropped, 1, memory_order_relaxed);
		packet_free(p);
	}
}

/* Fill in a PARTIAL checksum in software: the field holds the pseudo-header sum. */
static bool complete_checksum(struct packet *p)
{
	u32 start = p->csum_start;
	u16 sum;

	if (start + p->csum_offset + 2u > p->len || !packet_may_pull(p, start + p->csum_offset + 2u))
		return false;
	sum = csum_fold(packet_csum(p, start, p->len - start, 0));
	if (!sum)
		sum = 0xffff; /* zero means "none" in UDP, and both are equal in one's complement */
	memcpy(p->data + start + p->csum_offset, &sum, 2);
	p->ip_summed = PACKET_CSUM_NONE;
	return true;
}

static int drop_tx(struct netdev *dev, struct packet *p, int err)
{
	atomic_fetch_add_explicit(&dev->stats.tx_dropped, 1, memory_order_relaxed);
	packet_free(p);
	return err;
}

int netdev_send(struct netdev *dev, struct packet *p)
{
	if (unlikely(!(dev->flags & IFF_UP)))
		return drop_tx(dev, p, -ENETDOWN);
	p->dev = dev;
	if (dev->features & NETDEV_LOOPBACK) {
		netdev_tap(dev, p, PACKET_OUTGOING);
		netdev_tap(dev, p, PACKET_HOST);
		return dev->ops->transmit(dev, p);
	}
	if (p->ip_summed == PACKET_CSUM_PARTIAL)
		p->csum_start = (u16)(p->transport_off - packet_headroom(p));
	if (p->gso_size && !gso_device_can(dev, p))
		return gso_send_segments(dev, p);
	if (p->ip_summed == PACKET_CSUM_PARTIAL && !(dev->features & NETDEV_CSUM) && !complete_checksum(p))
		return drop_tx(dev, p, -ENOBUFS);
	if (p->nfrags && !(dev->features & NETDEV_SG)) {
		struct packet *c = packet_copy(p, packet_headroom(p));

		if (!c)
			return drop_tx(dev, p, -ENOBUFS);
		packet_free(p);
		p = c;
	}
	if (unlikely(!dev->link_up))
		return drop_tx(dev, p, 0);
	netdev_tap(dev, p, PACKET_OUTGOING);
	return dev->ops->transmit(dev, p);
}
