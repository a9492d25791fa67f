/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections of AF_UNIX sockets: connect, listen, accept, socketpair, shutdown. A connecting stream makes
 * the server's end itself and queues it at the listener; it is connected at once, before accept. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "kernel/process.h"
#include "net/unix.h"

/* In place of what TO held. */
static void put_cred(struct unix_cred *to, struct ucred id, struct group_list *groups)
{
	if (groups)
		refcount_get(&groups->ref);
	groups_put(to->groups);
	*to = (struct unix_cred){id, groups};
}

static void put_own_cred(struct unix_cred *to)
{
	const struct cred *c = current_cred();

	put_cred(to, (struct ucred){.pid = current_process()->pid, .uid = c->euid, .gid = c->egid},
		 c->groups);
}

struct unix_sock *unix_peer_get(struct unix_sock *u)
{
	struct unix_sock *p;

	spin_lock(&u->lock);
	p = u->peer;
	if (p)
		unix_get(p);
	spin_unlock(&u->lock);
	return p;
}

/* U has left OLD for another peer: what OLD sent and was not read is lost, which it hears if it talks to U.
 */
static void dgram_disconnected(struct unix_sock *u, struct unix_sock *old)
{
	if (!READ_ONCE(u->rx_count))
		return;
	unix_purge(u);
	waitq_wake_all(&u->peer_wait);
	if (!READ_ONCE(old->dead) && READ_ONCE(old->peer) == u)
		socket_set_error(&old->s, ECONNRESET);
}

static int dgram_connect(struct unix_sock *u, const struct sockaddr *addr, int len)
{
	struct unix_sock *peer = NULL, *old;

	if (addr->sa_family != AF_UNSPEC) {
		if (socket_flag(&u->s, SOCKF_PASSCRED) && !u->name) {
			int err = unix_autobind(u);

			if (err)
				return err;
		}
		peer = unix_find(addr, len, u->s.type);
		if (IS_ERR(peer))
			return (int)PTR_ERR(peer);
		if (peer->peer && peer->peer != u && peer != u) {
			unix_put(peer);
			return -EPERM; /* it listens to somebody else only */
		}
	}
	unix_peer_wake_cancel(u);
	spin_lock(&u->lock);
	old = u->peer;
	u->peer = peer;
	u->state = peer ? UNIX_CONNECTED : UNIX_CLOSED;
	spin_unlock(&u->lock);
	if (old) {
		if (old != peer)
			dgram_disconnected(u, old);
		unix_put(old);
	}
	socket_wake(&u->s, EPOLLOUT | EPOLLWRNORM);
	return 0;
}

/* Put the server's end N of U's connection at LISTENER. 0, -EAGAIN: the backlog is full, or another errno. */
static int enqueue(struct unix_sock *u, struct unix_sock *listener, struct unix_sock *n)
{
	int err = 0;

	/* N is not known to anyone yet: locking U and LISTENER is enough. */
	unix_lock_two(u, listener);
	if (u->state != UNIX_CLOSED)
		err = u->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	else if (listener->dead || listener->state != UNIX_LISTEN || (listener->s.shutdown & RCV_SHUTDOWN))
		err = -ECONNREFUSED;
	else if (listener->accept_count > listener->backlog)
		err = -EAGAIN;
	if (!err) {
		n->state = u->state = UNIX_CONNECTED;
		n->peer = u;
		unix_get(u);
		u->peer = n;
		unix_get(n);
		put_own_cred(&n->peer_cred);
		put_cred(&u->peer_cred, listener->cred.id, listener->cred.groups);
		n->name = listener->name;
		if (n->name)
			refcount_get(&n->name->ref);
		atomic_store(&n->s.flags, atomic_load(&listener->s.flags) & SOCKF_PASSCRED);
		list_add_tail(&n->accept_node, &listener->accept_queue);
		WRITE_ONCE(listener->accept_count, listener->accept_count + 1);
	}
	unix_unlock_two(u, listener);
	return err;
}

static int wait_backlog(struct unix_sock *listener, u64 deadline)
{
	int r;

	if (!deadline)
		return -EAGAIN;
	r = wait_event_interruptible_exclusive(&listener->peer_wait,
					       READ_ONCE(listener->accept_count) <= listener->backlog ||
						       READ_ONCE(listener->dead) ||
						       (READ_ONCE(listener->s.shutdown) & RCV_SHUTDOWN),
					       deadline);
	if (r && READ_ONCE(listener->accept_count) <= listener->backlog)
		waitq_wake_one(&listener->peer_wait); /* the wake-up may have been ours: pass it on */
	return socket_wait_result(r, deadline);
}

static int stream_connect(struct unix_sock *u, const struct sockaddr *addr, int len, bool nonblock)
{
	u64 deadline = socket_snd_deadline(&u->s, nonblock ? MSG_DONTWAIT : 0);
	struct unix_sock *n, *listener;
	int err;

	if (socket_flag(&u->s, SOCKF_PASSCRED) && !u->name) {
		err = unix_autobind(u);
		if (err)
			return err;
	}
	n = unix_sock_new(u->s.net, u->s.type);
	if (!n)
		return -ENOMEM;
	for (;;) {
		listener = unix_find(addr, len, u->s.type);
		if (IS_ERR(listener)) {
			err = (int)PTR_ERR(listener);
			break;
		}
		err = listener == u ? -ECONNREFUSED : enqueue(u, listener, n);
		if (!err) {
			socket_wake(&listener->s, EPOLLIN | EPOLLRDNORM);
			unix_put(listener);
			return 0;
		}
		if (err == -EAGAIN)
			err = wait_backlog(listener, deadline);
		unix_put(listener);
		if (err)
			break;
	}
	n->dead = true;
	unix_list_del(n);
	socket_put(&n->s);
	return err;
}

int unix_connect(struct socket *s, const struct sockaddr *addr, int len, bool nonblock)
{
	if (len < (int)sizeof(addr->sa_family))
		return -EINVAL;
	if (s->type == SOCK_DGRAM)
		return dgram_connect(unix_sk(s), addr, len);
	return stream_connect(unix_sk(s), addr, len, nonblock);
}

int unix_listen(struct socket *s, int backlog)
{
	struct unix_sock *u = unix_sk(s);
	int err = 0;

	if (!unix_is_connection(u))
		return -EOPNOTSUPP;
	if (!u->name)
		return -EINVAL;
	spin_lock(&u->lock);
	if (u->state != UNIX_CLOSED && u->state != UNIX_LISTEN) {
		err = -EINVAL;
	} else {
		u->state = UNIX_LISTEN;
		u->backlog = (u32)backlog;
		put_own_cred(&u->cred);
		put_own_cred(&u->peer_cred);
	}
	spin_unlock(&u->lock);
	if (!err)
		waitq_wake_all(&u->peer_wait);
	return err;
}

struct socket *unix_accept(struct socket *s, bool nonblock)
{
	struct unix_sock *u = unix_sk(s), *n = NULL;
	u64 deadline = socket_rcv_deadline(s, nonblock ? MSG_DONTWAIT : 0);
	int err;

	if (u->state != UNIX_LISTEN)
		return ERR_PTR(-EINVAL);
	for (;;) {
		spin_lock(&u->lock);
		if (!list_empty(&u->accept_queue)) {
			n = list_first_entry(&u->accept_queue, struct unix_sock, accept_node);
			list_del_init(&n->accept_node);
			WRITE_ONCE(u->accept_count, u->accept_count - 1);
		}
		spin_unlock(&u->lock);
		if (n) {
			waitq_wake_one(&u->peer_wait);
			return &n->s;
		}
		if (s->shutdown & RCV_SHUTDOWN)
			return ERR_PTR(-EINVAL);
		if (!deadline)
			return ERR_PTR(-EAGAIN);
		err = wait_event_interruptible_exclusive(
			&s->waitq, READ_ONCE(u->accept_count) || (READ_ONCE(s->shutdown) & RCV_SHUTDOWN),
			deadline);
		if (err) {
			if (READ_ONCE(u->accept_count))
				socket_wake(s, EPOLLIN | EPOLLRDNORM);
			return ERR_PTR(socket_wait_result(err, deadline));
		}
	}
}

int unix_pair(struct socket *sa, struct socket *sb)
{
	struct unix_sock *a = unix_sk(sa), *b = unix_sk(sb);

	unix_get(a);
	unix_get(b);
	a->peer = b;
	b->peer = a;
	put_own_cred(&a->peer_cred);
	put_own_cred(&b->peer_cred);
	a->state = b->state = UNIX_CONNECTED;
	return 0;
}

int unix_shutdown(struct socket *s, int how)
{
	struct unix_sock *u = unix_sk(s), *peer;
	u8 mode = (u8)(how + 1), peer_mode = 0; /* SHUT_RD, WR, RDWR are RCV, SEND, both */

	spin_lock(&u->lock);
	WRITE_ONCE(s->shutdown, s->shutdown | mode);
	peer = u->peer;
	if (peer)
		unix_get(peer);
	spin_unlock(&u->lock);
	if (peer && unix_is_connection(u)) {
		if (mode & RCV_SHUTDOWN)
			peer_mode |= SEND_SHUTDOWN;
		if (mode & SEND_SHUTDOWN)
			peer_mode |= RCV_SHUTDOWN;
		spin_lock(&peer->lock);
		WRITE_ONCE(peer->s.shutdown, peer->s.shutdown | peer_mode);
		spin_unlock(&peer->lock);
		socket_wake(&peer->s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	}
	socket_wake(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	waitq_wake_all(&u->peer_wait);
	if (peer)
		unix_put(peer);
	return 0;
}
