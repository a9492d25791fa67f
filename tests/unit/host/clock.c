// SPDX-License-Identifier: BSD-2-Clause
/* kernel/clock.h: virtual time, one second after boot at the start. Weak. */
#include "host_private.h"
#include "kernel/clock.h"

_Atomic u64 host_now = NSEC_PER_SEC;
static _Atomic s64 wall_offset = 1700000000ll * (s64)NSEC_PER_SEC;

__weak u64 clock_monotonic(void)
{
	return host_now;
}

__weak u64 clock_boottime(void)
{
	return clock_monotonic();
}

__weak u64 clock_realtime(void)
{
	return clock_monotonic() + (u64)wall_offset;
}

__weak void clock_set_realtime(u64 ns)
{
	wall_offset = (s64)(ns - clock_monotonic());
}

void host_time_set_realtime(u64 ns)
{
	clock_set_realtime(ns);
}
