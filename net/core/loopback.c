/* SPDX-License-Identifier: BSD-2-Clause */
/* The loopback interface `lo`: a sent IP packet is received in the same section of the same CPU, its payload
 * fragments shared with the sender's queue: no link header, no checksum, no copy. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "net/abi.h"
#include "net/gso.h"
#include "net/ip.h"

#define LOOPBACK_MTU 65536

static int loopback_transmit(struct netdev *dev, struct packet *p)
{
	u32 len = p->len;

	p->dev = dev;
	p->ip_summed = PACKET_CSUM_VALID;
	if (p->gso_type != GSO_UDP) /* its receiver cuts it up, or takes it whole (UDP_GRO) */
		p->gso_size = 0;
	atomic_fetch_add_explicit(&dev->stats.tx_packets, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&dev->stats.tx_bytes, len, memory_order_relaxed);
	atomic_fetch_add_explicit(&dev->stats.rx_packets, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&dev->stats.rx_bytes, len, memory_order_relaxed);
	net_loopback_queue(p);
	return 0;
}

static const struct netdev_ops loopback_ops = {.transmit = loopback_transmit};

int loopback_create(struct net_stack *net)
{
	struct netdev *dev = kzalloc(sizeof(*dev));
	struct if_addr a = {
		.addr = addr_v4(IP4(127, 0, 0, 1)), .plen = 8, .scope = RT_SCOPE_HOST, .label = "lo"};
	int err;

	if (!dev)
		return -ENOMEM;
	str_copy(dev->name, "lo", sizeof(dev->name));
	dev->mtu = LOOPBACK_MTU;
	dev->flags = IFF_LOOPBACK;
	dev->features = NETDEV_CSUM | NETDEV_SG | NETDEV_LOOPBACK;
	dev->ops = &loopback_ops;
	dev->link_up = true;
	err = net_add_device(net, dev);
	if (err) {
		kfree(dev);
		return err;
	}
	net->lo = dev;
	a.valid_until = a.preferred_until = ~0ull;
	a.flags = IFA_F_PERMANENT;
	err = net_device_up(dev, true);
	return err ? err : if_addr_add(dev, &a);
}
