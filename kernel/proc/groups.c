// SPDX-License-Identifier: BSD-2-Clause
/* Supplementary groups: getgroups(2), setgroups(2). A list is sorted, never changed once a process has it,
 * and shared by fork; readers use it under RCU. */
#include "kernel/alloc.h"
#include "kernel/syscall.h"
#include "proc.h"
#include <linux/capability.h>
#include <linux/limits.h>

#define HEAP_MOST KIB(32) /* larger lists come from vmalloc */

static size_t list_size(u32 n)
{
	return sizeof(struct group_list) + n * sizeof(u32);
}

static void list_free(struct group_list *g)
{
	if (list_size(g->n) > HEAP_MOST)
		vfree(g);
	else
		kfree(g);
}

static struct group_list *list_alloc(u32 n)
{
	struct group_list *g = list_size(n) > HEAP_MOST ? vmalloc(list_size(n)) : kmalloc(list_size(n));

	if (!g)
		return NULL;
	refcount_set(&g->ref, 1);
	g->n = n;
	return g;
}

static void list_free_rcu(struct rcu_head *head)
{
	list_free(container_of(head, struct group_list, rcu));
}

struct group_list *groups_get(struct process *p)
{
	struct group_list *g;

	rcu_read_lock();
	do
		g = rcu_dereference(p->groups);
	while (g && !refcount_get_unless_zero(&g->ref)); /* replaced just now */
	rcu_read_unlock();
	return g;
}

void groups_put(struct group_list *g)
{
	if (g && refcount_put(&g->ref))
		rcu_call(&g->rcu, list_free_rcu);
}

bool process_in_group(struct process *p, u32 gid)
{
	struct group_list *g;
	u32 low = 0, high;
	bool found = false;

	if (likely(!READ_ONCE(p->groups)))
		return false;
	rcu_read_lock();
	g = rcu_dereference(p->groups);
	for (high = g ? g->n : 0; low < high && !found;) {
		u32 mid = low + (high - low) / 2;

		found = g->gid[mid] == gid;
		if (g->gid[mid] < gid)
			low = mid + 1;
		else
			high = mid;
	}
	rcu_read_unlock();
	return found;
}

/* Heap sort: the list may be long, and comes from an application. */
static void sift(u32 *v, u32 at, u32 n)
{
	for (;;) {
		u32 child = 2 * at + 1, tmp;

		if (child >= n)
			return;
		if (child + 1 < n && v[child + 1] > v[child])
			child++;
		if (v[at] >= v[child])
			return;
		tmp = v[at];
		v[at] = v[child];
		v[child] = tmp;
		at = child;
	}
}

static void list_sort(u32 *v, u32 n)
{
	for (u32 i = n / 2; i-- > 0;)
		sift(v, i, n);
	while (n > 1) {
		u32 tmp = v[--n];

		v[n] = v[0];
		v[0] = tmp;
		sift(v, 0, n);
	}
}

SYSCALL_DEFINE2(getgroups, int, size, u32 __app *, list)
{
	struct group_list *g = groups_get(current->proc);
	u32 n = g ? g->n : 0;
	long ret = n;

	if (size < 0 || (size && (u32)size < n))
		ret = -EINVAL;
	else if (size && n && copy_to_app(list, g->gid, n * sizeof(u32)))
		ret = -EFAULT;
	groups_put(g);
	return ret;
}

SYSCALL_DEFINE2(setgroups, int, size, const u32 __app *, list)
{
	struct process *p = current->proc;
	struct group_list *new = NULL, *old;
	u64 flags;

	if (!process_capable(CAP_SETGID))
		return -EPERM;
	if (size < 0 || size > NGROUPS_MAX)
		return -EINVAL;
	if (size) {
		new = list_alloc((u32)size);
		if (!new)
			return -ENOMEM;
		if (copy_from_app(new->gid, list, (size_t)size * sizeof(u32))) {
			list_free(new);
			return -EFAULT;
		}
		list_sort(new->gid, new->n);
	}
	flags = spin_lock_irqsave(&p->lock);
	old = p->groups;
	rcu_assign_pointer(p->groups, new);
	spin_unlock_irqrestore(&p->lock, flags);
	groups_put(old);
	return 0;
}
