/* SPDX-License-Identifier: BSD-2-Clause */
/* Where protocol code runs: between net_enter() and net_leave(), a per-CPU section that is never re-entered.
 *
 * Device polls, expired timers and loopback packets are work of the CPU they arise on. An interrupt that
 * finds its CPU outside a section does the work at once, up to a budget; inside one it leaves the work, and
 * the outermost net_leave() does it. What exceeds the budget goes to the CPU's fallback thread. So a lock
 * that is only taken inside sections needs no irqsave. A section does not sleep, touches no application
 * memory, and allocates only with net_alloc(). */
#pragma once

#include "base/list.h"
#include "kernel/spinlock.h"
#include "kernel/timer.h"
#include "kernel/wait.h"

struct packet;
struct net_if;

struct net_cpu {
	u32 depth;			       /* nesting of net_enter; own CPU only */
	bool pending;			       /* some list below is not empty; own CPU only */
	bool work;			       /* the fallback thread has something to do */
	struct spinlock lock;		       /* guards the lists; interrupts off */
	struct packet *loop_first, *loop_last; /* loopback packets, chained by node.next */
	u32 loop_len;
	u32 processed, squeezed; /* packets received here; bursts that were cut off. Own CPU only */
	struct net_timer *timer_first, *timer_last;
	struct net_poll *poll_first, *poll_last;
	struct waitq *thread_wait;
};

DECLARE_PER_CPU(struct net_cpu, net_cpu);

static inline void net_enter(void)
{
	this_cpu(net_cpu).depth++;
	atomic_signal_fence(memory_order_seq_cst);
}

void net_run_pending(void);
static inline void net_leave(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	if (--this_cpu(net_cpu).depth == 0 && unlikely(this_cpu(net_cpu).pending))
		net_run_pending();
}

static inline bool net_inside(void)
{
	return this_cpu(net_cpu).depth != 0;
}

/* Locks that are taken inside sections only. */
static inline void net_lock(struct spinlock *l)
{
	net_enter();
	spin_lock(l);
}

static inline void net_unlock(struct spinlock *l)
{
	spin_unlock(l);
	net_leave();
}

/* kmalloc that never sleeps nor reclaims, for sections. */
void *net_alloc(size_t size) __must_check;
void *net_zalloc(size_t size) __must_check;

/* A timer whose callback runs in a section. Cancelling never waits; an owner with a lifetime to protect holds
 * a reference from net_timer_set until the callback ran or net_timer_cancel returned true. */
struct net_timer {
	struct timer timer; /* its mark: is it on the list? Set again before it ran, it may expire twice */
	struct net_timer *next; /* on net_cpu.timer_first */
	void (*fn)(struct net_timer *);
};
void net_timer_init(struct net_timer *t, void (*fn)(struct net_timer *));
void net_timer_set(struct net_timer *t, u64 expires);
bool net_timer_cancel(struct net_timer *t); /* true: it was pending and will not run */

/* One device queue to poll. */
struct net_poll {
	struct net_poll *next;
	struct net_if *nif;
	unsigned queue;
	_Atomic u32 state; /* 0 idle, 1 scheduled or running, 2 running and scheduled again */
};
void net_poll_schedule(struct net_poll *np);

/* Hand P (at its IP header) to the IP layer of P->dev later in this section: the loopback device. */
void net_loopback_queue(struct packet *p);
int net_context_start(void); /* start the fallback threads */
