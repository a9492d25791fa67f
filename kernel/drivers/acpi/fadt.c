/* SPDX-License-Identifier: BSD-2-Clause */
/* The FADT: power off, reset and the power button (ACPI 6.5, 4.8 and 5.2.9). Hardware-reduced machines have a
 * sleep control register and a generic event device; others the PM1 blocks and the fixed power button on the
 * SCI. Registers are mapped at boot, so that power_off() works in a panic. */

#include "internal.h"
#include "arch/asm.h"
#include "arch/cpu.h"
#include "arch/memory.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "kernel/init.h"
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/power.h"

enum { /* offsets in the table */
       FADT_DSDT = 40,
       FADT_SCI = 46,
       FADT_SMI_CMD = 48,
       FADT_ACPI_ENABLE = 52,
       FADT_PM1A_EVT = 56,
       FADT_PM1A_CNT = 64,
       FADT_PM1B_CNT = 68,
       FADT_PM1_EVT_LEN = 88,
       FADT_FLAGS = 112,
       FADT_RESET_REG = 116,
       FADT_RESET_VALUE = 128,
       FADT_X_DSDT = 140,
       FADT_X_PM1A_EVT = 148,
       FADT_X_PM1A_CNT = 172,
       FADT_X_PM1B_CNT = 184,
       FADT_SLEEP_CONTROL = 244,
};
#define FLAG_CONTROL_METHOD_BUTTON BIT(4)
#define FLAG_RESET_REG		   BIT(10)
#define FLAG_HW_REDUCED		   BIT(20)

#define GAS_SIZE   12
#define GAS_MEMORY 0
#define GAS_IO	   1

#define PM1_SCI_EN	  BIT(0)
#define PM1_SLP_EN	  BIT(13)
#define PM1_SLP_TYP_SHIFT 10
#define PM1_PWRBTN	  BIT(8)
#define SLEEP_EN	  BIT(5)
#define SLEEP_TYP_SHIFT	  2
#define GED_POWER_DOWN	  2 /* bit of the event selector */
#define ENABLE_WAIT_NS	  NSEC_PER_SEC

struct reg {
	volatile void *mmio; /* NULL: a port */
	u16 port;	     /* 0: there is no such register */
};

static struct reg pm1a_evt, pm1a_cnt, pm1b_cnt, sleep_control, reset_reg, ged;
static unsigned pm1_enable_off;
static u8 s5_a, s5_b, reset_value;
static struct acpi_window ged_irq;
static unsigned sci;

static bool reg_present(const struct reg *r)
{
	return r->mmio || r->port;
}

static void reg_write8(const struct reg *r, u8 v)
{
	if (r->mmio)
		*(volatile u8 *)r->mmio = v;
	else
		outb(r->port, v);
}

static void reg_write16(const struct reg *r, unsigned off, u16 v)
{
	if (r->mmio)
		*(volatile u16 *)((volatile u8 *)r->mmio + off) = v;
	else
		outw((u16)(r->port + off), v);
}

static u16 reg_read16(const struct reg *r, unsigned off)
{
	if (r->mmio)
		return *(volatile u16 *)((volatile u8 *)r->mmio + off);
	return inw((u16)(r->port + off));
}

/* The generic address structure at OFF, else the 32-bit port at OLD_OFF (0: there is none). */
static struct reg read_reg(const struct acpi_header *fadt, u32 off, u32 old_off)
{
	const u8 *t = (const u8 *)fadt, *gas = t + off;
	struct reg r = {0};

	if (off + GAS_SIZE <= fadt->length && le64_get(gas + 4)) {
		u64 addr = le64_get(gas + 4);

		if (gas[0] == GAS_MEMORY)
			r.mmio = mmio_map(addr, 8);
		else if (gas[0] == GAS_IO && addr <= 0xffff)
			r.port = (u16)addr;
	} else if (old_off && old_off + 4 <= fadt->length) {
		r.port = (u16)le32_get(t + old_off);
	}
	return r;
}

static void acpi_power_off(void)
{
	if (reg_present(&sleep_control))
		reg_write8(&sleep_control, (u8)(s5_a << SLEEP_TYP_SHIFT | SLEEP_EN));
	if (reg_present(&pm1a_cnt)) {
		reg_write16(&pm1a_cnt, 0, (u16)(s5_a << PM1_SLP_TYP_SHIFT | PM1_SLP_EN));
		if (reg_present(&pm1b_cnt))
			reg_write16(&pm1b_cnt, 0, (u16)(s5_b << PM1_SLP_TYP_SHIFT | PM1_SLP_EN));
	}
}

static void acpi_reset(void)
{
	reg_write8(&reset_reg, reset_value);
}

static void sci_interrupt(void *arg)
{
	u16 status = reg_read16(&pm1a_evt, 0);

	reg_write16(&pm1a_evt, 0, status); /* ones clear */
	if (status & PM1_PWRBTN)
		power_button_pressed();
}

static void ged_interrupt(void *arg)
{
	u32 events = *(volatile u32 *)ged.mmio; /* reading clears */

	if (events & GED_POWER_DOWN)
		power_button_pressed();
}

/* Hand the fixed hardware over from the firmware, if that has not happened. */
static bool acpi_mode_enable(u32 smi_port, u8 command)
{
	u64 start = clock_monotonic();

	if (reg_read16(&pm1a_cnt, 0) & PM1_SCI_EN)
		return true;
	if (!smi_port || !command)
		return false;
	outb((u16)smi_port, command);
	while (!(reg_read16(&pm1a_cnt, 0) & PM1_SCI_EN)) {
		if (clock_monotonic() - start > ENABLE_WAIT_NS)
			return false;
		cpu_relax();
	}
	return true;
}

static int power_button_init(void)
{
	const struct acpi_header *fadt = acpi_find_table("FACP", 0);
	const u8 *t = (const u8 *)fadt;
	unsigned gsi;
	bool level, active_low;
	int handle;

	if (ged.mmio)
		handle = irq_request_gsi(ged_irq.gsi, ged_irq.level, ged_irq.active_low, ged_interrupt, NULL,
					 "acpi");
	else if (reg_present(&pm1a_evt) &&
		 acpi_mode_enable(le32_get(t + FADT_SMI_CMD), t[FADT_ACPI_ENABLE])) {
		/* The SCI is level-triggered, and active low unless an override says otherwise. */
		firmware_isa_irq(sci, &gsi, &level, &active_low);
		if (gsi == sci && !level)
			active_low = true;
		handle = irq_request_gsi(gsi, true, active_low, sci_interrupt, NULL, "acpi");
		reg_write16(&pm1a_evt, 0, PM1_PWRBTN);
		reg_write16(&pm1a_evt, pm1_enable_off, PM1_PWRBTN);
	} else {
		return 0;
	}
	return handle < 0 ? handle : 0;
}
INITCALL(power_button_init, INIT_BUS);

static void read_pm1(const struct acpi_header *fadt, u32 flags)
{
	const u8 *t = (const u8 *)fadt;

	pm1a_cnt = read_reg(fadt, FADT_X_PM1A_CNT, FADT_PM1A_CNT);
	pm1b_cnt = read_reg(fadt, FADT_X_PM1B_CNT, FADT_PM1B_CNT);
	sci = le16_get(t + FADT_SCI);
	if (flags & FLAG_CONTROL_METHOD_BUTTON || t[FADT_PM1_EVT_LEN] < 4)
		return;
	pm1a_evt = read_reg(fadt, FADT_X_PM1A_EVT, FADT_PM1A_EVT);
	pm1_enable_off = t[FADT_PM1_EVT_LEN] / 2;
}

void fadt_init(void)
{
	const struct acpi_header *fadt = acpi_find_table("FACP", 0);
	const u8 *t = (const u8 *)fadt;
	u64 dsdt = 0, selector;
	u32 flags;
	bool s5;

	pm1a_evt = pm1a_cnt = pm1b_cnt = sleep_control = reset_reg = ged = (struct reg){0};
	if (!fadt || fadt->length < FADT_FLAGS + 4)
		return;
	flags = le32_get(t + FADT_FLAGS);
	if (fadt->length >= FADT_X_DSDT + 8)
		dsdt = le64_get(t + FADT_X_DSDT);
	acpi_table_add(dsdt ? dsdt : le32_get(t + FADT_DSDT));
	s5 = aml_find_s5(&s5_a, &s5_b);

	if (flags & FLAG_HW_REDUCED) {
		sleep_control = s5 ? read_reg(fadt, FADT_SLEEP_CONTROL, 0) : sleep_control;
		if (aml_find_ged(&selector, &ged_irq))
			ged.mmio = mmio_map(selector, 4);
	} else {
		read_pm1(fadt, flags);
		if (!s5) /* without the sleep type a write could suspend instead */
			pm1a_cnt = (struct reg){0};
	}
	if (flags & FLAG_RESET_REG && fadt->length > FADT_RESET_VALUE) {
		reset_reg = read_reg(fadt, FADT_RESET_REG, 0);
		reset_value = t[FADT_RESET_VALUE];
	}
	power_register(reg_present(&sleep_control) || reg_present(&pm1a_cnt) ? acpi_power_off : NULL,
		       reg_present(&reset_reg) ? acpi_reset : NULL);
}
