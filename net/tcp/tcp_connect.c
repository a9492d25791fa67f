/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP sockets: creation, names, active opening, poll. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "net/tcp.h"

static int tcp_getname(struct socket *s, struct sockaddr *sa, bool peer)
{
	struct tcp_sock *tp = tcp_sk(s);

	if (peer && TCP_IN(tp->state, TCPB(CLOSE) | TCPB(SYN_SENT) | TCPB(LISTEN)))
		return -ENOTCONN;
	return inet_getname(s, sa, peer);
}

int tcp_bind(struct socket *s, const struct sockaddr *sa, int len)
{
	struct inet_sock *i = inet_sk(s);
	struct net_addr addr;
	u16 port;
	u32 scope;
	int err = inet_parse_bind(i, sa, len, &addr, &port, &scope);

	if (err)
		return err;
	socket_lock(s);
	if (tcp_sk(s)->state != TCP_STATE_CLOSE || i->lport) {
		err = -EINVAL;
	} else {
		if (scope)
			i->scope = scope;
		if (!port && inet_flag(i, INETF_BIND_NO_PORT)) {
			i->laddr = addr; /* connect() chooses one that suits the peer */
		} else {
			err = port_bind(&s->net->tcp->ports, i, &addr, port);
			if (!err)
				inet_set_flag(i, INETF_BOUND_PORT, true);
		}
		if (!err && !addr_is_any(&addr))
			inet_set_flag(i, INETF_BOUND_ADDR, true);
	}
	socket_unlock(s);
	return err;
}

void tcp_init_cwnd(struct tcp_sock *tp)
{
	/* RFC 6928: ten segments, less for huge ones; the loopback is no network and takes the ten. */
	tp->cwnd = TCP_INIT_CWND * tp->mss;
	tp->ssthresh = 0x7fffffff;
	tp->cc->init(tp);
}

void tcp_established(struct tcp_sock *tp)
{
	u64 now = clock_monotonic();

	tp->max_wnd = max(tp->max_wnd, tp->snd_wnd);
	tcp_sync_mss(tp);
	if (tp->retries > 1)
		tp->cwnd = tp->mss; /* the SYN itself was lost (RFC 6298 5.7) */
	else
		tcp_init_cwnd(tp);
	tcp_sndbuf_expand(tp);
	tp->last_rx = tp->last_tx = now;
	tp->quick = 16;
	tp->rcv_mss = (u16)min((u32)tp->mss, (u32)TCP_DEFAULT_MSS);
	tp->drs_space = TCP_INIT_CWND * (u32)tp->advmss;
	tp->drs_seq = tp->copied_seq;
	tp->drs_time = tcp_us(now);
	tcp_keepalive_set(tp);
}

static u8 choose_wscale(u32 space)
{
	u8 n = 0;

	while (n < TCP_MAX_WSCALE && space >> n > 65535)
		n++;
	return n;
}

/* The scale of a socket that nobody gave a larger buffer. */
u8 tcp_default_wscale(const struct net_stack *net)
{
	return choose_wscale(max(net->tcp_rmem[1], net->tcp_rmem[2]) / 2);
}

void tcp_start_syn(struct tcp_sock *tp)
{
	mib_inc(tcp_net(tp), MIB_TCP_ACTIVE_OPENS);
	tcp_send_syn(tp, false);
	tp->rtx_kind = RTX_RTO;
	tp->rtx_at = tp->last_tx + TCP_RTO_INIT;
	tcp_timer_update(tp);
}

/* Number the connection, enter the tables, send the SYN. Owner. */
static int start(struct tcp_sock *tp)
{
	struct net_stack *net = tcp_net(tp);
	struct inet_sock *i = &tp->inet;
	int err;

	tp->iss = 0;
	tp->ts_recent = 0;
	atomic_store(&tp->inet.s.err, 0);
	err = tcp_connect_port(tp);
	if (err)
		return err;
	if (!tp->iss)
		tp->iss = tcp_isn(net, &i->laddr, i->lport, &i->faddr, i->fport);
	tp->ts_offset = tcp_ts_offset(net, &i->laddr, &i->faddr);
	tp->snd_una = tp->iss;
	tp->snd_nxt = tp->write_seq = tp->snd_up = tp->snd_sml = tp->pushed_seq = tp->rack_fack = tp->iss + 1;
	tp->recover = tp->iss;
	tp->rcv_nxt = tp->copied_seq = tp->rcv_wup = 0;
	tp->irs = 0;
	tp->ts_ok = true; /* until the peer says otherwise */
	tp->rcv_wscale = choose_wscale(max(tp->inet.s.rcvbuf, net->tcp_rmem[2]) / 2);
	tp->rcv_wnd = min(tcp_space(tp), 65535u);
	tp->peer_mss = 0;
	tcp_sync_mss(tp);
	tcp_init_cwnd(tp);
	tcp_set_state(tp, TCP_STATE_SYN_SENT);
	tp->connecting = true;
	if (tp->fo_connect && (net->tcp_conf.fastopen & TCP_FO_CLIENT)) {
		tp->fo_ask = true;
		tp->fo_deferred |= tcp_fastopen_room(tp) != 0;
	}
	if (!tp->fo_deferred)
		tcp_start_syn(tp);
	return 0;
}

static int begin_connect(struct tcp_sock *tp, const struct sockaddr *sa, int len)
{
	struct inet_sock *i = &tp->inet;
	struct net_addr addr;
	struct ip_flow f;
	u16 port;
	u32 scope;
	int err = inet_parse(i, sa, len, &addr, &port, &scope);

	if (err)
		return err;
	if (addr_is_any(&addr))
		addr = i->s.family == AF_INET || addr_is_v4(&addr) ? addr_v4(IP4(127, 0, 0, 1))
								   : (struct net_addr){.b[15] = 1};
	if (addr_is_multicast(&addr))
		return -ENETUNREACH;
	if (scope)
		i->scope = scope;
	net_enter();
	err = inet_flow(i, &addr, IPPROTO_TCP, NULL, &f);
	if (!err && f.rt.type != RTN_LOCAL && f.rt.type != RTN_UNICAST)
		err = -ENETUNREACH;
	if (err)
		goto out;
	/* A socket bound to "any" is entered in the port table by port alone: its address may still change.
	 */
	if (addr_is_any(&i->laddr))
		i->laddr = f.src;
	i->faddr = addr;
	i->fport = port;
	tp->rt = f.rt;
	tp->rt_valid = true;
	tp->advmss = tcp_adv_mss(tp);
	err = start(tp);
	if (err) {
		i->fport = 0;
		i->faddr = i->s.family == AF_INET ? addr_v4(0) : NET_ADDR_ANY;
		if (!inet_flag(i, INETF_BOUND_ADDR))
			i->laddr = i->faddr;
	}
out:
	net_leave();
	return err;
}

static bool in_handshake(const struct tcp_sock *tp)
{
	return TCP_IN(READ_ONCE(tp->state), TCPB(SYN_SENT) | TCPB(SYN_RECV));
}

int tcp_connect_wait(struct tcp_sock *tp, bool fresh, bool nonblock)
{
	struct socket *s = tcp_socket(tp);
	int err;

	if (in_handshake(tp)) {
		err = socket_wait(s, !in_handshake(tp), socket_snd_deadline(s, nonblock ? MSG_DONTWAIT : 0));
		if (err && in_handshake(tp))
			return err != -EAGAIN ? err : (fresh ? -EINPROGRESS : -EALREADY);
	}
	tp->connecting = false;
	if (tp->state == TCP_STATE_CLOSE) {
		err = socket_error(s);
		tcp_disconnect(tp);
		return err ? err : -ECONNABORTED;
	}
	tp->connected = true;
	return 0;
}

int tcp_connect_locked(struct tcp_sock *tp, const struct sockaddr *sa, int len, bool nonblock)
{
	bool fresh = !tp->connecting;

	if (len < (int)sizeof(sa->sa_family))
		return -EINVAL;
	if (sa->sa_family == AF_UNSPEC)
		return tcp_disconnect(tp);
	if (fresh) {
		int err =
			tp->state != TCP_STATE_CLOSE || tp->connected ? -EISCONN : begin_connect(tp, sa, len);

		if (err)
			return err;
	}
	if (tp->fo_deferred)
		return fresh ? 0 : -EISCONN;
	return tcp_connect_wait(tp, fresh, nonblock);
}

int tcp_connect(struct socket *s, const struct sockaddr *sa, int len, bool nonblock)
{
	int err;

	socket_lock(s);
	err = tcp_connect_locked(tcp_sk(s), sa, len, nonblock);
	socket_unlock(s);
	return err;
}

u32 tcp_poll(struct socket *s)
{
	struct tcp_sock *tp = tcp_sk(s);
	u8 state = READ_ONCE(tp->state), shut = READ_ONCE(s->shutdown);
	u32 mask = 0;

	if (state == TCP_STATE_LISTEN)
		return READ_ONCE(tp->listen->accept_count) ? EPOLLIN | EPOLLRDNORM : 0;
	if (shut == SHUTDOWN_MASK_ || state == TCP_STATE_CLOSE)
		mask |= EPOLLHUP;
	if (shut & RCV_SHUTDOWN)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (state == TCP_STATE_SYN_SENT && tp->fo_deferred)
		mask |= EPOLLOUT | EPOLLWRNORM;
	if (state != TCP_STATE_SYN_SENT && (state != TCP_STATE_SYN_RECV || tp->fo_wait)) {
		u32 n = tcp_readable(tp);

		if (n && n >= min(s->rcvlowat, tcp_rcv_limit(tp) / 2))
			mask |= EPOLLIN | EPOLLRDNORM;
		if (shut & SEND_SHUTDOWN) {
			mask |= EPOLLOUT | EPOLLWRNORM;
		} else if (tcp_writable(tp)) {
			mask |= EPOLLOUT | EPOLLWRNORM;
		} else {
			socket_set_flag(s, SOCKF_NOSPACE, true);
			atomic_thread_fence(
				memory_order_seq_cst); /* room may have come before the flag was seen */
			if (tcp_writable(tp))
				mask |= EPOLLOUT | EPOLLWRNORM;
		}
		if (tp->urg_valid && tp->urg_have && !tp->urg_byte_read)
			mask |= EPOLLPRI;
	}
	if (atomic_load(&s->err) || !error_queue_empty(s))
		mask |= EPOLLERR;
	return mask;
}

static int tcp_ioctl(struct socket *s, unsigned cmd, int *val)
{
	struct tcp_sock *tp = tcp_sk(s);

	switch (cmd) {
	case SIOCINQ:
		if (tp->state == TCP_STATE_LISTEN)
			return -EINVAL;
		*val = (int)tcp_readable(tp);
		if (tp->urg_valid && !socket_flag(s, SOCKF_OOBINLINE) && *val &&
		    seq_ge(tp->rcv_up, tp->copied_seq) && seq_lt(tp->rcv_up, tp->rcv_nxt))
			*val = (int)(tp->rcv_up - tp->copied_seq); /* as far as a read goes */
		return 0;
	case SIOCOUTQ:
		if (tp->state == TCP_STATE_LISTEN)
			return -EINVAL;
		*val = TCP_IN(tp->state, TCPB(SYN_SENT) | TCPB(SYN_RECV))
			       ? 0
			       : (int)(tp->write_seq - tp->snd_una);
		return 0;
	case SIOCOUTQNSD:
		if (tp->state == TCP_STATE_LISTEN)
			return -EINVAL;
		*val = TCP_IN(tp->state, TCPB(SYN_SENT) | TCPB(SYN_RECV))
			       ? 0
			       : (int)(tp->write_seq - tp->snd_nxt);
		return 0;
	case SIOCATMARK:
		*val = tp->urg_valid && tp->rcv_up == tp->copied_seq;
		return 0;
	case SOCKET_IOC_LISTENING:
		*val = tp->state == TCP_STATE_LISTEN;
		return 0;
	}
	return -ENOTTY;
}

static void tcp_backlog(struct socket *s, struct packet *p)
{
	tcp_receive(tcp_sk(s), p);
}

static void tcp_wrote_space(struct socket *s)
{
	tcp_write_space(tcp_sk(s));
}

static void tcp_keepalive(struct socket *s)
{
	socket_lock(s);
	tcp_keepalive_set(tcp_sk(s));
	socket_unlock(s);
}

void tcp_free(struct socket *s)
{
	struct tcp_sock *tp = tcp_sk(s);

	atomic_fetch_sub_explicit(&s->net->tcp->sockets, 1, memory_order_relaxed);
	kfree(tp->saved_syn);
	if (tp->listen)
		kfree(tp->listen->fo_keys);
	kfree(tp->listen);
	kfree(tp->gaps);
	kfree(tp);
}

static const struct socket_ops tcp_ops = {
	.bind = tcp_bind,
	.connect = tcp_connect,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.getname = tcp_getname,
	.sendmsg = tcp_sendmsg,
	.recvmsg = tcp_recvmsg,
	.shutdown = tcp_shutdown,
	.setsockopt = tcp_setsockopt,
	.getsockopt = tcp_getsockopt,
	.poll = tcp_poll,
	.ioctl = tcp_ioctl,
	.close = tcp_close,
	.free = tcp_free,
	.backlog = tcp_backlog,
	.timer = tcp_timer_run,
	.wrote_space = tcp_wrote_space,
	.keepalive = tcp_keepalive,
};

/* With its file and its epoll item (192 bytes each) an idle connection costs about 1.4 KiB: one byte more
 * would add a third. */
_Static_assert(sizeof(struct tcp_sock) <= 1024, "struct tcp_sock must fit kmalloc-1k");

struct tcp_sock *tcp_sock_new(struct net_stack *net, int family)
{
	struct tcp_sock *tp = net_zalloc(sizeof(*tp));

	if (!tp)
		return NULL;
	inet_init(&tp->inet, net, &tcp_ops, family, SOCK_STREAM, IPPROTO_TCP);
	tp->inet.s.rcvbuf = net->tcp_rmem[1];
	tp->inet.s.sndbuf = net->tcp_wmem[1];
	tp->state = TCP_STATE_CLOSE;
	list_init(&tp->snd_bufs);
	list_init(&tp->recs);
	list_init(&tp->recs_time);
	list_init(&tp->rx);
	tp->rcv_ssthresh = ~0u;
	tp->ssthresh = 0x7fffffff;
	tp->cc = net->tcp_conf.cc;
	tp->rack_mult = 1;
	tp->rcv_wscale = tcp_default_wscale(net);
	tp->rcv_wnd = min(tcp_space(tp), 65535u);
	list_init(&tp->accept_node);
	tcp_timer_init(tp);
	atomic_fetch_add_explicit(&net->tcp->sockets, 1, memory_order_relaxed);
	return tp;
}

struct socket *tcp_create(struct net_stack *net, int family)
{
	struct tcp_sock *tp = tcp_sock_new(net, family);

	return tp ? tcp_socket(tp) : ERR_PTR(-ENOMEM);
}
