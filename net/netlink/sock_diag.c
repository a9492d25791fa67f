/* SPDX-License-Identifier: BSD-2-Clause */
/* NETLINK_SOCK_DIAG: requests to their family. AF_UNIX comes with its sockets, which need files; the host
 * library has neither. */
#include "base/err.h"
#include "net/sock_diag.h"

static sock_diag_fn unix_request;

void sock_diag_serve_unix(sock_diag_fn fn)
{
	unix_request = fn;
}

/* The request before there were families to ask; what has no handler sends ss(8) back to it. */
static int old_request(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	const struct inet_diag_req *o = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	struct inet_diag_req_v2 q;

	if (r->nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*o)))
		return -EINVAL;
	if (o->idiag_family != AF_INET && (o->idiag_family != AF_INET6 || !r->sk->s.net->ip6))
		return -ENOENT;
	q = (struct inet_diag_req_v2){.sdiag_family = o->idiag_family,
				      .sdiag_protocol = r->nlh->nlmsg_type == TCPDIAG_GETSOCK ? IPPROTO_TCP
											      : IPPROTO_DCCP,
				      .idiag_ext = o->idiag_ext,
				      .idiag_states = o->idiag_states,
				      .id = o->id};
	return inet_diag_request(r, m, cursor, &q, o + 1);
}

int sock_diag_request(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	const struct sock_diag_req *q = NLMSG_DATA((struct nlmsghdr *)r->nlh);

	switch (r->nlh->nlmsg_type) {
	case TCPDIAG_GETSOCK:
	case DCCPDIAG_GETSOCK:
		return old_request(r, m, cursor);
	case SOCK_DIAG_BY_FAMILY:
		break;
	case SOCK_DESTROY:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
	if (r->nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*q)))
		return -EINVAL;
	switch (q->sdiag_family) {
	case AF_UNIX:
		return unix_request ? unix_request(r, m, cursor) : -ENOENT;
	case AF_INET6:
		if (!r->sk->s.net->ip6)
			return -ENOENT;
		/* fall through */
	case AF_INET:
		return r->nlh->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_req_v2))
			       ? -EINVAL
			       : inet_diag_request(r, m, cursor, NLMSG_DATA((struct nlmsghdr *)r->nlh),
						   (u8 *)NLMSG_DATA((struct nlmsghdr *)r->nlh) +
							   sizeof(struct inet_diag_req_v2));
	}
	return q->sdiag_family >= AF_MAX_ ? -EINVAL : -ENOENT;
}
