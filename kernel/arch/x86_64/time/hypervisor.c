/* SPDX-License-Identifier: BSD-2-Clause */
/* Time as the hypervisor gives it: kvmclock (Linux: Documentation/virt/kvm/x86/msr.rst), VMware's timing leaf
 * 0x40000010, and the CPU's own leaf 0x15 (Intel SDM). Wall time else from the CMOS clock (MC146818). */

#include "arch/asm.h"
#include "arch/cpu.h"
#include "arch/memory.h"
#include "arch/platform.h"
#include "base/string.h"
#include "clocksource.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/percpu.h"
#include "kernel/sched.h"

#define KVM_FEATURE_CLOCKSOURCE2 BIT(3)
#define MSR_KVM_WALL_CLOCK	 0x4b564d00
#define MSR_KVM_SYSTEM_TIME	 0x4b564d01
#define KVM_FEATURE_STEAL_TIME	 BIT(5)
#define MSR_KVM_STEAL_TIME	 0x4b564d03

struct pvclock_time {
	u32 version, pad0;
	u64 tsc_timestamp, system_time;
	u32 tsc_to_system_mul;
	s8 tsc_shift;
	u8 flags, pad[2];
} __aligned(64);

struct pvclock_wall {
	u32 version, sec, nsec;
} __aligned(64);

/* What the host took from this virtual CPU; the host writes it, odd versions while it does. */
struct steal_time {
	u64 ns;
	u32 version, flags;
	u8 preempted, pad[47];
} __aligned(64);

static DEFINE_PER_CPU(struct steal_time *, steal_time);
static struct pvclock_time pv_time;
static struct pvclock_wall pv_wall;

static bool kvm_has(u32 feature)
{
	return !memcmp(hypervisor_id, "KVMKVMKVM", 9) && cpuid(0x40000001, 0).eax & feature;
}

static bool has_kvmclock(void)
{
	return kvm_has(KVM_FEATURE_CLOCKSOURCE2);
}

static u64 steal_clock(unsigned cpu)
{
	struct steal_time *s = *per_cpu_ptr(&steal_time, cpu);
	u32 version;
	u64 ns;

	if (!s)
		return 0;
	do {
		version = __atomic_load_n(&s->version, __ATOMIC_ACQUIRE);
		ns = __atomic_load_n(&s->ns, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (version & 1 || version != __atomic_load_n(&s->version, __ATOMIC_RELAXED));
	return ns;
}

void steal_time_init_cpu(void)
{
	struct steal_time *s;

	if (!kvm_has(KVM_FEATURE_STEAL_TIME))
		return;
	s = kzalloc(sizeof *s); /* a power of two: aligned to its size, as the host demands */
	if (!s)
		return;
	this_cpu(steal_time) = s;
	wrmsr(MSR_KVM_STEAL_TIME, virt_to_phys(s) | 1);
	sched_steal_clock = steal_clock;
}

/* kvmclock's scale is ns = (cycles << shift) * mul >> 32. It is read once: the host keeps the TSC's rate constant or
 * emulates it, and the MSR is cleared again so that no per-CPU page is needed. */
static u64 kvmclock_hz(void)
{
	u64 hz;

	wrmsr(MSR_KVM_SYSTEM_TIME, virt_to_phys(&pv_time) | 1);
	u32 mul = READ_ONCE(pv_time.tsc_to_system_mul);
	int shift = READ_ONCE(pv_time.tsc_shift);
	wrmsr(MSR_KVM_SYSTEM_TIME, 0);
	if (!mul)
		return 0;
	hz = (1000000000ull << 32) / mul;
	return shift < 0 ? hz << -shift : hz >> shift;
}

u64 tsc_hz_from_hypervisor(void)
{
	u64 hz = 0;

	if (has_kvmclock())
		hz = kvmclock_hz();
	if (!hz && hypervisor_id[0] && cpuid(0x40000000, 0).eax >= 0x40000010)
		hz = cpuid(0x40000010, 0).eax * 1000ull;
	if (!hz && !hypervisor_id[0] && cpuid(0, 0).eax >= 0x15) {
		struct cpuid c = cpuid(0x15, 0);

		if (c.eax && c.ebx && c.ecx)
			hz = (u64)c.ecx * c.ebx / c.eax;
	}
	return hz;
}

/* ---- CMOS clock ---- */

static u8 cmos(u8 reg)
{
	outb(0x70, reg | 0x80);
	return inb(0x71);
}

struct cmos_time {
	u8 sec, min, hour, day, month, year;
};

static struct cmos_time cmos_read(void)
{
	return (struct cmos_time){cmos(0), cmos(2), cmos(4), cmos(7), cmos(8), cmos(9)};
}

static u8 bcd(u8 v)
{
	return (u8)((v >> 4) * 10 + (v & 15));
}

/* Days since 1970-01-01 of a Gregorian date (H. Hinnant's days_from_civil). */
static s64 days(s64 y, unsigned m, unsigned d)
{
	y -= m <= 2;
	s64 era = y / 400;
	unsigned yoe = (unsigned)(y - era * 400);
	unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;

	return era * 146097 + (s64)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

static u64 cmos_wall_clock(void)
{
	struct cmos_time a, b;
	u8 mode;
	int tries = 1000;

	do {
		while (cmos(10) & 0x80 && --tries > 0) /* an update is in progress; an absent chip reads 0xff */
			cpu_relax();
		a = cmos_read();
		b = cmos_read();
	} while (memcmp(&a, &b, sizeof a) && --tries > 0);
	if (tries <= 0)
		return 0;
	mode = cmos(11);
	bool pm = a.hour & 0x80 && !(mode & 2);
	a.hour &= 0x7f;
	if (!(mode & 4))
		a = (struct cmos_time){bcd(a.sec), bcd(a.min), bcd(a.hour), bcd(a.day), bcd(a.month), bcd(a.year)};
	if (!(mode & 2))
		a.hour = (u8)(a.hour % 12 + (pm ? 12 : 0));
	if (a.month < 1 || a.month > 12 || a.day < 1 || a.day > 31)
		return 0;
	return ((u64)days(2000 + a.year, a.month, a.day) * 86400 + a.hour * 3600u + a.min * 60u + a.sec) * NSEC_PER_SEC;
}

u64 wall_clock_at_boot(void)
{
	if (!has_kvmclock())
		return cmos_wall_clock();
	/* kvmclock's wall clock is the time when its own system time was 0. */
	wrmsr(MSR_KVM_SYSTEM_TIME, virt_to_phys(&pv_time) | 1);
	wrmsr(MSR_KVM_WALL_CLOCK, virt_to_phys(&pv_wall));
	u64 delta = arch_cycles() - pv_time.tsc_timestamp;
	u64 system = pv_time.system_time;
	wrmsr(MSR_KVM_SYSTEM_TIME, 0);
	return pv_wall.sec * NSEC_PER_SEC + pv_wall.nsec + system + delta * 1000000 / max(clock_tsc_khz(), (u64)1);
}
