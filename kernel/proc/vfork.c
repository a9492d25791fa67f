// SPDX-License-Identifier: BSD-2-Clause
/* CLONE_VFORK: the parent sleeps until its child lets go of the address space, by exec or at its end. The
 * object both look at is counted, because the parent may be killed first. */
#include "kernel/alloc.h"
#include "proc.h"

struct vfork_wait {
	struct refcount ref; /* parent and child */
	bool done;
	struct waitq waitq;
};

struct vfork_wait *vfork_begin(struct thread *child)
{
	struct vfork_wait *v = kzalloc(sizeof(*v));

	if (!v)
		return NULL;
	refcount_set(&v->ref, 2);
	waitq_init(&v->waitq);
	child->vfork_done = v;
	return v;
}

static void vfork_put(struct vfork_wait *v)
{
	if (refcount_put(&v->ref))
		kfree(v);
}

void vfork_sleep(struct vfork_wait *v)
{
	/* A fatal signal ends the wait; the child then goes on alone. */
	(void)wait_event_killable(&v->waitq, READ_ONCE(v->done));
	vfork_put(v);
}

void vfork_cancel(struct thread *child, struct vfork_wait *v)
{
	child->vfork_done = NULL;
	kfree(v);
}

void vfork_release(struct thread *t)
{
	struct vfork_wait *v = t->vfork_done;

	if (!v)
		return;
	t->vfork_done = NULL;
	WRITE_ONCE(v->done, true);
	waitq_wake_all(&v->waitq);
	vfork_put(v);
}
