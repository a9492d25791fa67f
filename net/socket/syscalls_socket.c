/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls that make, name, connect and configure sockets. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/process.h"
#include "kernel/syscall.h"
#include "net/inet.h"
#include "net/sockfile.h"
#include "net/unix.h"
#include <linux/filter.h>

#define OPTION_MAX 4096 /* bytes of an option value */
#define FILTER_MAX GROUP_FILTER_SIZE(INET_FILTER_V6)

/* Bytes that an option's value may have, and those of them that getsockopt reads to know what is asked. */
static int option_max(int level, int opt, int most)
{
	return (level == SOL_IP || level == SOL_IPV6) && opt == MCAST_MSFILTER ? (int)FILTER_MAX : most;
}

static int option_question(int level, int opt)
{
	if (level == SOL_PACKET) /* PACKET_HDRLEN asks about a version */
		return sizeof(int);
	if (level == SOL_IP && opt == IP_MSFILTER)
		return IP_MSFILTER_SIZE(0);
	return (level == SOL_IP || level == SOL_IPV6) && opt == MCAST_MSFILTER ? GROUP_FILTER_SIZE(0) : 0;
}

static int split_type(int type, int *flags)
{
	*flags = type & ~SOCK_TYPE_MASK_;
	return *flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK) ? -EINVAL : type & SOCK_TYPE_MASK_;
}

/* A descriptor for S, whose reference it takes over in any case. */
static int install(struct socket *s, int flags)
{
	struct file *f = socket_file_create(s, (u32)flags);
	int fd;

	if (IS_ERR(f)) {
		socket_close(s);
		return (int)PTR_ERR(f);
	}
	fd = fd_install_new(f, flags & SOCK_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL_DEFINE3(socket, int, family, int, type, int, protocol)
{
	struct socket *s;
	int flags, t = split_type(type, &flags);

	if (t < 0)
		return t;
	s = socket_create(&net_default, family, t, protocol);
	return IS_ERR(s) ? PTR_ERR(s) : install(s, flags);
}

SYSCALL_DEFINE4(socketpair, int, family, int, type, int, protocol, int __app *, out)
{
	struct socket *a, *b;
	int flags, t = split_type(type, &flags), fd[2], err;

	if (t < 0)
		return t;
	a = socket_create(&net_default, family, t, protocol);
	if (IS_ERR(a))
		return PTR_ERR(a);
	if (!a->ops->pair) {
		socket_close(a);
		return -EOPNOTSUPP;
	}
	b = socket_create(&net_default, family, t, protocol);
	if (IS_ERR(b)) {
		socket_close(a);
		return PTR_ERR(b);
	}
	err = a->ops->pair(a, b);
	if (err) {
		socket_close(a);
		socket_close(b);
		return err;
	}
	fd[0] = install(a, flags);
	if (fd[0] < 0) {
		socket_close(b);
		return fd[0];
	}
	fd[1] = install(b, flags);
	if (fd[1] < 0) {
		fd_close(fd[0]);
		return fd[1];
	}
	if (copy_to_app(out, fd, sizeof(fd))) {
		fd_close(fd[0]);
		fd_close(fd[1]);
		return -EFAULT;
	}
	return 0;
}

static int addr_from_app(struct __kernel_sockaddr_storage *ss, const void __app *addr, int len)
{
	if (len < 0 || len > (int)sizeof(*ss))
		return -EINVAL;
	memset(ss, 0, sizeof(*ss));
	return len ? copy_from_app(ss, addr, (size_t)len) : 0;
}

static int addr_to_app(const struct __kernel_sockaddr_storage *ss, int n, void __app *addr, int __app *lenp)
{
	int room;

	if (get_app(room, lenp))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (copy_to_app(addr, ss, (size_t)min(room, n)))
		return -EFAULT;
	return put_app(n, lenp);
}

SYSCALL_DEFINE3(bind, int, fd, const void __app *, addr, int, len)
{
	struct __kernel_sockaddr_storage ss;
	struct file *f;
	struct socket *s = socket_from_fd(fd, &f);
	int err;

	if (IS_ERR(s))
		return PTR_ERR(s);
	err = addr_from_app(&ss, addr, len);
	if (!err)
		err = s->ops->bind ? s->ops->bind(s, (struct sockaddr *)&ss, len) : -EOPNOTSUPP;
	file_put(f);
	return err;
}

SYSCALL_DEFINE2(listen, int, fd, int, backlog)
{
	struct file *f;
	struct socket *s = socket_from_fd(fd, &f);
	int err;

	if (IS_ERR(s))
		return PTR_ERR(s);
	if ((unsigned)backlog > s->net->somaxconn)
		backlog = (int)s->net->somaxconn;
	err = s->ops->listen ? s->ops->listen(s, backlog) : -EOPNOTSUPP;
	file_put(f);
	return err;
}

static long do_accept(int fd, void __app *addr, int __app *lenp, int flags)
{
	struct __kernel_sockaddr_storage ss = {};
	struct socket *s, *c;
	struct file *f, *nf;
	long ret;
	int n;

	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	s = socket_from_fd(fd, &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	if (!s->ops->accept) {
		ret = -EOPNOTSUPP;
		goto out;
	}
	ret = fd_reserve(0, flags & SOCK_CLOEXEC);
	if (ret < 0)
		goto out;
	c = s->ops->accept(s, file_nonblock(f));
	if (IS_ERR(c)) {
		fd_release((int)ret);
		ret = PTR_ERR(c);
		goto out;
	}
	if (addr) {
		/* Who it was is told even if he has gone already. */
		n = c->family == AF_INET || c->family == AF_INET6
			    ? inet_getname(c, (struct sockaddr *)&ss, true)
			    : c->ops->getname(c, (struct sockaddr *)&ss, true);
		if (n < 0) {
			fd_release((int)ret);
			socket_close(c);
			ret = -ECONNABORTED;
			goto out;
		}
		n = addr_to_app(&ss, n, addr, lenp);
		if (n < 0) {
			fd_release((int)ret);
			socket_close(c);
			ret = n;
			goto out;
		}
	}
	nf = socket_file_create(c, (u32)flags);
	if (IS_ERR(nf)) {
		fd_release((int)ret);
		socket_close(c);
		ret = PTR_ERR(nf);
		goto out;
	}
	fd_install((int)ret, nf);
out:
	file_put(f);
	return ret;
}

SYSCALL_DEFINE3(accept, int, fd, void __app *, addr, int __app *, lenp)
{
	return do_accept(fd, addr, lenp, 0);
}

SYSCALL_DEFINE4(accept4, int, fd, void __app *, addr, int __app *, lenp, int, flags)
{
	return do_accept(fd, addr, lenp, flags);
}

SYSCALL_DEFINE3(connect, int, fd, const void __app *, addr, int, len)
{
	struct __kernel_sockaddr_storage ss;
	struct file *f;
	struct socket *s = socket_from_fd(fd, &f);
	int err;

	if (IS_ERR(s))
		return PTR_ERR(s);
	err = addr_from_app(&ss, addr, len);
	if (!err)
		err = s->ops->connect ? s->ops->connect(s, (struct sockaddr *)&ss, len, file_nonblock(f))
				      : -EOPNOTSUPP;
	file_put(f);
	return err;
}

static long do_getname(int fd, void __app *addr, int __app *lenp, bool peer)
{
	struct __kernel_sockaddr_storage ss = {};
	struct file *f;
	struct socket *s = socket_from_fd(fd, &f);
	int n;

	if (IS_ERR(s))
		return PTR_ERR(s);
	n = s->ops->getname(s, (struct sockaddr *)&ss, peer);
	if (n >= 0)
		n = addr_to_app(&ss, n, addr, lenp);
	file_put(f);
	return n;
}

SYSCALL_DEFINE3(getsockname, int, fd, void __app *, addr, int __app *, lenp)
{
	return do_getname(fd, addr, lenp, false);
}

SYSCALL_DEFINE3(getpeername, int, fd, void __app *, addr, int __app *, lenp)
{
	return do_getname(fd, addr, lenp, true);
}

SYSCALL_DEFINE2(shutdown, int, fd, int, how)
{
	struct file *f;
	struct socket *s = socket_from_fd(fd, &f);
	int err;

	if (IS_ERR(s))
		return PTR_ERR(s);
	if (how < SHUT_RD || how > SHUT_RDWR)
		err = -EINVAL;
	else
		err = s->ops->shutdown ? s->ops->shutdown(s, how) : -EOPNOTSUPP;
	file_put(f);
	return err;
}

/* struct sock_fprog of the ABI holds an application's pointer. */
static int set_filter(struct socket *s, bool reuse, const void *val, int len)
{
	struct sock_fprog prog;
	struct sock_filter *insns;
	int err;

	if (len != (int)sizeof(prog))
		return -EINVAL;
	memcpy(&prog, val, sizeof(prog));
	if (!prog.len || prog.len > BPF_MAXINSNS || !prog.filter)
		return -EINVAL;
	insns = kmalloc(prog.len * sizeof(*insns));
	if (!insns)
		return -ENOMEM;
	err = copy_from_app(insns, (const void __app *)prog.filter, prog.len * sizeof(*insns));
	if (!err)
		err = socket_filter_attach(s, insns, prog.len, reuse);
	kfree(insns);
	return err;
}

/* SO_GET_FILTER counts in instructions; no room: only tells how many. */
static long get_filter(struct socket *s, void __app *val, int __app *lenp, int room)
{
	struct sock_filter *insns = kmalloc(BPF_MAXINSNS * sizeof(*insns));
	unsigned n;
	long err = 0;

	if (!insns)
		return -ENOMEM;
	n = socket_filter_get(s, insns, BPF_MAXINSNS);
	if (room && (unsigned)room < n)
		err = -EINVAL;
	else if (room)
		err = copy_to_app(val, insns, n * sizeof(*insns));
	kfree(insns);
	return err ? err : put_app((int)n, lenp);
}

SYSCALL_DEFINE5(setsockopt, int, fd, int, level, int, opt, const void __app *, val, int, len)
{
	u8 small[64], *buf = small;
	struct file *f;
	struct socket *s;
	long err;

	if (len < 0)
		return -EINVAL;
	s = socket_from_fd(fd, &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	len = min(len, option_max(level, opt, OPTION_MAX));
	if (len > (int)sizeof(small)) {
		buf = kmalloc((size_t)len);
		if (!buf) {
			err = -ENOMEM;
			goto out;
		}
	}
	err = len ? copy_from_app(buf, val, (size_t)len) : 0;
	if (err)
		goto out;
	if (level == SOL_SOCKET && (opt == SO_ATTACH_FILTER || opt == SO_ATTACH_REUSEPORT_CBPF))
		err = set_filter(s, opt == SO_ATTACH_REUSEPORT_CBPF, buf, len);
	else if (level == SOL_SOCKET)
		err = socket_set_option(s, opt, buf, len);
	else
		err = s->ops->setsockopt ? s->ops->setsockopt(s, level, opt, buf, len) : -EOPNOTSUPP;
out:
	if (buf != small)
		kfree(buf);
	file_put(f);
	return err;
}

static int get_peer_groups(struct socket *s, void __app *val, int __app *lenp, int len)
{
	struct unix_sock *u = unix_sk(s);
	struct group_list *g;
	bool known;
	int n, err;

	if (s->family != AF_UNIX)
		return -ENODATA;
	spin_lock(&u->lock);
	known = u->peer_cred.id.uid != ~0u;
	g = u->peer_cred.groups;
	if (g)
		refcount_get(&g->ref);
	spin_unlock(&u->lock);
	n = g ? (int)(g->n * sizeof(g->gid[0])) : 0;
	err = known ? put_app(n, lenp) : -ENODATA;
	if (!err && len < n)
		err = -ERANGE;
	if (!err && n)
		err = copy_to_app(val, g->gid, (size_t)n);
	groups_put(g);
	return err;
}

SYSCALL_DEFINE5(getsockopt, int, fd, int, level, int, opt, void __app *, val, int __app *, lenp)
{
	u8 small[512], *buf = small;
	struct file *f;
	struct socket *s = socket_from_fd(fd, &f);
	int len;
	long err;

	if (IS_ERR(s))
		return PTR_ERR(s);
	err = get_app(len, lenp);
	if (err)
		goto out;
	if (len < 0) {
		err = -EINVAL;
		goto out;
	}
	if (level == SOL_SOCKET && opt == SO_GET_FILTER) {
		err = get_filter(s, val, lenp, len);
		goto out;
	}
	if (level == SOL_SOCKET && opt == SO_PEERGROUPS) {
		err = get_peer_groups(s, val, lenp, len);
		goto out;
	}
	len = min(len, option_max(level, opt, sizeof(small)));
	if (len > (int)sizeof(small)) {
		buf = kmalloc((size_t)len);
		if (!buf) {
			err = -ENOMEM;
			goto out;
		}
	}
	memset(buf, 0, max((size_t)len, sizeof(small)));
	err = copy_from_app(buf, val, (size_t)min(len, option_question(level, opt)));
	if (err)
		goto out;
	if (level == SOL_SOCKET)
		err = socket_get_option(s, opt, buf, &len);
	else
		err = s->ops->getsockopt ? s->ops->getsockopt(s, level, opt, buf, &len) : -EOPNOTSUPP;
	if (!err)
		err = copy_to_app(val, buf, (size_t)len);
	if (!err)
		err = put_app(len, lenp);
out:
	if (buf != small)
		kfree(buf);
	file_put(f);
	return err;
}
