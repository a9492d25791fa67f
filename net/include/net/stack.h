/* SPDX-License-Identifier: BSD-2-Clause */
/* One TCP/IP stack: interfaces, addresses, routes, neighbours, protocol tables, figures. The kernel has one
 * (net_default); the simulator makes several. Configuration (interfaces, addresses, routes) is changed under
 * cfg_lock, inside a section (net/context.h), and read under RCU. */
#pragma once

#include "base/list.h"
#include "base/siphash.h"
#include "kernel/rcu.h"
#include "kernel/spinlock.h"
#include "net/addr.h"
#include "net/context.h"
#include "net/mib.h"
#include "net/netdev.h"
#include "net/packet.h"

#define NET_MAX_DEVS 32

struct route;
struct neigh;
struct neigh_table;
struct frag_table;
struct pmtu_table;
struct tcp_stack;
struct udp_stack;
struct raw_stack;
struct dhcp_client;
struct ip6_stack;

/* An address of an interface. Freed after a grace period. */
struct if_addr {
	struct rcu_head rcu;
	struct if_addr *next;
	struct net_addr addr, broadcast, peer;
	u8 plen;  /* of the family's own address: 24, not 120 */
	u8 scope; /* RT_SCOPE_* */
	u8 flags; /* IFA_F_*; TENTATIVE and DEPRECATED change in place, under the IPv6 configuration's lock */
	char label[16];
	u64 dad_until;			  /* a tentative address becomes ours then */
	u64 valid_until, preferred_until; /* CLOCK_MONOTONIC ns; ~0: for ever */
};

/* A multicast group that an interface receives (core/multicast.c). Guarded by net->cfg_lock; freed after a
 * grace period. */
#define IF_GROUP_SOURCES 8
struct if_group {
	struct rcu_head rcu;
	struct if_group *next;
	struct net_addr addr;
	u32 users; /* members that want all sources */
	u8 nsources;
	u8 changes;    /* how often the filter is still to be told */
	bool answer;   /* a query is to be answered */
	u64 report_at; /* 0: nothing to tell */
	struct {
		struct net_addr addr;
		u32 users;
	} sources[IF_GROUP_SOURCES]; /* of members that want these only */
};

/* net/'s part of an interface: netdev.inet. */
struct net_if {
	struct net_stack *net;
	struct netdev *dev;
	struct if_addr *addrs;	 /* RCU list, in the order that they were added; changed under cfg_lock */
	struct if_group *groups; /* RCU list */
	struct net_timer report_timer;			/* for groups; set under cfg_lock */
	u64 igmp_v1_until, igmp_v2_until, mld_v1_until; /* an older router was heard */
	u32 txqlen, metric;
	u32 reachable_ms;
	struct neigh *last_neigh; /* the one used last, while it is on the table; its lock */
	struct dhcp_client *dhcp;
	struct net_poll polls[]; /* dev->nqueues */
};

static inline struct net_if *net_if(const struct netdev *dev)
{
	return dev->inet;
}

struct net_stack {
	struct siphash_key hash_key; /* connection and neighbour tables */
	struct siphash_key isn_key, cookie_key;
	struct spinlock cfg_lock;
	struct netdev *devs[NET_MAX_DEVS]; /* by index - 1; only ever added */
	unsigned ndevs;
	struct netdev *lo;
	struct route *routes[2]; /* IPv4, IPv6: RCU list, longest prefix first, then lowest metric */
	_Atomic u32 route_gen;	 /* changes when a cached look-up may be stale */
	struct neigh_table *neigh;
	struct frag_table *frags;
	struct pmtu_table *pmtu;
	struct tcp_stack *tcp;
	struct udp_stack *udp;
	struct raw_stack *raw;
	struct ip6_stack *ip6; /* NULL: IPv6 is not offered */
	_Atomic u64 mib[MIB_MAX];
	_Atomic u16 ip_id[64];
	_Atomic u32 port_next; /* one counter for all destinations; the keyed hash hides it from each */

	/* Figures that an administrator may change (/proc/sys/net). */
	u8 default_ttl;
	u16 port_low, port_high; /* ephemeral ports */
	u32 somaxconn;
	u32 rmem_default, wmem_default, rmem_max, wmem_max;
	u32 tcp_rmem[3], tcp_wmem[3];
	struct tcp_tunables {
		u32 keepalive_time, keepalive_intvl, fin_timeout; /* seconds */
		u32 keepalive_probes, retries2, syn_retries, synack_retries;
		u32 orphan_retries; /* 0: TCP_ORPHAN_RETRIES */
		u32 timestamps, sack, window_scaling, syncookies, slow_start_after_idle;
		u32 fastopen; /* TCP_FO_* (net/tcp.h) */
		u32 ecn;      /* 0 never, 1 asked for, 2 granted */
		u32 notsent_lowat, abort_on_overflow, moderate_rcvbuf;
		const struct tcp_cc *cc;
	} tcp_conf;
	u32 nonlocal_bind, bindv6only, echo_ignore_all, unix_dgram_qlen;
	/* Sees every frame that comes or goes, data at its link header if the device has one; NULL: nobody
	 * wants to. KIND: PACKET_HOST ... PACKET_OUTGOING. Section. Does not take P over. */
	void (*tap)(struct netdev *dev, struct packet *p, u8 kind);
	u64 mem_limit; /* bytes that socket buffers may hold in all */
	_Atomic u64 mem_used;
	_Atomic u64 icmp_tokens; /* rate limit: see icmp.c */
	_Atomic u64 icmp_stamp;

	/* What configuration learnt, for /proc/net/pnp and the host name. Guarded by cfg_lock. */
	u32 dns[3];
	char domain[64], hostname[64], search[256]; /* search: names with spaces between */
	u32 ntp, boot_server;
	/* ... by way of IPv6, until then (CLOCK_MONOTONIC ns; ~0: for ever) */
	struct net_addr dns6[3];
	char search6[256];
	u64 dns6_until, search6_until;
};

extern struct net_stack net_default;

int net_stack_init(struct net_stack *net) __must_check;
void net_stack_destroy(struct net_stack *net); /* all sockets closed, no traffic; the simulator's end */
/* Add DEV (name, mac, mtu, features, ops set). NAME's "%d" form is not used: an empty name becomes ethN.
 * -ENOSPC, -ENOMEM. */
int net_add_device(struct net_stack *net, struct netdev *dev);
int net_device_up(struct netdev *dev, bool up);
struct netdev *net_device_find(struct net_stack *net, const char *name);
static inline struct netdev *net_device_by_index(struct net_stack *net, u32 index)
{
	return index - 1 < NET_MAX_DEVS ? READ_ONCE(net->devs[index - 1]) : NULL;
}
/* Send a complete frame (loopback: a bare IP packet): checksums and segments in software what the device
 * cannot. Section. */
int netdev_send(struct netdev *dev, struct packet *p);
/* A received IP packet, data at its IP header. Section. */
void net_ip_input(struct packet *p);
int loopback_create(struct net_stack *net);
/* core/rxmode.c: one more (1) or one less (-1) wants all frames, or all groups, that reach DEV. Any context.
 */
void netdev_promiscuity(struct netdev *dev, int change);
void netdev_allmulti(struct netdev *dev, int change);
/* core/link.c: changes by an administrator. Thread context. */
int netdev_set_mtu(struct netdev *dev, u32 mtu);		/* -EINVAL */
int netdev_set_mac(struct netdev *dev, const u8 mac[6]);	/* -EOPNOTSUPP, -EADDRNOTAVAIL, -EIO */
int netdev_rename(struct netdev *dev, const char *name);	/* -EBUSY (it is up), -EINVAL, -EEXIST */
void netdev_user_mode(struct netdev *dev, u32 mask, u32 flags); /* IFF_PROMISC, IFF_ALLMULTI */
static inline void netdev_tap(struct netdev *dev, struct packet *p, u8 kind)
{
	void (*fn)(struct netdev *, struct packet *, u8) = READ_ONCE(net_if(dev)->net->tap);

	if (unlikely(fn))
		fn(dev, p, kind);
}

static inline void mib_add(struct net_stack *net, enum mib_index i, u64 n)
{
	atomic_fetch_add_explicit(&net->mib[i], n, memory_order_relaxed);
}
#define mib_inc(net, i) mib_add(net, i, 1)

/* Addresses of interfaces (core/address.c). PLEN of the family. -EEXIST, -ENOMEM, -EINVAL. */
int if_addr_add(struct netdev *dev, const struct if_addr *a);
int if_addr_del(struct netdev *dev, const struct net_addr *addr, int plen); /* plen -1: any. -EADDRNOTAVAIL */
void if_addr_flush(struct netdev *dev, bool v4);
/* First IPv4 address of DEV, 0 if none. RCU. */
const struct if_addr *if_addr_first(const struct netdev *dev, bool v4);
/* Is ADDR one of this host's own? DEV, if not NULL, gets the interface. RCU. */
bool net_addr_is_local(struct net_stack *net, const struct net_addr *addr, struct netdev **dev);
bool net_addr_is_broadcast(struct net_stack *net, u32 v4, const struct netdev *dev); /* DEV NULL: any */
/* Multicast membership of an interface, counted: of all sources (SOURCE NULL) or of one. */
int if_group_join(struct netdev *dev, const struct net_addr *group,
		  const struct net_addr *source); /* -ENOMEM */
int if_group_leave(struct netdev *dev, const struct net_addr *group,
		   const struct net_addr *source); /* -EADDRNOTAVAIL */
bool if_group_member(const struct netdev *dev, const struct net_addr *group);

/* Charge N bytes of socket buffer to the stack; false when that would exceed the limit and FORCE is not set.
 */
bool net_mem_charge(struct net_stack *net, u64 n, bool force);
/* Bytes that one receiver may hold now: a quarter of what nobody holds, so that many get equal shares and
 * something is left for those who come later; LEAST in any case. */
static inline u64 net_mem_share(struct net_stack *net, u32 least)
{
	u64 used = atomic_load_explicit(&net->mem_used, memory_order_relaxed);

	return max(used < net->mem_limit ? (net->mem_limit - used) / 4 : 0, (u64)least);
}
void net_mem_uncharge(struct net_stack *net, u64 n);
