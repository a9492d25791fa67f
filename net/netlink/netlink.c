/* SPDX-License-Identifier: BSD-2-Clause */
/* Netlink sockets: binding to a port number and groups, requests in, answers and notifications out. A dump is
 * made page by page: the next page when the reader took the last one, so it needs no memory for the whole. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/process.h"
#include "net/netlink.h"
#include "net/sock_diag.h"
#include <linux/capability.h>
#include <linux/rtnetlink.h>

#define PAGE_BYTES  8192 /* of one answer, header of the packet not counted */
#define REQUEST_MAX (64u << 10)

static DEFINE_COUNTER(netlink_overruns, "netlink notifications lost because a reader was slow");
static struct spinlock list_lock = SPINLOCK_INIT; /* guards all; taken in sections */
static LIST_HEAD(all);

/* One request, or a page of a dump, by what the socket's protocol offers. */
static int request(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	switch (r->sk->s.protocol) {
	case NETLINK_ROUTE:
		return rtnl_request(r, m, cursor);
	case NETLINK_SOCK_DIAG:
		return sock_diag_request(r, m, cursor);
	}
	return -EOPNOTSUPP;
}

/* Does the request only read? */
static bool reads_only(const struct netlink_sock *n, const struct nlmsghdr *req)
{
	if (n->s.protocol == NETLINK_SOCK_DIAG)
		return req->nlmsg_type != SOCK_DESTROY;
	return (req->nlmsg_type & 3) == 2; /* RTM_GET... */
}

struct netlink_dump {
	bool privileged; /* who asked */
	u64 cursor;
	size_t len;
	struct nlmsghdr req[]; /* the request */
};

static struct netlink_sock *nl_sk(struct socket *s)
{
	return container_of(s, struct netlink_sock, s);
}

static bool portid_taken(u32 id)
{
	struct netlink_sock *n;

	list_for_each_entry (n, &all, node)
		if (n->portid == id)
			return true;
	return false;
}

static int set_portid(struct netlink_sock *n, u32 want)
{
	int err = 0;

	net_lock(&list_lock);
	if (n->portid) {
		err = want && want != n->portid ? -EINVAL : 0;
	} else if (want) {
		if (portid_taken(want))
			err = -EADDRINUSE;
		else
			n->portid = want;
	} else {
		u32 id = current_process()->pid;

		for (u32 k = 0; portid_taken(id); k++)
			id = ~0u - 4096 - k;
		n->portid = id;
	}
	net_unlock(&list_lock);
	return err;
}

static int netlink_bind(struct socket *s, const struct sockaddr *sa, int len)
{
	const struct sockaddr_nl *nl = (const struct sockaddr_nl *)sa;
	struct netlink_sock *n = nl_sk(s);
	int err;

	if (len < (int)sizeof(*nl))
		return -EINVAL;
	if (nl->nl_family != AF_NETLINK)
		return -EINVAL;
	err = set_portid(n, nl->nl_pid);
	if (!err)
		n->groups = nl->nl_groups;
	return err;
}

static int netlink_connect(struct socket *s, const struct sockaddr *sa, int len, bool nonblock)
{
	const struct sockaddr_nl *nl = (const struct sockaddr_nl *)sa;
	struct netlink_sock *n = nl_sk(s);

	if (len >= 2 && sa->sa_family == AF_UNSPEC) {
		n->dst_portid = n->dst_groups = 0;
		return 0;
	}
	if (len < (int)sizeof(*nl) || nl->nl_family != AF_NETLINK)
		return -EINVAL;
	n->dst_portid = nl->nl_pid;
	n->dst_groups = nl->nl_groups;
	return set_portid(n, 0);
}

static int netlink_getname(struct socket *s, struct sockaddr *sa, bool peer)
{
	struct netlink_sock *n = nl_sk(s);
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK,
				 .nl_pid = peer ? n->dst_portid : n->portid,
				 .nl_groups = peer ? n->dst_groups : n->groups};

	memcpy(sa, &nl, sizeof(nl));
	return sizeof(nl);
}

static void queue(struct netlink_sock *n, struct packet *p)
{
	if (!rx_queue_add(&n->s, &n->rx, p)) {
		counter_inc(&netlink_overruns);
		socket_set_error(&n->s, ENOBUFS);
	}
}

int netlink_post_socket(struct socket *s, const void *data, size_t n)
{
	struct packet *p;

	if (s->family != AF_NETLINK)
		return -EINVAL;
	if (!n)
		return 0;
	p = packet_alloc(0, n);
	if (!p)
		return -ENOMEM;
	memcpy(packet_put(p, (u32)n), data, n);
	net_enter();
	queue(nl_sk(s), p);
	net_leave();
	return 0;
}

static void finish(struct netlink_sock *n, struct nl_msg *m)
{
	net_enter();
	if (m->p->len)
		queue(n, m->p);
	else
		packet_free(m->p);
	net_leave();
}

/* WHY, if any, goes along to those who asked for words. */
static void acknowledge(struct netlink_sock *n, const struct nlmsghdr *req, int err, const char *why)
{
	struct nlmsgerr *e;
	bool whole = err && !n->cap_ack, words = n->ext_ack && why && err;
	size_t extra = whole ? req->nlmsg_len - sizeof(*req) : 0;
	struct nl_msg m;

	if (!nl_alloc(&m, NLMSG_HDRLEN + sizeof(*e) + extra + 16 + (words ? strlen(why) + 8 : 0)))
		return;
	e = nl_begin(&m, n->portid, req->nlmsg_seq, NLMSG_ERROR,
		     (u16)((whole ? 0 : NLM_F_CAPPED) | (words ? NLM_F_ACK_TLVS : 0)), sizeof(*e) + extra);
	e->error = err;
	memcpy(&e->msg, req, sizeof(*req) + extra);
	if (words)
		nl_attr_str(&m, NLMSGERR_ATTR_MSG, why);
	nl_end(&m);
	finish(n, &m);
}

/* Make the next page of N's dump. dump_lock held. */
static void dump_page(struct netlink_sock *n)
{
	struct netlink_dump *d = n->dump;
	struct nl_request r = {.sk = n,
			       .nlh = d->req,
			       .portid = n->portid,
			       .dump = true,
			       .privileged = d->privileged,
			       .answer_flags = NLM_F_MULTI};
	struct nl_msg m;
	int more;
	u8 *done;

	if (!nl_alloc(&m, PAGE_BYTES)) {
		socket_set_error(&n->s, ENOBUFS);
		more = 0;
		goto end;
	}
	more = request(&r, &m, &d->cursor);
	if (more <= 0) {
		bool words = more && n->ext_ack && r.why;

		done = nl_begin(&m, n->portid, d->req->nlmsg_seq, NLMSG_DONE,
				(u16)(NLM_F_MULTI | (words ? NLM_F_ACK_TLVS : 0)), 4);
		memcpy(done, &more, 4);
		if (words)
			nl_attr_str(&m, NLMSGERR_ATTR_MSG, r.why);
		if (!nl_end(&m))
			more = 1; /* the end marker goes on a page of its own */
	}
	finish(n, &m);
end:
	if (more <= 0) {
		n->dump = NULL;
		kfree(d);
	}
}

static int start_dump(struct netlink_sock *n, const struct nlmsghdr *req)
{
	struct netlink_dump *d;

	if (n->dump)
		return -EBUSY;
	d = kmalloc(sizeof(*d) + req->nlmsg_len);
	if (!d)
		return -ENOMEM;
	d->cursor = 0;
	d->privileged = process_capable(CAP_NET_ADMIN);
	d->len = req->nlmsg_len;
	memcpy(d->req, req, req->nlmsg_len);
	n->dump = d;
	dump_page(n);
	return 0;
}

static void one_request(struct netlink_sock *n, const struct nlmsghdr *req)
{
	struct nl_request r = {
		.sk = n, .nlh = req, .portid = n->portid, .privileged = process_capable(CAP_NET_ADMIN)};
	bool get = reads_only(n, req);
	struct nl_msg m;
	u64 cursor = 0;
	int err;

	if (!(req->nlmsg_flags & NLM_F_REQUEST) || req->nlmsg_type < NLMSG_MIN_TYPE)
		goto ack_only;
	if (get && (req->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
		err = start_dump(n, req);
		if (err)
			acknowledge(n, req, err, NULL);
		return;
	}
	if (!get && !r.privileged) {
		acknowledge(n, req, -EPERM, NULL);
		return;
	}
	if (!nl_alloc(&m, PAGE_BYTES)) {
		acknowledge(n, req, -ENOBUFS, NULL);
		return;
	}
	err = request(&r, &m, &cursor);
	finish(n, &m);
	if (err || (req->nlmsg_flags & NLM_F_ACK))
		acknowledge(n, req, err, r.why);
	return;
ack_only:
	if (req->nlmsg_flags & NLM_F_ACK)
		acknowledge(n, req, 0, NULL);
}

static ssize_t netlink_sendmsg(struct socket *s, struct net_msg *m)
{
	struct netlink_sock *n = nl_sk(s);
	size_t len = m->iter->left, off = 0;
	u32 portid = n->dst_portid;
	u8 *buf;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->namelen) {
		const struct sockaddr_nl *nl = m->name;

		if (m->namelen < (int)sizeof(*nl) || nl->nl_family != AF_NETLINK)
			return -EINVAL;
		portid = nl->nl_pid;
	}
	err = set_portid(n, 0);
	if (err)
		return err;
	if (len > min(REQUEST_MAX, s->sndbuf))
		return -EMSGSIZE;
	if (portid)
		return -ECONNREFUSED; /* only the kernel listens */
	buf = kmalloc(max(len, 1ul));
	if (!buf)
		return -ENOBUFS;
	if (iter_copy_in(m->iter, buf, len) < len) {
		kfree(buf);
		return -EFAULT;
	}
	mutex_lock(&n->dump_lock);
	while (len - off >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(buf + off);

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > len - off)
			break;
		one_request(n, h);
		off += min(ALIGN_UP((size_t)h->nlmsg_len, 4ul), len - off);
	}
	mutex_unlock(&n->dump_lock);
	kfree(buf);
	return (ssize_t)len;
}

static ssize_t netlink_recvmsg(struct socket *s, struct net_msg *m)
{
	struct netlink_sock *n = nl_sk(s);
	struct sockaddr_nl from = {.nl_family = AF_NETLINK};
	struct packet *p;
	size_t len, k;
	ssize_t ret;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	p = rx_queue_get(s, &n->rx, m->flags);
	if (!p || IS_ERR(p))
		return p ? PTR_ERR(p) : 0;
	len = p->len;
	k = min(len, m->iter->left);
	if (k < len)
		m->out_flags |= MSG_TRUNC;
	ret = (ssize_t)(m->flags & MSG_TRUNC ? len : k);
	if (packet_copy_to_iter(p, 0, m->iter, k) < k)
		ret = -EFAULT;
	if (m->name) {
		memcpy(m->name, &from, sizeof(from));
		m->namelen = sizeof(from);
	}
	if (n->pktinfo) {
		struct nl_pktinfo pi = {};

		msg_put_cmsg(m, SOL_NETLINK, NETLINK_PKTINFO, &pi, sizeof(pi));
	}
	if (socket_flag(s, SOCKF_PASSCRED)) {
		struct ucred c = {};

		msg_put_cmsg(m, SOL_SOCKET, SCM_CREDENTIALS, &c, sizeof(c));
	}
	packet_free(p);
	mutex_lock(&n->dump_lock);
	if (n->dump && !(m->flags & MSG_PEEK) && !READ_ONCE(n->rx.count))
		dump_page(n);
	mutex_unlock(&n->dump_lock);
	return ret;
}

static u32 netlink_poll(struct socket *s)
{
	u32 mask = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

	if (READ_ONCE(nl_sk(s)->rx.count))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (atomic_load(&s->err))
		mask |= EPOLLERR;
	return mask;
}

static int netlink_setsockopt(struct socket *s, int level, int opt, const void *val, int len)
{
	struct netlink_sock *n = nl_sk(s);
	int v, err;

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	err = option_int(val, len, &v);
	if (err)
		return err;
	switch (opt) {
	case NETLINK_ADD_MEMBERSHIP:
	case NETLINK_DROP_MEMBERSHIP:
		if (v < 1 || v > RTNLGRP_MAX)
			return -EINVAL;
		if (v <= 32) /* of the others nothing is told here */
			n->groups = opt == NETLINK_ADD_MEMBERSHIP ? n->groups | 1u << (v - 1)
								  : n->groups & ~(1u << (v - 1));
		return 0;
	case NETLINK_PKTINFO:
		n->pktinfo = v;
		return 0;
	case NETLINK_EXT_ACK:
		n->ext_ack = v;
		return 0;
	case NETLINK_GET_STRICT_CHK:
		n->strict = v;
		return 0;
	case NETLINK_CAP_ACK:
		n->cap_ack = v;
		return 0;
	case NETLINK_BROADCAST_ERROR:
	case NETLINK_NO_ENOBUFS:
	case NETLINK_LISTEN_ALL_NSID:
		return 0;
	}
	return -ENOPROTOOPT;
}

static int netlink_getsockopt(struct socket *s, int level, int opt, void *val, int *len)
{
	struct netlink_sock *n = nl_sk(s);

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	switch (opt) {
	case NETLINK_PKTINFO:
		return option_put_int(val, len, n->pktinfo);
	case NETLINK_EXT_ACK:
		return option_put_int(val, len, n->ext_ack);
	case NETLINK_GET_STRICT_CHK:
		return option_put_int(val, len, n->strict);
	case NETLINK_CAP_ACK:
		return option_put_int(val, len, n->cap_ack);
	case NETLINK_LIST_MEMBERSHIPS:
		return option_put(val, len, &n->groups, sizeof(n->groups));
	}
	return -ENOPROTOOPT;
}

static void netlink_close(struct socket *s)
{
	struct netlink_sock *n = nl_sk(s);

	net_lock(&list_lock);
	list_del(&n->node);
	net_unlock(&list_lock);
	socket_put(s);
}

static void netlink_free(struct socket *s)
{
	struct netlink_sock *n = nl_sk(s);

	rx_queue_purge(s, &n->rx);
	kfree(n->dump);
	kfree(n);
}

static const struct socket_ops netlink_ops = {
	.bind = netlink_bind,
	.connect = netlink_connect,
	.getname = netlink_getname,
	.sendmsg = netlink_sendmsg,
	.recvmsg = netlink_recvmsg,
	.poll = netlink_poll,
	.setsockopt = netlink_setsockopt,
	.getsockopt = netlink_getsockopt,
	.close = netlink_close,
	.free = netlink_free,
};

struct socket *netlink_create(struct net_stack *net, int type, int protocol)
{
	struct netlink_sock *n;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return ERR_PTR(-ESOCKTNOSUPPORT);
	if (protocol != NETLINK_ROUTE && protocol != NETLINK_SOCK_DIAG && protocol != NETLINK_KOBJECT_UEVENT)
		return ERR_PTR(-EPROTONOSUPPORT);
	n = kzalloc(sizeof(*n));
	if (!n)
		return ERR_PTR(-ENOMEM);
	socket_init(&n->s, net, &netlink_ops, AF_NETLINK, type, protocol);
	mutex_init(&n->dump_lock);
	rx_queue_init(&n->rx);
	net_lock(&list_lock);
	list_add_tail(&n->node, &all);
	net_unlock(&list_lock);
	return &n->s;
}

bool netlink_has_listeners(unsigned group)
{
	struct netlink_sock *n;
	bool any = false;

	net_lock(&list_lock);
	list_for_each_entry (n, &all, node)
		any |= n->groups >> (group - 1) & 1;
	net_unlock(&list_lock);
	return any;
}

void netlink_broadcast(struct net_stack *net, struct nl_msg *m, unsigned group)
{
	struct netlink_sock *n;

	net_lock(&list_lock);
	list_for_each_entry (n, &all, node) {
		struct packet *c;

		if (n->s.net != net || n->s.protocol != NETLINK_ROUTE || !(n->groups >> (group - 1) & 1))
			continue;
		c = packet_copy(m->p, 0);
		if (c && unlikely(n->s.filter) && !socket_filter_accept(&n->s, c, 0, 0))
			packet_free(c);
		else if (c)
			queue(n, c);
		else
			socket_set_error(&n->s, ENOBUFS);
	}
	net_unlock(&list_lock);
	packet_free(m->p);
}

void netlink_for_each(void (*fn)(struct netlink_sock *, void *), void *arg)
{
	struct netlink_sock *n;

	net_lock(&list_lock);
	list_for_each_entry (n, &all, node)
		fn(n, arg);
	net_unlock(&list_lock);
}
