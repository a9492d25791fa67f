// SPDX-License-Identifier: BSD-2-Clause
/* The parts of fs/ and kernel/proc/ that kernel/ipc leans on, as little as will do: one descriptor table,
 * anonymous files with an inode when asked for one, signals that are only counted. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fs/file.h"
#include "fs/vfs.h"
#include "host.h"
#include "ipc_shim.h"
#include "kernel/alloc.h"
#include "kernel/ipc.h"
#include "kernel/process.h"

#define MAX_FDS 4096

static pthread_mutex_t fd_lock = PTHREAD_MUTEX_INITIALIZER;
static struct file *fds[MAX_FDS];
static bool reserved[MAX_FDS];
_Atomic u32 ipc_sigpipes, ipc_files_live;
static _Atomic u64 next_id = 1;
static int file_table; /* what process.files points to: only its address counts */

__attribute__((constructor(103))) static void ipc_setup(void)
{
	current->files = (struct fdtable *)&file_table;
}

__weak s64 generic_file_seek(struct file *f, s64 off, int whence)
{
	return -ESPIPE;
}

__weak struct file *file_create_anon(const char *name, const struct file_ops *ops, void *priv, u32 flags)
{
	struct file *f = kzalloc(sizeof *f);

	if (!f)
		return ERR_PTR(-ENOMEM);
	refcount_set(&f->ref, 1);
	f->ops = ops;
	f->priv = priv;
	f->flags = flags;
	f->anon_name = name;
	f->anon_id = next_id++;
	mutex_init(&f->pos_lock);
	list_init(&f->epoll_items);
	ipc_files_live++;
	return f;
}

__weak struct inode *inode_alloc(struct super *s)
{
	struct inode *i = kzalloc(sizeof *i);

	if (!i)
		return NULL;
	i->super = s;
	refcount_set(&i->ref, 1);
	mutex_init(&i->lock);
	list_init(&i->watches);
	i->nlink = 1;
	return i;
}

__weak void inode_get(struct inode *i)
{
	refcount_get(&i->ref);
}

__weak void inode_put(struct inode *i)
{
	if (refcount_put(&i->ref))
		kfree(i);
}

struct dentry *ipc_dentry_make(struct inode *i)
{
	struct dentry *d = kzalloc(sizeof *d);

	if (!d)
		return NULL;
	refcount_set(&d->ref, 1);
	d->inode = i;
	return d;
}

__weak int file_set_anon_inode(struct file *f, u32 mode)
{
	struct inode *i = inode_alloc(NULL);
	struct dentry *d = i ? ipc_dentry_make(i) : NULL;

	if (!d) {
		kfree(i);
		return -ENOMEM;
	}
	i->mode = mode;
	f->inode = i;
	f->path.dentry = d;
	return 0;
}

__weak void path_get(struct path *p)
{
	refcount_get(&p->dentry->ref);
}

__weak void path_put(struct path *p)
{
	if (refcount_put(&p->dentry->ref)) {
		inode_put(p->dentry->inode);
		kfree(p->dentry);
	}
}

__weak void file_get(struct file *f)
{
	refcount_get(&f->ref);
}

__weak void file_put(struct file *f)
{
	if (!refcount_put(&f->ref))
		return;
	if (!list_empty(&f->epoll_items))
		epoll_file_released(f);
	if (f->ops && f->ops->release)
		f->ops->release(f);
	if (f->path.dentry)
		path_put(&f->path);
	kfree(f);
	ipc_files_live--;
}

__weak u32 file_poll(struct file *f, struct poll_table *pt)
{
	return f->ops->poll ? f->ops->poll(f, pt) : EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
}

__weak struct file *fd_get(int fd)
{
	struct file *f = NULL;

	pthread_mutex_lock(&fd_lock);
	if (fd >= 0 && fd < MAX_FDS)
		f = fds[fd];
	if (f)
		file_get(f);
	pthread_mutex_unlock(&fd_lock);
	return f;
}

__weak struct file *fd_get_raw(int fd)
{
	return fd_get(fd);
}

__weak int fd_reserve(int min, bool cloexec)
{
	int fd = -EMFILE;

	pthread_mutex_lock(&fd_lock);
	for (int i = min; i < MAX_FDS && fd < 0; i++)
		if (!fds[i] && !reserved[i])
			fd = i;
	if (fd >= 0)
		reserved[fd] = true;
	pthread_mutex_unlock(&fd_lock);
	return fd;
}

__weak void fd_install(int fd, struct file *f)
{
	pthread_mutex_lock(&fd_lock);
	fds[fd] = f;
	reserved[fd] = false;
	pthread_mutex_unlock(&fd_lock);
}

__weak void fd_release(int fd)
{
	pthread_mutex_lock(&fd_lock);
	reserved[fd] = false;
	pthread_mutex_unlock(&fd_lock);
}

__weak int fd_install_new(struct file *f, bool cloexec)
{
	int fd = fd_reserve(0, cloexec);

	if (fd >= 0)
		fd_install(fd, f);
	return fd;
}

__weak int fd_close(int fd)
{
	struct file *f = NULL;

	pthread_mutex_lock(&fd_lock);
	if (fd >= 0 && fd < MAX_FDS) {
		f = fds[fd];
		fds[fd] = NULL;
	}
	pthread_mutex_unlock(&fd_lock);
	if (!f)
		return -EBADF;
	file_put(f);
	return 0;
}

__weak unsigned fdtable_count(struct fdtable *t, unsigned *size)
{
	*size = MAX_FDS;
	return 0;
}

ssize_t ipc_read(int fd, void *buf, size_t n)
{
	struct file *f = fd_get(fd);
	ssize_t ret = -EBADF;
	struct iter it;
	u64 pos = 0;

	if (!f)
		return -EBADF;
	iter_init_app(&it, buf, n);
	if (file_readable(f))
		ret = f->ops->read ? f->ops->read(f, &it, &pos) : -EINVAL;
	file_put(f);
	return ret;
}

ssize_t ipc_write(int fd, const void *buf, size_t n)
{
	struct file *f = fd_get(fd);
	ssize_t ret = -EBADF;
	struct iter it;
	u64 pos = 0;

	if (!f)
		return -EBADF;
	iter_init_app(&it, (void *)(uintptr_t)buf, n);
	if (file_writable(f))
		ret = f->ops->write ? f->ops->write(f, &it, &pos) : -EINVAL;
	file_put(f);
	return ret;
}

/* kernel/ipc/epoll_ctl.c has the real one. */
__weak void epoll_file_released(struct file *f)
{
}

/* Signals and processes */

__weak void signal_sigpipe(void)
{
	ipc_sigpipes++;
}

__weak void signal_set_blocked(sigset mask)
{
	current->sig.blocked = mask;
}

__weak int signal_set_temporary_mask(const sigset *mask, size_t size)
{
	if (size != sizeof *mask)
		return -EINVAL;
	current->sig.saved_mask = current->sig.blocked;
	current->sig.blocked = *mask;
	thread_set_flag(current, THREAD_RESTORE_MASK);
	return 0;
}

int netlink_post(struct file *f, const void *data, size_t n);
__weak int netlink_post(struct file *f, const void *data, size_t n)
{
	return -EINVAL;
}

__weak u64 process_rlimit(int resource)
{
	return RLIM64_INFINITY;
}

__weak int inode_permission(struct inode *i, u32 mask)
{
	return 0;
}
