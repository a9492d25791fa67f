// SPDX-License-Identifier: BSD-2-Clause
/* Requests on a NETLINK_ROUTE socket, and what is read back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "host.h"
#include "net/netlink.h"
#include "sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sim_host h[2];
	static struct sim_link link;
	struct sim_link_params lp = {.delay_ns = 1000};
	u64 before = host_heap_live();
	struct socket *s;
	u8 *copy = malloc(size + 1);
	char buf[16384];

	memcpy(copy, data, size);
	sim_pair(&h[0], &h[1], &link, &lp, 1);
	s = socket_create(&h[0].net, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (IS_ERR(s))
		abort();
	sim_send(s, copy, size, 0);
	for (unsigned i = 0; i < 100 && sim_recv(s, buf, sizeof(buf), 0) > 0; i++)
		;
	socket_close(s);
	sim_run(100000000000ull);
	sim_pair_destroy(&h[0], &h[1], &link);
	free(copy);
	if (host_heap_live() != before)
		abort();
	return 0;
}
