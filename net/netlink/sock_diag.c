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

int sock_diag_request(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	const struct sock_diag_req *q = NLMSG_DATA((struct nlmsghdr *)r->nlh);

	if (r->nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return r->nlh->nlmsg_type == SOCK_DESTROY ? -EOPNOTSUPP : -EINVAL;
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
		return inet_diag_request(r, m, cursor);
	}
	return q->sdiag_family >= AF_MAX_ ? -EINVAL : -ENOENT;
}
