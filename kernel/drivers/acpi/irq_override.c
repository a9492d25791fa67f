/* SPDX-License-Identifier: BSD-2-Clause */
/* Where ISA interrupts arrive: filled in from the MADT or the MP table at boot, read-only afterwards. */

#include "internal.h"

#define ISA_IRQS 16

static struct {
	bool set, level, active_low;
	unsigned gsi;
} overrides[ISA_IRQS];

void isa_irq_override(unsigned irq, unsigned gsi, bool level, bool active_low)
{
	if (irq >= ISA_IRQS)
		return;
	overrides[irq].set = true;
	overrides[irq].level = level;
	overrides[irq].active_low = active_low;
	overrides[irq].gsi = gsi;
}

void firmware_isa_irq(unsigned irq, unsigned *gsi, bool *level, bool *active_low)
{
	bool set = irq < ISA_IRQS && overrides[irq].set;

	*gsi = set ? overrides[irq].gsi : irq;
	*level = set && overrides[irq].level;
	*active_low = set && overrides[irq].active_low;
}
