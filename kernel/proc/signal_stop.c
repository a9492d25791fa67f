// SPDX-License-Identifier: BSD-2-Clause
/* Job control. A stop signal whose action is the default sets process.stop_signal and tells every thread;
 * each parks in signal_do_stop(), and the last one to do so completes the stop and tells the parent. SIGCONT,
 * when it is sent, clears stop_signal and wakes them; the first to run tells the parent, because the sender
 * may be an interrupt handler, which may not look at the process tree. POSIX.1-2017 2.4.3, waitpid(2). */
#include "kernel/counter.h"
#include "ptrace.h"

void signal_stop_begin(struct process *p, int sig)
{
	struct thread *t;

	if (p->stop_signal || p->group_exit)
		return;
	p->stop_signal = (u8)sig;
	p->stop_serial++;
	p->nstopped = 0;
	list_for_each_entry (t, &p->threads, proc_node)
		signal_kick(t, THREAD_SIGPENDING, 1u << THREAD_INTERRUPTIBLE);
}

/* Has the last thread that had to stop done so? Process lock held. */
static bool stop_completed(struct process *p)
{
	if (!p->stop_signal || p->stopped || !p->nthreads || p->nstopped < p->nthreads)
		return false;
	p->stopped = true;
	p->stop_report = true;
	p->cont_report = false;
	return true;
}

bool signal_stop_thread_left(struct process *p)
{
	return stop_completed(p);
}

void signal_stop_continue(struct process *p)
{
	struct thread *t;

	if (!p->stop_signal)
		return;
	p->stop_signal = 0;
	p->nstopped = 0;
	if (p->stopped) {
		p->stopped = false;
		p->stop_report = false;
		p->cont_report = true;
		p->cont_notify = true;
	}
	list_for_each_entry (t, &p->threads, proc_node) {
		if (t->ptrace.listening) {
			t->ptrace.trap_pending = true; /* the tracer hears that the group goes on */
			t->ptrace.stopped = t->ptrace.listening = false;
		}
		signal_kick(t, THREAD_SIGPENDING, 1u << THREAD_STOPPED);
	}
}

void signal_stop_notify(struct process *p)
{
	spin_lock(&process_tree_lock);
	notify_parent(p, CLD_STOPPED, p->stop_signal);
	spin_unlock(&process_tree_lock);
}

static bool take_continue_notice(struct process *p)
{
	u64 flags;
	bool mine;

	if (!READ_ONCE(p->cont_notify))
		return false;
	flags = spin_lock_irqsave(&p->lock);
	mine = p->cont_notify;
	p->cont_notify = false;
	spin_unlock_irqrestore(&p->lock, flags);
	return mine;
}

bool signal_do_stop(void)
{
	struct process *p = current->proc;
	bool completed;
	u64 flags;
	int sig;

	if (take_continue_notice(p)) {
		spin_lock(&process_tree_lock);
		notify_parent(p, CLD_CONTINUED, SIGCONT);
		spin_unlock(&process_tree_lock);
	}
	if (ptrace_trap_stop())
		return true;
	if (likely(!READ_ONCE(p->stop_signal)))
		return false;
	if (ptrace_traced(current) && current->ptrace.stop_seen == p->stop_serial)
		return false; /* its tracer let it go on */
	flags = spin_lock_irqsave(&p->lock);
	if (!p->stop_signal || p->group_exit || thread_test_flag(current, THREAD_EXITING)) {
		spin_unlock_irqrestore(&p->lock, flags);
		return false;
	}
	p->nstopped++;
	completed = stop_completed(p);
	spin_unlock_irqrestore(&p->lock, flags);
	if (completed)
		signal_stop_notify(p);
	for (;;) {
		thread_set_state(THREAD_STOPPED);
		sig = READ_ONCE(p->stop_signal);
		if (!sig || thread_test_flag(current, THREAD_EXITING) || ptrace_traced(current))
			break;
		schedule();
	}
	thread_set_state(THREAD_RUNNING);
	if (sig && ptrace_traced(current))
		ptrace_group_stop(sig);
	return true;
}
