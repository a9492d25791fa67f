/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP segments: header, options and payload are put together and handed to IP; what carries sequence numbers
 * is recorded until it is acknowledged. When to send, and how much, tcp_output.c knows. */
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
	else if (tp->fo_ask)
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

int tcp_send_new(struct tcp_sock *tp, u32 len, bool fin, u64 now)
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

int tcp_send_range(struct tcp_sock *tp, struct tcp_rec *r)
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
		/* More fragments than a packet holds: send the front, keep the rest for later. */
		if (sent < len) {
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
