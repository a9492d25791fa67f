// SPDX-License-Identifier: BSD-2-Clause
/* The red-black tree: its invariants and its augmentation after every step of random insertions and removals.
 */
// sources: kernel/lib/rbtree.c
#include "unit.h"

#include "base/rbtree.h"

#define N 400
struct item {
	struct rb_node node;
	u32 key, weight;
	u64 sum; /* of the subtree's weights */
	bool in;
};
static struct item items[N];
static struct rb_root root;

static struct item *item_of(struct rb_node *n)
{
	return rb_entry(n, struct item, node);
}

static void update(struct rb_node *n)
{
	struct item *i = item_of(n);

	i->sum = i->weight + (n->left ? item_of(n->left)->sum : 0) + (n->right ? item_of(n->right)->sum : 0);
}

/* Returns the black height. */
static int check(struct rb_node *n, struct rb_node *parent, bool augmented)
{
	int l, r;

	if (!n)
		return 1;
	assert_ptr_equal(n->parent, parent);
	if (n->red) {
		assert_false(n->left && n->left->red);
		assert_false(n->right && n->right->red);
	}
	if (n->left)
		assert_true(item_of(n->left)->key <= item_of(n)->key);
	if (n->right)
		assert_true(item_of(n->right)->key >= item_of(n)->key);
	l = check(n->left, n, augmented);
	r = check(n->right, n, augmented);
	assert_int_equal(l, r);
	if (augmented) {
		u64 sum = item_of(n)->sum;

		update(n);
		assert_int_equal(sum, item_of(n)->sum);
	}
	return l + !n->red;
}

static void insert(struct item *i, rb_update_fn fn)
{
	struct rb_node **link = &root.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = i->key < item_of(parent)->key ? &parent->left : &parent->right;
	}
	rb_insert(&root, &i->node, parent, link, fn);
	i->in = true;
}

static void run(rb_update_fn fn)
{
	unsigned count = 0;

	root = RB_ROOT;
	memset(items, 0, sizeof items);
	srand(7);
	for (int step = 0; step < 4000; step++) {
		struct item *i = &items[rand() % N];

		if (i->in) {
			rb_erase(&root, &i->node, fn);
			i->in = false;
			count--;
		} else {
			i->key = (u32)rand() % 1000;
			i->weight = (u32)rand() % 100;
			insert(i, fn);
			count++;
		}
		if (root.node)
			assert_false(root.node->red);
		check(root.node, NULL, fn);
		if (step % 50 == 0) {
			unsigned seen = 0;
			struct rb_node *prev = NULL;

			for (struct rb_node *n = rb_first(&root); n; prev = n, n = rb_next(n), seen++)
				assert_ptr_equal(rb_prev(n), prev);
			assert_ptr_equal(rb_last(&root), prev);
			assert_int_equal(seen, count);
		}
	}
}

static void test_plain(void **state)
{
	run(NULL);
}

static void test_augmented(void **state)
{
	run(update);
}

UNIT_TESTS(test_plain, test_augmented)
