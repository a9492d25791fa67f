/* SPDX-License-Identifier: BSD-2-Clause */
/* Firmware tables: ACPI (6.5) where there are any, else the Intel MP table (1.4). Read once at INIT_CORE, on the boot CPU:
 * CPUs and I/O APICs go to kernel/ioapic.h, power off and reset to kernel/power.h. Owner: kernel/drivers/acpi/. */
#pragma once

#include "base/types.h"

struct acpi_header {
	char signature[4];
	u32 length; /* of the whole table */
	u8 revision, checksum;
	char oem_id[6], oem_table_id[8];
	u32 oem_revision, creator_id, creator_revision;
} __packed;

/* The INDEXth table with SIGNATURE, mapped whole, its length and checksum found good; NULL. Boot or thread context. */
const struct acpi_header *acpi_find_table(const char signature[4], unsigned index);

/* Where ISA interrupt IRQ arrives: identity and edge-triggered active-high unless the tables say otherwise. */
void firmware_isa_irq(unsigned irq, unsigned *gsi, bool *level, bool *active_low);

/* PCI configuration space in memory (MCFG), for segment 0: physical base of bus START's megabyte. False: there is none. */
bool acpi_ecam(u64 *base, u8 *start_bus, u8 *end_bus);

/* The INDEXth device of the name space that is described by fixed resources under hardware id HID (an 8-character
 * string): a 32-bit memory window and an interrupt. Found by pattern, not by running AML. False at the end. */
struct acpi_window {
	u64 base;
	u32 size;
	u32 gsi;
	bool level, active_low;
};
bool acpi_find_window(const char *hid, unsigned index, struct acpi_window *out);
