/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw and ping sockets (raw(7), icmp(7)). */
#pragma once

#include "net/inet.h"

struct raw_sock {
	struct inet_sock inet;
	struct rx_queue rx;
	struct hnode node;
	bool connected, ping;
	u32 icmp_filter;
	u32 icmp6_filter[8];
	int checksum_offset; /* IPV6_CHECKSUM; -1: none */
};

struct raw_stack {
	struct spinlock lock; /* guards the lists; readers RCU */
	struct hlist raw, ping;
};

int raw_stack_init(struct net_stack *net);
void raw_stack_destroy(struct net_stack *net);
struct socket *raw_create(struct net_stack *net, int family, int protocol);
struct socket *ping_create(struct net_stack *net, int family);
void ping_input(struct net_stack *net,
		struct packet *p); /* an echo reply, data at the ICMP header. Does not take P over */
void raw_for_each(struct net_stack *net, void (*fn)(struct raw_sock *, void *), void *arg);
