/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP sockets (RFC 768, udp(7)): names, sending, receiving. A datagram is copied once from the application
 * into a packet, and once out of it; the receive queue has its own lock, so receiving takes no socket lock.
 */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "net/checksum.h"
#include "net/gso.h"
#include "net/udp.h"
#include <linux/net_tstamp.h>
#include <linux/udp.h>

/* Options of level SOL_UDPLITE, which has no header (udplite(7)). */
#define SOL_UDPLITE	   136
#define UDPLITE_SEND_CSCOV 10
#define UDPLITE_RECV_CSCOV 11
#define SEGMENTS_MAX	   64	 /* of one send with UDP_SEGMENT */
#define SEGMENTS_BYTES	   65507 /* ... as long as they travel as one packet */

static struct udp_sock *udp_sk(struct socket *s)
{
	return container_of(inet_sk(s), struct udp_sock, inet);
}

static int udp_autobind(struct udp_sock *u)
{
	struct inet_sock *i = &u->inet;
	struct net_addr any = i->s.family == AF_INET ? addr_v4(0) : NET_ADDR_ANY;
	int err = 0;

	if (i->lport)
		return 0;
	socket_lock(&i->s);
	if (!i->lport)
		err = port_bind(udp_ports(i->s.net, (u8)i->s.protocol), i, &any, 0);
	socket_unlock(&i->s);
	return err == -EADDRINUSE ? -EAGAIN : err;
}

static int udp_bind(struct socket *s, const struct sockaddr *sa, int len)
{
	struct inet_sock *i = inet_sk(s);
	struct net_addr addr;
	u16 port;
	u32 scope;
	int err = inet_parse_bind(i, sa, len, &addr, &port, &scope);

	if (err)
		return err;
	socket_lock(s);
	if (i->lport) {
		err = -EINVAL;
	} else {
		if (scope)
			i->scope = scope;
		err = port_bind(udp_ports(s->net, (u8)s->protocol), i, &addr, port);
		if (!err && port)
			inet_set_flag(i, INETF_BOUND_PORT, true);
		if (!err && !addr_is_any(&addr))
			inet_set_flag(i, INETF_BOUND_ADDR, true);
	}
	socket_unlock(s);
	return err;
}

static void disconnect(struct udp_sock *u)
{
	struct inet_sock *i = &u->inet;

	socket_lock(&i->s);
	u->connected = false;
	i->fport = 0;
	i->faddr = i->s.family == AF_INET ? addr_v4(0) : NET_ADDR_ANY;
	if (!inet_flag(i, INETF_BOUND_ADDR))
		i->laddr = i->faddr;
	if (!inet_flag(i, INETF_BOUND_PORT)) {
		port_release(i);
		i->lport = 0;
	}
	socket_unlock(&i->s);
}

/* A peer's name. A dual-stack socket takes IPv4's form, too, as on Linux. V6ONLY: what it says else. */
static int parse_peer(struct inet_sock *i, const struct sockaddr *sa, int len, int v6only,
		      struct net_addr *addr, u16 *port, u32 *scope)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *)sa;
	int err = 0;

	if (i->s.family == AF_INET6 && len >= (int)sizeof(*sin) && sa->sa_family == AF_INET) {
		if (inet_flag(i, INETF_V6ONLY))
			return v6only;
		*addr = addr_v4(sin->sin_addr.s_addr);
		*port = be16(sin->sin_port);
		*scope = 0;
	} else {
		err = inet_parse(i, sa, len, addr, port, scope);
	}
	if (!err && addr_is_any(addr)) /* "this host" */
		*addr = i->s.family == AF_INET || addr_is_v4(addr) ? addr_v4(IP4(127, 0, 0, 1))
								   : (struct net_addr){.b[15] = 1};
	return err;
}

static int udp_connect(struct socket *s, const struct sockaddr *sa, int len, bool nonblock)
{
	struct udp_sock *u = udp_sk(s);
	struct inet_sock *i = &u->inet;
	struct net_addr addr;
	struct ip_flow f;
	u16 port;
	u32 scope;
	int err;

	if (len >= 2 && sa->sa_family == AF_UNSPEC) {
		disconnect(u);
		return 0;
	}
	err = parse_peer(i, sa, len, -EAFNOSUPPORT, &addr, &port, &scope);
	if (!err)
		err = udp_autobind(u);
	if (err)
		return err;
	if (scope)
		i->scope = scope;
	if (addr_is_link_local(&addr) && !i->scope && !s->bound_if)
		return -EINVAL;
	net_enter();
	err = inet_flow(i, &addr, (u8)s->protocol, NULL, &f);
	net_leave();
	if (err)
		return err;
	socket_lock(s);
	if (addr_is_any(&i->laddr))
		i->laddr = f.src;
	i->faddr = addr;
	i->fport = port;
	u->connected = true;
	socket_unlock(s);
	return 0;
}

/* The destination of a message: its name, or the connected peer. */
static int destination(struct udp_sock *u, struct net_msg *m, struct net_addr *addr, u16 *port)
{
	struct inet_sock *i = &u->inet;
	struct sockaddr *sa = m->name;
	bool v6 = i->s.family == AF_INET6;
	int err;

	if (!m->namelen || (v6 && m->namelen >= 2 && sa->sa_family == AF_UNSPEC)) {
		if (!u->connected)
			return -EDESTADDRREQ;
		*addr = i->faddr;
		*port = i->fport;
		return 0;
	}
	if (sa->sa_family == AF_UNSPEC && m->namelen >= (int)sizeof(struct sockaddr_in))
		sa->sa_family = AF_INET;
	err = parse_peer(i, sa, m->namelen, -ENETUNREACH, addr, port, &m->scope);
	if (err)
		return err == -EAFNOSUPPORT && v6 ? -EINVAL : err;
	return *port ? 0 : -EINVAL;
}

static bool is_lite(const struct udp_sock *u)
{
	return u->inet.s.protocol == IPPROTO_UDPLITE;
}

/* RFC 3828: no device knows of partial sums, so it is made here, for the loopback as well. */
static void cover(const struct udp_sock *u, struct packet *p, struct udp_header *uh, const struct ip_flow *f)
{
	u16 want = u->send_coverage;
	u32 covered = want && want < p->len ? want : p->len;

	if (covered < p->len)
		uh->len = be16((u16)covered);
	uh->check =
		csum_fold(packet_csum(p, 0, covered, csum_pseudo(&f->src, &f->dst, p->len, IPPROTO_UDPLITE)));
	if (!uh->check)
		uh->check = 0xffff; /* zero would mean none, which there is not */
	p->ip_summed = PACKET_CSUM_NONE;
}

static void count(const struct udp_sock *u, const struct ip_flow *f, enum mib_index i)
{
	if (!is_lite(u))
		mib_inc(u->inet.s.net, addr_is_v4(&f->dst) ? i : i + MIB_UDP6);
}

/* Complete the header and send. P's data is the payload. Section. */
static int transmit(struct udp_sock *u, struct packet *p, const struct ip_flow *f, u16 port)
{
	struct net_stack *net = u->inet.s.net;
	struct udp_header *uh = (struct udp_header *)packet_push(p, sizeof(*uh));
	int err;

	uh->source = be16(u->inet.lport);
	uh->dest = be16(port);
	uh->len = be16((u16)p->len);
	uh->check = 0;
	if (is_lite(u)) {
		cover(u, p, uh, f);
	} else if (f->rt.dev->features & NETDEV_LOOPBACK) {
		p->ip_summed = PACKET_CSUM_VALID;
	} else if (!socket_flag(&u->inet.s, SOCKF_NO_CHECK) || !addr_is_v4(&f->dst)) {
		p->ip_summed = PACKET_CSUM_PARTIAL;
		p->csum_offset = offsetof(struct udp_header, check);
		uh->check = (u16)~csum_fold(csum_pseudo(&f->src, &f->dst, p->len, IPPROTO_UDP));
	}
	if (unlikely(u->inet.s.tsflags & (SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED)))
		inet_report_sent(&u->inet, p->data, packet_linear(p));
	err = ip_output(net, p, f);
	if (!err)
		count(u, f, MIB_UDP_OUT_DATAGRAMS);
	else if (err == -ENOBUFS)
		count(u, f, MIB_UDP_SNDBUF_ERRORS);
	return err;
}

static int send_payload(struct udp_sock *u, struct packet *p, const struct ip_flow *f, u16 port)
{
	int err;

	net_enter();
	err = transmit(u, p, f, port);
	net_leave();
	return err;
}

/* Where M goes, and whether the socket lets it. */
static int route(struct udp_sock *u, struct net_msg *m, struct ip_flow *f, u16 *port)
{
	struct socket *s = &u->inet.s;
	struct net_addr dst;
	int err = destination(u, m, &dst, port);

	if (err)
		return err;
	net_enter();
	err = inet_flow(&u->inet, &dst, (u8)s->protocol, m, f);
	net_leave();
	if (!err)
		err = socket_error(s);
	return !err && (s->shutdown & SEND_SHUTDOWN) ? -EPIPE : err;
}

/* May N bytes leave as one datagram? -EMSGSIZE, also on the error queue. */
static int check_size(struct udp_sock *u, const struct ip_flow *f, u16 port, size_t n)
{
	u32 mtu = ip_flow_mtu(u->inet.s.net, f), most = 65535, ip = IP_HDR_LEN;

	if (!addr_is_v4(&f->dst)) { /* whose length field does not count the header */
		ip = sizeof(struct ipv6hdr);
		most += ip;
	}
	if (f->df || f->whole)
		most = min(most, mtu);
	if (n + sizeof(struct udp_header) + ip <= most)
		return 0;
	inet_local_error(&u->inet, EMSGSIZE, &f->dst, port, mtu);
	return -EMSGSIZE;
}

static struct packet *build(struct net_msg *m, size_t n)
{
	struct packet *p = packet_alloc(PACKET_HEADROOM, n);

	if (!p)
		return ERR_PTR(-ENOBUFS);
	if (iter_copy_in(m->iter, packet_put(p, (u32)n), n) < n) {
		packet_free(p);
		return ERR_PTR(-EFAULT);
	}
	return p;
}

/* MSG_MORE and UDP_CORK: gather into one datagram. What fails loses all of it. */
static ssize_t send_corked(struct udp_sock *u, struct net_msg *m, bool more)
{
	struct socket *s = &u->inet.s;
	size_t n = m->iter->left, old;
	struct packet *grown = NULL;
	int err = 0;

	socket_lock(s);
	old = u->pending ? u->pending->len : 0;
	if (!u->pending)
		err = route(u, m, &u->cork_flow, &u->cork_port);
	if (!err)
		err = check_size(u, &u->cork_flow, u->cork_port, old + n);
	if (err)
		goto out;
	grown = packet_alloc(PACKET_HEADROOM, old + n);
	if (!grown) {
		err = -ENOBUFS;
		goto out;
	}
	if (old)
		packet_copy_bits(u->pending, 0, packet_put(grown, (u32)old), (u32)old);
	if (iter_copy_in(m->iter, packet_put(grown, (u32)n), n) < n) {
		packet_free(grown);
		grown = NULL;
		err = -EFAULT;
	}
out:
	packet_free(u->pending);
	u->pending = grown;
	if (!err && !more) {
		u->pending = NULL;
		err = send_payload(u, grown, &u->cork_flow, u->cork_port);
	}
	socket_unlock(s);
	return err ? err : (ssize_t)n;
}

/* UDP_SEGMENT: one write, many datagrams. They travel as one packet up to the device, which cuts it up or has
 * it cut (gso.c), or to a receiver on this host. */
static ssize_t send_segments(struct udp_sock *u, struct net_msg *m, const struct ip_flow *f, u16 port,
			     size_t seg)
{
	size_t n = m->iter->left;
	struct packet *p;
	int err;

	if (n > SEGMENTS_BYTES)
		return -EMSGSIZE;
	/* As Linux: a segment is a packet of its own, not a datagram to be cut up again. */
	if (seg + sizeof(struct udp_header) + (addr_is_v4(&f->dst) ? 20 : 40) >
		    ip_flow_mtu(u->inet.s.net, f) ||
	    n > seg * SEGMENTS_MAX || socket_flag(&u->inet.s, SOCKF_NO_CHECK))
		return -EINVAL;
	p = build(m, n);
	if (IS_ERR(p))
		return PTR_ERR(p);
	p->gso_size = (u16)seg;
	p->gso_type = GSO_UDP;
	err = send_payload(u, p, f, port);
	return err ? err : (ssize_t)n;
}

static int segment_size(struct udp_sock *u, struct net_msg *m, size_t *size)
{
	const struct cmsghdr *h;
	size_t pos = 0;

	*size = u->gso_size;
	while ((h = msg_next_cmsg(m, &pos)) && !IS_ERR(h)) {
		if (h->cmsg_level != SOL_UDP)
			continue;
		if (h->cmsg_type != UDP_SEGMENT || h->cmsg_len != CMSG_LEN_(sizeof(u16)))
			return -EINVAL;
		*size = *(const u16 *)(h + 1);
	}
	return 0;
}

static ssize_t udp_sendmsg(struct socket *s, struct net_msg *m)
{
	struct udp_sock *u = udp_sk(s);
	size_t n = m->iter->left, seg;
	struct packet *p;
	struct ip_flow f;
	u16 port;
	int err;

	if (n > 65535 && s->family == AF_INET) /* IPv6 says so on the error queue, too (check_size) */
		return -EMSGSIZE;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	err = udp_autobind(u);
	if (!err)
		err = segment_size(u, m, &seg);
	if (err)
		return err;
	if (u->pending || u->corked || (m->flags & MSG_MORE))
		return send_corked(u, m, u->corked || (m->flags & MSG_MORE));
	err = route(u, m, &f, &port);
	if (!err && !(seg && n > seg))
		err = check_size(u, &f, port, n);
	if (err)
		return err;
	if (seg && n > seg)
		return send_segments(u, m, &f, port, seg);
	p = build(m, n);
	if (IS_ERR(p))
		return PTR_ERR(p);
	err = send_payload(u, p, &f, port);
	if (!err && (m->flags & MSG_ZEROCOPY) && socket_flag(s, SOCKF_ZEROCOPY))
		inet_zerocopy_done(&u->inet);
	return err ? err : (ssize_t)n;
}

static ssize_t udp_recvmsg(struct socket *s, struct net_msg *m)
{
	struct udp_sock *u = udp_sk(s);
	bool peek = m->flags & MSG_PEEK;
	u32 off = peek ? (u32)max(READ_ONCE(s->peek_off), 0) : 0;
	struct packet *p;
	size_t len, n;
	ssize_t ret;

	if (m->flags & MSG_ERRQUEUE)
		return error_queue_recv(s, m);
	p = rx_queue_get_at(s, &u->rx, m->flags, &off);
	if (!p || IS_ERR(p))
		return p ? PTR_ERR(p) : 0;
	len = p->len;
	n = min(len - off, m->iter->left);
	if (n < len - off)
		m->out_flags |= MSG_TRUNC;
	ret = (ssize_t)(m->flags & MSG_TRUNC ? len : n);
	if (packet_copy_to_iter(p, off, m->iter, n) < n)
		ret = -EFAULT;
	else
		socket_peek_moved(s, (size_t)ret, peek);
	inet_recv_info(&u->inet, m, p, ip_cb(p)->sport);
	if (u->gro && p->gso_size) {
		int size = p->gso_size;

		msg_put_cmsg(m, SOL_UDP, UDP_GRO, &size, sizeof(size));
	}
	packet_free(p);
	return ret;
}

static int udp_shutdown(struct socket *s, int how)
{
	WRITE_ONCE(s->shutdown, s->shutdown | (u8)(how + 1));
	socket_wake(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	return udp_sk(s)->connected ? 0 : -ENOTCONN; /* the flags are set all the same */
}

static u32 udp_poll(struct socket *s)
{
	struct udp_sock *u = udp_sk(s);
	u32 mask = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND, shut = READ_ONCE(s->shutdown);

	if (atomic_load(&s->err) || !error_queue_empty(s))
		mask |= EPOLLERR;
	if (READ_ONCE(u->rx.count))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (shut & RCV_SHUTDOWN)
		mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (shut == SHUTDOWN_MASK_)
		mask |= EPOLLHUP;
	return mask;
}

static int udp_ioctl(struct socket *s, unsigned cmd, int *val)
{
	return rx_queue_ioctl(&udp_sk(s)->rx, cmd, val);
}

static int udp_setsockopt(struct socket *s, int level, int opt, const void *val, int len)
{
	struct udp_sock *u = udp_sk(s);
	int v, err;

	if (level != SOL_UDP && !(level == SOL_UDPLITE && is_lite(u)))
		return inet_setsockopt(s, level, opt, val, len);
	err = option_int(val, len, &v);
	if (err)
		return err;
	switch (opt) {
	case UDP_CORK:
		socket_lock(s);
		u->corked = v;
		if (!v && u->pending) {
			struct packet *p = u->pending;

			u->pending = NULL;
			send_payload(u, p, &u->cork_flow, u->cork_port);
		}
		socket_unlock(s);
		return 0;
	case UDP_SEGMENT:
		if (v < 0 || v > 65535)
			return -EINVAL;
		u->gso_size = (u16)v;
		return 0;
	case UDP_GRO:
		u->gro = v;
		return 0;
	case UDPLITE_SEND_CSCOV:
	case UDPLITE_RECV_CSCOV:
		if (!is_lite(u))
			return -ENOPROTOOPT;
		v = v ? (int)clamp((u32)v, (u32)sizeof(struct udp_header), 0xffffu) : 0;
		*(opt == UDPLITE_SEND_CSCOV ? &u->send_coverage : &u->recv_coverage) = (u16)v;
		return 0;
	case UDP_NO_CHECK6_TX:
	case UDP_NO_CHECK6_RX:
		return v ? -EOPNOTSUPP : 0;
	}
	return -ENOPROTOOPT;
}

static int udp_getsockopt(struct socket *s, int level, int opt, void *val, int *len)
{
	struct udp_sock *u = udp_sk(s);

	if (level != SOL_UDP && !(level == SOL_UDPLITE && is_lite(u)))
		return inet_getsockopt(s, level, opt, val, len);
	switch (opt) {
	case UDP_CORK:
		return option_put_int(val, len, u->corked);
	case UDP_SEGMENT:
		return option_put_int(val, len, u->gso_size);
	case UDP_GRO:
		return option_put_int(val, len, u->gro);
	case UDPLITE_SEND_CSCOV:
	case UDPLITE_RECV_CSCOV:
		if (!is_lite(u))
			return -ENOPROTOOPT;
		return option_put_int(val, len,
				      opt == UDPLITE_SEND_CSCOV ? u->send_coverage : u->recv_coverage);
	case UDP_NO_CHECK6_TX:
	case UDP_NO_CHECK6_RX:
	case UDP_ENCAP:
		return option_put_int(val, len, 0);
	}
	return -ENOPROTOOPT;
}

static void udp_close(struct socket *s)
{
	struct udp_sock *u = udp_sk(s);

	socket_lock(s);
	s->shutdown = SHUTDOWN_MASK_;
	port_release(&u->inet);
	inet_drop_groups(&u->inet);
	packet_free(u->pending);
	u->pending = NULL;
	socket_unlock(s);
	socket_set_flag(s, SOCKF_DEAD, true);
	socket_wake(s, EPOLLHUP | EPOLLIN);
	socket_put(s);
}

static void udp_free(struct socket *s)
{
	struct udp_sock *u = udp_sk(s);

	rx_queue_purge(s, &u->rx);
	kfree(u);
}

static const struct socket_ops udp_ops = {
	.bind = udp_bind,
	.connect = udp_connect,
	.getname = inet_getname,
	.sendmsg = udp_sendmsg,
	.recvmsg = udp_recvmsg,
	.shutdown = udp_shutdown,
	.setsockopt = udp_setsockopt,
	.getsockopt = udp_getsockopt,
	.poll = udp_poll,
	.ioctl = udp_ioctl,
	.close = udp_close,
	.free = udp_free,
};

struct socket *udp_create(struct net_stack *net, int family, int protocol)
{
	struct udp_sock *u = kzalloc(sizeof(*u));

	if (!u)
		return ERR_PTR(-ENOMEM);
	inet_init(&u->inet, net, &udp_ops, family, SOCK_DGRAM, protocol);
	rx_queue_init(&u->rx);
	return &u->inet.s;
}
