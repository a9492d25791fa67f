// SPDX-License-Identifier: BSD-2-Clause
/* The system calls by which a thread looks after its own signals: sigaction(2), sigprocmask(2),
 * sigpending(2), sigsuspend(2), sigwaitinfo(2), sigaltstack(2), pause(2), restart_syscall(2). */
#include "arch/syscall.h"
#include "kernel/clock.h"
#include "kernel/syscall.h"
#include "proc.h"
#include <linux/signal.h>
#include <linux/time_types.h>

#define SA_KNOWN                                                                                          \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESETHAND | \
	 SA_RESTORER | SA_EXPOSE_TAGBITS)
#define ALTSTACK_MIN 2048 /* MINSIGSTKSZ of the ABI */

SYSCALL_DEFINE4(rt_sigaction, int, sig, const struct signal_action __app *, act, struct signal_action __app *,
		oldact, size_t, sigsetsize)
{
	struct process *p = current->proc;
	struct signal_action new, old;
	u64 flags;

	if (sigsetsize != sizeof(sigset))
		return -EINVAL;
	if (act && get_app(new, act))
		return -EFAULT;
	if (!signal_valid(sig) || (act && (SIGMASK(sig) & SIGMASK_UNBLOCKABLE)))
		return -EINVAL;
	flags = spin_lock_irqsave(&p->lock);
	spin_lock(&p->sighand->lock);
	old = p->sighand->action[sig - 1];
	if (act) {
		new.flags &=
			SA_KNOWN; /* unknown bits read back as zero: that is how programs probe for support */
		new.mask &= ~SIGMASK_UNBLOCKABLE;
		p->sighand->action[sig - 1] = new;
	}
	spin_unlock(&p->sighand->lock);
	if (act && (new.handler == SIG_HANDLER_IGNORE ||
		    (new.handler == SIG_HANDLER_DEFAULT && (SIGMASK(sig) & SIGMASK_IGNORED)))) {
		struct thread *t; /* POSIX.1 2.4.3: what is pending is discarded */

		signal_flush(p, &p->shared_pending, SIGMASK(sig));
		list_for_each_entry (t, &p->threads, proc_node)
			signal_flush(p, &t->sig.pending, SIGMASK(sig));
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return oldact ? copy_to_app(oldact, &old, sizeof(old)) : 0;
}

SYSCALL_DEFINE4(rt_sigprocmask, int, how, const sigset __app *, set, sigset __app *, oldset, size_t,
		sigsetsize)
{
	sigset old = current->sig.blocked, m;

	if (sigsetsize != sizeof(sigset))
		return -EINVAL;
	if (set) {
		if (get_app(m, set))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			signal_set_blocked(old | m);
			break;
		case SIG_UNBLOCK:
			signal_set_blocked(old & ~m);
			break;
		case SIG_SETMASK:
			signal_set_blocked(m);
			break;
		default:
			return -EINVAL;
		}
	}
	return oldset ? put_app(old, oldset) : 0;
}

SYSCALL_DEFINE2(rt_sigpending, sigset __app *, set, size_t, sigsetsize)
{
	sigset pending = signal_pending_set() & current->sig.blocked;

	if (sigsetsize > sizeof(sigset))
		return -EINVAL;
	return copy_to_app(set, &pending, sigsetsize);
}

static void sleep_for_signal(void)
{
	for (;;) {
		thread_set_state(THREAD_INTERRUPTIBLE);
		if (signal_pending(current))
			break;
		schedule();
	}
	thread_set_state(THREAD_RUNNING);
}

SYSCALL_DEFINE2(rt_sigsuspend, const sigset __app *, set, size_t, sigsetsize)
{
	int err;

	if (sigsetsize != sizeof(sigset))
		return -EINVAL;
	if (!set)
		return -EFAULT;
	err = signal_set_temporary_mask(set, sigsetsize);
	if (err)
		return err;
	sleep_for_signal();
	return -ERESTARTNOHAND;
}

SYSCALL_DEFINE0(pause)
{
	sleep_for_signal();
	return -ERESTARTNOHAND;
}

/* Wait for one of WANTED until DEADLINE; the signal, -EAGAIN or -EINTR. */
static int wait_for_signal(sigset wanted, u64 deadline, siginfo_t *info)
{
	struct thread *t = current;
	struct process *p = t->proc;
	bool in_time = true;
	u64 flags;
	int sig;

	flags = spin_lock_irqsave(&p->lock);
	sig = signal_take(t, wanted, info);
	if (!sig && deadline) {
		t->sig.waiting = wanted;
		signal_recalc(t);
		spin_unlock_irqrestore(&p->lock, flags);
		while (in_time) {
			thread_set_state(THREAD_INTERRUPTIBLE);
			if (signal_pending(t))
				break;
			in_time = schedule_until(deadline);
		}
		thread_set_state(THREAD_RUNNING);
		flags = spin_lock_irqsave(&p->lock);
		t->sig.waiting = 0;
		sig = signal_take(t, wanted, info);
	}
	signal_recalc(t);
	spin_unlock_irqrestore(&p->lock, flags);
	if (sig && info->si_code == SI_TIMER)
		posix_timer_signal_taken(info);
	if (sig)
		return sig;
	return deadline && in_time ? -EINTR : -EAGAIN;
}

SYSCALL_DEFINE4(rt_sigtimedwait, const sigset __app *, set, siginfo_t __app *, uinfo,
		const struct __kernel_timespec __app *, timeout, size_t, sigsetsize)
{
	struct __kernel_timespec ts;
	u64 deadline = WAIT_FOREVER;
	siginfo_t info;
	sigset wanted;
	int sig;

	if (sigsetsize != sizeof(sigset))
		return -EINVAL;
	if (get_app(wanted, set))
		return -EFAULT;
	if (timeout) {
		if (get_app(ts, timeout))
			return -EFAULT;
		if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC)
			return -EINVAL;
		if (!ts.tv_sec && !ts.tv_nsec)
			deadline = 0;
		else if ((u64)ts.tv_sec < WAIT_FOREVER / NSEC_PER_SEC / 2)
			deadline = clock_monotonic() + (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
	}
	sig = wait_for_signal(wanted & ~SIGMASK_UNBLOCKABLE, deadline, &info);
	if (sig > 0 && uinfo && copy_to_app(uinfo, &info, sizeof(info)))
		return -EFAULT;
	return sig;
}

/* ---- the alternate stack ---- */

static bool on_altstack(void)
{
	const struct thread_signals *s = &current->sig;
	u64 sp = regs_sp(current_regs());

	return s->altstack_size && !(s->altstack_flags & SS_AUTODISARM) && sp > s->altstack_sp &&
	       sp - s->altstack_sp <= s->altstack_size;
}

static int set_altstack(const stack_t *ss, size_t least)
{
	struct thread_signals *s = &current->sig;
	unsigned mode = (unsigned)ss->ss_flags & ~SS_AUTODISARM;

	if (on_altstack())
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		s->altstack_sp = 0;
		s->altstack_size = 0;
	} else {
		if (ss->ss_size < least)
			return -ENOMEM;
		s->altstack_sp = (u64)ss->ss_sp;
		s->altstack_size = ss->ss_size;
	}
	s->altstack_flags = (unsigned)ss->ss_flags;
	return 0;
}

void signal_restore_altstack(const stack_t *ss)
{
	(void)set_altstack(ss, ALTSTACK_MIN);
}

SYSCALL_DEFINE2(sigaltstack, const stack_t __app *, ss, stack_t __app *, old_ss)
{
	struct thread_signals *s = &current->sig;
	stack_t old = {.ss_sp = (void *)s->altstack_sp, .ss_size = s->altstack_size};
	stack_t new;

	old.ss_flags = !s->altstack_size ? SS_DISABLE : on_altstack() ? SS_ONSTACK : 0;
	old.ss_flags |= (int)(s->altstack_flags & SS_AUTODISARM);
	if (ss) {
		int err;

		if (get_app(new, ss))
			return -EFAULT;
		err = set_altstack(&new, ALTSTACK_MIN);
		if (err)
			return err;
	}
	return old_ss ? copy_to_app(old_ss, &old, sizeof(old)) : 0;
}

SYSCALL_DEFINE0(restart_syscall)
{
	struct restart_block *r = &current->restart;

	return r->fn ? r->fn(r) : -EINTR;
}

void signal_summary(struct thread *t, struct signal_summary *out)
{
	struct process *p = t->proc;
	u64 flags = spin_lock_irqsave(&p->lock);

	*out = (struct signal_summary){
		.thread_pending = t->sig.pending.pending,
		.shared_pending = p->shared_pending.pending,
		.blocked = t->sig.leaving ? 0 : t->sig.blocked,
		.queued = p->nqueued,
	};
	for (int sig = 1; p->sighand && sig <= SIG_MAX; sig++) {
		u64 handler = sighand_action(p->sighand, sig).handler;

		if (handler == SIG_HANDLER_IGNORE)
			out->ignored |= SIGMASK(sig);
		else if (handler != SIG_HANDLER_DEFAULT)
			out->caught |= SIGMASK(sig);
	}
	spin_unlock_irqrestore(&p->lock, flags);
}
