// SPDX-License-Identifier: BSD-2-Clause
/* inotify: the file, its queue of events, and the system calls. */
#include "inotify.h"
#include "base/format.h"
#include "kernel/counter.h"
#include "kernel/syscall.h"
#include <asm/ioctls.h>

#define NAME_ALIGN sizeof(struct inotify_event) /* names are padded to a multiple of it, as on Linux */

u32 inotify_max_queued = 16384;
u32 inotify_max_instances = 128;
u32 inotify_max_watches = 8192;

static _Atomic u32 instances;
static DEFINE_COUNTER(inotify_overflow, "inotify events lost because a queue was full");

static size_t padded_name(const struct inotify_queued *e)
{
	return e->name_len ? ALIGN_UP((size_t)e->name_len + 1, NAME_ALIGN) : 0;
}

static size_t event_size(const struct inotify_queued *e)
{
	return sizeof(struct inotify_event) + padded_name(e);
}

static bool event_same(const struct inotify_queued *a, const struct inotify_queued *b)
{
	return a->wd == b->wd && a->mask == b->mask && a->cookie == b->cookie && a->name_len == b->name_len &&
	       !memcmp(a->name, b->name, a->name_len);
}

/* With the lock held. True when E was taken over. */
static bool queue_append(struct inotify_group *g, struct inotify_queued *e)
{
	if (!e || g->nevents >= inotify_max_queued) {
		counter_inc(&inotify_overflow);
		if (!list_empty(&g->overflow.node))
			return false; /* the reader will be told already */
		e = &g->overflow;
	} else if (!list_empty(&g->events) &&
		   event_same(list_last_entry(&g->events, struct inotify_queued, node), e)) {
		return false;
	}
	list_add_tail(&e->node, &g->events);
	g->nevents++;
	g->bytes += event_size(e);
	return e != &g->overflow;
}

void inotify_queue(struct inotify_group *g, int wd, u32 mask, u32 cookie, const char *name)
{
	size_t len = name ? strlen(name) : 0;
	struct inotify_queued *e;
	bool taken;

	if (g->deliver) {
		g->deliver(g, mask);
		return;
	}
	e = kmalloc(sizeof *e + len);
	if (e) {
		*e = (struct inotify_queued){.wd = wd, .mask = mask, .cookie = cookie, .name_len = (u32)len};
		memcpy(e->name, name ? name : "", len);
	}
	spin_lock(&g->lock);
	taken = queue_append(g, e);
	spin_unlock(&g->lock);
	if (!taken)
		kfree(e);
	waitq_wake(&g->waitq, 1, EPOLLIN | EPOLLRDNORM);
}

/* Take the first event if it fits into ROOM bytes. NULL: there is none; ERR_PTR(-EINVAL): it does not fit. */
static struct inotify_queued *queue_take(struct inotify_group *g, size_t room)
{
	struct inotify_queued *e = NULL;

	spin_lock(&g->lock);
	if (!list_empty(&g->events)) {
		e = list_first_entry(&g->events, struct inotify_queued, node);
		if (event_size(e) > room) {
			e = ERR_PTR(-EINVAL);
		} else {
			list_del_init(&e->node);
			g->nevents--;
			g->bytes -= event_size(e);
		}
	}
	spin_unlock(&g->lock);
	return e;
}

static void event_free(struct inotify_group *g, struct inotify_queued *e)
{
	if (e != &g->overflow)
		kfree(e);
}

static ssize_t event_copy(const struct inotify_queued *e, struct iter *to)
{
	struct inotify_event out = {
		.wd = e->wd, .mask = e->mask, .cookie = e->cookie, .len = (u32)padded_name(e)};
	size_t pad = out.len - e->name_len;

	if (iter_copy_out(to, &out, sizeof out) != sizeof out ||
	    iter_copy_out(to, e->name, e->name_len) != e->name_len || iter_zero(to, pad) != pad)
		return -EFAULT;
	return (ssize_t)event_size(e);
}

static ssize_t inotify_read(struct file *f, struct iter *to, u64 *pos __maybe_unused)
{
	struct inotify_group *g = f->priv;
	ssize_t total = 0, n;

	for (;;) {
		struct inotify_queued *e = queue_take(g, to->left);

		if (IS_ERR(e))
			return total ? total : PTR_ERR(e);
		if (e) {
			n = event_copy(e, to);
			event_free(g, e);
			if (n < 0)
				return n;
			total += n;
			continue;
		}
		if (total)
			return total;
		if (file_nonblock(f))
			return -EAGAIN;
		n = wait_event_interruptible(&g->waitq, !list_empty(&g->events));
		if (n)
			return n;
	}
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
	struct inotify_group *g = f->priv;

	poll_wait(f, &g->waitq, pt);
	return list_empty(&g->events) ? 0 : EPOLLIN | EPOLLRDNORM;
}

static long inotify_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct inotify_group *g = f->priv;

	if (cmd != FIONREAD)
		return -ENOTTY;
	return put_app((int)READ_ONCE(g->bytes), (int __app *)arg);
}

static size_t inotify_fdinfo(struct file *f, char *buf, size_t size)
{
	struct inotify_group *g = f->priv;
	size_t n = 0;

	mutex_lock(&g->mutex);
	for (struct rb_node *r = rb_first(&g->watches); r; r = rb_next(r)) {
		struct inotify_watch *w = rb_entry(r, struct inotify_watch, node);

		n += (size_t)snprintf(n < size ? buf + n : NULL, n < size ? size - n : 0,
				      "inotify wd:%x ino:%llx sdev:%x mask:%x ignored_mask:0\n",
				      (unsigned)w->wd, (unsigned long long)w->inode->ino,
				      (unsigned)w->inode->super->dev, w->mask & IN_ALL_EVENTS);
	}
	mutex_unlock(&g->mutex);
	return n;
}

void inotify_group_put(struct inotify_group *g)
{
	struct inotify_queued *e;

	if (!refcount_put(&g->ref))
		return;
	while ((e = queue_take(g, ~0ul)))
		event_free(g, e);
	kfree(g);
}

static void inotify_release(struct file *f)
{
	struct inotify_group *g = f->priv;

	inotify_watch_drop_all(g);
	atomic_fetch_sub_explicit(&instances, 1, memory_order_relaxed);
	inotify_group_put(g);
}

static const struct file_ops inotify_ops = {
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.fdinfo = inotify_fdinfo,
	.release = inotify_release,
	.async = FILE_ASYNC,
	.seeks_vainly = true,
};

struct inotify_group *inotify_group_create(void)
{
	struct inotify_group *g = kzalloc(sizeof *g);

	if (!g)
		return NULL;
	refcount_set(&g->ref, 1);
	mutex_init(&g->mutex);
	list_init(&g->events);
	list_init(&g->overflow.node);
	g->overflow.wd = -1;
	g->overflow.mask = IN_Q_OVERFLOW;
	waitq_init(&g->waitq);
	return g;
}

static long inotify_create(u32 flags)
{
	struct inotify_group *g;
	struct file *f;
	long fd = -EMFILE;

	if (flags & ~(u32)(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	if (atomic_fetch_add_explicit(&instances, 1, memory_order_relaxed) >= inotify_max_instances)
		goto uncount;
	g = inotify_group_create();
	fd = -ENOMEM;
	if (!g)
		goto uncount;
	f = file_create_anon("anon_inode:inotify", &inotify_ops, g, O_RDONLY | (flags & IN_NONBLOCK));
	fd = PTR_ERR(f);
	if (IS_ERR(f))
		goto put_group;
	fd = fd_install_new(f, flags & IN_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
put_group:
	inotify_group_put(g);
uncount:
	atomic_fetch_sub_explicit(&instances, 1, memory_order_relaxed);
	return fd;
}

SYSCALL_DEFINE0(inotify_init)
{
	return inotify_create(0);
}

SYSCALL_DEFINE1(inotify_init1, int, flags)
{
	return inotify_create((u32)flags);
}

static struct file *inotify_get(int fd, long *err)
{
	struct file *f = fd_get(fd);

	*err = -EBADF;
	if (f && f->ops != &inotify_ops) {
		file_put(f);
		f = NULL;
		*err = -EINVAL;
	}
	return f;
}

SYSCALL_DEFINE3(inotify_add_watch, int, fd, const char __app *, path, u32, mask)
{
	struct file *f;
	char *text;
	long ret;

	if (!(mask & (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW |
		      IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD | IN_ISDIR | IN_ONESHOT)))
		return -EINVAL;
	f = inotify_get(fd, &ret);
	if (!f)
		return ret;
	ret = -EINVAL;
	if ((mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE))
		goto put_file;
	text = kmalloc(4096);
	ret = -ENOMEM;
	if (!text)
		goto put_file;
	ret = string_from_app(text, path, 4096);
	if (ret >= 0)
		ret = inotify_watch_path(f->priv, text, mask);
	kfree(text);
put_file:
	file_put(f);
	return ret;
}

SYSCALL_DEFINE2(inotify_rm_watch, int, fd, int, wd)
{
	struct file *f;
	long ret;

	f = inotify_get(fd, &ret);
	if (!f)
		return ret;
	ret = inotify_watch_drop(f->priv, wd);
	file_put(f);
	return ret;
}
