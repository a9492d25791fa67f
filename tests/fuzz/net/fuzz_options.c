// SPDX-License-Identifier: BSD-2-Clause
/* Socket options by any number, length and value, on a connection's two ends, a listener, a datagram and a
 * raw socket, while bytes go from end to end. The input is a list of records: what to do (low three bits: the
 * socket, bit 3: read the option instead, bit 4: send and receive afterwards, bit 5: a step of time), the
 * level's index, the option, a length, and so many bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "host.h"
#include "kernel/clock.h"
#include "net/tcp.h"
#include "sim.h"

enum { CLIENT, SERVER, LISTENER, DATAGRAM, RAW, SIX, SOCKETS };

static const int levels[] = {SOL_SOCKET, SOL_IP, SOL_IPV6, SOL_TCP, SOL_UDP, SOL_RAW};

static void option(struct socket *s, bool get, int level, int opt, const u8 *val, int len)
{
	u8 buf[512] = {};
	int room = len;

	memcpy(buf, val, (size_t)len);
	if (!get) {
		if (level == SOL_SOCKET)
			socket_set_option(s, opt, buf, len);
		else
			s->ops->setsockopt(s, level, opt, buf, len);
		return;
	}
	if (level == SOL_SOCKET)
		socket_get_option(s, opt, buf, &room);
	else
		s->ops->getsockopt(s, level, opt, buf, &room);
	if (room > len) /* no more is told than there is room for */
		abort();
}

static void converse(struct socket **s)
{
	char buf[4096] = "";

	sim_send(s[CLIENT], buf, 1000, 0);
	sim_send(s[SERVER], buf, 3000, MSG_MORE);
	sim_sendto(s[DATAGRAM], buf, 100, IP4(10, 0, 0, 2), 9);
	sim_run(50 * NSEC_PER_MSEC);
	sim_recv(s[CLIENT], buf, sizeof(buf), 0);
	sim_recv(s[SERVER], buf, sizeof(buf), 0);
}

static void open_sockets(struct sim_host *h, struct socket **s)
{
	s[LISTENER] = sim_socket(&h[1].net, AF_INET, SOCK_STREAM);
	sim_bind(s[LISTENER], 0, 80);
	s[LISTENER]->ops->listen(s[LISTENER], 5);
	s[CLIENT] = sim_socket(&h[0].net, AF_INET, SOCK_STREAM);
	sim_connect(s[CLIENT], IP4(10, 0, 0, 2), 80);
	sim_run(30 * NSEC_PER_MSEC);
	s[SERVER] = s[LISTENER]->ops->accept(s[LISTENER], true);
	s[DATAGRAM] = sim_socket(&h[0].net, AF_INET, SOCK_DGRAM);
	s[RAW] = socket_create(&h[0].net, AF_INET, SOCK_RAW, 253);
	s[SIX] = sim_socket(&h[0].net, AF_INET6, SOCK_STREAM);
	for (unsigned i = 0; i < SOCKETS; i++)
		if (IS_ERR(s[i]))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sim_host h[2];
	static struct sim_link link;
	struct sim_link_params lp = {.delay_ns = NSEC_PER_MSEC, .ipv6 = true};
	struct socket *s[SOCKETS];
	u64 before = host_heap_live();

	sim_pair(&h[0], &h[1], &link, &lp, 1);
	open_sockets(h, s);
	while (size >= 4) {
		u8 what = data[0];
		int n = (int)min((size_t)data[3], size - 4);

		option(s[(what & 7) % SOCKETS], what & 8, levels[data[1] % ARRAY_SIZE(levels)], data[2],
		       data + 4, n);
		if (what & 16)
			converse(s);
		if (what & 32)
			sim_run(300 * NSEC_PER_MSEC);
		data += 4 + n;
		size -= 4 + (size_t)n;
	}
	for (unsigned i = 0; i < SOCKETS; i++) {
		struct linger none = {0, 0}; /* nobody here waits in close */

		socket_set_option(s[i], SO_LINGER, &none, sizeof(none));
		socket_close(s[i]);
	}
	sim_run(2000 * NSEC_PER_SEC);
	for (unsigned i = 0; i < 2; i++)
		if (atomic_load(&h[i].net.tcp->sockets) || atomic_load(&h[i].net.mem_used))
			abort();
	sim_pair_destroy(&h[0], &h[1], &link);
	if (host_heap_live() != before)
		abort();
	return 0;
}
