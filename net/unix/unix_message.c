/* SPDX-License-Identifier: BSD-2-Clause */
/* Data of AF_UNIX sockets: streams, datagrams, sequenced packets, with descriptors and credentials. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "net/sockfile.h"
#include "net/unix.h"

#define CHUNK_MAX (32u << 10) /* stream bytes in one buffer */

bool unix_queue_full(struct unix_sock *u)
{
	return READ_ONCE(u->rx_count) > READ_ONCE(u->s.net->unix_dgram_qlen);
}

struct unix_buf *unix_buf_alloc(struct unix_sock *u, size_t n, u32 flags)
{
	u64 deadline = socket_snd_deadline(&u->s, flags);
	struct unix_buf *b;
	u32 charge = (u32)(sizeof(*b) + n);
	int err;

	while (atomic_load(&u->s.wmem) >= READ_ONCE(u->s.sndbuf)) {
		err = socket_error(&u->s);
		if (err)
			return ERR_PTR(err);
		if (u->s.shutdown & SEND_SHUTDOWN)
			return ERR_PTR(-EPIPE);
		if (!deadline)
			return ERR_PTR(-EAGAIN);
		err = wait_event_interruptible_until(&u->s.waitq,
						     atomic_load(&u->s.wmem) < READ_ONCE(u->s.sndbuf) ||
							     atomic_load(&u->s.err) ||
							     (READ_ONCE(u->s.shutdown) & SEND_SHUTDOWN),
						     deadline);
		if (err)
			return ERR_PTR(socket_wait_result(err, deadline));
	}
	b = kmalloc(sizeof(*b) + n);
	if (!b)
		return ERR_PTR(-ENOBUFS);
	*b = (struct unix_buf){.sender = u, .len = (u32)n, .charge = charge};
	unix_get(u);
	atomic_fetch_add(&u->s.wmem, charge);
	return b;
}

void unix_buf_free(struct unix_buf *b)
{
	struct unix_sock *u = b->sender;

	if (b->nfiles) {
		unix_files_received(b->files, b->nfiles);
		unix_drop_files(b->files, b->nfiles);
	}
	unix_name_put(b->from);
	atomic_fetch_sub(&u->s.wmem, b->charge);
	if (unix_writable(u))
		socket_wake(&u->s, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	unix_put(u);
	kfree(b);
}

/* Move the message's descriptors into B and count them as in flight. */
static int attach(struct unix_buf *b, struct net_msg *m)
{
	b->cred = m->cred;
	if (m->nfiles) {
		int err = unix_files_sent(m->files, m->nfiles, &m->cred);

		if (err)
			return err;
		b->files = m->files;
		b->nfiles = m->nfiles;
		m->files = NULL;
		m->nfiles = 0;
	}
	return 0;
}

static void append(struct unix_sock *to, struct unix_buf *b)
{
	list_add_tail(&b->node, &to->rx);
	WRITE_ONCE(to->rx_count, to->rx_count + 1);
	to->rx_bytes += b->len - b->off;
}

/* Give the receiver B's credentials and descriptors. Descriptors are moved, or shared when peeking. */
static int detach(struct unix_sock *u, struct unix_buf *b, struct net_msg *m)
{
	if (socket_flag(&u->s, SOCKF_PASSCRED)) {
		struct ucred c = b->cred;

		msg_put_cmsg(m, SOL_SOCKET, SCM_CREDENTIALS, &c, sizeof(c));
	}
	if (!b->nfiles)
		return 0;
	if (m->flags & MSG_PEEK) {
		m->files = kmalloc(SCM_MAX_FD * sizeof(*m->files));
		if (!m->files)
			return -ENOMEM;
		memcpy(m->files, b->files, b->nfiles * sizeof(*m->files));
		for (unsigned i = 0; i < b->nfiles; i++)
			file_get(m->files[i]);
		m->nfiles = b->nfiles;
		return 0;
	}
	unix_files_received(b->files, b->nfiles);
	m->files = b->files;
	m->nfiles = b->nfiles;
	b->files = NULL;
	b->nfiles = 0;
	return 0;
}

/* B, complete, to PEER's end of the stream; takes it over. URGENT: its byte is the urgent one from now on. */
static int stream_deliver(struct unix_sock *peer, struct unix_buf *b, bool urgent)
{
	bool open;

	spin_lock(&peer->lock);
	open = !peer->dead && !(peer->s.shutdown & RCV_SHUTDOWN);
	if (open) {
		append(peer, b);
		if (urgent)
			WRITE_ONCE(peer->oob, b);
	}
	spin_unlock(&peer->lock);
	if (!open) {
		unix_buf_free(b);
		return -EPIPE;
	}
	/* RDBAND: SIGURG (kernel/sigio.h) */
	socket_wake(&peer->s, EPOLLIN | EPOLLRDNORM | (urgent ? EPOLLPRI | EPOLLRDBAND : 0));
	return 0;
}

ssize_t unix_stream_send(struct socket *s, struct net_msg *m)
{
	struct unix_sock *u = unix_sk(s), *peer;
	bool oob = m->flags & MSG_OOB;
	ssize_t sent = 0;
	int err = 0;

	if (oob && !m->iter->left)
		return -EOPNOTSUPP;
	if (m->namelen)
		return u->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	peer = unix_peer_get(u);
	if (!peer) {
		if (s->shutdown & SEND_SHUTDOWN)
			return -EPIPE;
		return -ENOTCONN;
	}
	while (m->iter->left) {
		bool urgent = oob && m->iter->left == 1; /* the last byte travels alone */
		size_t n = min(m->iter->left - (oob && !urgent),
			       (size_t)min(CHUNK_MAX, max(s->sndbuf / 2, 1024u)));
		struct unix_buf *b;

		if (s->shutdown & SEND_SHUTDOWN) {
			err = -EPIPE;
			break;
		}
		b = unix_buf_alloc(u, n, m->flags);
		if (IS_ERR(b)) {
			err = (int)PTR_ERR(b);
			break;
		}
		b->cred = m->cred;
		if (iter_copy_in(m->iter, b->data, n) < n)
			err = -EFAULT;
		else if (!urgent)
			err = attach(b, m);
		if (err) {
			unix_buf_free(b);
			break;
		}
		err = stream_deliver(peer, b, urgent);
		if (err)
			break;
		sent += (ssize_t)n;
	}
	unix_put(peer);
	return sent ? sent : err;
}

/* Copy from the buffer at the head, or the Nth when peeking past SKIP bytes. The reader's lock keeps buffers
 * in place. */
static ssize_t take(struct unix_sock *u, struct unix_buf *b, u32 at, struct net_msg *m)
{
	size_t n = min((size_t)(b->len - at), m->iter->left), got = iter_copy_out(m->iter, b->data + at, n);

	if (!got && n)
		return -EFAULT;
	if (m->flags & MSG_PEEK)
		return (ssize_t)got;
	spin_lock(&u->lock);
	b->off += (u32)got;
	u->rx_bytes -= got;
	if (b->off < b->len) {
		b = NULL;
	} else {
		if (u->oob == b)
			WRITE_ONCE(u->oob, NULL);
		list_del(&b->node);
		WRITE_ONCE(u->rx_count, u->rx_count - 1);
	}
	spin_unlock(&u->lock);
	if (b)
		unix_buf_free(b);
	return (ssize_t)got;
}

static bool same_sender(const struct unix_buf *b, const struct ucred *c)
{
	return b->cred.pid == c->pid && b->cred.uid == c->uid && b->cred.gid == c->gid;
}

static struct unix_buf *head(struct unix_sock *u, struct unix_buf *after)
{
	struct unix_buf *b = NULL;

	spin_lock(&u->lock);
	if (after)
		b = after->node.next != &u->rx ? list_next_entry(after, node) : NULL;
	else if (!list_empty(&u->rx))
		b = list_first_entry(&u->rx, struct unix_buf, node);
	spin_unlock(&u->lock);
	return b;
}

/* MSG_OOB: the urgent byte out of line. Its buffer stays, empty, as the mark. */
static ssize_t recv_urgent(struct unix_sock *u, struct net_msg *m)
{
	struct unix_buf *b;
	ssize_t n = -EINVAL;

	mutex_lock(&u->read_lock);
	b = READ_ONCE(u->oob);
	if (b && !socket_flag(&u->s, SOCKF_OOBINLINE)) {
		n = iter_copy_out(m->iter, b->data, 1) == 1 ? 1 : -EFAULT;
		m->out_flags |= MSG_OOB;
		if (!(m->flags & MSG_PEEK)) {
			spin_lock(&u->lock);
			if (u->oob == b)
				WRITE_ONCE(u->oob, NULL);
			b->off = b->len;
			u->rx_bytes--;
			spin_unlock(&u->lock);
		}
	}
	mutex_unlock(&u->read_lock);
	return n;
}

static void drop_head(struct unix_sock *u, struct unix_buf *b)
{
	spin_lock(&u->lock);
	list_del(&b->node);
	WRITE_ONCE(u->rx_count, u->rx_count - 1);
	u->rx_bytes -= b->len - b->off;
	if (u->oob == b)
		WRITE_ONCE(u->oob, NULL);
	spin_unlock(&u->lock);
	unix_buf_free(b);
}

/* B is next to be read, DONE bytes were. What the urgent mark makes of it: READ_IT; PASS, it is gone; STOP
 * before it. */
static enum { READ_IT, PASS, STOP } at_mark(struct unix_sock *u, struct unix_buf *b, bool peek, ssize_t done)
{
	if (b->off == b->len && !peek) {
		drop_head(u, b); /* its urgent byte was read */
		return PASS;
	}
	if (b != READ_ONCE(u->oob))
		return READ_IT;
	if (done)
		return STOP;
	if (peek)
		return READ_IT;
	if (!socket_flag(&u->s, SOCKF_OOBINLINE)) {
		drop_head(u, b); /* nobody asked for it in time */
		return PASS;
	}
	WRITE_ONCE(u->oob, NULL);
	return READ_IT;
}

ssize_t unix_stream_recv(struct socket *s, struct net_msg *m)
{
	struct unix_sock *u = unix_sk(s);
	u64 deadline = socket_rcv_deadline(s, m->flags);
	size_t target = m->flags & MSG_WAITALL ? m->iter->left : min((size_t)s->rcvlowat, m->iter->left);
	bool peek = m->flags & MSG_PEEK, have_cred = false;
	struct unix_buf *b, *peeked = NULL;
	struct ucred cred = {};
	ssize_t done = 0, n;
	u32 passed = 0; /* buffers that peeking has left behind */
	size_t skip = peek ? (size_t)max(READ_ONCE(s->peek_off), 0) : 0, from = skip;
	int err = 0;

	if (u->state != UNIX_CONNECTED)
		return -EINVAL;
	if (m->flags & MSG_OOB)
		return recv_urgent(u, m);
	if (!m->iter->left)
		return 0;
	mutex_lock(&u->read_lock);
	while (m->iter->left) {
		bool files;

		b = head(u, peeked);
		if (!b) {
			if (done >= (ssize_t)target)
				break;
			err = socket_error(s);
			if (err || (s->shutdown & RCV_SHUTDOWN))
				break;
			if (!deadline) {
				err = -EAGAIN;
				break;
			}
			mutex_unlock(&u->read_lock);
			err = wait_event_interruptible_until(&s->waitq,
							     READ_ONCE(u->rx_count) > passed ||
								     atomic_load(&s->err) ||
								     (READ_ONCE(s->shutdown) & RCV_SHUTDOWN),
							     deadline);
			if (err) {
				err = socket_wait_result(err, deadline);
				goto out;
			}
			mutex_lock(&u->read_lock);
			if (peeked) { /* another reader may have taken it */
				peeked = NULL;
				passed = 0;
				skip = from;
				iter_revert(m->iter, (size_t)done);
				done = 0;
			}
			continue;
		}
		if (unlikely(b->off == b->len || b == READ_ONCE(u->oob))) {
			int mark = at_mark(u, b, peek, done);

			if (mark == STOP)
				break;
			if (mark == PASS)
				continue;
		}
		if (peek && skip >= b->len - b->off) {
			skip -= b->len - b->off;
			peeked = b;
			passed++;
			continue;
		}
		/* One call never mixes senders when it reports them. */
		if (have_cred && !same_sender(b, &cred) && socket_flag(s, SOCKF_PASSCRED))
			break;
		files = b->nfiles; /* they end a message, and may come behind bytes that had none */
		if (!have_cred || files) {
			if (!have_cred) {
				cred = b->cred;
				have_cred = true;
			}
			err = detach(u, b, m);
			if (err)
				break;
		}
		n = take(u, b, b->off + (u32)skip, m);
		if (n < 0) {
			err = (int)n;
			break;
		}
		skip = 0;
		done += n;
		if (peek) {
			peeked = b;
			passed++;
		}
		if (files)
			break;
	}
	mutex_unlock(&u->read_lock);
out:
	if (done > 0)
		socket_peek_moved(s, (size_t)done, peek);
	return done ? done : err;
}

/* Where a datagram goes: *OUT with a reference. */
static int destination(struct unix_sock *u, struct net_msg *m, struct unix_sock **out)
{
	struct unix_sock *to;

	if (u->s.type == SOCK_SEQPACKET) {
		if (u->state != UNIX_CONNECTED)
			return -ENOTCONN;
	} else if (m->namelen) {
		to = unix_find(m->name, m->namelen, u->s.type);
		if (IS_ERR(to))
			return (int)PTR_ERR(to);
		*out = to;
		return 0;
	}
	to = unix_peer_get(u);
	if (!to)
		return u->s.shutdown & SEND_SHUTDOWN && u->s.type == SOCK_SEQPACKET ? -EPIPE : -ENOTCONN;
	*out = to;
	return 0;
}

/* The connected peer has gone: ECONNREFUSED, and we are connected to nobody. */
static void disconnect_dead(struct unix_sock *u, struct unix_sock *to)
{
	bool was = false;

	spin_lock(&u->lock);
	if (u->peer == to && u->s.type == SOCK_DGRAM) {
		u->peer = NULL;
		u->state = UNIX_CLOSED;
		was = true;
	}
	spin_unlock(&u->lock);
	if (was) {
		unix_peer_wake_cancel(u);
		unix_put(to);
	}
}

/* Queue B at TO. 0, -EAGAIN: its queue is full. */
static int deliver(struct unix_sock *u, struct unix_sock *to, struct unix_buf *b)
{
	int err = 0;

	spin_lock(&to->lock);
	if (to->dead)
		err = to->s.type == SOCK_SEQPACKET ? -EPIPE : -ECONNREFUSED;
	else if (to->s.shutdown & RCV_SHUTDOWN)
		err = -EPIPE;
	else if (to->s.type == SOCK_DGRAM && to->peer && to->peer != u)
		err = -EPERM;
	else if (to != u && to->peer != u && unix_queue_full(to))
		err = -EAGAIN;
	else
		append(to, b);
	spin_unlock(&to->lock);
	return err;
}

/* Does TO's filter take B? It may cut it. */
static bool filter(struct unix_sock *to, struct unix_buf *b)
{
	struct packet *p;
	bool ok;

	if (likely(!READ_ONCE(to->s.filter)))
		return true;
	p = packet_alloc(0, 0);
	if (!p)
		return false;
	p->head = p->data = b->data;
	p->tail = p->end = b->data + b->len;
	p->len = b->len;
	ok = socket_filter_accept(&to->s, p, 0, 0);
	b->len = p->len;
	p->head = (u8 *)(p + 1); /* the data is B's */
	packet_free(p);
	return ok;
}

ssize_t unix_dgram_send(struct socket *s, struct net_msg *m)
{
	struct unix_sock *u = unix_sk(s), *to = NULL;
	u64 deadline = socket_snd_deadline(s, m->flags);
	size_t n = m->iter->left;
	struct unix_buf *b;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (socket_flag(s, SOCKF_PASSCRED) && !u->name) {
		err = unix_autobind(u);
		if (err)
			return err;
	}
	if (n + 32 > s->sndbuf)
		return -EMSGSIZE;
	err = socket_error(s);
	if (err)
		return err;
	if (s->shutdown & SEND_SHUTDOWN)
		return -EPIPE;
	err = destination(u, m, &to);
	if (err)
		return err;
	b = unix_buf_alloc(u, n, m->flags);
	if (IS_ERR(b)) {
		unix_put(to);
		return PTR_ERR(b);
	}
	err = iter_copy_in(m->iter, b->data, n) < n ? -EFAULT : attach(b, m);
	b->from = u->name;
	if (b->from)
		refcount_get(&b->from->ref);
	if (!err && !filter(to, b)) { /* the sender does not hear of it */
		unix_buf_free(b);
		unix_put(to);
		return (ssize_t)n;
	}
	while (!err) {
		err = deliver(u, to, b);
		if (err != -EAGAIN)
			break;
		if (!deadline)
			break;
		err = wait_event_interruptible_exclusive(&to->peer_wait,
							 !unix_queue_full(to) || READ_ONCE(to->dead) ||
								 (READ_ONCE(to->s.shutdown) & RCV_SHUTDOWN),
							 deadline);
		if (err && !unix_queue_full(to))
			waitq_wake_one(&to->peer_wait); /* the wake-up may have been ours: pass it on */
		err = socket_wait_result(err, deadline);
	}
	if (err) {
		unix_buf_free(b);
		if (err == -ECONNREFUSED)
			disconnect_dead(u, to);
	} else {
		socket_wake(&to->s, EPOLLIN | EPOLLRDNORM);
	}
	unix_put(to);
	return err ? err : (ssize_t)n;
}

/* The next datagram, which stays on the queue, under read_lock. *OFF, for peeking with SO_PEEK_OFF: bytes to
 * pass over, those in the datagram when it returns. */
static struct unix_buf *next_dgram(struct unix_sock *u, struct net_msg *m, size_t *off, int *err)
{
	struct socket *s = &u->s;
	u64 deadline = socket_rcv_deadline(s, m->flags);
	size_t from = *off;

	for (;;) {
		struct unix_buf *b = head(u, NULL);
		u32 passed = 0;

		for (*off = from; b && *off && *off >= b->len; passed++) {
			*off -= b->len;
			b = head(u, b);
		}
		if (b)
			return b;
		*err = socket_error(s);
		if (*err)
			return NULL;
		if ((s->shutdown & RCV_SHUTDOWN) && (deadline || s->type == SOCK_SEQPACKET)) /* end of file */
			return NULL;
		if (!deadline) {
			*err = -EAGAIN;
			return NULL;
		}
		mutex_unlock(&u->read_lock);
		*err = wait_event_interruptible_until(&s->waitq,
						      READ_ONCE(u->rx_count) > passed ||
							      atomic_load(&s->err) ||
							      (READ_ONCE(s->shutdown) & RCV_SHUTDOWN),
						      deadline);
		mutex_lock(&u->read_lock);
		if (*err) {
			*err = socket_wait_result(*err, deadline);
			return NULL;
		}
	}
}

ssize_t unix_dgram_recv(struct socket *s, struct net_msg *m)
{
	struct unix_sock *u = unix_sk(s);
	bool peek = m->flags & MSG_PEEK;
	size_t len, n, off = peek ? (size_t)max(READ_ONCE(s->peek_off), 0) : 0;
	struct unix_buf *b;
	int err = 0;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (s->type == SOCK_SEQPACKET && u->state != UNIX_CONNECTED)
		return -ENOTCONN;
	mutex_lock(&u->read_lock);
	b = next_dgram(u, m, &off, &err);
	if (!b) {
		mutex_unlock(&u->read_lock);
		return err;
	}
	len = b->len - off;
	n = min(len, m->iter->left);
	if (n < len)
		m->out_flags |= MSG_TRUNC;
	if (m->name && b->from) {
		m->namelen = b->from->len;
		memcpy(m->name, &b->from->addr, (size_t)min(m->namelen, (int)sizeof(b->from->addr)));
	}
	if (iter_copy_out(m->iter, b->data + off, n) < n)
		err = -EFAULT;
	if (!err)
		err = detach(u, b, m);
	if (!err)
		socket_peek_moved(s, peek ? n : len, peek);
	if (!peek) {
		bool was_full;

		spin_lock(&u->lock);
		was_full = unix_queue_full(u);
		list_del(&b->node);
		WRITE_ONCE(u->rx_count, u->rx_count - 1);
		u->rx_bytes -= len;
		spin_unlock(&u->lock);
		unix_buf_free(b);
		if (was_full || waitq_active(&u->peer_wait))
			waitq_wake(&u->peer_wait, 1, EPOLLOUT);
	}
	mutex_unlock(&u->read_lock);
	if (err)
		return err;
	return (ssize_t)(m->flags & MSG_TRUNC ? len : n);
}
