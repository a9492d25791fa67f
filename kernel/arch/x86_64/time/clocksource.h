/* SPDX-License-Identifier: BSD-2-Clause */
/* What the machine offers to set the clock by. */
#pragma once

#include "base/types.h"

/* TSC frequency in Hz as kvmclock, the hypervisor's or the CPU's leaves give it; 0: unknown. */
u64 tsc_hz_from_hypervisor(void);
/* CLOCK_REALTIME ns now, from kvmclock or the CMOS clock; 0 when there is neither. */
u64 wall_clock_at_boot(void);
