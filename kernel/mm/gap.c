// SPDX-License-Identifier: BSD-2-Clause
/* Finding room in an address space: the highest gap that fits, by the largest gap that each subtree of VMAs
 * knows. O(log n). vm->lock is held. */
#include "vm_internal.h"

static inline struct vma *vma_of(struct rb_node *n)
{
	return rb_entry(n, struct vma, node);
}

u64 vm_find_gap(struct vmspace *vm, u64 len, u64 low, u64 high, u64 align)
{
	u64 need = len + (align > PAGE_SIZE ? align - PAGE_SIZE : 0);
	struct rb_node *n = rb_last(&vm->tree);
	u64 top = n ? vma_of(n)->end : 0;

	if (high < low || high - low < len || need < len)
		return 0;
	/* Above everything. */
	top = max(top, low);
	if (top < high && high - top >= need)
		return ALIGN_DOWN(high - len, align);
	n = vm->tree.node;
	if (!n || vma_of(n)->max_gap < need)
		return 0;
	for (;;) {
		struct vma *v = vma_of(n);
		u64 from, to;

		/* Higher addresses first; the gaps there all begin at or above V's end. */
		if (n->right && vma_of(n->right)->max_gap >= need && v->end < high && high - v->end >= need) {
			n = n->right;
			continue;
		}
	self:
		v = vma_of(n);
		from = max(v->start - v->gap, low);
		to = min(v->start - v->gap + vma_usable_gap(v), high);
		if (from < to && to - from >= need)
			return ALIGN_DOWN(to - len, align);
		if (v->start - v->gap <= low)
			return 0; /* all that is left lies below */
		if (n->left && vma_of(n->left)->max_gap >= need) {
			n = n->left;
			continue;
		}
		for (;;) {
			struct rb_node *up = n->parent;
			bool was_right = up && up->right == n;

			if (!up)
				return 0;
			n = up;
			if (was_right)
				goto self;
		}
	}
}
