// SPDX-License-Identifier: BSD-2-Clause
/* System V semaphores: semget, semop, semtimedop, and SEM_UNDO.
 *
 * A call's operations happen all at once or not at all. A caller that must wait is put on the set's list with
 * its operations, and whoever changes the set carries them out for the sleepers that can go on, in the order
 * of their arrival: nobody is starved, and a woken caller has nothing left to try. The set's lock guards
 * everything in it. */
#include "sysv_sem.h"
#include "kernel/syscall.h"

#define INLINE_OPS 16

SYSV_TABLE(sem_sets, SETS_MAX);
static _Atomic u32 undo_count; /* in all sets: exit has nothing to do while it is zero */

void set_free_undos(struct sem_set *s)
{
	struct sem_undo *u, *next;

	list_for_each_entry_safe (u, next, &s->undos, node) {
		list_del(&u->node);
		kfree(u);
		undo_count--;
	}
}

void set_put(struct sem_set *s)
{
	if (!refcount_put(&s->object.ref))
		return;
	set_free_undos(s);
	vfree(s);
}

/* Operations */

/* Carry out all of OPS, for process P. 0 done, 1 must wait (*BLOCKING tells for which), -EAGAIN, -ERANGE. */
static int ops_try(struct sem_set *s, const struct sembuf *ops, unsigned n, struct process *p,
		   struct sem_undo *undo, const struct sembuf **blocking)
{
	unsigned i;
	int err = 0;

	for (i = 0; i < n; i++) {
		struct sem *sem = &s->sems[ops[i].sem_num];
		int value = sem->value + ops[i].sem_op;

		if ((ops[i].sem_op == 0 && sem->value) || value < 0) {
			err = ops[i].sem_flg & IPC_NOWAIT ? -EAGAIN : 1;
			*blocking = &ops[i];
			break;
		}
		if (value > VALUE_MAX) {
			err = -ERANGE;
			break;
		}
		if (undo && ops[i].sem_flg & SEM_UNDO) {
			int adjust = undo->adjust[ops[i].sem_num] - ops[i].sem_op;

			if (adjust < -VALUE_MAX - 1 || adjust > VALUE_MAX) {
				err = -ERANGE;
				break;
			}
			undo->adjust[ops[i].sem_num] = (s16)adjust;
		}
		sem->value = value;
	}
	if (!err) {
		for (i = 0; i < n; i++)
			s->sems[ops[i].sem_num].pid = p->pid;
		s->otime = seconds_now();
		return 0;
	}
	while (i-- > 0) {
		s->sems[ops[i].sem_num].value -= ops[i].sem_op;
		if (undo && ops[i].sem_flg & SEM_UNDO)
			undo->adjust[ops[i].sem_num] = (s16)(undo->adjust[ops[i].sem_num] + ops[i].sem_op);
	}
	return err;
}

void waiter_finish(struct sem_waiter *w, int result)
{
	list_del_init(&w->node);
	WRITE_ONCE(w->result, result);
	waitq_wake_all(&w->waitq); /* the lock keeps W until the wake is done: see semop_wait */
}

void set_update(struct sem_set *s)
{
	struct sem_waiter *w, *next;
	bool again = true;

	while (again) {
		again = false;
		list_for_each_entry_safe (w, next, &s->waiters, node) {
			int r = ops_try(s, w->ops, w->nops, w->proc, w->undo, &w->blocking);

			if (r > 0)
				continue;
			waiter_finish(w, r);
			again = !r;
			if (again)
				break; /* the list may look different now */
		}
	}
}

/* The process's adjustments in S, made at need. With the lock held. NULL on no memory. */
static struct sem_undo *undo_get(struct sem_set *s, struct process *p)
{
	struct sem_undo *u;

	WRITE_ONCE(p->semundo, true);
	list_for_each_entry (u, &s->undos, node)
		if (u->proc == p)
			return u;
	u = kzalloc(sizeof *u + s->n * sizeof u->adjust[0]);
	if (u) {
		u->proc = p;
		list_add(&u->node, &s->undos);
		undo_count++;
	}
	return u;
}

/* With the lock held, and held again on return. 0 or -errno. */
static int semop_wait(struct sem_set *s, struct sem_waiter *w, u64 deadline)
{
	int err;

	waitq_init(&w->waitq);
	w->result = 1;
	list_add_tail(&w->node, &s->waiters);
	mutex_unlock(&s->lock);
	err = wait_event_interruptible_until(&w->waitq, READ_ONCE(w->result) <= 0, deadline);
	mutex_lock(&s->lock);
	if (w->result <= 0)
		return w->result;
	list_del(&w->node);
	return err == -ETIMEDOUT ? -EAGAIN : -EINTR; /* never restarted */
}

static int semop_locked(struct sem_set *s, const struct sembuf *ops, unsigned n, u64 deadline)
{
	struct sem_waiter w = {.proc = current_process(), .ops = ops, .nops = n};
	bool undo = false, alters = false;
	int err;

	for (unsigned i = 0; i < n; i++) {
		if (ops[i].sem_num >= s->n)
			return -EFBIG;
		undo |= ops[i].sem_flg & SEM_UNDO;
		alters |= ops[i].sem_op != 0;
	}
	err = sysv_permission(&s->object, alters ? 2 : 4);
	if (err)
		return err;
	if (s->object.removed)
		return -EIDRM;
	if (undo) {
		w.undo = undo_get(s, w.proc);
		if (!w.undo)
			return -ENOMEM;
	}
	err = ops_try(s, ops, n, w.proc, w.undo, &w.blocking);
	if (err > 0)
		return semop_wait(s, &w, deadline);
	if (!err && alters)
		set_update(s);
	return err;
}

static long semop_common(int id, const struct sembuf __app *app_ops, size_t n, u64 deadline)
{
	struct sembuf inline_ops[INLINE_OPS], *ops = inline_ops;
	struct sysv_object *o;
	long ret;

	if (!n || id < 0)
		return -EINVAL;
	if (n > OPS_MAX)
		return -E2BIG;
	if (n > INLINE_OPS)
		ops = kcalloc(n, sizeof *ops);
	if (!ops)
		return -ENOMEM;
	ret = copy_from_app(ops, app_ops, n * sizeof *ops);
	if (ret)
		goto out;
	ret = -EINVAL;
	o = sysv_get(&sem_sets, id);
	if (!o)
		goto out;
	mutex_lock(&set_of(o)->lock);
	ret = semop_locked(set_of(o), ops, (unsigned)n, deadline);
	mutex_unlock(&set_of(o)->lock);
	set_put(set_of(o));
out:
	if (ops != inline_ops)
		kfree(ops);
	return ret;
}

SYSCALL_DEFINE3(semop, int, id, const struct sembuf __app *, ops, size_t, n)
{
	return semop_common(id, ops, n, NO_TIMEOUT);
}

SYSCALL_DEFINE4(semtimedop, int, id, const struct sembuf __app *, ops, size_t, n,
		const struct __kernel_timespec __app *, timeout)
{
	struct __kernel_timespec ts;
	u64 deadline = NO_TIMEOUT;

	if (timeout) {
		if (get_app(ts, timeout))
			return -EFAULT;
		if (!timespec_valid(&ts))
			return -EINVAL;
		deadline = clock_monotonic() + timespec_to_ns(&ts);
	}
	return semop_common(id, ops, n, deadline);
}

void sysv_sem_exit(struct process *p)
{
	struct sysv_object *o;
	unsigned index = 0;

	if (!undo_count)
		return;
	while ((o = sysv_next(&sem_sets, &index))) {
		struct sem_set *s = set_of(o);
		struct sem_undo *u, *next;

		mutex_lock(&s->lock);
		list_for_each_entry_safe (u, next, &s->undos, node) {
			if (u->proc != p)
				continue;
			for (unsigned i = 0; i < s->n; i++) {
				if (!u->adjust[i])
					continue;
				s->sems[i].value = clamp(s->sems[i].value + u->adjust[i], 0, VALUE_MAX);
				s->sems[i].pid = p->pid;
			}
			list_del(&u->node);
			kfree(u);
			undo_count--;
			set_update(s);
		}
		mutex_unlock(&s->lock);
		set_put(s);
	}
}

/* semget */

static long set_create(int key, int n, int flags)
{
	struct sem_set *s;
	int err;

	if (n <= 0 || n > SET_SIZE)
		return -EINVAL;
	s = vmalloc(sizeof *s + (size_t)n * sizeof s->sems[0]);
	if (!s)
		return -ENOMEM;
	memset(s, 0, sizeof *s + (size_t)n * sizeof s->sems[0]);
	mutex_init(&s->lock);
	list_init(&s->waiters);
	list_init(&s->undos);
	s->n = (unsigned)n;
	s->ctime = seconds_now();
	err = sysv_insert(&sem_sets, &s->object, key, (u32)flags);
	if (err) {
		vfree(s);
		return err;
	}
	return s->object.id;
}

SYSCALL_DEFINE3(semget, int, key, int, n, int, flags)
{
	struct sysv_object *o;
	long ret;

	if (n < 0 || n > SET_SIZE)
		return -EINVAL;
	mutex_lock(&sem_sets.lock);
	o = sysv_open(&sem_sets, key, flags);
	if (IS_ERR(o))
		ret = PTR_ERR(o);
	else if (!o)
		ret = set_create(key, n, flags);
	else
		ret = (unsigned)n > set_of(o)->n ? -EINVAL : o->id;
	mutex_unlock(&sem_sets.lock);
	if (o && !IS_ERR(o))
		set_put(set_of(o));
	return ret;
}
