/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw sockets (raw(7)) and ping sockets (icmp(7): SOCK_DGRAM with IPPROTO_ICMP, whose "port" is the echo
 * identifier). */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/random.h"
#include "net/checksum.h"
#include "net/raw.h"

#define ICMP_FILTER_  1 /* linux/icmp.h */
#define ICMP6_FILTER_ 1

static struct raw_sock *raw_sk(struct socket *s)
{
	return container_of(inet_sk(s), struct raw_sock, inet);
}

static int raw_bind(struct socket *s, const struct sockaddr *sa, int len)
{
	struct raw_sock *r = raw_sk(s);
	struct net_addr addr;
	u16 port;
	u32 scope;
	int err = inet_parse(&r->inet, sa, len, &addr, &port, &scope);

	if (!err)
		err = inet_check_bind(&r->inet, &addr, scope);
	if (err)
		return err;
	socket_lock(s);
	r->inet.laddr = addr;
	inet_set_flag(&r->inet, INETF_BOUND_ADDR, !addr_is_any(&addr));
	if (r->ping && port)
		r->inet.lport = port;
	socket_unlock(s);
	return 0;
}

static int raw_connect(struct socket *s, const struct sockaddr *sa, int len, bool nonblock)
{
	struct raw_sock *r = raw_sk(s);
	struct net_addr addr;
	struct ip_flow f;
	u16 port;
	u32 scope;
	int err;

	if (len >= 2 && sa->sa_family == AF_UNSPEC) {
		r->connected = false;
		r->inet.fport = 0;
		r->inet.faddr = s->family == AF_INET ? addr_v4(0) : NET_ADDR_ANY;
		if (!inet_flag(&r->inet, INETF_BOUND_ADDR))
			r->inet.laddr = r->inet.faddr;
		return 0;
	}
	err = inet_parse(&r->inet, sa, len, &addr, &port, &scope);
	if (err)
		return err;
	net_enter();
	err = inet_flow(&r->inet, &addr, (u8)s->protocol, NULL, &f);
	net_leave();
	if (err)
		return err;
	socket_lock(s);
	if (addr_is_any(&r->inet.laddr))
		r->inet.laddr = f.src;
	r->inet.faddr = addr;
	r->inet.fport = port;
	r->connected = true;
	socket_unlock(s);
	return 0;
}

static int raw_getname(struct socket *s, struct sockaddr *sa, bool peer)
{
	struct raw_sock *r = raw_sk(s);

	if (peer && !r->connected)
		return -ENOTCONN;
	return peer ? inet_fill(s->family, &r->inet.faddr, r->inet.fport, r->inet.scope, sa)
		    : inet_fill(s->family, &r->inet.laddr, r->ping ? r->inet.lport : s->protocol,
				r->inet.scope, sa);
}

/* The application wrote the IP header: complete what it may leave to us (raw(7)). */
static int fix_header(struct packet *p, const struct ip_flow *f)
{
	struct iphdr *ip = (struct iphdr *)p->data;
	u32 hdr;

	if (p->len < IP_HDR_LEN)
		return -EINVAL;
	hdr = ip->ihl * 4u;
	if (hdr < IP_HDR_LEN || hdr > p->len)
		return -EINVAL;
	ip->tot_len = be16((u16)p->len);
	if (!ip->saddr)
		ip->saddr = f->src.w[3];
	if (!ip->id)
		ip->id = (u16)random_u64();
	ip->check = 0;
	ip->check = ip_checksum(ip, hdr);
	p->network_off = (u16)packet_headroom(p);
	p->transport_off = (u16)(p->network_off + hdr);
	return 0;
}

static int fix_ping(struct raw_sock *r, struct packet *p)
{
	struct icmphdr *ic = (struct icmphdr *)p->data;
	u8 want = r->inet.s.family == AF_INET ? ICMP_ECHO : 128;

	if (p->len < ICMP_HDR_LEN)
		return -EINVAL;
	if (ic->type != want || ic->code)
		return -EINVAL;
	if (!r->inet.lport)
		r->inet.lport = (u16)(random_u64() % 65535 + 1);
	ic->un.echo.id = be16(r->inet.lport);
	ic->checksum = 0;
	if (want == ICMP_ECHO)
		ic->checksum = csum_fold(packet_csum(p, 0, p->len, 0));
	return 0;
}

static int fix_checksum6(struct raw_sock *r, struct packet *p, const struct ip_flow *f)
{
	u16 sum = 0;
	int off = r->checksum_offset;

	if (off < 0)
		return 0;
	if ((u32)off + 2 > p->len)
		return -EINVAL;
	memcpy(p->data + off, &sum, 2);
	sum = csum_fold(packet_csum(p, 0, p->len, csum_pseudo(&f->src, &f->dst, p->len, f->proto)));
	memcpy(p->data + off, &sum, 2);
	return 0;
}

static ssize_t raw_sendmsg(struct socket *s, struct net_msg *m)
{
	struct raw_sock *r = raw_sk(s);
	bool hdrincl = inet_flag(&r->inet, INETF_HDRINCL);
	size_t n = m->iter->left;
	struct net_addr addr = r->inet.faddr;
	struct ip_flow f;
	struct packet *p;
	u16 port;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (n > 65535u - (s->family == AF_INET && !hdrincl ? IP_HDR_LEN : 0))
		return -EMSGSIZE;
	err = socket_error(s);
	if (err)
		return err;
	if (m->namelen) {
		err = inet_parse(&r->inet, m->name, m->namelen, &addr, &port, &m->scope);
		if (err)
			return err;
		if (s->family == AF_INET6 && !r->ping && port && port != s->protocol)
			return -EINVAL; /* it names the protocol (ipv6(7)) */
	} else if (!r->connected) {
		return -EDESTADDRREQ;
	}
	if (addr_is_any(&addr))
		addr = addr_is_v4(&addr) ? addr_v4(IP4(127, 0, 0, 1)) : (struct net_addr){.b[15] = 1};
	p = packet_alloc(PACKET_HEADROOM, n);
	if (!p)
		return -ENOBUFS;
	if (iter_copy_in(m->iter, packet_put(p, (u32)n), n) < n) {
		packet_free(p);
		return -EFAULT;
	}
	net_enter();
	err = inet_flow(&r->inet, &addr, (u8)s->protocol, m, &f);
	f.hdrincl = f.whole = f.dev_mtu = hdrincl;
	if (!err && hdrincl && addr_is_v4(&addr))
		err = fix_header(p, &f);
	if (!err && r->ping)
		err = fix_ping(r, p);
	if (!err && !addr_is_v4(&addr))
		err = fix_checksum6(r, p, &f);
	if (!err)
		err = ip_output(s->net, p, &f);
	else
		packet_free(p);
	if (err == -EMSGSIZE)
		inet_local_error(&r->inet, EMSGSIZE, &addr, 0, ip_flow_mtu(s->net, &f));
	net_leave();
	return err ? err : (ssize_t)n;
}

static ssize_t raw_recvmsg(struct socket *s, struct net_msg *m)
{
	struct raw_sock *r = raw_sk(s);
	struct packet *p;
	size_t len, n;
	ssize_t ret;

	if (m->flags & MSG_ERRQUEUE)
		return error_queue_recv(s, m);
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	p = rx_queue_get(s, &r->rx, m->flags);
	if (!p || IS_ERR(p))
		return p ? PTR_ERR(p) : 0;
	len = p->len;
	n = min(len, m->iter->left);
	if (n < len)
		m->out_flags |= MSG_TRUNC;
	ret = (ssize_t)(m->flags & MSG_TRUNC ? len : n);
	if (packet_copy_to_iter(p, 0, m->iter, n) < n)
		ret = -EFAULT;
	inet_recv_info(&r->inet, m, p, 0);
	packet_free(p);
	return ret;
}

static u32 raw_poll(struct socket *s)
{
	struct raw_sock *r = raw_sk(s);
	u32 mask = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

	if (atomic_load(&s->err) || !error_queue_empty(s))
		mask |= EPOLLERR;
	if (READ_ONCE(r->rx.count))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (s->shutdown & RCV_SHUTDOWN)
		mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (s->shutdown == SHUTDOWN_MASK_)
		mask |= EPOLLHUP;
	return mask;
}

static int raw_ioctl(struct socket *s, unsigned cmd, int *val)
{
	return rx_queue_ioctl(&raw_sk(s)->rx, cmd, val);
}

static int raw_shutdown(struct socket *s, int how)
{
	WRITE_ONCE(s->shutdown, s->shutdown | (u8)(how + 1));
	socket_wake(s, EPOLLIN | EPOLLOUT | EPOLLHUP);
	return raw_sk(s)->connected ? 0 : -ENOTCONN; /* the flags are set all the same */
}

static int raw_setsockopt(struct socket *s, int level, int opt, const void *val, int len)
{
	struct raw_sock *r = raw_sk(s);
	int v;

	if (level == SOL_RAW && opt == ICMP_FILTER_ && s->protocol == IPPROTO_ICMP) {
		memcpy(&r->icmp_filter, val, min((size_t)len, sizeof(r->icmp_filter)));
		return 0;
	}
	if (level == SOL_ICMPV6 && opt == ICMP6_FILTER_ && s->protocol == IPPROTO_ICMPV6) {
		memcpy(r->icmp6_filter, val, min((size_t)len, sizeof(r->icmp6_filter)));
		return 0;
	}
	if ((level == SOL_RAW || level == SOL_IPV6) && opt == IPV6_CHECKSUM && s->family == AF_INET6) {
		if (option_int(val, len, &v) || (v > 0 && v & 1) ||
		    (level == SOL_IPV6 && s->protocol == IPPROTO_ICMPV6))
			return -EINVAL; /* ICMPv6 sums are always there (RFC 3542 3.1) */
		r->checksum_offset = v < 0 ? -1 : v;
		return 0;
	}
	return inet_setsockopt(s, level, opt, val, len);
}

static int raw_getsockopt(struct socket *s, int level, int opt, void *val, int *len)
{
	struct raw_sock *r = raw_sk(s);

	if (level == SOL_RAW && opt == ICMP_FILTER_ && s->protocol == IPPROTO_ICMP)
		return option_put(val, len, &r->icmp_filter, sizeof(r->icmp_filter));
	if (level == SOL_ICMPV6 && opt == ICMP6_FILTER_ && s->protocol == IPPROTO_ICMPV6)
		return option_put(val, len, r->icmp6_filter, sizeof(r->icmp6_filter));
	if ((level == SOL_RAW || level == SOL_IPV6) && opt == IPV6_CHECKSUM && s->family == AF_INET6)
		return option_put_int(val, len, r->checksum_offset);
	return inet_getsockopt(s, level, opt, val, len);
}

static void raw_close(struct socket *s)
{
	struct raw_sock *r = raw_sk(s);

	socket_lock(s);
	inet_drop_groups(&r->inet);
	socket_unlock(s);
	net_lock(&s->net->raw->lock);
	hlist_del(&r->node);
	net_unlock(&s->net->raw->lock);
	socket_put(s);
}

static void raw_free(struct socket *s)
{
	rx_queue_purge(s, &raw_sk(s)->rx);
	kfree(raw_sk(s));
}

static const struct socket_ops raw_ops = {
	.bind = raw_bind,
	.connect = raw_connect,
	.getname = raw_getname,
	.sendmsg = raw_sendmsg,
	.recvmsg = raw_recvmsg,
	.shutdown = raw_shutdown,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.poll = raw_poll,
	.ioctl = raw_ioctl,
	.close = raw_close,
	.free = raw_free,
};

static struct socket *create(struct net_stack *net, int family, int type, int protocol)
{
	struct raw_sock *r = kzalloc(sizeof(*r));

	if (!r)
		return ERR_PTR(-ENOMEM);
	inet_init(&r->inet, net, &raw_ops, family, type, protocol);
	rx_queue_init(&r->rx);
	r->ping = type == SOCK_DGRAM;
	r->checksum_offset = protocol == IPPROTO_ICMPV6 ? 2 : -1;
	if (protocol == IPPROTO_RAW && type == SOCK_RAW)
		inet_set_flag(&r->inet, INETF_HDRINCL, true);
	net_lock(&net->raw->lock);
	hlist_add(r->ping ? &net->raw->ping : &net->raw->raw, &r->node);
	net_unlock(&net->raw->lock);
	return &r->inet.s;
}

struct socket *raw_create(struct net_stack *net, int family, int protocol)
{
	return create(net, family, SOCK_RAW, protocol);
}

struct socket *ping_create(struct net_stack *net, int family)
{
	return create(net, family, SOCK_DGRAM, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static bool filtered(const struct raw_sock *r, const struct packet *p)
{
	u8 type;

	if (!p->len || (!r->icmp_filter && r->inet.s.protocol != IPPROTO_ICMPV6))
		return false;
	packet_copy_bits(p, 0, &type, 1);
	if (r->inet.s.protocol == IPPROTO_ICMP)
		return type < 32 && (r->icmp_filter >> type & 1);
	return r->icmp6_filter[type / 32] >> (type % 32) & 1;
}

static bool matches(struct raw_sock *r, const struct ip_cb *cb)
{
	struct inet_sock *i = &r->inet;

	if ((i->s.family == AF_INET) != addr_is_v4(&cb->dst))
		return false;
	if (!addr_is_any(&i->laddr) && !addr_equal(&i->laddr, &cb->dst))
		return false;
	if (r->connected && !addr_equal(&i->faddr, &cb->src))
		return false;
	return !i->s.bound_if || i->s.bound_if == cb->iif;
}

static void queue_copy(struct raw_sock *r, struct packet *p, bool with_header)
{
	u32 front =
		with_header ? (u32)(p->data - packet_network(p)) : 0; /* IPv4 raw sockets see the IP header */
	struct packet *c;

	packet_push(p, front);
	c = packet_copy(p, packet_headroom(p));
	packet_advance(p, front);
	if (!c)
		return;
	if (unlikely(r->inet.s.filter) && !socket_filter_accept(&r->inet.s, c, 0, 0)) {
		packet_free(c);
		return;
	}
	ip_cb(c)->stamp = clock_realtime();
	rx_queue_add(&r->inet.s, &r->rx, c);
}

bool raw_input(struct net_stack *net, struct packet *p, u8 proto)
{
	struct raw_sock *r;
	bool any = false;

	if (likely(!READ_ONCE(net->raw->raw.first)))
		return false;
	hlist_for_each_entry(r, &net->raw->raw, node)
	{
		if (r->inet.s.protocol != proto || !matches(r, ip_cb(p)) ||
		    ((proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) && filtered(r, p)))
			continue;
		if (addr_is_multicast(&ip_cb(p)->dst) &&
		    !inet_wants_group(&r->inet, &ip_cb(p)->dst, &ip_cb(p)->src, ip_cb(p)->iif))
			continue;
		queue_copy(r, p, r->inet.s.family == AF_INET);
		any = true;
	}
	return any;
}

void ping_input(struct net_stack *net, struct packet *p)
{
	struct icmphdr *ic = (struct icmphdr *)p->data;
	struct raw_sock *r;

	hlist_for_each_entry(r, &net->raw->ping, node) if (be16(ic->un.echo.id) == r->inet.lport &&
							   matches(r, ip_cb(p))) queue_copy(r, p, false);
}

void raw_icmp_error(struct net_stack *net, u8 proto, const struct icmp_error *e)
{
	struct raw_sock *r;

	hlist_for_each_entry(r, &net->raw->raw, node)
	{
		struct inet_sock *i = &r->inet;

		if (i->s.protocol != proto || (i->s.family == AF_INET) != addr_is_v4(&e->dst))
			continue;
		if ((!addr_is_any(&i->laddr) && !addr_equal(&i->laddr, &e->src)) ||
		    (r->connected && !addr_equal(&i->faddr, &e->dst)))
			continue;
		if (inet_wants_errors(i, &e->dst))
			inet_report_error(i, e, e->transport, e->transport_len, 0);
		else if (!r->connected || !e->fatal)
			continue;
		socket_set_error(&i->s, e->err);
	}
	if (proto != IPPROTO_ICMP && proto != IPPROTO_ICMPV6)
		return;
	hlist_for_each_entry(r, &net->raw->ping, node)
	{
		const struct icmphdr *ic = (const struct icmphdr *)e->transport;
		struct inet_sock *i = &r->inet;

		if (be16(ic->un.echo.id) != i->lport || (i->s.family == AF_INET) != addr_is_v4(&e->dst))
			continue;
		if (inet_wants_errors(i, &e->dst))
			inet_report_error(i, e, e->transport, e->transport_len, 0);
		socket_set_error(&i->s, e->err);
	}
}

void raw_for_each(struct net_stack *net, void (*fn)(struct raw_sock *, void *), void *arg)
{
	struct raw_sock *r;

	hlist_for_each_entry(r, &net->raw->raw, node) fn(r, arg);
}

int raw_stack_init(struct net_stack *net)
{
	net->raw = kzalloc(sizeof(*net->raw));
	if (!net->raw)
		return -ENOMEM;
	spin_init(&net->raw->lock);
	return 0;
}

void raw_stack_destroy(struct net_stack *net)
{
	kfree(net->raw);
	net->raw = NULL;
}
