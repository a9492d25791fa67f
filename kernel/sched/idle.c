// SPDX-License-Identifier: BSD-2-Clause
/* The idle thread: asks busy CPUs for work, polls a little when that has paid off lately, then halts.
 *
 * The idle mask tells wakers which CPUs want work. Whoever clears a bit owes that CPU a message; the CPU sets
 * it again when it goes idle next. Bits are hints: a CPU whose bit is stale just finds its inbox empty. */
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/page.h"
#include "sched_internal.h"

#define POLL_MIN_NS 2000u
#define POLL_MAX_NS 50000u

DEFINE_COUNTER(sched_idle_halts, "times a CPU halted");
DEFINE_COUNTER(sched_idle_polls_won, "times polling in idle found work before halting");

static _Atomic u64 first_word, *idle_mask = &first_word;

bool sched_expect_cpus(unsigned n)
{
	if (n > 64)
		idle_mask = kzalloc(DIV_ROUND_UP(n, 64) * sizeof *idle_mask);
	return idle_mask;
}

bool idle_claim(unsigned cpu)
{
	u64 bit = BIT(cpu % 64);

	if (!(atomic_load_explicit(&idle_mask[cpu / 64], memory_order_relaxed) & bit))
		return false;
	return atomic_fetch_and_explicit(&idle_mask[cpu / 64], ~bit, memory_order_relaxed) & bit;
}

int idle_find(struct thread *t, unsigned near)
{
	unsigned words = DIV_ROUND_UP(cpu_count, 64);

	for (unsigned i = 0; i < words; i++) {
		unsigned word = (near / 64 + i) % words;
		u64 bits = atomic_load_explicit(&idle_mask[word], memory_order_relaxed);

		while (bits) {
			unsigned cpu = word * 64 + (unsigned)__builtin_ctzll(bits);

			if (cpu_allowed(t, cpu) && idle_claim(cpu))
				return (int)cpu;
			bits &= bits - 1;
		}
	}
	return -1;
}

bool idle_any(void)
{
	unsigned words = DIV_ROUND_UP(cpu_count, 64);

	for (unsigned i = 0; i < words; i++)
		if (atomic_load_explicit(&idle_mask[i], memory_order_relaxed))
			return true;
	return false;
}

bool idle_any_for(struct thread *t)
{
	struct cpu_mask *m = rcu_dereference(t->se.affinity);
	unsigned words = DIV_ROUND_UP(cpu_count, 64);

	if (!m)
		return idle_any();
	for (unsigned i = 0; i < min(words, m->words); i++)
		if (atomic_load_explicit(&idle_mask[i], memory_order_relaxed) & m->bits[i])
			return true;
	return false;
}

/* Ask the CPU with the most waiting threads to push one here. One request at a time. */
static void request_work(struct runqueue *rq)
{
	unsigned most = 1, victim = 0;

	if (atomic_load_explicit(&rq->pull_sent, memory_order_acquire))
		return;
	for (unsigned i = 1; i < cpu_count; i++) {
		unsigned cpu = (rq->cpu + i) % cpu_count;
		u32 nr = atomic_load_explicit(&cpu_rq(cpu)->nr_shown, memory_order_relaxed);

		if (nr > most) {
			most = nr;
			victim = cpu;
		}
	}
	if (most < 2)
		return;
	atomic_store_explicit(&rq->pull_sent, true, memory_order_relaxed);
	sched_send(victim, &rq->pull_msg);
}

static bool work_here(struct runqueue *rq)
{
	return !mpsc_empty(&rq->inbox) || rq->nr_running || thread_test_flag(rq->idle, THREAD_NEED_RESCHED) ||
	       atomic_load_explicit(per_cpu_ptr(&rcu_cpu_wanted, rq->cpu), memory_order_relaxed);
}

/* Look at the inbox for up to poll_ns with interrupts on. Senders spare us the IPI meanwhile. Returns with
 * them off. */
static void poll_for_work(struct runqueue *rq)
{
	u64 end = clock_monotonic() + rq->poll_ns;

	atomic_store_explicit(&rq->polling, true, memory_order_relaxed);
	arch_irq_enable();
	do {
		for (unsigned i = 0; i < 16 && !work_here(rq); i++)
			cpu_relax();
	} while (!work_here(rq) && clock_monotonic() < end);
	arch_irq_disable();
	atomic_store_explicit(&rq->polling, false, memory_order_relaxed);
	/* Store-load P2: polling off, then the list (work_here). Pairs with P1. */
	atomic_thread_fence(memory_order_seq_cst);
}

/* Longer polling when a halt was so short that polling would have caught the wake-up; none when halts are
 * long. */
static void poll_adapt(struct runqueue *rq, u64 halted_ns)
{
	if (halted_ns > 4 * POLL_MAX_NS)
		rq->poll_ns = rq->poll_ns > POLL_MIN_NS ? rq->poll_ns / 4 : 0;
	else if (halted_ns < POLL_MAX_NS)
		rq->poll_ns = clamp(rq->poll_ns * 2, POLL_MIN_NS, POLL_MAX_NS);
}

/* Put the time to use while nothing is wanted of this CPU. Interrupts are off on entry and return. */
static void clear_pages_ahead(struct runqueue *rq)
{
	bool more = true;

	while (more && !work_here(rq)) {
		arch_irq_enable();
		more = page_clear_ahead();
		arch_irq_disable();
	}
}

static void halt(struct runqueue *rq)
{
	u64 start = clock_monotonic();
	bool halted = false;

	counter_inc(&sched_idle_halts);
	timer_program(rq);
	rcu_idle_enter();
	if (!work_here(rq)) { /* after the fence in rcu_idle_enter: a grace period that began saw us idle, or
				 we see it */
		arch_idle();
		arch_irq_disable();
		halted = true;
	}
	rcu_idle_leave(halted);
	if (cpu_count > 1)
		poll_adapt(rq, clock_monotonic() - start);
}

void sched_idle(void)
{
	struct runqueue *rq = this_rq();

	ASSERT(current == rq->idle);
	for (;;) {
		arch_irq_disable();
		rcu_quiescent();
		if (!mpsc_empty(&rq->inbox))
			sched_drain(rq, clock_monotonic());
		if (rq->nr_running) {
			idle_claim(rq->cpu);
			arch_irq_enable();
			schedule();
			continue;
		}
		thread_clear_flag(rq->idle, THREAD_NEED_RESCHED);
		rq->timer_ready = true;
		if (cpu_count > 1) {
			atomic_fetch_or_explicit(&idle_mask[rq->cpu / 64], BIT(rq->cpu % 64),
						 memory_order_seq_cst);
			request_work(rq);
			if (rq->poll_ns) {
				poll_for_work(rq);
				if (work_here(rq)) {
					counter_inc(&sched_idle_polls_won);
					continue;
				}
			}
		}
		clear_pages_ahead(rq);
		halt(rq);
	}
}
