/* SPDX-License-Identifier: BSD-2-Clause */
/* Passive opening: SYNs become children in SYN-RECEIVED on the listener's SYN queue; the handshake's last ACK
 * moves them to the accept queue. A full SYN queue answers with cookies (RFC 4987). Lock order: listener's
 * slock, child's slock, listener's own lock. A child on a queue holds a reference on its listener. Until
 * it reaches the accept queue a child is DEAD: nobody uses it, so its end destroys it. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "net/tcp.h"

static DEFINE_COUNTER(tcp_listen_overflow, "connections refused because an accept queue was full");
static DEFINE_COUNTER(tcp_listen_no_memory, "connections refused for want of memory");

#define SYN_QUEUE_MIN 64
#define COOKIE_WINDOW 65535

static struct tcp_sock *child_new(struct tcp_sock *l, const struct ip_cb *cb, u16 lport, u16 fport)
{
	struct tcp_sock *c = tcp_sock_new(tcp_net(l), l->inet.s.family);
	struct socket *s, *ls = tcp_socket(l);

	if (!c)
		return NULL;
	s = tcp_socket(c);
	s->rcvbuf = ls->rcvbuf;
	s->sndbuf = ls->sndbuf;
	atomic_store(&s->flags, (atomic_load(&ls->flags) & ~(SOCKF_NOSPACE | SOCKF_DEAD)) | SOCKF_DEAD);
	s->rcvtimeo = ls->rcvtimeo;
	s->sndtimeo = ls->sndtimeo;
	s->rcvlowat = ls->rcvlowat;
	s->linger = ls->linger;
	s->priority = ls->priority;
	s->mark = ls->mark;
	s->bound_if = ls->bound_if;
	socket_filter_inherit(s, ls);
	c->inet.laddr = cb->dst;
	c->inet.faddr = cb->src;
	c->inet.lport = lport;
	c->inet.fport = fport;
	atomic_store(&c->inet.flags, atomic_load(&l->inet.flags) | INETF_BOUND_PORT | INETF_ACCEPTED);
	c->inet.ttl = l->inet.ttl;
	c->inet.hops6 = l->inet.hops6;
	c->inet.tos = l->inet.tos;
	c->inet.pmtudisc = l->inet.pmtudisc;
	if (addr_is_link_local(&cb->src))
		c->inet.scope = cb->iif;
	c->user_mss = l->user_mss;
	c->cc = l->cc;
	c->nodelay = l->nodelay;
	c->cork = l->cork;
	c->user_timeout_ms = l->user_timeout_ms;
	c->keep_idle_s = l->keep_idle_s;
	c->keep_intvl_s = l->keep_intvl_s;
	c->keep_probes = l->keep_probes;
	c->syn_limit = l->syn_limit;
	c->defer_accept = l->defer_accept;
	c->linger2 = l->linger2;
	c->notsent_lowat = l->notsent_lowat;
	return c;
}

/* What both a SYN and a valid cookie start with. */
static void child_setup(struct tcp_sock *c, const struct tcphdr *th, const struct tcp_options *o, u32 irs,
			u32 iss)
{
	const struct tcp_tunables *conf = &tcp_net(c)->tcp_conf;
	u64 now = clock_monotonic();

	c->state = TCP_STATE_SYN_RECV;
	c->connected = true;
	c->irs = irs;
	c->rcv_nxt = c->copied_seq = c->rcv_wup = irs + 1;
	c->rcv_up = irs;
	c->iss = c->snd_una = iss;
	c->snd_nxt = c->write_seq = c->snd_up = c->snd_sml = c->pushed_seq = c->rack_fack = iss + 1;
	c->recover = iss;
	c->snd_wl1 = irs;
	c->snd_wnd = c->max_wnd = be16(th->window);
	c->peer_mss = o->mss ? max(o->mss, (u16)TCP_MIN_MSS) : TCP_DEFAULT_MSS;
	c->ts_ok = o->have_ts && conf->timestamps;
	c->sack_ok = o->sack_ok && conf->sack;
	c->wscale_ok = o->have_wscale && conf->window_scaling;
	c->snd_wscale = o->wscale;
	if (!c->wscale_ok)
		c->snd_wscale = c->rcv_wscale = 0;
	if (c->ts_ok) {
		c->ts_recent = o->ts_val;
		c->ts_recent_s = tcp_seconds(now);
	}
	c->ts_offset = tcp_ts_offset(tcp_net(c), &c->inet.laddr, &c->inet.faddr);
	c->last_rx = now;
}

/* TCP_SAVE_SYN: keep the SYN's headers for who accepts (2: the link's, too). */
static void save_syn(struct tcp_sock *l, struct tcp_sock *c, const struct packet *p, u32 tcp_len)
{
	u32 n = p->transport_off - p->network_off + tcp_len, link = l->save_syn == 2 ? ETH_HDR_LEN : 0;
	struct tcp_saved_syn *s = l->save_syn ? net_zalloc(sizeof(*s) + link + n) : NULL;

	if (!s)
		return;
	s->len = link + n;
	if (link && p->dev != c->inet.s.net->lo && p->network_off >= ETH_HDR_LEN)
		memcpy(s->data, packet_network(p) - ETH_HDR_LEN, ETH_HDR_LEN);
	else if (link)
		memcpy(s->data + 12, addr_is_v4(&c->inet.faddr) ? "\x08\x00" : "\x86\xdd", 2);
	memcpy(s->data + link, packet_network(p), n);
	c->saved_syn = s;
}

static void child_free(struct tcp_sock *c)
{
	c->state = TCP_STATE_CLOSE;
	c->destroyed = true;
	socket_put(tcp_socket(c));
}

/* Hang C at L's SYN queue and in the tables. */
static bool child_enter(struct tcp_sock *l, struct tcp_sock *c)
{
	c->listener = l;
	socket_get(tcp_socket(l));
	net_lock(&l->listen->lock);
	list_add_tail(&c->accept_node, &l->listen->syn_queue);
	l->listen->syn_count++;
	net_unlock(&l->listen->lock);
	if (tcp_hash(c) == 0) {
		port_insert(&tcp_net(l)->tcp->ports, &c->inet);
		return true;
	}
	tcp_child_gone(c);
	return false;
}

/* Everything that the handshake's ACK must bring back lies in its numbers: the cookie holds the MSS, our
 * timestamp, if the peer has them, the rest (RFC 7323 gives it back). Without timestamps there is neither
 * scaling nor SACK. */
static void send_cookie(struct tcp_sock *l, struct packet *p, const struct tcphdr *th,
			const struct tcp_options *o)
{
	struct net_stack *net = tcp_net(l);
	struct ip_cb *cb = ip_cb(p);
	struct netdev *dev = net_device_by_index(net, cb->iif);
	u16 mss = o->mss ? o->mss : TCP_DEFAULT_MSS, lport = be16(th->dest), fport = be16(th->source);
	u32 irs = be32(th->seq), header = addr_is_v4(&cb->src) ? 40 : 60;
	struct tcp_syn_options mine = {.mss = (u16)(min(dev ? dev->mtu : 1280u, 65535u) - header)};
	struct tcp_reply r = {.src = cb->dst,
			      .dst = cb->src,
			      .sport = lport,
			      .dport = fport,
			      .ack = irs + 1,
			      .wnd = COOKIE_WINDOW,
			      .flags = 0x12,
			      .tos = l->inet.tos,
			      .oif = addr_is_link_local(&cb->src) ? cb->iif : 0};

	r.seq = tcp_cookie_make(net, &cb->dst, lport, &cb->src, fport, irs, &mss);
	if (l->user_mss)
		mine.mss = min(mine.mss, l->user_mss);
	if (o->have_ts && net->tcp_conf.timestamps) {
		mine.ts = true;
		mine.ts_val = tcp_cookie_ts(net, &cb->dst, &cb->src, o, tcp_ecn_asked(net, p, th));
		if (tcp_ecn_asked(net, p, th))
			r.flags |= 0x40;
		mine.ts_ecr = o->ts_val;
		mine.sack = o->sack_ok && net->tcp_conf.sack;
		mine.wscale_ok = o->have_wscale && net->tcp_conf.window_scaling;
		mine.wscale = tcp_default_wscale(net);
	}
	r.opts = (u8)tcp_write_syn_options(r.opt, &mine);
	l->listen->cookie_until = clock_monotonic() + 128 * NSEC_PER_SEC;
	mib_inc(net, MIB_EXT_SYNCOOKIES_SENT);
	tcp_reply(net, &r);
}

static void handle_syn(struct tcp_sock *l, struct packet *p, const struct tcphdr *th,
		       const struct tcp_options *o, u32 isn)
{
	struct net_stack *net = tcp_net(l);
	u16 lport = be16(th->dest), fport = be16(th->source);
	struct ip_cb *cb = ip_cb(p);
	u32 hdr = th->doff * 4u;
	struct tcp_sock *c;
	enum tcp_fo fo;

	if (READ_ONCE(l->listen->accept_count) > l->listen->backlog) {
		mib_inc(net, MIB_EXT_LISTEN_OVERFLOWS);
		mib_inc(net, MIB_EXT_LISTEN_DROPS);
		counter_inc(&tcp_listen_overflow);
		return;
	}
	if (READ_ONCE(l->listen->syn_count) >= max(l->listen->backlog, (u32)SYN_QUEUE_MIN) ||
	    net->tcp_conf.syncookies == 2) {
		if (net->tcp_conf.syncookies)
			send_cookie(l, p, th, o);
		else
			mib_inc(net, MIB_EXT_LISTEN_DROPS);
		return;
	}
	c = child_new(l, cb, lport, fport);
	if (!c) {
		counter_inc(&tcp_listen_no_memory);
		mib_inc(net, MIB_EXT_LISTEN_DROPS);
		return;
	}
	child_setup(c, th, o, be32(th->seq), isn ? isn : tcp_isn(net, &cb->dst, lport, &cb->src, fport));
	c->ecn_ok = tcp_ecn_asked(net, p, th);
	net_lock(&tcp_socket(c)->slock);
	if (tcp_route(c) || !child_enter(l, c)) {
		net_unlock(&tcp_socket(c)->slock);
		mib_inc(net, MIB_EXT_LISTEN_DROPS);
		child_free(c);
		return;
	}
	c->advmss = tcp_adv_mss(c);
	tcp_sync_mss(c);
	tcp_init_cwnd(c);
	save_syn(l, c, p, hdr);
	fo = tcp_fastopen_judge(l, cb, o, p->len - hdr);
	c->fo_ask = fo == TCP_FO_GRANT || fo == TCP_FO_RENEW;
	if (fo >= TCP_FO_ACCEPT)
		tcp_fastopen_accept(l, c, p, hdr);
	tcp_send_syn(c, true);
	c->rtx_kind = RTX_RTO;
	c->rtx_at = c->last_tx + TCP_RTO_INIT;
	tcp_timer_update(c);
	net_unlock(&tcp_socket(c)->slock);
}

/* An ACK for no connection: perhaps it answers a cookie. True: it was taken care of. */
static bool handle_cookie(struct tcp_sock *l, struct packet *p, const struct tcphdr *th,
			  const struct tcp_options *o)
{
	struct net_stack *net = tcp_net(l);
	u16 lport = be16(th->dest), fport = be16(th->source), mss;
	u32 irs = be32(th->seq) - 1, iss = be32(th->ack_seq) - 1;
	struct tcp_options plain = {};
	struct ip_cb *cb = ip_cb(p);
	struct tcp_sock *c;

	if (l->listen->cookie_until < clock_monotonic())
		return false;
	mss = tcp_cookie_check(net, &cb->dst, lport, &cb->src, fport, irs, iss);
	if (!mss) {
		mib_inc(net, MIB_EXT_SYNCOOKIES_FAILED);
		return false;
	}
	mib_inc(net, MIB_EXT_SYNCOOKIES_RECV);
	if (READ_ONCE(l->listen->accept_count) > l->listen->backlog)
		goto drop;
	c = child_new(l, cb, lport, fport);
	if (!c)
		goto drop;
	plain.mss = mss;
	plain.have_ts = o->have_ts;
	plain.ts_val = o->ts_val;
	if (o->have_ts)
		tcp_cookie_options(net, &cb->dst, &cb->src, o->ts_ecr, &plain);
	child_setup(c, th, &plain, irs, iss);
	c->ecn_ok = plain.ecn && net->tcp_conf.ecn;
	c->snd_wnd = c->max_wnd = (u32)be16(th->window) << c->snd_wscale; /* no SYN: scaled */
	c->rcv_wnd = COOKIE_WINDOW;
	net_lock(&tcp_socket(c)->slock);
	if (tcp_route(c) || !child_enter(l, c)) {
		net_unlock(&tcp_socket(c)->slock);
		child_free(c);
		goto drop;
	}
	c->advmss = tcp_adv_mss(c);
	tcp_sync_mss(c);
	tcp_init_cwnd(c);
	tcp_receive(c, p);
	net_unlock(&tcp_socket(c)->slock);
	return true;
drop:
	packet_free(p);
	return true;
}

/* RFC 9293 3.10.7.2. L's slock held. Takes P over. */
void tcp_listen_receive(struct tcp_sock *l, struct packet *p, const struct tcphdr *th,
			const struct tcp_options *o, u32 isn)
{
	if (l->state != TCP_STATE_LISTEN) {
		tcp_reply_reset(tcp_net(l), p, th);
		goto drop;
	}
	if (th->rst)
		goto drop;
	if (th->ack) {
		if (!th->syn && handle_cookie(l, p, th, o))
			return;
		tcp_reply_reset(tcp_net(l), p, th);
		goto drop;
	}
	if (th->syn && !th->fin)
		handle_syn(l, p, th, o, isn);
drop:
	packet_free(p);
}

bool tcp_accept_ready(struct tcp_sock *tp)
{
	struct tcp_sock *l = READ_ONCE(tp->listener);
	bool ok = false;

	if (!l)
		return !socket_flag(tcp_socket(tp),
				    SOCKF_DEAD); /* a simultaneous open; else the listener has gone */
	net_lock(&l->listen->lock);
	if (tp->listener == l) {
		if (l->listen->accept_count > l->listen->backlog) {
			mib_inc(tcp_net(tp), MIB_EXT_LISTEN_OVERFLOWS);
			counter_inc(&tcp_listen_overflow);
		} else {
			list_move_tail(&tp->accept_node, &l->listen->accept_queue);
			l->listen->syn_count--;
			WRITE_ONCE(l->listen->accept_count, l->listen->accept_count + 1);
			socket_set_flag(tcp_socket(tp), SOCKF_DEAD, false);
			ok = true;
		}
	}
	net_unlock(&l->listen->lock);
	if (ok) {
		mib_inc(tcp_net(tp), MIB_TCP_PASSIVE_OPENS);
		socket_wake(tcp_socket(l), EPOLLIN | EPOLLRDNORM);
	}
	return ok;
}

/* A child dies before it was accepted. One on the accept queue stays there for accept() to report. */
void tcp_child_gone(struct tcp_sock *tp)
{
	struct tcp_sock *l = READ_ONCE(tp->listener);
	bool off = false;

	if (!l)
		return;
	net_lock(&l->listen->lock);
	if (tp->listener == l && socket_flag(tcp_socket(tp), SOCKF_DEAD)) {
		list_del_init(&tp->accept_node);
		l->listen->syn_count--;
		tp->listener = NULL;
		off = true;
	}
	net_unlock(&l->listen->lock);
	if (off)
		socket_put(tcp_socket(l));
}

static struct tcp_sock *pop_child(struct tcp_sock *l, struct list_head *q)
{
	struct tcp_sock *c = NULL;

	net_lock(&l->listen->lock);
	if (!list_empty(q)) {
		c = list_first_entry(q, struct tcp_sock, accept_node);
		socket_get(tcp_socket(c));
		list_del_init(&c->accept_node);
		c->listener = NULL;
		if (q == &l->listen->accept_queue)
			WRITE_ONCE(l->listen->accept_count, l->listen->accept_count - 1);
		else
			l->listen->syn_count--;
	}
	net_unlock(&l->listen->lock);
	return c;
}

/* The owner closes or disconnects a listener: its children go, the established ones with a reset. */
void tcp_listen_stop(struct tcp_sock *l)
{
	struct tcp_sock *c;

	net_enter();
	tcp_unhash(l);
	tcp_set_state(l, TCP_STATE_CLOSE);
	while ((c = pop_child(l, &l->listen->syn_queue)) || (c = pop_child(l, &l->listen->accept_queue))) {
		struct socket *s = tcp_socket(c);

		net_lock(&s->slock); /* nobody owns what nobody accepted */
		socket_set_flag(s, SOCKF_DEAD, true);
		if (c->state != TCP_STATE_CLOSE) {
			if (c->state != TCP_STATE_SYN_RECV || c->fo_wait)
				tcp_send_reset(c);
			tcp_done(c);
		} else {
			tcp_done(c); /* it ended while it waited: only to be destroyed */
		}
		net_unlock(&s->slock);
		socket_put(s);
		socket_put(tcp_socket(l)); /* the child's reference */
	}
	net_leave();
	socket_wake(tcp_socket(l), EPOLLIN | EPOLLHUP | EPOLLERR);
}

struct tcp_listener *tcp_listener_of(struct tcp_sock *tp)
{
	struct tcp_listener *l = tp->listen;

	if (l)
		return l;
	l = kzalloc(sizeof(*l));
	if (!l)
		return NULL;
	spin_init(&l->lock);
	list_init(&l->accept_queue);
	list_init(&l->syn_queue);
	WRITE_ONCE(tp->listen, l);
	return l;
}

int tcp_listen(struct socket *s, int backlog)
{
	struct tcp_sock *tp = tcp_sk(s);
	struct net_addr any = tp->inet.laddr;
	int err = 0;

	socket_lock(s);
	if (tp->state == TCP_STATE_LISTEN) {
		tp->listen->backlog = (u32)backlog;
		goto out;
	}
	err = -EINVAL;
	if (tp->state != TCP_STATE_CLOSE || tp->connecting || tp->connected)
		goto out;
	if (!tp->inet.lport) {
		err = port_bind(&s->net->tcp->ports, &tp->inet, &any, 0);
		if (err)
			goto out;
	}
	err = -ENOMEM;
	if (!tcp_listener_of(tp))
		goto out;
	err = port_listen(&s->net->tcp->ports, &tp->inet);
	if (err)
		goto out;
	tp->listen->backlog = (u32)backlog;
	tcp_listen_hash(tp);
out:
	socket_unlock(s);
	return err;
}

struct socket *tcp_accept(struct socket *s, bool nonblock)
{
	struct tcp_sock *tp = tcp_sk(s), *c;
	u64 deadline = socket_rcv_deadline(s, nonblock ? MSG_DONTWAIT : 0);
	int err;

	for (;;) {
		if (READ_ONCE(tp->state) != TCP_STATE_LISTEN)
			return ERR_PTR(-EINVAL);
		c = pop_child(tp, &tp->listen->accept_queue);
		if (c) {
			socket_put(s);		   /* the child's reference on us */
			socket_put(tcp_socket(c)); /* pop_child's; the life reference goes to the caller */
			return tcp_socket(c);
		}
		if (!deadline)
			return ERR_PTR(-EAGAIN);
		err = wait_event_interruptible_exclusive(&s->waitq,
							 READ_ONCE(tp->listen->accept_count) ||
								 READ_ONCE(tp->state) != TCP_STATE_LISTEN,
							 deadline);
		if (err) {
			if (READ_ONCE(tp->listen->accept_count))
				socket_wake(s, EPOLLIN | EPOLLRDNORM);
			return ERR_PTR(socket_wait_result(err, deadline));
		}
	}
}
