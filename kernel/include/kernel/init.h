/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot-time registration: a subsystem declares its initialiser with its phase; kernel/init/main.c runs them in phase
 * order on the boot CPU. Within a phase the order is unspecified. Phases before THREADS cannot sleep. */
#pragma once

#include "base/types.h"

enum init_phase {
	INIT_CORE,    /* after memory and the scheduler's own set-up: caches, tables */
	INIT_BUS,     /* interrupts work, threads exist: ACPI, PCI, fw_cfg */
	INIT_DEVICE,  /* drivers probe (PCI and MMIO scans call the probe functions) */
	INIT_FS,      /* file system types, pseudo file systems */
	INIT_NET,     /* protocols, loopback, interface configuration */
	INIT_LATE,
};

struct initcall {
	int (*fn)(void); /* 0 or -errno, which is logged */
	const char *name;
	enum init_phase phase;
};

#define INITCALL(fn_, phase_)                                                                                        \
	static const struct initcall initcall_##fn_ __section("initcalls") __used __aligned(8) = {                   \
		.fn = fn_, .name = #fn_, .phase = phase_}
