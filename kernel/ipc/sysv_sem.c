// SPDX-License-Identifier: BSD-2-Clause
/* System V semaphores: semget, semop, semtimedop, semctl, and SEM_UNDO.
 *
 * A call's operations happen all at once or not at all. A caller that must wait is put on the set's list with
 * its operations, and whoever changes the set carries them out for the sleepers that can go on, in the order
 * of their arrival: nobody is starved, and a woken caller has nothing left to try. The set's lock guards
 * everything in it. */
#include "sysv.h"
#include "base/format.h"
#include "kernel/syscall.h"
#include <linux/sem.h>

#define SETS_MAX   32000
#define SET_SIZE   32000 /* semaphores in one set */
#define OPS_MAX	   500	 /* operations in one call */
#define VALUE_MAX  32767
#define INLINE_OPS 16

struct sem {
	int value;
	u32 pid; /* of the last operation */
};

struct sem_undo {	       /* what a process's exit gives back */
	struct list_head node; /* set->undos */
	struct process *proc;  /* only compared */
	s16 adjust[];
};

struct sem_waiter {
	struct list_head node;
	struct waitq waitq;
	struct process *proc;
	const struct sembuf *ops;
	unsigned nops;
	struct sem_undo *undo; /* made before the sleep, when an operation asks for it */
	const struct sembuf *blocking;
	int result; /* 1 while it waits */
};

struct sem_set {
	struct sysv_object object;
	struct mutex lock; /* guards all below and the object's fields */
	struct list_head waiters, undos;
	u64 otime, ctime; /* seconds */
	unsigned n;
	struct sem sems[];
};

static SYSV_TABLE(sets, SETS_MAX);
static _Atomic u32 undo_count; /* in all sets: exit has nothing to do while it is zero */

static u64 seconds_now(void)
{
	return clock_realtime() / NSEC_PER_SEC;
}

static struct sem_set *set_of(struct sysv_object *o)
{
	return container_of(o, struct sem_set, object);
}

static void set_free_undos(struct sem_set *s)
{
	struct sem_undo *u, *next;

	list_for_each_entry_safe (u, next, &s->undos, node) {
		list_del(&u->node);
		kfree(u);
		undo_count--;
	}
}

static void set_put(struct sem_set *s)
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

static void waiter_finish(struct sem_waiter *w, int result)
{
	list_del_init(&w->node);
	WRITE_ONCE(w->result, result);
	waitq_wake_all(&w->waitq); /* the lock keeps W until the wake is done: see semop_wait */
}

/* The set changed: carry out what sleepers wait for, until nobody can go on. */
static void set_update(struct sem_set *s)
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
	o = sysv_get(&sets, id);
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
	while ((o = sysv_next(&sets, &index))) {
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
	err = sysv_insert(&sets, &s->object, key, (u32)flags);
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
	mutex_lock(&sets.lock);
	o = sysv_open(&sets, key, flags);
	if (IS_ERR(o))
		ret = PTR_ERR(o);
	else if (!o)
		ret = set_create(key, n, flags);
	else
		ret = (unsigned)n > set_of(o)->n ? -EINVAL : o->id;
	mutex_unlock(&sets.lock);
	if (o && !IS_ERR(o))
		set_put(set_of(o));
	return ret;
}

/* semctl */

static void undo_clear(struct sem_set *s, unsigned i)
{
	struct sem_undo *u;

	list_for_each_entry (u, &s->undos, node)
		u->adjust[i] = 0;
}

static long set_value(struct sem_set *s, unsigned i, int value)
{
	if (value < 0 || value > VALUE_MAX)
		return -ERANGE;
	s->sems[i].value = value;
	s->sems[i].pid = current_process()->pid;
	s->ctime = seconds_now();
	undo_clear(s, i);
	set_update(s);
	return 0;
}

static long count_waiters(struct sem_set *s, unsigned i, bool for_zero)
{
	struct sem_waiter *w;
	long n = 0;

	list_for_each_entry (w, &s->waiters, node)
		n += w->blocking->sem_num == i && (w->blocking->sem_op == 0) == for_zero;
	return n;
}

static long semctl_one(struct sem_set *s, int num, int cmd, unsigned long arg)
{
	struct sem *sem;
	long err;

	if (num < 0 || (unsigned)num >= s->n)
		return -EINVAL;
	err = sysv_permission(&s->object, cmd == SETVAL ? 2 : 4);
	if (err)
		return err;
	sem = &s->sems[num];
	switch (cmd) {
	case GETVAL:
		return sem->value;
	case GETPID:
		return sem->pid;
	case GETNCNT:
		return count_waiters(s, (unsigned)num, false);
	case GETZCNT:
		return count_waiters(s, (unsigned)num, true);
	default:
		return set_value(s, (unsigned)num, (int)arg);
	}
}

/* GETALL and SETALL: VALUES has room for all. With the lock held. */
static long semctl_all(struct sem_set *s, bool set, u16 *values)
{
	long err = sysv_permission(&s->object, set ? 2 : 4);

	if (err)
		return err;
	if (!set) {
		for (unsigned i = 0; i < s->n; i++)
			values[i] = (u16)s->sems[i].value;
		return 0;
	}
	for (unsigned i = 0; i < s->n; i++)
		if (values[i] > VALUE_MAX)
			return -ERANGE;
	for (unsigned i = 0; i < s->n; i++) {
		s->sems[i].value = values[i];
		s->sems[i].pid = current_process()->pid;
		undo_clear(s, i);
	}
	s->ctime = seconds_now();
	set_update(s);
	return 0;
}

static long semctl_array(struct sem_set *s, int cmd, u16 __app *array)
{
	size_t size = s->n * sizeof(u16); /* never changes */
	u16 *values = scratch_alloc(size);
	long ret = -ENOMEM;

	if (!values)
		return -ENOMEM;
	ret = cmd == SETALL ? copy_from_app(values, array, size) : 0;
	if (!ret) {
		mutex_lock(&s->lock);
		ret = s->object.removed ? -EIDRM : semctl_all(s, cmd == SETALL, values);
		mutex_unlock(&s->lock);
	}
	if (!ret && cmd == GETALL)
		ret = copy_to_app(array, values, size);
	scratch_free(values, size);
	return ret;
}

static long set_stat(struct sem_set *s, int cmd, struct semid64_ds __app *out)
{
	struct semid64_ds ds = {0};
	long err;

	mutex_lock(&s->lock);
	err = cmd == SEM_STAT_ANY ? 0 : sysv_permission(&s->object, 4);
	ds.sem_perm = sysv_perm(&s->object);
	ds.sem_otime = (long)s->otime;
	ds.sem_ctime = (long)s->ctime;
	ds.sem_nsems = s->n;
	mutex_unlock(&s->lock);
	if (!err)
		err = copy_to_app(out, &ds, sizeof ds);
	return err || cmd == IPC_STAT ? err : s->object.id;
}

static long set_change(struct sem_set *s, const struct semid64_ds __app *in)
{
	struct semid64_ds ds;
	long err;

	if (copy_from_app(&ds, in, sizeof ds))
		return -EFAULT;
	mutex_lock(&s->lock);
	err = sysv_owner(&s->object);
	if (!err) {
		sysv_set_perm(&s->object, &ds.sem_perm);
		s->ctime = seconds_now();
	}
	mutex_unlock(&s->lock);
	return err;
}

static long set_rmid(struct sem_set *s)
{
	struct sem_waiter *w, *next;
	bool removed = false;
	long err;

	mutex_lock(&s->lock);
	err = sysv_owner(&s->object);
	if (!err && !s->object.removed) {
		removed = s->object.removed = true;
		mutex_lock(&sets.lock);
		sysv_remove(&sets, &s->object);
		mutex_unlock(&sets.lock);
		list_for_each_entry_safe (w, next, &s->waiters, node)
			waiter_finish(w, -EIDRM);
		set_free_undos(s);
	}
	mutex_unlock(&s->lock);
	if (removed)
		set_put(s);
	return err;
}

static long sem_limits(int cmd, void __app *out)
{
	struct seminfo info = {
		.semmap = SETS_MAX * SET_SIZE,
		.semmni = SETS_MAX,
		.semmns = SETS_MAX * SET_SIZE,
		.semmnu = SETS_MAX * SET_SIZE,
		.semmsl = SET_SIZE,
		.semopm = OPS_MAX,
		.semume = OPS_MAX,
		.semusz = 20,
		.semvmx = VALUE_MAX,
		.semaem = VALUE_MAX,
	};
	int highest = sysv_highest_index(&sets);

	if (cmd == SEM_INFO) {
		struct sysv_object *o;
		unsigned index = 0;

		info.semusz = info.semaem = 0;
		while ((o = sysv_next(&sets, &index))) {
			info.semusz++;
			info.semaem += (int)set_of(o)->n;
			set_put(set_of(o));
		}
	}
	return copy_to_app(out, &info, sizeof info) ? -EFAULT : max(highest, 0);
}

static long semctl_set(struct sem_set *s, int num, int cmd, unsigned long arg)
{
	long ret;

	switch (cmd) {
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT:
	case SETVAL:
		mutex_lock(&s->lock);
		ret = s->object.removed ? -EIDRM : semctl_one(s, num, cmd, arg);
		mutex_unlock(&s->lock);
		return ret;
	case GETALL:
	case SETALL:
		return semctl_array(s, cmd, (u16 __app *)arg);
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		return set_stat(s, cmd, (struct semid64_ds __app *)arg);
	case IPC_SET:
		return set_change(s, (const struct semid64_ds __app *)arg);
	case IPC_RMID:
		return set_rmid(s);
	default:
		return -EINVAL;
	}
}

SYSCALL_DEFINE4(semctl, int, id, int, num, int, cmd, unsigned long, arg)
{
	struct sysv_object *o;
	long ret;

	if (id < 0)
		return -EINVAL;
	if (cmd == IPC_INFO || cmd == SEM_INFO)
		return sem_limits(cmd, (void __app *)arg);
	o = cmd == SEM_STAT || cmd == SEM_STAT_ANY ? sysv_get_index(&sets, id) : sysv_get(&sets, id);
	if (!o)
		return -EINVAL;
	ret = semctl_set(set_of(o), num, cmd, arg);
	set_put(set_of(o));
	return ret;
}

size_t sysv_sem_text(char *buf, size_t size)
{
	struct sysv_object *o;
	unsigned index = 0;
	size_t n = (size_t)snprintf(
		buf, size,
		"       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");

	while ((o = sysv_next(&sets, &index))) {
		struct sem_set *s = set_of(o);

		n += (size_t)snprintf(n < size ? buf + n : NULL, n < size ? size - n : 0,
				      "%10d %10d  %4o %10u %5u %5u %5u %5u %10llu %10llu\n", o->key, o->id,
				      o->mode, s->n, o->uid, o->gid, o->cuid, o->cgid,
				      (unsigned long long)s->otime, (unsigned long long)s->ctime);
		set_put(s);
	}
	return n;
}
