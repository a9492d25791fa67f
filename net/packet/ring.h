/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the two forms of rings: frames (packet_ring.c) and blocks (packet_block.c). */
#pragma once

#include "kernel/page.h"
#include "net/af_packet.h"

struct packet_ring {
	struct rcu_head rcu;
	struct spinlock lock; /* guards where it is filled; taken in sections */
	u8 version;
	u32 frame_size, per_block, block_size, blocks, frames;
	u32 header, reserve;
	u32 next; /* TPACKET_V1, V2: frame to fill */
	/* TPACKET_V3: */
	u32 private_bytes, timeout_ms;
	u32 block, fill;     /* block being filled, and where the next packet goes in it */
	u32 packets, last;   /* in that block; where the last one begins */
	u64 sequence, stamp; /* of blocks; of the last packet */
	bool frozen;	     /* the application has not given the block back yet */
	u32 freezes;
	u32 npages;
	struct page *pages[];
};

static inline u8 *ring_at(const struct packet_ring *r, u64 off)
{
	return (u8 *)page_to_virt(r->pages[off >> PAGE_SHIFT]) + (off & (PAGE_SIZE - 1));
}

void ring_write(struct packet_ring *r, u64 off, const void *data, u32 n);
void ring_write_packet(struct packet_ring *r, u64 off, const struct packet *p, u32 n);

/* packet_block.c: as packet_ring_...() */
int packet_block_check(const struct packet_sock *k, const struct tpacket_req3 *q);
void packet_block_begin(struct packet_ring *r, const struct tpacket_req3 *q);
bool packet_block_put(struct packet_sock *k, struct packet_ring *r, const struct packet *p, u32 keep,
		      const struct packet_note *n, u32 mac, u32 net);
bool packet_block_readable(const struct packet_ring *r);
