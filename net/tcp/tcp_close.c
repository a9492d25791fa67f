/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends of a TCP connection: FINs both ways, resets, errors, close with and without lingering, disconnect.
 *
 * A socket lives on its "life" reference until it is both DEAD (no user) and CLOSE; then tcp_done or
 * tcp_close destroys it once. The user's close makes it DEAD; a connection that still has something to say
 * goes on without him. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "net/tcp.h"

static DEFINE_COUNTER(tcp_orphan_overflow, "closed connections reset because too many were unfinished");

void tcp_set_state(struct tcp_sock *tp, u8 state)
{
	u8 old = tp->state;

	if (state == TCP_STATE_ESTABLISHED && old != state)
		mib_inc(tcp_net(tp), MIB_TCP_CURR_ESTAB);
	if ((old == TCP_STATE_ESTABLISHED || old == TCP_STATE_CLOSE_WAIT) && state != TCP_STATE_CLOSE_WAIT &&
	    state != old)
		mib_add(tcp_net(tp), MIB_TCP_CURR_ESTAB, (u64)-1);
	if (unlikely(tp->fo_wait) && state == TCP_STATE_CLOSE)
		tcp_fastopen_settled(tp, false);
	WRITE_ONCE(tp->state, state);
}

static void destroy(struct tcp_sock *tp)
{
	if (tp->destroyed)
		return;
	tp->destroyed = true;
	tcp_purge(tp);
	if (tp->orphaned)
		atomic_fetch_sub_explicit(&tcp_net(tp)->tcp->orphans, 1, memory_order_relaxed);
	socket_put(tcp_socket(tp));
}

void tcp_done(struct tcp_sock *tp)
{
	struct socket *s = tcp_socket(tp);

	if (tp->state != TCP_STATE_CLOSE) {
		if (tp->state == TCP_STATE_SYN_SENT || tp->state == TCP_STATE_SYN_RECV)
			mib_inc(tcp_net(tp), MIB_TCP_ATTEMPT_FAILS);
		tcp_unhash(tp);
		tcp_set_state(tp, TCP_STATE_CLOSE);
		if (!inet_flag(&tp->inet, INETF_BOUND_PORT) || socket_flag(s, SOCKF_DEAD))
			port_release(&tp->inet);
	}
	tcp_timer_stop(tp);
	WRITE_ONCE(s->shutdown, SHUTDOWN_MASK_);
	if (socket_flag(s, SOCKF_DEAD)) {
		if (tp->listener)
			tcp_child_gone(tp);
		port_release(&tp->inet);
		destroy(tp);
	} else {
		socket_wake(s, EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP | EPOLLERR);
	}
}

void tcp_abort(struct tcp_sock *tp, int err)
{
	if (tp->state == TCP_STATE_CLOSE)
		return;
	tcp_snd_free(tp, ~0u);
	atomic_store_explicit(&tcp_socket(tp)->err, err, memory_order_release);
	tcp_done(tp);
}

void tcp_reset_received(struct tcp_sock *tp)
{
	if (tp->state == TCP_STATE_ESTABLISHED || tp->state == TCP_STATE_CLOSE_WAIT)
		mib_inc(tcp_net(tp), MIB_TCP_ESTAB_RESETS);
	if (tp->fo_wait) {
		tcp_fastopen_settled(tp, true);
		tcp_abort(tp, ECONNRESET);
		return;
	}
	switch (tp->state) {
	case TCP_STATE_SYN_RECV:
		tcp_abort(tp, ECONNREFUSED);
		break;
	case TCP_STATE_CLOSE_WAIT:
		tcp_abort(tp, EPIPE);
		break;
	default:
		tcp_abort(tp, ECONNRESET);
	}
}

void tcp_fin_received(struct tcp_sock *tp)
{
	struct socket *s = tcp_socket(tp);

	tp->rcv_nxt++;
	tp->bytes_received++;
	tp->fin_seen = true;
	tp->ack_pending = tp->ack_now = true;
	WRITE_ONCE(s->shutdown, s->shutdown | RCV_SHUTDOWN);
	switch (tp->state) {
	case TCP_STATE_SYN_RECV:
	case TCP_STATE_ESTABLISHED:
		tcp_set_state(tp, TCP_STATE_CLOSE_WAIT);
		break;
	case TCP_STATE_FIN_WAIT1:
		tcp_set_state(tp,
			      TCP_STATE_CLOSING); /* had our FIN been acknowledged we were in FIN-WAIT-2 */
		break;
	case TCP_STATE_FIN_WAIT2:
		tcp_send_ack(tp);
		tcp_enter_timewait(tp);
		return;
	}
	if (!socket_flag(s, SOCKF_DEAD))
		socket_wake(s, s->shutdown == SHUTDOWN_MASK_ ? EPOLLIN | EPOLLRDHUP | EPOLLHUP
							     : EPOLLIN | EPOLLRDHUP);
}

/* Queue our FIN behind the data. True when the state now expects it to be sent. */
static bool queue_fin(struct tcp_sock *tp)
{
	switch (tp->state) {
	case TCP_STATE_SYN_RECV:
	case TCP_STATE_ESTABLISHED:
		tcp_set_state(tp, TCP_STATE_FIN_WAIT1);
		break;
	case TCP_STATE_CLOSE_WAIT:
		tcp_set_state(tp, TCP_STATE_LAST_ACK);
		break;
	default:
		return false;
	}
	tp->fin_queued = true;
	tp->write_seq++;
	tp->cork = tp->more = false;
	return true;
}

static void send_fin(struct tcp_sock *tp)
{
	net_enter();
	if (queue_fin(tp)) {
		tcp_push(tp);
		tcp_timer_update(tp);
	}
	net_leave();
}

int tcp_shutdown(struct socket *s, int how)
{
	struct tcp_sock *tp = tcp_sk(s);
	u8 mode = (u8)(how + 1);
	int err = 0;

	socket_lock(s);
	switch (tp->state) {
	case TCP_STATE_CLOSE:
		err = -ENOTCONN;
		WRITE_ONCE(s->shutdown, s->shutdown | mode);
		break;
	case TCP_STATE_LISTEN:
		if (!(mode & RCV_SHUTDOWN))
			break;
		/* fall through */
	case TCP_STATE_SYN_SENT:
		err = tcp_disconnect(tp);
		break;
	default:
		WRITE_ONCE(s->shutdown, s->shutdown | mode);
		if (mode & SEND_SHUTDOWN)
			send_fin(tp);
	}
	socket_wake(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | (s->shutdown == SHUTDOWN_MASK_ ? EPOLLHUP : 0));
	socket_unlock(s);
	return err;
}

static void clear_connection(struct tcp_sock *tp)
{
	struct inet_sock *i = &tp->inet;

	if (!inet_flag(i, INETF_BOUND_ADDR))
		i->laddr = i->s.family == AF_INET ? addr_v4(0) : NET_ADDR_ANY;
	if (!inet_flag(i, INETF_BOUND_PORT) || inet_flag(i, INETF_ACCEPTED)) {
		port_release(i);
		inet_set_flag(i, INETF_BOUND_PORT | INETF_ACCEPTED, false);
		i->lport = 0;
	}
	i->faddr = i->s.family == AF_INET ? addr_v4(0) : NET_ADDR_ANY;
	i->fport = 0;
	i->s.shutdown = 0;
	atomic_store(&i->s.err, 0);
	i->s.soft_err = 0;
	tp->connecting = tp->connected = tp->fin_queued = tp->fin_seen = false;
	tp->fo_ask = tp->fo_deferred = tp->fo_done = false;
	tp->fo_data = 0;
	tp->rt_valid = false;
	tp->srtt = tp->rttvar = tp->min_rtt = 0;
	tp->backoff = tp->retries = tp->probes_out = 0;
	tp->retrans_start = 0;
	tp->ca_state = CA_OPEN;
	tp->ssthresh = 0x7fffffff;
	tp->urg_valid = tp->urg_have = false;
	tp->ack_pending = tp->ack_now = tp->dsack_due = tp->tlp_out = false;
	tp->rack_tx_ns = 0;
	tp->frto = tp->hole = 0;
	tp->hole_mss = 0;
	tp->hole_probing = tp->undo_ok = false;
	tp->ecn_ok = tp->ecn_seen = tp->ecn_echo = tp->ecn_cwr = false;
	tp->snd_at = NULL;
	tp->max_wnd = 0;
	tp->iss = tp->snd_una = tp->snd_nxt = tp->write_seq = 0;
	tp->copied_seq = tp->rcv_nxt = 0;
	tp->drs_time = tp->rcv_rtt_time = tp->rcv_rtt = tp->last_data = 0;
	tp->bytes_acked = tp->bytes_received = tp->bytes_sent = tp->bytes_retrans = 0;
	tp->segs_in = tp->segs_out = tp->data_segs_in = tp->data_segs_out = 0;
	tp->total_retrans = tp->delivered = tp->dsack_dups = tp->reord_seen = tp->ooo_packets = 0;
}

/* connect(AF_UNSPEC), and shutdown of what is not connected: back to an unconnected socket. Owner. */
int tcp_disconnect(struct tcp_sock *tp)
{
	bool lost = !TCP_IN(tp->state, TCPB(CLOSE) | TCPB(LISTEN) | TCPB(CLOSING) | TCPB(LAST_ACK));

	net_enter();
	if (tp->state == TCP_STATE_LISTEN) {
		tcp_listen_stop(tp);
		if (!inet_flag(&tp->inet, INETF_BOUND_PORT)) {
			port_release(&tp->inet);
			tp->inet.lport = 0;
		}
	} else if (tp->state != TCP_STATE_CLOSE) {
		if (tp->state != TCP_STATE_SYN_SENT)
			tcp_send_reset(tp);
		tcp_unhash(tp);
		tcp_set_state(tp, TCP_STATE_CLOSE);
		tcp_timer_stop(tp);
	}
	tcp_purge(tp);
	clear_connection(tp);
	if (lost) /* as other threads that wait here, and SO_ERROR, hear */
		atomic_store(&tcp_socket(tp)->err, ECONNRESET);
	net_leave();
	socket_wake(tcp_socket(tp), EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR);
	return 0;
}

static bool still_closing(const struct tcp_sock *tp)
{
	return TCP_IN(READ_ONCE(tp->state), TCPB(FIN_WAIT1) | TCPB(CLOSING) | TCPB(LAST_ACK));
}

static void linger(struct tcp_sock *tp)
{
	struct socket *s = tcp_socket(tp);
	u64 deadline;

	if (!socket_flag(s, SOCKF_LINGER) || !s->linger || !still_closing(tp))
		return;
	deadline = clock_monotonic() + s->linger * NSEC_PER_SEC;
	(void)socket_wait(s, !still_closing(tp), deadline);
}

/* What becomes of the connection now that nobody reads or writes. Owner, section. */
static void orphan(struct tcp_sock *tp)
{
	struct tcp_stack *t = tcp_net(tp)->tcp;
	u32 n = atomic_fetch_add_explicit(&t->orphans, 1, memory_order_relaxed) + 1;

	tp->orphaned = true;
	socket_set_flag(tcp_socket(tp), SOCKF_DEAD, true);
	if (tp->state == TCP_STATE_CLOSE) {
		tcp_done(tp);
		return;
	}
	if (n > t->orphan_max || (atomic_load(&tcp_net(tp)->mem_used) > tcp_net(tp)->mem_limit)) {
		counter_inc(&tcp_orphan_overflow);
		mib_inc(tcp_net(tp), MIB_EXT_ABORT_ON_MEMORY);
		tcp_send_reset(tp);
		tcp_done(tp);
		return;
	}
	if (tp->state == TCP_STATE_FIN_WAIT2) {
		if (tp->linger2 < 0) {
			mib_inc(tcp_net(tp), MIB_EXT_ABORT_ON_LINGER);
			tcp_send_reset(tp);
			tcp_done(tp);
			return;
		}
		tp->keep_at = clock_monotonic() + tcp_fin_timeout(tp);
		tcp_timer_update(tp);
	}
}

void tcp_close(struct socket *s)
{
	struct tcp_sock *tp = tcp_sk(s);
	bool unread;

	socket_lock(s);
	socket_get(s); /* until the lock is free again */
	WRITE_ONCE(s->shutdown, SHUTDOWN_MASK_);
	unread = tp->rcv_nxt - tp->fin_seen != tp->copied_seq && tp->state != TCP_STATE_SYN_SENT;
	net_enter();
	if (tp->state == TCP_STATE_LISTEN) {
		tcp_listen_stop(tp);
	} else if (tp->state == TCP_STATE_CLOSE) {
		/* nothing to say to anyone */
	} else if (unread) { /* RFC 2525 2.17: data was lost */
		mib_inc(tcp_net(tp), MIB_EXT_ABORT_ON_CLOSE);
		tcp_send_reset(tp);
		tcp_done(tp);
	} else if (socket_flag(s, SOCKF_LINGER) && !s->linger) {
		if (tp->state != TCP_STATE_SYN_SENT)
			tcp_send_reset(tp);
		tcp_snd_free(tp, ~0u);
		tcp_done(tp);
	} else if (tp->state == TCP_STATE_SYN_SENT) {
		tcp_done(tp);
	} else if (queue_fin(tp)) {
		tcp_push(tp);
		tcp_timer_update(tp);
	}
	net_leave();
	linger(tp);
	net_enter();
	orphan(tp);
	net_leave();
	inet_drop_groups(&tp->inet);
	socket_unlock(s);
	socket_put(s);
}
