// SPDX-License-Identifier: BSD-2-Clause
/* Sending signals: from system calls, from other subsystems, from interrupt handlers.
 *
 * A signal goes into the queue of a thread or of the whole process, under the process's lock; then a thread
 * that does not block it is told to look (THREAD_SIGPENDING, a wake-up, an interrupt of its CPU).
 * THREAD_SIGPENDING is a hint that only the thread itself takes back, so that a call that returned
 * -ERESTARTSYS because of it always passes through signal_deliver(). A signal that will end the process does
 * so at once: every thread gets THREAD_EXITING, which also ends THREAD_KILLABLE sleeps. signal(7),
 * POSIX.1-2017 2.4. */
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/cmdline.h"
#include "kernel/counter.h"
#include "kernel/smp.h"
#include "ptrace.h"

DEFINE_COUNTER(signal_queue_full,
	       "signals refused or stripped of their siginfo: RLIMIT_SIGPENDING or no memory");
DEFINE_COUNTER(signals_sent, "signals queued");

void signal_kick(struct thread *t, u32 flag, u32 mask)
{
	thread_set_flag(t, flag);
	if (!thread_wake_state(t, mask) && t != current &&
	    atomic_load_explicit(&t->se.on_cpu, memory_order_relaxed))
		smp_send_reschedule(t->se.cpu);
}

/* Signals that T lets through; those that sigtimedwait waits for count as such. */
static sigset deliverable(const struct thread *t)
{
	return ~(t->sig.blocked & ~t->sig.waiting);
}

void signal_recalc(struct thread *t)
{
	struct process *p = t->proc;

	bool stop = p->stop_signal && !(ptrace_traced(t) && t->ptrace.stop_seen == p->stop_serial);

	if (t->sig.fault_signal || stop || p->cont_notify || t->ptrace.trap_pending ||
	    ((t->sig.pending.pending | p->shared_pending.pending) & deliverable(t)))
		thread_set_flag(t, THREAD_SIGPENDING);
	else if (t == current)
		thread_clear_flag(t, THREAD_SIGPENDING);
}

bool thread_signal_interrupts(enum thread_state state)
{
	switch (state) {
	case THREAD_INTERRUPTIBLE:
		return signal_pending(current);
	case THREAD_KILLABLE:
		return thread_test_flag(current, THREAD_EXITING);
	default:
		return false;
	}
}

bool fatal_signal_pending(struct thread *t)
{
	return thread_test_flag(t, THREAD_EXITING);
}

void process_kill_locked(struct process *p, int status)
{
	struct thread *t;

	if (p->group_exit)
		return;
	p->group_exit = true;
	p->exit_code = status;
	list_for_each_entry (t, &p->threads, proc_node)
		signal_kick(t, THREAD_EXITING,
			    1u << THREAD_INTERRUPTIBLE | 1u << THREAD_KILLABLE | 1u << THREAD_STOPPED);
}

void signal_flush(struct process *p, struct sigqueue_list *l, sigset set)
{
	p->nqueued -= sigqueue_drop(l, set);
}

static void flush_everywhere(struct process *p, sigset set)
{
	struct thread *t;

	signal_flush(p, &p->shared_pending, set);
	list_for_each_entry (t, &p->threads, proc_node)
		signal_flush(p, &t->sig.pending, set);
}

/* The agent as init outlives what the runtime does: others cannot end or stop it with a signal that it does
 * not catch. A program that `init=` named is an ordinary process. */
static bool init_is_protected(struct process *p, const siginfo_t *info)
{
	bool user =
		info && (info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL);

	return user && p == init_process && (u32)info->si_pid != p->pid && !cmdline_get("init");
}

static bool ignored(struct process *p, struct thread *t, int sig, const siginfo_t *info)
{
	u64 handler = sighand_action(p->sighand, sig).handler;

	if (handler == SIG_HANDLER_DEFAULT && init_is_protected(p, info))
		return true;
	if (ptrace_traced(t))
		return false; /* the tracer wants to hear of it */
	if (t->sig.blocked & SIGMASK(sig))
		return false; /* its action may have changed by the time it is unblocked */
	return handler == SIG_HANDLER_IGNORE ||
	       (handler == SIG_HANDLER_DEFAULT && (SIGMASK(sig) & SIGMASK_IGNORED));
}

static bool ends_process(struct process *p, int sig)
{
	return sighand_action(p->sighand, sig).handler == SIG_HANDLER_DEFAULT &&
	       !(SIGMASK(sig) & (SIGMASK_IGNORED | SIGMASK_STOP));
}

/* Would T be the one to take SIG? One that has other signals to handle anyway needs no telling. */
static bool wants(struct thread *t, int sig)
{
	if (t->sig.leaving || !(deliverable(t) & SIGMASK(sig)) || thread_test_flag(t, THREAD_EXITING))
		return false;
	return sig == SIGKILL || t == current || !thread_test_flag(t, THREAD_SIGPENDING);
}

static struct thread *choose(struct process *p, struct thread *t, int sig)
{
	if (t)
		return wants(t, sig) ? t : NULL;
	if (p->leader && wants(p->leader, sig))
		return p->leader;
	list_for_each_entry (t, &p->threads, proc_node)
		if (wants(t, sig))
			return t;
	return NULL;
}

/* Tell a thread of SIG, just queued. Process lock held. */
static void tell(struct process *p, struct thread *t, int sig)
{
	t = choose(p, t, sig);
	if (!t)
		return;
	/* Those that dump core are left for a thread to take, and so is what a tracer is to see. */
	if (ends_process(p, sig) && !(t->sig.blocked & SIGMASK(sig)) && !(SIGMASK(sig) & SIGMASK_CORE) &&
	    !ptrace_traced(t))
		process_kill_locked(p, sig);
	else
		signal_kick(t, THREAD_SIGPENDING, 1u << THREAD_INTERRUPTIBLE);
}

void signal_retarget(struct thread *from, sigset set)
{
	struct process *p = from->proc;
	struct thread *t;

	set &= p->shared_pending.pending;
	if (!set)
		return;
	list_for_each_entry (t, &p->threads, proc_node) {
		if (t == from || t->sig.leaving || !(set & deliverable(t)))
			continue;
		set &= ~deliverable(t);
		signal_kick(t, THREAD_SIGPENDING, 1u << THREAD_INTERRUPTIBLE);
		if (!set)
			return;
	}
}

static bool from_sigqueue(const siginfo_t *info)
{
	return info && info->si_code < 0;
}

/* Queue SIG with *ENTRY (set to NULL when the queue took it). 1 queued, 0 dropped, -EAGAIN. Process lock
 * held. */
static int enqueue(struct process *p, struct thread *t, int sig, const siginfo_t *info,
		   struct sigqueue **entry)
{
	struct sigqueue_list *l = t ? &t->sig.pending : &p->shared_pending;
	struct sigqueue *e = *entry;

	if (sig < SIG_RT_MIN && (l->pending & SIGMASK(sig)))
		return 0;
	if (e && p->nqueued >= p->rlim[RLIMIT_SIGPENDING].rlim_cur &&
	    (sig >= SIG_RT_MIN || from_sigqueue(info)))
		e = NULL;
	if (!e) {
		counter_inc(&signal_queue_full);
		if (sig >= SIG_RT_MIN && info && info->si_code != SI_USER)
			return -EAGAIN;
	} else {
		if (info)
			e->info = *info;
		else
			siginfo_fill(&e->info, sig, SI_KERNEL, 0, 0);
		e->info.si_signo = sig;
		p->nqueued++;
		*entry = NULL;
	}
	sigqueue_add(l, sig, e);
	return 1;
}

static int send_locked(struct process *p, struct thread *t, int sig, const siginfo_t *info,
		       struct sigqueue **entry)
{
	int ret;

	if (!p->sighand || p->group_exit || (t && t->sig.leaving))
		return 0;
	if (SIGMASK(sig) & SIGMASK_STOP) {
		flush_everywhere(p, SIGMASK(SIGCONT));
	} else if (sig == SIGCONT) {
		flush_everywhere(p, SIGMASK_STOP);
		signal_stop_continue(p);
	}
	if (ignored(p, t ? t : p->leader, sig, info))
		return 0;
	if (sig == SIGKILL) {
		process_kill_locked(p, SIGKILL);
		return 1;
	}
	ret = enqueue(p, t, sig, info, entry);
	if (ret > 0)
		tell(p, t, sig);
	return ret;
}

/* 1, 0 when it is ignored, or -errno. */
static int send(struct process *p, struct thread *t, int sig, const siginfo_t *info)
{
	struct sigqueue *entry = NULL;
	u64 flags;
	int ret;

	if (sig != SIGKILL)
		entry = kmalloc(sizeof(*entry));
	flags = spin_lock_irqsave(&p->lock);
	ret = send_locked(p, t, sig, info, &entry);
	spin_unlock_irqrestore(&p->lock, flags);
	kfree(entry);
	if (ret <= 0)
		return ret;
	counter_inc(&signals_sent);
	if (waitq_active(&p->signalfd_wait))
		waitq_wake(&p->signalfd_wait, ~0u, EPOLLIN);
	return 1;
}

int signal_send_process(struct process *p, int sig, const siginfo_t *info)
{
	return signal_valid(sig) ? min(send(p, NULL, sig, info), 0) : -EINVAL;
}

int signal_send_thread(struct thread *t, int sig, const siginfo_t *info)
{
	return signal_valid(sig) ? min(send(t->proc, t, sig, info), 0) : -EINVAL;
}

bool signal_send_timer(struct process *p, struct thread *t, int sig, const siginfo_t *info)
{
	return signal_valid(sig) && send(p, t, sig, info) > 0;
}

void signal_sigpipe(void)
{
	siginfo_t info;

	siginfo_fill(&info, SIGPIPE, SI_USER, (int)current->proc->pid, current_cred()->uid);
	signal_send_thread(current, SIGPIPE, &info);
}

bool signal_timer_pending(struct process *p, struct thread *t, int sig, int id)
{
	u64 flags = spin_lock_irqsave(&p->lock);
	struct sigqueue_list *l = t ? &t->sig.pending : &p->shared_pending;
	bool pending = id < 0 ? l->pending & SIGMASK(sig) : sigqueue_find(l, sig, SI_TIMER, id) != NULL;

	spin_unlock_irqrestore(&p->lock, flags);
	return pending;
}
