/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing mapped data although nobody asks: every 30 seconds while there are mappings that may be stored to
 * (a program need never call msync), and when memory is short. One timer for all instances; it rests when
 * none has such mappings. */
#include "p9.h"
#include "kernel/clock.h"
#include "kernel/init.h"
#include "kernel/kthread.h"
#include "kernel/timer.h"

#define FLUSH_NS (30 * NSEC_PER_SEC)

static struct spinlock supers_lock;
static LIST_HEAD(supers); /* p9_super.node; guarded by supers_lock */
static struct timer timer;
static struct work work;

u64 p9_writeback_some(struct super *s)
{
	struct p9_super *ps = p9_super(s);
	u64 before = atomic_load_explicit(&ps->cleaned, memory_order_relaxed);

	(void)p9_sync(s);
	return atomic_load_explicit(&ps->cleaned, memory_order_relaxed) - before;
}

void p9_flusher_add(struct super *s)
{
	struct p9_super *ps = p9_super(s);

	ps->super = s;
	spin_lock(&supers_lock);
	list_add_tail(&ps->node, &supers);
	spin_unlock(&supers_lock);
}

void p9_flusher_remove(struct p9_super *ps)
{
	spin_lock(&supers_lock);
	list_del(&ps->node);
	spin_unlock(&supers_lock);
}

void p9_flusher_wake(void)
{
	if (!timer_pending(&timer))
		timer_set(&timer, clock_monotonic() + FLUSH_NS);
}

static void flush_all(struct work *w)
{
	unsigned n = 0;

	spin_lock(&supers_lock);
	list_for_each (at, &supers)
		n++;
	for (; n && !list_empty(&supers); n--) {
		struct p9_super *ps = list_first_entry(&supers, struct p9_super, node);
		struct super *s = ps->super;

		list_move_tail(&ps->node, &supers);
		if (list_empty(&ps->mapped) || !refcount_get_unless_zero(&s->active))
			continue;
		spin_unlock(&supers_lock);
		(void)p9_sync(s);
		if (!list_empty(&ps->mapped))
			p9_flusher_wake();
		super_put(s);
		spin_lock(&supers_lock);
	}
	spin_unlock(&supers_lock);
}

static void due(struct timer *t)
{
	work_queue(&work);
}

static int flusher_init(void)
{
	timer_init(&timer, due);
	work_init(&work, flush_all);
	return 0;
}
INITCALL(flusher_init, INIT_FS);
