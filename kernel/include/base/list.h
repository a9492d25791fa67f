/* SPDX-License-Identifier: BSD-2-Clause */
/* Intrusive circular doubly-linked list. A node that is on no list points at itself after list_init/list_del_init. */
#pragma once

#include "base/types.h"

struct list_head {
	struct list_head *next, *prev;
};

/* DEBUG builds stop at a list that was changed without its lock, or used after it was freed. */
#ifdef DEBUG
#define LIST_CHECK(good)               \
	do {                           \
		if (!(good))           \
			__builtin_trap(); \
	} while (0)
#else
#define LIST_CHECK(good) \
	do {             \
	} while (0)
#endif

#define LIST_HEAD_INIT(name) {&(name), &(name)}
#define LIST_HEAD(name)	     struct list_head name = LIST_HEAD_INIT(name)

static inline void list_init(struct list_head *h)
{
	h->next = h->prev = h;
}

static inline bool list_empty(const struct list_head *h)
{
	return READ_ONCE(h->next) == h;
}

static inline void list_insert_(struct list_head *n, struct list_head *prev, struct list_head *next)
{
	LIST_CHECK(prev->next == next && next->prev == prev);
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

/* Put N first. */
static inline void list_add(struct list_head *n, struct list_head *h)
{
	list_insert_(n, h, h->next);
}

/* Put N last. */
static inline void list_add_tail(struct list_head *n, struct list_head *h)
{
	list_insert_(n, h->prev, h);
}

static inline void list_unlink_(struct list_head *n)
{
	LIST_CHECK(n->prev->next == n && n->next->prev == n);
	n->prev->next = n->next;
	n->next->prev = n->prev;
}

static inline void list_del(struct list_head *n)
{
	list_unlink_(n);
	n->next = n->prev = NULL;
}

static inline void list_del_init(struct list_head *n)
{
	list_unlink_(n);
	list_init(n);
}

static inline void list_move_tail(struct list_head *n, struct list_head *h)
{
	list_unlink_(n);
	list_add_tail(n, h);
}

/* Move every node of FROM to the end of TO; FROM is left empty. */
static inline void list_splice_tail_init(struct list_head *from, struct list_head *to)
{
	if (from->next == from)
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(p, type, member)	  container_of(p, type, member)
#define list_first_entry(h, type, member) list_entry((h)->next, type, member)
#define list_last_entry(h, type, member)  list_entry((h)->prev, type, member)
#define list_next_entry(e, member)	  list_entry((e)->member.next, typeof(*(e)), member)
#define list_for_each(p, h)		  for (struct list_head *p = (h)->next; p != (h); p = p->next)
#define list_for_each_entry(e, h, member)                                                                            \
	for (e = list_entry((h)->next, typeof(*e), member); &e->member != (h);                                       \
	     e = list_entry(e->member.next, typeof(*e), member))
#define list_for_each_entry_safe(e, n, h, member)                                                                    \
	for (e = list_entry((h)->next, typeof(*e), member), n = list_entry(e->member.next, typeof(*e), member);       \
	     &e->member != (h); e = n, n = list_entry(n->member.next, typeof(*n), member))
