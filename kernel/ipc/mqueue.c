// SPDX-License-Identifier: BSD-2-Clause
/* POSIX message queues: mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr
 * (mq_overview(7)).
 *
 * Queues have names of their own, without a directory. A descriptor can be polled, and read for a line of
 * status. Messages lie in order of priority, oldest first among equals. Sleepers wait for a condition that
 * they look at again under the lock. */
#include "ipc.h"
#include "base/format.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/mutex.h"
#include "kernel/process.h"
#include "kernel/syscall.h"
#include <linux/capability.h>
#include <linux/mqueue.h>

#define NAME_SIZE	256
#define PRIORITIES	32768
#define SIGNALS		64
#define QUEUES_MAX	256
#define HARD_MAXMSG	65536
#define HARD_MSGSIZE	(16u << 20)
#define DEFAULT_MAXMSG	10
#define DEFAULT_MSGSIZE 8192

u32 mq_msg_max = 10, mq_msgsize_max = 8192, mq_queues_max = QUEUES_MAX, mq_msg_default = DEFAULT_MAXMSG,
    mq_msgsize_default = DEFAULT_MSGSIZE;

struct mq_message {
	struct list_head node;
	unsigned priority;
	size_t size;
	u8 text[];
};

struct mq {
	struct refcount ref;   /* the name's, and each file's */
	struct list_head node; /* on queues while it has a name; guarded by names_lock */
	char name[NAME_SIZE];
	u32 mode, uid, gid;
	long max_messages, max_size;
	struct mutex lock; /* guards all below */
	struct list_head messages;
	long count; /* also read without the lock */
	size_t bytes;
	u32 receivers;		  /* asleep: a message for one of them does not notify */
	struct process *notify;	  /* registered with mq_notify; reference held */
	struct file *notify_file; /* the descriptor it was done through; only compared */
	int notify_how, notify_signal;
	union sigval notify_value;
	struct waitq send_wait, receive_wait;
};

static DEFINE_MUTEX(names_lock); /* guards queues and named */
static LIST_HEAD(queues);
static u32 named;

static void message_free(struct mq_message *m)
{
	scratch_free(m, sizeof *m + m->size);
}

static void mq_put(struct mq *q)
{
	struct mq_message *m, *next;

	if (!refcount_put(&q->ref))
		return;
	list_for_each_entry_safe (m, next, &q->messages, node)
		message_free(m);
	kfree(q);
}

/* Files */

static void notify_drop(struct mq *q)
{
	if (q->notify)
		process_put(q->notify);
	q->notify = NULL;
	q->notify_file = NULL;
}

static ssize_t mq_read(struct file *f, struct iter *to, u64 *pos)
{
	struct mq *q = f->priv;
	char text[80];
	size_t n, left;

	mutex_lock(&q->lock);
	n = (size_t)scnprintf(text, sizeof text, "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6u\n",
			      q->bytes, q->notify ? q->notify_how : 0,
			      q->notify && q->notify_how == SIGEV_SIGNAL ? q->notify_signal : 0,
			      q->notify ? q->notify->pid : 0);
	mutex_unlock(&q->lock);
	if (*pos >= n)
		return 0;
	left = min(n - (size_t)*pos, to->left);
	n = iter_copy_out(to, text + *pos, left);
	*pos += n;
	return n || !left ? (ssize_t)n : -EFAULT;
}

static u32 mq_poll(struct file *f, struct poll_table *pt)
{
	struct mq *q = f->priv;
	long count;

	poll_wait(f, &q->send_wait, pt);
	poll_wait(f, &q->receive_wait, pt);
	count = READ_ONCE(q->count);
	return (count ? EPOLLIN | EPOLLRDNORM : 0) | (count < q->max_messages ? EPOLLOUT | EPOLLWRNORM : 0);
}

/* Closing the descriptor ends a registration of the same process. */
static int mq_flush(struct file *f)
{
	struct mq *q = f->priv;

	mutex_lock(&q->lock);
	if (q->notify == current_process())
		notify_drop(q);
	mutex_unlock(&q->lock);
	return 0;
}

static void mq_release(struct file *f)
{
	struct mq *q = f->priv;

	mutex_lock(&q->lock);
	if (q->notify_file == f)
		notify_drop(q);
	mutex_unlock(&q->lock);
	mq_put(q);
}

static void mq_getattr(struct file *f, struct statx *st)
{
	struct mq *q = f->priv;

	st->stx_mode = (u16)(S_IFREG | q->mode);
	st->stx_uid = q->uid;
	st->stx_gid = q->gid;
	st->stx_size = 80;
}

static const struct file_ops mq_fops = {
	.read = mq_read,
	.poll = mq_poll,
	.flush = mq_flush,
	.release = mq_release,
	.getattr = mq_getattr,
};

/* Names */

static struct mq *mq_find(const char *name)
{
	struct mq *q;

	list_for_each_entry (q, &queues, node)
		if (!strcmp(q->name, name))
			return q;
	return NULL;
}

static int mq_attr_check(const struct mq_attr *a)
{
	bool admin = process_capable(CAP_SYS_RESOURCE);

	if (a->mq_maxmsg <= 0 || a->mq_msgsize <= 0)
		return -EINVAL;
	if (a->mq_maxmsg > (admin ? HARD_MAXMSG : (long)mq_msg_max) ||
	    a->mq_msgsize > (admin ? (long)HARD_MSGSIZE : (long)mq_msgsize_max))
		return -EINVAL;
	return 0;
}

/* With names_lock held. ERR_PTR. */
static struct mq *mq_create(const char *name, u32 mode, const struct mq_attr *attr)
{
	struct process *p = current_process();
	struct mq *q;
	int err = mq_attr_check(attr);

	if (err)
		return ERR_PTR(err);
	if (named >= mq_queues_max && !process_capable(CAP_SYS_RESOURCE))
		return ERR_PTR(-ENOSPC);
	q = kzalloc(sizeof *q);
	if (!q)
		return ERR_PTR(-ENOMEM);
	refcount_set(&q->ref, 1);
	str_copy(q->name, name, sizeof q->name);
	q->mode = mode & 0777 & ~(p->fs ? fs_context_umask(p->fs) : 0);
	q->uid = p->fsuid;
	q->gid = p->fsgid;
	q->max_messages = attr->mq_maxmsg;
	q->max_size = attr->mq_msgsize;
	mutex_init(&q->lock);
	list_init(&q->messages);
	waitq_init(&q->send_wait);
	waitq_init(&q->receive_wait);
	list_add_tail(&q->node, &queues);
	named++;
	return q;
}

static int mq_permission(const struct mq *q, u32 flags)
{
	static const u8 needs[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE};
	const struct process *p = current_process();
	u32 granted = q->mode;

	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	if (p->fsuid == q->uid)
		granted >>= 6;
	else if (p->fsgid == q->gid)
		granted >>= 3;
	return (needs[flags & O_ACCMODE] & ~granted) && !process_capable(CAP_DAC_OVERRIDE) ? -EACCES : 0;
}

/* The queue with a reference. ERR_PTR. */
static struct mq *mq_open_name(const char *name, u32 flags, u32 mode, const struct mq_attr *attr)
{
	struct mq *q;
	int err = 0;

	mutex_lock(&names_lock);
	q = mq_find(name);
	if (q) {
		if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
			err = -EEXIST;
		else
			err = mq_permission(q, flags);
	} else if (!(flags & O_CREAT)) {
		err = -ENOENT;
	} else {
		q = mq_create(name, mode, attr);
	}
	if (err)
		q = ERR_PTR(err);
	if (!IS_ERR(q))
		refcount_get(&q->ref);
	mutex_unlock(&names_lock);
	return q;
}

static int name_from_app(char *name, const char __app *from)
{
	ssize_t n = string_from_app(name, from, NAME_SIZE);

	if (n < 0)
		return (int)n;
	if (!n)
		return -ENOENT;
	if (!strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/'))
		return -EACCES;
	return 0;
}

SYSCALL_DEFINE4(mq_open, const char __app *, app_name, int, flags, u32, mode, const struct mq_attr __app *,
		app_attr)
{
	struct mq_attr attr = {.mq_maxmsg = min(mq_msg_max, mq_msg_default),
			       .mq_msgsize = min(mq_msgsize_max, mq_msgsize_default)};
	char name[NAME_SIZE];
	struct file *f;
	struct mq *q;
	int err, fd;

	if (app_attr && copy_from_app(&attr, app_attr, sizeof attr))
		return -EFAULT;
	err = name_from_app(name, app_name);
	if (err)
		return err;
	q = mq_open_name(name, (u32)flags, mode, &attr);
	if (IS_ERR(q))
		return PTR_ERR(q);
	f = file_create_anon("mqueue", &mq_fops, q, (u32)flags & (O_ACCMODE | O_NONBLOCK));
	if (IS_ERR(f)) {
		mq_put(q);
		return PTR_ERR(f);
	}
	fd = fd_install_new(f, true);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL_DEFINE1(mq_unlink, const char __app *, app_name)
{
	char name[NAME_SIZE];
	struct mq *q;
	int err = name_from_app(name, app_name);

	if (err)
		return err;
	mutex_lock(&names_lock);
	q = mq_find(name);
	if (!q) {
		err = -ENOENT;
	} else if (current_process()->fsuid != q->uid && !process_capable(CAP_FOWNER)) {
		err = -EACCES;
	} else {
		list_del(&q->node);
		named--;
	}
	mutex_unlock(&names_lock);
	if (!err)
		mq_put(q);
	return err;
}

/* Messages */

static struct file *mq_file(int fd, bool write)
{
	struct file *f = fd_get(fd);

	if (f && (f->ops != &mq_fops || !(write ? file_writable(f) : file_readable(f)))) {
		file_put(f);
		f = NULL;
	}
	return f;
}

/* An absolute time on CLOCK_REALTIME as a deadline. 0, -EFAULT, -EINVAL. */
static int deadline_from_app(const struct __kernel_timespec __app *app, u64 *deadline)
{
	struct __kernel_timespec ts;
	u64 at, now;

	*deadline = NO_TIMEOUT;
	if (!app)
		return 0;
	if (get_app(ts, app))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	at = timespec_to_ns(&ts);
	now = clock_realtime();
	*deadline = clock_monotonic() + (at > now ? at - now : 0);
	return 0;
}

static void notify_send(struct mq *q)
{
	if (q->notify_how == SIGEV_SIGNAL && q->notify_signal) {
		siginfo_t info = {0};

		info.si_signo = q->notify_signal;
		info.si_code = SI_MESGQ;
		info.si_pid = (int)current_process()->pid;
		info.si_uid = current_process()->uid;
		info.si_ptr = q->notify_value.sival_ptr;
		signal_send_process(q->notify, q->notify_signal, &info);
	}
	notify_drop(q); /* once only */
}

static void message_insert(struct mq *q, struct mq_message *m)
{
	struct list_head *at = q->messages.prev;

	while (at != &q->messages && list_entry(at, struct mq_message, node)->priority < m->priority)
		at = at->prev;
	list_add(&m->node, at);
	q->count++;
	q->bytes += m->size;
}

static long mq_send(struct mq *q, struct mq_message *m, bool nonblock, u64 deadline)
{
	mutex_lock(&q->lock);
	while (q->count >= q->max_messages) {
		long err = -EAGAIN;

		mutex_unlock(&q->lock);
		if (!nonblock)
			err = wait_event_interruptible_exclusive(
				&q->send_wait, READ_ONCE(q->count) < q->max_messages, deadline);
		if (err) {
			if (READ_ONCE(q->count) < q->max_messages)
				waitq_wake(&q->send_wait, 1, EPOLLOUT | EPOLLWRNORM);
			return err;
		}
		mutex_lock(&q->lock);
	}
	message_insert(q, m);
	if (q->count == 1 && q->notify && !q->receivers)
		notify_send(q);
	mutex_unlock(&q->lock);
	waitq_wake(&q->receive_wait, 1, EPOLLIN | EPOLLRDNORM);
	return 0;
}

SYSCALL_DEFINE5(mq_timedsend, int, fd, const u8 __app *, text, size_t, size, unsigned, priority,
		const struct __kernel_timespec __app *, timeout)
{
	struct mq_message *m = NULL;
	struct file *f;
	u64 deadline;
	long ret;

	if (priority >= PRIORITIES)
		return -EINVAL;
	ret = deadline_from_app(timeout, &deadline);
	if (ret)
		return ret;
	f = mq_file(fd, true);
	if (!f)
		return -EBADF;
	ret = -EMSGSIZE;
	if (size > (size_t)((struct mq *)f->priv)->max_size)
		goto out;
	m = scratch_alloc(sizeof *m + size);
	ret = -ENOMEM;
	if (!m)
		goto out;
	m->priority = priority;
	m->size = size; /* message_free goes by it */
	ret = copy_from_app(m->text, text, size);
	if (!ret)
		ret = mq_send(f->priv, m, file_nonblock(f), deadline);
	if (ret)
		message_free(m);
out:
	file_put(f);
	return ret;
}

static long mq_receive(struct mq *q, struct mq_message **out, bool nonblock, u64 deadline)
{
	struct mq_message *m;
	bool more;

	mutex_lock(&q->lock);
	while (!q->count) {
		long err = -EAGAIN;

		if (!nonblock) {
			q->receivers++;
			mutex_unlock(&q->lock);
			err = wait_event_interruptible_exclusive(&q->receive_wait, READ_ONCE(q->count),
								 deadline);
			mutex_lock(&q->lock);
			q->receivers--;
		}
		if (err && !q->count) {
			mutex_unlock(&q->lock);
			return err;
		}
	}
	m = list_first_entry(&q->messages, struct mq_message, node);
	list_del(&m->node);
	q->count--;
	q->bytes -= m->size;
	more = q->count;
	mutex_unlock(&q->lock);
	waitq_wake(&q->send_wait, 1, EPOLLOUT | EPOLLWRNORM);
	if (more && waitq_active(&q->receive_wait))
		waitq_wake(&q->receive_wait, 1, EPOLLIN | EPOLLRDNORM);
	*out = m;
	return 0;
}

SYSCALL_DEFINE5(mq_timedreceive, int, fd, u8 __app *, text, size_t, size, unsigned __app *, priority,
		const struct __kernel_timespec __app *, timeout)
{
	struct mq_message *m;
	struct file *f;
	u64 deadline;
	long ret = deadline_from_app(timeout, &deadline);

	if (ret)
		return ret;
	f = mq_file(fd, false);
	if (!f)
		return -EBADF;
	ret = -EMSGSIZE;
	if (size >= (size_t)((struct mq *)f->priv)->max_size)
		ret = mq_receive(f->priv, &m, file_nonblock(f), deadline);
	file_put(f);
	if (ret)
		return ret;
	ret = (long)m->size;
	if ((priority && put_app(m->priority, priority)) || copy_to_app(text, m->text, m->size))
		ret = -EFAULT;
	message_free(m);
	return ret;
}

/* Notification and attributes */

SYSCALL_DEFINE2(mq_notify, int, fd, const struct sigevent __app *, app)
{
	struct sigevent ev;
	struct file *f;
	struct mq *q;
	long ret = 0;

	if (app) {
		if (copy_from_app(&ev, app, sizeof ev))
			return -EFAULT;
		/* SIGEV_THREAD is done by the C library over a netlink socket, which there is not. */
		if (ev.sigev_notify != SIGEV_NONE && ev.sigev_notify != SIGEV_SIGNAL)
			return -EINVAL;
		if (ev.sigev_notify == SIGEV_SIGNAL && (ev.sigev_signo < 0 || ev.sigev_signo > SIGNALS))
			return -EINVAL;
	}
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	if (f->ops != &mq_fops) {
		file_put(f);
		return -EBADF;
	}
	q = f->priv;
	mutex_lock(&q->lock);
	if (!app) {
		if (q->notify == current_process())
			notify_drop(q);
	} else if (q->notify) {
		ret = -EBUSY;
	} else {
		process_get(current_process());
		q->notify = current_process();
		q->notify_file = f;
		q->notify_how = ev.sigev_notify;
		q->notify_signal = ev.sigev_signo;
		q->notify_value = ev.sigev_value;
	}
	mutex_unlock(&q->lock);
	file_put(f);
	return ret;
}

SYSCALL_DEFINE3(mq_getsetattr, int, fd, const struct mq_attr __app *, new, struct mq_attr __app *, old)
{
	struct mq_attr in, out = {0};
	struct file *f;
	struct mq *q;

	if (new) {
		if (copy_from_app(&in, new, sizeof in))
			return -EFAULT;
		if (in.mq_flags & ~O_NONBLOCK)
			return -EINVAL;
	}
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	if (f->ops != &mq_fops) {
		file_put(f);
		return -EBADF;
	}
	q = f->priv;
	out.mq_flags = f->flags & O_NONBLOCK;
	out.mq_maxmsg = q->max_messages;
	out.mq_msgsize = q->max_size;
	out.mq_curmsgs = READ_ONCE(q->count);
	if (new) {
		atomic_fetch_and(&f->flags, ~(u32)O_NONBLOCK);
		atomic_fetch_or(&f->flags, (u32)in.mq_flags);
	}
	file_put(f);
	return old ? copy_to_app(old, &out, sizeof out) : 0;
}
