/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the readers of firmware tables. Everything here runs once at boot, on one CPU, unless it says
 * otherwise. */
#pragma once

#include "kernel/acpi.h"

/* Physical memory that firmware filled in, mapped for good. NULL on no memory. */
const void *firmware_map(u64 pa, size_t size);
u8 firmware_checksum(const void *p, size_t n); /* the sum of all bytes: 0 when right */

/* tables.c: find and map all tables. RSDP physical, 0 to search. -ENOENT when there are none. */
int acpi_tables_init(u64 rsdp);
/* Add the table at PA to the list (the DSDT hangs off the FADT, not the root table). */
void acpi_table_add(u64 pa);

/* madt.c: report CPUs, I/O APICs and overrides. The number of CPUs, or -EINVAL when an entry does not fit. */
int madt_parse(const struct acpi_header *table);

/* mptable.c: the same from the MP table. -ENOENT. FLOATING is the physical address of the pointer structure,
 * 0: search. */
int mptable_init(u64 floating);

/* irq_override.c */
void isa_irq_override(unsigned irq, unsigned gsi, bool level, bool active_low);

/* aml.c: patterns in the definition blocks. */
bool aml_find_s5(u8 *typ_a, u8 *typ_b);
/* The generic event device (ACPI0013): its event selector register and its interrupt. */
bool aml_find_ged(u64 *selector, struct acpi_window *irq);
/* _CBA, the base of PCI configuration space of a host bridge (PCI Firmware Specification 3.0, 4.1.3). */
bool aml_find_ecam(u64 *base);
/* For tests: the same on one block of AML. */
bool aml_ecam_in(const u8 *aml, size_t n, u64 *base);
bool aml_s5_in(const u8 *aml, size_t n, u8 *typ_a, u8 *typ_b);
bool aml_window_in(const u8 *aml, size_t n, const char *hid, unsigned *index, struct acpi_window *out);

/* fadt.c */
void fadt_init(void);
