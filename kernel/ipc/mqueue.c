// SPDX-License-Identifier: BSD-2-Clause
/* POSIX message queues: mq_timedsend, mq_timedreceive, mq_notify.
 *
 * Messages lie in order of priority, oldest first among equals. Sleepers wait for a condition that they look
 * at again under the lock. */
#include "mqueue.h"
#include "kernel/syscall.h"

#define PRIORITIES 32768
#define SIGNALS	   64

/* The C library's SIGEV_THREAD: a thread of its own reads what it gave us off a netlink socket. */
static void post_cookie(struct mq *q, u8 what)
{
	if (!q->notify_cookie[NOTIFY_COOKIE_LEN - 1]) {
		q->notify_cookie[NOTIFY_COOKIE_LEN - 1] = what;
		(void)netlink_post(q->notify_socket, q->notify_cookie, NOTIFY_COOKIE_LEN);
	}
}

void mq_notify_drop(struct mq *q)
{
	if (q->notify)
		process_put(q->notify);
	if (q->notify_socket) {
		post_cookie(q, NOTIFY_REMOVED);
		file_put(q->notify_socket);
		q->notify_socket = NULL;
	}
	q->notify = NULL;
	q->notify_file = NULL;
}

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
		info.si_uid = current_cred()->uid;
		info.si_ptr = q->notify_value.sival_ptr;
		signal_send_process(q->notify, q->notify_signal, &info);
	}
	if (q->notify_socket)
		post_cookie(q, NOTIFY_WOKENUP);
	mq_notify_drop(q); /* once only */
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
		mq_message_free(m);
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
	if (more)
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
	mq_message_free(m);
	return ret;
}

/* SIGEV_THREAD: sigev_signo is the socket, sigev_value points at the cookie. */
static long socket_from_sigevent(const struct sigevent *ev, u8 cookie[NOTIFY_COOKIE_LEN], struct file **sock)
{
	struct file *f;
	long err;

	if (copy_from_app(cookie, (const u8 __app *)ev->sigev_value.sival_ptr, NOTIFY_COOKIE_LEN))
		return -EFAULT;
	cookie[NOTIFY_COOKIE_LEN - 1] = 0;
	f = fd_get(ev->sigev_signo);
	if (!f)
		return -EBADF;
	err = netlink_post(f, NULL, 0);
	if (err)
		file_put(f);
	else
		*sock = f;
	return err;
}

SYSCALL_DEFINE2(mq_notify, int, fd, const struct sigevent __app *, app)
{
	u8 cookie[NOTIFY_COOKIE_LEN] = {0};
	struct sigevent ev;
	struct file *f, *sock = NULL;
	struct mq *q;
	long ret = 0;

	if (app) {
		if (copy_from_app(&ev, app, sizeof ev))
			return -EFAULT;
		if (ev.sigev_notify != SIGEV_NONE && ev.sigev_notify != SIGEV_SIGNAL &&
		    ev.sigev_notify != SIGEV_THREAD)
			return -EINVAL;
		if (ev.sigev_notify == SIGEV_SIGNAL && (ev.sigev_signo < 0 || ev.sigev_signo > SIGNALS))
			return -EINVAL;
	}
	if (app && ev.sigev_notify == SIGEV_THREAD) {
		ret = socket_from_sigevent(&ev, cookie, &sock);
		if (ret)
			return ret;
	}
	f = fd_get(fd);
	if (!f || f->ops != &mq_fops) {
		if (f)
			file_put(f);
		if (sock)
			file_put(sock);
		return -EBADF;
	}
	q = f->priv;
	mutex_lock(&q->lock);
	if (!app) {
		if (q->notify == current_process())
			mq_notify_drop(q);
	} else if (q->notify) {
		ret = -EBUSY;
	} else {
		process_get(current_process());
		q->notify = current_process();
		q->notify_file = f;
		q->notify_how = ev.sigev_notify;
		q->notify_signal = ev.sigev_signo;
		q->notify_value = ev.sigev_value;
		q->notify_socket = sock;
		memcpy(q->notify_cookie, cookie, sizeof(cookie));
		sock = NULL;
	}
	mutex_unlock(&q->lock);
	file_put(f);
	if (sock)
		file_put(sock);
	return ret;
}
