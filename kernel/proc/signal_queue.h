/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets and queues of pending signals: pure logic, also built for the host. The caller holds the process's
 * lock. */
#pragma once

#include "kernel/signal_types.h"
#include <asm/siginfo.h>
#include <asm/signal.h>

struct sigqueue {
	struct list_head node;
	siginfo_t info;
};

#define SIGMASK(sig) (1ull << ((sig)-1))
#define SIGMASK_STOP (SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU))
#define SIGMASK_IGNORED \
	(SIGMASK(SIGCHLD) | SIGMASK(SIGCONT) | SIGMASK(SIGURG) | SIGMASK(SIGWINCH)) /* by default */
#define SIGMASK_UNBLOCKABLE (SIGMASK(SIGKILL) | SIGMASK(SIGSTOP))
#define SIGMASK_FAULT                                                                                \
	(SIGMASK(SIGSEGV) | SIGMASK(SIGBUS) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP) | SIGMASK(SIGFPE) | \
	 SIGMASK(SIGSYS))
#define SIGMASK_CORE                                                              \
	(SIGMASK_FAULT | SIGMASK(SIGQUIT) | SIGMASK(SIGABRT) | SIGMASK(SIGXCPU) | \
	 SIGMASK(SIGXFSZ)) /* by default */
#define SIG_MAX		    64
#define SIG_RT_MIN	    32
#define SIG_HANDLER_DEFAULT 0ull
#define SIG_HANDLER_IGNORE  1ull

static inline bool signal_valid(int sig)
{
	return sig >= 1 && sig <= SIG_MAX;
}

void sigqueue_init(struct sigqueue_list *l);
/* Add SIG. ENTRY carries its siginfo and is owned by the list from now on; NULL: the bit alone. */
void sigqueue_add(struct sigqueue_list *l, int sig, struct sigqueue *entry);
/* The signal of SET to deliver first: faults, then the lowest number. 0 when none is pending. */
int sigqueue_next(const struct sigqueue_list *l, sigset set);
/* Take SIG off: its oldest entry (the caller frees it), or NULL when it was queued without one. */
struct sigqueue *sigqueue_take(struct sigqueue_list *l, int sig);
/* Drop every signal of SET and free its entries. Returns how many entries there were. */
u32 sigqueue_drop(struct sigqueue_list *l, sigset set);
/* A queued signal with this code and timer id (SI_TIMER), or NULL. */
struct sigqueue *sigqueue_find(struct sigqueue_list *l, int sig, int code, int timer_id);
/* A siginfo for a signal that was queued without one. */
void siginfo_fill(siginfo_t *info, int sig, int code, int pid, u32 uid);
