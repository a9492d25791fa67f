/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net, receiving. Buffers are pages; with MRG_RXBUF a frame takes as many as it needs, the first one
 * becoming the packet's linear part and the others its fragments, so nothing is copied. Frames of up to
 * COPY_BREAK bytes are copied instead, because a queue of small packets would otherwise hold a page each;
 * their page goes straight back to the device. The interrupt is off while polling. Everything here runs in
 * the queue's poll context, but the interrupt handler. */

#include "base/err.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/page.h"
#include "net.h"

#define HEADER_SIZE  ((u32)sizeof(struct virtio_net_hdr_mrg_rxbuf))
#define COPY_BREAK   256u
#define MIN_FRAME    14u
#define REFILL_RETRY (50 * NSEC_PER_MSEC)

DEFINE_COUNTER(net_rx_no_buffer, "times that no page was left for receiving");
DEFINE_COUNTER(net_rx_no_packet, "frames dropped because no packet could be allocated");
DEFINE_COUNTER(net_rx_bad_header, "frames dropped because the device described them wrongly");

static int give(struct net_queue *q, struct page *page)
{
	struct vq_segment seg = {page_to_phys(page), NET_BUF_SIZE};

	return vq_add(q->rx, &seg, 0, 1, page);
}

static void refill_later(struct timer *t)
{
	struct net_queue *q = container_of(t, struct net_queue, refill_timer);

	netdev_schedule_poll(&q->vn->netdev, q->index);
}

void net_rx_fill(struct net_queue *q)
{
	if (!q->refill_timer.fn)
		timer_init(&q->refill_timer, refill_later);
	while (q->rx->free_count) {
		struct page *page = page_alloc(0, PAGE_NORECLAIM);

		if (!page) {
			counter_inc(&net_rx_no_buffer);
			if (q->rx->free_count ==
			    q->rx->size) /* nothing outstanding: nothing would call us again */
				timer_set(&q->refill_timer, clock_monotonic() + REFILL_RETRY);
			break;
		}
		if (give(q, page)) {
			page_free(page, 0);
			break;
		}
	}
	vq_kick(q->rx);
}

static void free_linear(struct packet *p)
{
	page_free(virt_to_page(p->head), 0);
}

static void free_frag(struct packet_frag *f)
{
	page_free(f->priv, 0);
}

/* What the header says about checksum and segmentation. False when it cannot be true. */
static bool apply_header(struct packet *p, const struct virtio_net_hdr_mrg_rxbuf *h)
{
	u8 type = h->hdr.gso_type & (u8)~VIRTIO_NET_HDR_GSO_ECN;

	if (h->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if ((u32)h->hdr.csum_start + h->hdr.csum_offset + 2 > p->len)
			return false;
		p->ip_summed = PACKET_CSUM_PARTIAL;
		p->csum_start = h->hdr.csum_start;
		p->csum_offset = h->hdr.csum_offset;
	} else if (h->hdr.flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		p->ip_summed = PACKET_CSUM_VALID;
	}
	if (type == VIRTIO_NET_HDR_GSO_NONE)
		return true;
	if ((type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6) || !h->hdr.gso_size)
		return false;
	p->gso_type = type;
	p->gso_size = h->hdr.gso_size;
	return true;
}

static struct packet *copy_small(const u8 *frame, u32 len)
{
	struct packet *p = packet_alloc(0, len);

	if (!p)
		return NULL;
	memcpy(p->tail, frame, len);
	p->tail += len;
	p->len = len;
	return p;
}

static struct packet *wrap_page(struct page *page, u32 len)
{
	struct packet *p = packet_alloc(0, 0);

	if (!p)
		return NULL;
	p->head = page_to_virt(page);
	p->end = p->head + NET_BUF_SIZE;
	p->data = p->head + HEADER_SIZE;
	p->tail = p->head + len;
	p->len = len - HEADER_SIZE;
	p->free = free_linear;
	return p;
}

/* Take the N further buffers of a frame as fragments of P, or just take them when P is NULL. False when the
 * device has not returned them, or they hold nothing. */
static bool take_rest(struct net_queue *q, struct packet *p, unsigned n)
{
	bool ok = true;

	while (n--) {
		u32 len;
		struct page *page = vq_get(q->rx, &len);

		if (!page)
			return false;
		if (!p || !len || p->nfrags == PACKET_MAX_FRAGS) {
			ok = ok && !p;
			page_free(page, 0);
			continue;
		}
		p->frags[p->nfrags++] = (struct packet_frag){
			.data = page_to_virt(page), .len = len, .free = free_frag, .priv = page};
		p->len += len;
	}
	return ok;
}

/* One frame that starts in PAGE with LEN bytes, header included. NULL when it was dropped. */
static struct packet *build(struct net_queue *q, struct page *page, u32 len)
{
	struct virtio_net_hdr_mrg_rxbuf h;
	struct packet *p = NULL;
	unsigned more = 0;
	bool ok;

	if (len < HEADER_SIZE + MIN_FRAME) {
		counter_inc(&net_rx_bad_header);
		page_free(page, 0);
		return NULL;
	}
	memcpy(&h, page_to_virt(page), sizeof h);
	if (q->vn->mergeable)
		more = h.num_buffers ? h.num_buffers - 1u : 0;
	if (!more && len - HEADER_SIZE <= COPY_BREAK) {
		p = copy_small((u8 *)page_to_virt(page) + HEADER_SIZE, len - HEADER_SIZE);
		if (give(q, page))
			page_free(page, 0);
	} else {
		p = wrap_page(page, len);
		if (!p)
			page_free(page, 0);
	}
	if (!p)
		counter_inc(&net_rx_no_packet);
	ok = take_rest(q, p, more);
	if (p && (!ok || !apply_header(p, &h))) {
		counter_inc(&net_rx_bad_header);
		packet_free(p);
		p = NULL;
	}
	return p;
}

static int receive_some(struct net_queue *q, int budget)
{
	struct netdev *dev = &q->vn->netdev;
	struct page *page;
	int done = 0;
	u32 len;

	while (done < budget && (page = vq_get(q->rx, &len))) {
		struct packet *p = build(q, page, len);

		done++;
		if (p)
			netdev_receive(dev, p);
		else
			atomic_fetch_add_explicit(&dev->stats.rx_dropped, 1, memory_order_relaxed);
		if (q->rx->free_count >= q->rx->size / 2)
			net_rx_fill(q);
	}
	return done;
}

int net_rx_poll(struct net_queue *q, int budget)
{
	int done = 0;

	if (unlikely(READ_ONCE(q->vn->stopped)))
		return 0;
	net_tx_reclaim(q);
	do {
		vq_disable(q->rx);
		done += receive_some(q, budget - done);
		net_rx_fill(q);
	} while (done < budget && !vq_enable(q->rx) && !q->rx->broken);
	return done;
}

void net_rx_interrupt(struct virtqueue *vq)
{
	struct net_queue *q = vq->priv;

	if (!vq_pending(vq))
		return;
	vq_disable(vq);
	netdev_schedule_poll(&q->vn->netdev, q->index);
}
