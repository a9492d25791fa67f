// SPDX-License-Identifier: BSD-2-Clause
/* timer_create(2) and its relatives, and what becomes of timers in exec and exit. */
#include "ptimer.h"
#include "../proc/proc.h"
#include "kernel/alloc.h"

#define TIMERS_MAX 65536 /* a process's; RLIMIT_SIGPENDING bounds it further */

static void ptimer_free(struct ptimer *t)
{
	timer_cancel(&t->timer); /* off the list, not armed: nobody re-arms it */
	if (t->target)
		thread_put(t->target);
	if (t->clock_thread)
		thread_put(t->clock_thread);
	if (t->process)
		process_put(t->process);
	kfree(t);
}

static struct ptimer *find(struct posix_timers *all, int id)
{
	struct ptimer *t;

	list_for_each_entry (t, &all->list, node)
		if (t->id == id)
			return t;
	return NULL;
}

/* Lock the current process's timers and find ID. NULL, unlocked: EINVAL. */
static struct ptimer *lock_timer(int id, u64 *flags)
{
	struct posix_timers *all = current->proc->timers;
	struct ptimer *t;

	if (!all)
		return NULL;
	*flags = spin_lock_irqsave(&all->lock);
	t = find(all, id);
	if (!t)
		spin_unlock_irqrestore(&all->lock, *flags);
	return t;
}

static void unlock_timer(struct ptimer *t, u64 flags)
{
	spin_unlock_irqrestore(&t->all->lock, flags);
}

/* Fill in who is told, and how. */
static int set_event(struct ptimer *t, const sigevent_t *ev)
{
	if (ev->sigev_notify == SIGEV_NONE)
		return 0;
	if (ev->sigev_notify & ~(SIGEV_THREAD | SIGEV_THREAD_ID))
		return -EINVAL;
	if (ev->sigev_signo < 1 || ev->sigev_signo > 64)
		return -EINVAL;
	t->signal = ev->sigev_signo;
	if (!(ev->sigev_notify & SIGEV_THREAD_ID))
		return 0;
	t->target = thread_find((u32)ev->sigev_notify_thread_id);
	return t->target && t->target->proc == current->proc ? 0 : -EINVAL;
}

static int set_clock(struct ptimer *t, int id)
{
	struct clock c;
	int err = clock_get(id, &c);

	if (err)
		return err;
	t->kind = c.kind;
	t->cpu = c.cpu;
	t->offset = c.offset;
	t->clock_thread = c.thread; /* the references are ours now */
	t->process = c.process;
	if (!c.sleeps)
		return -EOPNOTSUPP;
	return c.alarm && !process_capable(CAP_WAKE_ALARM) ? -EPERM : 0;
}

static int add(struct posix_timers *all, struct ptimer *t)
{
	u64 flags = spin_lock_irqsave(&all->lock), limit = process_rlimit(RLIMIT_SIGPENDING), n = 0;
	struct ptimer *other;
	int err = 0;

	list_for_each_entry (other, &all->list, node)
		n++;
	if (n >= min(limit, (u64)TIMERS_MAX)) {
		err = -EAGAIN;
	} else {
		do
			t->id = all->next_id++ & 0x7fffffff;
		while (find(all, t->id));
		list_add_tail(&t->node, &all->list);
	}
	spin_unlock_irqrestore(&all->lock, flags);
	return err;
}

static void remove_timer(struct ptimer *t)
{
	u64 flags = spin_lock_irqsave(&t->all->lock);

	list_del_init(&t->node);
	t->armed = false;
	spin_unlock_irqrestore(&t->all->lock, flags);
	ptimer_free(t);
}

SYSCALL_DEFINE3(timer_create, int, clock, const sigevent_t __app *, event, int __app *, out)
{
	struct posix_timers *all = ptimers_get();
	sigevent_t ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	struct ptimer *t;
	int err;

	if (!all)
		return -EAGAIN;
	if (event && copy_from_app(&ev, event, sizeof ev))
		return -EFAULT;
	t = kzalloc(sizeof *t);
	if (!t)
		return -EAGAIN;
	ptimer_init(t, all);
	err = set_clock(t, clock);
	if (!err)
		err = set_event(t, &ev);
	if (!err)
		err = add(all, t);
	if (err) {
		ptimer_free(t);
		return err;
	}
	if (event)
		t->value = ev.sigev_value;
	else
		t->value.sival_int = t->id;
	if (copy_to_app(out, &t->id, sizeof t->id)) {
		remove_timer(t);
		return -EFAULT;
	}
	return 0;
}

static struct __kernel_itimerspec to_app(const struct itimer_ns *v)
{
	return (struct __kernel_itimerspec){.it_interval = ns_ts(v->interval), .it_value = ns_ts(v->value)};
}

SYSCALL_DEFINE2(timer_gettime, int, id, struct __kernel_itimerspec __app *, out)
{
	struct __kernel_itimerspec v;
	struct itimer_ns left;
	struct ptimer *t;
	u64 flags;

	t = lock_timer(id, &flags);
	if (!t)
		return -EINVAL;
	ptimer_left(t, &left);
	unlock_timer(t, flags);
	v = to_app(&left);
	return copy_to_app(out, &v, sizeof v);
}

SYSCALL_DEFINE4(timer_settime, int, id, int, how, const struct __kernel_itimerspec __app *, in,
		struct __kernel_itimerspec __app *, out)
{
	struct itimer_ns new, old;
	struct __kernel_itimerspec v;
	struct ptimer *t;
	bool done = false;
	u64 flags;

	if (!in)
		return -EINVAL;
	if (copy_from_app(&v, in, sizeof v))
		return -EFAULT;
	if (!ts_valid(&v.it_value) || !ts_valid(&v.it_interval))
		return -EINVAL;
	new = (struct itimer_ns){.value = ts_ns(&v.it_value), .interval = ts_ns(&v.it_interval)};
	while (!done) {
		t = lock_timer(id, &flags);
		if (!t)
			return -EINVAL;
		ptimer_left(t, &old);
		done = ptimer_set(t, &new, how & TIMER_ABSTIME);
		unlock_timer(t, flags);
		if (!done)
			cpu_relax();
	}
	if (!out)
		return 0;
	v = to_app(&old);
	return copy_to_app(out, &v, sizeof v);
}

SYSCALL_DEFINE1(timer_getoverrun, int, id)
{
	struct ptimer *t;
	u64 flags, n;

	t = lock_timer(id, &flags);
	if (!t)
		return -EINVAL;
	n = ptimer_overrun(t);
	unlock_timer(t, flags);
	return (long)min(n, 0x7fffffffull);
}

void posix_timer_signal_taken(siginfo_t *info)
{
	struct posix_timers *all = current->proc->timers;
	struct ptimer *t;
	u64 flags;

	if (!all)
		return;
	flags = spin_lock_irqsave(&all->lock);
	t = find(all, info->si_tid);
	if (t)
		ptimer_taken(t, info);
	spin_unlock_irqrestore(&all->lock, flags);
}

SYSCALL_DEFINE1(timer_delete, int, id)
{
	struct ptimer *t;
	u64 flags;

	t = lock_timer(id, &flags);
	if (!t)
		return -EINVAL;
	list_del_init(&t->node);
	t->armed = false;
	unlock_timer(t, flags);
	ptimer_free(t);
	return 0;
}

/* execve(2): the timers of timer_create go, those of setitimer stay. The process has one thread. */
void posix_timers_exec(struct process *p)
{
	while (p->timers && !list_empty(&p->timers->list))
		remove_timer(list_first_entry(&p->timers->list, struct ptimer, node));
}

/* The last thread of P is going. */
void posix_timers_exit(struct process *p)
{
	struct posix_timers *all = p->timers;

	if (!all)
		return;
	posix_timers_exec(p);
	for (unsigned i = 0; i < 3; i++) {
		u64 flags = spin_lock_irqsave(&all->lock);

		all->itimer[i].armed = false;
		spin_unlock_irqrestore(&all->lock, flags);
		timer_cancel(&all->itimer[i].timer);
	}
	timer_cancel(&all->cpu_limit);
	p->timers = NULL;
	kfree(all);
}
