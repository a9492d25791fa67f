// SPDX-License-Identifier: BSD-2-Clause
/* Delivery: on its way back to the application a thread with work flags comes here, takes its signals one by
 * one, and acts on them: nothing, stop, end the process, or enter a handler on a new frame. Several handlers
 * stack up: the last one set up runs first, as on Linux. The interrupted system call is restarted or ends in
 * EINTR here, once. signal(7). */
#include "arch/syscall.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "coredump.h"

DEFINE_COUNTER(signals_handled, "signal handlers entered");
DEFINE_COUNTER(signal_frame_failed, "signal frames that did not fit on the application's stack");

/* Take one signal of SET off L with its siginfo. Process lock held. */
static int take_from(struct process *p, struct sigqueue_list *l, sigset set, siginfo_t *info)
{
	int sig = sigqueue_next(l, set);
	struct sigqueue *e;

	if (!sig)
		return 0;
	e = sigqueue_take(l, sig);
	if (e) {
		*info = e->info;
		p->nqueued--;
		kfree(e);
	} else {
		siginfo_fill(info, sig, SI_USER, 0, 0);
	}
	return sig;
}

int signal_take(struct thread *t, sigset set, siginfo_t *info)
{
	int sig = take_from(t->proc, &t->sig.pending, set, info);

	return sig ? sig : take_from(t->proc, &t->proc->shared_pending, set, info);
}

int signal_dequeue(sigset mask, siginfo_t *info)
{
	u64 flags = spin_lock_irqsave(&current->proc->lock);
	int sig = signal_take(current, mask & ~SIGMASK_UNBLOCKABLE, info);

	if (sig)
		signal_recalc(current);
	spin_unlock_irqrestore(&current->proc->lock, flags);
	if (sig && info->si_code == SI_TIMER)
		posix_timer_signal_taken(info);
	return sig;
}

sigset signal_pending_set(void)
{
	return READ_ONCE(current->sig.pending.pending) | READ_ONCE(current->proc->shared_pending.pending);
}

static void set_blocked_locked(struct thread *t, sigset mask)
{
	sigset newly = mask & ~t->sig.blocked;

	t->sig.blocked = mask & ~SIGMASK_UNBLOCKABLE;
	if (newly)
		signal_retarget(t, newly);
	signal_recalc(t);
}

void signal_set_blocked(sigset mask)
{
	struct thread *t = current;
	u64 flags;

	mask &= ~SIGMASK_UNBLOCKABLE;
	if (mask == t->sig.blocked)
		return;
	flags = spin_lock_irqsave(&t->proc->lock);
	set_blocked_locked(t, mask);
	spin_unlock_irqrestore(&t->proc->lock, flags);
}

int signal_set_temporary_mask(const sigset __app *mask, size_t sigsetsize)
{
	sigset m;

	if (!mask)
		return 0;
	if (sigsetsize != sizeof(sigset))
		return -EINVAL;
	if (get_app(m, mask))
		return -EFAULT;
	current->sig.saved_mask = current->sig.blocked;
	thread_set_flag(current, THREAD_RESTORE_MASK);
	signal_set_blocked(m);
	return 0;
}

static void restore_saved_mask(struct thread *t)
{
	if (!thread_test_flag(t, THREAD_RESTORE_MASK))
		return;
	thread_clear_flag(t, THREAD_RESTORE_MASK);
	signal_set_blocked(t->sig.saved_mask);
}

static bool is_restart_code(long result)
{
	return result == -ERESTARTSYS || result == -ERESTARTNOINTR || result == -ERESTARTNOHAND ||
	       result == -ERESTART_RESTARTBLOCK;
}

/* A handler with FLAGS is about to run: the interrupted call ends in EINTR, or will be made again after it.
 */
static void settle_syscall_for_handler(struct regs *regs, u64 flags)
{
	long result = regs_result(regs);

	if (!regs_in_syscall(regs))
		return;
	if (result == -ERESTARTNOINTR || (result == -ERESTARTSYS && (flags & SA_RESTART)))
		regs_restart_syscall(regs, regs_syscall_number(regs));
	else if (is_restart_code(result))
		regs_set_result(regs, -EINTR);
	regs_leave_syscall(regs);
}

/* No handler ran: the call is made again as if nothing had happened. */
static void settle_syscall(struct regs *regs)
{
	long result = regs_result(regs);

	if (!regs_in_syscall(regs))
		return;
	if (result == -ERESTART_RESTARTBLOCK)
		regs_restart_syscall(regs, __NR_restart_syscall);
	else if (is_restart_code(result))
		regs_restart_syscall(regs, regs_syscall_number(regs));
	else
		return;
	regs_leave_syscall(regs);
}

struct delivery {
	int sig;
	bool fault; /* raised by the thread's own instruction */
	siginfo_t info;
	struct signal_action action;
};

static bool is_ignored(const struct delivery *d)
{
	return d->action.handler == SIG_HANDLER_IGNORE ||
	       (d->action.handler == SIG_HANDLER_DEFAULT && SIGMASK(d->sig) & SIGMASK_IGNORED);
}

/* The next signal that has an effect: its action is copied, and reset for SA_RESETHAND. False: none is left.
 */
static bool next_delivery(struct thread *t, struct delivery *d)
{
	struct process *p = t->proc;
	u64 flags = spin_lock_irqsave(&p->lock);

	for (;;) {
		struct signal_action *a;

		d->fault = t->sig.fault_signal;
		if (d->fault) {
			d->sig = t->sig.fault_signal;
			siginfo_fill(&d->info, d->sig, t->sig.fault_code, 0, 0);
			d->info.si_addr = (void *)t->sig.fault_addr;
			if (d->sig == SIGSYS) { /* where si_addr is, there is its si_call_addr */
				d->info.si_errno = t->sig.fault_errno;
				d->info.si_syscall = t->sig.fault_syscall;
				d->info.si_arch = AUDIT_ARCH_NATIVE;
			}
			t->sig.fault_signal = 0;
		} else {
			d->sig = signal_take(t, ~t->sig.blocked, &d->info);
		}
		if (!d->sig)
			break;
		if (ptrace_traced(t)) {
			signal_recalc(t);
			spin_unlock_irqrestore(&p->lock, flags);
			d->sig = ptrace_signal(d->sig, &d->info);
			flags = spin_lock_irqsave(&p->lock);
			if (thread_test_flag(t, THREAD_EXITING)) {
				d->sig = 0;
				break;
			}
			if (!d->sig)
				continue;
		}
		a = &p->sighand->action[d->sig - 1];
		spin_lock(&p->sighand->lock);
		d->action = *a;
		if (a->handler > SIG_HANDLER_IGNORE && (a->flags & SA_RESETHAND))
			a->handler = SIG_HANDLER_DEFAULT;
		spin_unlock(&p->sighand->lock);
		if (!is_ignored(d))
			break;
		if (d->info.si_code == SI_TIMER) { /* its overruns count all the same */
			spin_unlock_irqrestore(&p->lock, flags);
			posix_timer_signal_taken(&d->info);
			flags = spin_lock_irqsave(&p->lock);
		}
	}
	signal_recalc(t);
	spin_unlock_irqrestore(&p->lock, flags);
	if (d->sig && d->info.si_code == SI_TIMER)
		posix_timer_signal_taken(&d->info);
	return d->sig;
}

static void default_action(const struct delivery *d)
{
	struct process *p = current->proc;
	int sig = d->sig;
	u64 flags;

	if (!(SIGMASK(sig) & SIGMASK_STOP)) {
		if (d->fault)
			fault_line(sig, d->info.si_code, (u64)d->info.si_addr);
		ptrace_event(PTRACE_EVENT_EXIT, (u64)sig);
		if (SIGMASK(sig) & SIGMASK_CORE && coredump(sig, &d->info))
			thread_exit(p->exit_code);
		process_exit_group(sig);
	}
	if (sig != SIGSTOP && session_orphaned_group(p))
		return; /* nobody is left who could continue it: POSIX.1 2.4.3 */
	flags = spin_lock_irqsave(&p->lock);
	signal_stop_begin(p, sig);
	spin_unlock_irqrestore(&p->lock, flags);
}

static void enter_handler(struct regs *regs, struct delivery *d)
{
	struct thread *t = current;
	bool stepping = t->ptrace.stepping;
	sigset old = thread_test_flag(t, THREAD_RESTORE_MASK) ? t->sig.saved_mask : t->sig.blocked;
	sigset mask = t->sig.blocked | d->action.mask;

	settle_syscall_for_handler(regs, d->action.flags);
	if (unlikely(stepping))
		arch_ptrace_step(t, false); /* the handler is not to return into a step */
	if (arch_signal_frame(regs, d->sig, &d->action, &d->info, old)) {
		counter_inc(&signal_frame_failed);
		if (d->sig == SIGSEGV)
			signal_fault_fatal(SIGSEGV, SI_KERNEL, 0);
		signal_force_fault(SIGSEGV, SI_KERNEL, 0);
		return;
	}
	counter_inc(&signals_handled);
	thread_clear_flag(t, THREAD_RESTORE_MASK);
	if (!(d->action.flags & SA_NODEFER))
		mask |= SIGMASK(d->sig);
	signal_set_blocked(mask);
	if (unlikely(stepping))
		ptrace_handler_entered();
}

void signal_deliver(struct regs *regs)
{
	struct thread *t = current;
	struct delivery d;

	/* The temporary mask of ppoll and its like holds while the call is interrupted, not once it
	 * succeeded. */
	if (thread_test_flag(t, THREAD_RESTORE_MASK) && regs_in_syscall(regs) &&
	    regs_result(regs) != -EINTR && !is_restart_code(regs_result(regs)))
		restore_saved_mask(t);
	for (;;) {
		if (thread_test_flag(t, THREAD_EXITING))
			thread_exit(t->proc->exit_code);
		if (signal_do_stop())
			continue;
		if (next_delivery(t, &d)) {
			if (unlikely(thread_test_flag(t, THREAD_TRACE)))
				trace_signal(&d.info);
			if (d.action.handler == SIG_HANDLER_DEFAULT)
				default_action(&d);
			else
				enter_handler(regs, &d);
			continue;
		}
		settle_syscall(regs);
		if (!thread_test_flag(t, THREAD_RESTORE_MASK))
			return;
		restore_saved_mask(t); /* may let signals through */
	}
}
