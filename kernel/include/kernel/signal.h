/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals, as other subsystems use them. Owner: kernel/proc/. */
#pragma once

#include "kernel/process.h"
#include <asm/siginfo.h>
#include <asm/signal.h>

struct regs;

/* Send SIG to a process or a thread with siginfo code SI_USER/SI_KERNEL/... INFO may be NULL (SI_KERNEL). Any context that
 * may take the process lock (interrupt context included). 0, -EAGAIN (queue limit for real-time signals). */
int signal_send_process(struct process *p, int sig, const siginfo_t *info);
int signal_send_thread(struct thread *t, int sig, const siginfo_t *info);
/* For a timer, to T or to the process P as a whole: true when it waits to be taken, false when it is ignored. */
bool signal_send_timer(struct process *p, struct thread *t, int sig, const siginfo_t *info);
/* A fault of the current thread: SIG with CODE and ADDR; kills it when the signal is blocked or ignored. TRAP/ERR go into
 * the context of the frame (arch). */
void signal_force_fault(int sig, int code, u64 addr);
/* Send SIGPIPE to the current thread (write to a closed pipe or socket). */
void signal_sigpipe(void);

/* On the way back to the application with THREAD_SIGPENDING or THREAD_RESTORE_MASK: deliver or restart. Interrupts on. */
void signal_deliver(struct regs *regs);
/* Replace the blocked mask and recompute THREAD_SIGPENDING. For sigsuspend, ppoll, epoll_pwait. */
void signal_set_blocked(sigset mask);
/* Temporarily install the mask at MASK (sigsetsize must be 8), to be restored on return to the application. 0, -EINVAL, -EFAULT. */
int signal_set_temporary_mask(const sigset __app *mask, size_t sigsetsize);

/* Take the first pending signal of the current thread or its process that is in MASK: its number with *INFO filled, or 0.
 * For signalfd and sigtimedwait. */
int signal_dequeue(sigset mask, siginfo_t *info);
/* Is SIG of timer ID (-1: from whomever) still pending for P, or for its thread T if that is not NULL? Any
 * context. */
bool signal_timer_pending(struct process *p, struct thread *t, int sig, int id);
/* Whoever took a signal with SI_TIMER says so: the timer goes on, and INFO gets its overruns. No lock held. kernel/time/. */
void posix_timer_signal_taken(siginfo_t *info);
/* Signals pending for the current thread or its process, blocked ones included. For signalfd's poll and /proc. */
sigset signal_pending_set(void);
/* For /proc/PID/status: pending of T and of its process, blocked, ignored, caught. */
struct signal_summary {
	sigset thread_pending, shared_pending, blocked, ignored, caught;
	u32 queued;
};
void signal_summary(struct thread *t, struct signal_summary *out);
/* Bytes that a signal frame needs at most: AT_MINSIGSTKSZ. */
size_t signal_minstack(void);
/* Set the alternate stack from a signal frame's copy, as sigaltstack(2) would; silently leaves it when SS is not valid. */
void signal_restore_altstack(const stack_t *ss);

/* "SEGV" for SIGSEGV, and so on; real-time signals are "RT". */
const char *signal_name(int sig);

/* kernel/syscall/trace.c, for threads with THREAD_TRACE: follow T by the kernel word `strace` now that it has its name; lines
 * for a signal that is about to be delivered and for the end of the current thread. */
void trace_follow(struct thread *t);
void trace_signal(const siginfo_t *info);
void trace_exit(int status);

/* kernel/arch/: build the frame for SIG on the application's stack and make REGS enter the handler; 0 or -EFAULT.
 * OLDMASK is the mask that rt_sigreturn restores. */
struct signal_action;
int arch_signal_frame(struct regs *regs, int sig, const struct signal_action *action, const siginfo_t *info,
		      sigset oldmask);
