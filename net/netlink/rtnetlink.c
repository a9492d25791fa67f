/* SPDX-License-Identifier: BSD-2-Clause */
/* NETLINK_ROUTE requests (rtnetlink(7)): who answers which. */
#include "rtnl.h"

int rtnl_request(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	if (r->nlh->nlmsg_len >= NLMSG_LENGTH(1))
		r->family = *(u8 *)NLMSG_DATA((struct nlmsghdr *)r->nlh);
	switch (r->nlh->nlmsg_type) {
	case RTM_GETLINK:
		return rtnl_get_link(r, m, cursor);
	case RTM_NEWLINK:
	case RTM_SETLINK:
		return rtnl_change_link(r);
	case RTM_GETADDR:
		return rtnl_get_addr(r, m, cursor);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return rtnl_change_addr(r);
	case RTM_GETROUTE:
		return rtnl_get_route(r, m, cursor);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return rtnl_change_route(r);
	case RTM_GETRULE:
		return rtnl_get_rule(r, m, cursor);
	case RTM_GETNEIGH:
		return rtnl_get_neigh(r, m, cursor);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return rtnl_change_neigh(r);
	case RTM_GETQDISC:
	case RTM_GETNEIGHTBL:
	case RTM_GETNETCONF:
	case RTM_GETADDRLABEL:
	case RTM_GETMULTICAST:
	case RTM_GETANYCAST:
	case RTM_GETNEXTHOP: /* there are none of these */
		return r->dump ? 0 : -EOPNOTSUPP;
	}
	return -EOPNOTSUPP;
}
