/* SPDX-License-Identifier: BSD-2-Clause */
/* Building and sending TCP segments: headers, the offered window, what may be sent now (windows, Nagle,
 * cork), probes. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "net/checksum.h"
#include "net/gso.h"
#include "net/tcp.h"

enum { F_FIN = 1, F_SYN = 2, F_RST = 4, F_PSH = 8, F_ACK = 16, F_URG = 32, F_ECE = 64, F_CWR = 128 };
#define ECT0 2 /* in the IP header: routers may mark instead of drop (RFC 3168 5) */

#define LINEAR_MAX 512 /* payload up to here is copied behind the header: cheaper than a reference */

static DEFINE_COUNTER(tcp_send_no_memory, "segments not sent for want of memory");
static DEFINE_COUNTER(tcp_send_failures, "segments that the IP layer did not take");

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

static void flow_of(struct tcp_sock *tp, struct ip_flow *f)
{
	struct inet_sock *i = &tp->inet;

	*f = (struct ip_flow){.src = i->laddr,
			      .dst = i->faddr,
			      .proto = IPPROTO_TCP,
			      .tos = addr_is_v4(&i->faddr) ? i->tos : i->tclass,
			      .ttl = addr_is_v4(&i->faddr) ? i->ttl : i->hops6,
			      .rt = tp->rt};
	f->df = i->pmtudisc != IP_PMTUDISC_DONT && i->pmtudisc != IP_PMTUDISC_OMIT;
}

static void ack_sent(struct tcp_sock *tp)
{
	tp->ack_pending = tp->ack_now = false;
	tp->ack_at = 0;
	tp->unacked_segs = 0;
	if (tp->quick)
		tp->quick--;
}

static void checksum_header(struct packet *p, struct tcphdr *th, const struct net_addr *src,
			    const struct net_addr *dst)
{
	p->ip_summed = PACKET_CSUM_PARTIAL;
	p->csum_offset = offsetof(struct tcphdr, check);
	th->check = (u16)~csum_fold(csum_pseudo(src, dst, p->len, IPPROTO_TCP));
}

/* Put the header before P's payload and send it. OPTS bytes of options were written to OPT. */
static int send_segment(struct tcp_sock *tp, struct packet *p, u32 seq, u8 flags, const u8 *opt, u32 opts,
			u32 win, u8 ect)
{
	struct tcphdr *th = (struct tcphdr *)packet_push(p, TCP_HDR_LEN + opts);
	struct ip_flow f;
	int err;

	memset(th, 0, TCP_HDR_LEN);
	th->source = be16(tp->inet.lport);
	th->dest = be16(tp->inet.fport);
	th->seq = be32(seq);
	th->ack_seq = flags & F_ACK ? be32(tp->rcv_nxt) : 0;
	th->doff = (u8)((TCP_HDR_LEN + opts) / 4);
	((u8 *)th)[13] = flags;
	if (unlikely(tp->ecn_echo) && !(flags & (F_SYN | F_RST)))
		((u8 *)th)[13] |= F_ECE;
	th->window = be16((u16)min(win, 65535u));
	if (unlikely(seq_gt(tp->snd_up, seq)) && !(flags & (F_SYN | F_RST))) {
		u32 off = tp->snd_up - seq;

		if (off <= 0xffff) {
			th->urg_ptr = be16((u16)off);
			((u8 *)th)[13] |= F_URG;
		}
	}
	memcpy(th + 1, opt, opts);
	err = tcp_route(tp);
	if (err) {
		packet_free(p);
		return err;
	}
	if (tp->rt.dev->features & NETDEV_LOOPBACK)
		p->ip_summed = PACKET_CSUM_VALID;
	else
		checksum_header(p, th, &tp->inet.laddr, &tp->inet.faddr);
	flow_of(tp, &f);
	f.tos |= ect;
	tp->segs_out++;
	mib_inc(tcp_net(tp), MIB_TCP_OUT_SEGS);
	if (flags & F_ACK)
		ack_sent(tp);
	err = ip_output(tcp_net(tp), p, &f);
	if (unlikely(err)) {
		counter_inc(&tcp_send_failures);
		if (err == -EMSGSIZE)
			tcp_sync_mss(tp);
	}
	return err;
}

static struct packet *header_packet(void)
{
	struct packet *p = packet_alloc(PACKET_HEADROOM + TCP_HDR_LEN + TCP_MAX_OPTIONS, 0);

	if (!p)
		counter_inc(&tcp_send_no_memory);
	return p;
}

/* A segment without data. */
static void send_control(struct tcp_sock *tp, u32 seq, u8 flags)
{
	u64 now = clock_monotonic();
	struct packet *p = header_packet();
	u8 opt[TCP_MAX_OPTIONS];
	u32 opts;

	if (!p) {
		if (flags == F_ACK) { /* try again soon */
			tp->ack_pending = true;
			tp->ack_at = now + TCP_DELACK_MAX;
			tcp_timer_update(tp);
		}
		return;
	}
	opts = tcp_write_options(opt, tp, now, TCP_MAX_OPTIONS);
	send_segment(tp, p, seq, flags, opt, opts, flags & F_RST ? 0 : tcp_select_window(tp), 0);
}

void tcp_send_ack(struct tcp_sock *tp)
{
	if (tp->state == TCP_STATE_CLOSE || tp->state == TCP_STATE_SYN_SENT || tp->state == TCP_STATE_LISTEN)
		return;
	send_control(tp, tp->snd_nxt, F_ACK);
}

void tcp_send_reset(struct tcp_sock *tp)
{
	mib_inc(tcp_net(tp), MIB_TCP_OUT_RSTS);
	send_control(tp, tp->snd_nxt, F_RST | F_ACK);
}

/* Zero-window and keepalive probe: one sequence number before what the peer expects makes it answer. */
void tcp_send_probe(struct tcp_sock *tp)
{
	send_control(tp, tp->snd_una - 1, F_ACK);
}

void tcp_reply(struct net_stack *net, const struct tcp_reply *r)
{
	struct ip_flow f = {
		.src = r->src, .dst = r->dst, .proto = IPPROTO_TCP, .tos = r->tos, .oif = r->oif, .df = true};
	struct packet *p;
	struct tcphdr *th;

	if (ip_route_flow(net, &f))
		return;
	p = packet_alloc(PACKET_HEADROOM, TCP_HDR_LEN + r->opts);
	if (!p)
		return;
	th = (struct tcphdr *)packet_put(p, TCP_HDR_LEN + r->opts);
	memset(th, 0, TCP_HDR_LEN);
	th->source = be16(r->sport);
	th->dest = be16(r->dport);
	th->seq = be32(r->seq);
	th->ack_seq = be32(r->ack);
	th->doff = (u8)((TCP_HDR_LEN + r->opts) / 4);
	((u8 *)th)[13] = r->flags;
	th->window = be16((u16)min(r->wnd, 65535u));
	memcpy(th + 1, r->opt, r->opts);
	checksum_header(p, th, &f.src, &f.dst);
	mib_inc(net, MIB_TCP_OUT_SEGS);
	if (r->flags & F_RST)
		mib_inc(net, MIB_TCP_OUT_RSTS);
	ip_output(net, p, &f);
}

/* RFC 9293 3.10.7.1: the answer to a segment for a connection that does not exist. P at its TCP header. */
void tcp_reply_reset(struct net_stack *net, struct packet *p, const struct tcphdr *th)
{
	struct ip_cb *cb = ip_cb(p);
	struct tcp_reply r = {.src = cb->dst,
			      .dst = cb->src,
			      .sport = be16(th->dest),
			      .dport = be16(th->source),
			      .oif = addr_is_link_local(&cb->src) ? cb->iif : 0,
			      .flags = F_RST};

	if (th->rst || addr_is_multicast(&cb->dst) || !net_addr_is_local(net, &cb->dst, NULL))
		return;
	if (th->ack) {
		r.seq = be32(th->ack_seq);
	} else {
		r.flags |= F_ACK;
		r.ack = be32(th->seq) + th->syn + th->fin + (p->len - th->doff * 4u);
	}
	tcp_reply(net, &r);
}

/* Find the buffer and offset where SEQ lies. */
static struct netbuf *locate(struct tcp_sock *tp, u32 seq, u32 *off)
{
	u32 skip = seq - tp->snd_una;
	struct netbuf *b;

	list_for_each_entry (b, &tp->snd_bufs, node) {
		u32 n = b->end - b->start;

		if (skip < n) {
			*off = b->start + skip;
			return b;
		}
		skip -= n;
	}
	return NULL;
}

/* Add up to N bytes from buffer B at OFF to P; returns how many went in, and leaves B and OFF behind them. */
static u32 add_payload(struct tcp_sock *tp, struct packet *p, struct netbuf **bp, u32 *off, u32 n)
{
	bool copy = n <= LINEAR_MAX && p->end - p->tail >= (long)n;
	struct netbuf *b = *bp;
	u32 done = 0;

	while (done < n) {
		u32 part;

		if (*off == b->end) {
			if (b->node.next == &tp->snd_bufs)
				break;
			b = list_next_entry(b, node);
			*off = b->start;
			continue;
		}
		part = min(n - done, b->end - *off);
		if (copy)
			memcpy(packet_put(p, part), b->data + *off, part);
		else if (!packet_add_netbuf(p, b, *off, part))
			break;
		*off += part;
		done += part;
	}
	*bp = b;
	return done;
}

void tcp_snd_free(struct tcp_sock *tp, u32 n)
{
	struct socket *s = tcp_socket(tp);

	while (n && !list_empty(&tp->snd_bufs)) {
		struct netbuf *b = list_first_entry(&tp->snd_bufs, struct netbuf, node);
		u32 part = min(n, b->end - b->start);

		b->start += part;
		n -= part;
		if (b->start < b->end)
			break;
		list_del(&b->node);
		if (tp->snd_at == b)
			tp->snd_at = NULL;
		atomic_fetch_sub_explicit(&s->wmem, b->size, memory_order_relaxed);
		net_mem_uncharge(s->net, b->size);
		netbuf_put(b);
	}
}

/* Bytes of options that a segment with LEN bytes of payload has room for: full ones have none for SACK
 * blocks. */
static u32 option_room(const struct tcp_sock *tp, u32 len)
{
	u32 base = tp->ts_ok ? 12 : 0;

	return len >= tp->mss ? base : min(base + ALIGN_DOWN(tp->mss - len, 4u), (u32)TCP_MAX_OPTIONS);
}

static struct packet *data_packet(u32 len)
{
	struct packet *p =
		packet_alloc(PACKET_HEADROOM + TCP_HDR_LEN + TCP_MAX_OPTIONS, len <= LINEAR_MAX ? len : 0);

	if (!p)
		counter_inc(&tcp_send_no_memory);
	return p;
}

void tcp_send_syn(struct tcp_sock *tp, bool ack)
{
	u64 now = clock_monotonic();
	const struct tcp_tunables *conf = &tcp_net(tp)->tcp_conf;
	struct tcp_syn_options o = {.mss = tp->advmss,
				    .sack = ack ? tp->sack_ok : conf->sack,
				    .ts = ack ? tp->ts_ok : conf->timestamps,
				    .wscale_ok = ack ? tp->wscale_ok : conf->window_scaling,
				    .wscale = tp->rcv_wscale,
				    .ts_val = tcp_ts(tp, now),
				    .ts_ecr = ack ? tp->ts_recent : 0};
	u32 opts, win = min(tp->rcv_wnd, 65535u), data = 0;
	u8 opt[TCP_MAX_OPTIONS], flags = F_SYN;
	struct packet *p;

	if (!ack)
		data = tcp_fastopen_offer(tp, &o);
	else if (tp->listener && tp->fo_ask)
		tcp_fastopen_cookie(tp, &o);
	p = data_packet(data);
	if (!p)
		return;
	if (data) {
		struct netbuf *b = list_first_entry(&tp->snd_bufs, struct netbuf, node);
		u32 off = b->start;

		tp->fo_data = (u16)add_payload(tp, p, &b, &off, data);
	}
	opts = tcp_write_syn_options(opt, &o);
	tp->last_tx = now;
	tp->rcv_wup = tp->rcv_nxt;
	if (ack)
		flags |= F_ACK | (tp->ecn_ok ? F_ECE : 0);
	else if (conf->ecn == 1 && !tp->retries) /* a repeated one does without: perhaps somebody minds */
		flags |= F_ECE | F_CWR;
	send_segment(tp, p, tp->iss, flags, opt, opts, win, 0);
}

static void set_gso(struct tcp_sock *tp, struct packet *p, u32 len)
{
	if (len > tp->mss && !(tp->rt.dev->features & NETDEV_LOOPBACK)) {
		p->gso_size = tp->mss;
		p->gso_type = addr_is_v4(&tp->inet.faddr) ? GSO_TCP4 : GSO_TCP6;
	}
}

/* Small segments behind others that were sent at about the same time share a record: it costs more than one
 * byte does. */
static __noinline struct tcp_rec *record_shared(struct tcp_sock *tp, u32 end, u64 now)
{
	struct tcp_rec *r = list_last_entry(&tp->recs, struct tcp_rec, node);

	if (r->flags || end - r->seq > tp->mss || now >> 20 != r->tx_ns >> 20)
		return NULL;
	r->end = end;
	r->tx_ns = now;
	list_move_tail(&r->tnode, &tp->recs_time);
	return r;
}

static struct tcp_rec *record(struct tcp_sock *tp, u32 seq, u32 end, u64 now)
{
	struct tcp_rec *r;

	/* The first stays alone: whether one packet is under way or more decides when a tail is probed. */
	if (tp->recs.next != tp->recs.prev && (r = record_shared(tp, end, now)))
		return r;
	r = net_alloc(sizeof(*r));
	if (!r)
		return NULL;
	*r = (struct tcp_rec){.seq = seq, .end = end, .tx_ns = now};
	list_add_tail(&r->node, &tp->recs);
	list_add_tail(&r->tnode, &tp->recs_time);
	return r;
}

/* Send LEN new bytes at snd_nxt, with FIN if FIN. 0, -ENOMEM (nothing changed); a packet that IP refuses
 * counts as lost. */
static int send_new(struct tcp_sock *tp, u32 len, bool fin, u64 now)
{
	struct packet *p = data_packet(len);
	struct netbuf *b = tp->snd_at;
	u32 off = tp->snd_at_off, sent = 0, opts, seq = tp->snd_nxt;
	u8 opt[TCP_MAX_OPTIONS], flags = F_ACK;
	struct tcp_rec *r;

	if (!p)
		return -ENOMEM;
	if (len) {
		if (!b) {
			b = list_first_entry(&tp->snd_bufs, struct netbuf, node);
			off = b->start;
		}
		sent = add_payload(tp, p, &b, &off, len);
		if (sent < len)
			fin = false;
	}
	r = record(tp, seq, seq + sent + fin, now);
	if (!r) {
		packet_free(p);
		return -ENOMEM;
	}
	if (fin) {
		flags |= F_FIN;
		r->flags |= REC_FIN;
	}
	if (sent) {
		tp->snd_at = b;
		tp->snd_at_off = off;
		if (seq + sent == tp->write_seq - tp->fin_queued || seq_ge(tp->pushed_seq, seq + 1))
			flags |= F_PSH;
		tp->data_segs_out++;
		tp->bytes_sent += sent;
		if (sent < tp->mss)
			tp->snd_sml = seq + sent;
		set_gso(tp, p, sent);
		if (unlikely(tp->ecn_cwr)) {
			flags |= F_CWR;
			tp->ecn_cwr = false;
		}
	}
	tp->snd_nxt = r->end;
	if (unlikely(tcp_reduces(tp)))
		tp->prr_out += sent + fin;
	/* Data that answers what came lately: a conversation, whose ACKs may wait for the data. */
	if (sent && now - tp->last_rx < TCP_DELACK_MIN)
		tp->pingpong = true;
	tp->last_tx = now;
	opts = tcp_write_options(opt, tp, now, option_room(tp, sent));
	send_segment(tp, p, seq, flags, opt, opts, tcp_select_window(tp), sent && tp->ecn_ok ? ECT0 : 0);
	return 0;
}

/* Send record R's bytes again (PROBE: as a tail loss probe). */
int tcp_send_range(struct tcp_sock *tp, struct tcp_rec *r, bool probe)
{
	u64 now = clock_monotonic();
	bool fin = r->flags & REC_FIN;
	u32 len = r->end - r->seq - fin, off, sent = 0, opts;
	struct packet *p = data_packet(len);
	u8 opt[TCP_MAX_OPTIONS], flags = F_ACK;
	struct netbuf *b;
	int err;

	if (!p)
		return -ENOMEM;
	if (len) {
		b = locate(tp, r->seq, &off);
		if (b)
			sent = add_payload(tp, p, &b, &off, len);
		if (sent <
		    len) { /* more fragments than a packet holds: send the front, keep the rest for later */
			if (!sent || !tcp_rec_split(tp, r, r->seq + sent)) {
				packet_free(p);
				return -ENOMEM;
			}
			fin = false;
		}
		set_gso(tp, p, sent);
	}
	if (fin)
		flags |= F_FIN;
	if (r->end == tp->write_seq || fin)
		flags |= F_PSH;
	if (r->flags & REC_RETRANS)
		tp->retrans -= r->end - r->seq;
	r->flags |= REC_RETRANS | REC_EVER_RETRANS;
	tp->retrans += r->end - r->seq;
	r->tx_ns = now;
	list_move_tail(&r->tnode, &tp->recs_time);
	if (tcp_reduces(tp))
		tp->prr_out += r->end - r->seq;
	tp->total_retrans++;
	tp->bytes_retrans += sent;
	if (!tp->retrans_start)
		tp->retrans_start = tcp_stamp(now);
	if (!tp->retrans_ts)
		tp->retrans_ts = tcp_ts(tp, now) | !tcp_ts(tp, now);
	mib_inc(tcp_net(tp), MIB_TCP_RETRANS_SEGS);
	tp->last_tx = now;
	opts = tcp_write_options(opt, tp, now, option_room(tp, sent));
	err = send_segment(tp, p, r->seq, flags, opt, opts, tcp_select_window(tp), 0);
	return err == -EMSGSIZE ? err : 0;
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
		if (tcp_send_range(tp, r, false))
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
		if (send_new(tp, len, fin, now))
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
