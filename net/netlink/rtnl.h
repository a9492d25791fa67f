/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of NETLINK_ROUTE. */
#pragma once

#include "base/err.h"
#include "base/string.h"
#include "net/abi.h"
#include "net/ip.h"
#include "net/netlink.h"

#define IFLA_MAX_ 64

/* A message built for R, or for nobody in particular (a notification): whom and what it answers. */
struct rtnl_to {
	u32 portid, seq;
	u16 flags, type;
};
static inline struct rtnl_to rtnl_answer(const struct nl_request *r, u16 type)
{
	return (struct rtnl_to){r->portid, r->nlh->nlmsg_seq, r->answer_flags, type};
}

static inline void *rtnl_begin(struct nl_msg *m, const struct rtnl_to *to, size_t payload)
{
	return nl_begin(m, to->portid, to->seq, to->type, to->flags, payload);
}

static inline size_t rtnl_addr_len(u8 family)
{
	return family == AF_INET ? 4 : 16;
}

static inline const void *rtnl_addr_bytes(const struct net_addr *a)
{
	return addr_is_v4(a) ? (const void *)&a->w[3] : (const void *)a;
}

static inline u8 rtnl_family(const struct net_addr *a)
{
	return addr_is_v4(a) ? AF_INET : AF_INET6;
}

static inline void rtnl_put_addr(struct nl_msg *m, u16 type, const struct net_addr *a)
{
	nl_attr(m, type, rtnl_addr_bytes(a), rtnl_addr_len(rtnl_family(a)));
}

/* False: too short. */
static inline bool rtnl_load_addr(u8 family, const struct nlattr *a, struct net_addr *out)
{
	u32 v4;

	if (nl_len(a) < rtnl_addr_len(family))
		return false;
	if (family == AF_INET) {
		memcpy(&v4, nl_data(a), 4);
		*out = addr_v4(v4);
	} else {
		memcpy(out, nl_data(a), 16);
	}
	return true;
}

static inline u32 rtnl_load_u32(const struct nlattr *a)
{
	u32 v = 0;

	memcpy(&v, nl_data(a), min(nl_len(a), sizeof(v)));
	return v;
}

/* The request's attributes behind its header of HEADER bytes. -EINVAL. */
static inline int rtnl_parse(struct nl_request *r, size_t header, const struct nlattr **at, unsigned max)
{
	const u8 *body = NLMSG_DATA((struct nlmsghdr *)r->nlh);

	if (r->nlh->nlmsg_len < NLMSG_LENGTH(header))
		return nl_refuse(r, -EINVAL, "Invalid header for request");
	return nl_parse(body + ALIGN_UP(header, 4ul), r->nlh->nlmsg_len - NLMSG_LENGTH(ALIGN_UP(header, 4ul)),
			at, max);
}

/* The header of a request that is long enough to have one, else NULL. */
static inline const void *rtnl_header(const struct nl_request *r, size_t header)
{
	return r->nlh->nlmsg_len < NLMSG_LENGTH(header) ? NULL : NLMSG_DATA((struct nlmsghdr *)r->nlh);
}

/* Each: one request, or a page of a dump, as rtnl_request(). */
int rtnl_get_link(struct nl_request *r, struct nl_msg *m, u64 *cursor);
int rtnl_change_link(struct nl_request *r);
int rtnl_get_addr(struct nl_request *r, struct nl_msg *m, u64 *cursor);
int rtnl_change_addr(struct nl_request *r);
int rtnl_get_route(struct nl_request *r, struct nl_msg *m, u64 *cursor);
int rtnl_change_route(struct nl_request *r);
int rtnl_get_rule(struct nl_request *r, struct nl_msg *m, u64 *cursor);
int rtnl_get_neigh(struct nl_request *r, struct nl_msg *m, u64 *cursor);
int rtnl_change_neigh(struct nl_request *r);
