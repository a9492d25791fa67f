/* SPDX-License-Identifier: BSD-2-Clause */
/* Power off and reset, by ACPI (PM1a or the hardware-reduced FADT), the keyboard controller, or a triple fault. */
#pragma once

#include "base/types.h"

void power_off(void) __noreturn;
void power_reset(void) __noreturn;
void power_halt(void) __noreturn; /* stop all CPUs, leave the VM up */
/* What the ACPI code found; called once by kernel/drivers/acpi. Each tries and returns on failure. */
void power_register(void (*off)(void), void (*reset)(void));
/* The host asked for a shut down (ACPI power button): the handler sends SIGTERM/SIGPWR to init. */
void power_button_pressed(void);
