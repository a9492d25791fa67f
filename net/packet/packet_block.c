/* SPDX-License-Identifier: BSD-2-Clause */
/* TPACKET_V3: packets of their own length one behind the other in blocks. A block is handed over when it is
 * full, or some time after its first packet came; then the next one is filled, if the application has given
 * it back: else the ring is frozen, and packets are dropped until it has. */
#include "base/bits.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "ring.h"

#define ALIGNMENT	8u
#define BLOCK_HEADER	((u32)ALIGN_UP(sizeof(struct tpacket_block_desc), (size_t)ALIGNMENT))
#define DEFAULT_TIMEOUT 8 /* ms */

static u64 first_packet(u32 private_bytes)
{
	return BLOCK_HEADER + ALIGN_UP((u64)private_bytes, (u64)ALIGNMENT);
}

int packet_block_check(const struct packet_sock *k, const struct tpacket_req3 *q)
{
	return first_packet(q->tp_sizeof_priv) + TPACKET3_HDRLEN + k->reserve > q->tp_block_size ? -EINVAL
												 : 0;
}

static u32 *status_at(const struct packet_ring *r, u32 block)
{
	return (u32 *)ring_at(r, (u64)block * r->block_size +
					 offsetof(struct tpacket_block_desc, hdr.bh1.block_status));
}

static bool in_use(const struct packet_ring *r, u32 block)
{
	return __atomic_load_n(status_at(r, block), __ATOMIC_ACQUIRE) != TP_STATUS_KERNEL;
}

static struct tpacket_bd_ts time_of(u64 stamp)
{
	return (struct tpacket_bd_ts){.ts_sec = (u32)(stamp / NSEC_PER_SEC),
				      .ts_nsec = (u32)(stamp % NSEC_PER_SEC)};
}

static void open_block(struct packet_ring *r)
{
	struct tpacket_block_desc d = {.version = TPACKET_V3, .offset_to_priv = BLOCK_HEADER};

	r->fill = (u32)first_packet(r->private_bytes);
	r->packets = 0;
	r->frozen = false;
	d.hdr.bh1 = (struct tpacket_hdr_v1){.block_status = TP_STATUS_KERNEL,
					    .offset_to_first_pkt = r->fill,
					    .blk_len = r->fill,
					    .seq_num = ++r->sequence,
					    .ts_first_pkt = time_of(clock_realtime())};
	ring_write(r, (u64)r->block * r->block_size, &d, sizeof(d));
}

/* The block goes to the application, and the next one is opened if it can be. */
static void close_block(struct packet_ring *r, u32 status)
{
	u64 base = (u64)r->block * r->block_size;
	struct tpacket_bd_ts last = time_of(r->stamp);
	u32 none = 0;

	ring_write(r, base + r->last + offsetof(struct tpacket3_hdr, tp_next_offset), &none, sizeof(none));
	ring_write(r, base + offsetof(struct tpacket_block_desc, hdr.bh1.num_pkts), &r->packets, sizeof(u32));
	ring_write(r, base + offsetof(struct tpacket_block_desc, hdr.bh1.blk_len), &r->fill, sizeof(u32));
	ring_write(r, base + offsetof(struct tpacket_block_desc, hdr.bh1.ts_last_pkt), &last, sizeof(last));
	__atomic_store_n(status_at(r, r->block), TP_STATUS_USER | status, __ATOMIC_RELEASE);
	r->block = r->block + 1 == r->blocks ? 0 : r->block + 1;
	if (in_use(r, r->block)) {
		r->frozen = true;
		r->freezes++;
	} else {
		open_block(r);
	}
}

static void time_out(struct net_timer *t)
{
	struct packet_sock *k = container_of(t, struct packet_sock, block_timer);
	struct packet_ring *r = rcu_dereference(k->ring);
	bool wake = false;

	atomic_store(&k->block_armed, false);
	if (r && r->version == TPACKET_V3) {
		net_lock(&r->lock);
		wake = !r->frozen && r->packets;
		if (wake)
			close_block(r, TP_STATUS_BLK_TMO);
		net_unlock(&r->lock);
	}
	if (wake)
		socket_wake(&k->s, EPOLLIN | EPOLLRDNORM);
	socket_put(&k->s);
}

/* The running timer holds the socket. It may be left from an earlier block: that one is then handed over
 * early. */
static void arm(struct packet_sock *k, const struct packet_ring *r)
{
	if (atomic_exchange(&k->block_armed, true))
		return;
	socket_get(&k->s);
	if (!k->block_timer.fn)
		net_timer_init(&k->block_timer, time_out);
	net_timer_set(&k->block_timer, clock_monotonic() + r->timeout_ms * NSEC_PER_MSEC);
}

void packet_block_begin(struct packet_ring *r, const struct tpacket_req3 *q)
{
	r->private_bytes = q->tp_sizeof_priv;
	r->timeout_ms = q->tp_retire_blk_tov ? q->tp_retire_blk_tov : DEFAULT_TIMEOUT;
	open_block(r);
}

static void place(struct packet_ring *r, const struct packet *p, u32 keep, const struct packet_note *n,
		  u32 mac, u32 net, u32 total)
{
	u64 at = (u64)r->block * r->block_size + r->fill;
	struct tpacket3_hdr h = {.tp_next_offset = total,
				 .tp_sec = (u32)(n->stamp / NSEC_PER_SEC),
				 .tp_nsec = (u32)(n->stamp % NSEC_PER_SEC),
				 .tp_snaplen = keep,
				 .tp_len = n->len,
				 .tp_status = TP_STATUS_USER | TP_STATUS_TS_SOFTWARE | n->status,
				 .tp_mac = (u16)mac,
				 .tp_net = (u16)net};

	ring_write(r, at, &h, sizeof(h));
	ring_write(r, at + TPACKET_ALIGN(sizeof(h)), &n->from, sizeof(n->from));
	ring_write_packet(r, at + mac, p, keep);
	r->last = r->fill;
	r->stamp = n->stamp;
	r->fill += total;
	r->packets++;
}

bool packet_block_put(struct packet_sock *k, struct packet_ring *r, const struct packet *p, u32 keep,
		      const struct packet_note *n, u32 mac, u32 net)
{
	u32 most = r->block_size - (u32)first_packet(r->private_bytes), total;
	bool closed = false, room;

	if (mac > most)
		return false;
	keep = min(keep, most - mac);
	total = (u32)min(ALIGN_UP(mac + keep, ALIGNMENT), most);
	net_lock(&r->lock);
	if (r->frozen && !in_use(r, r->block))
		open_block(r);
	if (!r->frozen && r->fill + total > r->block_size) {
		close_block(r, 0);
		closed = true;
	}
	room = !r->frozen;
	if (room)
		place(r, p, keep, n, mac, net, total);
	net_unlock(&r->lock);
	if (room)
		arm(k, r);
	if (closed)
		socket_wake(&k->s, EPOLLIN | EPOLLRDNORM);
	return room;
}

bool packet_block_readable(const struct packet_ring *r)
{
	u32 block = READ_ONCE(r->block);

	return in_use(r, block ? block - 1 : r->blocks - 1);
}
