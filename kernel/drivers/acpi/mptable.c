/* SPDX-License-Identifier: BSD-2-Clause */
/* The MP configuration table, for machines without ACPI (microvm with acpi=off): processors, I/O APICs and
 * ISA interrupt wiring. Intel MultiProcessor Specification 1.4, chapter 4. */

#include "internal.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/ioapic.h"
#include "kernel/log.h"

#define FLOATING_SIZE 16
#define HEADER_SIZE   44
#define EBDA_POINTER  0x40eu
#define BIOS_ROM      0xf0000u

enum {
	MP_PROCESSOR,
	MP_BUS,
	MP_IOAPIC,
	MP_INTERRUPT,
	MP_LOCAL_INTERRUPT,
};
#define MP_CPU_ENABLED	  1
#define MP_IOAPIC_ENABLED 1
#define MAX_BUSES	  256
#define MAX_IOAPICS	  8

struct mp_state {
	bool isa[MAX_BUSES];
	struct {
		u8 id;
		unsigned gsi_base;
	} ioapic[MAX_IOAPICS];
	unsigned nioapics, next_gsi;
	int cpus;
};

static bool floating_ok(const u8 *p)
{
	return !memcmp(p, "_MP_", 4) && p[8] == 1 && !firmware_checksum(p, FLOATING_SIZE);
}

static u64 floating_search(u64 start, u64 size)
{
	const u8 *p = firmware_map(start, size);

	for (u64 off = 0; p && off + FLOATING_SIZE <= size; off += 16)
		if (floating_ok(p + off))
			return start + off;
	return 0;
}

static u64 floating_find(void)
{
	const void *segment = firmware_map(EBDA_POINTER, 2);
	u64 ebda = segment ? (u64)le16_get(segment) << 4 : 0, found = 0;

	if (ebda >= 0x80000 && ebda < 0xa0000)
		found = floating_search(ebda, KIB(1));
	if (!found)
		found = floating_search(0xa0000 - KIB(1), KIB(1)); /* the last KiB of base memory */
	return found ? found : floating_search(BIOS_ROM, 0x10000);
}

/* I/O APICs come in the order of their GSIs, and those in use have 24 inputs: the table does not say. */
static void read_ioapic(struct mp_state *s, const u8 *e)
{
	if (!(e[3] & MP_IOAPIC_ENABLED) || s->nioapics == MAX_IOAPICS)
		return;
	if (ioapic_register(le32_get(e + 4), s->next_gsi)) {
		log_warn("mptable: I/O APIC at %#x cannot be used", le32_get(e + 4));
		return;
	}
	s->ioapic[s->nioapics].id = e[1];
	s->ioapic[s->nioapics++].gsi_base = s->next_gsi;
	s->next_gsi += 24;
}

static void read_interrupt(struct mp_state *s, const u8 *e)
{
	u16 flags = le16_get(e + 2);

	if (e[1] != 0 || !s->isa[e[4]]) /* vectored interrupts of ISA buses only */
		return;
	for (unsigned i = 0; i < s->nioapics; i++)
		if (s->ioapic[i].id == e[6])
			isa_irq_override(e[5], s->ioapic[i].gsi_base + e[7], (flags >> 2 & 3) == 3,
					 (flags & 3) == 3);
}

/* The length of the table counts, not its number of entries: qboot leaves that at zero. */
static int read_entries(struct mp_state *s, const u8 *p, size_t left)
{
	while (left) {
		size_t size = *p == MP_PROCESSOR ? 20 : 8;

		if (left < size || *p > MP_LOCAL_INTERRUPT)
			return -EINVAL;
		switch (*p) {
		case MP_PROCESSOR:
			if (p[3] & MP_CPU_ENABLED) {
				cpu_register(p[1]);
				s->cpus++;
			}
			break;
		case MP_BUS:
			s->isa[p[1]] = !memcmp(p + 2, "ISA", 3);
			break;
		case MP_IOAPIC:
			read_ioapic(s, p);
			break;
		case MP_INTERRUPT:
			read_interrupt(s, p);
			break;
		}
		p += size;
		left -= size;
	}
	return s->cpus;
}

int mptable_init(u64 floating)
{
	static struct mp_state state; /* boot only, so no need to have it on a small stack */
	const u8 *p, *table;
	u16 length;

	memset(&state, 0, sizeof state);
	if (!floating)
		floating = floating_find();
	p = floating ? firmware_map(floating, FLOATING_SIZE) : NULL;
	if (!p || !floating_ok(p) || !le32_get(p + 4))
		return -ENOENT;
	table = firmware_map(le32_get(p + 4), HEADER_SIZE);
	if (!table || memcmp(table, "PCMP", 4))
		return -ENOENT;
	length = le16_get(table + 4);
	if (length < HEADER_SIZE)
		return -EINVAL;
	table = firmware_map(le32_get(p + 4), length);
	if (!table || firmware_checksum(table, length))
		return -EINVAL;
	return read_entries(&state, table + HEADER_SIZE, length - HEADER_SIZE);
}
