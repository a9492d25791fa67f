/* SPDX-License-Identifier: BSD-2-Clause */
/* Debug registers of traced threads. */

#include "arch/debug.h"
#include "arch/thread.h"
#include "base/err.h"
#include "kernel/alloc.h"
#include "kernel/app.h"
#include "kernel/signal.h"
#include "kernel/thread.h"

#define DR6_FIXED 0xffff0ff0ull
#define DR6_STEP  0x4000ull
#define DR6_SLOTS 0xfull
#define DR7_FIXED 0x400ull
#define DR7_SLOTS 0xffff00ffull /* without general detection, which would trap in the kernel */
#define SLOTS	  4
#define TYPE_EXEC 0
#define TYPE_IO	  2
#define RFLAGS_RF 0x10000ull

struct debug_regs {
	u64 addr[SLOTS];
	u64 status;  /* DR6 as the tracer sees it */
	u64 control; /* DR7 as the tracer wrote it */
};

static unsigned slot_type(u64 control, int i)
{
	return control >> (16 + 4 * i) & 3;
}

static bool slot_enabled(u64 control, int i)
{
	return control >> (2 * i) & 3;
}

/* Only the application's memory may be watched. */
static bool acceptable(const struct debug_regs *d)
{
	static const u8 last[4] = {0, 1, 7, 3}; /* bytes less one */

	for (int i = 0; i < SLOTS; i++) {
		unsigned type = slot_type(d->control, i), span = last[d->control >> (18 + 4 * i) & 3];

		if (!d->addr[i] && !slot_enabled(d->control, i))
			continue;
		if (type == TYPE_IO || (type == TYPE_EXEC && span) || d->addr[i] & span ||
		    d->addr[i] >= APP_LIMIT)
			return false;
	}
	return true;
}

u64 debug_get(const struct thread *t, unsigned index)
{
	const struct debug_regs *d = t->arch.debug;

	if (index == 6)
		return d ? d->status : DR6_FIXED;
	if (!d || index == 4 || index == 5)
		return 0;
	return index == 7 ? d->control : d->addr[index];
}

int debug_set(struct thread *t, unsigned index, u64 value)
{
	struct debug_regs *d = t->arch.debug, new;

	if (index == 4 || index == 5)
		return -EIO;
	new = d ? *d : (struct debug_regs){.status = DR6_FIXED};
	*(index == 6 ? &new.status : index == 7 ? &new.control : &new.addr[index]) = value;
	if (!acceptable(&new))
		return -EINVAL;
	if (!d && !value)
		return 0;
	if (!d)
		d = t->arch.debug = kmalloc(sizeof(*d));
	if (!d)
		return -ENOMEM;
	*d = new;
	return 0;
}

void debug_load(const struct debug_regs *d)
{
	u64 control = d ? d->control & DR7_SLOTS : 0;

	__asm__ volatile("mov %0, %%dr7" ::"r"(DR7_FIXED));
	if (!(control & 0xff))
		return;
	__asm__ volatile("mov %0, %%dr0" ::"r"(d->addr[0]));
	__asm__ volatile("mov %0, %%dr1" ::"r"(d->addr[1]));
	__asm__ volatile("mov %0, %%dr2" ::"r"(d->addr[2]));
	__asm__ volatile("mov %0, %%dr3" ::"r"(d->addr[3]));
	__asm__ volatile("mov %0, %%dr7" ::"r"(control | DR7_FIXED));
}

void debug_forget(struct thread *t)
{
	struct debug_regs *d = t->arch.debug;

	if (!d)
		return;
	t->arch.debug = NULL;
	if (t == current)
		debug_load(NULL);
	kfree(d);
}

/* DR6 names the slots whose conditions hold, enabled or not. */
static u64 take_status(void)
{
	u64 v;

	__asm__ volatile("mov %%dr6, %0" : "=r"(v));
	__asm__ volatile("mov %0, %%dr6" ::"r"(DR6_FIXED));
	return v;
}

int debug_exception(struct regs *r)
{
	struct debug_regs *d = current->arch.debug;
	u64 status = take_status(), hits = 0;

	for (int i = 0; d && i < SLOTS; i++) {
		if (!(status >> i & 1) || !slot_enabled(d->control, i))
			continue;
		hits |= 1u << i;
		if (slot_type(d->control, i) == TYPE_EXEC)
			r->rflags |= RFLAGS_RF; /* the instruction is still to come */
	}
	if (d)
		d->status = DR6_FIXED | hits | (status & DR6_STEP);
	return status & DR6_STEP ? TRAP_TRACE : hits ? TRAP_HWBKPT : TRAP_BRKPT;
}

bool debug_exception_in_kernel(void)
{
	return current && current->arch.debug && take_status() & DR6_SLOTS;
}
