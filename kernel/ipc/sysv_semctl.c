// SPDX-License-Identifier: BSD-2-Clause
/* System V semaphores: semctl, and the table of /proc/sysvipc/sem. */
#include "sysv_sem.h"
#include "base/format.h"
#include "kernel/syscall.h"

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
		mutex_lock(&sem_sets.lock);
		sysv_remove(&sem_sets, &s->object);
		mutex_unlock(&sem_sets.lock);
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
	int highest = sysv_highest_index(&sem_sets);

	if (cmd == SEM_INFO) {
		struct sysv_object *o;
		unsigned index = 0;

		info.semusz = info.semaem = 0;
		while ((o = sysv_next(&sem_sets, &index))) {
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
	o = cmd == SEM_STAT || cmd == SEM_STAT_ANY ? sysv_get_index(&sem_sets, id) : sysv_get(&sem_sets, id);
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

	while ((o = sysv_next(&sem_sets, &index))) {
		struct sem_set *s = set_of(o);

		n += (size_t)snprintf(n < size ? buf + n : NULL, n < size ? size - n : 0,
				      "%10d %10d  %4o %10u %5u %5u %5u %5u %10llu %10llu\n", o->key, o->id,
				      o->mode, s->n, o->uid, o->gid, o->cuid, o->cgid,
				      (unsigned long long)s->otime, (unsigned long long)s->ctime);
		set_put(s);
	}
	return n;
}
