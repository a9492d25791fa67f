/* SPDX-License-Identifier: BSD-2-Clause */
/* I/O APICs: wired interrupts. The firmware tables' readers (kernel/drivers/acpi) register what is there. */
#pragma once

#include "base/types.h"

/* Route global system interrupt GSI to VECTOR on APIC_ID, unmasked. -ENOENT when no I/O APIC serves it. */
int ioapic_route(unsigned gsi, u8 vector, u32 apic_id, bool level, bool active_low);
void ioapic_mask(unsigned gsi);
