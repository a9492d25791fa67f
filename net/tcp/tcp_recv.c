/* SPDX-License-Identifier: BSD-2-Clause */
/* The application's side of receiving. Runs as owner: packets that arrive meanwhile wait in the backlog. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "net/tcp.h"

/* Bytes that can be read now, the peer's FIN and unread urgent byte not counted. */
u32 tcp_readable(const struct tcp_sock *tp)
{
	u32 n = READ_ONCE(tp->rcv_nxt) - READ_ONCE(tp->copied_seq);

	if (TCP_IN(tp->state, TCPB(LISTEN) | TCPB(SYN_SENT)) ||
	    (tp->state == TCP_STATE_SYN_RECV && !tp->fo_wait))
		return 0;
	n -= tp->fin_seen && n;
	if (n && tp->urg_valid && tp->rcv_up == tp->copied_seq && !socket_flag(&tp->inet.s, SOCKF_OOBINLINE))
		n--;
	return n;
}

static void free_front(struct tcp_sock *tp)
{
	struct socket *s = tcp_socket(tp);
	struct packet *p = list_first_entry(&tp->rx, struct packet, node);
	u32 n = packet_truesize(p);

	list_del(&p->node);
	atomic_fetch_sub_explicit(&s->rmem, n, memory_order_relaxed);
	net_mem_uncharge(s->net, n);
	packet_free(p);
}

/* After reading: tell the peer about the new room when it is worth it, and acknowledge what nobody else will
 * (a reader that took everything and is not about to answer). */
static void reader_done(struct tcp_sock *tp, size_t copied)
{
	u32 window, fresh;

	if (TCP_IN(tp->state, TCPB(CLOSE) | TCPB(LISTEN) | TCPB(SYN_SENT) | TCPB(SYN_RECV)))
		return;
	net_enter();
	if (tp->ack_pending && (tp->ack_now || tp->rcv_nxt - tp->rcv_wup > tp->rcv_mss ||
				(copied && !tp->pingpong && list_empty(&tp->rx)))) {
		tcp_send_ack(tp);
	} else if (copied && !(tcp_socket(tp)->shutdown & RCV_SHUTDOWN)) {
		window = tcp_receive_window(tp);
		fresh = min(tcp_space(tp), tp->rcv_ssthresh);
		/* As RFC 9293 3.8.6.2.2, and always when the window at least doubles. */
		if (fresh > window && fresh - window >= min(2u * tp->rcv_mss, tcp_rcv_limit(tp) / 4) &&
		    2 * (u64)window <= fresh)
			tcp_send_ack(tp);
	}
	net_leave();
}

static int recv_oob(struct tcp_sock *tp, struct net_msg *m)
{
	struct socket *s = tcp_socket(tp);

	if (socket_flag(s, SOCKF_OOBINLINE) || !tp->urg_valid || (tp->urg_valid && tp->urg_byte_read))
		return -EINVAL;
	if (tp->state == TCP_STATE_CLOSE && !tp->fin_seen)
		return -ENOTCONN;
	if (!tp->urg_have) {
		if (tp->state == TCP_STATE_CLOSE || (s->shutdown & RCV_SHUTDOWN))
			return 0;
		return -EAGAIN;
	}
	m->out_flags |= MSG_OOB;
	if (!m->iter->left) {
		m->out_flags |= MSG_TRUNC;
		return 0;
	}
	if (!(m->flags & MSG_TRUNC) && iter_copy_out(m->iter, &tp->urg_byte, 1) != 1)
		return -EFAULT;
	if (!(m->flags & MSG_PEEK))
		tp->urg_byte_read = true;
	return 1;
}

/* Why there is nothing to read: 1 wait, 0 end of file, -errno. */
static int why_empty(struct tcp_sock *tp)
{
	struct socket *s = tcp_socket(tp);
	int err;

	if (tp->fin_seen)
		return 0; /* whatever came after it */
	err = socket_error(s);
	if (err)
		return err;
	if (s->shutdown & RCV_SHUTDOWN)
		return 0;
	if (tp->state == TCP_STATE_CLOSE || tp->state == TCP_STATE_LISTEN)
		return -ENOTCONN;
	return 1;
}

/* The packet that holds SEQ, starting the search at P (or the front), and the offset in it. */
static struct packet *find_seq(struct tcp_sock *tp, u32 seq, u32 *off)
{
	struct packet *p;

	list_for_each_entry (p, &tp->rx, node)
		if (seq_gt(tcp_cb(p)->end, seq)) {
			*off = seq - tcp_cb(p)->seq;
			return p;
		}
	return NULL;
}

/* Copy from *SEQ on, as far as there is data and room, stopping at the urgent mark. 0 or -EFAULT when nothing
 * was copied. */
static int copy_available(struct tcp_sock *tp, struct net_msg *m, u32 *seq, size_t *done)
{
	bool inline_oob = socket_flag(tcp_socket(tp), SOCKF_OOBINLINE), discard = m->flags & MSG_TRUNC;
	bool peek = m->flags & MSG_PEEK;

	while (m->iter->left) {
		u32 off, n, got;
		struct packet *p = find_seq(tp, *seq, &off);

		if (!p)
			return 0;
		n = (u32)min((size_t)(p->len - off), m->iter->left);
		if (unlikely(tp->urg_valid) && seq_lt(tp->rcv_up - *seq, n) && seq_ge(tp->rcv_up, *seq)) {
			u32 to_mark = tp->rcv_up - *seq;

			if (to_mark == 0 && !inline_oob) { /* skip the urgent byte */
				(*seq)++;
				if (!peek)
					tp->copied_seq = *seq;
				if (!peek)
					tp->urg_valid = false;
				if (!peek && seq_ge(*seq, tcp_cb(p)->end))
					free_front(tp);
				continue;
			}
			if (to_mark == 0) {
				n = 1;
			} else {
				n = min(n, to_mark);
			}
		}
		if (discard) {
			got = n;
			iter_advance(m->iter, n);
		} else {
			got = (u32)packet_copy_to_iter(p, off, m->iter, n);
		}
		*seq += got;
		*done += got;
		if (!peek) {
			tp->copied_seq = *seq;
			if (tp->urg_valid && inline_oob && seq_gt(*seq, tp->rcv_up))
				tp->urg_valid = false;
			while (!list_empty(&tp->rx) &&
			       seq_le(tcp_cb(list_first_entry(&tp->rx, struct packet, node))->end, *seq))
				free_front(tp);
		}
		if (got < n)
			return *done ? 0 : -EFAULT;
		/* Stop before the mark: reads do not cross it (RFC 6093 section 2 as implemented everywhere).
		 */
		if (unlikely(tp->urg_valid) && *seq == tp->rcv_up && *done)
			return 1;
	}
	return 0;
}

static ssize_t recv_locked(struct tcp_sock *tp, struct net_msg *m)
{
	struct socket *s = tcp_socket(tp);
	u64 deadline = socket_rcv_deadline(s, m->flags);
	size_t done = 0,
	       target = m->flags & MSG_WAITALL ? m->iter->left : min((size_t)s->rcvlowat, m->iter->left);
	u32 seq = tp->copied_seq;
	int r = 0;

	if (tp->state == TCP_STATE_LISTEN)
		return -ENOTCONN;
	if (m->flags & MSG_OOB)
		return recv_oob(tp, m);
	if (target == 0)
		target = 1;
	for (;;) {
		r = copy_available(tp, m, &seq, &done);
		if (r)
			break;
		if (done >= target || (!m->iter->left && (done || tcp_readable(tp))))
			break;
		if (s->backlog_last) { /* more came while we copied */
			socket_unlock(s);
			socket_lock(s);
			if (!(m->flags & MSG_PEEK))
				seq = tp->copied_seq;
			if (tcp_readable(tp) && seq_lt(seq, tp->rcv_nxt - tp->fin_seen))
				continue;
		}
		/* What went wrong is told by the call that has nothing else to tell. */
		if (done && (tp->fin_seen || atomic_load(&s->err) || (s->shutdown & RCV_SHUTDOWN) ||
			     tp->state == TCP_STATE_CLOSE))
			break;
		r = why_empty(tp);
		if (r <= 0)
			break;
		reader_done(tp, done);
		r = socket_wait(s,
				READ_ONCE(tp->rcv_nxt) - tp->fin_seen != seq || atomic_load(&s->err) ||
					tp->fin_seen || (READ_ONCE(s->shutdown) & RCV_SHUTDOWN) ||
					READ_ONCE(tp->state) == TCP_STATE_CLOSE || s->backlog_last,
				deadline);
		if (r)
			break;
		if (!(m->flags & MSG_PEEK))
			seq = tp->copied_seq; /* another reader may have gone on */
	}
	if (done && !(m->flags & MSG_PEEK)) {
		tcp_rcv_space_adjust(tp);
		reader_done(tp, done);
	}
	if (!done)
		return r > 0 ? 0 : r;
	return (ssize_t)done;
}

ssize_t tcp_recvmsg(struct socket *s, struct net_msg *m)
{
	struct tcp_sock *tp = tcp_sk(s);
	ssize_t n;
	int left;

	if (m->flags & MSG_ERRQUEUE)
		return error_queue_recv(s, m);
	socket_lock(s);
	n = recv_locked(tp, m);
	left = (int)min(tcp_readable(tp), 0x7fffffffu);
	if (!left && tp->fin_seen)
		left = 1; /* the end of file is to be read, too */
	socket_unlock(s);
	if (n >= 0 && m->want_control) {
		if (n)
			msg_put_timestamp(s, m, 0);
		if (tp->inq)
			msg_put_cmsg(m, SOL_TCP, TCP_CM_INQ, &left, sizeof(left));
	}
	return n;
}
