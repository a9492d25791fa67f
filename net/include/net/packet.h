/* SPDX-License-Identifier: BSD-2-Clause */
/* Working on struct packet (net/netdev.h): headers are pushed and pulled at data; payload may lie in
 * fragments. Any context; allocation by net_alloc. */
#pragma once

#include "base/iter.h"
#include "base/refcount.h"
#include "net/netdev.h"

#define PACKET_HEADROOM 128 /* link, IPv6 and a device header */

static inline u32 packet_linear(const struct packet *p)
{
	return (u32)(p->tail - p->data);
}

static inline u8 *packet_push(struct packet *p, u32 n) /* the caller knows that headroom is there */
{
	p->data -= n;
	p->len += n;
	return p->data;
}

static inline u8 *packet_put(struct packet *p, u32 n) /* linear packets with tailroom */
{
	u8 *at = p->tail;

	p->tail += n;
	p->len += n;
	return at;
}

static inline u32 packet_headroom(const struct packet *p)
{
	return (u32)(p->data - p->head);
}

static inline u8 *packet_network(const struct packet *p)
{
	return p->head + p->network_off;
}

static inline u8 *packet_transport(const struct packet *p)
{
	return p->head + p->transport_off;
}

/* What P costs in memory: the figure that socket buffers are charged with. */
static inline u32 packet_truesize(const struct packet *p)
{
	return (u32)(sizeof(*p) + (size_t)(p->end - p->head)) + (p->len - packet_linear(p)) + p->extra;
}

/* Make the first N bytes linear. False when P is shorter or memory is out. Moves data: reload pointers. */
bool __must_check packet_pull_linear(struct packet *p, u32 n);
static inline bool __must_check packet_may_pull(struct packet *p, u32 n)
{
	return likely(packet_linear(p) >= n) || packet_pull_linear(p, n);
}
/* Drop N bytes in front (N <= len), fragments included. */
void packet_advance(struct packet *p, u32 n);
/* Cut to LEN bytes. */
void packet_trim(struct packet *p, u32 len);
void packet_copy_bits(const struct packet *p, u32 off, void *dst, u32 n);
/* Bytes copied: less than N only on a fault of the iterator's memory. */
size_t packet_copy_to_iter(const struct packet *p, u32 off, struct iter *it, size_t n);
/* A linear copy with HEADROOM in front; NULL on no memory. */
struct packet *packet_copy(const struct packet *p, u32 headroom);
/* Unfolded Internet checksum of N bytes from OFF, added to SUM. */
u32 packet_csum(const struct packet *p, u32 off, u32 n, u32 sum);

/* Shared payload memory: what a sender's queue, packets in flight and a loopback receiver's queue refer to at
 * once. */
struct netbuf {
	struct refcount ref;
	u32 size;
	struct list_head node; /* on its sender's queue */
	u32 start, end;	       /* of data: what the sender still keeps, what is filled; its socket lock */
	u8 data[];
};
struct netbuf *netbuf_alloc(u32 size) __must_check; /* thread context; may reclaim */
void netbuf_put(struct netbuf *b);
/* Append bytes of B to P as a fragment (takes a reference). False when P has no slot. */
bool packet_add_netbuf(struct packet *p, struct netbuf *b, u32 off, u32 len);

static inline struct packet *packet_next(struct packet *p)
{
	return list_entry(p->node.next, struct packet, node);
}
void packet_queue_purge(struct list_head *q);
