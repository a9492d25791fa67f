/* SPDX-License-Identifier: BSD-2-Clause */
/* Device interrupts. Handlers run with interrupts off on the CPU that took the interrupt: bounded work, wake
 * threads. */
#pragma once

#include "base/types.h"

typedef void (*irq_handler)(void *arg);

/* A message-signalled interrupt: a vector on CPU (0 .. cpu_count-1). Fills the address and data that the
 * device shall write. Returns a handle > 0, or -ENOSPC/-ENOMEM. Thread context. */
int irq_request_msi(unsigned cpu, irq_handler fn, void *arg, const char *name, u64 *addr, u32 *data);
/* A wired interrupt: global system interrupt number (ACPI). LEVEL: level-triggered active-high unless
 * ACTIVE_LOW. Handlers of a shared line are all called. Returns a handle > 0 or -errno. */
int irq_request_gsi(unsigned gsi, bool level, bool active_low, irq_handler fn, void *arg, const char *name);
void irq_free(int handle);
/* What comes in on a vector, for /proc/interrupts. LABEL: stands for the number, or NULL. NAMES: of all its
 * handlers. */
struct irq_info {
	const char *label, *chip;
	char names[64];
};
/* The first vector after AFTER (0: of all) that is in use; 0: none. Any context. */
unsigned irq_next(unsigned after, struct irq_info *info);
u32 irq_count(unsigned vector, unsigned cpu); /* interrupts on it that CPU took */
