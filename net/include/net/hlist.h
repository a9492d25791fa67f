/* SPDX-License-Identifier: BSD-2-Clause */
/* Hash chains that RCU readers may walk while a writer (who holds the chain's lock) adds and removes nodes. A
 * removed node keeps its next pointer; its memory is freed only after a grace period. */
#pragma once

#include "kernel/rcu.h"

struct hnode {
	struct hnode *next, **pprev; /* pprev NULL: on no chain */
};

struct hlist {
	struct hnode *first;
};

static inline bool hnode_hashed(const struct hnode *n)
{
	return READ_ONCE(n->pprev) != NULL;
}

static inline void hlist_add(struct hlist *h, struct hnode *n)
{
	n->next = h->first;
	n->pprev = &h->first;
	if (n->next)
		n->next->pprev = &n->next;
	rcu_assign_pointer(h->first, n);
}

static inline void hlist_del(struct hnode *n)
{
	if (!n->pprev)
		return;
	rcu_assign_pointer(*n->pprev, n->next);
	if (n->next)
		n->next->pprev = n->pprev;
	WRITE_ONCE(n->pprev, NULL);
}

#define hlist_for_each_entry(e, h, member)                   \
	for (struct hnode *_n = rcu_dereference((h)->first); \
	     _n && ((e) = container_of(_n, typeof(*(e)), member), true); _n = rcu_dereference(_n->next))
