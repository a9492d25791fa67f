/* SPDX-License-Identifier: BSD-2-Clause */
/* Loss: RACK-TLP (RFC 8985), proportional rate reduction (RFC 6937), timeouts, undoing what was spurious. */
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "net/tcp.h"

struct tcp_rec *tcp_rec_split(struct tcp_sock *tp, struct tcp_rec *r, u32 at)
{
	struct tcp_rec *n = net_alloc(sizeof(*n));

	if (!n)
		return NULL;
	*n = *r;
	n->seq = at;
	r->end = at;
	r->flags &= (u8)~REC_FIN; /* the FIN is at the end */
	list_add(&n->node, &r->node);
	list_add(&n->tnode, &r->tnode);
	return n;
}

void tcp_mark_lost(struct tcp_sock *tp, struct tcp_rec *r)
{
	u32 n = r->end - r->seq;

	if (r->flags & REC_SACKED)
		return;
	if (r->flags & REC_RETRANS) { /* the repetition is lost */
		tp->retrans -= n;
		r->flags &= (u8)~REC_RETRANS;
	}
	if (!(r->flags & REC_LOST)) {
		r->flags |= REC_LOST;
		tp->lost += n;
	}
}

/* RFC 8985 6.2 step 2: the latest transmission known to be delivered. */
void tcp_rack_advance(struct tcp_sock *tp, const struct tcp_rec *r, u64 now, const struct tcp_options *o)
{
	u64 rtt = now - r->tx_ns;

	if (r->flags & REC_EVER_RETRANS) {
		/* Which transmission arrived is unknown: ignore one that came back impossibly soon or echoes
		 * an older one. */
		if (tp->ts_ok && o->have_ts &&
		    seq_lt(o->ts_ecr, (u32)(r->tx_ns / NSEC_PER_MSEC) + tp->ts_offset))
			return;
		if (rtt < tp->min_rtt)
			return;
	}
	if (r->tx_ns > tp->rack_tx_ns || (r->tx_ns == tp->rack_tx_ns && seq_gt(r->end, tp->rack_end))) {
		tp->rack_tx_ns = r->tx_ns;
		tp->rack_end = r->end;
		tp->rack_rtt = rtt;
	}
}

static u64 reordering_window(struct tcp_sock *tp)
{
	u64 w;

	if (!tp->rack_reordering) {
		if (tp->ca_state >= CA_RECOVERY || tp->sacked >= 3u * tp->mss)
			return 0;
	}
	w = tp->min_rtt / 4 * max(tp->rack_mult, (u8)1);
	return min(w, tp->srtt);
}

bool tcp_rack_detect(struct tcp_sock *tp, u64 now)
{
	u64 window = reordering_window(tp), timeout = 0;
	struct tcp_rec *r, *next;
	bool found = false;

	if (!tp->rack_tx_ns)
		return false;
	list_for_each_entry_safe (r, next, &tp->recs_time, tnode) {
		u64 due;

		if (r->tx_ns > tp->rack_tx_ns || (r->tx_ns == tp->rack_tx_ns && seq_ge(r->end, tp->rack_end)))
			break;
		if ((r->flags & REC_SACKED) || ((r->flags & REC_LOST) && !(r->flags & REC_RETRANS)))
			continue;
		due = r->tx_ns + tp->rack_rtt + window;
		if (due <= now) {
			tcp_mark_lost(tp, r);
			found = true;
		} else {
			timeout = max(timeout, due);
		}
	}
	if (timeout) {
		tp->rtx_kind = RTX_REO;
		tp->rtx_at = timeout;
		tcp_timer_update(tp);
	} else if (tp->rtx_kind == RTX_REO) {
		tp->rtx_kind = RTX_NONE;
		tp->rtx_at = 0;
		tcp_rearm_rtx(tp, now);
	}
	return found;
}

static void save_undo(struct tcp_sock *tp)
{
	tp->undo_ok = true;
	tp->undo_cwnd = tp->cwnd;
	tp->undo_ssthresh = tp->ssthresh;
	tp->retrans_ts = 0;
}

/* Once for what is outstanding now: in proportion, down to the new threshold. */
static void reduce(struct tcp_sock *tp)
{
	tp->recover = tp->snd_nxt;
	tp->prr_flight = max(tp->snd_nxt - tp->snd_una, (u32)tp->mss);
	tp->prr_delivered = tp->prr_out = 0;
	tp->ssthresh = tp->cc->ssthresh(tp);
	tp->ecn_cwr = tp->ecn_ok;
}

void tcp_enter_recovery(struct tcp_sock *tp)
{
	bool congested = tp->ca_state == CA_CWR; /* and the window is on its way down already */

	mib_inc(tcp_net(tp), MIB_EXT_SACK_RECOVERY);
	save_undo(tp);
	tp->undo_ok = !congested;
	if (!congested)
		reduce(tp);
	tp->recover = tp->snd_nxt;
	tp->ca_state = CA_RECOVERY;
	tp->tlp_out = false;
}

void tcp_enter_cwr(struct tcp_sock *tp)
{
	if (tp->ca_state >= CA_CWR)
		return;
	reduce(tp);
	tp->undo_ok = false;
	tp->ca_state = CA_CWR;
}

/* RFC 6937 with the reduction bound of slow start when the path makes progress. */
void tcp_prr(struct tcp_sock *tp, u32 delivered, bool progress)
{
	u32 pipe = tcp_pipe(tp);
	s64 send;

	tp->prr_delivered += delivered;
	if (pipe > tp->ssthresh) {
		send = (s64)(((u64)tp->prr_delivered * tp->ssthresh + tp->prr_flight - 1) / tp->prr_flight) -
		       (s64)tp->prr_out;
	} else {
		s64 limit = max((s64)tp->prr_delivered - (s64)tp->prr_out, (s64)delivered);

		if (progress)
			limit += tp->mss;
		send = min((s64)tp->ssthresh - (s64)pipe, limit);
	}
	if (!tp->prr_out)
		send = max(send, (s64)tp->mss); /* the first repetition goes out in any case */
	tp->cwnd = pipe + (u32)max(send, (s64)0);
}

void tcp_end_recovery(struct tcp_sock *tp)
{
	if (tcp_reduces(tp))
		tp->cwnd = max(min(tp->ssthresh, 0x7fffffffu), 2u * tp->mss);
	tp->ca_state = CA_OPEN;
	tp->epoch = tp->acked = 0;
	tp->undo_ok = false;
	tp->dupacks = 0;
	tp->retrans_ts = 0;
	if (tp->rack_persist && --tp->rack_persist == 0)
		tp->rack_mult = 1;
}

void tcp_undo(struct tcp_sock *tp)
{
	struct tcp_rec *r;

	tp->cwnd = max(tp->cwnd, tp->undo_cwnd);
	tp->ssthresh = max(tp->ssthresh, tp->undo_ssthresh);
	list_for_each_entry (r, &tp->recs, node)
		if (r->flags & REC_LOST) {
			tp->lost -= r->end - r->seq;
			r->flags &= (u8)~REC_LOST;
		}
	tp->ca_state = CA_OPEN;
	tp->epoch = tp->acked = 0;
	tp->undo_ok = tp->ecn_cwr = false;
	tp->frto = FRTO_OFF;
	tp->backoff = 0;
}

/* RFC 5681 4.1: after a silence the window says little about the path. Halve it for every timeout that
 * passed, down to the initial window; the threshold remembers. */
void tcp_restart_idle(struct tcp_sock *tp, u64 now)
{
	u32 least = min(tp->cwnd, (u32)TCP_INIT_CWND * tp->mss);
	u64 idle = now - tp->last_tx, rto = tcp_rto(tp);

	if (tp->ca_state != CA_OPEN || !tp->srtt || idle <= rto ||
	    !tcp_net(tp)->tcp_conf.slow_start_after_idle)
		return;
	tp->ssthresh = max(tp->ssthresh, tp->cwnd / 4 * 3);
	for (; idle > rto && tp->cwnd > least; idle -= rto)
		tp->cwnd /= 2;
	tp->cwnd = max(tp->cwnd, least);
	tp->epoch = 0;
}

void tcp_enter_loss(struct tcp_sock *tp)
{
	struct tcp_rec *r;

	tp->frto = FRTO_ARMED;
	if (tp->ca_state < CA_LOSS || seq_ge(tp->snd_una, tp->recover)) {
		if (tp->ca_state < CA_RECOVERY)
			save_undo(tp);
		tp->ssthresh = tp->cc->ssthresh(tp);
		tp->ecn_cwr = tp->ecn_ok;
	}
	tp->ca_state = CA_LOSS;
	tp->epoch = tp->acked = 0;
	tp->recover = tp->snd_nxt;
	tp->cwnd = tp->mss;
	tp->cwnd_limited = true;
	tp->dupacks = 0;
	tp->tlp_out = false;
	/* The peer took back what it had acknowledged selectively if its first gap is no gap (RFC 2018
	 * section 8). */
	if (!list_empty(&tp->recs) &&
	    (list_first_entry(&tp->recs, struct tcp_rec, node)->flags & REC_SACKED)) {
		list_for_each_entry (r, &tp->recs, node)
			r->flags &= (u8)~REC_SACKED;
		tp->sacked = 0;
	}
	list_for_each_entry (r, &tp->recs, node)
		tcp_mark_lost(tp, r);
}

/* The tail got no answer for two round trips: send something new, or the last segment again (RFC 8985 7.3).
 */
void tcp_send_tlp(struct tcp_sock *tp)
{
	u64 now = clock_monotonic();
	u32 room = tp->snd_una + tp->snd_wnd - tp->snd_nxt, before = tp->snd_nxt;
	struct tcp_rec *last;

	if (list_empty(&tp->recs))
		return;
	mib_inc(tcp_net(tp), MIB_EXT_LOSS_PROBES);
	tp->tlp_retrans = false;
	if (tp->write_seq != tp->snd_nxt && (s32)room > 0) {
		u32 cwnd = tp->cwnd;

		tp->tlp_out = true; /* before tcp_push arms the timer */
		tp->cwnd = tcp_pipe(tp) + tp->mss;
		tcp_push(tp);
		tp->cwnd = cwnd;
	}
	last = list_last_entry(&tp->recs, struct tcp_rec, node);
	if (tp->snd_nxt == before && !(last->flags & REC_SACKED)) {
		if (last->end - last->seq > tp->mss) {
			struct tcp_rec *tail = tcp_rec_split(tp, last, last->end - tp->mss);

			if (tail)
				last = tail;
		}
		tp->tlp_out = true;
		tp->tlp_retrans = true;
		tcp_send_range(tp, last);
	}
	tp->tlp_end = tp->snd_nxt;
	tcp_rearm_rtx(tp, now);
}
