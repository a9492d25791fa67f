/* SPDX-License-Identifier: BSD-2-Clause */
/* What the machine offers to set the clock by. */
#pragma once

#include "base/types.h"

/* TSC frequency in Hz as kvmclock, the hypervisor's or the CPU's leaves give it; 0: unknown. */
u64 tsc_hz_from_hypervisor(void);
/* CLOCK_REALTIME ns now, from kvmclock or the CMOS clock; 0 when there is neither. */
u64 wall_clock_at_boot(void);

/* A counter of known rate, to measure the TSC against. Counts up, modulo MASK + 1. */
struct reference {
	const char *name;
	u64 hz, mask;
	u64 (*read)(void);
};

/* PIT channel 0, started. It may be absent: then it does not count. */
const struct reference *reference_pit(void);
/* Nobody reads it any more, nor does anybody take its interrupts: let it run out. */
void reference_pit_stop(void);
/* HPET, else the ACPI power-management timer; NULL. Thread context, once the tables are known. */
const struct reference *reference_from_tables(void);
