// SPDX-License-Identifier: BSD-2-Clause
/* CPU time of threads, processes and CPUs, and the load average.
 *
 * A thread's total is exact: the run queue adds up what it runs, to the ns of clock_monotonic(). The share
 * spent in the kernel is sampled, for two clock reads a system call would double the cheap ones: the first
 * stays in the kernel are timed one by one, then every sixteenth, which counts for sixteen. A long sleep
 * starts that anew, so that threads that seldom run are seen exactly. A stay that goes on after a switch is
 * timed, with its weight, while the thread runs. user = total - system, and no less than was shown before: a
 * weighted stay may be more than the time since. */
#include "sched_internal.h"

#define EXACT_ENTRIES 4
#define SAMPLE_MASK   15u
#define LONG_SLEEP    (10 * NSEC_PER_MSEC)

#define LOAD_SHIFT  11
#define LOAD_PERIOD (5 * NSEC_PER_SEC)

u64 (*sched_steal_clock)(unsigned cpu);
static _Atomic bool hooks_in_use; /* the entry code calls us */

static void add(_Atomic u64 *sum, u64 n)
{
	/* One writer. */
	atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + n, memory_order_relaxed);
}

static void end_sample(struct thread *t, u64 now)
{
	u64 ns = (now - t->se.system_start) * t->se.sample_weight;

	t->se.system_start = 0;
	add(&t->se.system_sum, ns);
	add(&this_rq()->system_ns, ns);
}

void sched_account_enter_sampled(void)
{
	struct sched_entity *se = &current->se;

	se->sample_weight = se->sample_mask + 1;
	if (se->entries > EXACT_ENTRIES)
		se->sample_mask = SAMPLE_MASK;
	if (unlikely(!atomic_load_explicit(&hooks_in_use, memory_order_relaxed)))
		atomic_store_explicit(&hooks_in_use, true, memory_order_relaxed);
	se->system_start = clock_monotonic();
}

void sched_account_leave_sampled(void)
{
	u64 flags = arch_irq_save(); /* no migration between the clock and the run queue's sum */

	end_sample(current, clock_monotonic());
	arch_irq_restore(flags);
}

void account_switch_out(struct thread *t, u64 now)
{
	t->se.sampled_stay = t->se.system_start;
	if (t->se.system_start)
		end_sample(t, now);
	t->se.switched_out = now;
	atomic_store_explicit(&t->se.exec_start, 0, memory_order_release);
}

void account_switch_in(struct thread *t, u64 now)
{
	struct sched_entity *se = &t->se;
	u32 seq = atomic_load_explicit(&se->time_seq, memory_order_relaxed);

	atomic_store_explicit(&se->time_seq, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&se->exec_start, now, memory_order_relaxed);
	atomic_store_explicit(&se->time_seq, seq + 2, memory_order_release);
	if (now - se->switched_out > LONG_SLEEP) {
		se->entries = 0;
		se->sample_mask = 0;
		se->sample_weight = 1;
		se->sampled_stay = true;
	}
	if (se->sampled_stay &&
	    (thread_test_flag(t, THREAD_KERNEL) || atomic_load_explicit(&hooks_in_use, memory_order_relaxed)))
		se->system_start = now;
}

u64 thread_cpu_time(struct thread *t)
{
	struct sched_entity *se = &t->se;
	u64 sum, start, now;
	u32 seq;

	do {
		while ((seq = atomic_load_explicit(&se->time_seq, memory_order_acquire)) & 1)
			cpu_relax();
		sum = atomic_load_explicit(&se->exec_sum, memory_order_relaxed);
		start = atomic_load_explicit(&se->exec_start, memory_order_relaxed);
		now = start ? clock_monotonic() : 0;
		atomic_thread_fence(memory_order_acquire);
	} while (atomic_load_explicit(&se->time_seq, memory_order_relaxed) != seq);
	return now > start ? sum + (now - start) : sum;
}

/* The user's share of TOTAL. Neither it nor the rest ever falls. */
static u64 user_share(_Atomic u64 *shown, u64 total, u64 system)
{
	u64 before = atomic_load_explicit(shown, memory_order_relaxed);
	u64 user = total - min(system, total);

	while (user > before)
		if (atomic_compare_exchange_weak_explicit(shown, &before, user, memory_order_relaxed,
							  memory_order_relaxed))
			return user;
	return min(before, total);
}

void thread_times(struct thread *t, u64 *user_ns, u64 *system_ns)
{
	u64 total = thread_cpu_time(t);

	*user_ns = user_share(&t->se.user_shown, total,
			      atomic_load_explicit(&t->se.system_sum, memory_order_relaxed));
	*system_ns = total - *user_ns;
}

void cpu_times(unsigned cpu, struct cpu_times *out)
{
	struct runqueue *rq = cpu_rq(cpu);
	u64 up = clock_monotonic() - rq->online_since;
	u64 idle = min(thread_cpu_time(rq->idle), up);
	u64 steal = sched_steal_clock ? sched_steal_clock(cpu) : 0;
	u64 busy = up - idle;
	u64 user;

	steal = min(steal, busy);
	busy -= steal;
	user = user_share(&rq->user_shown, busy, atomic_load_explicit(&rq->system_ns, memory_order_relaxed));
	*out = (struct cpu_times){
		.user = user,
		.system = busy - user,
		.idle = idle,
		.steal = steal,
		.switches = READ_ONCE(rq->switches),
	};
}

/* The load average: every 5 s, load = load * e^(-5 s / period) + average of runnable threads * (1 - that).
 * The average comes from per-CPU integrals, so periods that nobody looked at (an idle VM takes no tick) are
 * caught up with at once. */
static struct {
	struct spinlock lock; /* guards the rest; taken with interrupts off */
	_Atomic u64 next;     /* when the next period ends */
	u64 since, integral;  /* at the last update */
	u64 load[3];
} avg;

static const u64 decay[3] = {1884, 2014, 2037}; /* 2048 * e^(-5/60), e^(-5/300), e^(-5/900) */

void account_init(struct runqueue *rq, u64 now)
{
	rq->online_since = now;
	atomic_store_explicit(&rq->nr_since, now, memory_order_relaxed);
}

void account_nr_running(struct runqueue *rq, u64 now)
{
	u64 since = atomic_load_explicit(&rq->nr_since, memory_order_relaxed);

	if (unlikely(psi_stalled(rq)))
		psi_catch_up(rq, now);
	if ((s64)(now - since) <= 0)
		return;
	add(&rq->load_integral, rq->nr_running * (now - since));
	if (rq->nr_running > 1)
		add(&rq->wait_ns, now - since);
	atomic_store_explicit(&rq->nr_since, now, memory_order_relaxed);
}

static u64 integral_of_all(u64 now)
{
	u64 sum = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct runqueue *rq = cpu_rq(cpu);
		s64 ns = (s64)(now - atomic_load_explicit(&rq->nr_since, memory_order_relaxed));

		sum += atomic_load_explicit(&rq->load_integral, memory_order_relaxed);
		if (ns > 0)
			sum += (u64)ns * atomic_load_explicit(&rq->nr_shown, memory_order_relaxed);
	}
	return sum;
}

static u64 power(u64 base, u64 n)
{
	u64 r = 1ull << LOAD_SHIFT;

	for (; n; n >>= 1) {
		if (n & 1)
			r = r * base >> LOAD_SHIFT;
		base = base * base >> LOAD_SHIFT;
	}
	return r;
}

void load_average_update(u64 now)
{
	u64 flags, periods, sum, active;

	if (now < atomic_load_explicit(&avg.next, memory_order_relaxed))
		return;
	flags = arch_irq_save();
	if (!spin_trylock(&avg.lock))
		goto out;
	periods = (now - avg.since) / LOAD_PERIOD;
	if (periods) {
		sum = integral_of_all(now);
		active = sum > avg.integral ? (sum - avg.integral) / ((now - avg.since) >> LOAD_SHIFT)
					    : 0; /* fixed point */
		for (unsigned i = 0; i < 3; i++) {
			u64 keep = power(decay[i], periods);

			avg.load[i] =
				(avg.load[i] * keep + active * ((1u << LOAD_SHIFT) - keep)) >> LOAD_SHIFT;
		}
		avg.integral = sum;
		avg.since = now;
		atomic_store_explicit(&avg.next, now + LOAD_PERIOD, memory_order_relaxed);
	}
	spin_unlock(&avg.lock);
out:
	arch_irq_restore(flags);
}

void load_average(u64 out[3])
{
	u64 flags;

	load_average_update(clock_monotonic());
	flags = spin_lock_irqsave(&avg.lock);
	for (unsigned i = 0; i < 3; i++)
		out[i] = avg.load[i];
	spin_unlock_irqrestore(&avg.lock, flags);
}

unsigned sched_runnable(void)
{
	unsigned n = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		n += atomic_load_explicit(&cpu_rq(cpu)->nr_shown, memory_order_relaxed);
	return n;
}
