/* SPDX-License-Identifier: BSD-2-Clause */
/* Fast Open (RFC 7413): a client that shows the cookie it was given before sends data with its SYN, and a
 * server hands it on before the handshake is complete.
 *
 * The server keeps nothing: a cookie is a keyed hash of the two addresses (tcp_fastopen_key.c). A child whose
 * SYN brought data is on the accept queue in SYN_RECV with fo_wait, which the handshake's ACK clears; its
 * snd_una lies behind the SYN already, whose acknowledgement fo_wait stands for. A listener has at most
 * fo_limit of them: the data of a SYN may be forged. Children that were reset count for a minute more (5.1),
 * since resets are what a forger's victims send.
 *
 * The client's cookies are in a small table by destination, where a flood can only make us ask again. A SYN
 * with the option that was lost is repeated without it; a destination where that happens twice in a row does
 * without for a while. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "net/tcp.h"

#define SLOTS	    32
#define RESET_LIFE  (60 * NSEC_PER_SEC)
#define BLOCK_FIRST (60 * NSEC_PER_SEC)

struct tcp_fo_cache {
	struct spinlock lock;
	struct fo_entry {
		struct net_addr dst;
		u64 blocked_until;
		u16 mss;
		u8 losses, len; /* of the cookie; 0: none known */
		u8 cookie[TCP_FO_MAX];
	} slot[SLOTS];
};

/* The server's side. */

enum tcp_fo tcp_fastopen_judge(struct tcp_sock *l, const struct ip_cb *cb, const struct tcp_options *o,
			       u32 len)
{
	struct net_stack *net = tcp_net(l);
	u32 conf = net->tcp_conf.fastopen, used, limit = l->fo_limit;
	int key = -1;

	if (!limit && (conf & TCP_FO_SERVER_ALWAYS))
		limit = l->listen->backlog;
	if (!(conf & TCP_FO_SERVER) || !limit || (!o->have_fo && !len))
		return TCP_FO_NONE;
	net_lock(&l->listen->lock);
	if (clock_monotonic() > l->listen->fo_until)
		l->listen->fo_resets = 0;
	used = (u32)l->listen->fo_pending + l->listen->fo_resets;
	net_unlock(&l->listen->lock);
	if (used >= limit) {
		mib_inc(net, MIB_EXT_FASTOPEN_OVERFLOW);
		return TCP_FO_NONE;
	}
	if (l->fo_no_cookie || (conf & TCP_FO_SERVER_NO_COOKIE))
		return TCP_FO_ACCEPT;
	if (o->fo_len == TCP_FO_COOKIE)
		key = tcp_fastopen_prove(l, &cb->src, &cb->dst, o->fo);
	if (key >= 0)
		return key ? TCP_FO_RENEW : TCP_FO_ACCEPT;
	if (o->fo_len)
		mib_inc(net, MIB_EXT_FASTOPEN_PASSIVE_FAIL);
	else if (o->have_fo)
		mib_inc(net, MIB_EXT_FASTOPEN_COOKIE_REQD);
	return o->have_fo ? TCP_FO_GRANT : TCP_FO_NONE;
}

void tcp_fastopen_cookie(struct tcp_sock *c, struct tcp_syn_options *o)
{
	struct tcp_sock *l = c->fo_wait ? c->fo_listener : READ_ONCE(c->listener);

	if (!l)
		return;
	o->fo = true;
	o->fo_len = TCP_FO_COOKIE;
	tcp_fastopen_make(l, &c->inet.faddr, &c->inet.laddr, o->fo_cookie);
}

void tcp_fastopen_accept(struct tcp_sock *l, struct tcp_sock *c, struct packet *p, u32 hdr)
{
	struct packet *data = p->len > hdr ? packet_copy(p, packet_headroom(p)) : NULL;

	c->fo_wait = true;
	c->fo_listener = l;
	socket_get(tcp_socket(l));
	c->snd_una = c->iss + 1;
	net_lock(&l->listen->lock);
	l->listen->fo_pending++;
	net_unlock(&l->listen->lock);
	if (!tcp_accept_ready(c)) { /* an accept queue that just filled up */
		packet_free(data);
		tcp_fastopen_settled(c, false);
		c->snd_una = c->iss;
		return;
	}
	mib_inc(tcp_net(c), MIB_EXT_FASTOPEN_PASSIVE);
	tcp_established(c);
	if (!data)
		return;
	c->fo_done = true;
	packet_advance(data, hdr);
	tcp_data_queue(c, data, c->rcv_nxt, false);
	c->ack_pending = c->ack_now = false; /* the SYN-ACK does that */
}

void tcp_fastopen_settled(struct tcp_sock *c, bool reset)
{
	struct tcp_sock *l = c->fo_listener;

	c->fo_wait = false;
	c->fo_listener = NULL;
	net_lock(&l->listen->lock);
	l->listen->fo_pending--;
	if (reset && l->listen->fo_resets < l->fo_limit) {
		l->listen->fo_resets++;
		l->listen->fo_until = clock_monotonic() + RESET_LIFE;
	}
	net_unlock(&l->listen->lock);
	socket_put(tcp_socket(l));
}

/* The client's side. */

static struct tcp_fo_cache *cache(struct net_stack *net, bool create)
{
	struct tcp_fo_cache *c = atomic_load_explicit(&net->tcp->fo_cache, memory_order_acquire),
			    *none = NULL;

	if (c || !create)
		return c;
	c = net_zalloc(sizeof(*c));
	if (!c)
		return NULL;
	spin_init(&c->lock);
	if (!atomic_compare_exchange_strong(&net->tcp->fo_cache, &none, c)) {
		kfree(c);
		c = none;
	}
	return c;
}

void tcp_fastopen_destroy(struct net_stack *net)
{
	kfree(cache(net, false));
	kfree(net->tcp->fo_keys);
}

static struct fo_entry *slot(struct net_stack *net, struct tcp_fo_cache *c, const struct net_addr *dst)
{
	return &c->slot[siphash(dst, sizeof(*dst), &net->hash_key) % SLOTS];
}

/* What is known of TP's peer. False: nothing. */
static bool recall(struct tcp_sock *tp, struct fo_entry *out)
{
	struct tcp_fo_cache *c = cache(tcp_net(tp), false);
	struct fo_entry *e;
	bool found;

	if (!c)
		return false;
	e = slot(tcp_net(tp), c, &tp->inet.faddr);
	net_lock(&c->lock);
	found = addr_equal(&e->dst, &tp->inet.faddr);
	if (found)
		*out = *e;
	net_unlock(&c->lock);
	return found;
}

u32 tcp_fastopen_room(struct tcp_sock *tp)
{
	struct fo_entry e = {};
	bool known = recall(tp, &e);
	u32 mss;

	if (known && e.blocked_until > clock_monotonic())
		return 0;
	if (!e.len && !tp->fo_no_cookie && !(tcp_net(tp)->tcp_conf.fastopen & TCP_FO_CLIENT_NO_COOKIE))
		return 0;
	mss = min(e.mss ? (u32)e.mss : TCP_DEFAULT_MSS, (u32)tp->advmss);
	return mss - min(mss, (u32)TCP_MAX_OPTIONS);
}

u32 tcp_fastopen_offer(struct tcp_sock *tp, struct tcp_syn_options *o)
{
	struct fo_entry e = {};

	if (!tp->fo_ask || tp->retries || (recall(tp, &e) && e.blocked_until > clock_monotonic()))
		return 0;
	o->fo = e.len || !tp->fo_data;
	o->fo_len = e.len;
	memcpy(o->fo_cookie, e.cookie, e.len);
	return tp->fo_data;
}

void tcp_fastopen_answer(struct tcp_sock *tp, const struct tcp_options *o)
{
	u32 taken = min(tp->snd_una - tp->iss - 1, (u32)tp->fo_data);
	struct tcp_fo_cache *c;
	struct fo_entry *e;

	if (tp->fo_data) {
		tp->fo_done = taken != 0;
		mib_inc(tcp_net(tp), taken ? MIB_EXT_FASTOPEN_ACTIVE : MIB_EXT_FASTOPEN_ACTIVE_FAIL);
		tcp_snd_free(tp, taken);
		tp->fo_data = 0;
	}
	if (!tp->fo_ask || !(o->fo_len || tp->retries) || !(c = cache(tcp_net(tp), true)))
		return;
	e = slot(tcp_net(tp), c, &tp->inet.faddr);
	net_lock(&c->lock);
	if (!addr_equal(&e->dst, &tp->inet.faddr))
		*e = (struct fo_entry){.dst = tp->inet.faddr};
	if (tp->retries) { /* twice in a row: something on the way may not like the option, or data in a SYN
			    */
		if (e->losses < 10 && ++e->losses > 1)
			e->blocked_until = clock_monotonic() + (BLOCK_FIRST << e->losses);
	} else {
		e->losses = 0;
		e->len = o->fo_len;
		e->mss = tp->peer_mss;
		memcpy(e->cookie, o->fo, o->fo_len);
	}
	net_unlock(&c->lock);
}

static bool names_nobody(const struct net_msg *m)
{
	return m->namelen >= (int)sizeof(((struct sockaddr *)m->name)->sa_family) &&
	       ((const struct sockaddr *)m->name)->sa_family == AF_UNSPEC;
}

/* A deferred connection begins with its first data; an unconnected socket with MSG_FASTOPEN only if the
 * address is good. */
ssize_t tcp_fastopen_send(struct tcp_sock *tp, struct net_msg *m)
{
	bool nonblock = m->flags & MSG_DONTWAIT;
	ssize_t n;
	int err;

	if (!(tcp_net(tp)->tcp_conf.fastopen & TCP_FO_CLIENT) || names_nobody(m))
		return -EOPNOTSUPP;
	if (!tp->fo_deferred) {
		if (tp->connecting)
			return -EALREADY;
		if (tp->state != TCP_STATE_CLOSE)
			return -EISCONN;
		tp->fo_ask = tp->fo_deferred = true;
		err = tcp_connect_locked(tp, m->name, m->namelen, true);
		if (err) { /* nothing was begun */
			tp->fo_ask = tp->fo_deferred = false;
			return err;
		}
	}
	n = tcp_queue_data(tp, m, tcp_fastopen_room(tp));
	if (n < 0)
		return n;
	tp->fo_data = (u16)n;
	tp->fo_deferred = false;
	net_enter();
	tcp_start_syn(tp);
	net_leave();
	err = tcp_connect_wait(tp, true, nonblock);
	return err && !(err == -EINPROGRESS && n) ? err : n;
}
