/* SPDX-License-Identifier: BSD-2-Clause */
/* The clocks: monotonic time is the TSC, scaled. Where its frequency is known by the hypervisor (kvmclock, CPUID leaves) it is
 * taken as given. Else it is measured (reference.c): over 2 ms against the PIT, so that boot need not wait, then against the best
 * counter there is over 40 ms, 1 s and 15 s in the background: each measurement narrows the error enough that the next, longer
 * one cannot miss a wrap of the PIT's 55 ms period; a few microseconds in 15 s are what a host's clock is off anyhow. Then the
 * PIT is stopped. A change of scale joins at the current instant, so time never steps.
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

struct vvar_page vvar __aligned(PAGE_SIZE);
static struct spinlock update_lock = SPINLOCK_INIT; /* writers of vvar */
static u64 tsc_khz;
static bool given; /* the hypervisor or the CPU said the TSC's rate */

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

/* ---- measuring ---- */

struct sample {
	u64 tsc, count;
};

static const struct reference *reference; /* what the TSC is measured against; NULL: its rate was given */
static struct sample first;

/* Of three tries the one with the least time around it. */
static struct sample sample(const struct reference *r)
{
	struct sample best = {0, 0};
	u64 width = ~0ull;

	for (int i = 0; i < 3; i++) {
		u64 flags = arch_irq_save();
		u64 t0 = arch_cycles_ordered(), count = r->read(), t1 = arch_cycles_ordered();

		arch_irq_restore(flags);
		if (t1 - t0 < width) {
			width = t1 - t0;
			best = (struct sample){t0 + width / 2, count};
		}
	}
	return best;
}

/* The TSC's Hz from FIRST to now; 0: it makes no sense. The frequency known so far tells how often the counter wrapped. */
static u64 measure(void)
{
	struct sample s = sample(reference);
	u64 ticks = (s.count - first.count) & reference->mask;

	if (tsc_khz && reference->mask != ~0ull) {
		u64 expect = mul_div(s.tsc - first.tsc, reference->hz, tsc_khz * 1000) + reference->mask / 2;

		ticks += (expect - min(ticks, expect)) & ~reference->mask;
	}
	/* No TSC is a million times as fast: a counter that stands still must not make the quotient overflow. */
	return ticks > (s.tsc - first.tsc) >> 20 ? mul_div(s.tsc - first.tsc, reference->hz, ticks) : 0;
}

/* Measure over 2 ms. 0: the counter does not count. */
static u64 calibrate(const struct reference *r)
{
	reference = r;
	first = sample(r);
	for (unsigned i = 0; ((sample(r).count - first.count) & r->mask) < r->hz / 500; i++)
		if (i > 50000)
			return 0;
	return measure();
}

static const u64 refine_at[] = {40 * NSEC_PER_MSEC, NSEC_PER_SEC, 15 * NSEC_PER_SEC};
static unsigned refine_step;
static struct timer refine_timer;

static void refine(struct timer *t)
{
	u64 old = tsc_khz * 1000, hz = measure();

	/* A counter that someone reprogrammed, or a host that was suspended: keep what we have. */
	if (hz && (hz > old ? hz - old : old - hz) < old / 200)
		set_frequency(hz);
	if (++refine_step < ARRAY_SIZE(refine_at))
		timer_set(t, clock_monotonic() + refine_at[refine_step]);
	else
		reference_pit_stop();
}

/* Now that the firmware's tables can be read, there may be something better than the PIT. */
static int clock_find_reference(void)
{
	const struct reference *better = given ? NULL : reference_from_tables();
	u64 hz;

	if (better && !reference) {
		apic_timer_begin();
		hz = calibrate(better);
		if (hz) {
			set_frequency(hz);
			apic_timer_calibrate(); /* it was measured by the clock */
		} else {
			reference = NULL;
		}
	} else if (better) {
		reference = better;
		first = sample(better);
	}
	log_info("clock: TSC at %lu kHz, %s", tsc_khz, given ? "as the hypervisor says" : reference ? reference->name : "assumed");
	if (reference) {
		timer_init(&refine_timer, refine);
		timer_set(&refine_timer, clock_monotonic() + refine_at[0]);
	} else {
		reference_pit_stop();
	}
	return 0;
}
INITCALL(clock_find_reference, INIT_BUS);

void clock_init(void)
{
	u64 hz = tsc_hz_from_hypervisor();

	given = hz != 0;
	if (!hz)
		hz = calibrate(reference_pit());
	if (!hz) {
		hz = 1000000000; /* until there are tables */
		reference = NULL;
	}
	set_frequency(hz);
	vvar.wall_offset = wall_clock_at_boot() - clock_monotonic();
	vvar.tsc_usable = cpu_has_rdtscp() ? 1 : 2; /* see vvar.h */
}
