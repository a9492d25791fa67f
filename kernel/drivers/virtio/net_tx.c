/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net, sending. The device header goes into the packet's headroom, in front of the frame, so a linear
 * frame is one segment. The device does not interrupt for sent packets: they are freed by the next
 * transmission or receive poll of the queue. Only while packets wait in `backlog`, because the ring is full,
 * is an interrupt asked for, late enough to make room for many; it leads to a poll too. A full backlog drops,
 * which TCP takes for the congestion that it is. `tx_lock` guards the queue and the backlog; CPUs share it
 * only when there are fewer queues than CPUs. */

#include "base/err.h"
#include "base/string.h"
#include "kernel/counter.h"
#include "kernel/page.h"
#include "kernel/softirq.h"
#include "net.h"

#define HEADER_SIZE   ((u32)sizeof(struct virtio_net_hdr_mrg_rxbuf))
#define RECLAIM_BATCH 16
#define BACKLOG_MAX   1024 /* about what Linux's default queue holds */

DEFINE_COUNTER(net_tx_waited, "packets that waited for room in the device's transmit queue");
DEFINE_COUNTER(net_tx_dropped, "packets dropped because too many waited, or the device is broken");

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

static int add(struct net_queue *q, struct packet *p)
{
	struct vq_segment seg[PACKET_MAX_FRAGS + 2];

	return vq_add(q->tx, seg, map_packet(p, seg), 0, p);
}

/* With tx_lock held: move packets from the backlog to the ring while there is room. One that an empty ring
 * does not take, the device will never send. */
static void refill(struct net_queue *q, struct list_head *done)
{
	while (!list_empty(&q->backlog) && q->tx->free_count) {
		struct packet *p = list_first_entry(&q->backlog, struct packet, node);

		if (add(q, p)) {
			if (q->tx->free_count < q->tx->size && !q->tx->broken)
				return;
			counter_inc(&net_tx_dropped);
			list_move_tail(&p->node, done);
		} else {
			list_del(&p->node);
		}
		q->backlog_len--;
	}
}

/* With tx_lock held: the device has progressed, or there is something in the backlog. */
static void pump(struct net_queue *q, struct list_head *done)
{
	do {
		collect(q, done, q->tx->size);
		refill(q, done);
		if (list_empty(&q->backlog)) {
			vq_disable(q->tx);
			return;
		}
	} while (!vq_enable_delayed(q->tx));
}

void net_tx_reclaim(struct net_queue *q)
{
	LIST_HEAD(done);
	bool kick;
	u64 flags;

	if (READ_ONCE(q->vn->stopped) || !vq_pending(q->tx))
		return;
	flags = spin_lock_irqsave(&q->tx_lock);
	pump(q, &done);
	kick = vq_kick_prepare(q->tx);
	spin_unlock_irqrestore(&q->tx_lock, flags);
	if (kick)
		vq_notify(q->tx);
	free_list(&done);
}

void net_tx_purge(struct net_queue *q)
{
	LIST_HEAD(done);
	struct packet *p;
	u64 flags;

	flags = spin_lock_irqsave(&q->tx_lock);
	while ((p = vq_detach(q->tx)))
		list_add_tail(&p->node, &done);
	list_splice_tail_init(&q->backlog, &done);
	q->backlog_len = 0;
	spin_unlock_irqrestore(&q->tx_lock, flags);
	free_list(&done);
}

void net_tx_interrupt(struct virtqueue *vq)
{
	struct net_queue *q = vq->priv;

	/* Devices with one interrupt for all queues come here for received frames too. Interrupts stay as
	 * they are: without tx_lock, turning them off might undo what a sender has just asked for. */
	if (!READ_ONCE(q->backlog_len) || !vq_pending(vq))
		return;
	softirq_count(SOFTIRQ_NET_TX);
	netdev_schedule_poll(&q->vn->netdev, q->index);
}

/* With tx_lock held: P into the ring, or behind those that wait. While some wait, nobody takes sent packets
 * from the ring without refilling it: the interrupt that is awaited would find nothing to do. */
static int send_or_wait(struct net_queue *q, struct packet *p, struct list_head *done)
{
	int err;

	if (list_empty(&q->backlog)) {
		collect(q, done, RECLAIM_BATCH);
		err = add(q, p);
		if (err != -ENOSPC)
			return err;
	} else if (q->backlog_len == BACKLOG_MAX) {
		pump(q, done);
	}
	if (q->backlog_len == BACKLOG_MAX)
		return -ENOSPC;
	counter_inc(&net_tx_waited);
	list_add_tail(&p->node, &q->backlog);
	q->backlog_len++;
	pump(q, done);
	return 0;
}

int net_tx_transmit(struct netdev *dev, struct packet *p)
{
	struct virtio_net *vn = dev->priv;
	struct net_queue *q = &vn->queue[cpu_id() % vn->pairs];
	u32 len = p->len;
	LIST_HEAD(done);
	bool kick;
	u64 flags;
	int err;

	flags = spin_lock_irqsave(&q->tx_lock);
	err = unlikely(READ_ONCE(vn->stopped)) ? -EIO : send_or_wait(q, p, &done);
	kick = vq_kick_prepare(q->tx);
	spin_unlock_irqrestore(&q->tx_lock, flags);
	if (kick)
		vq_notify(q->tx);
	free_list(&done);
	if (err) {
		counter_inc(&net_tx_dropped);
		atomic_fetch_add_explicit(&dev->stats.tx_dropped, 1, memory_order_relaxed);
		packet_free(p);
		return -ENOBUFS;
	}
	atomic_fetch_add_explicit(&dev->stats.tx_packets, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&dev->stats.tx_bytes, len, memory_order_relaxed);
	return 0;
}
