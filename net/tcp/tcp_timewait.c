/* SPDX-License-Identifier: BSD-2-Clause */
/* TIME-WAIT (RFC 9293 3.6.1, 1337, 6191): a small record keeps the four-tuple for a minute after an active
 * close, answers retransmitted FINs, and yields to a new SYN that is clearly younger. The timer holds one
 * reference, the stack's list lives on it; `dead` (under lock) says that it was taken down. */
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "net/tcp.h"

static DEFINE_COUNTER(tcp_timewait_overflow,
		      "connections closed without TIME-WAIT because there were too many");

static void tw_rcu_free(struct rcu_head *h)
{
	kfree(container_of(h, struct tcp_tw, rcu));
}

void tcp_tw_put(struct tcp_tw *tw)
{
	if (refcount_put(&tw->ref))
		rcu_call(&tw->rcu, tw_rcu_free);
}

static bool take_down(struct tcp_tw *tw)
{
	struct tcp_stack *t = tw->net->tcp;
	bool was;

	net_lock(&tw->lock);
	was = tw->dead;
	tw->dead = true;
	net_unlock(&tw->lock);
	if (was)
		return false;
	tcp_tw_unhash(tw);
	net_lock(&t->tw_lock);
	list_del(&tw->node);
	t->tw_count--;
	net_unlock(&t->tw_lock);
	return true;
}

void tcp_tw_kill(struct tcp_tw *tw)
{
	if (take_down(tw) && net_timer_cancel(&tw->timer))
		tcp_tw_put(tw); /* else the callback runs and does it */
}

static void tw_timer(struct net_timer *timer)
{
	struct tcp_tw *tw = container_of(timer, struct tcp_tw, timer);
	u64 now = clock_monotonic();

	if (!tw->dead && tw->expires > now) {
		net_timer_set(&tw->timer, tw->expires); /* it was prolonged */
		return;
	}
	take_down(tw);
	tcp_tw_put(tw);
}

void tcp_enter_timewait(struct tcp_sock *tp)
{
	struct net_stack *net = tcp_net(tp);
	struct tcp_stack *t = net->tcp;
	struct tcp_tw *tw = t->tw_count < t->tw_max ? net_zalloc(sizeof(*tw)) : NULL;
	struct inet_sock *i = &tp->inet;

	if (!tw) {
		counter_inc(&tcp_timewait_overflow);
		tcp_done(tp);
		return;
	}
	tw->entry.timewait = true;
	refcount_set(&tw->ref, 2); /* the timer's, ours */
	spin_init(&tw->lock);
	tw->net = net;
	tw->laddr = i->laddr;
	tw->faddr = i->faddr;
	tw->lport = i->lport;
	tw->fport = i->fport;
	tw->snd_nxt = tp->snd_nxt;
	tw->rcv_nxt = tp->rcv_nxt;
	tw->rcv_wnd = tcp_receive_window(tp);
	tw->rcv_wscale = tp->rcv_wscale;
	tw->tos = addr_is_v4(&i->faddr) ? i->tos : i->tclass;
	tw->ts_ok = tp->ts_ok;
	tw->ts_recent = tp->ts_recent;
	tw->ts_recent_s = tp->ts_recent_s;
	tw->ts_offset = tp->ts_offset;
	tw->expires = clock_monotonic() + TCP_TIMEWAIT;
	net_timer_init(&tw->timer, tw_timer);
	net_lock(&t->tw_lock);
	list_add_tail(&tw->node, &t->tw);
	t->tw_count++;
	net_unlock(&t->tw_lock);
	mib_inc(net, MIB_EXT_TW);
	tcp_tw_hash(tw, tp);
	net_timer_set(&tw->timer, tw->expires);
	tcp_tw_put(tw);
	tcp_done(tp);
}

static void tw_ack(struct tcp_tw *tw)
{
	struct tcp_reply r = {.src = tw->laddr,
			      .dst = tw->faddr,
			      .sport = tw->lport,
			      .dport = tw->fport,
			      .seq = tw->snd_nxt,
			      .ack = tw->rcv_nxt,
			      .wnd = tw->rcv_wnd >> tw->rcv_wscale,
			      .flags = 0x10,
			      .tos = tw->tos};

	if (tw->ts_ok)
		r.opts = (u8)tcp_write_timestamp(
			r.opt, (u32)(clock_monotonic() / NSEC_PER_MSEC) + tw->ts_offset, tw->ts_recent);
	tcp_reply(tw->net, &r);
}

bool tcp_timewait_input(struct tcp_tw *tw, struct packet *p, const struct tcphdr *th,
			const struct tcp_options *o, u32 *isn)
{
	u32 seq = be32(th->seq), end = seq + (p->len - th->doff * 4u) + th->syn + th->fin;
	bool paws = tw->ts_ok && o->have_ts && !th->rst && seq_lt(o->ts_val, tw->ts_recent) &&
		    tcp_seconds(clock_monotonic()) - tw->ts_recent_s < TCP_PAWS_24DAYS;

	if (th->syn && !th->rst && !th->ack && !paws &&
	    (seq_gt(seq, tw->rcv_nxt) || (tw->ts_ok && o->have_ts && seq_lt(tw->ts_recent, o->ts_val)))) {
		*isn = tw->snd_nxt + 65535 + 2;
		mib_inc(tw->net, MIB_EXT_TW_RECYCLED);
		tcp_tw_kill(tw);
		return true;
	}
	if (th->rst) { /* RFC 1337: a reset does not assassinate TIME-WAIT unless it is exactly in sequence */
		if (!paws && seq == tw->rcv_nxt)
			tcp_tw_kill(tw);
		goto out;
	}
	if (!paws && o->have_ts && tw->ts_ok && seq_le(seq, tw->rcv_nxt)) {
		tw->ts_recent = o->ts_val;
		tw->ts_recent_s = tcp_seconds(clock_monotonic());
	}
	if (paws)
		mib_inc(tw->net, MIB_EXT_PAWS_ESTAB);
	if (th->fin && !paws)
		tw->expires = clock_monotonic() + TCP_TIMEWAIT; /* the peer did not get our ACK: stay */
	/* Anything but a bare in-order ACK is answered with where we are. */
	if (end != seq || seq != tw->rcv_nxt || paws)
		tw_ack(tw);
out:
	packet_free(p);
	return false;
}
