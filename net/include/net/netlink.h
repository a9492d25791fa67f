/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_NETLINK, NETLINK_ROUTE (netlink(7), rtnetlink(7)): requests are answered within sendmsg; answers wait on
 * the socket's queue. Link and address changes are also sent to sockets that joined the groups. */
#pragma once

#include "kernel/mutex.h"
#include "net/socket.h"
#include <linux/netlink.h>

struct netlink_sock {
	struct socket s;
	u32 portid;	 /* 0: not bound */
	u32 groups;	 /* RTMGRP_* bits */
	u64 more_groups; /* RTNLGRP_* above 32 */
	u32 dst_portid, dst_groups;
	bool pktinfo, ext_ack, strict, cap_ack;
	struct mutex dump_lock;	   /* one request at a time */
	struct netlink_dump *dump; /* a dump that did not fit yet; dump_lock */
	struct rx_queue rx;
	struct list_head node;
};

/* A message under construction, in a packet. */
struct nl_msg {
	struct packet *p;
	u8 *hdr; /* of the message begun last */
	bool overflow;
};

/* netlink_msg.c. Each does nothing more once the packet is full: nl_end() tells. */
bool nl_alloc(struct nl_msg *m, size_t size);
void *nl_begin(struct nl_msg *m, u32 portid, u32 seq, u16 type, u16 flags, size_t payload);
void nl_attr(struct nl_msg *m, u16 type, const void *data, size_t len);
void nl_attr_u8(struct nl_msg *m, u16 type, u8 v);
void nl_attr_u32(struct nl_msg *m, u16 type, u32 v);
void nl_attr_str(struct nl_msg *m, u16 type, const char *s);
size_t nl_nest(struct nl_msg *m, u16 type);
void nl_nest_end(struct nl_msg *m, size_t at);
bool nl_end(struct nl_msg *m); /* false: it did not fit and was taken back */

/* Attributes of a request: pointers into it by type; types above MAX are skipped. -EINVAL when malformed. */
int nl_parse(const void *data, size_t len, const struct nlattr **attrs, unsigned max);
static inline const void *nl_data(const struct nlattr *a)
{
	return a + 1;
}
static inline size_t nl_len(const struct nlattr *a)
{
	return a->nla_len - sizeof(*a);
}

/* rtnetlink.c: handle one request. A dump continues at *CURSOR and returns 1 while there is more; else 0 or
 * -errno (for the acknowledgement). */
struct nl_request {
	struct netlink_sock *sk;
	const struct nlmsghdr *nlh;
	u32 portid;
	bool dump, privileged;
	u8 family;
	u16 answer_flags;
	const char *why; /* it was refused, in words (NETLINK_EXT_ACK); NULL: nothing to add */
};
static inline int nl_refuse(struct nl_request *r, int err, const char *why)
{
	r->why = why;
	return err;
}
int rtnl_request(struct nl_request *r, struct nl_msg *out, u64 *cursor);
/* Tell the listeners of GROUP (RTNLGRP_*) about a link or address. Section. */
void rtnl_notify_link(struct netdev *dev);
void rtnl_notify_addr(struct netdev *dev, const struct if_addr *a, bool added);
void rtnl_notify_route(struct net_stack *net, const void *route, bool added);
struct neigh_info;
void rtnl_notify_neigh(const struct neigh_info *n, bool removed);
void netlink_broadcast(struct net_stack *net, struct nl_msg *m, unsigned group);
bool netlink_has_listeners(unsigned group);
/* Queue DATA for the reader of S as a message of the kernel's. 0, -EINVAL (no netlink socket), -ENOMEM. N 0:
 * only look. */
int netlink_post_socket(struct socket *s, const void *data, size_t n);
/* The same for an open file (net/socket/file.c), for mq_notify(2); -ENOTSOCK. */
struct file;
int netlink_post(struct file *f, const void *data, size_t n);
void netlink_for_each(void (*fn)(struct netlink_sock *, void *), void *arg);
