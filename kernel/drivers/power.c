/* SPDX-License-Identifier: BSD-2-Clause */
/* Power off, reset, halt, and the power button (kernel/power.h). Output is drained first. Each way is tried
 * in turn: what ACPI offers, then the keyboard controller's reset line (which ends the VM on Firecracker, and
 * under QEMU's -no-reboot), then a triple fault. Any context: interrupts are turned off for good. */

#include "arch/asm.h"
#include "arch/cpu.h"
#include "arch/platform.h"
#include "base/err.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/init.h"
#include "kernel/kthread.h"
#include "kernel/log.h"
#include "kernel/power.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include <asm/signal.h>

#define KBD_COMMAND	0x64
#define KBD_DATA	0x60
#define KBD_INPUT_FULL	2
#define KBD_PULSE_RESET 0xfe
/* The hypervisor acts on another thread of the host: give it this long before trying the next way. */
#define PATIENCE_NS (500 * NSEC_PER_MSEC)

static void (*registered_off)(void), (*registered_reset)(void);
static _Atomic unsigned presses;
static struct work button_work;

void power_register(void (*off)(void), void (*reset)(void))
{
	registered_off = off;
	registered_reset = reset;
}

static void wait_for_effect(void)
{
	u64 start = clock_monotonic();

	while (clock_monotonic() - start < PATIENCE_NS)
		cpu_relax();
}

static void keyboard_reset(void)
{
	for (int i = 0; i < 100000 && inb(KBD_COMMAND) & KBD_INPUT_FULL; i++)
		cpu_relax(); /* an absent controller reads as ones: bounded */
	outb(KBD_COMMAND, KBD_PULSE_RESET);
}

/* An exception without an interrupt table shuts the processor down, which machines take for a reset. */
static void triple_fault(void)
{
	static const struct {
		u16 limit;
		u64 base;
	} __packed no_idt;

	__asm__ volatile("lidt %0\n\tint3" ::"m"(no_idt));
}

static void __noreturn last_resort(void)
{
	keyboard_reset();
	wait_for_effect();
	triple_fault();
	power_halt();
}

void power_off(void)
{
	chardev_drain_all();
	arch_irq_disable();
	if (registered_off) {
		registered_off();
		wait_for_effect();
	}
	last_resort();
}

void power_reset(void)
{
	chardev_drain_all();
	arch_irq_disable();
	if (registered_reset) {
		registered_reset();
		wait_for_effect();
	}
	last_resort();
}

/* Init gets SIGTERM, as a service manager would send it; one that would simply die of it, or is not there,
 * means off at once, and so does a second press. */
static void button_run(struct work *w)
{
	struct process *init = init_process;
	struct signal_summary s;

	if (!init || atomic_fetch_add(&presses, 1))
		power_off();
	signal_summary(init->leader, &s);
	if (!((s.caught | s.blocked | s.ignored) & BIT(SIGTERM - 1)))
		init_exited(SIGTERM);
	log_info("power button: SIGTERM to init");
	signal_send_process(init, SIGTERM, NULL);
}

void power_button_pressed(void)
{
	work_queue(&button_work);
}

static int power_init(void)
{
	work_init(&button_work, button_run);
	return 0;
}
INITCALL(power_init, INIT_CORE);

void power_halt(void)
{
	chardev_drain_all();
	arch_irq_disable();
	smp_stop_others();
	for (;;)
		__asm__ volatile("cli; hlt");
}
