/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_UNIX sockets: theory, creation, poll, closing.
 *
 * A sender copies the application's data once into a unix_buf and puts it on the receiver's queue; the
 * receiver copies it out. The buffer is charged to the sender's SO_SNDBUF until it is read: that is the only
 * flow control of connected sockets; datagrams to a foreign queue also stop at max_dgram_qlen. All code runs
 * in thread context: `lock` is a plain spin lock. A pair is locked lower address first. References: a socket
 * holds its peer, a buffer its sender. Files in flight are counted in unix_gc.c, which finds cycles that no
 * descriptor reaches. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "net/unix.h"

void unix_lock_two(struct unix_sock *a, struct unix_sock *b)
{
	if (a == b || !b) {
		spin_lock(&a->lock);
	} else if (a < b) {
		spin_lock(&a->lock);
		spin_lock(&b->lock);
	} else {
		spin_lock(&b->lock);
		spin_lock(&a->lock);
	}
}

void unix_unlock_two(struct unix_sock *a, struct unix_sock *b)
{
	spin_unlock(&a->lock);
	if (b && a != b)
		spin_unlock(&b->lock);
}

bool unix_writable(struct unix_sock *u)
{
	return u->state != UNIX_LISTEN &&
	       atomic_load_explicit(&u->s.wmem, memory_order_relaxed) <= READ_ONCE(u->s.sndbuf) / 4;
}

static bool peer_wake(struct wait_entry *e, u32 events)
{
	struct unix_sock *u = e->priv;

	socket_wake(&u->s, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	return false;
}

void unix_peer_wake_cancel(struct unix_sock *u)
{
	struct unix_sock *on;

	spin_lock(&u->lock);
	on = u->peer_wake_on;
	u->peer_wake_on = NULL;
	spin_unlock(&u->lock);
	if (on) {
		waitq_remove(&on->peer_wait, &u->peer_wake);
		unix_put(on);
	}
}

/* A datagram socket whose peer's queue is full: have our pollers told when there is room. True when it is
 * still full. */
static bool watch_peer(struct unix_sock *u, struct unix_sock *peer)
{
	bool fresh = false;

	spin_lock(&u->lock);
	if (!u->peer_wake_on) {
		u->peer_wake_on = peer;
		unix_get(peer);
		fresh = true;
	}
	spin_unlock(&u->lock);
	if (fresh)
		waitq_add(&peer->peer_wait, &u->peer_wake);
	return unix_queue_full(peer);
}

static u32 unix_poll(struct socket *s)
{
	struct unix_sock *u = unix_sk(s);
	u32 mask = 0, shut = READ_ONCE(s->shutdown);
	bool writable = unix_writable(u);

	if (atomic_load(&s->err))
		mask |= EPOLLERR;
	if (shut == SHUTDOWN_MASK_)
		mask |= EPOLLHUP;
	if (shut & RCV_SHUTDOWN)
		mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(u->rx_count) || READ_ONCE(u->accept_count))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(u->oob))
		mask |= EPOLLPRI;
	if (unix_is_connection(u)) {
		if (u->state == UNIX_CLOSED)
			mask |= EPOLLHUP;
	} else if (writable) {
		struct unix_sock *peer = unix_peer_get(u);

		if (peer) {
			if (peer->peer != u && unix_queue_full(peer) && watch_peer(u, peer))
				writable = false;
			unix_put(peer);
		}
	}
	if (writable)
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return mask;
}

static int unix_ioctl(struct socket *s, unsigned cmd, int *val)
{
	struct unix_sock *u = unix_sk(s);

	switch (cmd) {
	case SIOCOUTQ:
		*val = (int)atomic_load(&s->wmem);
		return 0;
	case SIOCINQ:
		if (u->state == UNIX_LISTEN)
			return -EINVAL;
		spin_lock(&u->lock);
		if (s->type == SOCK_DGRAM && u->rx_count) {
			struct unix_buf *b = list_first_entry(&u->rx, struct unix_buf, node);

			*val = (int)(b->len - b->off);
		} else {
			*val = (int)u->rx_bytes;
		}
		spin_unlock(&u->lock);
		return 0;
	case SIOCATMARK:
		if (s->type != SOCK_STREAM)
			return -EOPNOTSUPP;
		spin_lock(&u->lock);
		*val = u->oob && u->rx.next == &u->oob->node;
		spin_unlock(&u->lock);
		return 0;
	case SOCKET_IOC_LISTENING:
		*val = u->state == UNIX_LISTEN;
		return 0;
	}
	return -ENOTTY;
}

static void wrote_space(struct socket *s)
{
	if (unix_writable(unix_sk(s)))
		socket_wake(s, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
}

void unix_purge(struct unix_sock *u)
{
	struct list_head bufs = LIST_HEAD_INIT(bufs);

	spin_lock(&u->lock);
	list_splice_tail_init(&u->rx, &bufs);
	WRITE_ONCE(u->rx_count, 0);
	u->rx_bytes = 0;
	u->oob = NULL;
	spin_unlock(&u->lock);
	while (!list_empty(&bufs)) {
		struct unix_buf *b = list_first_entry(&bufs, struct unix_buf, node);

		list_del(&b->node);
		unix_buf_free(b);
	}
}

/* RESET: the peer loses data, or a connection that was never accepted. */
static void leave_peer(struct unix_sock *u, bool reset)
{
	struct unix_sock *peer;

	spin_lock(&u->lock);
	peer = u->peer;
	u->peer = NULL;
	u->dead = true;
	u->s.shutdown = SHUTDOWN_MASK_;
	if (u->rx_count)
		reset = true;
	if (!unix_is_connection(u) || u->state == UNIX_CONNECTED)
		u->state = UNIX_CLOSED;
	spin_unlock(&u->lock);
	unix_peer_wake_cancel(u);
	waitq_wake_all(&u->peer_wait);
	socket_wake(&u->s, EPOLLHUP | EPOLLIN | EPOLLOUT);
	if (!peer)
		return;
	if (unix_is_connection(u)) {
		spin_lock(&peer->lock);
		WRITE_ONCE(peer->s.shutdown, SHUTDOWN_MASK_);
		if (reset)
			atomic_store(&peer->s.err, ECONNRESET);
		spin_unlock(&peer->lock);
		socket_wake(&peer->s, EPOLLHUP | EPOLLRDHUP | EPOLLIN | EPOLLOUT | EPOLLERR);
	}
	unix_put(peer);
}

static void unix_close(struct socket *s)
{
	struct unix_sock *u = unix_sk(s);
	struct list_head embryos = LIST_HEAD_INIT(embryos);

	unix_unbind(u);
	spin_lock(&u->lock);
	list_splice_tail_init(&u->accept_queue, &embryos);
	WRITE_ONCE(u->accept_count, 0);
	spin_unlock(&u->lock);
	leave_peer(u, false);
	while (!list_empty(&embryos)) {
		struct unix_sock *e = list_first_entry(&embryos, struct unix_sock, accept_node);

		list_del_init(&e->accept_node);
		leave_peer(e, true);
		unix_purge(e);
		unix_list_del(e);
		socket_put(&e->s);
	}
	unix_purge(u);
	unix_list_del(u);
	socket_put(s);
	unix_gc();
}

static void unix_free(struct socket *s)
{
	struct unix_sock *u = unix_sk(s);

	unix_name_put(u->name);
	groups_put(u->cred.groups);
	groups_put(u->peer_cred.groups);
	kfree(u);
}

static const struct socket_ops stream_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.getname = unix_getname,
	.sendmsg = unix_stream_send,
	.recvmsg = unix_stream_recv,
	.shutdown = unix_shutdown,
	.poll = unix_poll,
	.ioctl = unix_ioctl,
	.pair = unix_pair,
	.close = unix_close,
	.free = unix_free,
	.wrote_space = wrote_space,
};
static const struct socket_ops dgram_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.getname = unix_getname,
	.sendmsg = unix_dgram_send,
	.recvmsg = unix_dgram_recv,
	.shutdown = unix_shutdown,
	.poll = unix_poll,
	.ioctl = unix_ioctl,
	.pair = unix_pair,
	.close = unix_close,
	.free = unix_free,
	.wrote_space = wrote_space,
};
static const struct socket_ops seqpacket_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.getname = unix_getname,
	.sendmsg = unix_dgram_send,
	.recvmsg = unix_dgram_recv,
	.shutdown = unix_shutdown,
	.poll = unix_poll,
	.ioctl = unix_ioctl,
	.pair = unix_pair,
	.close = unix_close,
	.free = unix_free,
	.wrote_space = wrote_space,
};

struct unix_sock *unix_sock_new(struct net_stack *net, int type)
{
	struct unix_sock *u = kzalloc(sizeof(*u));

	if (!u)
		return NULL;
	socket_init(&u->s, net,
		    type == SOCK_STREAM ? &stream_ops : (type == SOCK_DGRAM ? &dgram_ops : &seqpacket_ops),
		    AF_UNIX, type, 0);
	spin_init(&u->lock);
	list_init(&u->rx);
	list_init(&u->accept_queue);
	list_init(&u->accept_node);
	list_init(&u->gc_node);
	mutex_init(&u->read_lock);
	waitq_init(&u->peer_wait);
	wait_entry_init_fn(&u->peer_wake, peer_wake, u, false);
	u->peer_cred.id = (struct ucred){.uid = ~0u, .gid = ~0u};
	unix_list_add(u);
	return u;
}

struct socket *unix_create(struct net_stack *net, int type, int protocol)
{
	struct unix_sock *u;

	if (protocol && protocol != AF_UNIX)
		return ERR_PTR(-EPROTONOSUPPORT);
	if (type == SOCK_RAW) /* an old spelling of SOCK_DGRAM */
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return ERR_PTR(-ESOCKTNOSUPPORT);
	u = unix_sock_new(net, type);
	return u ? &u->s : ERR_PTR(-ENOMEM);
}
