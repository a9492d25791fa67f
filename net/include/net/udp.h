/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP (RFC 768, 8085). */
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
};

struct udp_stack {
	struct port_table ports;
};

int udp_stack_init(struct net_stack *net);
void udp_stack_destroy(struct net_stack *net);
struct socket *udp_create(struct net_stack *net, int family);
/* Call FN for every UDP socket; RCU. */
void udp_for_each(struct net_stack *net, void (*fn)(struct udp_sock *, void *), void *arg);
