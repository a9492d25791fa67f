// SPDX-License-Identifier: BSD-2-Clause
/* One CPU's run queue: real-time threads ahead of fair ones, the idle thread when there are none.
 * Every function runs on the queue's own CPU with interrupts off; others send messages (wake.c). */
#include "kernel/counter.h"
#include "kernel/softirq.h"
#include "sched_internal.h"

DEFINE_COUNTER(sched_rt_throttled, "times real-time threads used up their share while others waited");

DEFINE_PER_CPU(struct runqueue, runqueue);
DEFINE_PER_CPU(struct runqueue *, runqueue_self) = &runqueue;

void rq_init(struct runqueue *rq, unsigned cpu, struct thread *idle)
{
	*rq = (struct runqueue){
		.curr = idle,
		.idle = idle,
		.cpu = cpu,
		.slice_end = SCHED_NEVER,
		.pull_msg.kind = SCHED_MSG_PULL,
	};
	eevdf_init(&rq->fair);
	rt_init(&rq->rt);
}

static bool is_rt(struct thread *t)
{
	return t->se.class == SCHED_CLASS_RT;
}

/* Copy what was asked for into what the policy uses. T is on no queue. */
static void absorb_attributes(struct thread *t)
{
	struct sched_entity *se = &t->se;
	struct sched_request want;
	u8 boost;
	u64 flags;

	/* Cleared first: a change that comes while we read is seen by the next look. */
	atomic_store_explicit(&se->attr_changed, false, memory_order_seq_cst);
	flags = spin_lock_irqsave(&se->attr_lock);
	want = se->want;
	boost = atomic_load_explicit(&se->boost, memory_order_relaxed);
	spin_unlock_irqrestore(&se->attr_lock, flags);

	se->policy = want.policy;
	se->rt_priority = max(want.rt_priority, boost);
	se->class = se->rt_priority ? SCHED_CLASS_RT : SCHED_CLASS_FAIR;
	se->fair.slice = want.slice ? want.slice : EEVDF_SLICE_DEFAULT;
	eevdf_set_weight(&se->fair, want.policy == SCHED_IDLE ? EEVDF_WEIGHT_IDLE : eevdf_weight(want.nice));
}

static void show(struct runqueue *rq)
{
	atomic_store_explicit(&rq->nr_shown, rq->nr_running, memory_order_relaxed);
	atomic_store_explicit(&rq->load_shown, rq->fair.load + rq->nr_rt * (u64)EEVDF_WEIGHT_MAX,
			      memory_order_relaxed);
}

static void rq_add(struct runqueue *rq, struct thread *t, u64 now)
{
	struct sched_entity *se = &t->se;

	account_nr_running(rq, now);
	if (rq->nr_running++)
		psi_keep_ticking();
	if (is_rt(t)) {
		rq->nr_rt++;
		rt_add(&rq->rt, t, false);
	} else {
		eevdf_enqueue(&rq->fair, &se->fair, !se->started);
	}
	show(rq);
}

/* T, which waits, may deserve the CPU more than curr does. */
static void rq_check_preempt(struct runqueue *rq, struct thread *t, u64 now)
{
	struct thread *curr = rq->curr;

	if (curr == rq->idle) {
		rq_resched(rq);
	} else if (is_rt(t)) {
		if (is_rt(curr) ? t->se.rt_priority > curr->se.rt_priority : !rq->rt_throttled)
			rq_resched(rq);
	} else if (is_rt(curr)) {
		return;
	} else if (curr->se.policy == SCHED_IDLE && t->se.policy != SCHED_IDLE) {
		rq_resched(rq);
	} else if (t->se.policy == SCHED_OTHER) {
		bool fresh = now - curr->se.picked_at < SCHED_WAKE_GRAIN;

		if (fresh && curr->se.handoffs >= SCHED_HANDOFFS)
			return; /* it will sleep by itself: no timer for that */
		if (!eevdf_preempts(&rq->fair, &t->se.fair))
			return;
		if (fresh)
			rq->slice_end = min(rq->slice_end, curr->se.picked_at + SCHED_WAKE_GRAIN);
		else
			rq_resched(rq);
	}
}

void rq_enqueue(struct runqueue *rq, struct thread *t, u64 now, bool wakeup)
{
	struct sched_entity *se = &t->se;

	ASSERT(!se->on_rq && thread_state_of(t) != THREAD_DEAD);
	atomic_store_explicit(&se->cpu, rq->cpu, memory_order_relaxed);
	/* Store-load A1: on_rq and cpu, then attr_changed. Pairs with A2 in attr.c: attr_changed, then on_rq
	 * and cpu. The fence is the exchange. */
	atomic_exchange_explicit(&se->on_rq, true, memory_order_seq_cst);
	if (unlikely(atomic_load_explicit(&se->attr_changed, memory_order_relaxed)))
		absorb_attributes(t);
	/* What curr ran since it was charged last is nothing to the average that T joins, if it is short. */
	if (now - atomic_load_explicit(&rq->curr->se.exec_start, memory_order_relaxed) > SCHED_CHARGE_NS)
		rq_update_curr(rq, now);
	if (unlikely(se->psi_state))
		psi_wake(rq, t, now);
	rq_add(rq, t, now);
	if (rq->slice_end == SCHED_NEVER || unlikely(is_rt(rq->curr)))
		rq_set_slice(rq, now);
	if (wakeup)
		rq_check_preempt(rq, t, now);
	timer_program(rq);
}

void rq_dequeue(struct runqueue *rq, struct thread *t, u64 now)
{
	ASSERT(t->se.on_rq && t->se.cpu == rq->cpu);
	account_nr_running(rq, now);
	rq->nr_running--;
	if (is_rt(t)) {
		rq->nr_rt--;
		if (t != rq->curr)
			rt_remove(&rq->rt, t);
	} else {
		eevdf_dequeue(&rq->fair, &t->se.fair);
	}
	show(rq);
	atomic_store_explicit(&t->se.on_rq, false, memory_order_release);
}

void rq_apply_attributes(struct runqueue *rq, struct thread *t, u64 now)
{
	bool is_curr = t == rq->curr;

	rq_update_curr(rq, now);
	rq_dequeue(rq, t, now);
	atomic_store_explicit(&t->se.on_rq, true, memory_order_relaxed);
	absorb_attributes(t);
	rq_add(rq, t, now);
	if (is_curr) {
		/* The running thread is in no list and no tree. */
		if (is_rt(t))
			rt_remove(&rq->rt, t);
		else
			eevdf_set_curr(&rq->fair, &t->se.fair);
		atomic_store_explicit(&rq->prio_shown, t->se.rt_priority, memory_order_relaxed);
		rq_set_slice(rq, now);
		rq_resched(rq); /* it may not be the best any more, or not be allowed here */
	} else if (!cpu_allowed(t, rq->cpu)) {
		rq_dequeue(rq, t, now);
		sched_place(t);
		return;
	} else {
		rq_check_preempt(rq, t, now);
	}
	timer_program(rq);
}

struct thread *rq_pick(struct runqueue *rq)
{
	struct thread *curr = rq->curr;
	unsigned best = rt_highest(&rq->rt);
	struct eevdf_entity *e;

	if (rq->rt_throttled && rq->fair.nr)
		return container_of(eevdf_pick(&rq->fair), struct thread, se.fair);
	if (curr->se.on_rq && is_rt(curr)) {
		unsigned p = curr->se.rt_priority;

		return best > p || (best == p && rq->rt_rotate) ? rt_first(&rq->rt, best) : curr;
	}
	if (best)
		return rt_first(&rq->rt, best);
	e = eevdf_pick(&rq->fair);
	return e ? container_of(e, struct thread, se.fair) : rq->idle;
}

void rq_set_curr(struct runqueue *rq, struct thread *next, u64 now)
{
	struct thread *prev = rq->curr;

	if (prev != next) {
		if (prev->se.on_rq && is_rt(prev))
			rt_add(&rq->rt, prev, !rq->rt_rotate);
		if (next->se.on_rq && is_rt(next))
			rt_remove(&rq->rt, next);
		eevdf_set_curr(&rq->fair, next->se.class == SCHED_CLASS_FAIR ? &next->se.fair : NULL);
		rq->curr = next;
		atomic_store_explicit(&rq->prio_shown, next->se.rt_priority, memory_order_relaxed);
		next->se.picked_at = now;
		next->se.started = true;
	}
	rq->rt_rotate = false;
	if (likely(rq->nr_running < 2 && !is_rt(next)))
		rq->slice_end = SCHED_NEVER;
	else
		rq_set_slice(rq, now);
}

/* When must curr be looked at again? Only when somebody else waits. */
void rq_set_slice(struct runqueue *rq, u64 now)
{
	struct thread *curr = rq->curr;

	rq->slice_end = is_rt(curr) ? rt_limit_at(curr, now) : SCHED_NEVER;
	if (curr == rq->idle || rq->nr_running < 2 || !curr->se.on_rq)
		return;
	if (!is_rt(curr)) {
		rq->slice_end = now + eevdf_slice_left(&rq->fair);
		if (rq->rt_throttled)
			rq->slice_end = min(rq->slice_end, rq->rt_start + rt_period());
		return;
	}
	if (curr->se.policy == SCHED_RR && rt_highest(&rq->rt) == curr->se.rt_priority)
		rq->slice_end = min(rq->slice_end, now + curr->se.rr_left);
	/* Fair threads wait: see to it that they get elsewhere, or their share in the end. */
	if (rq->fair.nr) {
		u64 quota = rt_quota(), left = quota > rq->rt_used ? quota - rq->rt_used : SCHED_BALANCE_NS;

		rq->slice_end = min(rq->slice_end, now + min(left, SCHED_BALANCE_NS));
	}
}

static void rt_new_period(struct runqueue *rq, u64 now)
{
	if (now - rq->rt_start < rt_period())
		return;
	rq->rt_start = now;
	rq->rt_used = 0;
	if (rq->rt_throttled && rq->nr_rt)
		rq_resched(rq);
	rq->rt_throttled = false;
}

static void charge_rt(struct runqueue *rq, struct thread *t, u64 ns)
{
	rq->rt_used += ns;
	t->se.rt_run += ns;
	if (rq->rt_used >= rt_quota() && rq->fair.nr && !rq->rt_throttled) {
		counter_inc(&sched_rt_throttled);
		rq->rt_throttled = true;
		rq_resched(rq);
	}
	if (t->se.policy != SCHED_RR)
		return;
	if (t->se.rr_left > ns) {
		t->se.rr_left -= ns;
		return;
	}
	t->se.rr_left = rr_quantum();
	if (rt_highest(&rq->rt) >= t->se.rt_priority) {
		rq->rt_rotate = true;
		rq_resched(rq);
	}
}

void rq_update_curr(struct runqueue *rq, u64 now)
{
	struct thread *t = rq->curr;
	struct sched_entity *se = &t->se;
	u64 start = atomic_load_explicit(&se->exec_start, memory_order_relaxed);
	u32 seq = atomic_load_explicit(&se->time_seq, memory_order_relaxed);
	u64 ns = now - start;

	if ((s64)ns <= 0)
		return;
	atomic_store_explicit(&se->time_seq, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&se->exec_sum, atomic_load_explicit(&se->exec_sum, memory_order_relaxed) + ns,
			      memory_order_relaxed);
	atomic_store_explicit(&se->exec_start, now, memory_order_relaxed);
	atomic_store_explicit(&se->time_seq, seq + 2, memory_order_release);
	if (t == rq->idle)
		return;
	rq->busy_ns += ns;
	if (unlikely(rq->nr_rt))
		rt_new_period(rq, now);
	if (!se->on_rq)
		return;
	if (is_rt(t))
		charge_rt(rq, t, ns);
	else if (eevdf_charge(&rq->fair, ns) && rq->nr_running > 1)
		rq_resched(rq);
}

/* The waiting thread that gains most from another CPU: real-time first, then the fair one whose turn is
 * farthest. */
static struct thread *rq_find_pushable(struct runqueue *rq, unsigned to)
{
	struct eevdf_entity *e;
	unsigned tries = 16;

	for (unsigned p = rt_highest(&rq->rt); p; p--) {
		struct thread *t;

		list_for_each_entry (t, &rq->rt.lists[p], se.rt_node)
			if (cpu_allowed(t, to))
				return t;
	}
	for (e = eevdf_last(&rq->fair); e && tries; e = eevdf_prev(e), tries--) {
		struct thread *t = container_of(e, struct thread, se.fair);

		if (cpu_allowed(t, to))
			return t;
	}
	return NULL;
}

void rq_push_one(struct runqueue *rq, unsigned to, u64 now)
{
	struct thread *t;

	if (rq->nr_running < 2 || rq->curr == rq->idle)
		return;
	softirq_count(SOFTIRQ_SCHED);
	t = rq_find_pushable(rq, to);
	if (!t)
		return;
	rq_update_curr(rq, now);
	rq_dequeue(rq, t, now);
	sched_send(to, &t->se.wake_msg);
}

/* The CPU of least load, if giving W away to it would lessen the difference. -1: none. */
static int least_loaded(struct runqueue *rq, u64 w)
{
	u64 own = atomic_load_explicit(&rq->load_shown, memory_order_relaxed), least = own;
	int best = -1;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		u64 load = atomic_load_explicit(&cpu_rq(cpu)->load_shown, memory_order_relaxed);

		if (load < least && atomic_load_explicit(&cpu_rq(cpu)->online, memory_order_relaxed)) {
			least = load;
			best = (int)cpu;
		}
	}
	/* W itself moves from one side to the other: a move that only mirrors the difference is none. */
	return best >= 0 && w + w / 4 <= own - least ? best : -1;
}

/* Threads wait here: give one to a CPU that idles, or, from time to time, to one with less to do. */
void rq_balance(struct runqueue *rq, u64 now)
{
	unsigned rt = rt_highest(&rq->rt);
	struct eevdf_entity *e = eevdf_last(&rq->fair);
	struct thread *t;
	int to = -1;

	if (rq->nr_running < 2 || rq->curr == rq->idle || cpu_count == 1)
		return;
	softirq_count(SOFTIRQ_SCHED);
	if (rt && (idle_any() || !e))
		t = rt_first(&rq->rt, rt);
	else if (e)
		t = container_of(e, struct thread, se.fair);
	else
		return;
	if (idle_any())
		to = idle_find(t, rq->cpu);
	if (to < 0 && !is_rt(t) && now >= rq->next_balance) {
		rq->next_balance = now + SCHED_BALANCE_NS;
		to = least_loaded(rq, e->weight);
		if (to >= 0 && !cpu_allowed(t, (unsigned)to))
			to = -1;
	}
	if (to < 0)
		return;
	rq_dequeue(rq, t, now);
	sched_send((unsigned)to, &t->se.wake_msg);
}

void rq_check(struct runqueue *rq)
{
	unsigned rt = 0;

	if (rq->nr_running > 64)
		return; /* linear; large queues would make DEBUG builds useless */
	eevdf_check(&rq->fair);
	for (unsigned p = 1; p < RT_PRIORITIES; p++) {
		bool bit = rq->rt.bitmap[p / 64] >> p % 64 & 1;

		if (bit == list_empty(&rq->rt.lists[p]))
			panic("rq_check: bitmap and list %u differ", p);
		list_for_each (n, &rq->rt.lists[p])
			rt++;
	}
	if (rq->curr->se.on_rq && is_rt(rq->curr))
		rt++;
	if (rt != rq->nr_rt || rq->nr_rt + rq->fair.nr != rq->nr_running)
		panic("rq_check: counts are off: %u rt of %u, %u fair, %u in all", rt, rq->nr_rt, rq->fair.nr,
		      rq->nr_running);
}
