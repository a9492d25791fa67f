// SPDX-License-Identifier: BSD-2-Clause
/* Signal actions: one table for a process, or for several that CLONE_SIGHAND made share it. Its lock guards
 * the actions; whoever holds a process's lock may use process.sighand, which changes only under that lock. */
#include "kernel/alloc.h"
#include "proc.h"

struct sighand *sighand_create(void)
{
	struct sighand *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	refcount_set(&s->ref, 1);
	spin_init(&s->lock);
	return s;
}

struct sighand *sighand_copy(struct sighand *from)
{
	struct sighand *s = sighand_create();
	u64 flags;

	if (!s)
		return NULL;
	flags = spin_lock_irqsave(&from->lock);
	for (int i = 0; i < SIG_MAX; i++)
		s->action[i] = from->action[i];
	spin_unlock_irqrestore(&from->lock, flags);
	return s;
}

void sighand_get(struct sighand *s)
{
	refcount_get(&s->ref);
}

void sighand_put(struct sighand *s)
{
	if (refcount_put(&s->ref))
		kfree(s);
}

void sighand_reset(struct sighand *s)
{
	u64 flags = spin_lock_irqsave(&s->lock);

	for (int i = 0; i < SIG_MAX; i++) {
		u64 handler =
			s->action[i].handler == SIG_HANDLER_IGNORE ? SIG_HANDLER_IGNORE : SIG_HANDLER_DEFAULT;

		s->action[i] = (struct signal_action){.handler = handler};
	}
	spin_unlock_irqrestore(&s->lock, flags);
}

struct signal_action sighand_action(struct sighand *s, int sig)
{
	u64 flags = spin_lock_irqsave(&s->lock);
	struct signal_action a = s->action[sig - 1];

	spin_unlock_irqrestore(&s->lock, flags);
	return a;
}
