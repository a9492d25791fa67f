// SPDX-License-Identifier: BSD-2-Clause
/* Thread, process, group and session ids: one number space, one table.
 *
 * The table is direct-mapped in two levels, so that look-ups under RCU are two loads and iteration in numeric
 * order is a walk. Leaves are made on demand and never freed (at most 1 MiB in all). A number is reused only
 * when nothing uses it any more: each thread, and each member of a group or session of that number, counts as
 * one use. Numbers are handed out in rising order and wrap, as on Linux, so that a fresh one is not soon
 * mistaken for an old one. */
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "proc.h"

#define PID_LEAF_BITS 7
#define PID_LEAF_SIZE (1u << PID_LEAF_BITS)
#define PID_RESERVED  300 /* after a wrap, low numbers are left to the services that started first */

struct pid_slot {
	struct thread *thread;	 /* RCU */
	struct process *process; /* RCU: of this pid, zombies included */
	_Atomic u32 uses;
};

DEFINE_COUNTER(pid_exhausted, "clone failed because every id is in use");

static struct pid_slot *leaves[PID_MAX / PID_LEAF_SIZE]; /* RCU; written under pid_lock */
static struct spinlock pid_lock =
	SPINLOCK_INIT; /* guards allocation: last_id, new leaves, uses leaving zero */
static u32 last_id;
static u32 highest_id; /* no slot above was ever used */

static struct pid_slot *slot_of(u32 id)
{
	struct pid_slot *leaf;

	if (id == 0 || id >= PID_MAX)
		return NULL;
	leaf = rcu_dereference(leaves[id >> PID_LEAF_BITS]);
	return leaf ? &leaf[id & (PID_LEAF_SIZE - 1)] : NULL;
}

/* Claim ID if it is free. 1 claimed, 0 in use, -ENOMEM. pid_lock held. */
static int claim(u32 id)
{
	struct pid_slot *leaf = leaves[id >> PID_LEAF_BITS];
	struct pid_slot *s;

	if (!leaf) {
		leaf = kcalloc(PID_LEAF_SIZE, sizeof(*leaf));
		if (!leaf)
			return -ENOMEM;
		rcu_assign_pointer(leaves[id >> PID_LEAF_BITS], leaf);
	}
	s = &leaf[id & (PID_LEAF_SIZE - 1)];
	if (atomic_load_explicit(&s->uses, memory_order_acquire))
		return 0;
	atomic_store_explicit(&s->uses, 1, memory_order_relaxed);
	return 1;
}

int pid_alloc(void)
{
	int ret = -EAGAIN;
	u32 id;

	spin_lock(&pid_lock);
	id = last_id;
	for (u32 n = 0; n < PID_MAX; n++) {
		if (++id >= PID_MAX)
			id = PID_RESERVED;
		ret = claim(id);
		if (ret)
			break;
		ret = -EAGAIN;
	}
	if (ret > 0) {
		last_id = id;
		if (id > highest_id)
			WRITE_ONCE(highest_id, id);
		ret = (int)id;
	}
	spin_unlock(&pid_lock);
	if (ret == -EAGAIN)
		counter_inc(&pid_exhausted);
	return ret;
}

int pid_alloc_this(u32 id)
{
	int ret;

	spin_lock(&pid_lock);
	ret = claim(id);
	if (ret > 0 && id > highest_id)
		WRITE_ONCE(highest_id, id);
	spin_unlock(&pid_lock);
	return ret > 0 ? (int)id : ret ? ret : -EEXIST;
}

void pid_use(u32 id)
{
	struct pid_slot *s = slot_of(id);

	if (s)
		atomic_fetch_add_explicit(&s->uses, 1, memory_order_relaxed);
}

void pid_unuse(u32 id)
{
	struct pid_slot *s = slot_of(id);

	if (s)
		atomic_fetch_sub_explicit(&s->uses, 1, memory_order_release);
}

void pid_set_thread(u32 id, struct thread *t)
{
	rcu_assign_pointer(slot_of(id)->thread, t);
}

void pid_set_process(u32 id, struct process *p)
{
	rcu_assign_pointer(slot_of(id)->process, p);
}

struct thread *thread_find(u32 tid)
{
	struct thread *t = NULL;
	struct pid_slot *s;

	rcu_read_lock();
	s = slot_of(tid);
	if (s)
		t = rcu_dereference(s->thread);
	if (t && !refcount_get_unless_zero(&t->ref))
		t = NULL;
	rcu_read_unlock();
	return t;
}

struct process *process_find(u32 pid)
{
	struct process *p = NULL;
	struct pid_slot *s;

	rcu_read_lock();
	s = slot_of(pid);
	if (s)
		p = rcu_dereference(s->process);
	if (p && !refcount_get_unless_zero(&p->ref))
		p = NULL;
	rcu_read_unlock();
	return p;
}

struct process *process_next(u32 pid)
{
	u32 end = READ_ONCE(highest_id);

	for (u32 id = max(pid, 1u); id <= end; id++) {
		struct process *p;

		if (!slot_of(id)) {
			id |= PID_LEAF_SIZE - 1;
			continue;
		}
		p = process_find(id);
		if (p)
			return p;
	}
	return NULL;
}

struct thread *process_thread_next(struct process *p, u32 tid)
{
	u32 end = READ_ONCE(highest_id);

	for (u32 id = max(tid, 1u); id <= end; id++) {
		struct thread *t;

		if (!slot_of(id)) {
			id |= PID_LEAF_SIZE - 1;
			continue;
		}
		t = thread_find(id);
		if (t && t->proc == p)
			return t;
		if (t)
			thread_put(t);
	}
	return NULL;
}
