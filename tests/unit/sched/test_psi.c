// SPDX-License-Identifier: BSD-2-Clause
/* Pressure stall information: averages against the formula, windows, what a CPU's counts add up to, weights
 * of several CPUs, threads that wake elsewhere, triggers, and the timer that runs only while somebody stalls.
 */
// sources: kernel/sched/psi.c kernel/sched/psi_average.c kernel/sched/timer.c
// sources: kernel/lib/rbtree.c
// ldflags: -lm
#include "unit.h"
#include <math.h>
#include "kernel/clock.h"
#include "kernel/poll.h"
#include "kernel/sched/psi_average.h"
#include "kernel/sched/sched_internal.h"

#define CPUS 2
#define MS   NSEC_PER_MSEC
#define S    NSEC_PER_SEC

DEFINE_PER_CPU(struct runqueue, runqueue);
DEFINE_PER_CPU(struct runqueue *, runqueue_self);
static struct thread idle[CPUS], threads[4];
static u64 hardware, idle_ns[CPUS];

void arch_timer_set(u64 deadline)
{
	hardware = deadline;
}

u64 thread_cpu_time(struct thread *t)
{
	return t == &idle[0] ? idle_ns[0] : idle_ns[1];
}

bool sched_cpu_online(unsigned cpu)
{
	return cpu < CPUS;
}

static struct runqueue *rq(unsigned cpu)
{
	return per_cpu_ptr(&runqueue, cpu);
}

static void running(unsigned cpu, u32 n)
{
	u64 now = clock_monotonic();

	if (rq(cpu)->nr_running > 1)
		rq(cpu)->wait_ns += now - rq(cpu)->nr_since;
	psi_catch_up(rq(cpu), now);
	rq(cpu)->nr_running = n;
	rq(cpu)->nr_shown = n;
	rq(cpu)->nr_since = now;
	if (n > 1)
		psi_keep_ticking();
}

/* NS pass; CPUs without threads idle. The hardware timer fires when it is due. */
static void pass(u64 ns)
{
	while (ns) {
		u64 now = clock_monotonic(), step = ns;

		if (hardware > now && hardware - now < step)
			step = hardware - now;
		for (unsigned c = 0; c < CPUS; c++)
			if (!rq(c)->nr_running)
				idle_ns[c] += step;
		host_time_advance(step);
		ns -= step;
		if (hardware <= clock_monotonic()) {
			hardware = ~0ull;
			timer_run(cpu_id(), clock_monotonic());
			timer_program(this_rq());
		}
	}
}

static void falls_asleep(unsigned cpu, struct thread *t, u8 stall)
{
	running(cpu, rq(cpu)->nr_running - 1);
	t->se.stall = stall;
	psi_sleep(rq(cpu), t, clock_monotonic());
}

static void wakes(unsigned cpu, struct thread *t, u8 stall)
{
	t->se.stall = stall;
	psi_wake(rq(cpu), t, clock_monotonic());
	running(cpu, rq(cpu)->nr_running + 1);
}

static u64 ms(u64 ns)
{
	return (ns + MS / 2) / MS;
}

static u64 total(enum psi_resource res, enum psi_degree d)
{
	struct psi_report r;

	psi_report(res, &r);
	return r.total[d];
}

static int setup(void **state)
{
	host_reset();
	host_time_advance(S);
	hardware = ~0ull;
	psi_ticking = false;
	for (unsigned i = 0; i < CPUS; i++) {
		*rq(i) = (struct runqueue){
			.cpu = i, .slice_end = SCHED_NEVER, .timer_ready = true, .idle = &idle[i]};
		rq(i)->curr = &idle[i];
		rq(i)->online_since = rq(i)->nr_since = clock_monotonic();
		*per_cpu_ptr(&runqueue_self, i) = rq(i);
		timer_init_cpu(i);
		idle_ns[i] = 0;
	}
	cpu_count = CPUS;
	memset(threads, 0, sizeof threads);
	return 0;
}

/* Whoever stalls stops it, and the timer runs out. */
static int teardown(void **state)
{
	for (unsigned c = 0; c < CPUS; c++) {
		running(c, 0);
		rq(c)->psi.stalled = false;
		rq(c)->psi.io = rq(c)->psi.memory = rq(c)->psi.memory_running = 0;
	}
	pass(10 * S);
	return hardware != ~0ull;
}

static void test_averages(void **state)
{
	struct psi_averages a = {.next = PSI_PERIOD};
	u64 sum[PSI_STATES] = {0}, now = 0;
	double want[3] = {0};
	static const double period[3] = {10, 60, 300};

	for (unsigned i = 0; i < 400; i++) {
		double part = i < 200 ? 0.37 : 0.05;

		now += PSI_PERIOD;
		sum[0] += (u64)(part * PSI_PERIOD);
		psi_averages_update(&a, sum, now);
		for (unsigned k = 0; k < 3; k++) {
			double keep = exp(-2 / period[k]);

			want[k] = want[k] * keep + 100 * part * (1 - keep);
			assert_true(fabs(want[k] - a.value[0][k] / 2048.0) < 1.3); /* percents are cut */
		}
	}
	assert_int_equal(a.value[1][0], 0);
}

static void test_averages_of_missed_periods(void **state)
{
	struct psi_averages a = {.next = PSI_PERIOD}, b = a;
	u64 sum[PSI_STATES] = {PSI_PERIOD}, now = PSI_PERIOD;

	psi_averages_update(&a, sum, now);
	psi_averages_update(&b, sum, now);
	assert_true(a.value[0][0] > 17 << PSI_SHIFT);	    /* 100 * (1 - e^-0.2) = 18.1 */
	psi_averages_update(&a, sum, now + PSI_PERIOD - 1); /* too early: nothing */
	assert_int_equal(a.value[0][0], b.value[0][0]);
	for (unsigned i = 1; i <= 30; i++)
		psi_averages_update(&b, sum, now + i * PSI_PERIOD);
	psi_averages_update(&a, sum, now + 30 * PSI_PERIOD);
	for (unsigned k = 0; k < 3; k++)
		assert_true(abs((int)a.value[0][k] - (int)b.value[0][k]) < 40);
	/* More than fits into a period counts in the next. */
	sum[0] += 3 * PSI_PERIOD / 2;
	now = a.next;
	psi_averages_update(&a, sum, now);
	assert_int_equal(a.sampled[0], 2 * PSI_PERIOD);
	psi_averages_update(&a, sum, now + PSI_PERIOD);
	assert_int_equal(a.sampled[0], sum[0]);
}

static void test_window(void **state)
{
	struct psi_window w = {.size = S};

	psi_window_reset(&w, 0, 100, 0);
	assert_int_equal(psi_window_growth(&w, S / 2, 100 + 50 * MS), 50 * MS);
	assert_int_equal(psi_window_growth(&w, S + 1, 100 + 200 * MS), 200 * MS); /* a new window begins */
	/* Half a window later half of the 200 ms is still within the last second. */
	assert_int_equal(psi_window_growth(&w, S + 1 + S / 2, 100 + 210 * MS), 110 * MS);
	assert_int_equal(psi_window_growth(&w, 10 * S, 100 + 211 * MS), 11 * MS);
}

static void test_io(void **state)
{
	u64 some = total(PSI_IO, PSI_SOME), full = total(PSI_IO, PSI_FULL);

	running(0, 2);
	pass(10 * MS);
	falls_asleep(0, &threads[0], STALL_IO);
	assert_int_equal(sched_blocked(), 1);
	pass(100 * MS); /* another thread runs */
	running(0, 0);
	pass(50 * MS);
	wakes(0, &threads[0], 0);
	pass(7 * MS);
	assert_int_equal(ms(total(PSI_IO, PSI_SOME) - some), 150);
	assert_int_equal(ms(total(PSI_IO, PSI_FULL) - full), 50);
	assert_false(rq(0)->psi.stalled);
	assert_int_equal(sched_blocked(), 0);
}

static void test_memory(void **state)
{
	u64 some = total(PSI_MEMORY, PSI_SOME), full = total(PSI_MEMORY, PSI_FULL);
	struct thread *t = &threads[0];

	running(0, 1);
	wakes(0, t, STALL_MEMORY); /* reclaims while another thread waits for the CPU */
	psi_switch(rq(0), t, clock_monotonic());
	pass(20 * MS);
	psi_switch(rq(0), &threads[1], clock_monotonic()); /* that one runs */
	pass(30 * MS);
	running(0, 1); /* and sleeps: t alone is left */
	pass(40 * MS);
	falls_asleep(0, t, STALL_MEMORY | STALL_IO);
	pass(5 * MS);
	wakes(0, t, STALL_MEMORY);
	t->se.stall = 0;
	psi_wake(rq(0), t, clock_monotonic());
	pass(100 * MS);
	assert_int_equal(ms(total(PSI_MEMORY, PSI_SOME) - some), 95);
	assert_int_equal(ms(total(PSI_MEMORY, PSI_FULL) - full), 65);
}

static void test_cpu(void **state)
{
	u64 some = total(PSI_CPU, PSI_SOME);

	running(0, 1);
	pass(30 * MS);
	running(0, 3);
	pass(40 * MS);
	assert_int_equal(ms(total(PSI_CPU, PSI_SOME) - some), 40); /* while it lasts */
	pass(10 * MS);
	running(0, 0);
	pass(50 * MS);
	assert_int_equal(ms(total(PSI_CPU, PSI_SOME) - some), 50);
	assert_int_equal(total(PSI_CPU, PSI_FULL), 0);
}

/* A CPU counts by the time that it was not idle. */
static void test_weights(void **state)
{
	u64 some = total(PSI_IO, PSI_SOME);

	running(0, 1);
	running(1, 1);
	falls_asleep(0, &threads[0], STALL_IO);
	pass(100 * MS); /* CPU 0 stalls all the time, CPU 1 works */
	assert_int_equal(ms(total(PSI_IO, PSI_SOME) - some), 50);
	running(1, 0);
	pass(100 * MS); /* CPU 1 idles */
	assert_int_equal(ms(total(PSI_IO, PSI_SOME) - some), 150);
}

/* It fell asleep on CPU 0 and wakes on CPU 1: CPU 0's stall ends there and then. */
static void test_wakes_elsewhere(void **state)
{
	u64 some = total(PSI_MEMORY, PSI_SOME), full = total(PSI_MEMORY, PSI_FULL);
	struct thread *t = &threads[0];

	running(0, 1);
	falls_asleep(0, t, STALL_MEMORY);
	pass(50 * MS);
	wakes(1, t, STALL_MEMORY);
	assert_false(rq(0)->psi.stalled);
	assert_true(rq(1)->psi.stalled);
	pass(50 * MS);
	t->se.stall = 0;
	psi_wake(rq(1), t, clock_monotonic());
	assert_false(rq(1)->psi.stalled);
	pass(50 * MS);
	/* 50 ms on each CPU; each was busy or stalled for 50, and CPU 1 then for another 50. */
	assert_int_equal(ms(total(PSI_MEMORY, PSI_SOME) - some), (50 * 50 + 50 * 100) / 150);
	assert_int_equal(total(PSI_MEMORY, PSI_FULL) - full, total(PSI_MEMORY, PSI_SOME) - some);
}

static void test_timer_runs_only_with_stalls(void **state)
{
	running(0, 1);
	pass(20 * S);
	assert_int_equal(hardware, ~0ull);
	running(0, 2);
	assert_int_not_equal(hardware, ~0ull);
	pass(5 * S);
	running(0, 1);
	pass(5 * S);
	assert_int_equal(hardware, ~0ull);
	assert_false(psi_ticking);
}

static void test_trigger(void **state)
{
	struct psi_trigger *t = psi_trigger_create(PSI_IO, PSI_SOME, 100 * MS, S);

	assert_non_null(t);
	assert_false(psi_trigger_poll(t, NULL, NULL));
	running(0, 1);
	falls_asleep(0, &threads[0], STALL_IO);
	pass(50 * MS);
	wakes(0, &threads[0], 0);
	pass(3 * S);
	assert_false(psi_trigger_poll(t, NULL, NULL)); /* not enough */
	assert_int_equal(hardware, ~0ull);
	for (int round = 0; round < 2; round++) {
		falls_asleep(0, &threads[0], STALL_IO);
		pass(450 * MS);
		assert_true(psi_trigger_poll(t, NULL, NULL));
		assert_false(psi_trigger_poll(t, NULL, NULL)); /* once */
		pass(450 * MS);
		assert_false(psi_trigger_poll(t, NULL, NULL)); /* once a window */
		pass(400 * MS);
		assert_true(psi_trigger_poll(t, NULL, NULL));
		wakes(0, &threads[0], 0);
		pass(4 * S);
		psi_trigger_poll(t, NULL, NULL);
		pass(4 * S);
		assert_false(psi_trigger_poll(t, NULL, NULL));
		assert_int_equal(hardware, ~0ull);
	}
	psi_trigger_destroy(t);
	assert_int_equal(host_heap_live(), 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_averages),
		TEST(test_averages_of_missed_periods),
		TEST(test_window),
		TEST(test_io),
		TEST(test_memory),
		TEST(test_cpu),
		TEST(test_weights),
		TEST(test_wakes_elsewhere),
		TEST(test_timer_runs_only_with_stalls),
		TEST(test_trigger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
