/* SPDX-License-Identifier: BSD-2-Clause */
/* Lock-free multi-producer single-consumer list: producers push in any context, the consumer takes everything at once.
 * A node may be pushed again as soon as the consumer has taken it. Model: tests/models/wake_list.pml. */
#pragma once

#include "base/types.h"

struct mpsc_node {
	struct mpsc_node *next;
};

struct mpsc_list {
	_Atomic(struct mpsc_node *) head; /* newest first */
};

/* Returns true when the list was empty: the pusher then owes the consumer a notice. A full fence on success. */
static inline bool mpsc_push(struct mpsc_list *l, struct mpsc_node *n)
{
	struct mpsc_node *old = atomic_load_explicit(&l->head, memory_order_relaxed);

	do
		n->next = old;
	while (!atomic_compare_exchange_weak_explicit(&l->head, &old, n, memory_order_seq_cst,
						      memory_order_relaxed));
	return !old;
}

static inline bool mpsc_empty(struct mpsc_list *l)
{
	return !atomic_load_explicit(&l->head, memory_order_relaxed);
}

/* Take all nodes, oldest first, chained by next. NULL when there are none. */
static inline struct mpsc_node *mpsc_take(struct mpsc_list *l)
{
	struct mpsc_node *n, *next, *fifo = NULL;

	if (mpsc_empty(l))
		return NULL;
	n = atomic_exchange_explicit(&l->head, NULL, memory_order_acquire);
	for (; n; n = next) {
		next = n->next;
		n->next = fifo;
		fifo = n;
	}
	return fifo;
}
