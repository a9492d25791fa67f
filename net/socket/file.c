/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets as open files: read, write, poll, ioctl, release. */
#include "base/err.h"
#include "base/format.h"
#include "base/string.h"
#include "kernel/app.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include "net/sockfile.h"
#include "net/netlink.h"

ssize_t socket_sendmsg(struct socket *s, struct net_msg *m)
{
	ssize_t n;

	if (!s->ops->sendmsg)
		return -EOPNOTSUPP;
	n = s->ops->sendmsg(s, m);
	if (n == -EPIPE && s->type == SOCK_STREAM && !(m->flags & MSG_NOSIGNAL))
		signal_sigpipe();
	return n;
}

static ssize_t socket_file_read(struct file *f, struct iter *to, u64 *pos)
{
	struct socket *s = f->priv;
	struct net_msg m = {.iter = to, .flags = file_nonblock(f) ? MSG_DONTWAIT : 0};

	if (!to->left)
		return 0;
	return s->ops->recvmsg(s, &m);
}

static ssize_t socket_file_write(struct file *f, struct iter *from, u64 *pos)
{
	struct socket *s = f->priv;
	struct net_msg m = {.iter = from, .flags = file_nonblock(f) ? MSG_DONTWAIT : 0};
	const struct cred *c = current_cred();

	if (s->type == SOCK_SEQPACKET)
		m.flags |= MSG_EOR;
	m.cred = (struct ucred){.pid = current_process()->pid, .uid = c->uid, .gid = c->gid};
	return socket_sendmsg(s, &m);
}

static u32 socket_file_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->priv;

	poll_wait(f, &s->waitq, pt);
	return s->ops->poll(s);
}

static int socket_file_mmap(struct file *f, struct vma *v)
{
	struct socket *s = f->priv;

	return s->ops->mmap ? s->ops->mmap(s, v) : -ENODEV;
}

static void socket_file_release(struct file *f)
{
	socket_close(f->priv);
}

/* As on Linux: of the Internet's sockets only their own mode says whether to wait. */
static bool socket_file_splice_nowait(struct file *f)
{
	struct socket *s = f->priv;

	return s->family == AF_UNIX;
}

static size_t socket_file_fdinfo(struct file *f, char *buf, size_t size)
{
	return (size_t)scnprintf(buf, size, "ino:\t%llu\n", (unsigned long long)f->anon_id);
}

const struct file_ops socket_file_ops = {
	.read = socket_file_read,
	.write = socket_file_write,
	.poll = socket_file_poll,
	.ioctl = socket_ioctl,
	.mmap = socket_file_mmap,
	.release = socket_file_release,
	.splice_nowait = socket_file_splice_nowait,
	.fdinfo = socket_file_fdinfo,
	.async = FILE_ASYNC | FILE_ASYNC_URGENT,
};

struct file *socket_file_create(struct socket *s, u32 flags)
{
	struct file *f = file_create_anon("socket", &socket_file_ops, s,
					  O_RDWR | (flags & SOCK_NONBLOCK ? O_NONBLOCK : 0));

	if (IS_ERR(f))
		return f;
	s->file = f;
	if (f->anon_id)
		s->id = f->anon_id;
	else
		f->anon_id = s->id;
	return f;
}

struct socket *socket_from_fd(int fd, struct file **file)
{
	struct file *f = fd_get(fd);
	struct socket *s;

	if (!f)
		return ERR_PTR(-EBADF);
	s = file_socket(f);
	if (!s) {
		file_put(f);
		return ERR_PTR(-ENOTSOCK);
	}
	*file = f;
	return s;
}

int netlink_post(struct file *f, const void *data, size_t n)
{
	struct socket *s = file_socket(f);

	return s ? netlink_post_socket(s, data, n) : -ENOTSOCK;
}
