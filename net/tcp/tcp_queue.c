/* SPDX-License-Identifier: BSD-2-Clause */
/* Received data: the in-order queue, the out-of-order tree, SACK blocks to report, urgent data,
 * receive-buffer tuning.
 *
 * Invariants: the in-order queue holds [copied_seq - consumed front, rcv_nxt) without gaps or overlap; the
 * tree holds stretches above rcv_nxt that do not overlap each other, by sequence; rmem is the sum of both
 * queues' truesize. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "net/tcp.h"

static DEFINE_COUNTER(tcp_receive_pruned, "received segments dropped because the receive buffer was full");

static void charge(struct tcp_sock *tp, struct packet *p)
{
	u32 n = packet_truesize(p);

	atomic_fetch_add_explicit(&tcp_socket(tp)->rmem, n, memory_order_relaxed);
	net_mem_charge(tcp_net(tp), n, true);
}

static void uncharge(struct tcp_sock *tp, struct packet *p)
{
	u32 n = packet_truesize(p);

	atomic_fetch_sub_explicit(&tcp_socket(tp)->rmem, n, memory_order_relaxed);
	net_mem_uncharge(tcp_net(tp), n);
}

static struct packet *ooo_packet(struct rb_node *n)
{
	return (struct packet *)((u8 *)container_of(n, struct tcp_cb, rb) - offsetof(struct packet, cb));
}

/* RFC 2018 section 4: the block with the newest segment first; older ones follow. */
static void remember_sack(struct tcp_gaps *g, u32 start, u32 end)
{
	struct tcp_sack keep[4];
	u8 n = 0;

	if (start == end) /* a bare FIN */
		return;
	keep[n++] = (struct tcp_sack){start, end};
	for (u8 i = 0; i < g->nrecent && n < 4; i++) {
		struct tcp_sack *s = &g->recent[i];

		if (seq_le(s->start, end) && seq_le(start, s->end)) { /* they touch: one block */
			if (seq_lt(s->start, keep[0].start))
				keep[0].start = s->start;
			if (seq_gt(s->end, keep[0].end))
				keep[0].end = s->end;
		} else {
			keep[n++] = *s;
		}
	}
	memcpy(g->recent, keep, sizeof(keep));
	g->nrecent = n;
}

static void forget_sacks(struct tcp_gaps *g, u32 rcv_nxt)
{
	u8 n = 0;

	for (u8 i = 0; g->tree.node && i < g->nrecent; i++)
		if (seq_gt(g->recent[i].start, rcv_nxt))
			g->recent[n++] = g->recent[i];
	g->nrecent = n;
}

static __noinline struct tcp_gaps *make_gaps(struct tcp_sock *tp)
{
	if (!tp->gaps)
		tp->gaps = net_zalloc(sizeof(*tp->gaps));
	return tp->gaps;
}

void tcp_note_duplicate(struct tcp_sock *tp, u32 start, u32 end)
{
	if (tp->sack_ok && make_gaps(tp)) {
		tp->gaps->dsack = (struct tcp_sack){start, end};
		tp->dsack_due = true;
	}
}

static void report_duplicate(struct tcp_sock *tp, u32 start, u32 end)
{
	tcp_note_duplicate(tp, start, end);
	tp->ack_pending = tp->ack_now = true;
}

#define GATHER_SIZE                                                                             \
	(PAGE_SIZE - sizeof(struct packet)) /* bytes of payload of a packet that gathers others \
					     */

/* LAST of the in-order queue, with room for NEED bytes more: itself, or a larger packet in its place, for
 * which the memory must be getting short. NULL: neither. */
static struct packet *with_room(struct tcp_sock *tp, struct packet *last, u32 need)
{
	struct socket *s = tcp_socket(tp);
	struct packet *p;

	if (!last->nfrags && !last->free && (size_t)(last->end - last->tail) >= need)
		return last;
	if (last->len + need > GATHER_SIZE / 2 || atomic_load(&s->rmem) < s->rcvbuf / 4)
		return NULL;
	p = packet_alloc(0, GATHER_SIZE);
	if (!p)
		return NULL;
	packet_copy_bits(last, 0, packet_put(p, last->len), last->len);
	*tcp_cb(p) = *tcp_cb(last);
	list_add(&p->node, &last->node);
	list_del(&last->node);
	uncharge(tp, last);
	charge(tp, p);
	packet_free(last);
	return p;
}

/* Small packets cost far more memory than they carry: move their bytes behind the last one's. */
static bool coalesce(struct tcp_sock *tp, struct packet *p)
{
	struct packet *last;

	if (list_empty(&tp->rx) || p->len > 1024)
		return false;
	last = with_room(tp, list_last_entry(&tp->rx, struct packet, node), p->len);
	if (!last)
		return false;
	packet_copy_bits(p, 0, packet_put(last, p->len), p->len);
	tcp_cb(last)->end += p->len;
	return true;
}

/* P's bytes continue the in-order queue. Takes P over. */
static void append(struct tcp_sock *tp, struct packet *p)
{
	u32 len = p->len;

	tp->rcv_nxt += len;
	tp->bytes_received += len;
	if (coalesce(tp, p)) {
		packet_free(p);
		return;
	}
	tcp_cb(p)->end = tcp_cb(p)->seq + len;
	charge(tp, p);
	list_add_tail(&p->node, &tp->rx);
}

/* P leaves the tree. */
static __noinline void take_out(struct tcp_sock *tp, struct packet *p)
{
	rb_erase(&tp->gaps->tree, &tcp_cb(p)->rb, NULL);
	tp->gaps->bytes -= p->len;
	uncharge(tp, p);
}

/* What the arrival of in-order data makes contiguous moves over from the tree. */
static void drain_ooo(struct tcp_sock *tp, bool *fin)
{
	struct tcp_gaps *g = tp->gaps;
	struct rb_node *n;

	while ((n = rb_first(&g->tree))) {
		struct packet *p = ooo_packet(n);
		u32 seq = tcp_cb(p)->seq, end = tcp_cb(p)->end;

		if (seq_gt(seq, tp->rcv_nxt))
			break;
		take_out(tp, p);
		if (seq_le(end, tp->rcv_nxt) && !tcp_cb(p)->fin) {
			packet_free(p);
			continue;
		}
		if (seq_lt(seq, tp->rcv_nxt))
			packet_advance(p, min(tp->rcv_nxt - seq, p->len));
		if (tcp_cb(p)->fin)
			*fin = true;
		if (p->len) {
			tcp_cb(p)->seq = tp->rcv_nxt;
			append(tp, p);
		} else {
			packet_free(p);
		}
	}
	forget_sacks(g, tp->rcv_nxt);
}

/* Put P into the tree; overlaps are cut off. Takes P over. */
static void insert_ooo(struct tcp_sock *tp, struct packet *p, u32 seq, bool fin)
{
	u32 end = seq + p->len;
	struct tcp_gaps *g = make_gaps(tp);
	struct rb_node **link, *parent = NULL, *n;

	if (!g) {
		packet_free(p); /* as if it had been lost */
		return;
	}
	link = &g->tree.node;
	mib_inc(tcp_net(tp), MIB_EXT_OFO_QUEUE);
	tp->ooo_packets++;
	while (*link) {
		struct tcp_cb *c = tcp_cb(ooo_packet(*link));

		parent = *link;
		if (seq_lt(seq, c->seq)) {
			link = &parent->left;
		} else if (seq_ge(seq, c->end) && !(seq == c->seq)) {
			link = &parent->right;
		} else { /* starts within C */
			if (seq_le(end, c->end)) {
				c->fin |= fin;
				report_duplicate(tp, seq, end);
				packet_free(p);
				return;
			}
			report_duplicate(tp, seq, c->end);
			packet_advance(p, c->end - seq);
			seq = c->end;
			link = &parent->right;
		}
	}
	*tcp_cb(p) = (struct tcp_cb){.seq = seq, .end = end, .fin = fin};
	charge(tp, p);
	g->bytes += p->len;
	rb_insert(&g->tree, &tcp_cb(p)->rb, parent, link, NULL);
	/* Cut what follows. */
	while ((n = rb_next(&tcp_cb(p)->rb))) {
		struct packet *q = ooo_packet(n);
		struct tcp_cb *c = tcp_cb(q);

		if (seq_le(end, c->seq))
			break;
		if (seq_lt(end, c->end)) { /* keep Q whole, cut P's end */
			u32 cut = end - c->seq;

			uncharge(tp, p);
			packet_trim(p, p->len - cut);
			charge(tp, p);
			g->bytes -= cut;
			tcp_cb(p)->end = c->seq;
			break;
		}
		tcp_cb(p)->fin |= c->fin;
		take_out(tp, q);
		packet_free(q);
	}
	remember_sack(g, seq, end);
}

/* The buffer is full: give up the out-of-order data farthest away (RFC 2018 allows). True when there is room
 * now. */
static bool prune(struct tcp_sock *tp, u32 need, u32 limit)
{
	struct socket *s = tcp_socket(tp);

	while (atomic_load(&s->rmem) + need > limit) {
		struct rb_node *n = tp->gaps ? rb_last(&tp->gaps->tree) : NULL;
		struct packet *p;

		if (!n)
			return false;
		p = ooo_packet(n);
		take_out(tp, p);
		packet_free(p);
		mib_inc(tcp_net(tp), MIB_EXT_RCV_PRUNED);
		tp->gaps->nrecent = 0;
	}
	return true;
}

static bool room_for(struct tcp_sock *tp, struct packet *p, bool in_order)
{
	struct socket *s = tcp_socket(tp);
	u32 need = packet_truesize(p), used = atomic_load(&s->rmem), limit = tcp_rcv_limit(tp);

	if (used + need <= limit)
		return true;
	if (!in_order)
		return false;
	if (prune(tp, need, limit) || list_empty(&tp->rx)) /* one packet at least: no reader waits for ever */
		return true;
	/* In-order data within the offered window is taken even if small packets used up the memory: up to
	 * twice over, as long as all sockets together do not use too much. */
	return atomic_load(&s->net->mem_used) + need <= s->net->mem_limit && used <= s->rcvbuf * 2ull;
}

/* Estimate the peer's segment size, for acknowledging every second full segment. */
static void measure_mss(struct tcp_sock *tp, u32 len)
{
	len = min(len, 65535u);
	if (len >= tp->rcv_mss)
		tp->rcv_mss = (u16)min(len, (u32)tp->advmss);
}

static void note_arrival(struct tcp_sock *tp, u32 len, u64 now)
{
	tp->ack_pending = true;
	if (tp->unacked_segs < 200)
		tp->unacked_segs++;
	if (len > 2u * tp->rcv_mss) /* merged on the way: more than one segment */
		tp->unacked_segs = 200;
	tp->data_segs_in++;
	measure_mss(tp, len);
	/* Receive-side round trip: how long a window takes to pass (for buffer tuning). */
	if (!tp->rcv_rtt_time || seq_ge(tp->rcv_nxt, tp->rcv_rtt_seq)) {
		if (tp->rcv_rtt_time) {
			u32 m = tcp_us(now) - tp->rcv_rtt_time;

			tp->rcv_rtt =
				tp->rcv_rtt ? min(tp->rcv_rtt - tp->rcv_rtt / 8 + m / 8, max(m, tp->rcv_rtt))
					    : m;
		}
		tp->rcv_rtt_seq = tp->rcv_nxt + tp->rcv_wnd;
		tp->rcv_rtt_time = tcp_us(now);
	}
}

/* P's data is payload that starts at SEQ. Takes P over. */
void tcp_data_queue(struct tcp_sock *tp, struct packet *p, u32 seq, bool fin)
{
	struct socket *s = tcp_socket(tp);
	u32 win_end = tp->rcv_nxt + tcp_receive_window(tp), end = seq + p->len;
	u64 now = clock_monotonic();

	if (seq_gt(end, win_end) && win_end != tp->rcv_nxt) { /* cut what lies beyond the window */
		packet_trim(p, win_end - seq);
		end = seq + p->len;
		fin = false;
	}
	if (seq_lt(seq, tp->rcv_nxt)) { /* cut what we have */
		u32 old = min(tp->rcv_nxt - seq, p->len);

		if (old)
			report_duplicate(tp, seq, seq + old);
		packet_advance(p, old);
		seq += old;
	}
	if (p->len == 0 && !fin) {
		tp->ack_pending = tp->ack_now = true;
		packet_free(p);
		return;
	}
	if (p->len && !room_for(tp, p, seq == tp->rcv_nxt)) {
		counter_inc(&tcp_receive_pruned);
		if (seq == tp->rcv_nxt) { /* whatever was offered: no more until somebody reads */
			tp->rcv_wup = tp->rcv_nxt;
			tp->rcv_wnd = 0;
			mib_inc(tcp_net(tp), MIB_EXT_RCVQ_DROP);
		} else {
			mib_inc(tcp_net(tp), MIB_EXT_OFO_DROP);
		}
		tp->ack_pending = tp->ack_now = true;
		packet_free(p);
		return;
	}
	note_arrival(tp, p->len, now);
	if (seq != tp->rcv_nxt) {
		tp->ack_now = true; /* a gap: duplicate ACK at once (RFC 5681 4.2) */
		if (p->len || fin)
			insert_ooo(tp, p, seq, fin);
		return;
	}
	if (p->len) {
		*tcp_cb(p) = (struct tcp_cb){.seq = seq, .end = end};
		append(tp, p);
	} else {
		packet_free(p);
	}
	if (unlikely(tp->gaps && tp->gaps->tree.node)) {
		tp->ack_now = true; /* a gap was filled, wholly or in part */
		drain_ooo(tp, &fin);
	}
	if (unlikely(fin))
		tcp_fin_received(tp);
	if (tcp_readable(tp) >= min(s->rcvlowat, tcp_rcv_limit(tp) / 2))
		socket_wake(s, EPOLLIN | EPOLLRDNORM);
}

/* RFC 9293 3.8.5 with the pointer as everybody reads it: one past the urgent byte (RFC 6093). */
void tcp_urgent(struct tcp_sock *tp, const struct tcphdr *th, const struct packet *p, u32 seq)
{
	u32 ptr = seq + be16(th->urg_ptr) - 1, hdr = th->doff * 4u;

	if (!th->urg_ptr || seq_gt(tp->copied_seq, ptr) || (tp->urg_valid && !seq_gt(ptr, tp->rcv_up)))
		goto data;
	/* A second urgent byte before the first was read: the first becomes ordinary data. */
	tp->urg_valid = true;
	tp->urg_have = tp->urg_byte_read = false;
	tp->rcv_up = ptr;
	socket_wake(tcp_socket(tp), EPOLLPRI | EPOLLRDBAND); /* SIGURG: kernel/sigio.h */
data:
	if (tp->urg_valid && !tp->urg_have && seq_le(seq, tp->rcv_up)) {
		u32 off = tp->rcv_up - seq + hdr;

		if (off < p->len) {
			packet_copy_bits(p, off, &tp->urg_byte, 1);
			tp->urg_have = true;
			socket_wake(tcp_socket(tp), EPOLLPRI);
		}
	}
}

/* Dynamic right-sizing: the buffer grows to twice what the application takes in a round trip. */
void tcp_rcv_space_adjust(struct tcp_sock *tp)
{
	struct socket *s = tcp_socket(tp);
	u32 now = tcp_us(clock_monotonic()),
	    rtt = tp->rcv_rtt ? tp->rcv_rtt : (u32)(tp->srtt / NSEC_PER_USEC), copied;

	if (!tp->drs_time) {
		tp->drs_time = now;
		tp->drs_seq = tp->copied_seq;
		return;
	}
	if (!rtt || now - tp->drs_time < rtt)
		return;
	copied = tp->copied_seq - tp->drs_seq;
	if (copied > tp->drs_space) {
		if (!socket_flag(s, SOCKF_RCVBUF_SET) && s->net->tcp_conf.moderate_rcvbuf) {
			u64 want = 4ull * copied +
				   16ull * tp->advmss; /* twice the data, twice for bookkeeping */

			want = min(want, (u64)s->net->tcp_rmem[2]);
			if (want > s->rcvbuf && atomic_load(&s->net->mem_used) < s->net->mem_limit / 2)
				WRITE_ONCE(s->rcvbuf, (u32)want);
		}
		tp->drs_space = copied;
	}
	tp->drs_seq = tp->copied_seq;
	tp->drs_time = now;
}

void tcp_purge(struct tcp_sock *tp)
{
	struct tcp_rec *r, *next;
	struct rb_node *n;

	while (!list_empty(&tp->rx)) {
		struct packet *p = list_first_entry(&tp->rx, struct packet, node);

		list_del(&p->node);
		uncharge(tp, p);
		packet_free(p);
	}
	while (tp->gaps && (n = rb_first(&tp->gaps->tree))) {
		struct packet *p = ooo_packet(n);

		take_out(tp, p);
		packet_free(p);
	}
	kfree(tp->gaps);
	tp->gaps = NULL;
	tp->dsack_due = false;
	tcp_snd_free(tp, ~0u);
	list_for_each_entry_safe (r, next, &tp->recs, node) {
		list_del(&r->node);
		list_del(&r->tnode);
		kfree(r);
	}
	tp->sacked = tp->lost = tp->retrans = 0;
}
