/* SPDX-License-Identifier: BSD-2-Clause */
/* Device interrupts (kernel/irq.h). A vector is the same on every CPU and belongs to one message-signalled source, or to
 * one wired line that several devices may share. Handlers run with interrupts off. */

#include "kernel/irq.h"
#include "arch/asm.h"
#include "arch/cpu.h"
#include "arch/platform.h"
#include "base/err.h"
#include "base/format.h"
#include "ioapic.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "kernel/spinlock.h"

#define VECTORS (VECTOR_DEVICE_LAST - VECTOR_DEVICE_FIRST + 1)
#define NO_GSI	(~0u)

struct action {
	struct action *next;
	irq_handler fn;
	void *arg;
	const char *name;
	int handle;
};

static struct line {
	struct action *actions; /* changed under lock, walked by interrupts: published with release */
	unsigned gsi;		/* NO_GSI: message-signalled */
	_Atomic u64 count;
} lines[VECTORS];
static struct spinlock lock = SPINLOCK_INIT; /* lines' set-up */
static unsigned next_serial;

DEFINE_COUNTER(irq_spurious, "interrupts on vectors that nobody asked for");
DEFINE_COUNTER(irq_timer, "local timer interrupts");
DEFINE_COUNTER(irq_reschedule, "reschedule interrupts from other CPUs");

static int line_alloc(void)
{
	for (int i = 0; i < VECTORS; i++)
		if (!lines[i].actions)
			return i;
	return -ENOSPC;
}

static int action_add(int i, irq_handler fn, void *arg, const char *name)
{
	struct action *a = kmalloc(sizeof *a);

	if (!a)
		return -ENOMEM;
	*a = (struct action){lines[i].actions, fn, arg, name, (int)(++next_serial << 8 | (unsigned)i)};
	__atomic_store_n(&lines[i].actions, a, __ATOMIC_RELEASE);
	return a->handle;
}

int irq_request_msi(unsigned cpu, irq_handler fn, void *arg, const char *name, u64 *addr, u32 *data)
{
	u64 flags = spin_lock_irqsave(&lock);
	int i = line_alloc(), handle = i;

	if (i >= 0) {
		lines[i].gsi = NO_GSI;
		handle = action_add(i, fn, arg, name);
	}
	spin_unlock_irqrestore(&lock, flags);
	if (handle < 0)
		return handle;
	*addr = 0xfee00000ull | (u64)cpu_apic_id[cpu] << 12;
	*data = (u32)(VECTOR_DEVICE_FIRST + i);
	return handle;
}

int irq_request_gsi(unsigned gsi, bool level, bool active_low, irq_handler fn, void *arg, const char *name)
{
	u64 flags = spin_lock_irqsave(&lock);
	int i, handle, err = 0;

	for (i = 0; i < VECTORS; i++)
		if (lines[i].actions && lines[i].gsi == gsi)
			break;
	bool shared = i < VECTORS;
	if (!shared)
		i = line_alloc();
	handle = i < 0 ? i : action_add(i, fn, arg, name);
	if (handle >= 0 && !shared) {
		lines[i].gsi = gsi;
		err = ioapic_route(gsi, (u8)(VECTOR_DEVICE_FIRST + i), cpu_apic_id[0], level, active_low);
	}
	spin_unlock_irqrestore(&lock, flags);
	if (err) {
		irq_free(handle);
		return err;
	}
	return handle;
}

/* The action is unlinked but never freed: an interrupt may be walking the list, and nobody frees interrupts in earnest
 * except a driver whose probe failed. */
void irq_free(int handle)
{
	struct line *l = &lines[handle & 0xff];
	u64 flags = spin_lock_irqsave(&lock);

	for (struct action **p = &l->actions; *p; p = &(*p)->next)
		if ((*p)->handle == handle) {
			*p = (*p)->next;
			break;
		}
	if (!l->actions && l->gsi != NO_GSI)
		ioapic_mask(l->gsi);
	spin_unlock_irqrestore(&lock, flags);
}

size_t irq_show(char *buf, size_t size)
{
	size_t n = 0;

	for (int i = 0; i < VECTORS; i++) {
		const struct line *l = &lines[i];

		if (!l->actions)
			continue;
		n += (size_t)scnprintf(buf + n, size - n, "%3d: %10lu  %s", VECTOR_DEVICE_FIRST + i, (u64)l->count,
				       l->gsi == NO_GSI ? "MSI" : "IO-APIC");
		for (const struct action *a = l->actions; a; a = a->next)
			n += (size_t)scnprintf(buf + n, size - n, "%s%s", a == l->actions ? "  " : ", ", a->name);
		n += (size_t)scnprintf(buf + n, size - n, "\n");
	}
	n += (size_t)scnprintf(buf + n, size - n, "LOC: %10lu  Local timer interrupts\n", (u64)irq_timer.value);
	n += (size_t)scnprintf(buf + n, size - n, "RES: %10lu  Rescheduling interrupts\n", (u64)irq_reschedule.value);
	return n;
}

void irq_dispatch(u8 vector)
{
	switch (vector) {
	case VECTOR_TIMER:
		counter_inc(&irq_timer);
		apic_eoi();
		sched_timer_interrupt();
		return;
	case VECTOR_RESCHEDULE:
		counter_inc(&irq_reschedule);
		apic_eoi();
		sched_reschedule_interrupt();
		return;
	case VECTOR_CALL:
		apic_eoi();
		smp_call_interrupt();
		return;
	case VECTOR_HALT:
		for (;;)
			__asm__ volatile("cli; hlt");
	case VECTOR_SPURIOUS:
		return; /* no EOI */
	}
	if (vector < VECTOR_DEVICE_FIRST || vector > VECTOR_DEVICE_LAST ||
	    !lines[vector - VECTOR_DEVICE_FIRST].actions) {
		counter_inc(&irq_spurious);
		apic_eoi();
		return;
	}
	struct line *l = &lines[vector - VECTOR_DEVICE_FIRST];

	atomic_fetch_add_explicit(&l->count, 1, memory_order_relaxed);
	for (struct action *a = __atomic_load_n(&l->actions, __ATOMIC_ACQUIRE); a; a = a->next)
		a->fn(a->arg);
	apic_eoi();
}

/* The legacy interrupt controllers would deliver on exception vectors: mask them. */
static void pic_disable(void)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

void irq_init(void)
{
	pic_disable();
}
