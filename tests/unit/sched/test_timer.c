// SPDX-License-Identifier: BSD-2-Clause
/* Kernel timers: order, moving, cancelling, what a callback may do, wall-clock timers and steps, and what the
 * hardware is told. The test plays the local timer interrupt. */
// sources: kernel/sched/timer.c kernel/lib/rbtree.c
#include "unit.h"
#include "kernel/clock.h"
#include "kernel/sched/sched_internal.h"
#include "kernel/timer.h"
#include "sched/sched_area.h"

static struct runqueue rqs[16];
DEFINE_PER_CPU(struct runqueue, runqueue);
DEFINE_PER_CPU(struct runqueue *, runqueue_self);

static _Atomic u64 hardware; /* what the local timer is armed for */

void arch_timer_set(u64 deadline)
{
	hardware = deadline;
}

struct probe {
	struct timer t;
	unsigned fired, order;
};
static unsigned fired_in_all;

static void fire(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, t);

	assert_false(timer_pending(t));
	p->fired++;
	p->order = ++fired_in_all;
}

static int setup(void **state)
{
	host_reset();
	for (unsigned i = 0; i < 16; i++) {
		rqs[i] = (struct runqueue){.cpu = i, .slice_end = SCHED_NEVER, .timer_ready = true};
		*per_cpu_ptr(&runqueue_self, i) = &rqs[i];
		timer_init_cpu(i);
	}
	fired_in_all = 0;
	hardware = ~0ull;
	return 0;
}

/* The hardware timer fires at NS from now, if it was armed for then or earlier. */
static void pass(u64 ns)
{
	host_time_advance(ns);
	if (hardware <= clock_monotonic()) {
		hardware = ~0ull;
		timer_run(cpu_id(), clock_monotonic());
		timer_program(this_rq());
	}
}

static void test_order(void **state)
{
	static const u64 when[] = {500, 100, 300, 100, 400};
	struct probe p[5] = {0};
	u64 now = clock_monotonic();

	for (unsigned i = 0; i < 5; i++) {
		timer_init(&p[i].t, fire);
		timer_set(&p[i].t, now + when[i]);
		assert_true(timer_pending(&p[i].t));
	}
	assert_int_equal(hardware, now + 100);
	pass(99);
	assert_int_equal(fired_in_all, 0);
	pass(1);
	assert_int_equal(fired_in_all, 2);
	assert_int_equal(p[1].order, 1); /* same time: first come, first served */
	assert_int_equal(p[3].order, 2);
	assert_int_equal(hardware, now + 300);
	pass(1000);
	assert_int_equal(p[2].order, 3);
	assert_int_equal(p[4].order, 4);
	assert_int_equal(p[0].order, 5);
	assert_int_equal(hardware, ~0ull);
}

static void test_move_and_cancel(void **state)
{
	struct probe p = {0}, q = {0};
	u64 now = clock_monotonic();

	timer_init(&p.t, fire);
	timer_init(&q.t, fire);
	assert_false(timer_cancel(&p.t));
	timer_set(&p.t, now + 100);
	timer_set(&q.t, now + 200);
	timer_set(&p.t, now + 300);
	pass(250);
	assert_int_equal(p.fired, 0);
	assert_int_equal(q.fired, 1);
	assert_true(timer_cancel(&p.t));
	assert_false(timer_cancel(&p.t));
	pass(1000);
	assert_int_equal(p.fired, 0);
	assert_int_equal(timer_try_cancel(&p.t), 0);
	timer_set(&p.t, 0); /* in the past: at once */
	pass(0);
	assert_int_equal(p.fired, 1);
}

/* The hardware is armed for the latest time; who may fire by then does. */
static void test_slack(void **state)
{
	struct probe p = {0}, q = {0};
	u64 now = clock_monotonic();

	timer_init(&p.t, fire);
	timer_init(&q.t, fire);
	timer_set_slack(&p.t, now + 1000, 600, false); /* 512 */
	assert_int_equal(hardware, now + 1512);
	pass(1200);
	assert_int_equal(p.fired, 0);
	timer_set(&q.t, now + 1300);
	pass(100);
	assert_int_equal(p.fired + q.fired, 2);
	timer_set_slack(&p.t, now + 3000, 512, false);
	timer_set(&q.t, now + 2999); /* too early for the other */
	pass(1699);
	assert_int_equal(q.fired, 2);
	assert_int_equal(p.fired, 1);
	assert_int_equal(hardware, now + 3512);
	pass(513);
	assert_int_equal(p.fired, 2);
	timer_set_slack(&p.t, 5000, ~0ull, false); /* any time from then on, and no overflow */
	assert_int_equal(hardware, 5000 + (1ull << 63));
	timer_set_slack(&p.t, SCHED_NEVER - 1, ~0ull, false);
	assert_true(timer_pending(&p.t));
	timer_cancel(&p.t);
}

static void fire_again(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, t);

	assert_int_equal(timer_try_cancel(t), -1); /* its callback runs */
	if (++p->fired < 3)
		timer_set(t, clock_monotonic() + 50);
}

static void test_rearm_in_callback(void **state)
{
	struct probe p = {0};

	timer_init(&p.t, fire_again);
	timer_set(&p.t, clock_monotonic() + 50);
	for (unsigned i = 0; i < 10; i++)
		pass(50);
	assert_int_equal(p.fired, 3);
	assert_false(timer_pending(&p.t));
}

static void fire_free(struct timer *t)
{
	free(container_of(t, struct probe, t));
	fired_in_all++;
}

static void test_free_in_callback(void **state)
{
	struct probe *p = calloc(1, sizeof *p);

	timer_init(&p->t, fire_free);
	timer_set(&p->t, clock_monotonic() + 5);
	pass(5);
	assert_int_equal(fired_in_all, 1);
}

static void test_wall_clock_and_steps(void **state)
{
	struct probe p = {0}, q = {0};
	u64 wall = 1700000000ull * NSEC_PER_SEC;

	host_time_set_realtime(wall);
	timer_init(&p.t, fire);
	timer_init(&q.t, fire);
	timer_set_realtime(&p.t, wall + 1000);
	timer_set(&q.t, clock_monotonic() + 1000);
	/* Set back by 500: the wall-clock timer comes later, the other one does not. */
	host_time_set_realtime(wall - 500);
	clock_stepped();
	pass(1000);
	assert_int_equal(q.fired, 1);
	assert_int_equal(p.fired, 0);
	pass(500);
	assert_int_equal(p.fired, 1);
	/* Set forward past it: it fires at once. */
	timer_set_realtime(&p.t, clock_realtime() + 1000000);
	host_time_set_realtime(clock_realtime() + 2000000);
	clock_stepped();
	assert_int_equal(p.fired, 2);
	assert_int_equal(clock_step_count >= 2, 1);
}

static void test_slice_end_shares_the_hardware(void **state)
{
	struct probe p = {0};
	u64 now = clock_monotonic();

	timer_init(&p.t, fire);
	timer_set(&p.t, now + 1000);
	this_rq()->slice_end = now + 400;
	timer_program(this_rq());
	assert_int_equal(hardware, now + 400);
	this_rq()->slice_end = SCHED_NEVER;
	pass(400); /* spurious by now: armed anew for the timer */
	assert_int_equal(p.fired, 0);
	assert_int_equal(hardware, now + 1000);
}

#define CHURN_THREADS 4
static struct probe shared[8];

static void fire_shared(struct timer *t)
{
	atomic_fetch_add((_Atomic unsigned *)&container_of(t, struct probe, t)->fired, 1);
}

static void churn(void *arg)
{
	u64 x = (uintptr_t)arg + 1;

	for (unsigned i = 0; i < 20000; i++) {
		struct probe *p;

		x = x * 6364136223846793005ull + 1;
		p = &shared[x >> 60 & 7];
		if (x >> 40 & 1)
			timer_set(&p->t, clock_monotonic() + (x >> 50 & 3));
		else
			timer_cancel(&p->t);
		if (i % 16 == 0) { /* this CPU's interrupt */
			bool irqs = host_irqs_off;

			host_irqs_off = true;
			timer_run(cpu_id(), clock_monotonic() + 4);
			host_irqs_off = irqs;
		}
	}
}

/* Timers set, moved and cancelled from several CPUs while callbacks run: no corruption, and cancel means
 * cancelled. */
static void test_many_cpus(void **state)
{
	struct thread *t[CHURN_THREADS];

	for (unsigned i = 0; i < 8; i++)
		timer_init(&shared[i].t, fire_shared);
	for (uintptr_t i = 0; i < CHURN_THREADS; i++)
		t[i] = host_thread_start(churn, (void *)i);
	for (unsigned i = 0; i < CHURN_THREADS; i++)
		host_thread_join(t[i]);
	for (unsigned i = 0; i < 8; i++) {
		timer_cancel(&shared[i].t);
		shared[i].fired = 0;
	}
	for (unsigned cpu = 0; cpu < 16; cpu++)
		timer_run(cpu, SCHED_NEVER - 1);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(shared[i].fired, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_move_and_cancel, setup),
		cmocka_unit_test_setup(test_slack, setup),
		cmocka_unit_test_setup(test_rearm_in_callback, setup),
		cmocka_unit_test_setup(test_free_in_callback, setup),
		cmocka_unit_test_setup(test_wall_clock_and_steps, setup),
		cmocka_unit_test_setup(test_slice_end_shares_the_hardware, setup),
		cmocka_unit_test_setup(test_many_cpus, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
