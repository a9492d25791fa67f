/* SPDX-License-Identifier: BSD-2-Clause */
#include "listening.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util.h"

#define TABLE_LIMIT  (16u << 20)
#define STATE_LISTEN 0x0a
#define PORTS	     65536

/* ---- the kernel asked for listeners alone: as cheap beside ten thousand connections as beside none ---- */

static int send_request(int s, int family)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 q;
	} r = {.h = {.nlmsg_len = sizeof r,
		     .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		     .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	       .q = {.sdiag_family = (__u8)family,
		     .sdiag_protocol = IPPROTO_TCP,
		     .idiag_states = 1u << STATE_LISTEN}};

	return send(s, &r, sizeof r, 0) == sizeof r ? 0 : -errno;
}

/* Mark the ports of one family's listeners. 0 or -errno. */
static int mark_family(int s, int family, unsigned char *open)
{
	_Alignas(struct nlmsghdr) char buf[16384];
	int err = send_request(s, family);

	while (!err) {
		ssize_t n = recv(s, buf, sizeof buf, 0);
		unsigned left = n > 0 ? (unsigned)n : 0;

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		for (struct nlmsghdr *h = (struct nlmsghdr *)buf; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left)) {
			const struct inet_diag_msg *d = NLMSG_DATA(h);

			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				return h->nlmsg_len >= NLMSG_LENGTH(sizeof(int)) ? *(const int *)NLMSG_DATA(h)
										 : -EIO;
			if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY && h->nlmsg_len >= NLMSG_LENGTH(sizeof *d) &&
			    d->idiag_state == STATE_LISTEN)
				open[ntohs(d->id.idiag_sport)] = 1;
		}
	}
	return err;
}

static int mark_by_netlink(unsigned char *open)
{
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), err;

	if (s < 0)
		return -errno;
	err = mark_family(s, AF_INET, open);
	if (!err) {
		err = mark_family(s, AF_INET6, open);
		if (err == -ENOENT)
			err = 0; /* a kernel without IPv6 */
	}
	close(s);
	return err;
}

/* ---- a Linux without that: the tables as text ---- */

/* Each line: "  sl  local_address rem_address   st ...", addresses as HEX:PORT. */
static void mark_table(const char *path, unsigned char *open)
{
	char *text = read_file(path, TABLE_LIMIT, NULL);
	unsigned local, state;

	for (const char *p = text; p && (p = strchr(p, '\n'));) {
		p++;
		if (sscanf(p, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &local, &state) == 2 &&
		    state == STATE_LISTEN && local < PORTS)
			open[local] = 1;
	}
	free(text);
}

bool listening_all(const int *ports, int n)
{
	unsigned char *open;
	bool all = true;

	if (!n)
		return true;
	open = calloc(PORTS, 1);
	if (!open)
		return false;
	if (mark_by_netlink(open)) {
		mark_table("/proc/net/tcp", open);
		mark_table("/proc/net/tcp6", open);
	}
	for (int i = 0; i < n; i++)
		all = all && ports[i] >= 0 && ports[i] < PORTS && open[ports[i]];
	free(open);
	return all;
}
