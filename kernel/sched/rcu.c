// SPDX-License-Identifier: BSD-2-Clause
/* Read-copy-update: see kernel/rcu.h.
 *
 * Callbacks gather on per-CPU lists. The grace-period thread takes all lists, asks every other CPU for a
 * quiescent state
 * (`wanted`), waits until each has passed one, and runs the callbacks. Its own CPU has passed one by running
 * it. A CPU answers in schedule(), in the idle loop, or in an interrupt that hit the idle thread; a halted
 * CPU is answered for, provided that interrupt entry calls sched_irq_enter(), which the idle loop finds out
 * by itself (`idle_trusted`). Hold-outs get an IPI, which makes them pass through schedule() on the way out;
 * so a grace period is bounded by the longest stretch of kernel code that does not call cond_resched().
 * Model: tests/models/rcu.pml. */
#include "kernel/rcu.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include "kernel/kthread.h"
#include "kernel/softirq.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "sched_internal.h"

#define GATHER_NS   (3 * NSEC_PER_MSEC) /* callbacks wait this long for company */
#define PATIENCE_NS (2 * NSEC_PER_MSEC) /* before hold-outs get an IPI, and between IPIs */
#define STALL_NS    (10 * NSEC_PER_SEC)
#define BATCH	    1024 /* callbacks on a CPU that start a grace period at once */

DEFINE_COUNTER(rcu_grace_periods, "grace periods");
DEFINE_COUNTER(rcu_ipis, "interrupts sent to CPUs that held out");
DEFINE_COUNTER(rcu_stalls, "grace periods that took over 10 s");

struct rcu_callbacks {
	_Atomic(struct rcu_head *) head; /* newest first; pushed by the CPU, taken by the thread */
	_Atomic u32 count;		 /* about how many */
};

static DEFINE_PER_CPU(struct rcu_callbacks, rcu_callbacks);
DEFINE_PER_CPU(_Atomic bool, rcu_cpu_wanted); /* a grace period waits for this CPU */
DEFINE_PER_CPU(_Atomic bool, rcu_cpu_idle);

static _Atomic bool idle_trusted; /* interrupts do call sched_irq_enter() */
static _Atomic u32 holdouts;	  /* CPUs still wanted, and 1 for the thread itself while it counts */
static _Atomic bool pending;	  /* the thread has something to do */
static _Atomic bool urgent;	  /* somebody waits in rcu_synchronize() */
static _Atomic bool gathering;	  /* gather_timer is set */
static struct timer gather_timer;
static DEFINE_WAITQ(thread_waitq); /* of the grace-period thread: `pending`, and holdouts == 0 */
static struct thread *rcu_thread;

void rcu_quiescent_slow(void)
{
	/* The exchange is a full fence: readers of before are done when the thread sees the count fall. */
	if (atomic_exchange_explicit(per_cpu_ptr(&rcu_cpu_wanted, cpu_id()), false, memory_order_seq_cst) &&
	    atomic_fetch_sub_explicit(&holdouts, 1, memory_order_seq_cst) == 1)
		waitq_wake_all(&thread_waitq);
}

void rcu_idle_enter(void)
{
	/* Store-load R1: idle, then wanted (the caller looks next). Pairs with R2. */
	atomic_exchange_explicit(per_cpu_ptr(&rcu_cpu_idle, cpu_id()), true, memory_order_seq_cst);
}

void rcu_idle_exit(void)
{
	/* Store-load R3: idle off, then whatever the coming reader loads. Pairs with R4: updates, then idle.
	 */
	atomic_exchange_explicit(per_cpu_ptr(&rcu_cpu_idle, cpu_id()), false, memory_order_seq_cst);
}

void rcu_idle_leave(bool halted)
{
	if (!atomic_load_explicit(per_cpu_ptr(&rcu_cpu_idle, cpu_id()), memory_order_relaxed)) {
		/* The interrupt that ended the halt did it. */
		if (halted && !atomic_load_explicit(&idle_trusted, memory_order_relaxed))
			atomic_store_explicit(&idle_trusted, true, memory_order_relaxed);
		return;
	}
	rcu_idle_exit();
}

static void kick(void)
{
	atomic_store_explicit(&pending, true, memory_order_relaxed);
	waitq_wake_all(&thread_waitq);
}

static void gather_done(struct timer *t)
{
	atomic_store_explicit(&gathering, false, memory_order_relaxed);
	kick();
}

void rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *))
{
	u64 flags = arch_irq_save();
	struct rcu_callbacks *c = per_cpu_ptr(&rcu_callbacks, cpu_id());
	struct rcu_head *old = atomic_load_explicit(&c->head, memory_order_relaxed);

	head->fn = fn;
	do
		head->next = old;
	while (!atomic_compare_exchange_weak_explicit(&c->head, &old, head, memory_order_release,
						      memory_order_relaxed));
	if (atomic_fetch_add_explicit(&c->count, 1, memory_order_relaxed) == BATCH)
		kick();
	else if (rcu_thread && !atomic_exchange_explicit(&gathering, true, memory_order_relaxed))
		timer_set(&gather_timer, clock_monotonic() + GATHER_NS);
	arch_irq_restore(flags);
}

struct rcu_wait {
	struct rcu_head head;
	struct waitq waitq;
	_Atomic bool done;
};

static void rcu_wait_done(struct rcu_head *head)
{
	struct rcu_wait *w = container_of(head, struct rcu_wait, head);
	u64 flags = spin_lock_irqsave(&w->waitq.lock);
	struct wait_entry *e;

	/* Under the lock, so that the sleeper, who takes it last, cannot leave its stack to us. */
	atomic_store_explicit(&w->done, true, memory_order_release);
	if (!list_empty(&w->waitq.entries)) {
		e = list_first_entry(&w->waitq.entries, struct wait_entry, node);
		e->wake(e, 0);
	}
	spin_unlock_irqrestore(&w->waitq.lock, flags);
}

void rcu_synchronize(void)
{
	struct rcu_wait w = {.done = false};
	struct wait_entry e;

	/* Thread context on the only CPU: kernel code is not preempted, so no reader is under way. */
	if (cpu_count == 1 || !rcu_thread)
		return;
	ASSERT(current != rcu_thread);
	waitq_init(&w.waitq);
	wait_entry_init(&e, false);
	rcu_call(&w.head, rcu_wait_done);
	atomic_store_explicit(&urgent, true, memory_order_release);
	kick();
	for (;;) {
		wait_prepare(&w.waitq, &e, THREAD_UNINTERRUPTIBLE);
		if (atomic_load_explicit(&w.done, memory_order_acquire))
			break;
		schedule();
	}
	wait_finish(&w.waitq, &e);
}

void rcu_kfree(struct rcu_head *head)
{
	rcu_call(head, (void (*)(struct rcu_head *))(void *)kfree);
}

static struct rcu_head *take_callbacks(void)
{
	struct rcu_head *all = NULL;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct rcu_callbacks *c = per_cpu_ptr(&rcu_callbacks, cpu);
		struct rcu_head *h, *next;

		atomic_store_explicit(&c->count, 0, memory_order_relaxed);
		for (h = atomic_exchange_explicit(&c->head, NULL, memory_order_acquire); h; h = next) {
			next = h->next;
			h->next = all;
			all = h;
		}
	}
	return all;
}

/* Ask all other CPUs; answer for those that halt. */
static void ask_cpus(unsigned self)
{
	atomic_store_explicit(&holdouts, 1, memory_order_relaxed);
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		if (cpu == self || !sched_cpu_online(cpu))
			continue;
		atomic_fetch_add_explicit(&holdouts, 1, memory_order_relaxed);
		atomic_store_explicit(per_cpu_ptr(&rcu_cpu_wanted, cpu), true, memory_order_release);
	}
	/* Store-load R2: wanted, then idle; R4: the updates that callers made before rcu_call(), then idle.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		if (cpu == self || !atomic_load_explicit(&idle_trusted, memory_order_relaxed) ||
		    !atomic_load_explicit(per_cpu_ptr(&rcu_cpu_idle, cpu), memory_order_seq_cst))
			continue;
		if (atomic_exchange_explicit(per_cpu_ptr(&rcu_cpu_wanted, cpu), false, memory_order_seq_cst))
			atomic_fetch_sub_explicit(&holdouts, 1, memory_order_seq_cst);
	}
	atomic_fetch_sub_explicit(&holdouts, 1, memory_order_seq_cst);
}

static void interrupt_holdouts(void)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		if (!atomic_load_explicit(per_cpu_ptr(&rcu_cpu_wanted, cpu), memory_order_relaxed))
			continue;
		counter_inc(&rcu_ipis);
		smp_send_reschedule(cpu);
	}
}

static bool all_passed(void)
{
	return !atomic_load_explicit(&holdouts, memory_order_seq_cst);
}

static void grace_period(bool hurry)
{
	u64 start = clock_monotonic();
	bool stalled = false;

	counter_inc(&rcu_grace_periods);
	ask_cpus(cpu_id());
	if (hurry && !all_passed())
		interrupt_holdouts();
	while (wait_event_until(&thread_waitq, all_passed(), clock_monotonic() + PATIENCE_NS)) {
		interrupt_holdouts();
		if (!stalled && clock_monotonic() - start > STALL_NS) {
			stalled = true;
			counter_inc(&rcu_stalls);
			log_warn("rcu: a CPU has not passed a quiescent state for 10 s");
		}
	}
}

static void rcu_main(void *arg)
{
	for (;;) {
		struct rcu_head *h, *next;
		unsigned n = 0;
		bool hurry;

		wait_event(&thread_waitq, atomic_load_explicit(&pending, memory_order_relaxed));
		atomic_store_explicit(&pending, false, memory_order_seq_cst);
		/* Before the callbacks are taken: whoever set it has queued his. */
		hurry = atomic_exchange_explicit(&urgent, false, memory_order_acquire);
		h = take_callbacks();
		if (!h)
			continue;
		grace_period(hurry);
		softirq_count(SOFTIRQ_RCU);
		for (; h; h = next) {
			next = h->next;
			h->fn(h);
			if (!(++n % 64))
				cond_resched();
		}
	}
}

static int rcu_init(void)
{
	struct thread *t;

	timer_init(&gather_timer, gather_done);
	t = kthread_start(rcu_main, NULL, "rcu");
	if (IS_ERR(t))
		panic("rcu_init: no memory for the grace-period thread");
	rcu_thread = t;
	kick(); /* for what was queued before */
	return 0;
}
INITCALL(rcu_init, INIT_CORE);
