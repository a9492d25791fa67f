// SPDX-License-Identifier: BSD-2-Clause
/* Requests on netlink sockets, NETLINK_ROUTE and NETLINK_SOCK_DIAG, and what is read back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "host.h"
#include "net/netlink.h"
#include "sim.h"

static void converse(struct net_stack *net, int protocol, const void *request, size_t size)
{
	struct socket *s = socket_create(net, AF_NETLINK, SOCK_RAW, protocol);
	char buf[16384];

	if (IS_ERR(s))
		abort();
	sim_send(s, request, size, 0);
	for (unsigned i = 0; i < 100 && sim_recv(s, buf, sizeof(buf), 0) > 0; i++)
		;
	socket_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sim_host h[2];
	static struct sim_link link;
	struct sim_link_params lp = {.delay_ns = 1000};
	u64 before = host_heap_live();
	u8 *copy = malloc(size + 1);
	struct socket *tcp, *udp;

	memcpy(copy, data, size);
	sim_pair(&h[0], &h[1], &link, &lp, 1);
	tcp = sim_socket(&h[0].net, AF_INET, SOCK_STREAM);
	udp = sim_socket(&h[0].net, AF_INET, SOCK_DGRAM);
	if (IS_ERR(tcp) || IS_ERR(udp) || sim_bind(tcp, 0, 80) || sim_bind(udp, 0, 80) ||
	    tcp->ops->listen(tcp, 5))
		abort();
	converse(&h[0].net, NETLINK_SOCK_DIAG, copy, size);
	converse(&h[0].net, NETLINK_ROUTE, copy, size);
	socket_close(tcp);
	socket_close(udp);
	sim_run(100000000000ull);
	sim_pair_destroy(&h[0], &h[1], &link);
	free(copy);
	if (host_heap_live() != before)
		abort();
	return 0;
}
