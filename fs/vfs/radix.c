/* SPDX-License-Identifier: BSD-2-Clause */
/* Radix tree: see radix.h. The root pointer holds NULL, an item at index 0 with bit 0 set, or a node. Nodes
 * are published complete and freed after a grace period, so that readers need nothing. */
#include "radix.h"
#include "base/err.h"
#include "kernel/alloc.h"
#include "kernel/rcu.h"

#define RADIX_BITS 6
#define RADIX_SIZE (1u << RADIX_BITS)
#define RADIX_MASK (RADIX_SIZE - 1)
#define RADIX_MAX  64 /* bits of an index */

struct radix_node {
	struct rcu_head rcu; /* first: rcu_kfree */
	struct radix_node *parent;
	u8 shift; /* bits below this level */
	u8 count; /* slots in use */
	u8 slot_in_parent;
	void *slots[RADIX_SIZE];
};

static bool is_direct(const void *p)
{
	return (uintptr_t)p & 1;
}

static void *direct(const void *p)
{
	return (void *)((uintptr_t)p ^ 1);
}

static unsigned slot_of(u64 index, unsigned shift)
{
	return (unsigned)(index >> shift) & RADIX_MASK;
}

/* Does INDEX lie under NODE, if NODE is the root? */
static bool covers(const struct radix_node *n, u64 index)
{
	return n->shift + RADIX_BITS >= RADIX_MAX || !(index >> (n->shift + RADIX_BITS));
}

void *radix_find(void *const *root, u64 index)
{
	void *p = rcu_dereference(*(void **)(uintptr_t)root);
	struct radix_node *n;

	if (is_direct(p))
		return index ? NULL : direct(p);
	n = p;
	if (!n || !covers(n, index))
		return NULL;
	for (;;) {
		p = rcu_dereference(n->slots[slot_of(index, n->shift)]);
		if (!p || !n->shift)
			return p;
		n = p;
	}
}

static struct radix_node *node_alloc(unsigned shift)
{
	struct radix_node *n = kzalloc(sizeof *n);

	if (n)
		n->shift = (u8)shift;
	return n;
}

/* The first node, tall enough for INDEX, or one above the present root. */
static int grow(void **root, u64 index)
{
	void *old = *root;
	struct radix_node *n;
	unsigned shift = 0;

	if (!old)
		while (shift + RADIX_BITS < RADIX_MAX && index >> (shift + RADIX_BITS))
			shift += RADIX_BITS;
	else if (!is_direct(old))
		shift = ((struct radix_node *)old)->shift + RADIX_BITS;
	n = node_alloc(shift);
	if (!n)
		return -ENOMEM;
	if (old) {
		n->count = 1;
		n->slots[0] = is_direct(old) ? direct(old) : old;
		if (!is_direct(old))
			((struct radix_node *)old)->parent = n;
	}
	rcu_assign_pointer(*root, (void *)n);
	return 0;
}

/* Take out N and what is above it as far as it is empty. */
static void drop_empty(void **root, struct radix_node *n)
{
	struct radix_node *up;

	for (; n && !n->count; n = up) {
		up = n->parent;
		if (up) {
			rcu_assign_pointer(up->slots[n->slot_in_parent], NULL);
			up->count--;
		} else {
			rcu_assign_pointer(*root, NULL);
		}
		rcu_kfree(&n->rcu);
	}
}

int radix_insert(void **root, u64 index, void *item)
{
	struct radix_node *n, *child;

	if (!*root && !index) {
		rcu_assign_pointer(*root, (void *)((uintptr_t)item | 1));
		return 0;
	}
	while (!*root || is_direct(*root) || !covers(*root, index))
		if (grow(root, index))
			return -ENOMEM; /* a taller tree is as good as before */
	for (n = *root; n->shift; n = child) {
		unsigned s = slot_of(index, n->shift);

		child = n->slots[s];
		if (child)
			continue;
		child = node_alloc(n->shift - RADIX_BITS);
		if (!child) {
			drop_empty(root, n);
			return -ENOMEM;
		}
		child->parent = n;
		child->slot_in_parent = (u8)s;
		rcu_assign_pointer(n->slots[s], (void *)child);
		n->count++;
	}
	rcu_assign_pointer(n->slots[slot_of(index, 0)], item);
	n->count++;
	return 0;
}

void *radix_delete(void **root, u64 index)
{
	struct radix_node *n = *root;
	void *item;

	if (is_direct(*root)) {
		if (index)
			return NULL;
		item = direct(*root);
		rcu_assign_pointer(*root, NULL);
		return item;
	}
	if (!n || !covers(n, index))
		return NULL;
	while (n && n->shift)
		n = n->slots[slot_of(index, n->shift)];
	if (!n || !n->slots[slot_of(index, 0)])
		return NULL;
	item = n->slots[slot_of(index, 0)];
	rcu_assign_pointer(n->slots[slot_of(index, 0)], NULL);
	n->count--;
	drop_empty(root, n);
	return item;
}

void *radix_next(void *const *root, u64 *index)
{
	void *p = rcu_dereference(*(void **)(uintptr_t)root);
	struct radix_node *n, *top;
	u64 i = *index;

	if (!p)
		return NULL;
	if (is_direct(p))
		return i ? NULL : direct(p);
	top = p;
restart:
	if (!covers(top, i))
		return NULL;
	n = top;
	for (;;) {
		unsigned s = slot_of(i, n->shift);

		p = rcu_dereference(n->slots[s]);
		if (p && !n->shift) {
			*index = i;
			return p;
		}
		if (p) {
			n = p;
			continue;
		}
		/* Skip the empty slot's whole range; a carry starts over from the top. */
		i = ((i >> n->shift) + 1) << n->shift;
		if (!i)
			return NULL;
		if (s == RADIX_MASK)
			goto restart;
	}
}
