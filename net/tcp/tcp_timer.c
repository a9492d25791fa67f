/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP's timers. Three deadlines (retransmission and its relatives, delayed ACK, keepalive and lifetime) share
 * one kernel timer that is moved only when a deadline gets earlier: a deadline that moved away costs one
 * empty expiry, not a timer operation for each segment. timer_armed is true while an expiry is pending or on
 * its way; that expiry owns a reference. */
#include "base/err.h"
#include "kernel/clock.h"
#include "net/tcp.h"

static u64 earliest(const struct tcp_sock *tp)
{
	u64 t = ~0ull;

	if (tp->rtx_at)
		t = tp->rtx_at;
	if (tp->ack_at)
		t = min(t, tp->ack_at);
	if (tp->keep_at)
		t = min(t, tp->keep_at);
	return t;
}

void tcp_timer_update(struct tcp_sock *tp)
{
	u64 t = earliest(tp);

	if (t == ~0ull)
		return;
	if (tp->timer_armed) {
		if (t >= tp->timer.timer.expires || !net_timer_cancel(&tp->timer))
			return; /* early enough, or it runs now and will look again */
	} else {
		tp->timer_armed = true;
		socket_get(tcp_socket(tp));
	}
	net_timer_set(&tp->timer, t);
}

void tcp_timer_stop(struct tcp_sock *tp)
{
	tp->rtx_at = tp->ack_at = tp->keep_at = 0;
	tp->rtx_kind = RTX_NONE;
	if (tp->timer_armed && net_timer_cancel(&tp->timer)) {
		tp->timer_armed = false;
		socket_put(tcp_socket(tp));
	}
}

static void timer_expired(struct net_timer *timer)
{
	struct tcp_sock *tp = container_of(timer, struct tcp_sock, timer);
	struct socket *s = tcp_socket(tp);

	if (socket_lock_section(s))
		tcp_timer_run(s);
	else
		s->timer_due = true;
	socket_unlock_section(s);
}

void tcp_timer_init(struct tcp_sock *tp)
{
	net_timer_init(&tp->timer, timer_expired);
}

static u64 user_timeout_left(struct tcp_sock *tp, u64 now)
{
	u32 limit = tp->user_timeout_ms, spent;

	if (!limit || !tp->retrans_start)
		return ~0ull;
	spent = tcp_since(now, tp->retrans_start);
	return spent >= limit ? 0 : (limit - spent) * NSEC_PER_MSEC;
}

static void write_error(struct tcp_sock *tp)
{
	mib_inc(tcp_net(tp), MIB_EXT_ABORT_ON_TIMEOUT);
	tcp_abort(tp, tcp_socket(tp)->soft_err ? tcp_socket(tp)->soft_err : ETIMEDOUT);
}

static u32 orphan_limit(const struct tcp_tunables *conf)
{
	return conf->orphan_retries ? conf->orphan_retries : TCP_ORPHAN_RETRIES;
}

/* Has the peer been silent for too long? Then the connection is gone. */
static bool given_up(struct tcp_sock *tp, u64 now)
{
	const struct tcp_tunables *conf = &tcp_net(tp)->tcp_conf;
	unsigned limit = conf->retries2;

	/* A peer that closed its window over what is under way, but answers: no different from a probe. */
	if (!tp->snd_wnd && !socket_flag(tcp_socket(tp), SOCKF_DEAD) && tp->state != TCP_STATE_SYN_SENT &&
	    tp->state != TCP_STATE_SYN_RECV && now - tp->last_rx < 2 * TCP_RTO_MAX)
		return false;

	if (TCP_IN(tp->state, TCPB(SYN_SENT)))
		limit = tp->syn_limit ? tp->syn_limit : conf->syn_retries;
	else if (tp->state == TCP_STATE_SYN_RECV || tp->fo_wait)
		limit = tp->syn_limit ? tp->syn_limit : conf->synack_retries;
	else if (socket_flag(tcp_socket(tp), SOCKF_DEAD))
		limit = orphan_limit(conf);
	if (tp->user_timeout_ms ? user_timeout_left(tp, now) == 0 : tp->retries >= limit) {
		write_error(tp);
		return true;
	}
	return false;
}

static void back_off(struct tcp_sock *tp, u64 now)
{
	u64 rto = tcp_rto(tp), left = user_timeout_left(tp, now);

	if (tp->backoff < 20)
		tp->backoff++;
	rto = min(rto << min(tp->backoff, (u8)16), TCP_RTO_MAX);
	tp->rtx_kind = RTX_RTO;
	tp->rtx_at = now + min(rto, max(left, NSEC_PER_MSEC));
}

static void retransmit_timeout(struct tcp_sock *tp, u64 now)
{
	if (!tp->retrans_start)
		tp->retrans_start = tcp_stamp(now);
	if (given_up(tp, now))
		return;
	mib_inc(tcp_net(tp), MIB_EXT_TIMEOUTS);
	if (tp->state == TCP_STATE_SYN_SENT || tp->state == TCP_STATE_SYN_RECV || tp->fo_wait) {
		tp->retries++;
		tp->total_retrans++;
		mib_inc(tcp_net(tp), MIB_TCP_RETRANS_SEGS);
		tcp_route(tp);
		tcp_send_syn(tp, tp->state != TCP_STATE_SYN_SENT);
		back_off(tp, now);
		return;
	}
	if (list_empty(&tp->recs))
		return;
	tp->rt_valid = false; /* perhaps there is another way now */
	if (tp->retries < 255)
		tp->retries++;
	tcp_enter_loss(tp);
	if (tp->retries >= 2)
		tcp_suspect_hole(tp, now);
	tcp_retransmit_lost(tp);
	back_off(tp, now);
}

static void persist_timeout(struct tcp_sock *tp, u64 now)
{
	const struct tcp_tunables *conf = &tcp_net(tp)->tcp_conf;
	bool orphan = socket_flag(tcp_socket(tp), SOCKF_DEAD);

	if (!list_empty(&tp->recs) || tp->write_seq == tp->snd_nxt) {
		tp->probes_out = 0;
		return;
	}
	if (seq_gt(tp->snd_una + tp->snd_wnd, tp->snd_nxt) && !tcp_route(tp)) {
		bool cork = tp->cork;

		/* Not the window: a cork that has waited long enough, or memory that was short. */
		tp->cork = tp->more = false;
		tcp_push(tp);
		tp->cork = cork;
		return;
	}
	if (!tp->retrans_start)
		tp->retrans_start = tcp_stamp(now);
	/* A peer that answers, but keeps its window closed, is waited for by a user only. */
	if (tp->probes_out >= (orphan ? orphan_limit(conf) : conf->retries2) ||
	    (orphan && tp->backoff > orphan_limit(conf)) ||
	    (tp->user_timeout_ms && user_timeout_left(tp, now) == 0)) {
		write_error(tp);
		return;
	}
	tp->probes_out++;
	tcp_send_probe(tp);
	back_off(tp, now);
	tp->rtx_kind = RTX_PERSIST;
}

static void rtx_timeout(struct tcp_sock *tp, u64 now)
{
	u8 kind = tp->rtx_kind;

	tp->rtx_at = 0;
	tp->rtx_kind = RTX_NONE;
	switch (kind) {
	case RTX_RTO:
		retransmit_timeout(tp, now);
		break;
	case RTX_PERSIST:
		persist_timeout(tp, now);
		break;
	case RTX_TLP:
		tcp_send_tlp(tp);
		break;
	case RTX_REO:
		if (tcp_rack_detect(tp, now) && tp->ca_state < CA_RECOVERY)
			tcp_enter_recovery(tp);
		tcp_retransmit_lost(tp);
		if (!tp->rtx_at)
			tcp_rearm_rtx(tp, now);
		break;
	}
}

static u64 keep_idle(const struct tcp_sock *tp)
{
	return (tp->keep_idle_s ? tp->keep_idle_s : tcp_net(tp)->tcp_conf.keepalive_time) * NSEC_PER_SEC;
}

static u64 keep_interval(const struct tcp_sock *tp)
{
	return (tp->keep_intvl_s ? tp->keep_intvl_s : tcp_net(tp)->tcp_conf.keepalive_intvl) * NSEC_PER_SEC;
}

void tcp_keepalive_set(struct tcp_sock *tp)
{
	u64 idle_since = max(tp->last_rx, tp->last_tx);

	/* In FIN-WAIT-2 without a user the deadline is that of the socket's end. */
	if (TCP_IN(tp->state, TCPB(CLOSE) | TCPB(LISTEN) | TCPB(SYN_SENT)) ||
	    (tp->state == TCP_STATE_FIN_WAIT2 && socket_flag(tcp_socket(tp), SOCKF_DEAD)))
		return;
	if (!socket_flag(tcp_socket(tp), SOCKF_KEEPALIVE)) {
		tp->keep_at = 0;
		return;
	}
	tp->keep_at = max(tp->last_rx, idle_since) + keep_idle(tp);
	tcp_timer_update(tp);
}

static void keepalive_timeout(struct tcp_sock *tp, u64 now)
{
	u64 idle = now - tp->last_rx;

	tp->keep_at = 0;
	if (tp->state == TCP_STATE_FIN_WAIT2 && socket_flag(tcp_socket(tp), SOCKF_DEAD)) {
		tcp_done(tp); /* the peer never finished */
		return;
	}
	if (!socket_flag(tcp_socket(tp), SOCKF_KEEPALIVE) || TCP_IN(tp->state, TCPB(CLOSE) | TCPB(SYN_SENT)))
		return;
	if (!list_empty(&tp->recs) ||
	    tp->write_seq != tp->snd_nxt) { /* data is under way: that probes the peer */
		tp->keep_at = now + keep_idle(tp);
		return;
	}
	if (idle < keep_idle(tp)) {
		tp->keep_at = tp->last_rx + keep_idle(tp);
		tp->probes_out = 0;
		return;
	}
	if (tp->user_timeout_ms
		    ? idle >= tp->user_timeout_ms * NSEC_PER_MSEC && tp->probes_out
		    : tp->probes_out >=
			      (tp->keep_probes ? tp->keep_probes : tcp_net(tp)->tcp_conf.keepalive_probes)) {
		tcp_send_reset(tp);
		write_error(tp);
		return;
	}
	mib_inc(tcp_net(tp), MIB_EXT_KEEPALIVE);
	tp->probes_out++;
	tcp_send_probe(tp);
	tp->keep_at = now + keep_interval(tp);
}

static void ack_timeout(struct tcp_sock *tp)
{
	tp->ack_at = 0;
	if (!tp->ack_pending)
		return;
	/* The application did not answer in time: it does not converse, so acknowledge at once for a while.
	 */
	tp->pingpong = false;
	mib_inc(tcp_net(tp), MIB_EXT_DELAYED_ACKS);
	tcp_send_ack(tp);
}

/* What socket_ops.timer calls too, when the expiry found the socket owned. slock held, nobody owns. */
void tcp_timer_run(struct socket *s)
{
	struct tcp_sock *tp = tcp_sk(s);
	u64 now = clock_monotonic();

	tp->timer_armed = false; /* the expiry's reference is ours from here */
	if (tp->state != TCP_STATE_CLOSE && tp->state != TCP_STATE_LISTEN) {
		if (tp->ack_at && tp->ack_at <= now)
			ack_timeout(tp);
		if (tp->rtx_at && tp->rtx_at <= now)
			rtx_timeout(tp, now);
		if (tp->state != TCP_STATE_CLOSE && tp->keep_at && tp->keep_at <= now)
			keepalive_timeout(tp, now);
	}
	if (tp->state != TCP_STATE_CLOSE)
		tcp_timer_update(tp);
	socket_put(s);
}
