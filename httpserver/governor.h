/* SPDX-License-Identifier: BSD-2-Clause */
/* The policy that ties the runtime's heap to the balloon: a pure function of what is seen, so that it can be tested and simulated.
 *
 * When the host wants memory that is not free, the heap is asked to give back what it holds beyond its live data: collectors
 * with a soft limit (ZGC, Shenandoah) through SoftMaxHeapSize, the others through tight free ratios and one collection.
 * When the balloon no longer presses, the ratios go back and the heap may grow. Collections are spaced: each one that
 * brought little doubles the time to the next. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum governor_action {
	GOVERN_NOTHING,
	GOVERN_SHRINK, /* tighten, then collect */
	GOVERN_RELAX,  /* back to the runtime's own limits */
};

struct governor_input {
	double now;			     /* seconds, monotonic */
	uint64_t boot, target, actual;	     /* balloon, bytes the guest keeps */
	uint64_t free, available;	     /* memory of the VM, bytes */
	uint64_t heap_used, heap_committed;  /* as the runtime last said; 0: unknown */
};

struct governor {
	bool tight;
	double next_shrink; /* not before */
	double pause;	    /* seconds between collections; doubles while they bring little */
	uint64_t committed_before; /* at the last shrink */
};

#define GOVERNOR_PAUSE_FIRST 1.0
#define GOVERNOR_PAUSE_MAX   60.0
/* Free memory kept beside the balloon, as a share of what the guest keeps: without it every allocation would deflate. */
#define GOVERNOR_RESERVE_SHARE 16

void governor_init(struct governor *g);
enum governor_action governor_decide(struct governor *g, const struct governor_input *in);
