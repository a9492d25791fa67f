/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 beyond what it shares with IPv4 (net/ip.h). */
#pragma once

#include "net/ip.h"

/* Tell the routers of DEV about a group (MLD, RFC 2710). */
void mld_group_changed(struct netdev *dev, const struct net_addr *group, bool joined);
int ip6_stack_init(struct net_stack *net); /* from here on IPv6 is offered. -ENOMEM */
void ip6_stack_destroy(struct net_stack *net);
