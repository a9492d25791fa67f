/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net's control queue (virtio 1.2, 5.1.6.5): how many queue pairs and how frames are spread over them,
 * what is received, the address, the acknowledgement of an announcement. One command at a time, in thread
 * context, waited for by polling: devices answer at once. A device that does not answer keeps the command's
 * memory, and gets no further command. */

#include "base/bits.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/percpu.h"
#include "kernel/random.h"
#include "kernel/sched.h"
#include "net.h"

#define CONTROL_WAIT_NS NSEC_PER_SEC
#define RSS_KEY		40
#define RSS_TABLE_MAX	128u

/* What the device reads and writes while a command runs. */
struct control_command {
	struct virtio_net_ctrl_hdr header;
	u8 ack;
	u8 data[];
};

static int wait_answer(struct virtio_net *vn)
{
	u64 start = clock_monotonic();

	while (!vq_get(vn->control, NULL)) {
		if (vn->control->broken || clock_monotonic() - start > CONTROL_WAIT_NS)
			return -ETIMEDOUT;
		cond_resched();
		cpu_relax();
	}
	return 0;
}

static int run(struct virtio_net *vn, struct control_command *c, size_t len)
{
	struct vq_segment seg[3] = {{virt_to_phys(&c->header), sizeof c->header},
				    {virt_to_phys(c->data), (u32)len},
				    {virt_to_phys(&c->ack), sizeof c->ack}};
	int err;

	if (!len)
		seg[1] = seg[2];
	err = vq_add(vn->control, seg, len ? 2 : 1, 1, c);
	if (err) {
		kfree(c);
		return err;
	}
	vq_kick(vn->control);
	err = wait_answer(vn);
	if (err) {
		vn->control_lost = true;
		return err;
	}
	err = c->ack == VIRTIO_NET_OK ? 0 : -EIO;
	kfree(c);
	return err;
}

int net_control(struct virtio_net *vn, u8 class, u8 cmd, const void *data, size_t len)
{
	struct control_command *c;
	int err;

	if (!vn->control)
		return -EOPNOTSUPP;
	c = kzalloc(sizeof *c + len);
	if (!c)
		return -ENOMEM;
	c->header = (struct virtio_net_ctrl_hdr){.class = class, .cmd = cmd};
	c->ack = VIRTIO_NET_ERR;
	if (len)
		memcpy(c->data, data, len);
	mutex_lock(&vn->control_lock);
	if (vn->control_lost) {
		kfree(c);
		err = -EIO;
	} else {
		err = run(vn, c, len);
	}
	mutex_unlock(&vn->control_lock);
	return err;
}

/* Spread received flows over all pairs by their addresses and ports, with a key that nobody knows. */
static int configure_rss(struct virtio_net *vn)
{
	u32 types = virtio_config_get(vn->dev, struct virtio_net_config, supported_hash_types);
	u32 room = virtio_config_get(vn->dev, struct virtio_net_config, rss_max_indirection_table_length);
	u32 key_room = virtio_config_get(vn->dev, struct virtio_net_config, rss_max_key_size) & 0xff;
	u32 entries = (u32)BIT(log2_floor(clamp(room, 1u, RSS_TABLE_MAX))), n = 0;
	struct {
		u32 hash_types;
		u16 mask, unclassified;
		u8 rest[2 * RSS_TABLE_MAX + 2 + 1 + RSS_KEY];
	} __packed c = {
		.hash_types = types & (VIRTIO_NET_RSS_HASH_TYPE_IPv4 | VIRTIO_NET_RSS_HASH_TYPE_TCPv4 |
				       VIRTIO_NET_RSS_HASH_TYPE_UDPv4 | VIRTIO_NET_RSS_HASH_TYPE_IPv6 |
				       VIRTIO_NET_RSS_HASH_TYPE_TCPv6 | VIRTIO_NET_RSS_HASH_TYPE_UDPv6),
		.mask = (u16)(entries - 1),
	};

	if (key_room < RSS_KEY)
		return -EINVAL;
	for (u32 i = 0; i < entries; i++, n += 2)
		c.rest[n] = (u8)(i % vn->pairs); /* receive queues count from 0; the high byte stays 0 */
	c.rest[n] = (u8)vn->pairs;
	c.rest[n + 1] = (u8)(vn->pairs >> 8);
	c.rest[n + 2] = RSS_KEY;
	random_bytes(&c.rest[n + 3], RSS_KEY);
	return net_control(vn, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG, &c,
			   offsetof(typeof(c), rest) + n + 3 + RSS_KEY);
}

void net_control_pairs(struct virtio_net *vn)
{
	u16 pairs = (u16)vn->pairs;
	int err = -EOPNOTSUPP;

	if (virtio_has(vn->dev, VIRTIO_NET_F_RSS) && vn->pairs <= 256)
		err = configure_rss(vn);
	if (vn->pairs == 1)
		return;
	if (err && virtio_has(vn->dev, VIRTIO_NET_F_MQ))
		err = net_control(vn, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs,
				  sizeof pairs);
	if (err) {
		log_warn("virtio-net: the device refuses %u queue pairs (%d): one", vn->pairs, err);
		vn->pairs = vn->netdev.nqueues = 1;
	}
}

/* All groups always: the stack drops those that nobody joined, and a table would have to follow every change.
 */
void net_control_rx_mode(struct virtio_net *vn)
{
	u8 promisc = READ_ONCE(vn->netdev.promiscuity) != 0, all = 1;

	if (!virtio_has(vn->dev, VIRTIO_NET_F_CTRL_RX))
		return;
	/* Groups before the rest is shut out. Devices begin promiscuous; one that refuses stays so. */
	if (!net_control(vn, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, &all, 1))
		net_control(vn, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &promisc, 1);
}

int net_control_set_mac(struct netdev *dev, const u8 mac[6])
{
	struct virtio_net *vn = dev->priv;

	if (!virtio_has(vn->dev, VIRTIO_NET_F_CTRL_MAC_ADDR))
		return -EOPNOTSUPP;
	return net_control(vn, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6);
}
