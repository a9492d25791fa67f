/* SPDX-License-Identifier: BSD-2-Clause */
/* See scenario.h. */
#include "scenario.h"

#include <string.h>

#define CHECK(cond)                                               \
	do {                                                      \
		if (unlikely(!(cond)))                            \
			scenario_fail("%s does not hold", #cond); \
	} while (0)

static void check_scoreboard(const struct tcp_sock *tp)
{
	u32 seq = tp->snd_una, sacked = 0, lost = 0, retrans = 0, n = 0, nt = 0;
	u64 at = 0;
	struct tcp_rec *r;

	list_for_each_entry (r, &tp->recs, node) {
		u32 len = r->end - r->seq;

		CHECK(r->seq == seq);
		CHECK(len != 0);
		CHECK(!(r->flags & REC_SACKED) || !(r->flags & (REC_LOST | REC_RETRANS)));
		sacked += r->flags & REC_SACKED ? len : 0;
		lost += r->flags & REC_LOST ? len : 0;
		retrans += r->flags & REC_RETRANS ? len : 0;
		seq = r->end;
		n++;
	}
	list_for_each_entry (r, &tp->recs_time, tnode) {
		CHECK(r->tx_ns >= at);
		at = r->tx_ns;
		nt++;
	}
	CHECK(n == nt);
	if (n)
		CHECK(seq == tp->snd_nxt);
	CHECK(sacked == tp->sacked);
	CHECK(lost == tp->lost);
	CHECK(retrans == tp->retrans);
}

static void check_send_queue(const struct tcp_sock *tp)
{
	u32 bytes = 0, cost = 0;
	struct netbuf *b;

	list_for_each_entry (b, &tp->snd_bufs, node) {
		CHECK(b->start <= b->end && b->end <= b->size);
		bytes += b->end - b->start;
		cost += b->size;
	}
	if (TCP_IN(tp->state, TCPB(ESTABLISHED) | TCPB(CLOSE_WAIT)))
		CHECK(bytes == tp->write_seq - tp->snd_una);
	CHECK(cost == atomic_load(&((struct tcp_sock *)tp)->inet.s.wmem));
}

static void check_receive_queues(struct tcp_sock *tp)
{
	u32 cost = 0, ooo = 0, seq = tp->rcv_nxt - tp->fin_seen, end;
	struct rb_node *n;
	struct packet *p;

	end = seq;
	list_for_each_entry (p, &tp->rx, node)
		end -= p->len;
	CHECK(seq_le(end, tp->copied_seq));
	list_for_each_entry (p, &tp->rx, node) {
		CHECK(tcp_cb(p)->seq == end && tcp_cb(p)->end == end + p->len && p->len);
		end = tcp_cb(p)->end;
		cost += packet_truesize(p);
	}
	end = tp->rcv_nxt;
	for (n = tp->gaps ? rb_first(&tp->gaps->tree) : NULL; n; n = rb_next(n)) {
		struct tcp_cb *c = container_of(n, struct tcp_cb, rb);

		p = (struct packet *)((u8 *)c - offsetof(struct packet, cb));
		CHECK(seq_ge(c->seq, end) && c->end == c->seq + p->len);
		CHECK(c->seq != tp->rcv_nxt || !p->len);
		end = c->end;
		ooo += p->len;
		cost += packet_truesize(p);
	}
	CHECK(ooo == (tp->gaps ? tp->gaps->bytes : 0));
	CHECK(cost == atomic_load(&tcp_socket(tp)->rmem));
}

void monitor_socket(struct tcp_sock *tp)
{
	bool open = TCP_IN(tp->state, TCPB(ESTABLISHED) | TCPB(CLOSE_WAIT) | TCPB(FIN_WAIT1) | TCPB(CLOSING) |
					      TCPB(LAST_ACK));

	if (TCP_IN(tp->state, TCPB(CLOSE) | TCPB(LISTEN)))
		return;
	CHECK(seq_le(tp->snd_una, tp->snd_nxt) && seq_le(tp->snd_nxt, tp->write_seq));
	if (TCP_IN(tp->state, TCPB(SYN_SENT) | TCPB(SYN_RECV))) {
		CHECK(tp->rtx_at && tp->timer_armed);
		return;
	}
	check_scoreboard(tp);
	check_send_queue(tp);
	check_receive_queues(tp);
	/* Never stuck: what is outstanding, or waits to be sent, has a deadline. */
	if (open && (!list_empty(&tp->recs) || tp->write_seq != tp->snd_nxt))
		CHECK(tp->rtx_at && tp->rtx_kind != RTX_NONE && tp->timer_armed);
	if (tp->ack_pending)
		CHECK(tp->ack_at && tp->timer_armed);
	CHECK(tp->cwnd >= tp->mss || tp->ca_state >= CA_CWR);
	CHECK(tp->mss >= TCP_MIN_MSS);
}

static u32 get32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static int window_scale(const u8 *t)
{
	const u8 *p = t + 20, *end = t + (t[12] >> 4) * 4;

	while (p + 2 < end && *p) {
		if (*p == 3)
			return p[2];
		p += *p == 1 ? 1 : p[1];
	}
	return -1;
}

struct segment {
	const u8 *tcp, *data;
	u32 seq, ack, wnd, len;
	u16 from, to;
	u8 flags;
};

static bool parse(const u8 *f, u32 len, struct segment *s)
{
	u32 ip, total;

	if (f[12] == 8 && f[13] == 0) {
		ip = (f[14] & 15) * 4u;
		total = (u32)(f[16] << 8 | f[17]);
		if (f[23] != 6)
			return false;
	} else if (f[12] == 0x86 && f[20] == 6) {
		ip = 40;
		total = 40 + (u32)(f[18] << 8 | f[19]);
	} else {
		return false;
	}
	CHECK(total + 14 <= len);
	s->tcp = f + 14 + ip;
	s->data = s->tcp + (s->tcp[12] >> 4) * 4;
	s->len = total - (u32)(s->data - (f + 14));
	s->from = (u16)(s->tcp[0] << 8 | s->tcp[1]);
	s->to = (u16)(s->tcp[2] << 8 | s->tcp[3]);
	s->seq = get32(s->tcp + 4);
	s->ack = get32(s->tcp + 8);
	s->wnd = (u32)(s->tcp[14] << 8 | s->tcp[15]);
	s->flags = s->tcp[13];
	return true;
}

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

static u32 scaled(const struct monitor *m, unsigned side, const struct segment *s)
{
	if ((s->flags & SYN) || m->side[0].wscale < 0 || m->side[1].wscale < 0)
		return s->wnd;
	return s->wnd << m->side[side].wscale;
}

static void on_send(struct monitor *m, unsigned side, const struct segment *s)
{
	struct monitor_side *me = &m->side[side], *peer = &m->side[1 - side];
	u32 end = s->seq + s->len + !!(s->flags & FIN), edge = s->ack + scaled(m, side, s);

	if (s->flags & RST)
		return;
	if (s->flags & SYN) {
		if (!me->syn || s->seq != me->isn) { /* a connection begins */
			me->syn = true;
			me->port = s->from;
			me->isn = me->sent = s->seq;
			if (s->len && memcmp(s->data, pattern_at(me->pattern), s->len) != 0)
				scenario_fail("the SYN carries wrong bytes");
			if (s->len)
				me->sent = s->seq + 1 + s->len;
			me->edge_valid = false;
			me->wscale = window_scale(s->tcp);
			if (!(s->flags & ACK)) {
				peer->known = 0;
				me->known = 0;
				peer->syn = peer->edge_valid = false;
				me->syn_wnd = s->wnd;
			} else if (!me->known) {
				me->known = s->seq + 1 +
					    peer->syn_wnd; /* what a SYN offers has no ACK to start from */
			}
		}
		return;
	}
	if (!me->syn || !peer->syn || s->from != me->port || s->to != peer->port)
		return; /* the end of an older connection */
	for (u32 done = 0; done < s->len; done += PATTERN_RUN)
		if (memcmp(s->data + done, pattern_at(me->pattern + s->seq - me->isn - 1 + done),
			   min(s->len - done, PATTERN_RUN)) != 0)
			scenario_fail("a segment at byte %u carries wrong bytes", s->seq - me->isn - 1);
	if (s->len && me->known && seq_gt(end, me->known))
		scenario_fail("a segment goes %u bytes beyond the window", end - me->known);
	m->segments += s->len != 0;
	m->repeated += s->len && seq_lt(s->seq, me->sent) && me->sent != me->isn;
	if (seq_gt(end, me->sent))
		me->sent = end;
	if (seq_gt(s->ack, peer->sent + 1))
		scenario_fail("an ACK for what was never sent");
	if (me->edge_valid && seq_lt(s->ack, me->ack))
		scenario_fail("an ACK goes back");
	/* A window that the scale cannot express is cut short by less than its step (RFC 7323 2.4). Who has
	 * no memory for what he offered closes it. */
	if (!s->wnd)
		me->edge_valid = false;
	if (me->edge_valid && seq_lt(edge + (1u << max(me->wscale, 0)) - 1, me->edge))
		scenario_fail("the window shrinks by %u", me->edge - edge);
	me->ack = s->ack;
	if (!me->edge_valid || seq_gt(edge, me->edge))
		me->edge = edge;
	me->edge_valid = true;
}

static void on_delivery(struct monitor *m, unsigned side, const struct segment *s)
{
	struct monitor_side *peer = &m->side[1 - side];
	u32 edge = s->ack + scaled(m, side, s);

	if (!(s->flags & ACK) || (s->flags & RST) || s->from != m->side[side].port || s->to != peer->port)
		return;
	if (!peer->known || seq_gt(edge, peer->known))
		peer->known = edge;
}

static void observe(struct sim_link *l, unsigned side, const u8 *frame, u32 len, bool delivered, void *arg)
{
	struct monitor *m = arg;
	struct segment s;

	if (!parse(frame, len, &s))
		return;
	if (delivered)
		on_delivery(m, side, &s);
	else
		on_send(m, side, &s);
}

void monitor_start(struct monitor *m, struct sim_link *l, u64 pattern0, u64 pattern1)
{
	memset(m, 0, sizeof(*m));
	m->side[0].pattern = pattern0;
	m->side[1].pattern = pattern1;
	l->observe = observe;
	l->observe_arg = m;
}
