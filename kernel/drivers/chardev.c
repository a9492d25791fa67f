/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of character devices (kernel/console.h). It only grows, so readers walk it without the lock, which
 * guards additions. */

#include "base/err.h"
#include "base/string.h"
#include "kernel/console.h"

static LIST_HEAD(chardevs);
static struct spinlock lock;

struct chardev *chardev_next(struct chardev *prev)
{
	struct list_head *next = __atomic_load_n(prev ? &prev->node.next : &chardevs.next, __ATOMIC_ACQUIRE);

	return next == &chardevs ? NULL : list_entry(next, struct chardev, node);
}

struct chardev *chardev_find(const char *name)
{
	for (struct chardev *cd = chardev_next(NULL); cd; cd = chardev_next(cd))
		if (!strcmp(cd->name, name))
			return cd;
	return NULL;
}

int chardev_register(struct chardev *cd)
{
	u64 flags;

	waitq_init(&cd->waitq);
	flags = spin_lock_irqsave(&lock);
	if (chardev_find(cd->name)) {
		spin_unlock_irqrestore(&lock, flags);
		return -EEXIST;
	}
	cd->node.next = &chardevs;
	cd->node.prev = chardevs.prev;
	__atomic_store_n(&chardevs.prev->next, &cd->node, __ATOMIC_RELEASE);
	chardevs.prev = &cd->node;
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

void chardev_open(struct chardev *cd)
{
	if (!atomic_fetch_add(&cd->users, 1) && cd->ops->open)
		cd->ops->open(cd);
}

void chardev_close(struct chardev *cd)
{
	if (atomic_fetch_sub(&cd->users, 1) == 1 && cd->ops->close)
		cd->ops->close(cd);
}

void chardev_drain_all(void)
{
	for (struct chardev *cd = chardev_next(NULL); cd; cd = chardev_next(cd))
		if (cd->ops->drain)
			cd->ops->drain(cd);
}
