/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 beyond what it shares with IPv4 (net/ip.h): neighbour discovery and address configuration (RFC 4861,
 * 4862), MLD. */
#pragma once

#include "net/ip.h"

#define IP6_HDR_LEN	40
#define IP6_MIN_MTU	1280
#define ND_HOPS		255 /* neighbour discovery comes from the link itself: nobody forwarded it */
#define IP6_ALL_NODES	((struct net_addr){.b = {0xff, 2, [15] = 1}})
#define IP6_ALL_ROUTERS ((struct net_addr){.b = {0xff, 2, [15] = 2}})

enum {
	ICMP6_UNREACH = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER = 4,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	MLD_QUERY = 130,
	MLD_REPORT = 131,
	MLD_DONE = 132,
	MLD_V2_REPORT = 143,
	ND_ROUTER_SOLICIT = 133,
	ND_ROUTER_ADVERT = 134,
	ND_SOLICIT = 135,
	ND_ADVERT = 136,
};
enum {
	ND_OPT_SOURCE = 1,
	ND_OPT_TARGET = 2,
	ND_OPT_PREFIX = 3,
	ND_OPT_MTU = 5,
	ND_OPT_RDNSS = 25,
	ND_OPT_DNSSL = 31,
};

struct icmp6_header {
	u8 type, code;
	u16 checksum;
	u32 info;
} __packed;

/* Address configuration of one interface; slaac.c. */
struct ip6_if {
	struct netdev *dev;
	struct spinlock lock;
	struct net_timer timer;
	u8 solicits_left; /* router solicitations */
	u64 solicit_at;
	bool up;
	/* DHCPv6 */
	bool dhcp6_asking;
	u8 dhcp6_tries;
	u32 dhcp6_xid;
	u64 dhcp6_at; /* ask (again) then; 0: nobody said that there is anything to ask for */
};

struct ip6_stack {
	struct ip6_if *ifs[NET_MAX_DEVS]; /* by interface index - 1 */
	bool accept_ra;
};

int ip6_stack_init(struct net_stack *net); /* from here on IPv6 is offered. -ENOMEM */
void ip6_stack_destroy(struct net_stack *net);

struct net_addr ip6_solicited_node(const struct net_addr *a);
/* Is GROUP one that DEV receives without being asked: all nodes, solicited-node groups of its addresses? RCU.
 */
bool ip6_own_group(const struct netdev *dev, const struct net_addr *group);

/* Complete and send an ICMPv6 message: P's data at its header. HOPS 0: the default. Takes over P. Section. */
int icmp6_transmit(struct net_stack *net, struct packet *p, struct ip_flow *f);
void icmp6_error_input(struct net_stack *net, struct packet *p);

/* nd.c: P's data at the ICMPv6 header, checked, linear. None takes P over. */
void nd_solicit_input(struct packet *p);
void nd_advert_input(struct packet *p);
void nd_solicit_from(struct netdev *dev, const struct net_addr *target, const struct net_addr *src,
		     const u8 *mac);
void nd_announce(struct netdev *dev, const struct net_addr *addr);
/* The link address option TYPE among the options in [P, END), or NULL; *BAD when they are malformed. */
const u8 *nd_option(const u8 *p, const u8 *end, u8 type, u8 *len, bool *bad);

/* slaac.c */
void slaac_router_advert(struct packet *p);
/* Somebody else has ADDR, which is tentative here. */
void slaac_duplicate(struct netdev *dev, const struct net_addr *addr);

void ip6_set_timer(struct ip6_if *i); /* after a deadline of I changed; its lock held */

/* dhcp6.c; I's lock held. */
void dhcp6_start(struct ip6_if *i);
void dhcp6_timer(struct ip6_if *i, u64 now);
/* A UDP packet for port 546, data behind the UDP header. True: it was for us. Does not take P over. */
bool dhcp6_input(struct netdev *dev, struct packet *p, const struct net_addr *src);

void mld_input(struct packet *p); /* MLD queries and reports */
