/* SPDX-License-Identifier: BSD-2-Clause */
/* Read-copy-update. Readers pay nothing: kernel code is not preempted, so a read-side section is any stretch without a
 * sleep. Quiescent: a context switch, idle, or an interrupt that hit the application; a grace period sends IPIs to
 * CPUs that hold out. */
#pragma once

#include "base/types.h"
#include "kernel/percpu.h"

struct rcu_head {
	struct rcu_head *next;
	void (*fn)(struct rcu_head *);
};

static inline void rcu_read_lock(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

static inline void rcu_read_unlock(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

#define rcu_dereference(p)	  __atomic_load_n(&(p), __ATOMIC_ACQUIRE)
#define rcu_assign_pointer(p, v) __atomic_store_n(&(p), v, __ATOMIC_RELEASE)

/* Call FN(HEAD) in thread context once every reader of now is done. Any context. */
void rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *));
/* Sleep until every reader of now is done. Thread context. */
void rcu_synchronize(void);
/* kfree a structure whose rcu_head is its first member. */
void rcu_kfree(struct rcu_head *head);

/* For the scheduler and interrupt entry: this CPU halts and holds no reader, until an interrupt comes. */
DECLARE_PER_CPU(_Atomic bool, rcu_cpu_idle);
void rcu_idle_exit(void);
