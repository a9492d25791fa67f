/* SPDX-License-Identifier: BSD-2-Clause */
/* PACKET_RX_RING (packet(7)): frames go into memory that the application has mapped. TPACKET_V3 is cut into
 * blocks (packet_block.c), V1 and V2 into frames of one size, headed by struct tpacket_hdr or tpacket2_hdr,
 * whose status word says whose it is. We fill the next one when its status is TP_STATUS_KERNEL, and store
 * TP_STATUS_USER last; the application gives it back by storing zero. What the application writes is believed
 * for nothing else.
 *
 * Pages are single ones: a block need not be contiguous here, for everything is copied through ring_write(),
 * and a status word never lies across two pages because frames are aligned to 16. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/vm.h"
#include "net/sockfile.h"
#include "ring.h"

#define RING_BYTES_MAX (256u << 20)

static u32 header_length(int version)
{
	return version == TPACKET_V1   ? TPACKET_HDRLEN
	       : version == TPACKET_V2 ? TPACKET2_HDRLEN
				       : TPACKET3_HDRLEN; /* with sockaddr_ll */
}

int packet_ring_header(int version)
{
	switch (version) {
	case TPACKET_V1:
		return sizeof(struct tpacket_hdr);
	case TPACKET_V2:
		return sizeof(struct tpacket2_hdr);
	case TPACKET_V3:
		return sizeof(struct tpacket3_hdr);
	}
	return -EINVAL;
}

static u64 frame_at(const struct packet_ring *r, u32 i)
{
	return (u64)(i / r->per_block) * r->block_size + (u64)(i % r->per_block) * r->frame_size;
}

void ring_write(struct packet_ring *r, u64 off, const void *data, u32 n)
{
	const u8 *from = data;

	while (n) {
		u32 part = min(n, (u32)(PAGE_SIZE - (off & (PAGE_SIZE - 1))));

		memcpy(ring_at(r, off), from, part);
		off += part;
		from += part;
		n -= part;
	}
}

void ring_write_packet(struct packet_ring *r, u64 off, const struct packet *p, u32 n)
{
	for (u32 done = 0; done < n;) {
		u32 part = min(n - done, (u32)(PAGE_SIZE - (off & (PAGE_SIZE - 1))));

		packet_copy_bits(p, done, ring_at(r, off), part);
		off += part;
		done += part;
	}
}

static u64 status_of(const struct packet_ring *r, u32 i)
{
	u8 *h = ring_at(r, frame_at(r, i));

	return r->version == TPACKET_V1 ? __atomic_load_n((unsigned long *)h, __ATOMIC_ACQUIRE)
					: __atomic_load_n((u32 *)h, __ATOMIC_ACQUIRE);
}

static void set_status(struct packet_ring *r, u32 i, u32 status)
{
	u8 *h = ring_at(r, frame_at(r, i));

	if (r->version == TPACKET_V1)
		__atomic_store_n((unsigned long *)h, status, __ATOMIC_RELEASE);
	else
		__atomic_store_n((u32 *)h, status, __ATOMIC_RELEASE);
}

/* All of the header but its status, which is its first member. */
static void write_header(struct packet_ring *r, u64 off, const struct packet_note *n, u32 keep, u16 mac,
			 u16 net)
{
	u64 sec = n->stamp / NSEC_PER_SEC, nsec = n->stamp % NSEC_PER_SEC;

	if (r->version == TPACKET_V1) {
		struct tpacket_hdr h = {.tp_len = n->len,
					.tp_snaplen = keep,
					.tp_mac = mac,
					.tp_net = net,
					.tp_sec = (u32)sec,
					.tp_usec = (u32)(nsec / 1000)};

		ring_write(r, off + sizeof(h.tp_status), &h.tp_len, sizeof(h) - sizeof(h.tp_status));
		ring_write(r, off + TPACKET_ALIGN(sizeof(h)), &n->from, sizeof(n->from));
	} else {
		struct tpacket2_hdr h = {.tp_len = n->len,
					 .tp_snaplen = keep,
					 .tp_mac = mac,
					 .tp_net = net,
					 .tp_sec = (u32)sec,
					 .tp_nsec = (u32)nsec};

		ring_write(r, off + sizeof(h.tp_status), &h.tp_len, sizeof(h) - sizeof(h.tp_status));
		ring_write(r, off + TPACKET_ALIGN(sizeof(h)), &n->from, sizeof(n->from));
	}
}

bool packet_ring_put(struct packet_sock *k, struct packet_ring *r, const struct packet *p, u32 keep,
		     struct packet_note *n)
{
	u32 net = (u32)TPACKET_ALIGN(r->header + 16u) + r->reserve, mac = net - n->net, i;
	bool room;
	u64 off;

	if (k->s.type == SOCK_DGRAM)
		mac = net = (u32)TPACKET_ALIGN(r->header) + 16u + r->reserve;
	if (r->version == TPACKET_V3)
		return packet_block_put(k, r, p, keep, n, mac, net);
	if (mac + keep > r->frame_size)
		keep = mac < r->frame_size ? r->frame_size - mac : 0;
	net_lock(&r->lock);
	i = r->next;
	room = status_of(r, i) == TP_STATUS_KERNEL;
	if (room) {
		off = frame_at(r, i);
		ring_write_packet(r, off + mac, p, keep);
		write_header(r, off, n, keep, (u16)mac, (u16)net);
		set_status(r, i,
			   TP_STATUS_USER | TP_STATUS_TS_SOFTWARE | n->status |
				   (atomic_load_explicit(&k->drops, memory_order_relaxed) ? TP_STATUS_LOSING
											  : 0));
		r->next = i + 1 == r->frames ? 0 : i + 1;
	}
	net_unlock(&r->lock);
	if (room)
		socket_wake(&k->s, EPOLLIN | EPOLLRDNORM);
	return room;
}

bool packet_ring_readable(const struct packet_ring *r)
{
	u32 next = READ_ONCE(r->next);

	if (r->version == TPACKET_V3)
		return packet_block_readable(r);
	return status_of(r, next ? next - 1 : r->frames - 1) != TP_STATUS_KERNEL;
}

static void free_pages(struct packet_ring *r)
{
	for (u32 i = 0; i < r->npages; i++)
		page_put(r->pages[i]);
	kfree(r);
}

static void ring_rcu_free(struct rcu_head *h)
{
	free_pages(container_of(h, struct packet_ring, rcu));
}

static int check(const struct packet_sock *k, const struct tpacket_req3 *q)
{
	u32 per_block;

	if ((s32)q->tp_block_size <= 0 || q->tp_block_size & (PAGE_SIZE - 1))
		return -EINVAL;
	if (k->reserve > q->tp_frame_size || q->tp_frame_size < header_length(k->version) + k->reserve ||
	    q->tp_frame_size & (TPACKET_ALIGNMENT - 1))
		return -EINVAL;
	per_block = q->tp_block_size / q->tp_frame_size;
	if (!per_block || q->tp_block_size > ~0u / q->tp_block_nr ||
	    (u64)per_block * q->tp_block_nr != q->tp_frame_nr)
		return -EINVAL;
	if (k->version == TPACKET_V3 && packet_block_check(k, q))
		return -EINVAL;
	return q->tp_block_size * q->tp_block_nr > RING_BYTES_MAX ? -ENOMEM : 0;
}

/* ERR_PTR(-ENOMEM, ...). */
static struct packet_ring *create(const struct packet_sock *k, const struct tpacket_req3 *q)
{
	u32 npages;
	struct packet_ring *r;
	int err = check(k, q);

	if (err)
		return ERR_PTR(err);
	npages = q->tp_block_size * q->tp_block_nr / (u32)PAGE_SIZE;
	r = kzalloc(sizeof(*r) + npages * sizeof(r->pages[0]));
	if (!r)
		return ERR_PTR(-ENOMEM);
	spin_init(&r->lock);
	r->version = k->version;
	r->frame_size = q->tp_frame_size;
	r->block_size = q->tp_block_size;
	r->per_block = q->tp_block_size / q->tp_frame_size;
	r->blocks = q->tp_block_nr;
	r->frames = q->tp_frame_nr;
	r->header = header_length(k->version);
	r->reserve = k->reserve;
	for (; r->npages < npages; r->npages++) {
		struct page *p = page_alloc(0, PAGE_ZERO);

		if (!p) {
			free_pages(r);
			return ERR_PTR(-ENOMEM);
		}
		r->pages[r->npages] = p;
	}
	if (r->version == TPACKET_V3)
		packet_block_begin(r, q);
	return r;
}

int packet_ring_set(struct packet_sock *k, const void *val, int len)
{
	struct packet_ring *new = NULL, *old;
	struct tpacket_req3 q = {};
	int err = 0, size;

	mutex_lock(&k->ring_lock);
	size = k->version == TPACKET_V3 ? sizeof(q) : sizeof(struct tpacket_req);
	if (len < size) {
		mutex_unlock(&k->ring_lock);
		return -EINVAL;
	}
	memcpy(&q, val, (size_t)size); /* V3's request begins like the others' */
	old = k->ring;
	if (k->mapped || (q.tp_block_nr && old)) {
		err = -EBUSY;
	} else if (!q.tp_block_nr && q.tp_frame_nr) {
		err = -EINVAL;
	} else if (q.tp_block_nr) {
		new = create(k, &q);
		if (IS_ERR(new))
			err = (int)PTR_ERR(new);
	}
	if (!err) {
		rcu_assign_pointer(k->ring, new);
		if (old)
			rcu_call(&old->rcu, ring_rcu_free);
	}
	mutex_unlock(&k->ring_lock);
	if (!err && new)
		rx_queue_purge(&k->s, &k->rx);
	return err;
}

u32 packet_ring_freezes(struct packet_sock *k)
{
	struct packet_ring *r;
	u32 n = 0;

	net_enter();
	r = rcu_dereference(k->ring);
	if (r) {
		net_lock(&r->lock);
		n = r->freezes;
		r->freezes = 0;
		net_unlock(&r->lock);
	}
	net_leave();
	return n;
}

void packet_ring_free(struct packet_sock *k)
{
	if (k->ring)
		free_pages(k->ring);
}

/* Mapping. The VMA's file keeps the socket, and `mapped` the ring. */

static struct packet_sock *sock_of(const struct vma *v)
{
	return packet_sk(v->file->priv);
}

static int ring_fault(struct vm_fault *f)
{
	const struct packet_ring *r = sock_of(f->vma)->ring;

	if (f->pgoff >= r->npages)
		return -EFAULT;
	f->page = r->pages[f->pgoff];
	page_get(f->page);
	return 0;
}

static void count_mapping(struct vma *v, u32 change)
{
	struct packet_sock *k = sock_of(v);

	mutex_lock(&k->ring_lock);
	k->mapped += change;
	mutex_unlock(&k->ring_lock);
}

static void ring_open(struct vma *v)
{
	count_mapping(v, 1);
}

static void ring_close(struct vma *v)
{
	count_mapping(v, ~0u);
}

static const struct vm_ops ring_vm_ops = {.fault = ring_fault, .open = ring_open, .close = ring_close};

int packet_mmap(struct socket *s, struct vma *v)
{
	struct packet_sock *k = packet_sk(s);
	int err = 0;

	mutex_lock(&k->ring_lock);
	if (v->pgoff || !k->ring || v->end - v->start != (u64)k->ring->npages << PAGE_SHIFT)
		err = -EINVAL;
	else
		k->mapped++;
	mutex_unlock(&k->ring_lock);
	if (!err)
		v->ops = &ring_vm_ops;
	return err;
}
