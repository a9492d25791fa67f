/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP (RFC 768, 8085) and UDP-Lite (RFC 3828): the same sockets, whose length field says instead how much of
 * a datagram the checksum covers. */
#pragma once

#include "net/inet.h"

struct udp_header {
	u16 source, dest, len, check; /* network order */
} __packed;

struct udp_sock {
	struct inet_sock inet;
	struct rx_queue rx;
	bool connected;
	bool corked;
	struct packet *pending; /* being corked; socket lock */
	struct ip_flow cork_flow;
	u16 cork_port;
	u16 gso_size;
	bool gro;
	u16 send_coverage; /* UDP-Lite: bytes, header included; 0: all */
	u16 recv_coverage; /* ... at least in what is received, unless all is covered */
};

struct udp_stack {
	struct port_table ports, lite;
};

static inline struct port_table *udp_ports(struct net_stack *net, u8 protocol)
{
	return protocol == IPPROTO_UDPLITE ? &net->udp->lite : &net->udp->ports;
}

int udp_stack_init(struct net_stack *net);
void udp_stack_destroy(struct net_stack *net);
struct socket *udp_create(struct net_stack *net, int family, int protocol);
/* Call FN for every socket of PROTOCOL; RCU. */
void udp_for_each(struct net_stack *net, u8 protocol, void (*fn)(struct udp_sock *, void *), void *arg);
