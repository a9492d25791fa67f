// SPDX-License-Identifier: BSD-2-Clause
/* The tracee's side of ptrace(2): where it stops, what it tells, and how it goes on. All on the current
 * thread.
 *
 * Invariants: (1) ptrace.stopped is set by the tracee itself, and cleared by the tracer, by the end of
 * tracing, or by the tracee that is killed. (2) While it is set and the thread sleeps in THREAD_STOPPED off
 * its CPU, its registers and the siginfo belong to the tracer. (3) A thread of a process that is being killed
 * never stops. */
#include "arch/syscall.h"
#include "kernel/syscall.h"
#include "ptrace.h"

#define SYSCALL_STOP_GOOD 0x80 /* PTRACE_O_TRACESYSGOOD tells system calls from SIGTRAPs */

/* SIGCHLD for the tracer, and a wake-up for its wait. */
static void tell_tracer(struct thread *t, int status)
{
	struct process *tracer;
	struct signal_action a = {0};
	siginfo_t info;
	u64 flags;

	spin_lock(&process_tree_lock);
	tracer = t->ptrace.tracer;
	if (tracer) {
		flags = spin_lock_irqsave(&tracer->lock);
		if (tracer->sighand)
			a = sighand_action(tracer->sighand, SIGCHLD);
		spin_unlock_irqrestore(&tracer->lock, flags);
		if (a.handler != SIG_HANDLER_IGNORE && !(a.flags & SA_NOCLDSTOP)) {
			siginfo_fill(&info, SIGCHLD, CLD_TRAPPED, (int)t->tid, process_uid(t->proc));
			info.si_status = status & 0x7f;
			signal_send_process(tracer, SIGCHLD, &info);
		}
		waitq_wake_all(&tracer->wait_children);
	}
	spin_unlock(&process_tree_lock);
}

/* Stop with CODE (a wait status less its low byte) until the tracer lets go. Returns the signal that it gave
 * along; ELSE when there is no tracer to stop for. INFO NULL: a stop of the group, or a trap of its kind. */
static int stop(u32 code, const siginfo_t *info, u64 message, int otherwise)
{
	struct thread *t = current;
	struct process *p = t->proc;
	struct thread_ptrace *pt = &t->ptrace;
	u64 flags = spin_lock_irqsave(&p->lock);
	int sig;

	if (!pt->tracer || thread_test_flag(t, THREAD_EXITING)) {
		spin_unlock_irqrestore(&p->lock, flags);
		return otherwise;
	}
	pt->stop_code = code;
	pt->stopped = pt->report = true;
	pt->listening = false;
	pt->group = !info;
	pt->message = message;
	pt->resume_signal = otherwise;
	if (info)
		pt->info = *info;
	spin_unlock_irqrestore(&p->lock, flags);
	tell_tracer(t, (int)code);
	for (;;) {
		thread_set_state(THREAD_STOPPED);
		if (!READ_ONCE(pt->stopped) || thread_test_flag(t, THREAD_EXITING))
			break;
		schedule();
	}
	thread_set_state(THREAD_RUNNING);
	flags = spin_lock_irqsave(&p->lock);
	pt->stopped = pt->report = pt->listening = false;
	sig = thread_test_flag(t, THREAD_EXITING) ? 0 : pt->resume_signal;
	spin_unlock_irqrestore(&p->lock, flags);
	return sig;
}

/* A stop that is no signal's: with SIGTRAP and CODE in its siginfo. */
static int stop_trap(int code, u64 message)
{
	siginfo_t info;

	siginfo_fill(&info, SIGTRAP, code, (int)current->tid, current_cred()->uid);
	return stop((u32)code, &info, message, 0);
}

void ptrace_event(int event, u64 message)
{
	if (ptrace_traced(current) && current->ptrace.options & 1u << event)
		stop_trap(SIGTRAP | event << 8, message);
}

void ptrace_handler_entered(void)
{
	stop_trap(SIGTRAP, 0);
}

static void send_to_self(int sig)
{
	siginfo_t info;

	siginfo_fill(&info, sig, SI_USER, (int)current->proc->pid, current_cred()->uid);
	signal_send_thread(current, sig, &info);
}

void ptrace_exec(u32 old_tid)
{
	if (!ptrace_traced(current))
		return;
	if (current->ptrace.options & PTRACE_O_TRACEEXEC)
		ptrace_event(PTRACE_EVENT_EXEC, old_tid);
	else if (!current->ptrace.seized)
		send_to_self(SIGTRAP);
}

int ptrace_signal(int sig, siginfo_t *info)
{
	struct thread *t = current;
	u64 flags;
	int now;

	now = stop((u32)sig, info, 0, sig);
	if (!now)
		return 0;
	*info = t->ptrace.info; /* PTRACE_SETSIGINFO may have changed it */
	if (now != sig)
		siginfo_fill(info, now, SI_USER, t->ptrace.tracer ? (int)t->ptrace.tracer->pid : 0,
			     t->ptrace.tracer ? process_uid(t->ptrace.tracer) : 0);
	/* One that is blocked waits like any other. */
	if (t->sig.blocked & SIGMASK(now) && now != SIGKILL && now != SIGSTOP) {
		flags = spin_lock_irqsave(&t->proc->lock);
		sigqueue_add(&t->sig.pending, now, NULL);
		spin_unlock_irqrestore(&t->proc->lock, flags);
		return 0;
	}
	return now;
}

bool ptrace_group_stop(int sig)
{
	struct thread *t = current;
	u32 code = (u32)sig | (t->ptrace.seized ? PTRACE_EVENT_STOP << 8 : 0);
	siginfo_t info;

	t->ptrace.stop_seen = t->proc->stop_serial;
	siginfo_fill(&info, sig, (int)code, (int)t->tid, current_cred()->uid);
	stop(code, t->ptrace.seized ? &info : NULL, 0, 0);
	return true;
}

bool ptrace_trap_stop(void)
{
	struct thread *t = current;
	u64 flags;
	bool due;
	int sig;

	if (likely(!t->ptrace.trap_pending))
		return false;
	flags = spin_lock_irqsave(&t->proc->lock);
	due = t->ptrace.trap_pending;
	t->ptrace.trap_pending = false;
	/* Within a stop of the group it shows that stop. */
	sig = t->proc->stop_signal ? t->proc->stop_signal : SIGTRAP;
	spin_unlock_irqrestore(&t->proc->lock, flags);
	if (due)
		stop_trap(sig | PTRACE_EVENT_STOP << 8, 0);
	return due;
}

/* ---- system calls ---- */

static void syscall_stop(u8 phase)
{
	struct thread_ptrace *pt = &current->ptrace;
	int sig;

	pt->phase = phase;
	sig = stop_trap(SIGTRAP | (pt->options & PTRACE_O_TRACESYSGOOD ? SYSCALL_STOP_GOOD : 0), phase);
	pt->phase = 0;
	if (sig)
		send_to_self(sig);
}

bool ptrace_syscall_enter(struct regs *regs)
{
	struct thread *t = current;
	bool emulate = thread_test_flag(t, THREAD_SYSCALL_EMULATE);

	if (!thread_test_flag(t, THREAD_SYSCALL_STOP | THREAD_SYSCALL_EMULATE))
		return true;
	regs_set_result(regs, -ENOSYS);
	syscall_stop(PTRACE_SYSCALL_INFO_ENTRY);
	return !emulate && !thread_test_flag(t, THREAD_EXITING) && (int)regs_syscall_number(regs) != -1;
}

void ptrace_syscall_exit(struct regs *regs)
{
	if (thread_test_flag(current, THREAD_SYSCALL_STOP))
		syscall_stop(PTRACE_SYSCALL_INFO_EXIT);
	else if (thread_test_flag(current, THREAD_STEP))
		signal_force_fault(SIGTRAP, TRAP_TRACE, regs_pc(regs));
}
