// SPDX-License-Identifier: BSD-2-Clause
/* Wake-ups, and the messages through which one CPU touches another's run queue.
 *
 * A thread's state word decides alone who queues it. To sleep, a thread stores a sleeping state
 * (thread_set_state), tests its condition, and in schedule() commits by CAS state -> state|ASLEEP. A waker
 * changes the condition, then does CAS state -> RUNNING. Only the waker whose CAS took the ASLEEP bit away
 * owns the thread, and places it on a CPU; when the bit was not set, the thread is still running and its own
 * CAS will fail. No wake-up is lost and none happens twice. Models: tests/models/sleep_wake.pml,
 * wake_list.pml. */
#include "sched_internal.h"

void thread_set_state(enum thread_state s)
{
	/* Store-load S1: state, then the caller's condition. Pairs with W1. The exchange is the fence; going
	 * back to RUNNING needs none. */
	if (s == THREAD_RUNNING)
		atomic_store_explicit(&current->state_word, s, memory_order_relaxed);
	else
		atomic_exchange_explicit(&current->state_word, s, memory_order_seq_cst);
}

/* Threads that were woken under a wait queue's lock wait here until it is dropped: they would only run into
 * it, and sending an interrupt is slow in a virtual machine. */
struct wake_deferred {
	unsigned depth;
	struct mpsc_node *first, *last; /* se.wake_msg.node of threads that are RUNNING and on no queue */
};
static DEFINE_PER_CPU(struct wake_deferred, wake_deferred);

void wake_defer_begin(void)
{
	if (!this_cpu(wake_deferred).depth++)
		this_cpu(wake_deferred).first = NULL;
}

void wake_defer_end(void)
{
	struct mpsc_node *n, *next;

	if (--this_cpu(wake_deferred).depth)
		return;
	for (n = this_cpu(wake_deferred).first; n; n = next) {
		next = n->next; /* the node is used anew */
		sched_place(container_of(n, struct thread, se.wake_msg.node));
	}
}

void wake_place(struct thread *t)
{
	struct mpsc_node *n = &t->se.wake_msg.node;

	if (!this_cpu(wake_deferred).depth) {
		sched_place(t);
		return;
	}
	n->next = NULL;
	if (this_cpu(wake_deferred).first)
		this_cpu(wake_deferred).last->next = n;
	else
		this_cpu(wake_deferred).first = n;
	this_cpu(wake_deferred).last = n;
}

enum waking wake_begin(struct thread *t, u32 mask)
{
	u32 s = atomic_load_explicit(&t->state_word, memory_order_relaxed);

	do {
		if (!(mask & 1u << (s & STATE_MASK)) || (s & STATE_MASK) == THREAD_RUNNING)
			return WAKE_NOT;
	} while (!atomic_compare_exchange_weak_explicit(&t->state_word, &s, THREAD_RUNNING,
							memory_order_acq_rel, memory_order_relaxed));
	return s & STATE_ASLEEP ? WAKE_PLACE : WAKE_STAYED;
}

bool thread_wake_state(struct thread *t, u32 mask)
{
	enum waking did;
	u64 flags;

	/* Store-load W1: the caller's condition, then the state. Pairs with S1. */
	atomic_thread_fence(memory_order_seq_cst);
	did = wake_begin(t, mask);
	if (did == WAKE_PLACE) {
		flags = arch_irq_save();
		wake_place(t);
		arch_irq_restore(flags);
	}
	return did != WAKE_NOT;
}

void sched_send(unsigned cpu, struct sched_msg *msg)
{
	struct runqueue *rq = cpu_rq(cpu);

	/* Store-load P1: the list, then polling. Pairs with P2 in idle.c: polling off, then the list. The
	 * push is the fence. */
	if (mpsc_push(&rq->inbox, &msg->node) && !atomic_load_explicit(&rq->polling, memory_order_relaxed))
		smp_send_reschedule(cpu);
}

/* A real-time thread goes where it need not wait for another one, if there is such a CPU. */
static unsigned select_cpu_rt(struct thread *t, unsigned prev)
{
	u32 mine = t->se.rt_priority;

	if (atomic_load_explicit(&cpu_rq(prev)->prio_shown, memory_order_relaxed) < mine)
		return prev;
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct runqueue *rq = cpu_rq(cpu);

		if (cpu_allowed(t, cpu) && atomic_load_explicit(&rq->online, memory_order_relaxed) &&
		    atomic_load_explicit(&rq->prio_shown, memory_order_relaxed) < mine)
			return cpu;
	}
	return prev;
}

/* Two threads that take turns (a futex or a pipe handed to and fro) are best on one CPU: switching there
 * costs a fraction of an interrupt to another virtual CPU. The waker's habit decides. */
static bool hands_over(struct runqueue *rq, struct thread *t)
{
	struct thread *curr = rq->curr;

	return curr->se.handoffs >= SCHED_HANDOFFS && rq->nr_running == 1 &&
	       curr->se.class == SCHED_CLASS_FAIR && t->se.class == SCHED_CLASS_FAIR &&
	       !thread_test_flag(curr, THREAD_INTERRUPTED) && cpu_allowed(t, rq->cpu);
}

void sched_note_sleep(struct thread *t, u64 now)
{
	if (!t->se.last_wake)
		return;
	if (now - t->se.last_wake > SCHED_HANDOFF_NS / 2)
		t->se.handoffs = 0;
	else if (t->se.handoffs < SCHED_HANDOFFS)
		t->se.handoffs++;
	t->se.last_wake = 0;
}

/* A new thread has no data anywhere: it starts where there is least to do. */
static unsigned select_cpu_new(struct thread *t, unsigned fallback)
{
	u64 least = ~0ull;
	unsigned best = fallback;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct runqueue *rq = cpu_rq(cpu);
		u64 load = atomic_load_explicit(&rq->load_shown, memory_order_relaxed);

		if (load < least && cpu_allowed(t, cpu) &&
		    atomic_load_explicit(&rq->online, memory_order_relaxed)) {
			least = load;
			best = cpu;
		}
	}
	return best;
}

/* The CPU for a thread that is on no queue. Interrupts off. Near its data when that CPU is idle, else any
 * idle CPU. */
unsigned sched_select_cpu(struct thread *t)
{
	unsigned prev = atomic_load_explicit(&t->se.cpu, memory_order_relaxed);
	unsigned self = cpu_id();
	struct runqueue *rq = this_rq();
	int found;

	/* Its registers are still being saved there. Acquire: pairs with the release in finish_switch(). */
	if (atomic_load_explicit(&t->se.on_cpu, memory_order_acquire))
		return prev;
	if (cpu_count == 1)
		return 0;
	/* An interrupt that woke an idle CPU: no need to disturb another. */
	if (rq->curr == rq->idle && !rq->nr_running && cpu_allowed(t, self))
		return self;
	if (hands_over(rq, t))
		return self;
	if (cpu_allowed(t, prev)) {
		if (idle_claim(prev))
			return prev;
	} else {
		prev = cpu_allowed(t, self) ? self : ~0u;
	}
	found = idle_find(t, self);
	if (found >= 0)
		return (unsigned)found;
	/* Behind a real-time thread it might wait for long. */
	if (prev == ~0u || !t->se.started ||
	    (t->se.class == SCHED_CLASS_FAIR &&
	     atomic_load_explicit(&cpu_rq(prev)->prio_shown, memory_order_relaxed)))
		prev = select_cpu_new(t, self); /* SELF in case no CPU is left that the mask allows */
	return t->se.class == SCHED_CLASS_RT ? select_cpu_rt(t, prev) : prev;
}

void sched_place(struct thread *t)
{
	unsigned cpu = sched_select_cpu(t);
	struct runqueue *rq = this_rq();
	u64 now = clock_monotonic();

	rq->curr->se.last_wake = now;
	if (cpu != rq->cpu) {
		sched_send(cpu, &t->se.wake_msg);
		/* What sending took tells nothing of the sender's habit, and can be long in a virtual
		 * machine. */
		rq->curr->se.last_wake = clock_monotonic();
		return;
	}
	/* T could run on an idle CPU: look again soon whether we really made way. */
	if (cpu_count > 1 && rq->nr_running == 1 && rq->curr != rq->idle && idle_any_for(t))
		rq->slice_end = min(rq->slice_end, now + SCHED_HANDOFF_NS);
	rq_enqueue(rq, t, now, true);
}

static void drain_attr(struct runqueue *rq, struct thread *t, u64 now)
{
	u32 cpu;

	atomic_store_explicit(&t->se.attr_queued, false, memory_order_seq_cst);
	if (atomic_load_explicit(&t->se.on_rq, memory_order_acquire)) {
		cpu = atomic_load_explicit(&t->se.cpu, memory_order_relaxed);
		if (cpu != rq->cpu)
			attr_changed(t); /* it moved on: so does the message */
		else if (atomic_load_explicit(&t->se.attr_changed, memory_order_relaxed))
			rq_apply_attributes(rq, t, now);
	}
	/* Off the queue: whoever queues it sees attr_changed (A1). */
	thread_put(t);
}

void sched_drain(struct runqueue *rq, u64 now)
{
	struct mpsc_node *n = mpsc_take(&rq->inbox), *next;

	for (; n; n = next) {
		struct sched_msg *msg = container_of(n, struct sched_msg, node);
		struct runqueue *from;
		struct thread *t;

		next = n->next;
		switch ((enum sched_msg_kind)msg->kind) {
		case SCHED_MSG_WAKE:
			t = container_of(msg, struct thread, se.wake_msg);
			if (unlikely(!cpu_allowed(t, rq->cpu)))
				sched_place(t);
			else
				rq_enqueue(rq, t, now, true);
			break;
		case SCHED_MSG_ATTR:
			drain_attr(rq, container_of(msg, struct thread, se.attr_msg), now);
			break;
		case SCHED_MSG_PULL:
			from = container_of(msg, struct runqueue, pull_msg);
			rq_push_one(rq, from->cpu, now);
			atomic_store_explicit(&from->pull_sent, false, memory_order_release);
			break;
		}
	}
}
