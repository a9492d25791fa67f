// SPDX-License-Identifier: BSD-2-Clause
/* Supplementary groups: getgroups(2), setgroups(2). A list is sorted, never changes once credentials hold it,
 * and is shared by them; it goes after them, so that it needs no grace period of its own. */
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

void groups_put(struct group_list *g)
{
	if (g && refcount_put(&g->ref))
		list_free(g);
}

bool group_list_has(const struct group_list *g, u32 gid)
{
	u32 low = 0, high = g->n;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (g->gid[mid] == gid)
			return true;
		if (g->gid[mid] < gid)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
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
	const struct group_list *g = current_cred()->groups;
	u32 n = g ? g->n : 0;

	if (size < 0 || (size && (u32)size < n))
		return -EINVAL;
	if (size && n && copy_to_app(list, g->gid, n * sizeof(u32)))
		return -EFAULT;
	return n;
}

SYSCALL_DEFINE2(setgroups, int, size, const u32 __app *, list)
{
	struct group_list *g = NULL;
	struct cred *new;
	int err;

	if (!process_capable(CAP_SETGID))
		return -EPERM;
	if (size < 0 || size > NGROUPS_MAX)
		return -EINVAL;
	if (size) {
		g = list_alloc((u32)size);
		if (!g)
			return -ENOMEM;
		err = -EFAULT;
		if (copy_from_app(g->gid, list, (size_t)size * sizeof(u32)))
			goto fail;
		list_sort(g->gid, g->n);
	}
	err = -ENOMEM;
	new = cred_prepare();
	if (!new)
		goto fail;
	groups_put(new->groups);
	new->groups = g;
	cred_commit(new);
	return 0;
fail:
	groups_put(g);
	return err;
}
