/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding the ACPI tables: RSDP (ACPI 6.5, 5.2.5), then XSDT or RSDT, then every table with a sound length
 * and checksum. The list is made once at boot and never changes, so look-ups need no lock. */

#include "internal.h"
#include "arch/memory.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/counter.h"
#include "kernel/log.h"

#define MAX_TABLES    64
#define MAX_TABLE     MIB(4)
#define RSDP_V1_SIZE  20
#define RSDP_V2_SIZE  36
#define BIOS_AREA     0xe0000u
#define BIOS_AREA_END 0x100000u
#define EBDA_POINTER  0x40eu /* segment of the extended BIOS data area */

static const struct acpi_header *tables[MAX_TABLES];
static unsigned ntables;

DEFINE_COUNTER(acpi_bad_tables, "ACPI tables left out for a wrong length or checksum");

const void *firmware_map(u64 pa, size_t size)
{
	return pa && pa + size > pa ? (const void *)mmio_map(pa, size) : NULL;
}

u8 firmware_checksum(const void *p, size_t n)
{
	const u8 *b = p;
	u8 sum = 0;

	while (n--)
		sum = (u8)(sum + *b++);
	return sum;
}

static const struct acpi_header *table_map(u64 pa)
{
	const struct acpi_header *h = firmware_map(pa, sizeof *h);
	u32 length = h ? h->length : 0;

	if (length < sizeof *h || length > MAX_TABLE) {
		counter_inc(&acpi_bad_tables);
		return NULL;
	}
	h = firmware_map(pa, length);
	if (!h)
		return NULL;
	if (firmware_checksum(h, length)) {
		counter_inc(&acpi_bad_tables);
		log_warn("acpi: table %.4s at %#lx has a wrong checksum: ignored", h->signature, pa);
		return NULL;
	}
	return h;
}

void acpi_table_add(u64 pa)
{
	const struct acpi_header *h = ntables < MAX_TABLES ? table_map(pa) : NULL;

	if (h)
		tables[ntables++] = h;
}

const struct acpi_header *acpi_find_table(const char signature[4], unsigned index)
{
	for (unsigned i = 0; i < ntables; i++)
		if (!memcmp(tables[i]->signature, signature, 4) && !index--)
			return tables[i];
	return NULL;
}

static bool rsdp_ok(const u8 *p)
{
	return !memcmp(p, "RSD PTR ", 8) && !firmware_checksum(p, RSDP_V1_SIZE);
}

static u64 rsdp_search(u64 start, u64 size)
{
	const u8 *p = firmware_map(start, size);

	for (u64 off = 0; p && off + RSDP_V1_SIZE <= size; off += 16)
		if (rsdp_ok(p + off))
			return start + off;
	return 0;
}

static u64 rsdp_find(void)
{
	const void *segment = firmware_map(EBDA_POINTER, 2);
	u64 ebda = segment ? (u64)le16_get(segment) << 4 : 0, found = 0;

	if (ebda >= 0x80000 && ebda < 0xa0000)
		found = rsdp_search(ebda, KIB(1));
	return found ? found : rsdp_search(BIOS_AREA, BIOS_AREA_END - BIOS_AREA);
}

static void root_walk(const struct acpi_header *root, size_t entry_size)
{
	const u8 *entry = (const u8 *)(root + 1);
	size_t n = (root->length - sizeof *root) / entry_size;

	for (; n; n--, entry += entry_size)
		acpi_table_add(entry_size == 8 ? le64_get(entry) : le32_get(entry));
}

int acpi_tables_init(u64 rsdp)
{
	const struct acpi_header *root = NULL;
	const u8 *p;
	bool extended;

	ntables = 0;
	if (!rsdp)
		rsdp = rsdp_find();
	p = rsdp ? firmware_map(rsdp, RSDP_V2_SIZE) : NULL;
	if (!p || !rsdp_ok(p))
		return -ENOENT;
	/* Revision 2 on: the longer structure has a checksum of its own and points at 64-bit entries. */
	extended = p[15] >= 2 && le64_get(p + 24) && !firmware_checksum(p, RSDP_V2_SIZE);
	if (extended)
		root = table_map(le64_get(p + 24));
	if (root && !memcmp(root->signature, "XSDT", 4)) {
		root_walk(root, 8);
		return 0;
	}
	root = table_map(le32_get(p + 16));
	if (!root || memcmp(root->signature, "RSDT", 4))
		return -ENOENT;
	root_walk(root, 4);
	return 0;
}

/* MCFG: a header, 8 reserved bytes, then 16-byte allocations (PCI Firmware Specification 3.0, 4.1.2). */
bool acpi_ecam(u64 *base, u8 *start_bus, u8 *end_bus)
{
	const struct acpi_header *h = acpi_find_table("MCFG", 0);
	const u8 *table = (const u8 *)h;

	for (u32 off = sizeof *h + 8; h && off + 16 <= h->length; off += 16) {
		if (le16_get(table + off + 8) || table[off + 10] > table[off + 11])
			continue; /* another segment, or nonsense */
		*base = le64_get(table + off);
		*start_bus = table[off + 10];
		*end_bus = table[off + 11];
		return *base != 0;
	}
	/* Without the table a host bridge may say it itself (QEMU's microvm). */
	*start_bus = 0;
	*end_bus = 0xff;
	return aml_find_ecam(base);
}
