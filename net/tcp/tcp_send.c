/* SPDX-License-Identifier: BSD-2-Clause */
/* The application's side of sending: bytes are copied once into shared buffers (netbuf), which segments in
 * flight and a loopback receiver refer to. Runs as owner of the socket. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "net/tcp.h"

#define CHUNK_MAX (32u << 10)
#define CHUNK_MIN (2u << 10)

static u32 not_sent(const struct tcp_sock *tp)
{
	return READ_ONCE(tp->write_seq) - READ_ONCE(tp->snd_nxt);
}

/* All sockets together have no more room for a buffer. */
static bool over_limit(struct net_stack *net)
{
	return atomic_load_explicit(&net->mem_used, memory_order_relaxed) + CHUNK_MAX > net->mem_limit;
}

static bool few_unsent(const struct tcp_sock *tp)
{
	u32 limit = tp->notsent_lowat ? tp->notsent_lowat : READ_ONCE(tcp_net(tp)->tcp_conf.notsent_lowat);

	return not_sent(tp) < limit;
}

/* All sockets' memory is used up, and TP has some of it: what its peer acknowledges makes room. */
static bool memory_short(const struct tcp_sock *tp)
{
	struct socket *s = tcp_socket((struct tcp_sock *)tp);

	return over_limit(s->net) && atomic_load_explicit(&s->wmem, memory_order_relaxed);
}

/* Room for more: a third of the buffer, as Linux, so that writers are not woken for crumbs. */
bool tcp_writable(const struct tcp_sock *tp)
{
	const struct socket *s = &tp->inet.s;
	u32 used = atomic_load_explicit(&((struct socket *)s)->wmem, memory_order_relaxed),
	    buf = READ_ONCE(s->sndbuf);

	if (used >= buf || buf - used < used / 2 || memory_short(tp))
		return false;
	return few_unsent(tp);
}

/* The buffer follows the congestion window unless the user set it. */
void tcp_sndbuf_expand(struct tcp_sock *tp)
{
	struct socket *s = tcp_socket(tp);
	u64 want = 2ull * tp->cwnd + tp->cwnd / 4; /* a window in flight, one behind it, bookkeeping */

	if (socket_flag(s, SOCKF_SNDBUF_SET) || atomic_load(&s->net->mem_used) > s->net->mem_limit / 2)
		return;
	want = min(want, (u64)s->net->tcp_wmem[2]);
	if (want > s->sndbuf)
		WRITE_ONCE(s->sndbuf, (u32)want);
}

void tcp_write_space(struct tcp_sock *tp)
{
	struct socket *s = tcp_socket(tp);

	if (!socket_flag(s, SOCKF_NOSPACE))
		return;
	tcp_sndbuf_expand(tp);
	if (!tcp_writable(tp))
		return;
	socket_set_flag(s, SOCKF_NOSPACE, false);
	socket_wake(s, EPOLLOUT | EPOLLWRNORM);
}

static bool has_memory(const struct tcp_sock *tp)
{
	return atomic_load(&((struct tcp_sock *)tp)->inet.s.wmem) < READ_ONCE(tp->inet.s.sndbuf) &&
	       !memory_short(tp) && few_unsent(tp);
}

static int wait_memory(struct tcp_sock *tp, u64 deadline)
{
	struct socket *s = tcp_socket(tp);

	socket_set_flag(s, SOCKF_NOSPACE, true);
	return socket_wait(s,
			   tcp_writable(tp) || atomic_load(&s->err) ||
				   (READ_ONCE(s->shutdown) & SEND_SHUTDOWN) || !tcp_may_write(tp),
			   deadline);
}

static int wait_connected(struct tcp_sock *tp, u64 deadline)
{
	struct socket *s = tcp_socket(tp);

	for (;;) {
		int err = socket_error(s);

		if (err)
			return err;
		if (tcp_may_write(tp))
			return 0;
		if (!TCP_IN(tp->state, TCPB(SYN_SENT) | TCPB(SYN_RECV)) || (s->shutdown & SEND_SHUTDOWN))
			return -EPIPE;
		err = socket_wait(s,
				  !TCP_IN(READ_ONCE(tp->state), TCPB(SYN_SENT) | TCPB(SYN_RECV)) ||
					  atomic_load(&s->err),
				  deadline);
		if (err)
			return err;
	}
}

/* The buffer to fill next, with room in it: the last one, or a new one for N more bytes. ERR_PTR(-EAGAIN):
 * limit reached; -ENOBUFS. */
static struct netbuf *fill_buffer(struct tcp_sock *tp, size_t n)
{
	struct socket *s = tcp_socket(tp);
	struct netbuf *b;
	u32 size;

	if (!list_empty(&tp->snd_bufs)) {
		b = list_last_entry(&tp->snd_bufs, struct netbuf, node);
		if (b->end < b->size)
			return b;
	}
	if (!has_memory(tp))
		return ERR_PTR(-EAGAIN);
	size = (u32)clamp(n, (size_t)CHUNK_MIN, (size_t)CHUNK_MAX);
	if (over_limit(s->net)) /* its first and only one */
		size = CHUNK_MIN;
	size = ALIGN_UP(size + (u32)sizeof(*b), CHUNK_MIN) - (u32)sizeof(*b);
	b = netbuf_alloc(size);
	if (!b && size > PAGE_SIZE)
		b = netbuf_alloc(PAGE_SIZE - sizeof(*b));
	if (!b)
		return ERR_PTR(-ENOBUFS);
	/* One buffer is always allowed: progress under memory pressure. */
	if (!net_mem_charge(s->net, b->size, list_empty(&tp->snd_bufs))) {
		netbuf_put(b);
		return ERR_PTR(-EAGAIN);
	}
	atomic_fetch_add_explicit(&s->wmem, b->size, memory_order_relaxed);
	list_add_tail(&b->node, &tp->snd_bufs);
	return b;
}

/* A new empty buffer that stays so must not stay on the queue. */
static void drop_empty_tail(struct tcp_sock *tp)
{
	struct socket *s = tcp_socket(tp);
	struct netbuf *b;

	if (list_empty(&tp->snd_bufs))
		return;
	b = list_last_entry(&tp->snd_bufs, struct netbuf, node);
	if (b->start != b->end || tp->snd_at == b)
		return;
	list_del(&b->node);
	atomic_fetch_sub_explicit(&s->wmem, b->size, memory_order_relaxed);
	net_mem_uncharge(s->net, b->size);
	netbuf_put(b);
}

ssize_t tcp_queue_data(struct tcp_sock *tp, struct net_msg *m, u32 most)
{
	size_t left = min(m->iter->left, (size_t)most), done = 0;

	while (done < left) {
		struct netbuf *b = fill_buffer(tp, left - done);
		size_t n, got;

		if (IS_ERR(b))
			break;
		n = min((size_t)(b->size - b->end), left - done);
		got = iter_copy_in(m->iter, b->data + b->end, n);
		b->end += (u32)got;
		tp->write_seq += (u32)got;
		done += got;
		if (got < n) {
			drop_empty_tail(tp);
			return done ? (ssize_t)done : -EFAULT;
		}
	}
	return (ssize_t)done;
}

static void push(struct tcp_sock *tp)
{
	net_enter();
	tcp_push(tp);
	tcp_timer_update(tp);
	net_leave();
}

static ssize_t send_locked(struct tcp_sock *tp, struct net_msg *m)
{
	struct socket *s = tcp_socket(tp);
	u64 deadline = socket_snd_deadline(s, m->flags);
	u32 unpushed = 0;
	ssize_t done = 0;
	int err = 0;

	if (unlikely((m->flags & MSG_FASTOPEN) || tp->fo_deferred)) {
		done = tcp_fastopen_send(tp, m);
		if (done < 0 || !m->iter->left || (m->flags & MSG_DONTWAIT))
			return done;
	}
	err = wait_connected(tp, deadline);
	if (err)
		return done ? done : err;
	tp->more = m->flags & MSG_MORE;
	while (m->iter->left) {
		struct netbuf *b;
		size_t n, got;

		if (!tcp_may_write(tp) || (s->shutdown & SEND_SHUTDOWN) || atomic_load(&s->err)) {
			if (!done) /* else the next call tells */
				err = socket_error(s);
			if (!err)
				err = -EPIPE;
			break;
		}
		b = fill_buffer(tp, m->iter->left);
		if (IS_ERR(b)) {
			if (unpushed) {
				tp->pushed_seq = tp->write_seq;
				push(tp);
				unpushed = 0;
			}
			if (PTR_ERR(b) != -EAGAIN) { /* the machine's memory, no limit */
				if (!done)
					err = (int)PTR_ERR(b);
				break;
			}
			err = wait_memory(tp, deadline);
			if (err)
				break;
			continue;
		}
		n = min((size_t)(b->size - b->end), m->iter->left);
		got = iter_copy_in(m->iter, b->data + b->end, n);
		if (!got) {
			drop_empty_tail(tp);
			err = -EFAULT;
			break;
		}
		b->end += (u32)got;
		tp->write_seq += (u32)got;
		done += (ssize_t)got;
		unpushed += (u32)got;
		if ((m->flags & MSG_OOB) && !m->iter->left)
			tp->snd_up = tp->write_seq;
		if (got < n) {
			err = -EFAULT;
			break;
		}
		if (unpushed >= 2 * CHUNK_MAX && m->iter->left) {
			push(tp);
			unpushed = 0;
		}
	}
	if (unpushed)
		push(tp);
	return done ? done : err;
}

ssize_t tcp_sendmsg(struct socket *s, struct net_msg *m)
{
	struct tcp_sock *tp = tcp_sk(s);
	ssize_t n;

	socket_lock(s);
	n = send_locked(tp, m);
	if (n > 0 && (m->flags & MSG_ZEROCOPY) && socket_flag(s, SOCKF_ZEROCOPY))
		inet_zerocopy_done(&tp->inet);
	if (n == -EAGAIN)
		socket_set_flag(s, SOCKF_NOSPACE, true);
	socket_unlock(s);
	return n;
}
