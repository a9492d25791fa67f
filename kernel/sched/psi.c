// SPDX-License-Identifier: BSD-2-Clause
/* Pressure stall information: who stalls, where, and for how long.
 *
 * Theory. A thread that sleeps for I/O or is short of memory is counted by one CPU: the one it runs or waits
 * on, or fell asleep on. From such counts and the number of runnable threads each CPU adds up how long it was
 * in which state; a state that nobody looks at costs nothing, because times are added only when a count is
 * about to change. While no thread stalls on a CPU (`stalled` is false) nothing of this is touched but the
 * sum of times with two runnable threads or more, which is the CPU's own pressure.
 *
 * `stalled` is set by the CPU itself alone, so that it need not take the lock to see that nobody stalls; the
 * rest has a lock, since a thread that fell asleep here may wake elsewhere.
 *
 * Totals are averages over CPUs, weighted by the time that each was not idle. They are taken every two
 * seconds, and more often for triggers, by a timer that runs only while somebody stalls. */
#include "kernel/psi.h"
#include "kernel/alloc.h"
#include "kernel/poll.h"
#include "kernel/timer.h"
#include "psi_average.h"
#include "sched_internal.h"

#define WINDOW_LOOKS 10 /* a trigger's window is looked at so many times */

enum { COUNT_IO = 1, COUNT_MEMORY = 2, COUNT_MEMORY_RUNNING = 4 }; /* sched_entity.psi_state */

struct psi_trigger {
	struct list_head node; /* on psi.triggers; guarded by psi.lock, as all but the last two */
	unsigned state;
	u64 threshold;
	u64 seen; /* the total, at the last look */
	u64 told; /* when it told last; 0: never */
	struct psi_window window;
	bool pending;	    /* the threshold was passed, but its window has not ended */
	_Atomic bool event; /* for who polls next */
	struct waitq wait;
};

static void tick(struct timer *t);
static struct timer tick_timer = {.fn = tick};
_Atomic bool psi_ticking;

static struct {
	struct spinlock lock; /* guards the rest; taken with interrupts off. A CPU's lock is below it */
	u64 total[PSI_STATES];
	struct psi_averages averages;
	struct list_head triggers;
	u64 look;  /* between looks at them */
	u64 until; /* while there are some, looks go on until then */
} psi = {.triggers = LIST_HEAD_INIT(psi.triggers), .look = PSI_PERIOD};

/* ---- what a CPU knows ---- */

/* Add the time since the last call to the states that P was in. Lock held. */
static void catch_up(struct psi_cpu *p, u32 running, u64 now)
{
	u64 ns = now - p->since;

	if ((s64)ns <= 0)
		return;
	p->since = now;
	if (p->io) {
		p->time[PSI_STATE(PSI_IO, PSI_SOME)] += ns;
		if (!running)
			p->time[PSI_STATE(PSI_IO, PSI_FULL)] += ns;
	}
	if (p->memory) {
		p->time[PSI_STATE(PSI_MEMORY, PSI_SOME)] += ns;
		if (running == p->memory_running || p->memory_on_cpu)
			p->time[PSI_STATE(PSI_MEMORY, PSI_FULL)] += ns;
	}
	if ((p->io || p->memory) && !running)
		p->stalled_idle += ns;
}

static struct psi_cpu *lock_cpu(struct runqueue *rq, u64 now)
{
	spin_lock(&rq->psi.lock);
	catch_up(&rq->psi, atomic_load_explicit(&rq->nr_shown, memory_order_relaxed), now);
	return &rq->psi;
}

void psi_catch_up(struct runqueue *rq, u64 now)
{
	spin_unlock(&lock_cpu(rq, now)->lock);
}

void psi_switch(struct runqueue *rq, struct thread *next, u64 now)
{
	struct psi_cpu *p = lock_cpu(rq, now);

	p->memory_on_cpu = next->se.psi_state & COUNT_MEMORY_RUNNING;
	spin_unlock(&p->lock);
}

/* A thread that RQ counted as OLD is now counted as NEW. Interrupts off. */
static void recount(struct runqueue *rq, u8 old, u8 new, u64 now)
{
	struct psi_cpu *p = lock_cpu(rq, now);

	p->io += (u32)(new &COUNT_IO) - (u32)(old & COUNT_IO);
	p->memory += (u32) !!(new &COUNT_MEMORY) - (u32) !!(old & COUNT_MEMORY);
	p->memory_running += (u32) !!(new &COUNT_MEMORY_RUNNING) - (u32) !!(old & COUNT_MEMORY_RUNNING);
	atomic_store_explicit(&p->stalled, p->io || p->memory, memory_order_release);
	spin_unlock(&p->lock);
	if (new)
		psi_keep_ticking();
}

/* T is on RQ, this CPU's, which counts it as STATE from now on. */
static void count(struct runqueue *rq, struct thread *t, u8 state, u64 now)
{
	struct sched_entity *se = &t->se;

	if (se->psi_state && se->psi_cpu != rq->cpu) {
		recount(cpu_rq(se->psi_cpu), se->psi_state, 0, now);
		se->psi_state = 0;
	}
	if (se->psi_state != state)
		recount(rq, se->psi_state, state, now);
	se->psi_state = state;
	se->psi_cpu = rq->cpu;
}

void psi_sleep(struct runqueue *rq, struct thread *t, u64 now)
{
	count(rq, t,
	      (u8)((t->se.stall & STALL_IO ? COUNT_IO : 0) | (t->se.stall & STALL_MEMORY ? COUNT_MEMORY : 0)),
	      now);
}

void psi_wake(struct runqueue *rq, struct thread *t, u64 now)
{
	count(rq, t, t->se.stall & STALL_MEMORY ? COUNT_MEMORY | COUNT_MEMORY_RUNNING : 0, now);
}

static void set_memstall(bool on)
{
	u64 flags = arch_irq_save(), now = clock_monotonic();
	struct runqueue *rq = this_rq();
	struct thread *t = current;

	t->se.stall = (u8)(on ? t->se.stall | STALL_MEMORY : t->se.stall & ~STALL_MEMORY);
	if (t != rq->idle) { /* which nobody counts as running */
		psi_wake(rq, t, now);
		psi_switch(rq, t, now);
	}
	arch_irq_restore(flags);
}

bool psi_memstall_enter(void)
{
	if (current->se.stall & STALL_MEMORY)
		return false;
	set_memstall(true);
	return true;
}

void psi_memstall_leave(bool entered)
{
	if (entered)
		set_memstall(false);
}

unsigned sched_blocked(void)
{
	unsigned n = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		n += READ_ONCE(cpu_rq(cpu)->psi.io);
	return n;
}

/* ---- totals ---- */

static u64 grown(u64 *seen, u64 value)
{
	u64 ns = value > *seen ? value - *seen : 0;

	*seen += ns;
	return ns;
}

/* What RQ's CPU adds, and its weight. psi.lock is held. */
static void take_cpu(struct runqueue *rq, u64 now)
{
	struct psi_cpu *p = lock_cpu(rq, now);
	u64 since = atomic_load_explicit(&rq->nr_since, memory_order_relaxed);
	u64 wait = atomic_load_explicit(&rq->wait_ns, memory_order_relaxed);
	u64 idle = thread_cpu_time(rq->idle), up = now - rq->online_since, busy;

	if (atomic_load_explicit(&rq->nr_shown, memory_order_relaxed) > 1 && now > since)
		wait += now - since;
	p->time[PSI_STATE(PSI_CPU, PSI_SOME)] = wait;
	busy = grown(&p->seen_busy, (up > idle ? up - idle : 0) + p->stalled_idle);
	p->weight = (u32)min(busy >> 14, 1ull << 20);
	for (unsigned s = 0; s < PSI_STATES; s++)
		p->delta[s] += grown(&p->seen[s], p->time[s]);
	spin_unlock(&p->lock);
}

/* D * W / SUM, where W <= SUM < 2^32. */
static u64 share(u64 d, u64 w, u64 sum)
{
	return d / sum * w + d % sum * w / sum;
}

/* Bring the totals up to date; true when one grew. psi.lock is held. */
static bool collect(u64 now)
{
	bool grew = false;
	u64 sum = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		if (sched_cpu_online(cpu))
			take_cpu(cpu_rq(cpu), now);
		sum += cpu_rq(cpu)->psi.weight;
	}
	if (!sum)
		return false; /* hardly any time passed: what there is waits for more */
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct psi_cpu *p = &cpu_rq(cpu)->psi;

		for (unsigned s = 0; s < PSI_STATES; s++) {
			u64 ns = share(p->delta[s], p->weight, sum);

			p->delta[s] = 0;
			psi.total[s] += ns;
			grew |= ns;
		}
	}
	return grew;
}

void psi_report(enum psi_resource res, struct psi_report *out)
{
	u64 now = clock_monotonic(), flags = spin_lock_irqsave(&psi.lock);

	collect(now);
	psi_averages_update(&psi.averages, psi.total, now);
	for (unsigned d = 0; d < PSI_DEGREES; d++) {
		out->total[d] = psi.total[PSI_STATE(res, d)];
		for (unsigned i = 0; i < PSI_AVERAGES; i++)
			out->avg[d][i] = psi.averages.value[PSI_STATE(res, d)][i];
	}
	spin_unlock_irqrestore(&psi.lock, flags);
}

/* ---- triggers ---- */

static void check_trigger(struct psi_trigger *t, u64 now)
{
	u64 total = psi.total[t->state];

	if (total != t->seen) {
		t->seen = total;
		if (psi_window_growth(&t->window, now, total) >= t->threshold)
			t->pending = true;
	}
	if (!t->pending || (t->told && now < t->told + t->window.size))
		return;
	t->pending = false;
	t->told = now;
	if (!atomic_exchange_explicit(&t->event, true, memory_order_seq_cst))
		waitq_wake(&t->wait, ~0u, EPOLLPRI);
}

/* True when there is more to be looked at; else their windows begin anew with the next stall. */
static bool check_triggers(u64 now, bool grew)
{
	struct psi_trigger *t;
	bool more;

	if (list_empty(&psi.triggers))
		return false;
	if (grew)
		psi.until = now + WINDOW_LOOKS * psi.look;
	more = now < psi.until;
	list_for_each_entry (t, &psi.triggers, node) {
		check_trigger(t, now);
		more |= t->pending;
	}
	if (!more)
		list_for_each_entry (t, &psi.triggers, node)
			psi_window_reset(&t->window, now, psi.total[t->state], 0);
	return more;
}

/* The shortest window decides. psi.lock is held. */
static void set_look(void)
{
	struct psi_trigger *t;

	psi.look = PSI_PERIOD;
	list_for_each_entry (t, &psi.triggers, node)
		psi.look = min(psi.look, t->window.size / WINDOW_LOOKS);
}

struct psi_trigger *psi_trigger_create(enum psi_resource res, enum psi_degree degree, u64 threshold,
				       u64 window)
{
	struct psi_trigger *t = kzalloc(sizeof *t);
	u64 now = clock_monotonic(), flags;

	if (!t)
		return NULL;
	t->state = PSI_STATE(res, degree);
	t->threshold = threshold;
	t->window.size = window;
	waitq_init(&t->wait);
	flags = spin_lock_irqsave(&psi.lock);
	collect(now);
	t->seen = psi.total[t->state];
	psi_window_reset(&t->window, now, t->seen, 0);
	list_add_tail(&t->node, &psi.triggers);
	set_look();
	now += psi.look;
	spin_unlock_irqrestore(&psi.lock, flags);
	/* Somebody may stall already, and the timer be set for later. */
	atomic_store_explicit(&psi_ticking, true, memory_order_relaxed);
	timer_set(&tick_timer, now);
	return t;
}

void psi_trigger_destroy(struct psi_trigger *t)
{
	u64 flags = spin_lock_irqsave(&psi.lock);

	list_del(&t->node);
	set_look();
	spin_unlock_irqrestore(&psi.lock, flags);
	kfree(t);
}

bool psi_trigger_poll(struct psi_trigger *t, struct file *f, struct poll_table *pt)
{
	poll_wait(f, &t->wait, pt);
	return atomic_exchange_explicit(&t->event, false, memory_order_seq_cst);
}

/* ---- the timer ---- */

void psi_start_ticking(void)
{
	if (!atomic_exchange_explicit(&psi_ticking, true, memory_order_relaxed))
		timer_set(&tick_timer, clock_monotonic() + READ_ONCE(psi.look));
}

static bool anybody_stalls(void)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct runqueue *rq = cpu_rq(cpu);

		if (atomic_load_explicit(&rq->psi.stalled, memory_order_relaxed) ||
		    atomic_load_explicit(&rq->nr_shown, memory_order_relaxed) > 1)
			return true;
	}
	return false;
}

static void tick(struct timer *timer)
{
	u64 now = clock_monotonic(), next;
	bool more;

	spin_lock(&psi.lock);
	more = collect(now);
	psi_averages_update(&psi.averages, psi.total, now);
	more |= check_triggers(now, more);
	next = now + psi.look;
	spin_unlock(&psi.lock);
	if (more || anybody_stalls())
		atomic_store_explicit(&psi_ticking, true, memory_order_relaxed);
	else if (!atomic_exchange_explicit(&psi_ticking, false, memory_order_relaxed))
		return;
	/* With the flag off there is one more tick: it sees whose stall began before they saw the flag. */
	timer_set(timer, next);
}
