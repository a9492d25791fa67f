/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling our own sockets that a packet of theirs could not be sent. Section. */
#pragma once

#include "net/packet.h"

struct net_stack;
/* P, at its IP header and never sent, has no reachable next hop: EHOSTUNREACH to its socket. Does not take P
 * over. */
void icmp_local_unreachable(struct net_stack *net, struct packet *p);
