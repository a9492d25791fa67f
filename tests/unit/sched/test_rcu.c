// SPDX-License-Identifier: BSD-2-Clause
/* Grace periods between real threads: readers that answer now and then, and that idle and are interrupted
 * there; updaters that free what they replaced by callback or after waiting. A reader that meets a freed
 * object is a use after free to AddressSanitizer and a race to ThreadSanitizer: run it with SAN=thread as
 * well. */
// sources: kernel/sched/rcu.c kernel/sched/wait.c
#include "unit.h"
#include "kernel/alloc.h"
#include "kernel/sched.h"
#include "kernel/sched/sched_internal.h"
#include "sched/sched_area.h"
#include <sched.h>

#define READERS	 3
#define UPDATERS 2
#define ROUNDS	 3000
#define LIVE	 0x600dc0de

struct object {
	struct rcu_head rcu;
	u32 mark;
};

static struct object *shown;
static _Atomic bool stop, online[256];
static _Atomic unsigned freed, reads;

/* What the grace-period thread asks of the rest. */
bool sched_cpu_online(unsigned cpu)
{
	return online[cpu];
}

void smp_send_reschedule(unsigned cpu)
{
}

static struct object *make(void)
{
	struct object *o = kmalloc(sizeof *o);

	assert_non_null(o);
	o->mark = LIVE;
	return o;
}

static void destroy(struct rcu_head *head)
{
	struct object *o = container_of(head, struct object, rcu);

	o->mark = 0;
	atomic_fetch_add(&freed, 1);
	kfree(o);
}

static void read_section(void)
{
	struct object *o;

	rcu_read_lock();
	o = rcu_dereference(shown);
	for (int i = 0; i < 4; i++)
		assert_int_equal(READ_ONCE(o->mark), LIVE);
	rcu_read_unlock();
	atomic_fetch_add_explicit(&reads, 1, memory_order_relaxed);
}

/* As the idle loop does it, with an interrupt that reads, or that does not come. */
static void idle(bool interrupted)
{
	rcu_idle_enter();
	if (!atomic_load(per_cpu_ptr(&rcu_cpu_wanted, cpu_id()))) {
		sched_yield();
		if (interrupted) {
			sched_irq_enter();
			read_section();
		}
	}
	rcu_idle_leave(interrupted);
	rcu_quiescent();
}

static void reader(void *arg)
{
	atomic_store(&online[cpu_id()], true);
	for (unsigned i = 0; !stop; i++) {
		read_section();
		if (i % 3 == 0)
			rcu_quiescent();
		if (i % 7 == 0)
			idle(i % 2);
	}
	atomic_store(&online[cpu_id()], false);
	rcu_quiescent();
}

static void updater(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct object *old = __atomic_exchange_n(&shown, make(), __ATOMIC_ACQ_REL);

		if (i % 8) {
			rcu_call(&old->rcu, destroy);
		} else {
			rcu_synchronize();
			destroy(&old->rcu);
		}
	}
}

static void test_no_reader_meets_a_freed_object(void **state)
{
	struct thread *r[READERS], *u[UPDATERS];

	assert_int_equal(host_run_initcalls(INIT_CORE), 0);
	shown = make();
	for (int i = 0; i < READERS; i++)
		r[i] = host_thread_start(reader, NULL);
	for (int i = 0; i < UPDATERS; i++)
		u[i] = host_thread_start(updater, NULL);
	for (int i = 0; i < UPDATERS; i++)
		host_thread_join(u[i]);
	rcu_synchronize(); /* behind all callbacks */
	stop = true;
	for (int i = 0; i < READERS; i++)
		host_thread_join(r[i]);
	assert_int_equal(freed, UPDATERS * ROUNDS);
	assert_true(reads > 0);
	kfree(shown);
}

UNIT_TESTS(test_no_reader_meets_a_freed_object)
