/* SPDX-License-Identifier: BSD-2-Clause */
/* Intrusive red-black tree with optional augmentation. The caller walks to the insertion point, links, then
 * rebalances; an augmented tree gives a callback that recomputes one node's summary from its children. */
#pragma once

#include "base/types.h"

struct rb_node {
	struct rb_node *parent;
	struct rb_node *left, *right;
	bool red;
};

struct rb_root {
	struct rb_node *node;
};

#define RB_ROOT ((struct rb_root){NULL})

/* Recompute NODE's summary from its own data and its children's summaries. */
typedef void (*rb_update_fn)(struct rb_node *node);

/* Insert NODE below PARENT at *LINK (which the caller found empty). UPDATE may be NULL. O(log n). */
void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent, struct rb_node **link,
	       rb_update_fn update);
void rb_erase(struct rb_root *root, struct rb_node *node, rb_update_fn update);
/* Recompute summaries from NODE up to the root, after NODE's own data changed in place. */
void rb_propagate(struct rb_node *node, rb_update_fn update);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

/* The only node of a tree comes and goes without rebalancing; many trees have one most of the time. */
static inline void rb_insert_only(struct rb_root *root, struct rb_node *node)
{
	*node = (struct rb_node){NULL, NULL, NULL, false};
	__atomic_store_n(&root->node, node, __ATOMIC_RELEASE);
}

static inline bool rb_erase_only(struct rb_root *root, struct rb_node *node)
{
	if (root->node != node || node->left || node->right)
		return false;
	__atomic_store_n(&root->node, NULL, __ATOMIC_RELEASE);
	return true;
}

#define rb_entry(p, type, member) container_of(p, type, member)
