// SPDX-License-Identifier: BSD-2-Clause
/* System V shared memory: shmget, shmat, shmdt.
 *
 * A segment is a shmem file. Each attach maps it through a file of its own, whose mapping operations are the
 * page cache's plus counting: the number of attachments follows mappings as they are split, copied by fork
 * and unmapped, and a segment that was removed lives until the last one goes. */
#include "sysv_shm.h"
#include "base/format.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/syscall.h"
#include "kernel/vm.h"
#include <linux/mman.h>
#include <linux/capability.h>

SYSV_TABLE(shm_segments, SEGMENTS_MAX);
u64 shm_pages_total;

void segment_put(struct segment *s)
{
	if (!refcount_put(&s->object.ref))
		return;
	file_put(s->file);
	kfree(s);
}

void segment_destroy(struct segment *s)
{
	mutex_lock(&shm_segments.lock);
	sysv_remove(&shm_segments, &s->object);
	shm_pages_total -= DIV_ROUND_UP(s->size, PAGE_SIZE);
	mutex_unlock(&shm_segments.lock);
	segment_put(s);
}

/* Mappings */

static struct segment *segment_of_vma(const struct vma *v)
{
	return v->file->priv;
}

/* The operations of the mappings below. */
static const struct vm_ops *memory_ops(const struct vma *v)
{
	return v->file->inode->flags & INODE_HUGETLB ? &hugetlb_vm_ops : &pagecache_vm_ops;
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
	memory_ops(v)->open(v);
}

static void shm_vma_close(struct vma *v)
{
	struct segment *s = segment_of_vma(v);

	memory_ops(v)->close(v);
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
	return memory_ops(f->vma)->fault(f);
}

static const struct vm_ops shm_vm_ops = {
	.fault = shm_vma_fault,
	.open = shm_vma_open,
	.close = shm_vma_close,
};

static int shm_mmap(struct file *f, struct vma *v)
{
	int err = f->inode->fops->mmap(f, v);

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
	bool huge = flags & SHM_HUGETLB;
	unsigned shift;
	char name[16];
	struct segment *s;
	int err;

	if (!size || size > SEGMENT_MAX)
		return -EINVAL;
	shift = (unsigned)flags >> SHM_HUGE_SHIFT & SHM_HUGE_MASK;
	if (huge && shift && shift != HUGE_SHIFT)
		return -EINVAL;
	if (huge && !process_capable(CAP_IPC_LOCK) && !cred_in_group(current_cred(), 0))
		return -EPERM;
	s = kzalloc(sizeof *s);
	if (!s)
		return -ENOMEM;
	mutex_init(&s->lock);
	snprintf(name, sizeof name, "SYSV%08x", (unsigned)key);
	s->file = huge ? hugetlb_file_create(name, ALIGN_UP(size, HUGE_SIZE))
		       : shmem_file_create(name, ALIGN_UP(size, PAGE_SIZE), 0);
	if (IS_ERR(s->file)) {
		err = (int)PTR_ERR(s->file);
		kfree(s);
		return err;
	}
	err = huge ? hugetlb_file_reserve(s->file) : 0;
	if (err)
		goto fail;
	s->size = size;
	s->ctime = seconds_now();
	s->creator = current_process()->pid;
	err = sysv_insert(&shm_segments, &s->object, key, (u32)flags);
	if (err)
		goto fail;
	shm_pages_total += DIV_ROUND_UP(size, PAGE_SIZE);
	return s->object.id;
fail:
	file_put(s->file);
	kfree(s);
	return err;
}

SYSCALL_DEFINE3(shmget, int, key, size_t, size, int, flags)
{
	struct sysv_object *o;
	long ret;

	mutex_lock(&shm_segments.lock);
	o = sysv_open(&shm_segments, key, flags);
	if (IS_ERR(o)) {
		ret = PTR_ERR(o);
	} else if (!o) {
		ret = segment_create(key, size, flags);
	} else {
		ret = size > segment_of(o)->size ? -EINVAL : o->id;
	}
	mutex_unlock(&shm_segments.lock);
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
	struct sysv_object *o = sysv_get(&shm_segments, id);
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
	u64 cursor = addr, start = 0, end = 0;
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
