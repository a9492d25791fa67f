/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 is not offered: net_stack.ip6 stays NULL, socket(AF_INET6) gives EAFNOSUPPORT, and what arrives is
 * dropped. */
#include "base/err.h"
#include "net/config.h"
#include "net/ip6.h"

void ip6_input(struct packet *p)
{
	packet_free(p);
}

int ip6_output(struct net_stack *net, struct packet *p, const struct ip_flow *f)
{
	packet_free(p);
	return -ENETUNREACH;
}

void icmp6_input(struct net_stack *net, struct packet *p)
{
	packet_free(p);
}

void icmp6_send(struct net_stack *net, struct packet *p, u8 type, u8 code, u32 info)
{
}

void nd_solicit(struct netdev *dev, const struct net_addr *target, const u8 *mac)
{
}

void mld_group_changed(struct netdev *dev, const struct net_addr *group, bool joined)
{
}

void net_ip6_device_changed(struct netdev *dev, bool up)
{
}
