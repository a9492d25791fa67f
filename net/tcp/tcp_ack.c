/* SPDX-License-Identifier: BSD-2-Clause */
/* Acknowledgements: round-trip times (RFC 6298), the scoreboard with SACK (RFC 2018, 2883), congestion
 * control's input, the peer's window, and the retransmission deadline. */
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "net/tcp.h"

struct ack_state {		      /* what one segment acknowledged */
	u32 prior_una, acked, sacked; /* bytes */
	u64 rtt;	    /* of the latest transmission acknowledged and never repeated; 0: none */
	bool retrans_acked; /* something acknowledged had been sent twice */
	bool dsack, new_lost, spurious;
	bool orig_acked;     /* ... and something sent before the last timeout that never had been */
	struct tcp_rec orig; /* the latest record acknowledged that was sent once only */
	u64 now;
};

void tcp_rtt_sample(struct tcp_sock *tp, u64 rtt, u64 now)
{
	rtt = max(rtt, 1000ull);
	if (!tp->min_rtt || rtt <= tp->min_rtt || tcp_seconds(now) - tp->min_rtt_s > 300) {
		tp->min_rtt = (u32)min(rtt, 0xffffffffull);
		tp->min_rtt_s = tcp_seconds(now);
	}
	if (!tp->srtt) {
		tp->srtt = rtt;
		tp->rttvar = rtt / 2;
	} else {
		u64 diff = rtt > tp->srtt ? rtt - tp->srtt : tp->srtt - rtt;

		tp->rttvar = tp->rttvar - tp->rttvar / 4 + diff / 4;
		tp->srtt = tp->srtt - tp->srtt / 8 + rtt / 8;
	}
	tp->backoff = 0;
}

/* RFC 8985 7.2: probe the tail after two round trips, when that is earlier than the timeout. */
static u64 probe_timeout(const struct tcp_sock *tp)
{
	u64 pto = tp->srtt ? 2 * tp->srtt : TCP_RTO_INIT;

	if (tp->recs.next == tp->recs.prev)
		pto += TCP_DELACK_MAX; /* one packet: its ACK may be delayed */
	else
		pto += 2 * NSEC_PER_MSEC;
	return pto;
}

void tcp_rearm_rtx(struct tcp_sock *tp, u64 now)
{
	u64 rto = min(tcp_rto(tp) << min(tp->backoff, (u8)16), TCP_RTO_MAX);
	u64 pto;

	if (list_empty(&tp->recs)) {
		tp->rtx_at = 0;
		tp->rtx_kind = RTX_NONE;
		return;
	}
	tp->rtx_kind = RTX_RTO;
	tp->rtx_at = now + rto;
	pto = probe_timeout(tp);
	if (tp->ca_state < CA_RECOVERY && tp->sack_ok && !tp->tlp_out && !tp->sacked && tp->srtt &&
	    pto < rto) {
		tp->rtx_kind = RTX_TLP;
		tp->rtx_at = now + pto;
	}
	tcp_timer_update(tp);
}

static void rec_forget(struct tcp_sock *tp, struct tcp_rec *r)
{
	u32 n = r->end - r->seq;

	if (r->flags & REC_SACKED)
		tp->sacked -= n;
	if (r->flags & REC_LOST)
		tp->lost -= n;
	if (r->flags & REC_RETRANS)
		tp->retrans -= n;
}

static void rec_remove(struct tcp_sock *tp, struct tcp_rec *r)
{
	rec_forget(tp, r);
	list_del(&r->node);
	list_del(&r->tnode);
	kfree(r);
}

/* A record was delivered, cumulatively or selectively. */
static void delivered(struct tcp_sock *tp, struct tcp_rec *r, struct ack_state *a,
		      const struct tcp_options *o)
{
	if (r->flags & REC_EVER_RETRANS) {
		a->retrans_acked = true;
	} else {
		a->rtt = max(a->now - r->tx_ns, 1ull);
		a->orig_acked |= seq_le(r->end, tp->recover);
		if (r->tx_ns >= a->orig.tx_ns)
			a->orig = *r;
		/* RFC 8985 6.2 step 3: below something delivered earlier: the network reorders. */
		if (seq_lt(r->end, tp->rack_fack)) {
			tp->rack_reordering = true;
			tp->reord_seen++;
		}
	}
	tp->delivered += (r->end - r->seq + tp->mss - 1) / tp->mss;
	if (seq_gt(r->end, tp->rack_fack))
		tp->rack_fack = r->end;
	if (r->end - r->seq >= tp->mss)
		tp->hole = 0;
	tcp_rack_advance(tp, r, a->now, o);
}

/* Everything below ACK is delivered for good. */
static void clean(struct tcp_sock *tp, u32 ack, struct ack_state *a, const struct tcp_options *o)
{
	while (!list_empty(&tp->recs)) {
		struct tcp_rec *r = list_first_entry(&tp->recs, struct tcp_rec, node);

		if (seq_gt(r->end, ack)) {
			if (seq_lt(r->seq, ack)) { /* a part: what is left starts at ACK */
				u32 n = ack - r->seq;

				if (r->flags & REC_SACKED)
					tp->sacked -= n;
				if (r->flags & REC_LOST)
					tp->lost -= n;
				if (r->flags & REC_RETRANS)
					tp->retrans -= n;
				r->seq = ack;
			}
			break;
		}
		if (!(r->flags & REC_SACKED))
			delivered(tp, r, a, o);
		else if (r->flags & REC_EVER_RETRANS)
			a->retrans_acked = true;
		rec_remove(tp, r);
	}
}

static void mark_sacked(struct tcp_sock *tp, struct tcp_rec *r, struct ack_state *a,
			const struct tcp_options *o)
{
	u32 n = r->end - r->seq;

	delivered(tp, r, a, o);
	if (r->flags & REC_LOST)
		tp->lost -= n;
	if (r->flags & REC_RETRANS)
		tp->retrans -= n;
	r->flags = (u8)((r->flags & ~(REC_LOST | REC_RETRANS)) | REC_SACKED);
	tp->sacked += n;
	a->sacked += n;
}

static void sack_block(struct tcp_sock *tp, u32 start, u32 end, struct ack_state *a,
		       const struct tcp_options *o)
{
	struct tcp_rec *r, *next;

	list_for_each_entry_safe (r, next, &tp->recs, node) {
		if (seq_ge(r->seq, end))
			break;
		if (seq_le(r->end, start) || (r->flags & REC_SACKED))
			continue;
		if (seq_lt(r->seq, start)) { /* cut the front off */
			struct tcp_rec *tail = tcp_rec_split(tp, r, start);

			if (!tail)
				continue;
			r = tail;
			next = list_next_entry(r, node);
		}
		if (seq_gt(r->end, end)) {
			if (!tcp_rec_split(tp, r, end))
				continue;
			next = list_next_entry(r, node);
		}
		mark_sacked(tp, r, a, o);
	}
}

static void sack(struct tcp_sock *tp, u32 ack, const struct tcp_options *o, struct ack_state *a)
{
	for (unsigned i = 0; i < o->nsack; i++) {
		u32 start = o->sack[i].start, end = o->sack[i].end;

		if (!seq_lt(start, end))
			continue;
		/* RFC 2883: the first block reports a duplicate when it lies below the ACK or within the
		 * second. */
		if (i == 0 && (seq_lt(start, ack) || (o->nsack > 1 && seq_ge(start, o->sack[1].start) &&
						      seq_le(end, o->sack[1].end)))) {
			a->dsack = true;
			tp->dsack_dups++;
			mib_inc(tcp_net(tp), MIB_EXT_DSACK_RECV);
			if (seq_le(end, ack))
				continue;
		}
		if (seq_le(end, tp->snd_una) || seq_gt(end, tp->snd_nxt) || seq_lt(start, tp->snd_una))
			continue;
		sack_block(tp, start, end, a, o);
	}
}

static void update_window(struct tcp_sock *tp, u32 seq, u32 ack, u32 wnd)
{
	if (seq_lt(tp->snd_wl1, seq) ||
	    (tp->snd_wl1 == seq && (seq_lt(tp->snd_una, ack) || wnd > tp->snd_wnd)) ||
	    seq_lt(tp->snd_una, ack)) {
		tp->snd_wl1 = seq;
		if (wnd != tp->snd_wnd) {
			if (!tp->snd_wnd)
				tp->backoff = 0;
			tp->snd_wnd = wnd;
			if (wnd > tp->max_wnd) {
				bool narrow = tp->mss + 12u >= tp->max_wnd / 2;

				tp->max_wnd = wnd;
				if (narrow)
					tcp_sync_mss(tp);
			}
		}
	}
}

/* F-RTO (RFC 5682), after a timeout. The first ACK that makes progress lets new data out instead of more
 * repetitions; what the next one says decides. True: the timeout was spurious. */
static bool frto(struct tcp_sock *tp, bool duplicate, const struct ack_state *a)
{
	bool second = tp->frto == FRTO_NEW_DATA;

	if (tp->sack_ok && a->orig_acked)
		return true; /* only the original can have brought that */
	if (seq_ge(tp->snd_una, tp->recover) || (second && (duplicate || a->sacked))) {
		tp->frto = FRTO_OFF; /* everything arrived, or the loss is real */
	} else if (a->acked) {
		if (second)
			return a->orig_acked;
		tp->frto = tp->write_seq != tp->snd_nxt && seq_gt(tp->snd_una + tp->snd_wnd, tp->snd_nxt)
				   ? FRTO_NEW_DATA
				   : FRTO_OFF;
	}
	return false;
}

/* Was what we took for a loss none? RFC 3522: the ACK for a retransmission that echoes an older timestamp
 * answers the original. */
static void detect_spurious(struct tcp_sock *tp, const struct tcp_options *o, bool duplicate,
			    struct ack_state *a)
{
	if (tp->ca_state < CA_RECOVERY)
		return;
	a->spurious =
		tp->ts_ok && o->have_ts && tp->retrans_ts && seq_lt(o->ts_ecr, tp->retrans_ts) && a->acked;
	if (tp->ca_state == CA_LOSS && tp->frto && frto(tp, duplicate, a))
		a->spurious = true;
	if (a->spurious && tp->undo_ok) {
		mib_inc(tcp_net(tp), MIB_EXT_SPURIOUS_RTOS);
		tcp_undo(tp);
		if (a->orig.tx_ns) { /* not the repetition arrived but the original: RACK's clock goes back */
			tp->rack_tx_ns = a->orig.tx_ns;
			tp->rack_end = a->orig.end;
			tp->rack_rtt = a->rtt;
		}
	}
}

static void first_segment_lost(struct tcp_sock *tp, struct tcp_rec *first)
{
	if (first->end - first->seq > tp->mss)
		(void)tcp_rec_split(tp, first, first->seq + tp->mss);
	tcp_mark_lost(tp, first);
}

/* Peers without SACK: count duplicates (RFC 5681, 6582). */
static bool newreno(struct tcp_sock *tp, bool duplicate, struct ack_state *a)
{
	struct tcp_rec *first;

	if (tp->sack_ok || list_empty(&tp->recs))
		return false;
	first = list_first_entry(&tp->recs, struct tcp_rec, node);
	if (a->acked) {
		tp->dupacks = 0;
		if (tp->ca_state == CA_RECOVERY && seq_lt(tp->snd_una, tp->recover)) {
			first_segment_lost(tp, first); /* a partial ACK: the next hole */
			return true;
		}
		return false;
	}
	if (!duplicate)
		return false;
	if (tp->dupacks < 200)
		tp->dupacks++;
	if (tp->dupacks == 3 && tp->ca_state < CA_RECOVERY) {
		first_segment_lost(tp, first);
		return true;
	}
	return false;
}

static void tlp_acked(struct tcp_sock *tp, u32 ack, const struct ack_state *a)
{
	if (!tp->tlp_out || seq_lt(ack, tp->tlp_end))
		return;
	/* RFC 8985 7.4: without a duplicate report the probe repaired a loss: react to it once. */
	if (tp->tlp_retrans && !a->dsack && tp->ca_state < CA_CWR) {
		tp->ssthresh = tp->cc->ssthresh(tp);
		tp->cwnd = min(tp->cwnd, tp->ssthresh);
	}
	tp->tlp_out = false;
}

static void congestion(struct tcp_sock *tp, struct ack_state *a)
{
	if (tp->ca_state >= CA_CWR && seq_ge(tp->snd_una, tp->recover) && (a->acked || !tp->lost))
		tcp_end_recovery(tp);
	if (tcp_reduces(tp)) {
		tcp_prr(tp, a->acked + a->sacked, a->acked && !a->new_lost);
	} else if (a->acked && tp->cwnd_limited) {
		u32 before = tp->cwnd;

		if (tp->cwnd <
		    tp->ssthresh) { /* slow start (RFC 5681 with RFC 3465, L = unlimited for large acks) */
			tp->cwnd += min(a->acked, tp->ca_state == CA_LOSS ? (u32)tp->mss : a->acked);
			if (tp->cwnd > tp->ssthresh)
				tp->cwnd = max(tp->ssthresh, before);
		} else {
			tp->cc->acked(tp, a->acked, a->now);
		}
		if (tp->cwnd > 0x3fffffff)
			tp->cwnd = 0x3fffffff;
	}
	if (!tcp_pipe(tp) || tcp_pipe(tp) + tp->mss < tp->cwnd)
		tp->cwnd_limited = false;
}

bool tcp_ack(struct tcp_sock *tp, u32 seq, u32 ack, u32 wnd, const struct tcp_options *o, u32 payload)
{
	struct ack_state a = {.prior_una = tp->snd_una, .now = clock_monotonic()};
	bool duplicate, was_empty = list_empty(&tp->recs), overtaken = seq_lt(ack, tp->snd_una);
	u32 old_wnd = tp->snd_wnd;

	/* RFC 5961 5.2: nor may it be older than anything that a window could have delayed. */
	if (seq_gt(ack, tp->snd_nxt) || seq_lt(ack, tp->snd_una - tp->max_wnd))
		return false;
	if (overtaken)
		ack = tp->snd_una; /* overtaken on the way; but its SACK blocks may be news */
	else
		update_window(tp, seq, ack, wnd);
	a.acked = ack - tp->snd_una;
	duplicate = !a.acked && !overtaken && !payload && wnd == old_wnd && !was_empty;
	if (a.acked) {
		u32 data = a.acked;

		clean(tp, ack, &a, o);
		if (tp->fin_queued && ack == tp->write_seq)
			data--;
		tcp_snd_free(tp, data);
		tp->snd_una = ack;
		tp->bytes_acked += a.acked;
		tp->retries = tp->probes_out = 0;
		tp->backoff = 0;
		tp->retrans_start = tp->retrans && !list_empty(&tp->recs) ? tcp_stamp(a.now) : 0;
		if (seq_lt(tp->snd_up, ack))
			tp->snd_up = ack;
		if (seq_lt(tp->snd_sml, ack - 0x40000000u))
			tp->snd_sml = ack;
		if (seq_lt(tp->rack_fack, ack))
			tp->rack_fack = ack;
		if (unlikely(tp->hole_probing) && seq_ge(ack, tp->hole_probe)) {
			tp->hole_probing = false;
			tp->hole = 1;
		}
	} else if (!overtaken && tp->probes_out && list_empty(&tp->recs)) {
		tp->probes_out = 0; /* the peer lives */
		tp->retrans_start = 0;
	}
	if (o->nsack && tp->sack_ok)
		sack(tp, ack, o, &a);
	detect_spurious(tp, o, duplicate, &a);
	if (a.rtt && (!a.retrans_acked || a.spurious))
		tcp_rtt_sample(tp, a.rtt, a.now);
	else if (a.acked && tp->ts_ok && o->have_ts && o->ts_ecr && a.retrans_acked) {
		u32 ms = tcp_ts(tp, a.now) - o->ts_ecr;

		if (ms < 600000)
			tcp_rtt_sample(tp, max((u64)ms, 1ull) * NSEC_PER_MSEC, a.now);
	}
	tlp_acked(tp, ack, &a);
	a.new_lost = newreno(tp, duplicate, &a);
	if (tp->sack_ok && (a.acked || a.sacked) && tcp_rack_detect(tp, a.now))
		a.new_lost = true;
	if (a.new_lost && tp->ca_state < CA_RECOVERY)
		tcp_enter_recovery(tp);
	if (unlikely(o->ecn && tp->ecn_ok))
		tcp_enter_cwr(tp);
	if (a.dsack && tp->sack_ok && tp->rack_dsack_round != tp->snd_una) {
		tp->rack_reordering =
			true; /* RFC 8985: each round with a duplicate widens the reordering window */
		if (tp->rack_mult < 16)
			tp->rack_mult++;
		tp->rack_persist = 16;
		tp->rack_dsack_round = tp->snd_nxt;
	}
	congestion(tp, &a);
	if (a.acked || a.sacked) {
		if (tp->rtx_kind != RTX_REO || list_empty(&tp->recs))
			tcp_rearm_rtx(tp, a.now);
	}
	if (a.acked && tp->rt_valid && tp->rt.type == RTN_UNICAST && tp->srtt < 2 * NSEC_PER_SEC &&
	    !(tp->rt.dev->features & NETDEV_LOOPBACK) && tcp_since(a.now, tp->last_confirm) > 1000) {
		tp->last_confirm = tcp_stamp(a.now);
		neigh_confirm(tp->rt.dev, &tp->rt.nexthop);
	}
	if (a.acked)
		tcp_write_space(tp);
	return true;
}
