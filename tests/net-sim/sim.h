/* SPDX-License-Identifier: BSD-2-Clause */
/* Deterministic network simulator: stacks of net/ in one process, joined by Ethernet links that lose, delay,
 * reorder, duplicate and corrupt frames by a seeded generator, in the shim's virtual time. One thread;
 * sockets are used without blocking. A run is a function of its seed. */
#pragma once

#include "net/socket.h"
#include "net/stack.h"

struct sim_rng {
	u64 s;
};
u64 sim_rand(struct sim_rng *r);
static inline u64 sim_range(struct sim_rng *r, u64 lo, u64 hi) /* both included */
{
	return lo + sim_rand(r) % (hi - lo + 1);
}
/* True with probability P in 10,000. */
static inline bool sim_chance(struct sim_rng *r, unsigned p)
{
	return p && sim_rand(r) % 10000 < p;
}

struct sim_link_params {
	u64 delay_ns, jitter_ns;	      /* one way; jitter reorders */
	unsigned loss, dup, corrupt, reorder; /* in 10,000 */
	u64 reorder_ns;			      /* how much later a reordered frame comes */
	u64 bits_per_second;		      /* 0: any */
	unsigned queue;			      /* frames that wait for a slow link; 0: any number */
	u32 mtu, features;
	bool ipv6; /* offer it, with fd00::1 and fd00::2 */
};

struct sim_host {
	struct net_stack net;
	struct netdev dev;
	struct sim_link *link;
	unsigned side;
};

struct sim_link {
	struct sim_link_params p;
	struct sim_rng rng;
	struct sim_host *end[2];
	u64 busy_until[2];
	unsigned queued[2];
	u64 frames, lost, duplicated, corrupted, reordered;
	u64 in_flight;
	bool down;
	u32 path_mtu;	/* a router in between drops longer IP packets; 0: none */
	bool blackhole; /* ... and does not say so */
	/* Look at, change or drop (false) a frame that SIDE sends; may be NULL. */
	bool (*filter)(struct sim_link *, unsigned side, u8 *frame, u32 len, void *arg);
	/* See every frame that SIDE sends, before the filter, and (DELIVERED) again when it comes out whole
	 * at the other end; may be NULL. */
	void (*observe)(struct sim_link *, unsigned side, const u8 *frame, u32 len, bool delivered,
			void *arg);
	void *filter_arg, *observe_arg;
	/* Takes frames for side 1 where that is no simulated host. */
	void (*outside)(struct sim_link *, const u8 *frame, u32 len);
};

/* Two hosts, 10.0.0.1 and 10.0.0.2, joined by LINK. */
void sim_pair(struct sim_host *a, struct sim_host *b, struct sim_link *link, const struct sim_link_params *p,
	      u64 seed);
/* One host, 10.0.0.1, whose link leads outside: LINK->outside takes what comes out, sim_from_outside() brings
 * what goes in. */
void sim_single(struct sim_host *a, struct sim_link *link, const struct sim_link_params *p, u64 seed);
void sim_from_outside(struct sim_link *l, const u8 *frame, u32 len);
void sim_pair_destroy(struct sim_host *a, struct sim_host *b, struct sim_link *link);
/* Run whatever is due until NS have passed. */
void sim_run(u64 ns);
/* Go to the next timer, at most NS ahead. */
void sim_step(u64 ns);

/* Non-blocking socket calls on kernel memory. */
struct socket *sim_socket(struct net_stack *net, int family, int type);
int sim_bind(struct socket *s, u32 v4, u16 port);
int sim_connect(struct socket *s, u32 v4, u16 port);
ssize_t sim_send(struct socket *s, const void *buf, size_t n, u32 flags);
ssize_t sim_recv(struct socket *s, void *buf, size_t n, u32 flags);
ssize_t sim_sendto(struct socket *s, const void *buf, size_t n, u32 v4, u16 port);
int sim_setopt(struct socket *s, int level, int opt, int v);
/* The address of host SIDE for sockets of S's family; returns its length. */
int sim_sockaddr(const struct socket *s, unsigned side, u16 port, struct __kernel_sockaddr_storage *ss);
/* Redo the TCP checksum of an IPv4 or IPv6 frame that was changed. */
void sim_fix_tcp_checksum(u8 *frame, u32 len);
