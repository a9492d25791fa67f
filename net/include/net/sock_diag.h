/* SPDX-License-Identifier: BSD-2-Clause */
/* NETLINK_SOCK_DIAG (sock_diag(7)): sockets by family, protocol and state, as ss(8) asks for them. Between
 * its files. */
#pragma once

#include "net/inet.h"
#include "net/netlink.h"
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>

/* One request: a dump continues at *CURSOR and returns 1 while there is more; else 0 or -errno. */
typedef int (*sock_diag_fn)(struct nl_request *r, struct nl_msg *m, u64 *cursor);
int sock_diag_request(struct nl_request *r, struct nl_msg *m, u64 *cursor);
/* Q: the request, or what an older one amounts to; its attributes are AFTER. */
int inet_diag_request(struct nl_request *r, struct nl_msg *m, u64 *cursor, const struct inet_diag_req_v2 *q,
		      const void *after);
void sock_diag_serve_unix(sock_diag_fn fn); /* at boot */

/* What a filter program (INET_DIAG_REQ_BYTECODE) looks at. */
struct inet_diag_entry {
	u8 family;
	const struct net_addr *laddr, *faddr;
	u16 lport, fport;
	bool bound_port; /* the user chose lport */
	u32 bound_if, mark;
};

/* inet_diag_filter.c: 0 when LEN bytes at CODE are a sound program, else -EINVAL; run only sound ones. */
int inet_diag_filter_check(const void *code, size_t len);
bool inet_diag_filter_run(const void *code, size_t len, const struct inet_diag_entry *e);
