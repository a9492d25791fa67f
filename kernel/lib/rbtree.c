// SPDX-License-Identifier: BSD-2-Clause
/* Red-black tree (Cormen, Leiserson, Rivest, Stein, chapter 13) with nil as NULL and an optional per-node
 * summary.
 *
 * A node is linked with one release store, so a reader that walks without the writer's lock sees initialised
 * nodes. It may still miss nodes or meet a rotation half done: such readers bound their walk and check a
 * sequence count afterwards. Callers serialise changes. Any context. */
#include "base/rbtree.h"

static inline void store_link(struct rb_node **link, struct rb_node *n)
{
	__atomic_store_n(link, n, __ATOMIC_RELEASE);
}

/* Make NEW take OLD's place below PARENT (NULL: the root). */
static void replace_child(struct rb_root *root, struct rb_node *parent, struct rb_node *old,
			  struct rb_node *new)
{
	if (!parent)
		store_link(&root->node, new);
	else if (parent->left == old)
		store_link(&parent->left, new);
	else
		store_link(&parent->right, new);
}

/* X's right child takes X's place, X becomes its left child. */
static struct rb_node *rotate_left(struct rb_root *root, struct rb_node *x, rb_update_fn update)
{
	struct rb_node *y = x->right;

	store_link(&x->right, y->left);
	if (y->left)
		y->left->parent = x;
	y->parent = x->parent;
	replace_child(root, x->parent, x, y);
	store_link(&y->left, x);
	x->parent = y;
	if (update) {
		update(x);
		update(y);
	}
	return y;
}

static struct rb_node *rotate_right(struct rb_root *root, struct rb_node *x, rb_update_fn update)
{
	struct rb_node *y = x->left;

	store_link(&x->left, y->right);
	if (y->right)
		y->right->parent = x;
	y->parent = x->parent;
	replace_child(root, x->parent, x, y);
	store_link(&y->right, x);
	x->parent = y;
	if (update) {
		update(x);
		update(y);
	}
	return y;
}

void rb_propagate(struct rb_node *node, rb_update_fn update)
{
	for (; node; node = node->parent)
		update(node);
}

void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent, struct rb_node **link,
	       rb_update_fn update)
{
	node->parent = parent;
	node->left = node->right = NULL;
	node->red = true;
	store_link(link, node);
	if (update)
		rb_propagate(node, update);

	/* Invariant: the only possible violation is that NODE and its parent are both red. */
	while ((parent = node->parent) && parent->red) {
		struct rb_node *grand = parent->parent; /* a red parent is not the root */
		struct rb_node *uncle = parent == grand->left ? grand->right : grand->left;

		if (uncle && uncle->red) {
			parent->red = uncle->red = false;
			grand->red = true;
			node = grand;
			continue;
		}
		if (parent == grand->left) {
			if (node == parent->right)
				parent = rotate_left(root, parent, update);
			parent->red = false;
			grand->red = true;
			rotate_right(root, grand, update);
		} else {
			if (node == parent->left)
				parent = rotate_right(root, parent, update);
			parent->red = false;
			grand->red = true;
			rotate_left(root, grand, update);
		}
		break;
	}
	root->node->red = false;
}

/* The subtree at NODE (may be NULL), child of PARENT, is one black node short: restore the black heights. */
static void erase_fixup(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
			rb_update_fn update)
{
	while (parent && !(node && node->red)) {
		bool left = node == parent->left;
		struct rb_node *sib = left ? parent->right : parent->left; /* black height >= 1: exists */
		struct rb_node *near, *far;

		if (sib->red) {
			sib->red = false;
			parent->red = true;
			if (left)
				rotate_left(root, parent, update);
			else
				rotate_right(root, parent, update);
			sib = left ? parent->right : parent->left;
		}
		near = left ? sib->left : sib->right;
		far = left ? sib->right : sib->left;
		if (!(near && near->red) && !(far && far->red)) {
			sib->red = true;
			node = parent;
			parent = node->parent;
			continue;
		}
		if (!(far && far->red)) {
			near->red = false;
			sib->red = true;
			sib = left ? rotate_right(root, sib, update) : rotate_left(root, sib, update);
			far = left ? sib->right : sib->left;
		}
		sib->red = parent->red;
		parent->red = false;
		far->red = false;
		if (left)
			rotate_left(root, parent, update);
		else
			rotate_right(root, parent, update);
		node = root->node;
		break;
	}
	if (node)
		node->red = false;
}

void rb_erase(struct rb_root *root, struct rb_node *node, rb_update_fn update)
{
	struct rb_node *child, *parent; /* what moves up, and below whom */
	bool removed_black;

	if (node->left && node->right) {
		struct rb_node *next = node->right;

		while (next->left)
			next = next->left;
		removed_black = !next->red;
		child = next->right;
		parent = next->parent;
		if (parent == node) {
			parent = next;
		} else {
			store_link(&parent->left, child);
			if (child)
				child->parent = parent;
			store_link(&next->right, node->right);
			next->right->parent = next;
		}
		store_link(&next->left, node->left);
		next->left->parent = next;
		next->parent = node->parent;
		next->red = node->red;
		replace_child(root, node->parent, node, next);
	} else {
		removed_black = !node->red;
		child = node->left ? node->left : node->right;
		parent = node->parent;
		if (child)
			child->parent = parent;
		replace_child(root, parent, node, child);
	}
	if (update)
		rb_propagate(parent, update);
	if (removed_black)
		erase_fixup(root, child, parent, update);
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *node)
{
	if (node->right) {
		struct rb_node *n = node->right;

		while (n->left)
			n = n->left;
		return n;
	}
	while (node->parent && node == node->parent->right)
		node = node->parent;
	return node->parent;
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	if (node->left) {
		struct rb_node *n = node->left;

		while (n->right)
			n = n->right;
		return n;
	}
	while (node->parent && node == node->parent->left)
		node = node->parent;
	return node->parent;
}
