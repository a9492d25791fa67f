// SPDX-License-Identifier: BSD-2-Clause
/* Queues of pending signals: order, coalescing of bits and entries, the three invariants of signal_queue.c. */
// sources: kernel/proc/signal_queue.c
#include "unit.h"

#include "kernel/alloc.h"
#define sigset_t uapi_sigset_t /* libc has its own */
#include "kernel/proc/signal_queue.h"

static void add(struct sigqueue_list *l, int sig, int value)
{
	struct sigqueue *q = kzalloc(sizeof(*q));

	q->info.si_signo = sig;
	q->info.si_int = value;
	sigqueue_add(l, sig, q);
}

/* Take the next signal of SET; its value in *VALUE, -1 for none. */
static int take(struct sigqueue_list *l, sigset set, int *value)
{
	int sig = sigqueue_next(l, set);
	struct sigqueue *q = sig ? sigqueue_take(l, sig) : NULL;

	*value = q ? q->info.si_int : -1;
	kfree(q);
	return sig;
}

static void test_order(void **state)
{
	struct sigqueue_list l;
	int v;

	sigqueue_init(&l);
	assert_int_equal(take(&l, ~0ull, &v), 0);
	add(&l, 40, 1);
	add(&l, SIGTERM, 2);
	add(&l, 34, 3);
	add(&l, SIGSEGV, 4);
	add(&l, SIGHUP, 5);
	assert_int_equal(take(&l, ~0ull, &v), SIGSEGV); /* faults first */
	assert_int_equal(take(&l, ~0ull, &v), SIGHUP);	/* then by number */
	assert_int_equal(take(&l, ~0ull, &v), SIGTERM);
	assert_int_equal(take(&l, ~0ull, &v), 34); /* real-time ones last, lowest first */
	assert_int_equal(take(&l, ~0ull, &v), 40);
	assert_int_equal(v, 1);
	assert_int_equal(take(&l, ~0ull, &v), 0);
}

static void test_real_time_order(void **state)
{
	struct sigqueue_list l;
	int v;

	sigqueue_init(&l);
	for (int i = 0; i < 5; i++) {
		add(&l, 35, i);
		add(&l, 36, 100 + i);
	}
	for (int i = 0; i < 5; i++) {
		assert_int_equal(take(&l, ~0ull, &v), 35);
		assert_int_equal(v, i); /* in the order of sending */
	}
	assert_int_equal(l.pending, SIGMASK(36));
	assert_int_equal(take(&l, SIGMASK(35), &v), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(take(&l, SIGMASK(36), &v), 36);
	assert_int_equal(l.pending, 0);
}

static void test_without_entry(void **state)
{
	struct sigqueue_list l;
	int v;

	sigqueue_init(&l);
	sigqueue_add(&l, SIGUSR1, NULL);
	add(&l, 50, 7);
	sigqueue_add(&l, 50, NULL);
	assert_int_equal(take(&l, ~0ull, &v), SIGUSR1);
	assert_int_equal(v, -1);
	assert_int_equal(take(&l, ~0ull, &v), 50);
	assert_int_equal(v, 7);
	assert_int_equal(l.pending, 0); /* a bit without an entry does not count twice */
}

static void test_drop(void **state)
{
	struct sigqueue_list l;

	sigqueue_init(&l);
	for (int sig = 1; sig <= SIG_MAX; sig++)
		add(&l, sig, sig);
	add(&l, SIG_MAX, 0);
	assert_int_equal(sigqueue_drop(&l, 0), 0);
	assert_int_equal(sigqueue_drop(&l, SIGMASK(SIGCONT) | SIGMASK(SIG_MAX)), 3);
	assert_int_equal(l.pending, ~(SIGMASK(SIGCONT) | SIGMASK(SIG_MAX)));
	assert_int_equal(sigqueue_drop(&l, SIGMASK_STOP), 4);
	assert_int_equal(sigqueue_drop(&l, ~0ull), SIG_MAX - 6);
	assert_true(list_empty(&l.queue));
	assert_int_equal(host_heap_live(), 0);
}

static void test_find(void **state)
{
	struct sigqueue_list l;
	struct sigqueue *q = kzalloc(sizeof(*q));

	sigqueue_init(&l);
	q->info.si_signo = SIGALRM;
	q->info.si_code = SI_TIMER;
	q->info.si_tid = 3;
	sigqueue_add(&l, SIGALRM, q);
	assert_ptr_equal(sigqueue_find(&l, SIGALRM, SI_TIMER, 3), q);
	assert_null(sigqueue_find(&l, SIGALRM, SI_TIMER, 4));
	assert_null(sigqueue_find(&l, SIGALRM, SI_USER, 3));
	sigqueue_drop(&l, ~0ull);
}

/* Random operations against a model that keeps every signal in an array. */
static void test_model(void **state)
{
	struct {
		int sig, value;
	} model[256];
	unsigned n = 0, seed = 12345;
	struct sigqueue_list l;

	sigqueue_init(&l);
	for (int step = 0; step < 20000; step++) {
		int sig, v, best = -1;

		seed = seed * 1103515245 + 12345;
		sig = 1 + (int)(seed >> 8) % SIG_MAX;
		if ((seed >> 20) % 2 && n < ARRAY_SIZE(model)) {
			add(&l, sig, step);
			model[n].sig = sig;
			model[n++].value = step;
			continue;
		}
		for (unsigned i = 0; i < n; i++) {
			bool fault = SIGMASK(model[i].sig) & SIGMASK_FAULT;
			bool best_fault = best >= 0 && (SIGMASK(model[best].sig) & SIGMASK_FAULT);

			if (best < 0 || (fault && !best_fault) || (fault == best_fault && model[i].sig < model[best].sig))
				best = (int)i;
		}
		sig = take(&l, ~0ull, &v);
		assert_int_equal(sig, best < 0 ? 0 : model[best].sig);
		if (best < 0)
			continue;
		assert_int_equal(v, model[best].value);
		memmove(&model[best], &model[best + 1], (n - (unsigned)best - 1) * sizeof(model[0]));
		n--;
	}
	sigqueue_drop(&l, ~0ull);
}

UNIT_TESTS(test_order, test_real_time_order, test_without_entry, test_drop, test_find, test_model)
