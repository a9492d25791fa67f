/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files: making them, counting their references, and the kernel's own I/O on them.
 *
 * A struct file is freed after an RCU grace period, so that a descriptor look-up can take a reference without
 * a lock. The last reference releases in thread context, with no lock of the VFS held. */
#include "base/string.h"
#include "internal.h"
#include "kernel/counter.h"
#include <linux/inotify.h>

static DEFINE_COUNTER(vfs_file_nomem, "open files that could not be made for want of memory");

static struct slab_cache *file_cache;
static DEFINE_PER_CPU(s64, files_open); /* opened less closed on this CPU */

static struct slab_cache *files_slab(void)
{
	static DEFINE_MUTEX(init_lock);

	if (unlikely(!rcu_dereference(file_cache))) {
		mutex_lock(&init_lock);
		if (!file_cache)
			rcu_assign_pointer(file_cache,
					   slab_cache_create("file", sizeof(struct file), CACHE_LINE));
		mutex_unlock(&init_lock);
	}
	return file_cache;
}

struct file *file_alloc(u32 flags)
{
	struct slab_cache *cache = files_slab();
	struct file *f = cache ? slab_zalloc(cache) : NULL;

	if (!f) {
		counter_inc(&vfs_file_nomem);
		return NULL;
	}
	refcount_set(&f->ref, 1);
	f->flags = flags & ~(u32)O_CLOEXEC;
	mutex_init(&f->pos_lock);
	lock_may_nest(&f->pos_lock); /* by address: syscalls_splice.c */
	list_init(&f->epoll_items);
	spin_init(&f->epoll_lock);
	this_cpu(files_open)++;
	return f;
}

struct file *file_create_anon(const char *name, const struct file_ops *ops, void *priv, u32 flags)
{
	static _Atomic u64 next_id = 1;
	struct file *f = file_alloc(flags);

	if (!f)
		return ERR_PTR(-ENOMEM);
	f->ops = ops;
	f->priv = priv;
	f->anon_name = name;
	f->anon_id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
	return f;
}

static void file_free_rcu(struct rcu_head *head)
{
	slab_free(file_cache, container_of(head, struct file, rcu));
}

void file_get(struct file *f)
{
	refcount_get(&f->ref);
}

static void file_release(struct file *f)
{
	if (f->path.dentry && !(f->flags & O_PATH))
		notify_dentry(f->path.dentry, file_writable(f) ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	if (!list_empty(&f->epoll_items))
		epoll_file_released(f);
	lease_release(f); /* before its owner goes, who may just be told */
	sigio_released(f);
	locks_remove_file(f);
	if (f->ops && f->ops->release)
		f->ops->release(f);
	if (f->read_counted)
		atomic_fetch_sub_explicit(&f->path.dentry->inode->readers, 1, memory_order_relaxed);
	if (f->write_counted) {
		inode_put_write(f->path.dentry->inode);
		atomic_fetch_sub_explicit(&f->path.mnt->writers, 1, memory_order_relaxed);
	}
	if (f->inode && f->inode != (f->path.dentry ? f->path.dentry->inode : NULL))
		inode_put(f->inode);
	if (f->path.dentry)
		path_put(&f->path);
	this_cpu(files_open)--;
	rcu_call(&f->rcu, file_free_rcu);
}

void file_put(struct file *f)
{
	if (refcount_put(&f->ref))
		file_release(f);
}

u64 vfs_files_total(void)
{
	s64 n = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		n += READ_ONCE(*per_cpu_ptr(&files_open, cpu));
	return (u64)max(n, 0l);
}

ssize_t file_read(struct file *f, void *buf, size_t n, u64 *pos)
{
	struct iter it;

	iter_init_kernel(&it, buf, n);
	return file_read_iter(f, &it, pos);
}

ssize_t file_write(struct file *f, const void *buf, size_t n, u64 *pos)
{
	struct iter it;

	iter_init_kernel(&it, (void *)(uintptr_t)buf, n);
	return file_write_iter(f, &it, pos);
}

int file_truncate(struct file *f, u64 size)
{
	int err = inode_truncate(f->inode, size, false);

	file_contents_changed(f);
	return err;
}

u32 file_poll(struct file *f, struct poll_table *pt)
{
	if (!f->ops->poll)
		return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
	return f->ops->poll(f, pt);
}
