/* SPDX-License-Identifier: BSD-2-Clause */
/* Segment arrival (RFC 9293 3.10.7): demultiplexing, checks in the RFC's order, data into the receive queues.
 */
#include "base/err.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/random.h"
#include "net/checksum.h"
#include "net/tcp.h"

static DEFINE_COUNTER(tcp_malformed, "TCP segments that were short or failed their checksum");
static DEFINE_COUNTER(tcp_dropped_state, "TCP segments that the connection's state does not allow");

#define CHALLENGES_PER_SECOND 1000 /* about */
#define CHALLENGE_INTERVAL    500  /* ms, of one connection */

static bool header_ok(struct net_stack *net, struct packet *p)
{
	struct ip_cb *cb = ip_cb(p);
	const struct tcphdr *th;

	if (!packet_may_pull(p, TCP_HDR_LEN))
		return false;
	th = (const struct tcphdr *)p->data;
	if (th->doff < TCP_HDR_LEN / 4 || !packet_may_pull(p, th->doff * 4u))
		return false;
	if (p->ip_summed == PACKET_CSUM_NONE &&
	    csum_fold(packet_csum(p, 0, p->len, csum_pseudo(&cb->src, &cb->dst, p->len, IPPROTO_TCP))) != 0) {
		mib_inc(net, MIB_TCP_IN_CSUM_ERRORS);
		return false;
	}
	return true;
}

/* SO_ATTACH_FILTER: it sees the segment from its header on, and may cut the data. */
static __noinline bool filter_runs(struct socket *s, struct packet *p)
{
	return socket_filter_accept(s, p, 0, ((const struct tcphdr *)p->data)->doff * 4u);
}

static void for_listener(struct net_stack *net, struct packet *p, const struct tcp_options *o, u32 isn)
{
	const struct tcphdr *th = (const struct tcphdr *)p->data;
	struct ip_cb *cb = ip_cb(p);
	struct tcp_sock *tp =
		tcp_lookup_listener(net, &cb->dst, be16(th->dest), &cb->src, be16(th->source), cb->iif, p);

	if (!tp) {
		tcp_reply_reset(net, p, th);
		packet_free(p);
		return;
	}
	if (unlikely(tcp_socket(tp)->filter) && !filter_runs(tcp_socket(tp), p)) {
		packet_free(p);
		goto out;
	}
	/* A listener's slock is held for a moment only: nobody owns it across a sleep while packets are
	 * looked at. */
	if (socket_lock_section(tcp_socket(tp)))
		tcp_listen_receive(tp, p, th, o, isn);
	else
		socket_add_backlog(tcp_socket(tp), p);
	socket_unlock_section(tcp_socket(tp));
out:
	socket_put(tcp_socket(tp));
}

void tcp_input(struct net_stack *net, struct packet *p)
{
	struct ip_cb *cb = ip_cb(p);
	const struct tcphdr *th;
	struct tcp_options o;
	struct tcp_entry *e;
	u32 isn = 0;

	mib_inc(net, MIB_TCP_IN_SEGS);
	if (addr_is_multicast(&cb->dst) || !header_ok(net, p)) {
		counter_inc(&tcp_malformed);
		mib_inc(net, MIB_TCP_IN_ERRS);
		packet_free(p);
		return;
	}
	th = (const struct tcphdr *)p->data;
	e = tcp_lookup(net, &cb->dst, be16(th->dest), &cb->src, be16(th->source));
	if (e && !e->timewait) {
		struct socket *s = tcp_socket(container_of(e, struct tcp_sock, entry));

		if (unlikely(s->filter) && !filter_runs(s, p)) {
			packet_free(p);
			goto out;
		}
		if (socket_lock_section(s))
			tcp_receive(tcp_sk(s), p);
		else
			socket_add_backlog(s, p);
		socket_unlock_section(s);
	out:
		socket_put(s);
		return;
	}
	tcp_parse_options(th, &o);
	if (e) {
		struct tcp_tw *tw = container_of(e, struct tcp_tw, entry);
		bool reuse = tcp_timewait_input(tw, p, th, &o, &isn);

		tcp_tw_put(tw);
		if (!reuse)
			return;
	}
	for_listener(net, p, &o, isn);
}

bool tcp_challenge_ok(struct net_stack *net)
{
	struct tcp_stack *t = net->tcp;
	u64 second = clock_monotonic() / NSEC_PER_SEC;

	/* The budget varies: who counts the answers to what he sent must learn nothing of others'
	 * connections. */
	if (atomic_exchange_explicit(&t->challenge_stamp, second, memory_order_relaxed) != second)
		atomic_store_explicit(&t->challenge_left,
				      CHALLENGES_PER_SECOND / 2 + (u32)random_u64() % CHALLENGES_PER_SECOND,
				      memory_order_relaxed);
	if ((s32)atomic_fetch_sub_explicit(&t->challenge_left, 1, memory_order_relaxed) <= 0) {
		atomic_store_explicit(&t->challenge_left, 0, memory_order_relaxed);
		return false;
	}
	return true;
}

/* RFC 5961: a segment that might be forged is answered with an ACK, within a rate. The connection's own limit
 * keeps two ends that no longer agree (a forger saw to that) from answering each other's ACKs for ever. */
static void challenge(struct tcp_sock *tp)
{
	u64 now = clock_monotonic();

	if ((tp->last_challenge && tcp_since(now, tp->last_challenge) < CHALLENGE_INTERVAL) ||
	    !tcp_challenge_ok(tcp_net(tp)))
		return;
	tp->last_challenge = tcp_stamp(now);
	mib_inc(tcp_net(tp), MIB_EXT_CHALLENGE_ACK);
	tcp_send_ack(tp);
}

static void parse_simple(const struct tcphdr *th, struct tcp_options *o)
{
	if (th->doff == 5)
		memset(o, 0, offsetof(struct tcp_options, sack));
	else
		tcp_parse_options(th, o);
}

/* PAWS (RFC 7323 5.3): true when the segment is an old duplicate. */
static bool paws_reject(const struct tcp_sock *tp, const struct tcp_options *o, u64 now)
{
	return tp->ts_ok && o->have_ts && seq_lt(o->ts_val, tp->ts_recent) &&
	       tcp_seconds(now) - tp->ts_recent_s < TCP_PAWS_24DAYS;
}

static bool acceptable(const struct tcp_sock *tp, u32 seq, u32 end)
{
	u32 win = tcp_receive_window(tp);

	if (end == seq)
		return win ? seq_le(tp->rcv_nxt, seq) && seq_lt(seq, tp->rcv_nxt + win) : seq == tp->rcv_nxt;
	return seq_lt(seq, tp->rcv_nxt + win) && seq_gt(end, tp->rcv_nxt);
}

/* An out-of-window segment. Duplicates of what we have are reported (RFC 2883). */
static void out_of_window(struct tcp_sock *tp, const struct tcphdr *th, u32 seq, u32 end)
{
	if (th->rst)
		return;
	if (end != seq && seq_lt(seq, tp->rcv_nxt))
		tcp_note_duplicate(tp, seq, seq_lt(end, tp->rcv_nxt) ? end : tp->rcv_nxt);
	if (end != seq) {
		tcp_send_ack(tp); /* the peer repeats itself: it missed our ACK */
		return;
	}
	challenge(tp); /* a probe that wants an answer, or a forgery */
}

static void syn_sent(struct tcp_sock *tp, struct packet *p, const struct tcphdr *th,
		     const struct tcp_options *o)
{
	u32 seq = be32(th->seq), ack = be32(th->ack_seq);
	struct socket *s = tcp_socket(tp);
	u64 now = clock_monotonic();

	if (th->ack && (seq_le(ack, tp->iss) || seq_gt(ack, tp->snd_nxt + tp->fo_data) ||
			(o->have_ts && o->ts_ecr && tp->ts_ok && seq_lt(tcp_ts(tp, now), o->ts_ecr)))) {
		tcp_reply_reset(tcp_net(tp), p, th);
		goto drop;
	}
	if (th->rst) {
		if (th->ack)
			tcp_abort(tp, ECONNREFUSED);
		goto drop;
	}
	if (!th->syn)
		goto drop;
	tp->irs = seq;
	tp->rcv_nxt = tp->copied_seq = tp->rcv_wup = seq + 1;
	tp->rcv_up = seq;
	tp->peer_mss = o->mss ? max(o->mss, (u16)TCP_MIN_MSS) : TCP_DEFAULT_MSS;
	/* What was not offered is not agreed. */
	tp->ts_ok = o->have_ts && tcp_net(tp)->tcp_conf.timestamps;
	tp->sack_ok = o->sack_ok && tcp_net(tp)->tcp_conf.sack;
	tp->wscale_ok = o->have_wscale && tcp_net(tp)->tcp_conf.window_scaling;
	tp->snd_wscale = tp->wscale_ok ? o->wscale : 0;
	if (!tp->wscale_ok)
		tp->rcv_wscale = 0;
	if (o->have_ts) {
		tp->ts_recent = o->ts_val;
		tp->ts_recent_s = tcp_seconds(now);
	}
	tp->ecn_ok = tcp_net(tp)->tcp_conf.ecn == 1 && th->ece && th->cwr == !th->ack;
	tp->snd_wnd = be16(th->window);
	tp->snd_wl1 = seq;
	tcp_sync_mss(tp);
	if (!th->ack) { /* both open at once: RFC 9293 figure 8 */
		tcp_set_state(tp, TCP_STATE_SYN_RECV);
		tp->retries = 0;
		tcp_send_syn(tp, true);
		goto drop;
	}
	tp->snd_una = tp->snd_nxt = ack;
	tp->bytes_acked = ack - tp->iss; /* as Linux counts: with the SYN */
	tp->delivered = 1;
	if (tp->fo_ask)
		tcp_fastopen_answer(tp, o);
	if (!tp->retries)
		tcp_rtt_sample(tp, now - tp->last_tx, now);
	tp->retries = tp->backoff = 0;
	tp->retrans_start = 0;
	tp->rtx_at = 0;
	tcp_set_state(tp, TCP_STATE_ESTABLISHED);
	tcp_established(tp);
	socket_wake(s, EPOLLOUT | EPOLLWRNORM | EPOLLIN);
	/* Data that waits carries the ACK of the handshake. */
	if (tp->write_seq != tp->snd_nxt)
		tcp_push(tp);
	if (tp->snd_nxt == ack)
		tcp_send_ack(tp);
drop:
	packet_free(p);
	tcp_timer_update(tp);
}

/* The handshake of a passive Fast Open is complete, though its user may have written, or gone, before. */
static void fastopen_acked(struct tcp_sock *tp)
{
	u64 now = clock_monotonic();

	tcp_fastopen_settled(tp, false);
	if (!tp->retries && list_empty(&tp->recs))
		tcp_rtt_sample(tp, now - tp->last_tx, now);
	tp->retries = tp->backoff = 0;
	tp->retrans_start = 0;
	tcp_rearm_rtx(tp, now);
}

/* The ACK that completes a handshake. False: the segment is done with. */
static bool syn_recv_ack(struct tcp_sock *tp, struct packet *p, const struct tcphdr *th, u32 wnd)
{
	u32 ack = be32(th->ack_seq);

	if (seq_le(ack, tp->iss) || seq_gt(ack, tp->snd_nxt)) {
		tcp_reply_reset(tcp_net(tp), p, th);
		return false;
	}
	tp->delivered++;
	if (tp->fo_wait) {
		fastopen_acked(tp);
		tcp_set_state(tp, TCP_STATE_ESTABLISHED);
		return true;
	}
	if (tp->listener && tp->defer_accept && p->len == th->doff * 4u && !th->fin &&
	    tp->retries < tp->defer_accept)
		return false; /* TCP_DEFER_ACCEPT: wait for data; the handshake's repetition bounds the wait
			       */
	if (!tcp_accept_ready(tp)) {
		if (tcp_net(tp)->tcp_conf.abort_on_overflow) { /* else a later repetition may find room */
			tcp_reply_reset(tcp_net(tp), p, th);
			tcp_abort(tp, ECONNRESET);
		}
		return false;
	}
	tp->snd_una = tp->iss + 1;
	if (!tp->retries && tp->last_tx)
		tcp_rtt_sample(tp, clock_monotonic() - tp->last_tx, clock_monotonic());
	tp->retries = tp->backoff = 0;
	tp->retrans_start = 0;
	tp->rtx_at = 0;
	tp->rtx_kind = RTX_NONE;
	tp->snd_wnd = wnd;
	tp->snd_wl1 = be32(th->seq);
	tcp_set_state(tp, TCP_STATE_ESTABLISHED);
	tcp_established(tp);
	socket_wake(tcp_socket(tp), EPOLLOUT | EPOLLWRNORM);
	return true;
}

/* What our FIN's acknowledgement changes (3.10.7.4, fifth). False: the connection is gone. */
static bool fin_acked(struct tcp_sock *tp)
{
	struct socket *s = tcp_socket(tp);

	if (!tp->fin_queued || tp->snd_una != tp->write_seq)
		return true;
	switch (tp->state) {
	case TCP_STATE_FIN_WAIT1:
		tcp_set_state(tp, TCP_STATE_FIN_WAIT2);
		socket_wake(s, EPOLLOUT | EPOLLHUP); /* a lingering close waits for this */
		if (socket_flag(s, SOCKF_DEAD)) {
			if (tp->linger2 < 0) { /* the peer may finish without us */
				mib_inc(tcp_net(tp), MIB_EXT_ABORT_ON_LINGER);
				tcp_done(tp);
				return false;
			}
			tp->keep_at = clock_monotonic() + tcp_fin_timeout(tp);
			tcp_timer_update(tp);
		}
		return true;
	case TCP_STATE_CLOSING:
		tcp_enter_timewait(tp);
		return false;
	case TCP_STATE_LAST_ACK:
		tcp_done(tp);
		return false;
	}
	return true;
}

static void update_ts_recent(struct tcp_sock *tp, const struct tcp_options *o, u32 seq, u64 now)
{
	if (tp->ts_ok && o->have_ts && seq_le(seq, tp->rcv_wup) &&
	    (!seq_lt(o->ts_val, tp->ts_recent) || tcp_seconds(now) - tp->ts_recent_s >= TCP_PAWS_24DAYS)) {
		tp->ts_recent = o->ts_val;
		tp->ts_recent_s = tcp_seconds(now);
	}
}

static void schedule_ack(struct tcp_sock *tp, u64 now)
{
	bool lo = tp->rt_valid && (tp->rt.dev->features & NETDEV_LOOPBACK);

	if (!tp->ack_pending)
		return;
	if (tp->ack_now || tp->unacked_segs >= 2 || (tp->quick && !tp->pingpong && !lo)) {
		tcp_send_ack(tp);
		return;
	}
	if (!tp->ack_at)
		tp->ack_at = now + (lo ? TCP_DELACK_LO : TCP_DELACK_MIN);
}

/* Data arrived for a socket whose user is gone, or has shut down both ways: the peer must know that nobody
 * reads (RFC 2525 2.17). */
static bool nobody_reads(struct tcp_sock *tp, u32 end, const struct tcphdr *th)
{
	bool shut = TCP_IN(tp->state, TCPB(FIN_WAIT1) | TCPB(FIN_WAIT2)) &&
		    (tcp_socket(tp)->shutdown & RCV_SHUTDOWN);

	if ((!socket_flag(tcp_socket(tp), SOCKF_DEAD) && !shut) || seq_le(end - th->fin, tp->rcv_nxt))
		return false;
	mib_inc(tcp_net(tp), MIB_EXT_ABORT_ON_DATA);
	tcp_send_reset(tp);
	tcp_abort(tp, ECONNRESET);
	return true;
}

/* RFC 3168 6.1.3: data came whose IP header says ECN. */
static void ecn_received(struct tcp_sock *tp, const struct tcphdr *th, u8 ecn)
{
	bool was = tp->ecn_echo;

	if (th->cwr) { /* its window may be one segment now */
		tp->ecn_echo = false;
		tp->ack_now = true;
	}
	if (ecn == 3) {
		tp->ecn_echo = true;
		tp->ack_now |= !was;
	}
	if (ecn)
		tp->ecn_seen = true;
}

/* RFC 9293 3.10.7.4: all synchronized states. Takes P over. */
static void synchronized(struct tcp_sock *tp, struct packet *p, const struct tcphdr *th,
			 const struct tcp_options *o)
{
	u32 seq = be32(th->seq), hdr = th->doff * 4u, len = p->len - hdr, end;
	u32 wnd = (u32)be16(th->window) << (th->syn ? 0 : tp->snd_wscale); /* RFC 7323 2.2 */
	u64 now = clock_monotonic();
	bool fin = th->fin, syn = th->syn;

	if (unlikely(syn && tp->state == TCP_STATE_SYN_RECV && !tp->listener && !tp->fo_wait && th->ack &&
		     seq == tp->irs)) {
		seq++; /* the SYN-ACK of a simultaneous open: it only acknowledges */
		syn = false;
	}
	end = seq + len + syn + fin;
	if (unlikely(paws_reject(tp, o, now) && !th->rst)) {
		mib_inc(tcp_net(tp), MIB_EXT_PAWS_ESTAB);
		if (end != seq || tp->state == TCP_STATE_SYN_RECV)
			out_of_window(tp, th, seq, end);
		goto drop;
	}
	if (unlikely(!acceptable(tp, seq, end))) {
		if ((tp->state == TCP_STATE_SYN_RECV || tp->fo_wait) && syn && seq == tp->irs && !th->rst) {
			tp->last_tx = now; /* the peer asks again: so do we */
			tcp_send_syn(tp, true);
			goto drop;
		}
		if (th->rst && seq == tp->rcv_nxt - 1 && tp->state != TCP_STATE_SYN_RECV &&
		    (tp->inet.s.shutdown & RCV_SHUTDOWN)) {
			tcp_reset_received(tp); /* after its FIN the peer counts from before it */
			goto drop;
		}
		/* The ACK field of a probe below the window still counts. */
		if (th->ack && !th->rst && !syn && end == seq && tp->state != TCP_STATE_SYN_RECV &&
		    seq_lt(seq, tp->rcv_nxt) && seq_gt(seq, tp->rcv_nxt - 0x10000)) {
			tcp_ack(tp, seq, be32(th->ack_seq), wnd, o, 0);
			if (!fin_acked(tp))
				goto drop;
			tcp_push(tp);
		}
		out_of_window(tp, th, seq, end);
		goto drop;
	}
	if (unlikely(th->rst)) { /* RFC 5961 section 3 */
		if (seq == tp->rcv_nxt)
			tcp_reset_received(tp);
		else
			challenge(tp);
		goto drop;
	}
	if (unlikely(syn)) { /* RFC 5961 section 4 */
		challenge(tp);
		goto drop;
	}
	if (!th->ack)
		goto drop;
	if (tp->state == TCP_STATE_SYN_RECV) {
		if (!syn_recv_ack(tp, p, th, wnd))
			goto drop;
	} else if (unlikely(tp->fo_wait) && seq_gt(be32(th->ack_seq), tp->iss) &&
		   seq_le(be32(th->ack_seq), tp->snd_nxt)) {
		fastopen_acked(tp);
	}
	update_ts_recent(tp, o, seq, now);
	tp->last_rx = now;
	tp->segs_in++;
	if (!tcp_ack(tp, seq, be32(th->ack_seq), wnd, o, len)) {
		challenge(tp); /* it acknowledges what we never sent */
		goto drop;
	}
	if (!fin_acked(tp))
		goto drop;
	if (unlikely(nobody_reads(tp, end, th)))
		goto drop;
	if (unlikely(th->urg))
		tcp_urgent(tp, th, p, seq);
	if (len || fin) {
		tp->last_data = tcp_stamp(now);
		if (tp->ecn_ok && len)
			ecn_received(tp, th, ip_cb(p)->tos & 3);
		if (TCP_IN(tp->state, TCPB(ESTABLISHED) | TCPB(FIN_WAIT1) | TCPB(FIN_WAIT2))) {
			packet_advance(p, hdr);
			tcp_data_queue(tp, p, seq, fin);
			p = NULL;
		} else {
			counter_inc(&tcp_dropped_state);
			tp->ack_pending = tp->ack_now = true; /* a repeated FIN wants its ACK again */
		}
	}
	if (tp->state != TCP_STATE_CLOSE) {
		if (tp->write_seq != tp->snd_nxt || tp->lost)
			tcp_push(tp);
		schedule_ack(tp, now);
	}
drop:
	packet_free(p);
	if (tp->state != TCP_STATE_CLOSE)
		tcp_timer_update(tp);
}

void tcp_receive(struct tcp_sock *tp, struct packet *p)
{
	const struct tcphdr *th = (const struct tcphdr *)p->data;
	struct tcp_options o;

	parse_simple(th, &o);
	o.ecn = th->ece && !th->syn;
	switch (tp->state) {
	case TCP_STATE_LISTEN:
		tcp_listen_receive(tp, p, th, &o, 0);
		return;
	case TCP_STATE_SYN_SENT:
		syn_sent(tp, p, th, &o);
		return;
	case TCP_STATE_CLOSE:
		tcp_reply_reset(tcp_net(tp), p, th);
		packet_free(p);
		return;
	}
	synchronized(tp, p, th, &o);
}

void tcp_icmp_error(struct net_stack *net, const struct icmp_error *e)
{
	const u8 *t = e->transport;
	u16 sport = (u16)(t[0] << 8 | t[1]), dport = (u16)(t[2] << 8 | t[3]);
	u32 seq = (u32)t[4] << 24 | (u32)t[5] << 16 | (u32)t[6] << 8 | t[7];
	struct tcp_entry *en = tcp_lookup(net, &e->src, sport, &e->dst, dport);
	struct tcp_sock *tp;
	struct socket *s;

	if (!en)
		return;
	if (en->timewait) {
		tcp_tw_put(container_of(en, struct tcp_tw, entry));
		return;
	}
	tp = container_of(en, struct tcp_sock, entry);
	s = tcp_socket(tp);
	if (!socket_lock_section(s)) { /* a hint only: the retransmission will ask again */
		if (e->mtu && seq_le(tp->snd_una, seq) && seq_lt(seq, tp->snd_nxt))
			pmtu_update(net, &e->dst, e->mtu);
		else
			s->soft_err = e->err;
		goto out;
	}
	if (tp->state == TCP_STATE_SYN_SENT ? seq != tp->iss
					    : seq_lt(seq, tp->snd_una) || seq_gt(seq, tp->snd_nxt))
		goto out; /* RFC 5927: not about a segment in flight */
	if (e->mtu) {
		if (tp->inet.pmtudisc == IP_PMTUDISC_DONT || tp->inet.pmtudisc == IP_PMTUDISC_OMIT)
			goto out;
		pmtu_update(net, &e->dst, e->mtu);
		if (tp->state != TCP_STATE_SYN_SENT && tp->state != TCP_STATE_SYN_RECV && !tcp_route(tp)) {
			u16 old = tp->mss;
			struct tcp_rec *r;

			tcp_sync_mss(tp);
			if (tp->mss <
			    old) { /* what was too long is lost, and says nothing about congestion */
				list_for_each_entry (r, &tp->recs, node)
					if (r->end - r->seq > tp->mss)
						tcp_mark_lost(tp, r);
				tcp_push(tp);
				tcp_timer_update(tp);
			}
		}
		goto out;
	}
	if (TCP_IN(tp->state, TCPB(SYN_SENT) | TCPB(SYN_RECV))) {
		if (tp->state == TCP_STATE_SYN_SENT)
			tcp_abort(tp, e->err);
		else
			s->soft_err = e->err;
	} else if (inet_flag(&tp->inet, INETF_RECVERR | INETF_RECVERR6)) { /* ip(7): all errors, at once */
		socket_set_error(s, e->err);
	} else {
		s->soft_err = e->err; /* RFC 1122 4.2.3.9: not fatal to an established connection */
	}
out:
	socket_unlock_section(s);
	socket_put(s);
}
