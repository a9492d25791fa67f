// SPDX-License-Identifier: BSD-2-Clause
/* Interval timers that end in a signal.
 *
 * A timer of a wall or monotonic clock is a kernel timer. One of a CPU clock is looked at from time to time:
 * the clock cannot reach its goal sooner than what is left divided by the number of CPUs, so a kernel timer
 * comes back then; while the process does not run, it comes less often.
 *
 * At most one signal of a timer is pending; what expires meanwhile counts as overruns. While it is pending
 * nothing more can happen, so the kernel timer comes seldom, only to see whether the signal was thrown away;
 * whoever takes the signal has the overruns counted up to that moment and the timer goes on
 * (posix_timer_signal_taken). setitimer's signals do not tell where they come from: they are looked for more
 * often. A tiny interval is slowed likewise: `expires` stays the next expiration, the timer comes later, and
 * counts all that passed.
 *
 * Lock order: posix_timers.lock, then process.lock. The callback takes both, so nobody cancels with
 * timer_cancel() under them: timer_try_cancel(), and again. */
#include "ptimer.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"

#define REARM_MIN	    (20 * NSEC_PER_USEC)
#define REARM_PENDING_PLAIN (1 * NSEC_PER_MSEC)
#define REARM_PENDING	    (100 * NSEC_PER_MSEC)

DEFINE_COUNTER(timer_signals, "signals sent by interval timers");
DEFINE_COUNTER(timer_overruns, "expirations merged into a signal that was pending");

static u64 now_of(struct ptimer *t)
{
	if (t->kind == CLOCK_KIND_CPU)
		return cpu_clock_read(t->cpu, t->clock_thread, t->process);
	if (t->kind == CLOCK_KIND_REAL && !t->relative_real)
		return clock_realtime() + t->offset;
	return clock_monotonic() + (t->kind == CLOCK_KIND_MONO ? t->offset : 0);
}

/* Come back when T expires, but not before FLOOR; both by T's clock. */
static void start(struct ptimer *t, u64 floor)
{
	u64 now, when = max(t->expires, floor);

	t->armed = true;
	if (!t->signal)
		return; /* nobody is told: timer_gettime computes */
	if (t->kind == CLOCK_KIND_CPU) {
		now = now_of(t);
		when = cpu_clock_next_look(when > now ? when - now : 0, now != t->last_look, &t->idle_looks);
		t->last_look = now;
		timer_set(&t->timer, when);
	} else if (t->kind == CLOCK_KIND_REAL && !t->relative_real) {
		timer_set_realtime(&t->timer, when > t->offset ? when - t->offset : 0);
	} else {
		timer_set(&t->timer,
			  t->kind == CLOCK_KIND_MONO && when > t->offset ? when - t->offset : when);
	}
}

static bool signal_is_pending(struct ptimer *t)
{
	return signal_timer_pending(t->all->owner, t->target, t->signal, t->plain ? -1 : t->id);
}

/* Has the signal that was sent last been delivered since? Then its overruns are final. */
static void settle(struct ptimer *t)
{
	if (!t->queued || signal_is_pending(t))
		return;
	t->queued = false;
	t->delivered_overrun = t->overrun;
	t->overrun = 0;
}

static void send_signal(struct ptimer *t, u64 periods)
{
	siginfo_t info = {.si_signo = t->signal, .si_code = SI_TIMER};

	settle(t);
	if (t->queued) {
		t->overrun += periods;
		counter_add(&timer_overruns, periods);
		return;
	}
	t->overrun += periods - 1;
	info.si_tid = t->id;
	info.si_overrun = (int)min(t->overrun, 0x7fffffffull);
	info.si_value = t->value;
	counter_inc(&timer_signals);
	t->queued =
		signal_send_timer(t->all->owner, t->target, t->signal, !t->target && t->plain ? NULL : &info);
	if (!t->queued)
		t->overrun++; /* ignored: counted with the next that is not */
}

/* Interrupt context. */
static void expire(struct timer *timer)
{
	struct ptimer *t = container_of(timer, struct ptimer, timer);
	u64 now, periods = 1;
	bool pending;

	spin_lock(&t->all->lock);
	if (!t->armed)
		goto out;
	now = now_of(t);
	if (now < t->expires) {
		start(t, 0); /* a CPU clock that is not there yet, or a wall clock set back */
		goto out;
	}
	if (t->interval) {
		periods += (now - t->expires) / t->interval;
		pending = t->queued;
		t->expires += periods * t->interval;
		send_signal(t, periods);
		pending = pending && t->queued && t->overrun;
		start(t, now + (!pending ? REARM_MIN : t->plain ? REARM_PENDING_PLAIN : REARM_PENDING));
	} else {
		t->armed = false;
		send_signal(t, 1);
	}
out:
	spin_unlock(&t->all->lock);
}

void ptimer_init(struct ptimer *t, struct posix_timers *all)
{
	timer_init(&t->timer, expire);
	list_init(&t->node);
	t->all = all;
}

bool ptimer_set(struct ptimer *t, const struct itimer_ns *new, bool absolute)
{
	if (timer_try_cancel(&t->timer) < 0)
		return false;
	t->armed = false;
	/* Of a timer that is switched off only a CPU clock's keeps its interval, as on Linux. */
	t->interval = new->value || t->kind == CLOCK_KIND_CPU ? new->interval : 0;
	t->idle_looks = 0;
	settle(t);
	t->overrun = 0;
	if (!new->value)
		return true;
	t->relative_real = t->kind == CLOCK_KIND_REAL && !absolute;
	t->expires = absolute ? new->value : ns_add(now_of(t), new->value);
	start(t, 0);
	return true;
}

void ptimer_taken(struct ptimer *t, siginfo_t *info)
{
	u64 now = now_of(t), periods;

	if (!t->queued || t->signal != info->si_signo || signal_is_pending(t))
		return;
	if (t->armed && t->interval) {
		if (now >= t->expires) {
			periods = (now - t->expires) / t->interval + 1;
			t->overrun += periods;
			t->expires += periods * t->interval;
		}
		start(t, now + REARM_MIN);
	}
	settle(t);
	info->si_overrun = (int)min(t->delivered_overrun, 0x7fffffffull);
}

void ptimer_left(struct ptimer *t, struct itimer_ns *out)
{
	u64 now;

	*out = (struct itimer_ns){.interval = t->interval};
	if (!t->armed)
		return;
	now = now_of(t);
	if (t->expires > now) {
		out->value = t->expires - now;
	} else if (t->interval) {
		out->value = t->interval - (now - t->expires) % t->interval;
	} else {
		/* Due and about to fire: not yet "0, disarmed". Without a signal it has expired. */
		out->value = t->signal ? 1 : 0;
	}
}

u64 ptimer_overrun(struct ptimer *t)
{
	settle(t);
	return t->delivered_overrun;
}

/* Of setitimer(2): the real timer is monotonic, the others are the process's CPU clocks. */
static void init_itimers(struct posix_timers *all)
{
	static const int signals[3] = {SIGALRM, SIGVTALRM, SIGPROF};

	for (unsigned i = 0; i < 3; i++) {
		struct ptimer *t = &all->itimer[i];

		ptimer_init(t, all);
		t->kind = i ? CLOCK_KIND_CPU : CLOCK_KIND_MONO;
		t->cpu = i == 1 ? CPU_CLOCK_VIRT : CPU_CLOCK_PROF;
		t->process = all->owner;
		t->signal = signals[i];
		t->plain = true;
	}
}

struct posix_timers *ptimers_get(void)
{
	return ptimers_of(current->proc);
}

struct posix_timers *ptimers_of(struct process *p)
{
	struct posix_timers *all =
		atomic_load_explicit((_Atomic(struct posix_timers *) *)&p->timers, memory_order_acquire);
	struct posix_timers *none = NULL;

	if (all)
		return all;
	all = kzalloc(sizeof *all);
	if (!all)
		return NULL;
	all->owner = p;
	list_init(&all->list);
	init_itimers(all);
	timer_init(&all->cpu_limit, cpu_limit_check);
	if (!atomic_compare_exchange_strong_explicit((_Atomic(struct posix_timers *) *)&p->timers, &none, all,
						     memory_order_acq_rel, memory_order_acquire)) {
		kfree(all); /* another thread was first */
		all = none;
	}
	return all;
}
