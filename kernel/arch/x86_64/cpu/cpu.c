/* SPDX-License-Identifier: BSD-2-Clause */
/* What each CPU does for itself, and the features that the rest of the architecture asks about. */

#include "arch/asm.h"
#include "arch/cpu.h"
#include "arch/fpu.h"
#include "arch/platform.h"
#include "arch/thread.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/log.h"
#include "kernel/percpu.h"

DECLARE_PER_CPU(u64, kstack_low);
DECLARE_PER_CPU(u64, kstack_top);
/* Compared by every function with an array on its stack. One value for all CPUs: threads move between them.
 */
DECLARE_PER_CPU(u64, stack_guard);
DEFINE_PER_CPU(u64, stack_guard) = 0x595e9fbd94fda766;
DEFINE_PER_CPU(unsigned, cpu_number);
unsigned cpu_count = 1;

static u64 *boot_percpu_offset[1];
u64 *percpu_offset = (u64 *)boot_percpu_offset;
static u32 boot_apic_id;
u32 *cpu_apic_id = &boot_apic_id;
char hypervisor_id[13];
bool cpu_fences_elided;

static struct {
	u32 ecx1, edx81, ebx7;
} features;

bool cpu_has_x2apic(void)
{
	return features.ecx1 & BIT(21);
}

bool cpu_has_tsc_deadline(void)
{
	return features.ecx1 & BIT(24);
}

bool cpu_has_rdtscp(void)
{
	return features.edx81 & BIT(27);
}

bool cpu_has_fsgsbase(void)
{
	return features.ebx7 & BIT(0);
}

bool arch_random(u64 *out)
{
	bool ok = false;

	if (features.ecx1 & BIT(30))
		for (int i = 0; i < 10 && !ok; i++)
			__asm__ volatile("rdrand %0" : "=r"(*out), "=@ccc"(ok));
	return ok;
}

void cpu_set_kstack(void *low)
{
	this_cpu(kstack_low) = (u64)low;
	this_cpu(kstack_top) = (u64)low + KSTACK_SIZE - 8;
}

u64 kstack_low_of_cpu(void)
{
	return this_cpu(kstack_low);
}

static void detect(void)
{
	u32 max = cpuid(0, 0).eax;

	features.ecx1 = cpuid(1, 0).ecx;
	if (max >= 7)
		features.ebx7 = cpuid(7, 0).ebx;
	if (cpuid(0x80000000, 0).eax >= 0x80000001)
		features.edx81 = cpuid(0x80000001, 0).edx;
	if (features.ecx1 & BIT(31)) {
		struct cpuid h = cpuid(0x40000000, 0);

		memcpy(hypervisor_id, &h.ebx, 4);
		memcpy(hypervisor_id + 4, &h.ecx, 4);
		memcpy(hypervisor_id + 8, &h.edx, 4);
		cpu_fences_elided = strcmp(hypervisor_id, "TCGTCGTCGTCG") == 0;
	}
}

/* The boot CPU chose what is there; all CPUs enable the same. */
void cpu_init_local(void)
{
	if (cpu_has_fsgsbase())
		write_cr4(read_cr4() | CR4_FSGSBASE);
	if (cpu_has_rdtscp())
		wrmsr(MSR_TSC_AUX, cpu_id()); /* getcpu in the vDSO */
	apic_init_local();
	steal_time_init_cpu();
}

void cpu_init_boot(void)
{
	detect();
	fpu_init_areas();
	cpu_init_local();
	cpu_apic_id[0] = apic_id();
	apic_timer_begin(); /* counts while the clock is measured */
	clock_init();
	apic_timer_calibrate();
}
