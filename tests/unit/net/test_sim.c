// SPDX-License-Identifier: BSD-2-Clause
/* Random TCP sessions (tests/net-sim) under the sanitizers. SIM_SEEDS=N and SIM_FIRST=K in the environment
 * choose the seeds (default 300 from 1). */
// clang-format off
// sources: tests/net-sim/sim.c tests/net-sim/scenario.c tests/net-sim/monitor.c
// sources: net/core/*.c net/ipv4/*.c net/ipv6/*.c net/tcp/*.c net/udp/*.c net/dhcp/*.c
// sources: net/netlink/*.c net/socket/socket.c net/socket/queue.c net/socket/error_queue.c net/socket/options.c net/socket/inet.c
// sources: net/socket/inet_options.c net/socket/inet_groups.c kernel/lib/bpf.c kernel/lib/iter.c kernel/lib/rbtree.c kernel/lib/siphash.c
// cflags: -Itests/net-sim
// clang-format on
#include "unit.h"

#include "scenario.h"

static u64 number(const char *name, u64 otherwise)
{
	const char *e = getenv(name);

	return e ? strtoull(e, NULL, 0) : otherwise;
}

static void test_sessions(void **state)
{
	u64 first = number("SIM_FIRST", 1);

	for (u64 seed = first; seed < first + number("SIM_SEEDS", 300); seed++)
		scenario_run(seed);
}

UNIT_TESTS(test_sessions)
