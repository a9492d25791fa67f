/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net (virtio 1.2, 5.1): set-up, features, link state, setting up again after the device asked for a
 * reset. A pair of queues per CPU when the device has that many, each interrupting its own CPU. Receiving is
 * in net_rx.c, sending in net_tx.c, the control queue in net_control.c. */

#include "net.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/percpu.h"
#include "kernel/random.h"
#include "kernel/rcu.h"

#define TX_QUEUE      256u
#define CONTROL_QUEUE 8u
#define DEFAULT_MTU   1500u
#define MAX_MTU	      65521u
/* Without mergeable buffers a frame must fit into one. */
#define SINGLE_BUF_MTU (NET_BUF_SIZE - (u32)sizeof(struct virtio_net_hdr_mrg_rxbuf) - 18)

#define GUEST_OFFLOADS (BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6))
#define NET_F_HOST_USO 56 /* not in this linux/virtio_net.h yet */
#define HOST_OFFLOADS  (BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(NET_F_HOST_USO))
#define CONTROL_FEATURES                                                                             \
	(BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_VLAN) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) | \
	 BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_RSS))

/* Features that lean on others (virtio 1.2, 5.1.3.1), and large receives only where buffers can be merged. */
static u64 choose_features(u64 f)
{
	if (!(f & BIT(VIRTIO_NET_F_GUEST_CSUM)) || !(f & BIT(VIRTIO_NET_F_MRG_RXBUF)))
		f &= ~GUEST_OFFLOADS;
	if (!(f & BIT(VIRTIO_NET_F_CSUM)))
		f &= ~HOST_OFFLOADS;
	if (!(f & BIT(VIRTIO_NET_F_CTRL_VQ)))
		f &= ~(BIT(VIRTIO_NET_F_MQ) | CONTROL_FEATURES);
	if (!(f & BIT(VIRTIO_NET_F_STATUS)))
		f &= ~BIT(VIRTIO_NET_F_GUEST_ANNOUNCE);
	return f;
}

/* Memory that waits for frames: a buffer is a page. */
static unsigned rx_queue_size(void)
{
	struct memory_stats m;

	memory_stats(&m);
	if (m.total < MIB(128) / PAGE_SIZE)
		return 64;
	return m.total < MIB(512) / PAGE_SIZE ? 128 : 256;
}

static int net_transmit(struct netdev *dev, struct packet *p)
{
	return net_tx_transmit(dev, p);
}

static int net_poll(struct netdev *dev, unsigned queue, int budget)
{
	struct virtio_net *vn = dev->priv;

	return net_rx_poll(&vn->queue[queue], budget);
}

static void net_rx_mode_changed(struct netdev *dev)
{
	struct virtio_net *vn = dev->priv;

	atomic_store(&vn->rx_mode_due, true);
	work_queue(&vn->work);
}

static const struct netdev_ops net_ops = {
	.transmit = net_transmit,
	.poll = net_poll,
	.rx_mode_changed = net_rx_mode_changed,
	.set_mac = net_control_set_mac,
};

static u16 net_status(struct virtio_net *vn)
{
	if (!virtio_has(vn->dev, VIRTIO_NET_F_STATUS))
		return VIRTIO_NET_S_LINK_UP;
	return virtio_config_get(vn->dev, struct virtio_net_config, status);
}

/* The device runs: give it buffers and tell it what we want. */
static void start(struct virtio_net *vn)
{
	for (unsigned i = 0; i < vn->pairs; i++)
		net_rx_fill(&vn->queue[i]);
	virtio_ready(vn->dev);
	for (unsigned i = 0; i < vn->pairs; i++)
		vq_notify(vn->queue[i].rx);
	net_control_pairs(vn);
	net_control_rx_mode(vn);
}

/* All memory back from a device that was reset. */
static void reclaim(struct virtio_net *vn)
{
	for (unsigned i = 0; i < vn->pairs; i++) {
		struct page *page;

		while ((page = vq_detach(vn->queue[i].rx)))
			page_free(page, 0);
		net_tx_purge(&vn->queue[i]);
	}
	if (vn->control)
		kfree(vq_detach(vn->control));
	vn->control_lost = false;
}

/* The device cannot go on without a reset (virtio 1.2, 2.1.2). Frames on their way are lost. */
static void restart(struct virtio_net *vn)
{
	int err;

	log_warn("virtio-net: %s needs a reset", vn->netdev.name);
	WRITE_ONCE(vn->stopped, true);
	rcu_synchronize(); /* polls and sends that were on their way have ended */
	err = virtio_device_stop(vn->dev);
	if (!err) {
		reclaim(vn);
		err = virtio_device_restart(vn->dev);
	}
	if (err) {
		log_err("virtio-net: %s is lost: error %d", vn->netdev.name, err);
		netdev_link_changed(&vn->netdev, false);
		return;
	}
	for (unsigned i = 0; i < vn->pairs; i++)
		vq_disable(vn->queue[i].tx);
	start(vn);
	WRITE_ONCE(vn->stopped, false);
	for (unsigned i = 0; i < vn->pairs; i++)
		netdev_schedule_poll(&vn->netdev, i);
}

/* Whatever the device said of wanting to know: QEMU's drops what a packed queue holds while its link is down,
 * and then forgets to ask to be told of more. */
static void kick_senders(struct virtio_net *vn)
{
	for (unsigned i = 0; i < vn->pairs; i++)
		vq_notify(vn->queue[i].tx);
}

static void net_work(struct work *w)
{
	struct virtio_net *vn = container_of(w, struct virtio_net, work);
	u16 status;

	if (virtio_needs_reset(vn->dev))
		restart(vn);
	if (vn->stopped)
		return;
	status = net_status(vn);
	netdev_link_changed(&vn->netdev, status & VIRTIO_NET_S_LINK_UP);
	if (status & VIRTIO_NET_S_LINK_UP)
		kick_senders(vn);
	if (status & VIRTIO_NET_S_ANNOUNCE && virtio_has(vn->dev, VIRTIO_NET_F_GUEST_ANNOUNCE)) {
		netdev_announce(&vn->netdev);
		net_control(vn, VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, NULL, 0);
	}
	if (atomic_exchange(&vn->rx_mode_due, false))
		net_control_rx_mode(vn);
}

static void net_config_changed(struct virtio_device *dev)
{
	struct virtio_net *vn = dev->priv;

	work_queue(&vn->work);
}

/* Queues 2i and 2i + 1 are pair i; the control queue comes behind all that the device has. */
static int setup_queues(struct virtio_net *vn, unsigned device_pairs)
{
	bool has_control = virtio_has(vn->dev, VIRTIO_NET_F_CTRL_VQ);
	unsigned n = has_control ? 2 * device_pairs + 1 : 2 * vn->pairs, rx_size = rx_queue_size();
	struct vq_setup *setup = kcalloc(n, sizeof *setup);
	int err;

	if (!setup)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		setup[i].skip = true;
	for (unsigned i = 0; i < vn->pairs; i++) {
		setup[2 * i] =
			(struct vq_setup){"virtio-net-rx", net_rx_interrupt, rx_size, i % cpu_count, false};
		setup[2 * i + 1] =
			(struct vq_setup){"virtio-net-tx", net_tx_interrupt, TX_QUEUE, i % cpu_count, false};
	}
	if (has_control)
		setup[n - 1] = (struct vq_setup){"virtio-net-control", NULL, CONTROL_QUEUE, 0, false};
	err = virtio_setup_queues(vn->dev, setup, n);
	kfree(setup);
	if (err)
		return err;
	for (unsigned i = 0; i < vn->pairs; i++) {
		struct net_queue *q = &vn->queue[i];

		q->vn = vn;
		q->index = i;
		q->rx = vn->dev->queues[2 * i];
		q->tx = vn->dev->queues[2 * i + 1];
		q->rx->priv = q->tx->priv = q;
		list_init(&q->backlog);
		vq_disable(q->tx);
	}
	vn->control = has_control ? vn->dev->queues[n - 1] : NULL;
	return 0;
}

static void read_mac(struct virtio_net *vn)
{
	u8 *mac = vn->netdev.mac;

	if (virtio_has(vn->dev, VIRTIO_NET_F_MAC)) {
		virtio_config_read(vn->dev, offsetof(struct virtio_net_config, mac), mac, 6);
		return;
	}
	random_bytes(mac, 6);
	mac[0] = (u8)((mac[0] & ~1) | 2); /* an individual address, locally administered */
}

static void describe(struct virtio_net *vn)
{
	struct netdev *nd = &vn->netdev;
	u32 mtu = DEFAULT_MTU, most = vn->mergeable ? MAX_MTU : SINGLE_BUF_MTU;

	if (virtio_has(vn->dev, VIRTIO_NET_F_MTU))
		mtu = virtio_config_get(vn->dev, struct virtio_net_config, mtu);
	nd->mtu = clamp(mtu, 68u, most);
	nd->max_mtu =
		virtio_has(vn->dev, VIRTIO_NET_F_MTU) ? nd->mtu : most; /* the device's word is the limit */
	nd->features = NETDEV_SG;
	if (virtio_has(vn->dev, VIRTIO_NET_F_CSUM))
		nd->features |= NETDEV_CSUM;
	if (virtio_has(vn->dev, VIRTIO_NET_F_HOST_TSO4))
		nd->features |= NETDEV_TSO4;
	if (virtio_has(vn->dev, VIRTIO_NET_F_HOST_TSO6))
		nd->features |= NETDEV_TSO6;
	if (virtio_has(vn->dev, NET_F_HOST_USO))
		nd->features |= NETDEV_USO;
	nd->nqueues = vn->pairs;
	nd->ops = &net_ops;
	nd->priv = vn;
	nd->link_up = net_status(vn) & VIRTIO_NET_S_LINK_UP;
	read_mac(vn);
}

static int net_probe(struct virtio_device *dev)
{
	unsigned device_pairs = 1, pairs;
	struct virtio_net *vn;
	int err;

	if (virtio_has(dev, VIRTIO_NET_F_MQ) || virtio_has(dev, VIRTIO_NET_F_RSS))
		device_pairs = virtio_config_get(dev, struct virtio_net_config, max_virtqueue_pairs);
	device_pairs = clamp(device_pairs, 1u, 0x8000u);
	pairs = min(device_pairs, cpu_count);
	vn = kzalloc(sizeof *vn + pairs * sizeof vn->queue[0]);
	if (!vn)
		return -ENOMEM;
	vn->dev = dev;
	vn->pairs = pairs;
	vn->mergeable = virtio_has(dev, VIRTIO_NET_F_MRG_RXBUF);
	dev->priv = vn;
	mutex_init(&vn->control_lock);
	work_init(&vn->work, net_work);
	err = setup_queues(vn, device_pairs);
	if (err)
		goto fail;
	describe(vn);
	start(vn);
	err = netdev_register(&vn->netdev);
	if (!err)
		return 0;
fail:
	/* Receive buffers that the device has are lost with it; it fails once, at boot. */
	if (!virtio_device_stop(dev))
		kfree(vn);
	return err;
}

static const struct virtio_driver net_driver = {
	.name = "virtio-net",
	.id = VIRTIO_ID_NET,
	.features = BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_MTU) |
		    BIT(VIRTIO_NET_F_MAC) | GUEST_OFFLOADS | HOST_OFFLOADS | BIT(VIRTIO_NET_F_MRG_RXBUF) |
		    BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_MQ) |
		    CONTROL_FEATURES,
	.choose = choose_features,
	.probe = net_probe,
	.config_changed = net_config_changed,
};

static int net_init(void)
{
	return virtio_driver_register(&net_driver);
}
INITCALL(net_init, INIT_DEVICE);
