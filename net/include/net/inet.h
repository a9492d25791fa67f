/* SPDX-License-Identifier: BSD-2-Clause */
/* What all Internet sockets have: addresses, ports, IP options, multicast groups. AF_INET6 sockets keep IPv4
 * peers as v4-mapped addresses, so every protocol handles both families alike. */
#pragma once

#include "net/hlist.h"
#include "net/ip.h"
#include "net/socket.h"

struct in6_pktinfo_ { /* struct in6_pktinfo of the ABI (linux/ipv6.h) with our address type */
	struct net_addr addr;
	int ifindex;
} __packed; /* 20 bytes: no padding behind the index */

/* The sources that a member of a group takes (MCAST_INCLUDE) or refuses (MCAST_EXCLUDE). It never changes:
 * another one takes its place. */
struct inet_filter {
	struct rcu_head rcu;
	u8 mode, n;
	struct net_addr addr[];
};
#define INET_FILTER_V4 10 /* sources at most, as Linux's igmp_max_msf and mld_max_msf */
#define INET_FILTER_V6 64

struct inet_member { /* a group that a socket joined; changed under the socket lock, read under RCU */
	struct rcu_head rcu;
	struct inet_member *next;
	struct inet_filter *filter;
	struct net_addr group;
	u32 ifindex;
};

enum inet_flag {
	INETF_V6ONLY = 1 << 0,
	INETF_RECVTTL = 1 << 1,
	INETF_RECVTOS = 1 << 2,
	INETF_PKTINFO = 1 << 3,
	INETF_RECVERR = 1 << 4,
	INETF_HDRINCL = 1 << 5,
	INETF_MC_NOLOOP = 1 << 6,
	INETF_MC_NOT_ALL = 1 << 7,
	INETF_FREEBIND = 1 << 8,
	INETF_PKTINFO6 = 1 << 9,
	INETF_RECVHOPLIMIT = 1 << 10,
	INETF_RECVTCLASS = 1 << 11,
	INETF_RECVERR6 = 1 << 12,
	INETF_BOUND_PORT = 1 << 13, /* the user chose the port (or it was accepted there) */
	INETF_BOUND_ADDR = 1 << 14,
	INETF_TRANSPARENT = 1 << 15,
	INETF_BIND_NO_PORT = 1 << 16,
	INETF_RECVORIGDST = 1 << 17,
	INETF_RECVOPTS = 1 << 18,
	INETF_DONTFRAG6 = 1 << 19,
	INETF_AUTOFLOWLABEL = 1 << 20,
	INETF_RECVFRAGSIZE = 1 << 21,
	INETF_MC6_NOLOOP = 1 << 22,
	INETF_MC6_NOT_ALL = 1 << 23,
	INETF_ACCEPTED = 1 << 24,     /* its port is its listener's: gone with the connection */
	INETF_PKTINFO6_OLD = 1 << 25, /* RFC 2292's names, which iputils still uses */
	INETF_RECVHOPLIMIT_OLD = 1 << 26,
	/* ... what a receiver may be told besides */
	INETF_CONTROL = INETF_RECVTTL | INETF_RECVTOS | INETF_PKTINFO | INETF_PKTINFO6 | INETF_RECVHOPLIMIT |
			INETF_RECVTCLASS | INETF_RECVORIGDST | INETF_PKTINFO6_OLD | INETF_RECVHOPLIMIT_OLD,
};

struct inet_sock {
	struct socket s;
	struct net_addr laddr; /* receives for; any until bound or connected */
	struct net_addr faddr; /* any until connected */
	u16 lport, fport;      /* host order; 0: none */
	_Atomic u32 flags;
	/* A dual-stack socket sends either with its own settings. ttl, hops6 0: the default */
	u8 ttl, tos, mc_ttl, hops6, tclass, mc_hops6;
	u8 pmtudisc; /* IP_PMTUDISC_* */
	u8 min_ttl;
	u32 mc_if, mc_if6; /* interface index for multicast output */
	u32 mc_src;	   /* IPv4's source for multicast output, if not any */
	u32 scope;	   /* interface of a link-local peer */
	u32 zerocopy_next; /* number of the next MSG_ZEROCOPY send */
	struct inet_member *groups;
	struct hnode port_node; /* on its protocol's port table */
};

static inline struct inet_sock *inet_sk(struct socket *s)
{
	return container_of(s, struct inet_sock, s);
}
static inline bool inet_flag(const struct inet_sock *i, u32 f)
{
	return atomic_load_explicit(&((struct inet_sock *)i)->flags, memory_order_relaxed) & f;
}
static inline void inet_set_flag(struct inet_sock *i, u32 f, bool on)
{
	if (on)
		atomic_fetch_or_explicit(&i->flags, f, memory_order_relaxed);
	else
		atomic_fetch_and_explicit(&i->flags, ~f, memory_order_relaxed);
}

void inet_init(struct inet_sock *i, struct net_stack *net, const struct socket_ops *ops, int family, int type,
	       int protocol);
/* Parse a sockaddr of the socket's family. -EINVAL, -EAFNOSUPPORT, -ENETUNREACH (v4-mapped on a V6ONLY
 * socket). */
int inet_parse(struct inet_sock *i, const struct sockaddr *sa, int len, struct net_addr *addr, u16 *port,
	       u32 *scope);
/* Fill a sockaddr of FAMILY; returns its length. */
int inet_fill(int family, const struct net_addr *addr, u16 port, u32 scope, struct sockaddr *sa);
int inet_getname(struct socket *s, struct sockaddr *sa, bool peer);
/* May the socket bind to ADDR? 0 or -EADDRNOTAVAIL. */
int inet_check_bind(struct inet_sock *i, const struct net_addr *addr, u32 scope);
/* The address of bind(2) of TCP and UDP: parsed and checked. */
int inet_parse_bind(struct inet_sock *i, const struct sockaddr *sa, int len, struct net_addr *addr, u16 *port,
		    u32 *scope);
int inet_setsockopt(struct socket *s, int level, int opt, const void *val, int len);
int inet_getsockopt(struct socket *s, int level, int opt, void *val, int *len);
/* The flow for sending from I to DST with the socket's options; control messages of M (may be NULL) override.
 * 0, -errno. */
int inet_flow(struct inet_sock *i, const struct net_addr *dst, u8 proto, const struct net_msg *m,
	      struct ip_flow *f);
/* Add the control messages that I asked for about P, and its sender's address. PORT: the sender's. */
void inet_recv_info(struct inet_sock *i, struct net_msg *m, struct packet *p, u16 port);
/* Does I want a multicast packet from SRC to GROUP that came in on IFINDEX? */
bool inet_wants_group(struct inet_sock *i, const struct net_addr *group, const struct net_addr *src,
		      u32 ifindex);
void inet_drop_groups(struct inet_sock *i);
/* inet_groups.c: the options about groups, of level IP or (V6) IPV6. Setting them needs the socket lock. */
int inet_set_group(struct inet_sock *i, bool v6, int opt, const void *val, int len);
int inet_get_filter(struct inet_sock *i, bool v6, int opt, void *val, int *len);
/* The control messages about a received packet that CB describes. */
void inet_put_control(struct inet_sock *i, struct net_msg *m, const struct ip_cb *cb);

/* Does I queue errors about what it sends to DST? Each family of destinations has its option. */
static inline bool inet_wants_errors(const struct inet_sock *i, const struct net_addr *dst)
{
	return inet_flag(i, addr_is_v4(dst) ? INETF_RECVERR : INETF_RECVERR6);
}
/* Put an ICMP error on I's error queue. PORT: of the destination it concerns. */
void inet_report_error(struct inet_sock *i, const struct icmp_error *e, const void *payload, u32 len,
		       u16 port);
/* The same for a refusal of our own, if I wants to hear of it. */
void inet_local_error(struct inet_sock *i, int err, const struct net_addr *dst, u16 port, u32 info);
/* A send with MSG_ZEROCOPY is done: its bytes were copied, so the application may reuse them at once, and
 * hears so on the error queue. */
void inet_zerocopy_done(struct inet_sock *i);
/* SOF_TIMESTAMPING_TX_*: the LEN bytes at DATA leave now. */
void inet_report_sent(struct inet_sock *i, const void *data, u32 len);

/* Ports (core/ports.c): sockets by local port; RCU readers, changed under the slot's lock. */
#define PORT_SLOTS 256
struct port_table {
	bool tcp;
	struct port_slot {
		struct spinlock lock;
		struct hlist socks; /* inet_sock.port_node */
	} slot[PORT_SLOTS];
};
static inline struct port_slot *port_slot(struct port_table *t, u16 port)
{
	return &t->slot[(port ^ port >> 8) % PORT_SLOTS];
}
void port_table_init(struct port_table *t, bool tcp);
/* Bind I to ADDR and PORT (0: a free ephemeral one). -EADDRINUSE, -EACCES. */
int port_bind(struct port_table *t, struct inet_sock *i, const struct net_addr *addr, u16 port);
/* Enter I under its lport without any check (accepted connections). */
void port_insert(struct port_table *t, struct inet_sock *i);
/* TCP: I, bound, listens from now on. -EADDRINUSE: one that shares its port does so already. */
int port_listen(struct port_table *t, struct inet_sock *i);
void port_release(struct inet_sock *i);
/* Do I's address and B's receive some packet both? */
bool port_addr_overlap(const struct inet_sock *a, const struct net_addr *addr, const struct inet_sock *b);
/* What the program of BEST's reuse group (SO_ATTACH_REUSEPORT_CBPF), if it has one, says about P, of which it
 * sees what follows HDR bytes: the number of a socket in the order in which they came to CHAIN, newest first,
 * whose nodes lie at NODE in each. RCU. */
struct inet_sock *inet_group_choose(const struct hlist *chain, size_t node, struct inet_sock *best,
				    struct packet *p, u32 hdr);
/* Where the search for an ephemeral port begins for this flow (RFC 6056 3.3.3), and how many there are. */
u32 port_search_start(struct net_stack *net, const struct net_addr *src, const struct net_addr *dst,
		      u16 dport, u32 *count);
