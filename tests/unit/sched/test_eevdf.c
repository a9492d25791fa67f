// SPDX-License-Identifier: BSD-2-Clause
/* The fair policy by itself: shares follow weights within a slice, lag is bounded, kept over sleep and
 * migration, and sums to nothing; yield and late comers. Numbers are invariants of kernel/sched/eevdf.h. */
// sources: kernel/sched/eevdf.c kernel/lib/rbtree.c
#include "unit.h"
#include "kernel/sched/eevdf.h"

#define MS 1000000ull

static u64 seed;

static u64 rnd(u64 below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % below;
}

struct sim {
	struct eevdf_entity e;
	u64 service;
	bool on;
};

static struct sim *sim(struct eevdf_entity *e)
{
	return container_of(e, struct sim, e);
}

/* Run whoever is due for at most NS, then look again. */
static struct sim *step(struct eevdf *q, u64 ns)
{
	struct eevdf_entity *e = eevdf_pick(q);

	assert_non_null(e);
	eevdf_set_curr(q, e);
	ns = min(ns, max(eevdf_slice_left(q), (u64)1));
	eevdf_charge(q, ns);
	sim(e)->service += ns;
	eevdf_check(q);
	return sim(e);
}

static void run_for(struct eevdf *q, u64 ns)
{
	u64 t = 0, before;

	while (t < ns) {
		struct eevdf_entity *e = eevdf_pick(q);

		before = sim(e)->service;
		step(q, MS);
		t += sim(e)->service - before;
	}
}

static void add(struct eevdf *q, struct sim *s, int nice)
{
	*s = (struct sim){.on = true};
	eevdf_entity_init(&s->e, eevdf_weight(nice));
	eevdf_enqueue(q, &s->e, true);
}

static void test_equal_shares(void **state)
{
	struct eevdf q;
	struct sim s[7];

	eevdf_init(&q);
	for (unsigned i = 0; i < 7; i++)
		add(&q, &s[i], 0);
	run_for(&q, 7000 * MS);
	for (unsigned i = 0; i < 7; i++)
		assert_true(llabs((s64)(s[i].service - 1000 * MS)) <= 2 * EEVDF_SLICE_DEFAULT);
}

static void test_shares_follow_weights(void **state)
{
	static const int nices[] = {-20, -10, -5, 0, 0, 5, 10, 19};
	struct sim s[8];
	struct eevdf q;
	u64 load = 0, total = 60000 * MS;

	eevdf_init(&q);
	for (unsigned i = 0; i < 8; i++) {
		add(&q, &s[i], nices[i]);
		load += eevdf_weight(nices[i]);
	}
	run_for(&q, total);
	for (unsigned i = 0; i < 8; i++) {
		u64 fair = total / load * s[i].e.weight;

		/* Within two slices of service. */
		assert_true(llabs((s64)(s[i].service - fair)) <=
			    2 * EEVDF_SLICE_DEFAULT + (s64)(fair / 1000));
	}
}

static void test_weights_step_by_a_quarter(void **state)
{
	for (int nice = -20; nice < 19; nice++) {
		double ratio = (double)eevdf_weight(nice) / eevdf_weight(nice + 1);

		assert_true(ratio > 1.1 && ratio < 1.4);
	}
	assert_int_equal(eevdf_weight(0), 1024);
	assert_int_equal(eevdf_weight(-100), eevdf_weight(-20));
}

/* Anything may happen at any time: invariants hold, lags stay within two slices and cancel out. */
static void test_random_life(void **state)
{
	for (seed = 1; seed <= 20; seed++) {
		u64 run_seed = seed;
		struct sim s[24] = {0};
		struct eevdf q;

		eevdf_init(&q);
		for (unsigned i = 0; i < 24; i++) {
			eevdf_entity_init(&s[i].e, eevdf_weight((int)rnd(40) - 20));
			s[i].e.slice = (u32)(EEVDF_SLICE_MIN + rnd(10 * MS));
		}
		for (unsigned n = 0; n < 4000; n++) {
			struct sim *x = &s[rnd(24)];
			double lags = 0, bound = 0;

			switch (rnd(8)) {
			case 0:
				if (x->on)
					eevdf_dequeue(&q, &x->e);
				else
					eevdf_enqueue(&q, &x->e, !x->service);
				x->on = !x->on;
				break;
			case 1:
				if (!x->on)
					eevdf_set_weight(&x->e, rnd(2) ? EEVDF_WEIGHT_IDLE
								       : eevdf_weight((int)rnd(40) - 20));
				break;
			case 2:
				if (q.curr)
					eevdf_yield(&q);
				break;
			default:
				if (q.nr)
					step(&q, rnd(5 * MS) + 1);
			}
			eevdf_check(&q);
			for (unsigned i = 0; i < 24; i++) {
				if (!s[i].on)
					continue;
				lags += (double)s[i].e.weight *
					(double)(s64)(q.base + (u64)(q.weighted / (s64)q.load) -
						      s[i].e.vruntime);
				bound += (double)s[i].e.weight;
			}
			/* The average is rounded to a whole ns. */
			assert_true(lags <= bound * 2 && lags >= -bound * 2);
		}
		seed = run_seed;
	}
}

static void test_lag_survives_sleep_and_migration(void **state)
{
	struct sim a[4], b[3];
	struct eevdf p, q;

	eevdf_init(&p);
	eevdf_init(&q);
	for (unsigned i = 0; i < 4; i++)
		add(&p, &a[i], 0);
	for (unsigned i = 0; i < 3; i++)
		add(&q, &b[i], 0);
	run_for(&p, 1001 * MS);
	run_for(&q, 5000 * MS); /* its virtual time is elsewhere */
	for (unsigned i = 0; i < 4; i++) {
		s64 lag = eevdf_lag(&p, &a[i].e), after;

		eevdf_dequeue(&p, &a[i].e);
		assert_true(a[i].e.vlag == lag);
		eevdf_enqueue(&q, &a[i].e, false);
		after = eevdf_lag(&q, &a[i].e);
		assert_true(llabs(after - lag) <= 8); /* rounding */
		eevdf_dequeue(&q, &a[i].e);
		eevdf_enqueue(&p, &a[i].e, false);
		eevdf_check(&p);
		eevdf_check(&q);
	}
}

static void test_reweight_keeps_service_owed(void **state)
{
	struct eevdf_entity e;

	eevdf_entity_init(&e, 1024);
	e.vlag = 3000000;
	eevdf_set_weight(&e, 2048);
	assert_int_equal(e.vlag, 1500000); /* ns of virtual time run at half the speed */
	eevdf_set_weight(&e, 512);
	assert_int_equal(e.vlag, 6000000);
}

/* Someone who slept for long gets the CPU soon, but no more than he missed of one slice or two. */
static void test_sleeper_gains_little(void **state)
{
	struct sim s[3];
	struct eevdf q;

	eevdf_init(&q);
	for (unsigned i = 0; i < 3; i++)
		add(&q, &s[i], 0);
	run_for(&q, 100 * MS);
	eevdf_dequeue(&q, &s[2].e);
	run_for(&q, 10000 * MS);
	s[0].service = s[1].service = s[2].service = 0;
	eevdf_enqueue(&q, &s[2].e, false);
	run_for(&q, 300 * MS);
	for (unsigned i = 0; i < 3; i++)
		assert_true(llabs((s64)(s[i].service - 100 * MS)) <= 3 * EEVDF_SLICE_DEFAULT);
}

static void test_yield_lets_others_run(void **state)
{
	struct eevdf q;
	struct sim s[2], *first;

	eevdf_init(&q);
	add(&q, &s[0], 0);
	add(&q, &s[1], 0);
	for (unsigned i = 0; i < 100; i++) {
		first = step(&q, 1000);
		eevdf_yield(&q);
		eevdf_check(&q);
		assert_ptr_not_equal(step(&q, 1000), first);
		eevdf_yield(&q);
	}
}

/* A shorter slice is served sooner, with the same share. */
static void test_short_slice_preempts(void **state)
{
	struct sim s[2];
	struct eevdf q;

	eevdf_init(&q);
	add(&q, &s[0], 0);
	run_for(&q, 50 * MS);
	s[1] = (struct sim){.on = true};
	eevdf_entity_init(&s[1].e, 1024);
	s[1].e.slice = EEVDF_SLICE_MIN;
	eevdf_enqueue(&q, &s[1].e, false);
	assert_true(eevdf_preempts(&q, &s[1].e));
	s[0].service = 0;
	run_for(&q, 1000 * MS);
	assert_true(llabs((s64)(s[0].service - s[1].service)) <= 2 * EEVDF_SLICE_DEFAULT);
}

UNIT_TESTS(test_equal_shares, test_shares_follow_weights, test_weights_step_by_a_quarter, test_random_life,
	   test_lag_survives_sleep_and_migration, test_reweight_keeps_service_owed, test_sleeper_gains_little,
	   test_yield_lets_others_run, test_short_slice_preempts)
