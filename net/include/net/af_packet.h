/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_PACKET sockets (packet(7)): frames as they come and go. Between the files of net/packet/. Theory
 * statement: net/packet/packet_socket.c. */
#pragma once

#include "kernel/mutex.h"
#include "net/hlist.h"
#include "net/ip.h"
#include "net/socket.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>

struct packet_member { /* PACKET_ADD_MEMBERSHIP; socket lock */
	struct packet_member *next;
	struct packet_mreq mr;
	u32 count;
};

struct packet_sock {
	struct socket s;
	struct hnode node; /* on the list that the tap walks; changed under its lock */
	struct rx_queue rx;
	u16 protocol;		    /* EtherType, host order; 0: receives nothing, ETH_P_ALL: everything */
	u32 ifindex;		    /* 0: any */
	_Atomic u32 packets, drops; /* since PACKET_STATISTICS was last read */
	bool auxdata, origdev, ignore_outgoing, loss;
	u8 version; /* TPACKET_V1 ... */
	u32 reserve, copy_threshold, timestamp;
	struct packet_member *members;
	struct mutex ring_lock;	      /* guards setting up and mapping the ring */
	struct packet_ring *ring;     /* RCU */
	u32 mapped;		      /* mappings of the ring; ring_lock */
	struct net_timer block_timer; /* TPACKET_V3: a block is not kept for ever */
	_Atomic bool block_armed;
};

/* What a receiver is told about a frame; in packet.cb of those that are queued. */
struct packet_note {
	struct sockaddr_ll from;
	u32 status; /* TP_STATUS_* */
	u32 len;    /* of the whole frame */
	u64 stamp;  /* CLOCK_REALTIME ns */
	u16 net;    /* offset of the network header; 0 in SOCK_DGRAM */
};
_Static_assert(sizeof(struct packet_note) <= sizeof(((struct packet *)0)->cb), "a note fits a packet");

static inline struct packet_sock *packet_sk(struct socket *s)
{
	return container_of(s, struct packet_sock, s);
}

void packet_for_each(void (*fn)(struct packet_sock *, void *), void *arg); /* RCU */

/* packet_option.c */
int packet_setsockopt(struct socket *s, int level, int opt, const void *val, int len);
int packet_getsockopt(struct socket *s, int level, int opt, void *val, int *len);
void packet_drop_members(struct packet_sock *k);

/* packet_ring.c */
int packet_ring_set(struct packet_sock *k, const void *req, int len);
int packet_ring_header(int version); /* bytes, for PACKET_HDRLEN; -EINVAL */
/* Put KEEP bytes of P into the ring. False: no room. Section. */
bool packet_ring_put(struct packet_sock *k, struct packet_ring *r, const struct packet *p, u32 keep,
		     struct packet_note *n);
bool packet_ring_readable(const struct packet_ring *r);
void packet_ring_free(struct packet_sock *k);
u32 packet_ring_freezes(struct packet_sock *k); /* since they were last asked for */
struct file;
struct vma;
int packet_mmap(struct socket *s, struct vma *v);
