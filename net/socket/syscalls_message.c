/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls that move data: send*, recv*, with addresses, control messages and passed descriptors. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/process.h"
#include "kernel/syscall.h"
#include "net/sockfile.h"
#include <linux/capability.h>
#include <linux/time_types.h>
#include <linux/capability.h>

#define IOV_MAX_     1024
#define CONTROL_MAX  (64u << 10) /* bytes of control data of one message */
#define FAST_IOV     8
#define RECV_CONTROL 2048 /* more than all that any protocol reports at once */
#define MMSG_MAX     1024

struct message_iov {
	struct iter_vec fast[FAST_IOV], *vec;
	struct iter iter;
};

static int import_iov(struct message_iov *mi, const struct app_msghdr *h)
{
	mi->vec = mi->fast;
	if (h->msg_iovlen > IOV_MAX_)
		return -EMSGSIZE;
	if (h->msg_iovlen > FAST_IOV) {
		mi->vec = kmalloc(h->msg_iovlen * sizeof(*mi->vec));
		if (!mi->vec)
			return -ENOMEM;
	}
	if (h->msg_iovlen && copy_from_app(mi->vec, h->msg_iov, h->msg_iovlen * sizeof(*mi->vec)))
		return -EFAULT;
	for (size_t i = 0; i < h->msg_iovlen; i++) {
		if ((ssize_t)mi->vec[i].len < 0)
			return -EINVAL;
		if (!app_range_ok((void __app *)mi->vec[i].base, mi->vec[i].len))
			return -EFAULT;
	}
	return iter_init_vec(&mi->iter, mi->vec, h->msg_iovlen, true);
}

static void free_iov(struct message_iov *mi)
{
	if (mi->vec != mi->fast)
		kfree(mi->vec);
}

/* SCM_RIGHTS and SCM_CREDENTIALS of an AF_UNIX message. */
static int import_rights(struct net_msg *m, const struct cmsghdr *h)
{
	const int *fds = (const int *)(h + 1);
	size_t n = (h->cmsg_len - sizeof(*h)) / sizeof(int);

	if (n + m->nfiles > SCM_MAX_FD)
		return -EINVAL;
	if (!n)
		return 0;
	if (!m->files) {
		m->files = kmalloc(SCM_MAX_FD * sizeof(*m->files));
		if (!m->files)
			return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		struct file *f = fd_get_raw(fds[i]);

		if (!f)
			return -EBADF;
		m->files[m->nfiles++] = f;
	}
	return 0;
}

static int import_credentials(struct net_msg *m, const struct cmsghdr *h)
{
	const struct cred *me = current_cred();
	struct process *p;
	struct ucred c;

	if (h->cmsg_len != CMSG_LEN_(sizeof(c)))
		return -EINVAL;
	memcpy(&c, h + 1, sizeof(c));
	if ((c.pid != current_process()->pid && !process_capable(CAP_SYS_ADMIN)) ||
	    (c.uid != me->uid && c.uid != me->euid && c.uid != me->suid && !process_capable(CAP_SETUID)) ||
	    (c.gid != me->gid && c.gid != me->egid && c.gid != me->sgid && !process_capable(CAP_SETGID)))
		return -EPERM;
	p = process_find(c.pid);
	if (!p)
		return -ESRCH;
	process_put(p);
	m->cred = c;
	return 0;
}

/* Control messages of level SOL_SOCKET that other families know. */
static int socket_control(const struct cmsghdr *h)
{
	switch (h->cmsg_type) {
	case SO_MARK:
		if (!process_capable(CAP_NET_RAW) && !process_capable(CAP_NET_ADMIN))
			return -EPERM;
		/* fall through */
	case SO_TIMESTAMPING_OLD:
	case SO_TIMESTAMPING_NEW:
		return h->cmsg_len == CMSG_LEN_(sizeof(u32)) ? 0 : -EINVAL;
	case SCM_RIGHTS:
	case SCM_CREDENTIALS:
		return 0; /* AF_UNIX's; others pass them over */
	}
	return -EINVAL;
}

static int import_control(struct socket *s, struct net_msg *m)
{
	const struct cmsghdr *h;
	size_t pos = 0;
	int err;

	while ((h = msg_next_cmsg(m, &pos))) {
		if (IS_ERR(h))
			return (int)PTR_ERR(h);
		if (h->cmsg_level != SOL_SOCKET)
			continue;
		if (s->family != AF_UNIX) {
			err = socket_control(h);
			if (err)
				return err;
			continue;
		}
		switch (h->cmsg_type) {
		case SCM_RIGHTS:
			err = import_rights(m, h);
			break;
		case SCM_CREDENTIALS:
			err = import_credentials(m, h);
			break;
		default:
			err = -EINVAL;
		}
		if (err)
			return err;
	}
	return 0;
}

static void drop_files(struct net_msg *m)
{
	for (unsigned i = 0; i < m->nfiles; i++)
		file_put(m->files[i]);
	kfree(m->files);
	m->files = NULL;
	m->nfiles = 0;
}

static void set_sender(struct net_msg *m)
{
	const struct cred *c = current_cred();

	m->cred = (struct ucred){.pid = current_process()->pid, .uid = c->uid, .gid = c->gid};
}

static ssize_t send_one(struct file *f, struct socket *s, const struct app_msghdr *h, u32 flags)
{
	struct __kernel_sockaddr_storage ss;
	struct net_msg m = {.flags = flags};
	struct message_iov mi;
	void *control = NULL;
	ssize_t n;

	if (file_nonblock(f))
		m.flags |= MSG_DONTWAIT;
	n = import_iov(&mi, h);
	if (n)
		goto out;
	m.iter = &mi.iter;
	set_sender(&m);
	if (h->msg_name && h->msg_namelen) {
		n = -EINVAL;
		if (h->msg_namelen < 0)
			goto out;
		m.namelen = min(h->msg_namelen, (int)sizeof(ss));
		n = copy_from_app(&ss, h->msg_name, (size_t)m.namelen);
		if (n)
			goto out;
		m.name = &ss;
	}
	if (h->msg_controllen) {
		n = -ENOBUFS;
		if (h->msg_controllen > CONTROL_MAX)
			goto out;
		control = kmalloc(h->msg_controllen);
		n = -ENOMEM;
		if (!control)
			goto out;
		n = copy_from_app(control, h->msg_control, h->msg_controllen);
		if (n)
			goto out;
		m.control = control;
		m.controllen = h->msg_controllen;
		n = import_control(s, &m);
		if (n)
			goto out;
	}
	n = socket_sendmsg(s, &m);
out:
	drop_files(&m);
	kfree(control);
	free_iov(&mi);
	return n;
}

/* Give received descriptors to the process: as many as fit the control buffer (unix(7)). */
static void install_files(struct net_msg *m, bool cloexec)
{
	size_t room = m->cbuf_size - m->cbuf_len;
	unsigned fit =
		room > sizeof(struct cmsghdr) ? (unsigned)((room - sizeof(struct cmsghdr)) / sizeof(int)) : 0;
	unsigned n = 0;
	int *fds;

	if (!m->nfiles)
		return;
	if (!m->want_control)
		fit = 0;
	fit = min(fit, m->nfiles);
	fds = fit ? kmalloc(fit * sizeof(int)) : NULL;
	if (fds) {
		for (; n < fit; n++) {
			fds[n] = fd_install_new(m->files[n], cloexec);
			if (fds[n] < 0)
				break;
		}
		if (n)
			msg_put_cmsg(m, SOL_SOCKET, SCM_RIGHTS, fds, n * sizeof(int));
		kfree(fds);
	}
	if (n < m->nfiles)
		m->out_flags |= MSG_CTRUNC;
	for (unsigned i = n; i < m->nfiles; i++)
		file_put(m->files[i]);
	kfree(m->files);
	m->files = NULL;
	m->nfiles = 0;
}

/* HDR is the kernel's copy of the application's header; on success its result fields are updated. */
static ssize_t recv_one(struct file *f, struct socket *s, struct app_msghdr *h, u32 flags)
{
	struct __kernel_sockaddr_storage ss;
	struct net_msg m = {.flags = flags};
	struct message_iov mi;
	int room = h->msg_namelen;
	ssize_t n;

	if (file_nonblock(f))
		m.flags |= MSG_DONTWAIT;
	n = import_iov(&mi, h);
	if (n)
		goto out;
	n = -EINVAL;
	if (h->msg_name && room < 0)
		goto out;
	m.iter = &mi.iter;
	if (h->msg_name)
		m.name = &ss;
	if (h->msg_control && h->msg_controllen) {
		m.cbuf_size = min(h->msg_controllen, (size_t)RECV_CONTROL);
		m.cbuf = kmalloc(m.cbuf_size);
		n = -ENOMEM;
		if (!m.cbuf)
			goto out;
		m.want_control = true;
	}
	n = s->ops->recvmsg ? s->ops->recvmsg(s, &m) : -EOPNOTSUPP;
	if (n < 0)
		goto out;
	install_files(&m, flags & MSG_CMSG_CLOEXEC);
	if (h->msg_name) {
		if (m.namelen && copy_to_app(h->msg_name, &ss, (size_t)min(room, m.namelen))) {
			n = -EFAULT;
			goto out;
		}
		h->msg_namelen = m.namelen;
	}
	if (m.cbuf_len && copy_to_app(h->msg_control, m.cbuf, m.cbuf_len)) {
		n = -EFAULT;
		goto out;
	}
	h->msg_controllen = m.cbuf_len;
	h->msg_flags = m.out_flags | (flags & MSG_CMSG_CLOEXEC);
out:
	kfree(m.cbuf);
	free_iov(&mi);
	return n;
}

SYSCALL_DEFINE6(sendto, int, fd, void __app *, buf, size_t, len, u32, flags, void __app *, addr, int, addrlen)
{
	struct __kernel_sockaddr_storage ss;
	struct net_msg m = {.flags = flags};
	struct iter it;
	struct file *f;
	struct socket *s = socket_from_fd(fd, &f);
	ssize_t n;

	if (IS_ERR(s))
		return PTR_ERR(s);
	len = min(len, (size_t)0x7ffff000);
	n = -EFAULT;
	if (!app_range_ok(buf, len))
		goto out;
	iter_init_app(&it, buf, len);
	m.iter = &it;
	set_sender(&m);
	if (file_nonblock(f))
		m.flags |= MSG_DONTWAIT;
	if (addr) {
		n = -EINVAL;
		if (addrlen < 0 || addrlen > (int)sizeof(ss))
			goto out;
		n = copy_from_app(&ss, addr, (size_t)addrlen);
		if (n)
			goto out;
		m.name = &ss;
		m.namelen = addrlen;
	}
	n = socket_sendmsg(s, &m);
out:
	file_put(f);
	return n;
}

SYSCALL_DEFINE6(recvfrom, int, fd, void __app *, buf, size_t, len, u32, flags, void __app *, addr,
		int __app *, lenp)
{
	struct __kernel_sockaddr_storage ss;
	struct net_msg m = {.flags = flags};
	struct iter it;
	struct file *f;
	struct socket *s = socket_from_fd(fd, &f);
	ssize_t n;
	int room, err;

	if (IS_ERR(s))
		return PTR_ERR(s);
	len = min(len, (size_t)0x7ffff000);
	n = -EFAULT;
	if (!app_range_ok(buf, len))
		goto out;
	iter_init_app(&it, buf, len);
	m.iter = &it;
	m.name = addr ? &ss : NULL;
	if (file_nonblock(f))
		m.flags |= MSG_DONTWAIT;
	n = s->ops->recvmsg ? s->ops->recvmsg(s, &m) : -EOPNOTSUPP;
	if (n < 0)
		goto out;
	install_files(&m, false); /* no control buffer: they are dropped */
	if (!addr)
		goto out;
	err = get_app(room, lenp);
	if (!err && room < 0)
		err = -EINVAL;
	if (!err && m.namelen)
		err = copy_to_app(addr, &ss, (size_t)min(room, m.namelen));
	if (!err)
		err = put_app(m.namelen, lenp);
	if (err)
		n = err;
out:
	file_put(f);
	return n;
}

SYSCALL_DEFINE3(sendmsg, int, fd, struct app_msghdr __app *, msg, u32, flags)
{
	struct app_msghdr h;
	struct file *f;
	struct socket *s = socket_from_fd(fd, &f);
	ssize_t n;

	if (IS_ERR(s))
		return PTR_ERR(s);
	n = copy_from_app(&h, msg, sizeof(h));
	if (!n)
		n = send_one(f, s, &h, flags);
	file_put(f);
	return n;
}

static int put_header(struct app_msghdr __app *msg, const struct app_msghdr *h)
{
	if (put_app(h->msg_namelen, &msg->msg_namelen) || put_app(h->msg_controllen, &msg->msg_controllen) ||
	    put_app(h->msg_flags, &msg->msg_flags))
		return -EFAULT;
	return 0;
}

SYSCALL_DEFINE3(recvmsg, int, fd, struct app_msghdr __app *, msg, u32, flags)
{
	struct app_msghdr h;
	struct file *f;
	struct socket *s = socket_from_fd(fd, &f);
	ssize_t n;

	if (IS_ERR(s))
		return PTR_ERR(s);
	n = copy_from_app(&h, msg, sizeof(h));
	if (!n)
		n = recv_one(f, s, &h, flags);
	if (n >= 0 && put_header(msg, &h))
		n = -EFAULT;
	file_put(f);
	return n;
}

SYSCALL_DEFINE4(sendmmsg, int, fd, struct app_mmsghdr __app *, msgs, u32, count, u32, flags)
{
	struct file *f;
	struct socket *s = socket_from_fd(fd, &f);
	ssize_t n = 0;
	u32 done;

	if (IS_ERR(s))
		return PTR_ERR(s);
	count = min(count, (u32)MMSG_MAX);
	for (done = 0; done < count; done++) {
		struct app_msghdr h;

		n = copy_from_app(&h, &msgs[done].hdr, sizeof(h));
		if (!n)
			n = send_one(f, s, &h, flags);
		if (n >= 0)
			n = put_app((u32)n, &msgs[done].len);
		if (n < 0)
			break;
	}
	file_put(f);
	return done ? (long)done : n;
}

SYSCALL_DEFINE5(recvmmsg, int, fd, struct app_mmsghdr __app *, msgs, u32, count, u32, flags,
		struct __kernel_timespec __app *, timeout)
{
	u64 deadline = WAIT_FOREVER;
	struct __kernel_timespec ts;
	struct file *f;
	struct socket *s;
	ssize_t n = 0;
	u32 done;

	if (timeout) {
		if (get_app(ts, timeout))
			return -EFAULT;
		if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (s64)NSEC_PER_SEC)
			return -EINVAL;
		if ((u64)ts.tv_sec < WAIT_FOREVER / NSEC_PER_SEC / 2)
			deadline = clock_monotonic() + (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
	}
	s = socket_from_fd(fd, &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	count = min(count, (u32)MMSG_MAX);
	if (!(flags & MSG_ERRQUEUE))
		n = socket_error(s);
	for (done = 0; n >= 0 && done < count; done++) {
		struct app_msghdr h;

		n = copy_from_app(&h, &msgs[done].hdr, sizeof(h));
		if (!n)
			n = recv_one(f, s, &h, flags & ~MSG_WAITFORONE);
		if (n >= 0)
			n = put_header(&msgs[done].hdr, &h) ? -EFAULT : put_app((u32)n, &msgs[done].len);
		if (n < 0)
			break;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (clock_monotonic() >= deadline || (h.msg_flags & MSG_OOB)) {
			done++;
			break;
		}
	}
	if (done && n < 0 && n != -EAGAIN && n != -ERESTARTSYS && n != -EINTR)
		atomic_store(&s->err, (int)-n); /* told by the next call, as recvmmsg(2) does */
	file_put(f);
	if (done && timeout) { /* what was left of it */
		u64 now = clock_monotonic(), left = deadline > now ? deadline - now : 0;

		ts.tv_sec = (s64)(left / NSEC_PER_SEC);
		ts.tv_nsec = (s64)(left % NSEC_PER_SEC);
		if (put_app(ts, timeout))
			return -EFAULT;
	}
	return done ? (long)done : n;
}
