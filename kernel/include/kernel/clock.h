/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks. Nanoseconds in u64. Any context. Source: the arch clock source (kvmclock, TSC, HPET, ...). */
#pragma once

#include "base/types.h"

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull

u64 clock_monotonic(void); /* ns since boot; never steps back on any CPU; stands still while a snapshot is on disk */
u64 clock_realtime(void);  /* ns since 1970-01-01 UTC */
u64 clock_boottime(void);  /* monotonic plus time suspended */
/* Step the wall clock (clock_settime): REALTIME becomes NS. */
void clock_set_realtime(u64 ns);
