/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters of known rate: HPET (IA-PC HPET specification 1.0a), ACPI's power-management timer (ACPI 6.5, 4.8.3.3), and the
 * 8254's channel 0. Only read to measure the TSC, never as clocks: each read leaves the virtual machine. */

#include "arch/asm.h"
#include "arch/memory.h"
#include "base/bits.h"
#include "clocksource.h"
#include "kernel/acpi.h"

#define HPET_SIZE	1024
#define HPET_TABLE_BASE 44 /* of the table: address of the registers; its kind is at 40 */
#define HPET_CAPS	0  /* registers, in 64-bit words */
#define HPET_CONFIG	2
#define HPET_COUNTER	30
#define HPET_WIDE	BIT(13)
#define HPET_PERIOD_MAX 100000000u /* femtoseconds */

#define FADT_PM_TIMER	76 /* port */
#define FADT_PM_LENGTH	91
#define FADT_FLAGS	112
#define FADT_TIMER_WIDE BIT(8)
#define PM_TIMER_HZ	3579545

static volatile u64 *hpet;
static u16 pm_port;

static u64 pit_read(void)
{
	outb(0x43, 0x00); /* latch */
	u16 low = inb(0x40), high = inb(0x40);

	return (u16)-(low | high << 8); /* it counts down */
}

const struct reference *reference_pit(void)
{
	static const struct reference pit = {"measured against the PIT", 1193182, 0xffff, pit_read};

	outb(0x43, 0x34); /* channel 0, low then high byte, rate generator */
	outb(0x40, 0);
	outb(0x40, 0); /* 65536 */
	return &pit;
}

void reference_pit_stop(void)
{
	outb(0x43, 0x30); /* one count to zero; without it the emulated channel would wake the host 36 times a second */
	outb(0x40, 0);
	outb(0x40, 0);
}

static u64 hpet_read_wide(void)
{
	return hpet[HPET_COUNTER];
}

static u64 hpet_read(void)
{
	return *(volatile u32 *)&hpet[HPET_COUNTER];
}

static const struct reference *hpet_find(void)
{
	static struct reference r = {"measured against the HPET", 0, ~0ull, hpet_read_wide};
	const struct acpi_header *h = acpi_find_table("HPET", 0);
	u64 caps, base;
	u32 period;

	if (!h || h->length < HPET_TABLE_BASE + 8 || ((const u8 *)h)[40])
		return NULL; /* none, or in I/O space */
	base = le64_get((const u8 *)h + HPET_TABLE_BASE);
	hpet = base ? mmio_map(base, HPET_SIZE) : NULL;
	if (!hpet)
		return NULL;
	caps = hpet[HPET_CAPS];
	period = (u32)(caps >> 32);
	if (!period || period > HPET_PERIOD_MAX)
		return NULL;
	r.hz = 1000000000000000ull / period;
	if (!(caps & HPET_WIDE)) {
		r.mask = ~0u;
		r.read = hpet_read;
	}
	hpet[HPET_CONFIG] |= 1; /* count */
	return &r;
}

static u64 pm_timer_read(void)
{
	return inl(pm_port);
}

static const struct reference *pm_timer_find(void)
{
	static struct reference r = {"measured against the PM timer", PM_TIMER_HZ, 0xffffff, pm_timer_read};
	const struct acpi_header *h = acpi_find_table("FACP", 0);
	const u8 *t = (const u8 *)h;

	if (!h || h->length < FADT_FLAGS + 4 || t[FADT_PM_LENGTH] != 4)
		return NULL;
	if (!le32_get(t + FADT_PM_TIMER) || le32_get(t + FADT_PM_TIMER) > 0xffff)
		return NULL;
	pm_port = (u16)le32_get(t + FADT_PM_TIMER);
	if (le32_get(t + FADT_FLAGS) & FADT_TIMER_WIDE)
		r.mask = ~0u;
	return &r;
}

const struct reference *reference_from_tables(void)
{
	const struct reference *r = hpet_find();

	return r ? r : pm_timer_find();
}
