// SPDX-License-Identifier: BSD-2-Clause
/* The lock-free list: nothing is lost or doubled, each producer's order holds, and one push in each batch
 * sees it empty. Run it with SAN=thread as well. */
#include "unit.h"
#include "kernel/mpsc.h"

#define PRODUCERS 4
#define EACH	  20000

struct item {
	struct mpsc_node node;
	unsigned producer, number;
};

static struct mpsc_list list;
static struct item items[PRODUCERS][EACH];
static _Atomic unsigned notices;

static void produce(void *arg)
{
	unsigned p = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < EACH; i++) {
		items[p][i].producer = p;
		items[p][i].number = i;
		if (mpsc_push(&list, &items[p][i].node))
			atomic_fetch_add(&notices, 1);
	}
}

static void test_order_and_count(void **state)
{
	unsigned next[PRODUCERS] = {0}, got = 0, batches = 0;
	struct thread *t[PRODUCERS];

	for (uintptr_t p = 0; p < PRODUCERS; p++)
		t[p] = host_thread_start(produce, (void *)p);
	while (got < PRODUCERS * EACH) {
		struct mpsc_node *n = mpsc_take(&list);

		if (n)
			batches++;
		for (; n; n = n->next) {
			struct item *i = container_of(n, struct item, node);

			assert_int_equal(i->number, next[i->producer]++);
			got++;
		}
	}
	for (unsigned p = 0; p < PRODUCERS; p++)
		host_thread_join(t[p]);
	assert_true(mpsc_empty(&list));
	assert_int_equal(batches, notices);
}

static void test_single(void **state)
{
	struct item a = {.number = 1}, b = {.number = 2};

	assert_null(mpsc_take(&list));
	assert_true(mpsc_push(&list, &a.node));
	assert_false(mpsc_push(&list, &b.node));
	struct mpsc_node *n = mpsc_take(&list);
	assert_ptr_equal(n, &a.node);
	assert_ptr_equal(n->next, &b.node);
	assert_null(n->next->next);
	assert_true(mpsc_push(&list, &a.node)); /* at once again */
	mpsc_take(&list);
}

UNIT_TESTS(test_single, test_order_and_count)
