/* SPDX-License-Identifier: BSD-2-Clause */
/* What the firmware tables say about interrupt wiring and CPUs: kernel/drivers/acpi calls these while it reads them. */
#pragma once

#include "base/types.h"

/* An I/O APIC at PHYS serving global system interrupts from GSI_BASE. Boot, one CPU. 0, -ENOSPC, -ENOMEM. */
int ioapic_register(u64 phys, unsigned gsi_base);
/* A CPU that may be started, by local APIC id (the boot CPU's own too: it is recognised). Any order. */
void cpu_register(u32 apic_id);
