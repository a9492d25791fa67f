/* SPDX-License-Identifier: BSD-2-Clause */
/* Secondary CPUs: starting them (INIT, start-up IPI), and running functions on them.
 *
 * smp_call: each CPU has one call descriptor as initiator and a mask of initiators as target. The initiator sets its bit in
 * each target's mask, interrupts those, and waits for its count to fall to zero, serving calls to itself meanwhile, so that
 * two CPUs that call each other do not wait for ever. */

#include "kernel/smp.h"
#include "arch/asm.h"
#include "arch/cpu.h"
#include "arch/fpu.h"
#include "arch/memory.h"
#include "arch/platform.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/boot_info.h"
#include "kernel/clock.h"
#include "kernel/cmdline.h"
#include "kernel/ioapic.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/percpu.h"
#include "kernel/sched.h"

struct call {
	void (*fn)(void *);
	void *arg;
	_Atomic unsigned waiting; /* targets that have not run it yet */
};

static DEFINE_PER_CPU(struct call, call);
static DEFINE_PER_CPU(_Atomic u64 *, call_from); /* mask of initiators */
static DEFINE_PER_CPU(void *, secondary_stack);
static unsigned mask_words = 1;

static u32 *wanted; /* APIC ids of the CPUs to start */
static unsigned nwanted, wanted_room;
static _Atomic unsigned arrived;

extern const u8 trampoline_start[], trampoline_end[], trampoline_args[];
extern u8 __percpu_start[], __percpu_end[];
extern u8 __percpu_pristine[];
DECLARE_PER_CPU(u64, stack_guard);

struct trampoline_args {
	u64 cr3, stack, gs, entry;
};

void cpu_register(u32 id)
{
	if (id == cpu_apic_id[0])
		return;
	if (nwanted == wanted_room) {
		u32 *more = krealloc(wanted, (wanted_room + 16) * sizeof *wanted);

		if (!more) {
			log_warn("smp: no memory to note CPU with APIC id %u", id);
			return;
		}
		wanted = more;
		wanted_room += 16;
	}
	wanted[nwanted++] = id;
}

/* The new CPU's first C code, on its own stack with its own per-CPU area. */
static void __noreturn secondary_main(void)
{
	mm_init_cpu();
	cpu_set_kstack(this_cpu(secondary_stack));
	cpu_init_tables(cpu_id());
	fpu_init_cpu();
	cpu_init_local();
	sched_init_cpu(cpu_id());
	atomic_fetch_add(&arrived, 1);
	sched_idle();
}

/* Page tables for the way up: the trampoline's page at its own address, and the kernel's upper half. */
static u64 trampoline_tables(u64 page)
{
	struct page *pg[3];
	u64 *t[3], pa[3];

	for (int i = 0; i < 3; i++) {
		pg[i] = page_alloc(0, PAGE_ZERO | PAGE_DMA32);
		if (!pg[i])
			return 0;
		t[i] = page_to_virt(pg[i]);
		pa[i] = page_to_phys(pg[i]);
	}
	memcpy(t[0] + 256, (u64 *)phys_to_virt(mm_kernel_root()) + 256, 256 * sizeof(u64));
	t[0][0] = pa[1] | 3;
	t[1][0] = pa[2] | 3;
	t[2][0] = 0x83; /* 2 MiB at 0: PAGE is below 1 MiB */
	return page < MIB(1) ? pa[0] : 0;
}

size_t percpu_size(void)
{
	return (size_t)(__percpu_end - __percpu_start);
}

static int percpu_create(unsigned cpu)
{
	size_t size = percpu_size();
	u8 *area = kmalloc(size);

	if (!area)
		return -1;
	memcpy(area, __percpu_pristine, size);
	percpu_offset[cpu] = (u64)area - (u64)__percpu_start;
	*per_cpu_ptr(&cpu_number, cpu) = cpu;
	*per_cpu_ptr(&stack_guard, cpu) = *per_cpu_ptr(&stack_guard, 0);
	*per_cpu_ptr(&call_from, cpu) = kzalloc(mask_words * sizeof(u64));
	return *per_cpu_ptr(&call_from, cpu) ? 0 : -1;
}

static bool start_cpu(unsigned cpu, u32 id, struct trampoline_args *args, u8 page)
{
	void *stack = kstack_alloc();
	unsigned before = atomic_load(&arrived);

	if (!stack || percpu_create(cpu))
		return false;
	args->stack = (u64)stack + KSTACK_SIZE - 16;
	args->gs = percpu_offset[cpu];
	*per_cpu_ptr(&secondary_stack, cpu) = stack;
	atomic_thread_fence(memory_order_seq_cst);
	apic_send_init(id);
	apic_send_startup(id, page);
	u64 start = clock_monotonic();
	bool again = false;
	while (atomic_load(&arrived) == before) {
		u64 waited = clock_monotonic() - start;

		if (waited > NSEC_PER_SEC)
			return false;
		if (waited > 10 * NSEC_PER_MSEC && !again) {
			apic_send_startup(id, page); /* real processors may need the second one */
			again = true;
		}
		cpu_relax();
	}
	return true;
}

void smp_start_others(void)
{
	unsigned limit = (unsigned)cmdline_u64("maxcpus", ~0u);
	unsigned total = nwanted + 1;
	u64 *offsets = kcalloc(total, sizeof(u64));
	u32 *ids = kcalloc(total, sizeof(u32));
	struct page *low = nwanted ? page_alloc(0, PAGE_LOW) : NULL;
	u64 cr3 = low ? trampoline_tables(page_to_phys(low)) : 0;

	mask_words = DIV_ROUND_UP(total, 64);
	if (!offsets || !ids || (nwanted && !cr3) || !sched_expect_cpus(total)) {
		log_err("smp: no memory to start other CPUs");
		return;
	}
	offsets[0] = percpu_offset[0];
	ids[0] = cpu_apic_id[0];
	percpu_offset = offsets;
	cpu_apic_id = ids;
	this_cpu(call_from) = kzalloc(mask_words * sizeof(u64));
	if (!this_cpu(call_from) || !nwanted)
		return;

	u8 *code = page_to_virt(low);
	struct trampoline_args *args = (void *)(code + (trampoline_args - trampoline_start));
	memcpy(code, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	args->cr3 = cr3;
	args->entry = (u64)secondary_main;
	for (unsigned i = 0; i < nwanted && cpu_count < limit; i++) {
		ids[cpu_count] = wanted[i];
		if (start_cpu(cpu_count, wanted[i], args, (u8)(page_to_phys(low) >> PAGE_SHIFT)))
			cpu_count++;
		else
			log_err("smp: the CPU with APIC id %u does not start", wanted[i]);
	}
	page_put(low);
}

/* ---- calls ---- */

void smp_send_reschedule(unsigned cpu)
{
	apic_send_ipi(cpu_apic_id[cpu], VECTOR_RESCHEDULE);
}

void smp_call_interrupt(void)
{
	_Atomic u64 *from = this_cpu(call_from);

	for (unsigned w = 0; w < mask_words; w++) {
		u64 bits = atomic_exchange_explicit(&from[w], 0, memory_order_acquire);

		while (bits) {
			unsigned cpu = w * 64 + (unsigned)__builtin_ctzll(bits);
			struct call *c = per_cpu_ptr(&call, cpu);

			bits &= bits - 1;
			c->fn(c->arg);
			atomic_fetch_sub_explicit(&c->waiting, 1, memory_order_release);
		}
	}
}

static void post(unsigned target, unsigned self)
{
	_Atomic u64 *from = *per_cpu_ptr(&call_from, target);

	if (!atomic_fetch_or_explicit(&from[self / 64], BIT(self % 64), memory_order_acq_rel))
		apic_send_ipi(cpu_apic_id[target], VECTOR_CALL);
}

void smp_call(const u64 *mask, void (*fn)(void *), void *arg)
{
	unsigned self = cpu_id(), n = 0;
	bool local = mask[self / 64] & BIT(self % 64);
	struct call *c = per_cpu_ptr(&call, self);

	for (unsigned w = 0; w < DIV_ROUND_UP(cpu_count, 64); w++)
		n += (unsigned)__builtin_popcountll(mask[w]);
	n -= local;
	if (n) {
		c->fn = fn;
		c->arg = arg;
		atomic_store_explicit(&c->waiting, n, memory_order_release);
		for (unsigned cpu = 0; cpu < cpu_count; cpu++)
			if (cpu != self && mask[cpu / 64] & BIT(cpu % 64))
				post(cpu, self);
	}
	if (local) {
		u64 flags = arch_irq_save();

		fn(arg);
		arch_irq_restore(flags);
	}
	while (n && atomic_load_explicit(&c->waiting, memory_order_acquire)) {
		u64 flags = arch_irq_save();

		smp_call_interrupt();
		arch_irq_restore(flags);
		cpu_relax();
	}
}

void smp_call_all(void (*fn)(void *), void *arg)
{
	u64 small[4], *mask = small;
	unsigned words = DIV_ROUND_UP(cpu_count, 64);

	if (words > ARRAY_SIZE(small)) {
		mask = kmalloc(words * sizeof(u64));
		if (!mask)
			panic("smp_call_all: no memory for a mask of %u CPUs", cpu_count);
	}
	memset(mask, 0, words * sizeof(u64));
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		mask[cpu / 64] |= BIT(cpu % 64);
	smp_call(mask, fn, arg);
	if (mask != small)
		kfree(mask);
}

void smp_stop_others(void)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		if (cpu != cpu_id())
			apic_send_ipi(cpu_apic_id[cpu], VECTOR_HALT);
}
