/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot-time and link-time configuration of interfaces: the kernel word ip=, DHCP. Thread context or boot. */
#pragma once

#include "net/stack.h"

/* A new interface of net_default: configure it as ip= says, once INIT_NET has come. */
void net_configure_device(struct netdev *dev);
void net_config_link_changed(struct netdev *dev, bool up);
void net_ip6_device_changed(struct netdev *dev, bool up);

/* Name servers (NULL: leave them) and search domains (NULL) that a router or DHCPv6 told, for so many SECONDS
 * (0: forget them; ~0: for ever). Section. */
void net_dns6_set(struct net_stack *net, const struct net_addr *servers, unsigned n, const char *search,
		  u32 seconds);

/* DHCPv4 (RFC 2131) on one interface. Any context. */
int dhcp_start(struct netdev *dev); /* -ENOMEM */
void dhcp_stop(struct netdev *dev, bool release);
void dhcp_conflict(struct netdev *dev, u32 addr); /* another station uses ADDR. In a section */
/* A UDP packet for port 68, data at the UDP header's end. Section. Does not take P over. */
void dhcp_input(struct netdev *dev, struct packet *p, u32 src);
const char *dhcp_state(const struct netdev *dev);
