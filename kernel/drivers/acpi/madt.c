/* SPDX-License-Identifier: BSD-2-Clause */
/* The MADT: processors, I/O APICs, and where ISA interrupts really arrive (ACPI 6.5, 5.2.12). */

#include "internal.h"
#include "base/bits.h"
#include "base/err.h"
#include "kernel/ioapic.h"
#include "kernel/log.h"

enum {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_X2APIC = 9,
};
#define MADT_ENTRIES 44 /* after the header: local APIC address, flags */
#define CPU_ENABLED  1

/* Bytes that an entry of TYPE must have for us to read it; 0: not ours. */
static unsigned entry_size(u8 type)
{
	switch (type) {
	case MADT_LAPIC:
		return 8;
	case MADT_IOAPIC:
		return 12;
	case MADT_OVERRIDE:
		return 10;
	case MADT_X2APIC:
		return 16;
	}
	return 0;
}

/* MPS INTI flags: polarity in bits 0-1 (3: low), trigger in bits 2-3 (3: level). "As the bus says" is ISA's:
 * high, edge. */
static void read_override(const u8 *e)
{
	u16 flags = le16_get(e + 8);

	if (e[2] == 0) /* bus 0: ISA */
		isa_irq_override(e[3], le32_get(e + 4), (flags >> 2 & 3) == 3, (flags & 3) == 3);
}

static int read_entry(const u8 *e)
{
	int err;

	switch (e[0]) {
	case MADT_LAPIC:
		if (!(le32_get(e + 4) & CPU_ENABLED))
			return 0;
		cpu_register(e[3]);
		return 1;
	case MADT_X2APIC:
		if (!(le32_get(e + 8) & CPU_ENABLED))
			return 0;
		cpu_register(le32_get(e + 4));
		return 1;
	case MADT_IOAPIC:
		err = ioapic_register(le32_get(e + 4), le32_get(e + 8));
		if (err)
			log_warn("acpi: I/O APIC at %#x cannot be used (%d)", le32_get(e + 4), err);
		return 0;
	case MADT_OVERRIDE:
		read_override(e);
		return 0;
	}
	return 0;
}

int madt_parse(const struct acpi_header *table)
{
	const u8 *start = (const u8 *)table;
	int cpus = 0;

	if (table->length < MADT_ENTRIES)
		return -EINVAL;
	for (u32 off = MADT_ENTRIES; off < table->length;) {
		const u8 *e = start + off;
		u32 left = table->length - off;

		if (left < 2 || e[1] < 2 || e[1] > left || e[1] < entry_size(e[0]))
			return -EINVAL;
		if (entry_size(e[0]))
			cpus += read_entry(e);
		off += e[1];
	}
	return cpus;
}
