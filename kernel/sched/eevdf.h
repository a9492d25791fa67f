/* SPDX-License-Identifier: BSD-2-Clause */
/* The fair policy: earliest eligible virtual deadline first. Pure logic on one run queue: no lock, no clock,
 * no thread.
 *
 * Each entity i has a weight w_i and a virtual run time v_i, which grows by delta * 1024 / w_i while it runs.
 * The queue's average V = sum(w_i * v_i) / sum(w_i) is what ideal sharing would have given everyone; lag_i =
 * V - v_i is what the queue owes i. An entity is eligible when its lag is not negative; each asks for `slice`
 * ns of service, due at the virtual deadline d_i = v_i + slice * 1024 / w_i; among the eligible, the earliest
 * deadline runs. Source: Stoica and Abdel-Wahab, "Earliest Eligible Virtual Deadline First", 1995.
 *
 * Invariants: (1) weighted == sum over tree and curr of w * (v - base); (2) load == sum of w; (3) the sum of
 * all lags is 0 up to rounding; (4) the tree is ordered by deadline and each node's min_vruntime is its
 * subtree's smallest. */
#pragma once

#include "kernel/sched_entity.h"

#define EEVDF_WEIGHT_0	    1024u
#define EEVDF_WEIGHT_MAX    88818u
#define EEVDF_WEIGHT_IDLE   3u
#define EEVDF_SLICE_DEFAULT 3000000u
#define EEVDF_SLICE_MIN	    100000u
#define EEVDF_SLICE_MAX	    100000000u

struct eevdf {
	struct rb_root tree;	   /* those that wait, by deadline */
	struct eevdf_entity *curr; /* the one that runs; counted in the sums, not in the tree */
	s64 weighted;
	u64 load;
	u64 base;    /* never falls; near the smallest v */
	unsigned nr; /* tree and curr */
};

void eevdf_init(struct eevdf *q);
void eevdf_entity_init(struct eevdf_entity *e, u32 weight);
u32 eevdf_weight(int nice); /* -20 .. 19 */
/* Change the weight of an entity that is on no queue; its lag, in service owed, is kept. */
void eevdf_set_weight(struct eevdf_entity *e, u32 weight);
/* Join the queue with the lag that was kept; FRESH: a new entity, whose first request is half a slice. */
void eevdf_enqueue(struct eevdf *q, struct eevdf_entity *e, bool fresh);
/* Leave the queue (running or waiting) and keep the lag. */
void eevdf_dequeue(struct eevdf *q, struct eevdf_entity *e);
/* Who should run: curr stays when it is best. NULL when the queue is empty. */
struct eevdf_entity *eevdf_pick(const struct eevdf *q);
/* Make E (queued, or NULL) the running one; the former goes back to the tree. */
void eevdf_set_curr(struct eevdf *q, struct eevdf_entity *e);
/* Curr ran for NS. Returns true when its request was fulfilled: it has a new deadline, and somebody else may
 * be due. */
bool eevdf_charge(struct eevdf *q, u64 ns);
/* ns of service until curr's request is fulfilled. */
u64 eevdf_slice_left(const struct eevdf *q);
/* Give up the rest of curr's request: sched_yield. */
void eevdf_yield(struct eevdf *q);
/* Is E due before curr? */
bool eevdf_preempts(const struct eevdf *q, const struct eevdf_entity *e);
bool eevdf_eligible(const struct eevdf *q, const struct eevdf_entity *e);
s64 eevdf_lag(const struct eevdf *q, const struct eevdf_entity *e); /* of a queued entity */
/* The waiting entity with the latest deadline, and the next before it: candidates for another CPU. */
struct eevdf_entity *eevdf_last(const struct eevdf *q);
struct eevdf_entity *eevdf_prev(const struct eevdf_entity *e);
void eevdf_check(const struct eevdf *q); /* DEBUG: panics when an invariant does not hold */
