// SPDX-License-Identifier: BSD-2-Clause
/* Kernel timers: see kernel/timer.h. Each CPU has two trees, of monotonic and of wall-clock times, under one
 * lock.
 *
 * A timer belongs to the tree of CPU `base`; base changes only under that tree's lock, while the timer is
 * neither armed nor running there. So whoever holds the lock of the base and still reads the same base owns
 * the timer. The hardware is armed for an earlier time at once and for a later one only when it fires: most
 * timers are cancelled. */
#include "kernel/timer.h"
#include "kernel/counter.h"
#include "kernel/softirq.h"
#include "kernel/wait.h"
#include "sched_internal.h"

DEFINE_PER_CPU(struct softirq_counts, softirq_counts);

#define RUN_MAX 256 /* callbacks per interrupt; the rest follow in the next one */

DEFINE_COUNTER(timer_interrupts, "local timer interrupts");
DEFINE_COUNTER(timer_early_interrupts, "local timer interrupts at which nothing was due");

struct timer_base {
	struct spinlock
		lock; /* guards the trees, `running` and the timers on them; taken with interrupts off */
	struct rb_root mono, real;
	struct timer *running; /* its callback runs on this CPU now */
	_Atomic u64 next;      /* CLOCK_MONOTONIC ns of the earliest; may be earlier than that, never later */
	u64 armed;	       /* what the hardware is set to; 0 while timers run; own CPU only */
};

static DEFINE_PER_CPU(struct timer_base, timer_base) = {.next = SCHED_NEVER, .armed = SCHED_NEVER};
_Atomic u64 clock_step_count;
DEFINE_WAITQ(clock_step_waitq);

static struct timer_base *base_of(u32 cpu)
{
	return per_cpu_ptr(&timer_base, cpu);
}

void timer_init_cpu(unsigned cpu)
{
	*base_of(cpu) = (struct timer_base){.next = SCHED_NEVER, .armed = SCHED_NEVER};
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){.fn = fn, .base = cpu_id()};
}

static struct timer *first(struct rb_root *root)
{
	struct rb_node *n = rb_first(root);

	return n ? rb_entry(n, struct timer, node) : NULL;
}

static struct rb_root *tree_of(struct timer_base *b, struct timer *t)
{
	return t->realtime ? &b->real : &b->mono;
}

/* A wall-clock time as monotonic time, by the clocks as they are now. */
static u64 real_to_mono(u64 real)
{
	u64 mono = clock_monotonic(), now = clock_realtime();

	if (real <= now)
		return mono;
	return real - now > SCHED_NEVER - 1 - mono ? SCHED_NEVER - 1 : mono + (real - now);
}

static void insert(struct timer_base *b, struct timer *t)
{
	struct rb_root *root = tree_of(b, t);
	struct rb_node **link = &root->node, *parent = NULL;
	u64 when = t->realtime ? real_to_mono(t->expires) : t->expires;

	while (*link) {
		parent = *link;
		link = t->expires < rb_entry(parent, struct timer, node)->expires ? &parent->left
										  : &parent->right;
	}
	rb_insert(root, &t->node, parent, link, NULL);
	if (when < atomic_load_explicit(&b->next, memory_order_relaxed))
		atomic_store_explicit(&b->next, when, memory_order_relaxed);
}

static void update_next(struct timer_base *b)
{
	struct timer *m = first(&b->mono), *r = first(&b->real);
	u64 next = m ? m->expires : SCHED_NEVER;

	if (r)
		next = min(next, real_to_mono(r->expires));
	atomic_store_explicit(&b->next, next, memory_order_relaxed);
}

/* Lock the tree that T belongs to. Interrupts off. */
static struct timer_base *lock_base(struct timer *t)
{
	for (;;) {
		u32 cpu = atomic_load_explicit(&t->base, memory_order_relaxed);
		struct timer_base *b = base_of(cpu);

		spin_lock(&b->lock);
		/* Acquire: pairs with the release in timer_set_slack(), for what was done to T under the
		 * other lock. */
		if (likely(atomic_load_explicit(&t->base, memory_order_acquire) == cpu))
			return b;
		spin_unlock(&b->lock);
	}
}

static bool armed(struct timer *t)
{
	return atomic_load_explicit(&t->cpu, memory_order_relaxed) != 0;
}

static void disarm(struct timer_base *b, struct timer *t)
{
	rb_erase(tree_of(b, t), &t->node, NULL);
	atomic_store_explicit(&t->cpu, 0, memory_order_relaxed);
}

void timer_set_slack(struct timer *t, u64 due, u64 slack, bool realtime)
{
	u64 flags = arch_irq_save();
	u32 self = cpu_id();
	struct timer_base *b;

	for (;;) {
		b = lock_base(t);
		if (armed(t))
			disarm(b, t);
		/* A running callback keeps its timer on its CPU, so that cancel finds both in one place. */
		if (b == base_of(self) || b->running == t)
			break;
		atomic_store_explicit(&t->base, self, memory_order_release);
		spin_unlock(&b->lock);
	}
	slack = min(slack, SCHED_NEVER - due);
	t->slack = slack ? (u8)log2_floor(slack) : 0;
	t->expires = t->slack ? due + BIT(t->slack) : due;
	t->realtime = realtime;
	atomic_store_explicit(&t->cpu, (int)atomic_load_explicit(&t->base, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	insert(b, t);
	spin_unlock(&b->lock);
	/* On another CPU's tree: that CPU is in timer_run() and arms its hardware when it leaves. */
	if (b == base_of(self))
		timer_program(this_rq());
	arch_irq_restore(flags);
}

void timer_set(struct timer *t, u64 expires)
{
	timer_set_slack(t, expires, 0, false);
}

void timer_set_realtime(struct timer *t, u64 expires)
{
	timer_set_slack(t, expires, 0, true);
}

int timer_try_cancel(struct timer *t)
{
	u64 flags = arch_irq_save();
	struct timer_base *b = lock_base(t);
	int ret = 0;

	if (armed(t)) {
		disarm(b, t);
		ret = 1;
	} else if (b->running == t) {
		ret = -1;
	}
	spin_unlock(&b->lock);
	arch_irq_restore(flags);
	return ret;
}

bool timer_cancel(struct timer *t)
{
	int ret;

	while ((ret = timer_try_cancel(t)) < 0)
		cpu_relax();
	return ret;
}

void timer_program(struct runqueue *rq)
{
	struct timer_base *b = base_of(rq->cpu);
	u64 next = min(atomic_load_explicit(&b->next, memory_order_relaxed), rq->slice_end);

	if (next < b->armed && rq->timer_ready) {
		b->armed = next;
		arch_timer_set(next);
	}
}

static u64 due(struct timer *t)
{
	return t->slack ? t->expires - BIT(t->slack) : t->expires;
}

/* The next timer that is due, taken off its tree; NULL. */
static struct timer *take_due(struct timer_base *b, u64 now)
{
	struct timer *t = first(&b->mono);

	if (!t || due(t) > now) {
		t = first(&b->real);
		if (!t || due(t) > clock_realtime())
			return NULL;
	}
	disarm(b, t);
	return t;
}

void timer_run(unsigned cpu, u64 now)
{
	struct timer_base *b = base_of(cpu);
	struct timer *t;

	counter_inc(&timer_interrupts);
	b->armed = SCHED_NEVER;
	if (atomic_load_explicit(&b->next, memory_order_relaxed) > now) {
		if (this_rq()->slice_end > now)
			counter_inc(&timer_early_interrupts);
		return;
	}
	softirq_count(SOFTIRQ_TIMER);
	b->armed = 0; /* a callback that queues a thread must not arm the hardware for what is due now */
	spin_lock(&b->lock);
	for (unsigned n = 0; n < RUN_MAX && (t = take_due(b, now)); n++) {
		void (*fn)(struct timer *) = t->fn;

		b->running = t;
		spin_unlock(&b->lock);
		fn(t); /* may free T */
		spin_lock(&b->lock);
		b->running = NULL;
	}
	update_next(b);
	spin_unlock(&b->lock);
	b->armed = SCHED_NEVER;
}

/* On each CPU, in interrupt context: wall-clock timers may be due, or due at another time. */
static void rearm_after_step(void *arg)
{
	struct runqueue *rq = this_rq();
	struct timer_base *b = base_of(rq->cpu);

	atomic_store_explicit(&b->next, 0, memory_order_relaxed);
	timer_run(rq->cpu, clock_monotonic());
	timer_program(rq);
}

void clock_stepped(void)
{
	atomic_fetch_add_explicit(&clock_step_count, 1, memory_order_seq_cst);
	smp_call_all(rearm_after_step, NULL);
	waitq_wake_all(&clock_step_waitq);
}
