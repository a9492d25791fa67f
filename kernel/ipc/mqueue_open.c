// SPDX-License-Identifier: BSD-2-Clause
/* POSIX message queues: names, files, attributes (mq_overview(7)): mq_open, mq_unlink, mq_getsetattr.
 *
 * Queues have names of their own, without a directory. A descriptor can be polled, and read for a line of
 * status. */
#include "mqueue.h"
#include "base/format.h"
#include "fs/vfs.h"
#include "kernel/syscall.h"
#include <linux/capability.h>
#include <linux/mqueue.h>

#define QUEUES_MAX	256
#define HARD_MAXMSG	65536
#define HARD_MSGSIZE	(16u << 20)
#define DEFAULT_MAXMSG	10
#define DEFAULT_MSGSIZE 8192

u32 mq_msg_max = 10, mq_msgsize_max = 8192, mq_queues_max = QUEUES_MAX, mq_msg_default = DEFAULT_MAXMSG,
    mq_msgsize_default = DEFAULT_MSGSIZE;

static DEFINE_MUTEX(names_lock); /* guards queues and named */
static LIST_HEAD(queues);
static u32 named;

void mq_message_free(struct mq_message *m)
{
	scratch_free(m, sizeof *m + m->size);
}

void mq_put(struct mq *q)
{
	struct mq_message *m, *next;

	if (!refcount_put(&q->ref))
		return;
	list_for_each_entry_safe (m, next, &q->messages, node)
		mq_message_free(m);
	kfree(q);
}

/* Files */

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
		mq_notify_drop(q);
	mutex_unlock(&q->lock);
	return 0;
}

static void mq_release(struct file *f)
{
	struct mq *q = f->priv;

	mutex_lock(&q->lock);
	if (q->notify_file == f)
		mq_notify_drop(q);
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

const struct file_ops mq_fops = {
	.read = mq_read,
	.poll = mq_poll,
	.seek = generic_file_seek, /* the status ends */
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
	q->mode = mode & 0777 & ~fs_context_umask(current->fs);
	q->uid = current_cred()->fsuid;
	q->gid = current_cred()->fsgid;
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
	const struct cred *c = current_cred();
	u32 granted = q->mode;

	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	if (c->fsuid == q->uid)
		granted >>= 6;
	else if (cred_in_group(c, q->gid))
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
	ssize_t n = string_from_app(name, from, MQ_NAME_SIZE);

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
	char name[MQ_NAME_SIZE];
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
	char name[MQ_NAME_SIZE];
	struct mq *q;
	int err = name_from_app(name, app_name);

	if (err)
		return err;
	mutex_lock(&names_lock);
	q = mq_find(name);
	if (!q) {
		err = -ENOENT;
	} else if (current_cred()->fsuid != q->uid && !process_capable(CAP_FOWNER)) {
		err = -EPERM; /* the directory is sticky */
	} else {
		list_del(&q->node);
		named--;
	}
	mutex_unlock(&names_lock);
	if (!err)
		mq_put(q);
	return err;
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
