// SPDX-License-Identifier: BSD-2-Clause
/* Credentials as objects: kernel/cred.h tells how they are used. What they are read for without naming a
 * subsystem, signals above all, is here, too. */
#include "kernel/alloc.h"
#include "proc.h"
#include <linux/capability.h>

struct cred kernel_cred = {
	.ref = {1},
	.cap_permitted = CAP_ALL,
	.cap_effective = CAP_ALL,
	.cap_bounding = CAP_ALL,
};

u32 suid_dumpable;

struct cred *cred_copy(const struct cred *c)
{
	struct cred *new = kmalloc(sizeof(*new));

	if (!new)
		return NULL;
	*new = *c;
	refcount_set(&new->ref, 1);
	if (new->groups)
		refcount_get(&new->groups->ref);
	return new;
}

struct cred *cred_prepare(void)
{
	return cred_copy(current_cred());
}

static void cred_free(struct cred *c)
{
	groups_put(c->groups);
	kfree(c);
}

static void cred_free_rcu(struct rcu_head *head)
{
	cred_free(container_of(head, struct cred, rcu));
}

void cred_abort(struct cred *new)
{
	cred_free(new); /* nobody else ever saw it */
}

void cred_put(struct cred *c)
{
	if (c && refcount_put(&c->ref))
		rcu_call(&c->rcu, cred_free_rcu);
}

void cred_install(struct thread *t, struct cred *new)
{
	struct process *p = t->proc;
	struct cred *old = t->cred, *leaders = NULL;

	if (p->leader == t) { /* only this thread's own execve changes that */
		leaders = p->cred;
		rcu_assign_pointer(p->cred, cred_get(new));
	}
	rcu_assign_pointer(t->cred, new);
	cred_put(leaders);
	cred_put(old);
}

bool cred_rights_differ(const struct cred *old, const struct cred *new)
{
	return old->euid != new->euid || old->egid != new->egid || old->fsuid != new->fsuid ||
	       old->fsgid != new->fsgid || new->cap_permitted & ~old->cap_permitted;
}

void cred_commit(struct cred *new)
{
	/* What is in memory may be more than the new identity should see, and the parent's death is its own
	 * business again. */
	if (cred_rights_differ(current_cred(), new)) {
		current->proc->dumpable = (u8)suid_dumpable;
		current->pdeath_signal = 0;
	}
	cred_install(current, new);
}

/* The one that WHERE points to, with a reference. */
static struct cred *get_shared(struct cred **where)
{
	struct cred *c;

	rcu_read_lock();
	do
		c = rcu_dereference(*where);
	while (!refcount_get_unless_zero(&c->ref)); /* replaced just now */
	rcu_read_unlock();
	return c;
}

struct cred *thread_cred_get(struct thread *t)
{
	return get_shared(&t->cred);
}

struct cred *process_cred_get(struct process *p)
{
	return get_shared(&p->cred);
}

u32 process_uid(struct process *p)
{
	u32 uid;

	rcu_read_lock();
	uid = rcu_dereference(p->cred)->uid;
	rcu_read_unlock();
	return uid;
}

static bool may_signal(struct process *p, struct cred **cred)
{
	const struct cred *me = current_cred(), *c;
	bool may;

	if (p == current->proc || process_capable(CAP_KILL))
		return true;
	rcu_read_lock();
	c = rcu_dereference(*cred);
	may = me->euid == c->suid || me->euid == c->uid || me->uid == c->suid || me->uid == c->uid;
	rcu_read_unlock();
	return may;
}

bool process_may_signal(struct process *p)
{
	return may_signal(p, &p->cred);
}

bool thread_may_signal(struct thread *t)
{
	return may_signal(t->proc, &t->cred);
}
