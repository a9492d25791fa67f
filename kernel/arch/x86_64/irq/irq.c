/* SPDX-License-Identifier: BSD-2-Clause */
/* Device interrupts (kernel/irq.h). A vector is the same on every CPU and belongs to one message-signalled
 * source, or to one wired line that several devices may share. Handlers run with interrupts off. */

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
#include "kernel/percpu.h"
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
} lines[VECTORS];
static struct spinlock lock = SPINLOCK_INIT; /* lines' set-up */
static unsigned next_serial;

/* What this CPU took, by vector; it alone writes, in the interrupt. */
struct irq_counts {
	u32 n[VECTOR_CALL - VECTOR_DEVICE_FIRST + 1];
};
static DEFINE_PER_CPU(struct irq_counts, counts);

u32 irq_count(unsigned vector, unsigned cpu)
{
	return READ_ONCE(per_cpu_ptr(&counts, cpu)->n[vector - VECTOR_DEVICE_FIRST]);
}

static u64 count_all(unsigned vector)
{
	u64 n = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		n += irq_count(vector, cpu);
	return n;
}

static u64 timers(void)
{
	return count_all(VECTOR_TIMER);
}

static u64 reschedules(void)
{
	return count_all(VECTOR_RESCHEDULE);
}

static DEFINE_COUNTER(irq_spurious, "interrupts on vectors that nobody asked for");
static DEFINE_COUNTER_SUM(irq_timer, timers, "local timer interrupts");
static DEFINE_COUNTER_SUM(irq_reschedule, reschedules, "reschedule interrupts from other CPUs");

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

/* The action is unlinked but never freed: an interrupt may be walking the list, and nobody frees interrupts
 * in earnest except a driver whose probe failed. */
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

static bool describe(unsigned vector, struct irq_info *info)
{
	static const struct irq_info own[] = {{"LOC", "", "Local timer interrupts"},
					      {"RES", "", "Rescheduling interrupts"},
					      {"CAL", "", "Function call interrupts"}};
	const struct line *l = &lines[vector - VECTOR_DEVICE_FIRST];
	size_t n = 0;

	if (vector >= VECTOR_TIMER) {
		*info = own[vector - VECTOR_TIMER];
		return true;
	}
	for (const struct action *a = __atomic_load_n(&l->actions, __ATOMIC_ACQUIRE); a; a = a->next)
		n += (size_t)scnprintf(info->names + n, sizeof info->names - n, "%s%s", n ? ", " : "",
				       a->name);
	info->label = NULL;
	info->chip = l->gsi == NO_GSI ? "MSI  " : "IO-APIC  ";
	return n;
}

unsigned irq_next(unsigned after, struct irq_info *info)
{
	for (unsigned v = max(after + 1, (unsigned)VECTOR_DEVICE_FIRST); v <= VECTOR_CALL; v++)
		if (describe(v, info))
			return v;
	return 0;
}

void irq_dispatch(u8 vector)
{
	if (likely(vector >= VECTOR_DEVICE_FIRST && vector <= VECTOR_CALL))
		per_cpu_ptr(&counts, cpu_id())->n[vector - VECTOR_DEVICE_FIRST]++;
	switch (vector) {
	case VECTOR_TIMER:
		apic_eoi();
		sched_timer_interrupt();
		return;
	case VECTOR_RESCHEDULE:
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
