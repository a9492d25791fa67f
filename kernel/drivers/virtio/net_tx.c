/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net, sending. The device header goes into the packet's headroom, in front of the frame, so a linear
 * frame is one segment. The device never interrupts for sent packets: they are freed by the next transmission
 * or receive poll of the queue. A full ring drops, which TCP takes for the congestion that it is. `tx_lock`
 * guards the queue; CPUs share it only when there are fewer queues than CPUs. */

#include "base/err.h"
#include "base/string.h"
#include "kernel/counter.h"
#include "kernel/page.h"
#include "kernel/percpu.h"
#include "net.h"

#define HEADER_SIZE   ((u32)sizeof(struct virtio_net_hdr_mrg_rxbuf))
#define RECLAIM_BATCH 16

DEFINE_COUNTER(net_tx_ring_full, "packets dropped because the device's transmit queue was full");

static void fill_header(struct virtio_net_hdr_mrg_rxbuf *h, const struct packet *p)
{
	memset(h, 0, sizeof *h);
	if (p->ip_summed == PACKET_CSUM_PARTIAL) {
		h->hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->hdr.csum_start = p->csum_start;
		h->hdr.csum_offset = p->csum_offset;
	}
	if (p->gso_size) {
		h->hdr.gso_type = p->gso_type;
		h->hdr.gso_size = p->gso_size;
		/* Everything up to the payload: a hint for the host. */
		h->hdr.hdr_len = (u16)(p->tail - p->data);
	}
}

/* Header and frame as segments; the number. SEG has room for two more than a packet has fragments. */
static unsigned map_packet(struct packet *p, struct vq_segment *seg)
{
	struct virtio_net_hdr_mrg_rxbuf h;
	unsigned n = 0;

	fill_header(&h, p);
	if ((size_t)(p->data - p->head) >= HEADER_SIZE) {
		memcpy(p->data - HEADER_SIZE, &h, HEADER_SIZE);
		seg[n++] = (struct vq_segment){virt_to_phys(p->data - HEADER_SIZE),
					       (u32)(p->tail - p->data) + HEADER_SIZE};
	} else {
		_Static_assert(sizeof h <= sizeof p->cb, "the header has its place in the packet");
		memcpy(p->cb, &h, HEADER_SIZE);
		seg[n++] = (struct vq_segment){virt_to_phys(p->cb), HEADER_SIZE};
		if (p->tail > p->data)
			seg[n++] = (struct vq_segment){virt_to_phys(p->data), (u32)(p->tail - p->data)};
	}
	for (unsigned i = 0; i < p->nfrags; i++)
		if (p->frags[i].len)
			seg[n++] = (struct vq_segment){virt_to_phys(p->frags[i].data), p->frags[i].len};
	return n;
}

/* With tx_lock held: chain up to MAX sent packets on DONE, to be freed without the lock. */
static void collect(struct net_queue *q, struct list_head *done, unsigned max)
{
	struct packet *p;

	while (max-- && (p = vq_get(q->tx, NULL)))
		list_add_tail(&p->node, done);
}

static void free_list(struct list_head *done)
{
	while (!list_empty(done)) {
		struct packet *p = list_first_entry(done, struct packet, node);

		list_del(&p->node);
		packet_free(p);
	}
}

void net_tx_reclaim(struct net_queue *q)
{
	LIST_HEAD(done);
	u64 flags;

	if (!vq_pending(q->tx))
		return;
	flags = spin_lock_irqsave(&q->tx_lock);
	collect(q, &done, q->tx->size);
	spin_unlock_irqrestore(&q->tx_lock, flags);
	free_list(&done);
}

int net_tx_transmit(struct netdev *dev, struct packet *p)
{
	struct virtio_net *vn = dev->priv;
	struct net_queue *q = &vn->queue[cpu_id() % vn->pairs];
	struct vq_segment seg[PACKET_MAX_FRAGS + 2];
	unsigned n = map_packet(p, seg);
	u32 len = p->len;
	LIST_HEAD(done);
	bool kick;
	u64 flags;
	int err;

	flags = spin_lock_irqsave(&q->tx_lock);
	collect(q, &done, RECLAIM_BATCH);
	err = vq_add(q->tx, seg, n, 0, p);
	kick = vq_kick_prepare(q->tx);
	spin_unlock_irqrestore(&q->tx_lock, flags);
	if (kick)
		vq_notify(q->tx);
	free_list(&done);
	if (err) {
		counter_inc(&net_tx_ring_full);
		atomic_fetch_add_explicit(&dev->stats.tx_dropped, 1, memory_order_relaxed);
		packet_free(p);
		return -ENOBUFS;
	}
	atomic_fetch_add_explicit(&dev->stats.tx_packets, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&dev->stats.tx_bytes, len, memory_order_relaxed);
	return 0;
}
