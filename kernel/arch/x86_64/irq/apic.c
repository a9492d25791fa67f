/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC: x2APIC where the CPU has it, else the memory-mapped one; one-shot timer by TSC deadline or by count.
 * Intel SDM vol. 3, chapter 11. */

#include "arch/asm.h"
#include "arch/cpu.h"
#include "arch/memory.h"
#include "arch/platform.h"
#include "arch/vvar.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "kernel/percpu.h"

enum {
	APIC_ID = 0x20,
	APIC_EOI = 0xb0,
	APIC_SVR = 0xf0,
	APIC_ICR_LOW = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_COUNT = 0x380,
	APIC_TIMER_NOW = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0,
};

#define LVT_MASKED	  BIT(16)
#define LVT_TSC_DEADLINE  (2u << 17)
#define ICR_INIT	  (5u << 8)
#define ICR_STARTUP	  (6u << 8)
#define ICR_ASSERT	  BIT(14)
#define ICR_PENDING	  BIT(12)
#define APIC_BASE_ENABLE  BIT(11)
#define APIC_BASE_X2APIC  BIT(10)
#define TIMER_DIVIDE_BY_1 0xb

static volatile u32 *apic_mmio; /* NULL: x2APIC */
static u64 timer_mult;		/* APIC timer ticks per ns, 32.32 fixed point; 0: TSC deadline */

static u32 apic_read(u32 reg)
{
	return apic_mmio ? apic_mmio[reg / 4] : (u32)rdmsr(MSR_X2APIC + (reg >> 4));
}

static void apic_write(u32 reg, u32 v)
{
	if (apic_mmio)
		apic_mmio[reg / 4] = v;
	else
		wrmsr(MSR_X2APIC + (reg >> 4), v);
}

u32 apic_id(void)
{
	return apic_mmio ? apic_read(APIC_ID) >> 24 : apic_read(APIC_ID);
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_init_local(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	if (cpu_has_x2apic()) {
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	} else {
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
		if (!apic_mmio)
			apic_mmio = mmio_map(base & 0xffffff000ull, PAGE_SIZE);
		if (!apic_mmio)
			panic("apic: no memory to map the local APIC");
	}
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, 4u << 8); /* NMI */
	apic_write(APIC_LVT_ERROR, LVT_MASKED);
	apic_write(APIC_SVR, 0x100 | VECTOR_SPURIOUS);
	apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
	if (cpu_id() == 0 && !timer_mult)
		return; /* the boot CPU calibrates first */
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (timer_mult ? 0 : LVT_TSC_DEADLINE));
}

static u64 count_began; /* the TSC then */

void apic_timer_begin(void)
{
	if (!cpu_has_tsc_deadline())
		apic_write(APIC_TIMER_COUNT, ~0u);
	count_began = arch_cycles_ordered();
}

/* Ticks of the APIC timer in a millisecond at least: enough precision for a wake-up that re-checks the clock. */
void apic_timer_calibrate(void)
{
	if (!cpu_has_tsc_deadline()) {
		u64 took;

		do
			took = mul_div(arch_cycles_ordered() - count_began, NSEC_PER_MSEC, clock_tsc_khz());
		while (took < NSEC_PER_MSEC);
		timer_mult = ((u64)(~0u - apic_read(APIC_TIMER_NOW)) << 32) / took;
		apic_write(APIC_TIMER_COUNT, 0);
		if (!timer_mult)
			panic("apic: the timer does not count");
	}
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (timer_mult ? 0 : LVT_TSC_DEADLINE));
}

void arch_timer_set(u64 deadline)
{
	if (!timer_mult) {
		__asm__ volatile("mfence" ::: "memory"); /* the MSR write is not ordered behind the LVT's */
		wrmsr(MSR_TSC_DEADLINE, deadline == ~0ull ? 0 : clock_tsc_from_ns(deadline));
		return;
	}
	if (deadline == ~0ull) {
		apic_write(APIC_TIMER_COUNT, 0);
		return;
	}
	u64 now = clock_monotonic();
	u64 delta = deadline > now ? min(deadline - now, (u64)NSEC_PER_SEC) : 0; /* far ones re-arm on the way */
	u64 ticks = (u64)(((unsigned __int128)delta * timer_mult) >> 32) + 1;
	apic_write(APIC_TIMER_COUNT, (u32)min(ticks, (u64)~0u));
}

void apic_send_ipi(u32 id, u8 vector)
{
	u64 flags;

	if (!apic_mmio) {
		__asm__ volatile("mfence; lfence" ::: "memory"); /* x2APIC writes do not serialise (SDM 11.12.3) */
		wrmsr(MSR_X2APIC + 0x30, (u64)id << 32 | ICR_ASSERT | vector);
		return;
	}
	flags = arch_irq_save();
	while (apic_read(APIC_ICR_LOW) & ICR_PENDING)
		cpu_relax();
	apic_write(APIC_ICR_HIGH, id << 24);
	apic_write(APIC_ICR_LOW, ICR_ASSERT | vector);
	arch_irq_restore(flags);
}

static void apic_send_raw(u32 id, u32 low)
{
	if (!apic_mmio) {
		wrmsr(MSR_X2APIC + 0x30, (u64)id << 32 | low);
		return;
	}
	apic_write(APIC_ICR_HIGH, id << 24);
	apic_write(APIC_ICR_LOW, low);
	while (apic_read(APIC_ICR_LOW) & ICR_PENDING)
		cpu_relax();
}

void apic_send_init(u32 id)
{
	apic_send_raw(id, ICR_INIT | ICR_ASSERT);
}

void apic_send_startup(u32 id, u8 page)
{
	apic_send_raw(id, ICR_STARTUP | ICR_ASSERT | page);
}
