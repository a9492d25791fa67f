/* SPDX-License-Identifier: BSD-2-Clause */
/* Deferred work, counted by kind and CPU for /proc/softirqs. Linux's kinds; here most of it runs in the
 * interrupt itself or in a thread. */
#pragma once

#include "kernel/percpu.h"

enum softirq {
	SOFTIRQ_HI,
	SOFTIRQ_TIMER,
	SOFTIRQ_NET_TX,
	SOFTIRQ_NET_RX,
	SOFTIRQ_BLOCK,
	SOFTIRQ_IRQ_POLL,
	SOFTIRQ_TASKLET,
	SOFTIRQ_SCHED,
	SOFTIRQ_HRTIMER,
	SOFTIRQ_RCU,
	SOFTIRQ_KINDS
};

struct softirq_counts {
	u64 n[SOFTIRQ_KINDS];
};
DECLARE_PER_CPU(struct softirq_counts, softirq_counts); /* own CPU writes */

#define softirq_count(kind) (this_cpu(softirq_counts).n[kind]++)
