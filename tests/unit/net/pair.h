// SPDX-License-Identifier: BSD-2-Clause
/* What the tests between two simulated hosts share: the hosts and the link between them. */
#pragma once

#include "unit.h"

#include "base/err.h"
#include "kernel/clock.h"
#include "net/checksum.h"
#include "net/ip6.h"
#include "sim.h"

#define MS   NSEC_PER_MSEC
#define SEC  NSEC_PER_SEC
#define A_IP IP4(10, 0, 0, 1)
#define B_IP IP4(10, 0, 0, 2)

static struct sim_host *a, *b;
static struct sim_link link;
static u64 heap;

static void start_with(struct sim_link_params p)
{
	heap = host_heap_live();
	a = calloc(2, sizeof(*a));
	b = a + 1;
	sim_pair(a, b, &link, &p, 42);
}

/* Everything that was made has gone away by itself. */
static void end_pair(void)
{
	assert_int_equal(atomic_load(&a->net.mem_used), 0);
	assert_int_equal(atomic_load(&b->net.mem_used), 0);
	sim_pair_destroy(a, b, &link);
	free(a);
	assert_int_equal(host_heap_live(), heap);
}

static __maybe_unused struct socket *udp(struct sim_host *h, u16 port)
{
	struct socket *s = sim_socket(&h->net, AF_INET, SOCK_DGRAM);

	if (port)
		assert_int_equal(sim_bind(s, 0, port), 0);
	return s;
}
