// SPDX-License-Identifier: BSD-2-Clause
/* System V shared memory: shmctl, and the table of /proc/sysvipc/shm. */
#include "sysv_shm.h"
#include "base/format.h"
#include "kernel/syscall.h"

static long segment_stat(struct segment *s, struct shmid64_ds __app *out)
{
	struct shmid64_ds ds;

	mutex_lock(&s->lock);
	ds = (struct shmid64_ds){
		.shm_perm = sysv_perm(&s->object),
		.shm_segsz = s->size,
		.shm_atime = (long)s->atime,
		.shm_dtime = (long)s->dtime,
		.shm_ctime = (long)s->ctime,
		.shm_cpid = (int)s->creator,
		.shm_lpid = (int)s->last,
		.shm_nattch = s->attached,
	};
	ds.shm_perm.mode |= (s->object.removed ? SHM_DEST : 0) | (s->locked ? SHM_LOCKED : 0);
	mutex_unlock(&s->lock);
	return copy_to_app(out, &ds, sizeof ds);
}

static long segment_rmid(struct segment *s)
{
	long err;

	mutex_lock(&s->lock);
	err = sysv_owner(&s->object);
	if (!err && !s->object.removed) {
		s->object.removed = true;
		mutex_lock(&shm_segments.lock);
		s->object.key = IPC_PRIVATE; /* no new user finds it */
		mutex_unlock(&shm_segments.lock);
		if (!s->attached)
			segment_destroy(s);
	}
	mutex_unlock(&s->lock);
	return err;
}

static long segment_set(struct segment *s, const struct shmid64_ds __app *in)
{
	struct shmid64_ds ds;
	long err;

	if (copy_from_app(&ds, in, sizeof ds))
		return -EFAULT;
	mutex_lock(&s->lock);
	err = sysv_owner(&s->object);
	if (!err) {
		sysv_set_perm(&s->object, &ds.shm_perm);
		s->ctime = seconds_now();
	}
	mutex_unlock(&s->lock);
	return err;
}

static long shm_limits(void __app *out)
{
	struct shminfo64 info = {
		.shmmax = SEGMENT_MAX,
		.shmmin = 1,
		.shmmni = SEGMENTS_MAX,
		.shmseg = SEGMENTS_MAX,
		.shmall = SEGMENT_MAX,
	};
	int highest = sysv_highest_index(&shm_segments);

	return copy_to_app(out, &info, sizeof info) ? -EFAULT : max(highest, 0);
}

static long shm_usage(void __app *out)
{
	struct shm_info info = {0};
	int highest = sysv_highest_index(&shm_segments);

	mutex_lock(&shm_segments.lock);
	info.used_ids = (int)shm_segments.used;
	info.shm_tot = shm_pages_total;
	mutex_unlock(&shm_segments.lock);
	info.shm_rss = info.shm_tot;
	return copy_to_app(out, &info, sizeof info) ? -EFAULT : max(highest, 0);
}

static long segment_control(struct segment *s, int cmd, void __app *arg)
{
	long err;

	switch (cmd) {
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		err = cmd == SHM_STAT_ANY ? 0 : sysv_permission(&s->object, 4);
		if (!err)
			err = segment_stat(s, arg);
		return err || cmd == IPC_STAT ? err : s->object.id;
	case IPC_SET:
		return segment_set(s, arg);
	case IPC_RMID:
		return segment_rmid(s);
	case SHM_LOCK:
	case SHM_UNLOCK:
		/* Shared memory is never written out: locked or not, it stays. */
		err = sysv_owner(&s->object);
		if (!err)
			s->locked = cmd == SHM_LOCK;
		return err;
	default:
		return -EINVAL;
	}
}

SYSCALL_DEFINE3(shmctl, int, id, int, cmd, void __app *, arg)
{
	struct sysv_object *o;
	long ret;

	if (cmd < 0 || id < 0)
		return -EINVAL;
	if (cmd == IPC_INFO)
		return shm_limits(arg);
	if (cmd == SHM_INFO)
		return shm_usage(arg);
	o = cmd == SHM_STAT || cmd == SHM_STAT_ANY ? sysv_get_index(&shm_segments, id)
						   : sysv_get(&shm_segments, id);
	if (!o)
		return -EINVAL;
	ret = segment_control(segment_of(o), cmd, arg);
	segment_put(segment_of(o));
	return ret;
}

size_t sysv_shm_text(char *buf, size_t size)
{
	struct sysv_object *o;
	unsigned index = 0;
	size_t n = (size_t)snprintf(
		buf, size,
		"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid"
		"      atime      dtime      ctime                   rss                  swap\n");

	while ((o = sysv_next(&shm_segments, &index))) {
		struct segment *s = segment_of(o);

		n += (size_t)snprintf(n < size ? buf + n : NULL, n < size ? size - n : 0,
				      "%10d %10d  %4o %21llu %5u %5u  %5llu %5u %5u %5u %5u %10llu %10llu "
				      "%10llu %21llu %21u\n",
				      o->key, o->id, o->mode, (unsigned long long)s->size, s->creator,
				      s->last, (unsigned long long)s->attached, o->uid, o->gid, o->cuid,
				      o->cgid, (unsigned long long)s->atime, (unsigned long long)s->dtime,
				      (unsigned long long)s->ctime,
				      (unsigned long long)ALIGN_UP(s->size, PAGE_SIZE), 0);
		segment_put(s);
	}
	return n;
}
