// SPDX-License-Identifier: BSD-2-Clause
/* System V shared memory: shmget, shmat, shmdt, shmctl.
 *
 * A segment is a shmem file. Each attach maps it through a file of its own, whose mapping operations are the
 * page cache's plus counting: the number of attachments follows mappings as they are split, copied by fork
 * and unmapped, and a segment that was removed lives until the last one goes. */
#include "sysv.h"
#include "base/format.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/syscall.h"
#include "kernel/vm.h"
#include <linux/mman.h>
#include <asm/shmbuf.h>

/* linux/shm.h needs libc's headers. */
#define SHM_RDONLY   010000
#define SHM_RND	     020000
#define SHM_REMAP    040000
#define SHM_EXEC     0100000
#define SHM_HUGETLB  04000
#define SHM_DEST     01000
#define SHM_LOCKED   02000
#define SHM_LOCK     11
#define SHM_UNLOCK   12
#define SHM_STAT     13
#define SHM_INFO     14
#define SHM_STAT_ANY 15
struct shm_info {
	int used_ids;
	unsigned long shm_tot, shm_rss, shm_swp, swap_attempts, swap_successes;
};

#define SEGMENTS_MAX 4096
#define SEGMENT_MAX  (~0ull - (1ull << 24))

struct segment {
	struct sysv_object object;
	struct mutex lock; /* guards what follows and the object's fields */
	struct file *file;
	u64 size;		 /* bytes, as asked for */
	u64 atime, dtime, ctime; /* seconds */
	u32 creator, last;	 /* processes */
	u64 attached;
	bool locked;
};

static SYSV_TABLE(segments, SEGMENTS_MAX);
static u64 pages_total; /* of all segments; guarded by segments.lock */

static u64 seconds_now(void)
{
	return clock_realtime() / NSEC_PER_SEC;
}

static struct segment *segment_of(struct sysv_object *o)
{
	return container_of(o, struct segment, object);
}

static void segment_put(struct segment *s)
{
	if (!refcount_put(&s->object.ref))
		return;
	file_put(s->file);
	kfree(s);
}

/* Take the segment out of the table. With its lock held; the caller has a reference of its own. */
static void segment_destroy(struct segment *s)
{
	mutex_lock(&segments.lock);
	sysv_remove(&segments, &s->object);
	pages_total -= DIV_ROUND_UP(s->size, PAGE_SIZE);
	mutex_unlock(&segments.lock);
	segment_put(s);
}

/* Mappings */

static struct segment *segment_of_vma(const struct vma *v)
{
	return v->file->priv;
}

static void segment_attached(struct segment *s)
{
	mutex_lock(&s->lock);
	s->attached++;
	s->atime = seconds_now();
	s->last = current_process()->pid;
	mutex_unlock(&s->lock);
}

static void shm_vma_open(struct vma *v)
{
	segment_attached(segment_of_vma(v));
	if (pagecache_vm_ops.open)
		pagecache_vm_ops.open(v);
}

static void shm_vma_close(struct vma *v)
{
	struct segment *s = segment_of_vma(v);

	if (pagecache_vm_ops.close)
		pagecache_vm_ops.close(v);
	mutex_lock(&s->lock);
	s->attached--;
	s->dtime = seconds_now();
	s->last = current_process()->pid;
	if (!s->attached && s->object.removed)
		segment_destroy(s); /* the file of V still holds a reference */
	mutex_unlock(&s->lock);
}

static int shm_vma_fault(struct vm_fault *f)
{
	return pagecache_vm_ops.fault(f);
}

static int shm_vma_mkwrite(struct vm_fault *f)
{
	return pagecache_vm_ops.page_mkwrite ? pagecache_vm_ops.page_mkwrite(f) : 0;
}

static const struct vm_ops shm_vm_ops = {
	.fault = shm_vma_fault,
	.page_mkwrite = shm_vma_mkwrite,
	.open = shm_vma_open,
	.close = shm_vma_close,
};

static int shm_mmap(struct file *f, struct vma *v)
{
	int err = pagecache_file_mmap(f, v);

	if (err)
		return err;
	v->ops = &shm_vm_ops;
	segment_attached(f->priv);
	return 0;
}

static void shm_release(struct file *f)
{
	segment_put(f->priv);
}

static const struct file_ops shm_file_ops = {.mmap = shm_mmap, .release = shm_release};

/* A file to map S through, once. ERR_PTR. */
static struct file *attach_file(struct segment *s, u32 flags)
{
	struct file *f = file_create_anon("SYSV", &shm_file_ops, s, flags);

	if (IS_ERR(f))
		return f;
	f->path = s->file->path;
	path_get(&f->path);
	f->inode = s->file->inode;
	refcount_get(&s->object.ref);
	return f;
}

/* shmget */

static long segment_create(int key, size_t size, int flags)
{
	char name[16];
	struct segment *s;
	int err;

	if (!size || size > SEGMENT_MAX)
		return -EINVAL;
	if (flags & SHM_HUGETLB)
		return -ENOMEM; /* the pool of huge pages serves MAP_HUGETLB only */
	s = kzalloc(sizeof *s);
	if (!s)
		return -ENOMEM;
	mutex_init(&s->lock);
	snprintf(name, sizeof name, "SYSV%08x", (unsigned)key);
	s->file = shmem_file_create(name, ALIGN_UP(size, PAGE_SIZE), 0);
	if (IS_ERR(s->file)) {
		err = (int)PTR_ERR(s->file);
		kfree(s);
		return err;
	}
	s->size = size;
	s->ctime = seconds_now();
	s->creator = current_process()->pid;
	err = sysv_insert(&segments, &s->object, key, (u32)flags);
	if (err) {
		file_put(s->file);
		kfree(s);
		return err;
	}
	pages_total += DIV_ROUND_UP(size, PAGE_SIZE);
	return s->object.id;
}

SYSCALL_DEFINE3(shmget, int, key, size_t, size, int, flags)
{
	struct sysv_object *o;
	long ret;

	mutex_lock(&segments.lock);
	o = sysv_open(&segments, key, flags);
	if (IS_ERR(o)) {
		ret = PTR_ERR(o);
	} else if (!o) {
		ret = segment_create(key, size, flags);
	} else {
		ret = size > segment_of(o)->size ? -EINVAL : o->id;
	}
	mutex_unlock(&segments.lock);
	if (o && !IS_ERR(o))
		segment_put(segment_of(o));
	return ret;
}

/* shmat and shmdt */

static long attach(struct segment *s, u64 addr, int flags)
{
	u32 prot = PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) | (flags & SHM_EXEC ? PROT_EXEC : 0),
	    map = MAP_SHARED;
	struct file *f;
	bool removed;
	long ret;

	if (addr) {
		if (addr % PAGE_SIZE && !(flags & SHM_RND))
			return -EINVAL;
		addr = ALIGN_DOWN(addr, PAGE_SIZE);
		if (!addr && flags & SHM_REMAP)
			return -EINVAL;
		map |= flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	} else if (flags & SHM_REMAP) {
		return -EINVAL;
	}
	ret = sysv_permission(&s->object, flags & SHM_RDONLY ? 4 : 6);
	if (ret)
		return ret;
	mutex_lock(&s->lock);
	removed = s->object.removed && !s->attached;
	mutex_unlock(&s->lock);
	if (removed)
		return -EIDRM;
	f = attach_file(s, flags & SHM_RDONLY ? O_RDONLY : O_RDWR);
	if (IS_ERR(f))
		return PTR_ERR(f);
	ret = vm_mmap(current->vm, addr, s->size, prot, map, f, 0);
	file_put(f); /* the mapping has its own reference */
	return ret == -EEXIST ? -EINVAL : ret;
}

SYSCALL_DEFINE3(shmat, int, id, u64, addr, int, flags)
{
	struct sysv_object *o = sysv_get(&segments, id);
	long ret;

	if (!o)
		return -EINVAL;
	ret = attach(segment_of(o), addr, flags);
	segment_put(segment_of(o));
	return ret;
}

/* The next piece at or above *CURSOR of the attachment that begins at ADDR; FILE is set by the first. */
static bool attachment_piece(struct vmspace *vm, u64 addr, u64 *cursor, struct file **file, u64 *start,
			     u64 *end)
{
	struct vma *v;
	bool found = false;

	rwlock_read_lock(&vm->lock);
	for (v = vma_find(vm, *cursor); v && !found; v = vma_next(v)) {
		if (v->ops != &shm_vm_ops || v->start - (v->pgoff << PAGE_SHIFT) != addr ||
		    (*file && v->file != *file)) {
			if (v->start > addr + SEGMENT_MAX)
				break;
			continue;
		}
		if (!*file) {
			*file = v->file;
			file_get(*file);
		}
		*start = v->start;
		*end = v->end;
		*cursor = v->end;
		found = true;
	}
	rwlock_read_unlock(&vm->lock);
	return found;
}

SYSCALL_DEFINE1(shmdt, u64, addr)
{
	u64 cursor = addr, start, end;
	struct file *f = NULL;
	long ret = -EINVAL;

	if (addr % PAGE_SIZE)
		return -EINVAL;
	while (attachment_piece(current->vm, addr, &cursor, &f, &start, &end)) {
		ret = vm_munmap(current->vm, start, end - start);
		if (ret)
			break;
	}
	if (f)
		file_put(f);
	return ret;
}

/* shmctl */

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
		mutex_lock(&segments.lock);
		s->object.key = IPC_PRIVATE; /* no new user finds it */
		mutex_unlock(&segments.lock);
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
	int highest = sysv_highest_index(&segments);

	return copy_to_app(out, &info, sizeof info) ? -EFAULT : max(highest, 0);
}

static long shm_usage(void __app *out)
{
	struct shm_info info = {0};
	int highest = sysv_highest_index(&segments);

	mutex_lock(&segments.lock);
	info.used_ids = (int)segments.used;
	info.shm_tot = pages_total;
	mutex_unlock(&segments.lock);
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
	o = cmd == SHM_STAT || cmd == SHM_STAT_ANY ? sysv_get_index(&segments, id) : sysv_get(&segments, id);
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

	while ((o = sysv_next(&segments, &index))) {
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
