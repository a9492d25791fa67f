/* SPDX-License-Identifier: BSD-2-Clause */
/* The clocks: monotonic time is the TSC, scaled. Where its frequency is known by the hypervisor (kvmclock, CPUID leaves) it is
 * taken as given. Else it is measured against PIT channel 0, first over 2 ms so that boot need not wait, then over
 * 40 ms, 2 s and 60 s in the background: each measurement narrows the error enough that the next, longer one cannot miss
 * a wrap of the PIT's 55 ms period. A change of scale joins at the current instant, so time never steps.
 * The parameters live in the page that the vDSO reads (arch/vvar.h), under a sequence count. */

#include "kernel/clock.h"
#include "arch/asm.h"
#include "arch/cpu.h"
#include "arch/platform.h"
#include "arch/vvar.h"
#include "base/string.h"
#include "clocksource.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/spinlock.h"
#include "kernel/timer.h"

#define PIT_HZ 1193182ull

struct vvar_page vvar __aligned(PAGE_SIZE);
static struct spinlock update_lock = SPINLOCK_INIT; /* writers of vvar */
static u64 tsc_khz;
static bool calibrated_by_pit;

/* ---- reading ---- */

u64 clock_monotonic(void)
{
	u32 seq;
	u64 ns;

	do {
		seq = __atomic_load_n(&vvar.seq, __ATOMIC_ACQUIRE);
		ns = vvar_elapsed(&vvar, arch_cycles_ordered()) + vvar.mono_base;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (unlikely(seq & 1 || seq != __atomic_load_n(&vvar.seq, __ATOMIC_RELAXED)));
	return ns;
}

u64 clock_realtime(void)
{
	return clock_monotonic() + __atomic_load_n(&vvar.wall_offset, __ATOMIC_RELAXED);
}

u64 clock_boottime(void)
{
	return clock_monotonic() + __atomic_load_n(&vvar.boot_offset, __ATOMIC_RELAXED);
}

u64 clock_tsc_khz(void)
{
	return tsc_khz;
}

u64 clock_tsc_from_ns(u64 deadline)
{
	u64 now = clock_monotonic(), tsc = arch_cycles();

	if (deadline <= now)
		return tsc;
	return tsc + mul_div(deadline - now, tsc_khz, 1000000) + 1;
}

/* ---- setting ---- */

static void vvar_begin(void)
{
	__atomic_store_n(&vvar.seq, vvar.seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void vvar_end(void)
{
	__atomic_store_n(&vvar.seq, vvar.seq + 1, __ATOMIC_RELEASE);
}

/* From now on a second is HZ cycles. Continues at the present reading. */
static void set_frequency(u64 hz)
{
	u64 flags = spin_lock_irqsave(&update_lock);
	u64 tsc = arch_cycles_ordered();
	u64 now = vvar.mono_base + vvar_elapsed(&vvar, tsc);

	vvar_begin();
	vvar.tsc_base = tsc;
	vvar.mono_base = now;
	vvar.mult = mul_div(NSEC_PER_SEC, 1ull << VVAR_SHIFT, hz);
	vvar_end();
	tsc_khz = hz / 1000;
	spin_unlock_irqrestore(&update_lock, flags);
}

void clock_set_realtime(u64 ns)
{
	u64 flags = spin_lock_irqsave(&update_lock);
	u64 mono = clock_monotonic();

	vvar_begin();
	vvar.wall_offset = ns - mono;
	vvar_end();
	spin_unlock_irqrestore(&update_lock, flags);
}

/* ---- measuring against PIT channel 0 ---- */

struct sample {
	u64 tsc;
	u16 pit; /* counts down, period 65536 */
};

static u64 sample_tsc0;
static u16 sample_pit0;
static u64 sample_ticks; /* PIT ticks between sample 0 and the last sample taken */
static u64 sample_last_tsc;

static void pit_start(void)
{
	outb(0x43, 0x34); /* channel 0, low then high byte, rate generator */
	outb(0x40, 0);
	outb(0x40, 0); /* 65536 */
}

/* Latch and read; of three tries the one with the least time around it. */
static struct sample pit_sample(void)
{
	struct sample best = {0, 0};
	u64 width = ~0ull;

	for (int i = 0; i < 3; i++) {
		u64 flags = arch_irq_save();
		u64 t0 = arch_cycles_ordered();
		outb(0x43, 0x00);
		u64 t1 = arch_cycles_ordered();
		u16 lo = inb(0x40), hi = inb(0x40);
		arch_irq_restore(flags);

		if (t1 - t0 < width) {
			width = t1 - t0;
			best = (struct sample){t0 + width / 2, (u16)(lo | hi << 8)};
		}
	}
	return best;
}

/* Extend the measurement to now: the present frequency tells how many whole PIT periods have passed. */
static u64 pit_measure(void)
{
	struct sample s = pit_sample();
	u64 phase = (u16)(sample_pit0 - s.pit);
	u64 ticks = phase;

	if (tsc_khz) {
		u64 expect = mul_div(s.tsc - sample_tsc0, PIT_HZ, tsc_khz * 1000);
		u64 periods = (expect + 32768 - min(phase, expect + 32768)) >> 16;

		ticks = phase + (periods << 16);
	}
	sample_ticks = ticks;
	sample_last_tsc = s.tsc;
	return ticks ? mul_div(s.tsc - sample_tsc0, PIT_HZ, ticks) : 0; /* Hz */
}

static const u64 refine_at[] = {40 * NSEC_PER_MSEC, 2 * NSEC_PER_SEC, 60 * NSEC_PER_SEC};
static unsigned refine_step;
static struct timer refine_timer;

static void refine(struct timer *t)
{
	u64 old = tsc_khz * 1000, hz = pit_measure();

	/* A PIT that someone reprogrammed, or a host that was suspended: keep what we have. */
	if (hz && (hz > old ? hz - old : old - hz) < old / 200)
		set_frequency(hz);
	if (++refine_step < ARRAY_SIZE(refine_at))
		timer_set(t, clock_monotonic() + refine_at[refine_step]);
}

static int clock_refine_start(void)
{
	if (calibrated_by_pit) {
		timer_init(&refine_timer, refine);
		timer_set(&refine_timer, clock_monotonic() + refine_at[0]);
	}
	return 0;
}
INITCALL(clock_refine_start, INIT_LATE);

static u64 pit_calibrate(void)
{
	pit_start();
	struct sample s = pit_sample();
	sample_tsc0 = s.tsc;
	sample_pit0 = s.pit;
	for (u64 i = 0; (u16)(sample_pit0 - pit_sample().pit) < PIT_HZ / 500; i++)
		if (i > 1000000)
			return 0; /* no PIT: it reads the same for ever */
	return pit_measure();
}

void clock_init(void)
{
	u64 hz = tsc_hz_from_hypervisor();

	if (!hz) {
		hz = pit_calibrate();
		calibrated_by_pit = hz != 0;
	}
	if (!hz) {
		log_err("clock: nothing to measure the TSC against; assuming 1 GHz");
		hz = 1000000000;
	}
	set_frequency(hz);
	vvar.wall_offset = wall_clock_at_boot() - clock_monotonic();
	vvar.tsc_usable = cpu_has_rdtscp() ? 1 : 2; /* see vvar.h */
}
