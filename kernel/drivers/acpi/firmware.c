/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the firmware's tables at boot: ACPI, else the MP table, else the PC's usual layout. The word
 * acpi=off skips the first. */

#include "internal.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/boot_info.h"
#include "kernel/cmdline.h"
#include "kernel/init.h"
#include "kernel/ioapic.h"
#include "kernel/log.h"
#include "kernel/main.h"

#define USUAL_IOAPIC 0xfec00000u

static int acpi_init(void)
{
	const struct acpi_header *madt;
	const char *word = cmdline_get("acpi");
	int err;

	if (word && !strcmp(word, "off"))
		return -ENOENT;
	err = acpi_tables_init(kernel_boot_info->rsdp);
	if (err)
		return err;
	fadt_init();
	madt = acpi_find_table("APIC", 0);
	return madt ? madt_parse(madt) : -ENOENT;
}

static int firmware_init(void)
{
	int cpus = acpi_init();
	const char *source = "ACPI";

	if (cpus < 0) {
		source = "MP table";
		cpus = mptable_init(0);
	}
	if (cpus < 0) {
		log_warn("firmware: neither ACPI nor MP tables (%d): one CPU, I/O APIC at %#x", cpus,
			 USUAL_IOAPIC);
		return ioapic_register(USUAL_IOAPIC, 0);
	}
	log_info("firmware: %s: %d CPUs", source, cpus);
	return 0;
}
INITCALL(firmware_init, INIT_CORE);
