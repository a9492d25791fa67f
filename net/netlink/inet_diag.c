/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket dumps of AF_INET and AF_INET6: TCP, UDP, raw. A request for listeners alone does not walk the
 * connections. */
#include "base/err.h"
#include "base/string.h"
#include "net/raw.h"
#include "net/sock_diag.h"
#include "net/tcp.h"
#include "net/udp.h"

struct diag_walk {
	struct nl_request *r;
	struct nl_msg *m;
	struct inet_diag_sockid id; /* of interest; zero ports: any */
	u32 states;
	u8 family, protocol, ext;
	const void *filter;
	size_t filter_len;
	u64 n, *cursor;
	bool full;
};

/* The timers' field: 1 retransmission, 2 keepalive, 3 TIME-WAIT, 4 zero-window probe. */
static u32 ms_until(u64 when)
{
	u64 now = clock_monotonic();

	return when > now ? (u32)((when - now) / NSEC_PER_MSEC) : 0;
}

static void put_id(struct inet_diag_sockid *id, const struct inet_diag_entry *e, u64 cookie)
{
	id->idiag_sport = be16(e->lport);
	id->idiag_dport = be16(e->fport);
	if (e->family == AF_INET) {
		id->idiag_src[0] = e->laddr->w[3];
		id->idiag_dst[0] = e->faddr->w[3];
	} else {
		struct net_addr l = *e->laddr, f = *e->faddr;

		if (addr_is_any(&l))
			l = NET_ADDR_ANY;
		if (addr_is_any(&f))
			f = NET_ADDR_ANY;
		memcpy(id->idiag_src, &l, 16);
		memcpy(id->idiag_dst, &f, 16);
	}
	id->idiag_if = e->bound_if;
	id->idiag_cookie[0] = (u32)cookie;
	id->idiag_cookie[1] = (u32)(cookie >> 32);
}

/* Is E, in STATE, asked for, and not on an earlier page? */
static bool wanted(struct diag_walk *w, const struct inet_diag_entry *e, u8 state)
{
	if (w->full || !(w->states >> state & 1) || (w->family && w->family != e->family))
		return false;
	if ((w->id.idiag_sport && w->id.idiag_sport != be16(e->lport)) ||
	    (w->id.idiag_dport && w->id.idiag_dport != be16(e->fport)))
		return false;
	if (w->filter && !inet_diag_filter_run(w->filter, w->filter_len, e))
		return false;
	return w->n++ >= *w->cursor;
}

static struct inet_diag_msg *begin(struct diag_walk *w, const struct inet_diag_entry *e, u8 state, u64 cookie)
{
	struct inet_diag_msg *d = nl_begin(w->m, w->r->portid, w->r->nlh->nlmsg_seq, w->r->nlh->nlmsg_type,
					   w->r->answer_flags, sizeof(*d));

	d->idiag_family = e->family;
	d->idiag_state = state;
	put_id(&d->id, e, cookie);
	return d;
}

static void end(struct diag_walk *w)
{
	w->full = !nl_end(w->m);
	if (!w->full)
		*w->cursor = w->n;
}

static bool asked(const struct diag_walk *w, unsigned attr)
{
	return w->ext >> (attr - 1) & 1;
}

static void put_attrs(struct diag_walk *w, struct inet_sock *i, u8 state)
{
	struct socket *s = &i->s;
	struct inet_diag_meminfo mem = {.idiag_rmem = atomic_load(&s->rmem),
					.idiag_wmem = atomic_load(&s->wmem)};
	u32 sk[9] = {mem.idiag_rmem, s->rcvbuf, 0, s->sndbuf, 0, mem.idiag_wmem}; /* SK_MEMINFO_VARS */

	nl_attr_u8(w->m, INET_DIAG_SHUTDOWN, s->shutdown);
	if (asked(w, INET_DIAG_TOS))
		nl_attr_u8(w->m, INET_DIAG_TOS, i->tos);
	if (s->family == AF_INET6) {
		if (asked(w, INET_DIAG_TCLASS))
			nl_attr_u8(w->m, INET_DIAG_TCLASS, i->tos);
		if (state == TCP_STATE_LISTEN || state == TCP_STATE_CLOSE)
			nl_attr_u8(w->m, INET_DIAG_SKV6ONLY, inet_flag(i, INETF_V6ONLY));
	}
	if (w->r->privileged)
		nl_attr_u32(w->m, INET_DIAG_MARK, s->mark);
	if (asked(w, INET_DIAG_MEMINFO))
		nl_attr(w->m, INET_DIAG_MEMINFO, &mem, sizeof(mem));
	if (asked(w, INET_DIAG_SKMEMINFO))
		nl_attr(w->m, INET_DIAG_SKMEMINFO, sk, sizeof(sk));
}

static struct inet_diag_entry entry_of(const struct inet_sock *i, bool connected)
{
	return (struct inet_diag_entry){.family = (u8)i->s.family,
					.laddr = &i->laddr,
					.faddr = &i->faddr,
					.lport = i->lport,
					.fport = connected ? i->fport : 0,
					.bound_port = inet_flag(i, INETF_BOUND_PORT),
					.bound_if = i->s.bound_if,
					.mark = i->s.mark};
}

static void tcp_timewait_entry(struct diag_walk *w, struct tcp_tw *tw)
{
	struct inet_diag_entry e = {.family = addr_is_v4(&tw->laddr) ? AF_INET : AF_INET6,
				    .laddr = &tw->laddr,
				    .faddr = &tw->faddr,
				    .lport = tw->lport,
				    .fport = tw->fport};
	struct inet_diag_msg *d;

	if (!wanted(w, &e, TCP_STATE_TIME_WAIT))
		return;
	d = begin(w, &e, TCP_STATE_TIME_WAIT, (uintptr_t)tw);
	d->idiag_timer = 3;
	d->idiag_expires = ms_until(tw->expires);
	end(w);
}

static void tcp_timers(struct inet_diag_msg *d, const struct tcp_sock *tp)
{
	if (tp->rtx_at) {
		d->idiag_timer = tp->rtx_kind == RTX_PERSIST ? 4 : 1;
		d->idiag_retrans = tp->rtx_kind == RTX_PERSIST ? tp->probes_out : tp->retries;
		d->idiag_expires = ms_until(tp->rtx_at);
	} else if (tp->keep_at) {
		d->idiag_timer = 2;
		d->idiag_retrans = tp->probes_out;
		d->idiag_expires = ms_until(tp->keep_at);
	}
}

static void tcp_entry_fn(struct tcp_sock *tp, struct tcp_tw *tw, void *arg)
{
	struct diag_walk *w = arg;
	struct inet_diag_entry e;
	struct inet_diag_msg *d;
	struct tcp_info info;
	bool listen;
	u8 state;

	if (tw) {
		tcp_timewait_entry(w, tw);
		return;
	}
	e = entry_of(&tp->inet, true);
	state = READ_ONCE(tp->state);
	listen = state == TCP_STATE_LISTEN;
	if (!wanted(w, &e, state))
		return;
	d = begin(w, &e, state, tp->inet.s.id);
	d->idiag_rqueue = listen ? tp->listen->accept_count : tcp_readable(tp);
	d->idiag_wqueue = listen ? tp->listen->backlog : tp->write_seq - tp->snd_una;
	d->idiag_inode = tp->inet.s.file ? (u32)tp->inet.s.id : 0;
	if (!listen)
		tcp_timers(d, tp);
	put_attrs(w, &tp->inet, state);
	if (asked(w, INET_DIAG_INFO)) {
		tcp_get_info(tp, &info);
		nl_attr(w->m, INET_DIAG_INFO, &info, sizeof(info));
	}
	if (asked(w, INET_DIAG_CONG))
		nl_attr_str(w->m, INET_DIAG_CONG, tp->cc->name);
	end(w);
}

static void datagram_entry(struct diag_walk *w, struct inet_sock *i, bool connected, u16 lport)
{
	u8 state = connected ? TCP_STATE_ESTABLISHED : TCP_STATE_CLOSE;
	struct inet_diag_entry e = entry_of(i, connected);
	struct inet_diag_msg *d;

	e.lport = lport;
	if (!wanted(w, &e, state))
		return;
	d = begin(w, &e, state, i->s.id);
	d->idiag_rqueue = atomic_load(&i->s.rmem);
	d->idiag_wqueue = atomic_load(&i->s.wmem);
	d->idiag_inode = (u32)i->s.id;
	put_attrs(w, i, state);
	end(w);
}

static void udp_entry(struct udp_sock *u, void *arg)
{
	datagram_entry(arg, &u->inet, u->connected, u->inet.lport);
}

static void raw_entry(struct raw_sock *r, void *arg)
{
	if (!r->ping)
		datagram_entry(arg, &r->inet, r->connected, r->inet.s.protocol);
}

static void walk(struct diag_walk *w, struct net_stack *net)
{
	switch (w->protocol) {
	case IPPROTO_TCP:
		if (w->states & ~TCPB(LISTEN))
			tcp_for_each(net, tcp_entry_fn, w);
		else
			tcp_for_each_listener(net, tcp_entry_fn, w);
		break;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		udp_for_each(net, w->protocol, udp_entry, w);
		break;
	case IPPROTO_RAW:
		raw_for_each(net, raw_entry, w);
		break;
	}
}

static bool cookie_fits(const struct inet_diag_sockid *want, u64 cookie)
{
	return (want->idiag_cookie[0] == INET_DIAG_NOCOOKIE && want->idiag_cookie[1] == INET_DIAG_NOCOOKIE) ||
	       (want->idiag_cookie[0] == (u32)cookie && want->idiag_cookie[1] == (u32)(cookie >> 32));
}

static int get_tcp(struct diag_walk *w, struct net_stack *net)
{
	const struct inet_diag_sockid *id = &w->id;
	struct net_addr l, f;
	struct tcp_entry *e;
	struct tcp_sock *tp;
	int err = -ENOENT;

	if (w->family == AF_INET) {
		l = addr_v4(id->idiag_src[0]);
		f = addr_v4(id->idiag_dst[0]);
	} else {
		memcpy(&l, id->idiag_src, 16);
		memcpy(&f, id->idiag_dst, 16);
	}
	net_enter();
	e = tcp_lookup(net, &l, be16(id->idiag_sport), &f, be16(id->idiag_dport));
	if (e && e->timewait) {
		struct tcp_tw *tw = container_of(e, struct tcp_tw, entry);

		if (cookie_fits(id, (uintptr_t)tw)) {
			tcp_timewait_entry(w, tw);
			err = 0;
		}
		tcp_tw_put(tw);
	} else {
		tp = e ? container_of(e, struct tcp_sock, entry)
		       : tcp_lookup_listener(net, &l, be16(id->idiag_sport), &f, be16(id->idiag_dport),
					     id->idiag_if, NULL);
		if (tp && cookie_fits(id, tp->inet.s.id)) {
			w->id.idiag_sport = w->id.idiag_dport = 0;
			w->family = AF_UNSPEC;
			tcp_entry_fn(tp, NULL, w);
			err = w->full ? -EMSGSIZE : 0;
		}
		if (tp)
			socket_put(tcp_socket(tp));
	}
	net_leave();
	return err;
}

int inet_diag_request(struct nl_request *r, struct nl_msg *m, u64 *cursor, const struct inet_diag_req_v2 *q,
		      const void *after)
{
	u32 left = (u32)((const u8 *)r->nlh + r->nlh->nlmsg_len - (const u8 *)after);
	const struct nlattr *at[INET_DIAG_REQ_MAX + 1];
	struct diag_walk w = {.r = r, .m = m, .cursor = cursor};
	int err;

	if (nl_parse(after, left, at, INET_DIAG_REQ_MAX))
		return -EINVAL;
	w.id = q->id;
	w.states = q->idiag_states;
	w.family = q->sdiag_family;
	w.protocol = q->sdiag_protocol;
	w.ext = q->idiag_ext;
	if (at[INET_DIAG_REQ_PROTOCOL] && nl_len(at[INET_DIAG_REQ_PROTOCOL]) >= 4) {
		u32 protocol;

		memcpy(&protocol, nl_data(at[INET_DIAG_REQ_PROTOCOL]), 4);
		w.protocol = protocol > 255 ? 0 : (u8)protocol;
	}
	if (w.protocol != IPPROTO_TCP && w.protocol != IPPROTO_UDP && w.protocol != IPPROTO_UDPLITE &&
	    w.protocol != IPPROTO_RAW)
		return -ENOENT; /* as where no module knows it */
	if (!r->dump) {
		w.states = ~0u;
		return w.protocol == IPPROTO_TCP ? get_tcp(&w, r->sk->s.net) : -EOPNOTSUPP;
	}
	if (at[INET_DIAG_REQ_BYTECODE]) {
		w.filter = nl_data(at[INET_DIAG_REQ_BYTECODE]);
		w.filter_len = nl_len(at[INET_DIAG_REQ_BYTECODE]);
		err = inet_diag_filter_check(w.filter, w.filter_len);
		if (err)
			return err;
	}
	net_enter();
	walk(&w, r->sk->s.net);
	net_leave();
	return w.full;
}
