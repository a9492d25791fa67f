/* SPDX-License-Identifier: BSD-2-Clause */
/* What TCP may send now: route and segment size, the offered window, the network's and the peer's room,
 * Nagle, cork, probes. The segments are tcp_segment.c's. */
#include "base/err.h"
#include "kernel/clock.h"
#include "net/tcp.h"

int tcp_route(struct tcp_sock *tp)
{
	struct net_stack *net = tcp_net(tp);
	struct ip_flow f;
	int err;

	if (tp->rt_valid && tp->rt.gen == atomic_load_explicit(&net->route_gen, memory_order_relaxed))
		return 0;
	err = inet_flow(&tp->inet, &tp->inet.faddr, IPPROTO_TCP, NULL, &f);
	if (err)
		return err;
	tp->rt = f.rt;
	tp->rt_valid = true;
	return 0;
}

static u32 header_len(const struct tcp_sock *tp)
{
	return (addr_is_v4(&tp->inet.faddr) ? 20u : 40u) + TCP_HDR_LEN;
}

/* The payload of a full segment: the path's MTU, the peer's limit, the user's. */
void tcp_sync_mss(struct tcp_sock *tp)
{
	u32 mtu = tp->rt_valid ? tp->rt.mtu : 576, mss;

	if (tp->rt_valid && tp->rt.type == RTN_UNICAST)
		mtu = pmtu_get(tcp_net(tp), &tp->inet.faddr, mtu);
	tp->pmtu = mtu;
	mss = min(mtu, 65535u) - header_len(tp);
	mss = min(mss, tp->peer_mss ? (u32)tp->peer_mss : (u32)TCP_DEFAULT_MSS);
	if (tp->user_mss)
		mss = min(mss, (u32)tp->user_mss);
	if (unlikely(tp->hole_mss))
		mss = min(mss, (u32)tp->hole_mss);
	/* A segment takes at most half of the peer's window: one can be under way while another is read. */
	if (tp->max_wnd)
		mss = min(mss, tp->max_wnd > TCP_DEFAULT_MSS ? tp->max_wnd / 2 : tp->max_wnd);
	if (tp->ts_ok)
		mss -= min(mss, 12u);
	tp->mss = (u16)max(mss, (u32)TCP_MIN_MSS);
	tp->cwnd = max(tp->cwnd, (u32)tp->mss); /* never less than one segment */
}

#define HOLE_LIFETIME 600 /* s, as what ICMP says (RFC 1191 6.3) */

/* Timeouts in a row: offer the path a small segment. If it gets through where full ones go on to fail, no
 * router tells us that they are too long: stay small for a while. An outage does not look like that: after it
 * full segments pass again. */
void tcp_suspect_hole(struct tcp_sock *tp, u64 now)
{
	u32 small = addr_is_v4(&tp->inet.faddr) ? TCP_DEFAULT_MSS : 1220;
	struct tcp_rec *first = list_first_entry(&tp->recs, struct tcp_rec, node);

	if (tp->mss <= small || tp->inet.pmtudisc == IP_PMTUDISC_DONT ||
	    tp->inet.pmtudisc == IP_PMTUDISC_OMIT)
		return;
	if (tp->hole) {
		tp->hole = 0;
		tp->hole_mss = (u16)small;
		tp->hole_until_s = tcp_seconds(now) + HOLE_LIFETIME;
		tcp_sync_mss(tp);
		return;
	}
	small -= tp->ts_ok ? 12 : 0;
	if (first->end - first->seq > small && tcp_rec_split(tp, first, first->seq + small)) {
		tp->hole_probing = true;
		tp->hole_probe = first->end;
	}
}

/* The MSS to tell the peer: what our link takes. */
u16 tcp_adv_mss(const struct tcp_sock *tp)
{
	u32 mss = min((u32)tp->rt.mtu, 65535u) - header_len(tp);

	return (u16)(tp->user_mss ? min(mss, (u32)tp->user_mss) : mss);
}

/* Bytes of receive buffer that are free, as payload: half of the memory is for bookkeeping. */
u32 tcp_space(const struct tcp_sock *tp)
{
	u32 used = atomic_load_explicit(&tcp_socket((struct tcp_sock *)tp)->rmem, memory_order_relaxed);
	u32 buf = tcp_rcv_limit(tp);

	return used >= buf ? 0 : (buf - used) / 2;
}

/* The window to offer (RFC 9293 3.8.6.2.2: no silly windows, never shrunk), remembered in rcv_wup and
 * rcv_wnd. Returns the header field's value. What the scale cannot express is rounded up only where there is
 * room, else down (RFC 7323 2.4): rounded up each time, a full buffer's window would stay open for ever. */
u32 tcp_select_window(struct tcp_sock *tp)
{
	u32 now = tcp_receive_window(tp), space = tcp_space(tp), full = tcp_rcv_limit(tp) / 2;
	u32 win = min(space, tp->rcv_ssthresh), limit = tp->wscale_ok ? 65535u << tp->rcv_wscale : 65535u;
	u32 step = min((u32)tp->rcv_mss, full / 2);

	if (tp->inet.s.shutdown & RCV_SHUTDOWN)
		win = max(win, now);
	win = min(win, limit);
	if (win < step)
		win = 0;
	if (tp->wscale_ok && tp->rcv_wscale) {
		win = ALIGN_UP(win, 1u << tp->rcv_wscale);
		if (win > space && win >> tp->rcv_wscale)
			win = ALIGN_DOWN(space, 1u << tp->rcv_wscale);
		win = min(win, limit);
	}
	if (win < now) {
		win = tp->wscale_ok ? ALIGN_UP(now, 1u << tp->rcv_wscale) : now;
		if (win > space)
			win = now;
	}
	tp->rcv_wup = tp->rcv_nxt;
	tp->rcv_wnd = win;
	return tp->wscale_ok ? win >> tp->rcv_wscale : win;
}

/* RFC 6675: bytes that are thought to be in the network. */
u32 tcp_pipe(const struct tcp_sock *tp)
{
	s32 n = (s32)(tp->snd_nxt - tp->snd_una - tp->sacked - tp->lost + tp->retrans);

	if (!tp->sack_ok)
		n -= tp->dupacks * tp->mss;
	return n > 0 ? (u32)n : 0;
}

static u32 cwnd_room(const struct tcp_sock *tp)
{
	u32 pipe = tcp_pipe(tp);

	return tp->cwnd > pipe ? tp->cwnd - pipe : 0;
}

void tcp_retransmit_lost(struct tcp_sock *tp)
{
	struct tcp_rec *r, *next;

	if (!tp->lost)
		return;
	list_for_each_entry_safe (r, next, &tp->recs, node) {
		if (!(r->flags & REC_LOST) || (r->flags & REC_RETRANS))
			continue;
		/* The peer took back a part of its window: only the first segment goes, to ask. */
		if (unlikely(seq_ge(r->seq, tp->snd_una + tp->snd_wnd) && r->seq != tp->snd_una))
			return;
		if (cwnd_room(tp) < min((u32)tp->mss, r->end - r->seq)) {
			tp->cwnd_limited = true;
			return;
		}
		if (r->end - r->seq >
		    tp->mss) { /* one segment at a time keeps the sending in step with what is delivered */
			if (!tcp_rec_split(tp, r, r->seq + tp->mss))
				return;
			next = list_next_entry(r, node);
		}
		if (tcp_send_range(tp, r))
			return;
	}
}

/* The largest packet to hand down: with segmentation offload many segments, at most half of the congestion
 * window's room. */
static u32 burst_limit(struct tcp_sock *tp)
{
	u32 want = addr_is_v4(&tp->inet.faddr) ? NETDEV_TSO4 : NETDEV_TSO6, n;

	if (!(tp->rt.dev->features & want) || tp->rt.dev->features & NETDEV_LOOPBACK ||
	    tp->ecn_cwr) /* a mark of one segment */
		return tp->mss;
	n = min(65535u - 120u, max(tp->cwnd / 2, (u32)tp->mss));
	return max(n - n % tp->mss, (u32)tp->mss);
}

/* Minshall's variant of Nagle: hold a small segment only while an earlier small one is not acknowledged. On
 * the loopback there is no network to spare, and waiting there has made request and response crawl: no Nagle.
 */
static bool hold_small(struct tcp_sock *tp)
{
	if (tp->fin_queued || tp->snd_up == tp->write_seq)
		return false;
	if (tp->cork || tp->more)
		return true;
	if (tp->nodelay || tp->rt.dev->features & NETDEV_LOOPBACK)
		return false;
	return seq_gt(tp->snd_sml, tp->snd_una) && seq_le(tp->snd_sml, tp->snd_nxt);
}

static bool may_send(const struct tcp_sock *tp)
{
	return tcp_may_write(tp) || TCP_IN(tp->state, TCPB(FIN_WAIT1) | TCPB(CLOSING) | TCPB(LAST_ACK));
}

#define CORK_TIMEOUT (200 * NSEC_PER_MSEC)

static void stalled(struct tcp_sock *tp, u64 now, bool corked)
{
	/* Nothing in flight will wake us: the window must be probed, or the cork times out. */
	if (!list_empty(&tp->recs) || tp->rtx_at)
		return;
	tp->rtx_kind = RTX_PERSIST;
	tp->rtx_at = now + (corked ? CORK_TIMEOUT : tcp_rto(tp) << min(tp->backoff, (u8)8));
	if (tp->rtx_at > now + TCP_RTO_MAX)
		tp->rtx_at = now + TCP_RTO_MAX;
	tcp_timer_update(tp);
}

void tcp_push(struct tcp_sock *tp)
{
	u64 now = clock_monotonic();
	bool sent = false, corked = false;

	if (!may_send(tp))
		return;
	if (tcp_route(tp)) {
		stalled(tp, now, false);
		return;
	}
	if (unlikely(tp->hole_mss && tcp_seconds(now) > tp->hole_until_s)) {
		tp->hole_mss = 0;
		tcp_sync_mss(tp);
	}
	if (unlikely(pmtu_get(tcp_net(tp), &tp->inet.faddr, tp->rt.mtu) != tp->pmtu))
		tcp_sync_mss(tp);
	if (list_empty(&tp->recs))
		tcp_restart_idle(tp, now);
	if (unlikely(tp->lost && tp->frto != FRTO_NEW_DATA))
		tcp_retransmit_lost(tp);
	for (;;) {
		u32 fin = tp->fin_queued && tp->snd_nxt != tp->write_seq;
		u32 unsent = tp->write_seq - fin - tp->snd_nxt;
		u32 room = (u32)max((s32)(tp->snd_una + tp->snd_wnd - tp->snd_nxt), 0);
		u32 cwnd = cwnd_room(tp), len, limit;

		if ((s32)unsent < 0)
			unsent = 0;
		if (!unsent && !fin)
			break;
		if (unsent && !cwnd) {
			tp->cwnd_limited = true;
			break;
		}
		limit = burst_limit(tp);
		len = min(unsent, min(room, limit));
		if (len > cwnd) {
			tp->cwnd_limited = true;
			len = cwnd > tp->mss ? cwnd - cwnd % tp->mss : cwnd;
			if (len < tp->mss && len < unsent && !list_empty(&tp->recs))
				break; /* wait for room for a whole segment */
		}
		if (len > tp->mss && len < unsent)
			len -= len % tp->mss;
		if (unsent && len < tp->mss && len == unsent && hold_small(tp)) {
			corked = tp->cork || tp->more;
			break;
		}
		/* RFC 9293 3.8.6.2.1: no small segment just because the window is small. */
		if (len < tp->mss && len < unsent && room < unsent && !list_empty(&tp->recs) &&
		    len < tp->max_wnd / 2)
			break;
		if (len < unsent || room <= len)
			fin = 0;
		if (!len && !fin)
			break; /* the window is closed */
		if (tcp_send_new(tp, len, fin, now))
			break;
		sent = true;
	}
	if (unlikely(tp->frto == FRTO_NEW_DATA && tp->snd_nxt == tp->recover)) {
		tp->frto = FRTO_OFF; /* nothing new may go: back to repeating */
		tcp_retransmit_lost(tp);
	}
	if (!list_empty(&tp->recs)) {
		if (sent || !tp->rtx_at || tp->rtx_kind == RTX_PERSIST)
			tcp_rearm_rtx(tp, now);
	} else if (tp->snd_nxt != tp->write_seq) {
		stalled(tp, now, corked);
	}
}
