/* SPDX-License-Identifier: BSD-2-Clause */
/* The IP layer: routes, sending and receiving datagrams, ICMP errors. Everything here runs inside a section
 * (net/context.h) unless it says otherwise; look-ups are RCU readers. */
#pragma once

#include "net/stack.h"
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>

#define IP_MIN_MTU   68
#define IP_HDR_LEN   20
#define ETH_HDR_LEN  14
#define ETH_TYPE_IP4 0x0800
#define ETH_TYPE_ARP 0x0806
#define ETH_TYPE_IP6 0x86dd
#define IP_OFF_DF    0x4000
#define IP_OFF_MF    0x2000
#define IP_OFF_MASK  0x1fff
#define ICMP_HDR_LEN 8

/* RFC 792. (linux/icmp.h needs the C library.) */
enum {
	ICMP_ECHOREPLY = 0,
	ICMP_DEST_UNREACH = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETERPROB = 12,
	ICMP_TIMESTAMP = 13,
	ICMP_TIMESTAMPREPLY = 14,
};
enum { /* codes of ICMP_DEST_UNREACH */
       ICMP_NET_UNREACH,
       ICMP_HOST_UNREACH,
       ICMP_PROT_UNREACH,
       ICMP_PORT_UNREACH,
       ICMP_FRAG_NEEDED,
       ICMP_SR_FAILED,
       ICMP_NET_UNKNOWN,
       ICMP_HOST_UNKNOWN,
       ICMP_HOST_ISOLATED,
       ICMP_NET_ANO,
       ICMP_HOST_ANO,
       ICMP_NET_UNR_TOS,
       ICMP_HOST_UNR_TOS,
       ICMP_PKT_FILTERED,
       ICMP_PREC_VIOLATION,
       ICMP_PREC_CUTOFF,
       NR_ICMP_UNREACH = ICMP_PREC_CUTOFF,
};
#define ICMP_EXC_FRAGTIME 1

struct icmphdr {
	u8 type, code;
	u16 checksum;
	union {
		struct {
			u16 id, sequence;
		} echo;
		u32 gateway;
	} un;
};

struct eth_header {
	u8 dst[6], src[6];
	u16 type; /* network order */
} __packed;

/* What the IP layer tells the protocol about a received packet, in packet.cb. */
struct ip_cb {
	struct net_addr src, dst;
	u32 iif;
	u8 proto, ttl, tos, hdr_len;
	u64 stamp;	  /* CLOCK_REALTIME of arrival, or 0 */
	u16 sport, dport; /* UDP: host order */
	u16 covered;	  /* UDP-Lite: bytes under a checksum that does not cover all; else 0 */
};
static inline struct ip_cb *ip_cb(struct packet *p)
{
	return (struct ip_cb *)p->cb;
}

/* Routes. Also the record kept in the table. */
struct route {
	struct rcu_head rcu;
	struct route *next;
	struct net_addr dst, gateway, src; /* any: none */
	struct netdev *dev;
	u32 metric, mtu;
	u8 plen;		  /* of the family */
	u8 type, protocol, scope; /* RTN_*, RTPROT_*, RT_SCOPE_* */
	u64 expires;		  /* CLOCK_MONOTONIC ns; 0: never */
};

struct route_result {
	struct netdev *dev;
	struct net_addr nexthop;
	u32 mtu : 24;
	u32 type : 7; /* RTN_LOCAL, RTN_UNICAST, RTN_BROADCAST, RTN_MULTICAST */
	u32 gateway : 1;
	u32 gen; /* net->route_gen when it was looked up */
};

/* Find the way to DST. *SRC must be local unless it is any: then one is chosen; OIF 0: any interface.
 * -ENETUNREACH, -EHOSTUNREACH, -EACCES (prohibit), -EINVAL (blackhole). */
int route_lookup(struct net_stack *net, const struct net_addr *dst, struct net_addr *src, u32 oif,
		 struct route_result *out);
int route_add(struct net_stack *net, const struct route *r,
	      bool replace);					 /* -EEXIST, -ENOMEM, -ENETUNREACH */
int route_del(struct net_stack *net, const struct route *match); /* -ESRCH */
void route_flush_dev(struct net_stack *net, struct netdev *dev, bool v4);
void route_changed(struct net_stack *net);
void route_purge(struct net_stack *net);

/* A flow to send on. */
struct ip_flow {
	struct net_addr src, dst;
	u32 oif;
	u8 proto;
	u8 ttl; /* 0: the default of the destination's kind */
	u8 tos;
	bool df;       /* set Don't Fragment; too long is -EMSGSIZE */
	bool df_fit;   /* set Don't Fragment on what is short enough; the rest goes in fragments without */
	bool whole;    /* too long is -EMSGSIZE, whatever Don't Fragment says */
	bool dev_mtu;  /* the path's known MTU does not count */
	bool mc_loop;  /* a copy of multicast output for this host */
	bool confined; /* multicast that does not leave this host: its TTL is 0 */
	bool hdrincl;  /* the packet already holds its IP header */
	u32 flow_label;
	struct route_result rt;
};
/* Fill flow->rt and, if any, flow->src. Errors as route_lookup. */
int ip_route_flow(struct net_stack *net, struct ip_flow *f);
/* Send P, data at the transport header, on a routed flow. Takes over P. 0 or -errno (-EMSGSIZE, -ENOBUFS
 * ...). */
int ip_output(struct net_stack *net, struct packet *p, const struct ip_flow *f);
int ip4_output(struct net_stack *net, struct packet *p, const struct ip_flow *f);
int ip6_output(struct net_stack *net, struct packet *p, const struct ip_flow *f);
/* P at its IP header to ROUTE's next hop. */
int ip_transmit(struct packet *p, const struct route_result *rt);
u32 ip_flow_mtu(struct net_stack *net, const struct ip_flow *f); /* with the path's known MTU */

void ip4_input(struct packet *p);
void ip6_input(struct packet *p);
/* Give a checked, whole datagram (data at the transport header, ip_cb set) to its protocol. */
void ip_deliver(struct net_stack *net, struct packet *p);
int ip4_fragment(struct packet *p, u32 mtu, const struct route_result *rt);
/* Collect fragments; returns the whole datagram, or NULL while it is incomplete (P is taken over). */
struct packet *frag_reassemble(struct net_stack *net, struct packet *p, u32 id, u32 off, bool more,
			       u32 hdr_len);
int frag_init(struct net_stack *net);
void frag_destroy(struct net_stack *net);

/* Path MTU (RFC 1191, 8201). */
int pmtu_init(struct net_stack *net);
void pmtu_destroy(struct net_stack *net);
void pmtu_update(struct net_stack *net, const struct net_addr *dst, u32 mtu);
u32 pmtu_get(struct net_stack *net, const struct net_addr *dst, u32 link_mtu);

/* ICMP. icmp_send answers P (data anywhere, network_off at its IP header) with an error, rate limited. */
void icmp_input(struct net_stack *net, struct packet *p);
void icmp_send(struct net_stack *net, struct packet *p, u8 type, u8 code, u32 info);
bool icmp_rate_ok(struct net_stack *net); /* may another error be sent now? Takes a token */
void icmp6_input(struct net_stack *net, struct packet *p);
void icmp6_send(struct net_stack *net, struct packet *p, u8 type, u8 code, u32 info);
/* Port (v4 or v6) unreachable for P. */
void icmp_port_unreachable(struct net_stack *net, struct packet *p);

/* An ICMP error about a packet of ours, told to its protocol: addresses of the packet that was sent. */
struct icmp_error {
	struct net_addr src, dst; /* of the offending packet: src is ours */
	struct net_addr offender; /* who reports */
	u8 type, code;
	bool v6;
	int err;    /* errno */
	bool fatal; /* hard error */
	u32 mtu;    /* for "packet too big", else 0 */
	u32 iif;
	const struct ip_cb *cb; /* of the ICMP message; NULL: made here */
	const u8 *transport;	/* first bytes of the transport header: at least 8 */
	u32 transport_len;
};
void icmp_dispatch_error(struct net_stack *net, u8 proto, const struct icmp_error *e);
void tcp_icmp_error(struct net_stack *net, const struct icmp_error *e);
void udp_icmp_error(struct net_stack *net, u8 proto, const struct icmp_error *e);
void raw_icmp_error(struct net_stack *net, u8 proto, const struct icmp_error *e);

void tcp_input(struct net_stack *net, struct packet *p);
void udp_input(struct net_stack *net, struct packet *p);
/* Give copies to raw sockets; true when some socket wanted it. */
bool raw_input(struct net_stack *net, struct packet *p, u8 proto);

/* Neighbours (ARP, ND). */
int neigh_init(struct net_stack *net);
void neigh_destroy(struct net_stack *net);
/* Send the IP packet P on DEV to the neighbour NEXTHOP: Ethernet header, resolution, queueing. Takes over P.
 */
int neigh_output(struct netdev *dev, const struct net_addr *nexthop, struct packet *p);
/* What news of another link address do to a known one. */
enum neigh_override {
	NEIGH_DOUBT, /* it is to be checked at its next use (RFC 4861 7.2.5) */
	NEIGH_REPLACE,
	NEIGH_REPLACE_SETTLED, /* it is replaced unless it changed less than a second ago */
};
/* We learnt that ADDR is at MAC. CONFIRMED: it answered us. CREATE: make an entry. */
void neigh_update(struct netdev *dev, const struct net_addr *addr, const u8 mac[6], bool confirmed,
		  enum neigh_override override, bool create);
/* The peer answers on a higher layer: reachable. */
void neigh_confirm(struct netdev *dev, const struct net_addr *addr);
void neigh_flush_dev(struct netdev *dev);
struct neigh_info {
	struct netdev *dev;
	struct net_addr addr;
	u8 mac[6];
	u16 state;		      /* NUD_* */
	u64 confirmed, used, updated; /* CLOCK_MONOTONIC ns */
};
/* Call FN for every entry; stops when it returns false. RCU. */
void neigh_for_each(struct net_stack *net, bool (*fn)(const struct neigh_info *, void *), void *arg);
int neigh_set(struct netdev *dev, const struct net_addr *addr, const u8 mac[6],
	      u16 state);					   /* permanent or so; -ENOMEM */
int neigh_remove(struct netdev *dev, const struct net_addr *addr); /* -ENOENT */

void arp_input(struct packet *p); /* data at the ARP header */
/* Ask for TARGET; MAC NULL: broadcast. */
void arp_request(struct netdev *dev, u32 target, u32 source, const u8 *mac);
void arp_announce(struct netdev *dev, u32 addr);
void arp_probe(struct netdev *dev, u32 addr); /* does anybody use ADDR? He answers (RFC 5227) */
void nd_solicit(struct netdev *dev, const struct net_addr *target, const u8 *mac);

void igmp_input(struct net_stack *net, struct packet *p);
