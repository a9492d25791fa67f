/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_PACKET sockets: theory, binding, receiving, sending.
 *
 * While any such socket exists, net_stack.tap points here: each frame that a device hands up, and each that
 * is about to go to a device, is shown to every socket bound to its interface and EtherType. A socket's
 * filter looks at the frame itself; what it lets through is copied, into a packet on the socket's queue or
 * into its ring (packet_ring.c). The loopback has no link header: frames get one of zeros while they are
 * looked at. SOCK_RAW sees the link header, SOCK_DGRAM does not. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/init.h"
#include "kernel/process.h"
#include "net/af_packet.h"
#include "net/checksum.h"
#include <linux/capability.h>

static struct spinlock list_lock = SPINLOCK_INIT; /* guards changes of socks; taken in sections */
static struct hlist socks;
static DEFINE_PER_CPU(struct packet_sock *, sender); /* whose frame this CPU sends: it does not see it */

static void fill_note(struct packet_note *n, const struct netdev *dev, const struct packet *p, u8 kind)
{
	const struct eth_header *eth = (const struct eth_header *)p->data;
	bool lo = dev->flags & IFF_LOOPBACK;

	*n = (struct packet_note){.from = {.sll_family = AF_PACKET,
					   .sll_protocol = eth->type,
					   .sll_ifindex = (int)dev->index,
					   .sll_hatype = lo ? ARPHRD_LOOPBACK : ARPHRD_ETHER,
					   .sll_pkttype = kind,
					   .sll_halen = 6},
				  .len = p->len,
				  .stamp = clock_realtime(),
				  .net = ETH_HDR_LEN};
	memcpy(n->from.sll_addr, eth->src, 6);
	if (p->ip_summed == PACKET_CSUM_PARTIAL || lo)
		n->status |= TP_STATUS_CSUMNOTREADY;
	else if (p->ip_summed == PACKET_CSUM_VALID && kind != PACKET_OUTGOING)
		n->status |= TP_STATUS_CSUM_VALID;
}

static void enqueue(struct packet_sock *k, const struct packet *p, u32 keep, const struct packet_note *n)
{
	struct packet *c = packet_alloc(0, keep);

	if (!c) {
		atomic_fetch_add_explicit(&k->drops, 1, memory_order_relaxed);
		return;
	}
	packet_copy_bits(p, 0, packet_put(c, keep), keep);
	c->protocol = p->protocol;
	memcpy(c->cb, n, sizeof(*n));
	if (!rx_queue_add(&k->s, &k->rx, c))
		atomic_fetch_add_explicit(&k->drops, 1, memory_order_relaxed);
}

/* P is at its link header. */
static void show(struct packet_sock *k, struct packet *p, struct packet_note n)
{
	struct socket_filter *f = rcu_dereference(k->s.filter);
	struct packet_ring *r = rcu_dereference(k->ring);
	u32 keep = ~0u;

	if (k->s.type == SOCK_DGRAM) {
		packet_advance(p, ETH_HDR_LEN);
		n.len -= ETH_HDR_LEN;
		n.net = 0;
	}
	if (f)
		keep = socket_filter_run(f, p);
	keep = min(keep, p->len);
	if (keep) {
		atomic_fetch_add_explicit(&k->packets, 1, memory_order_relaxed);
		if (!r)
			enqueue(k, p, keep, &n);
		else if (!packet_ring_put(k, r, p, keep, &n))
			atomic_fetch_add_explicit(&k->drops, 1, memory_order_relaxed);
	}
	if (k->s.type == SOCK_DGRAM)
		packet_push(p, ETH_HDR_LEN);
}

static bool wants(const struct packet_sock *k, const struct netdev *dev, u16 type, u8 kind)
{
	u16 protocol = READ_ONCE(k->protocol);
	u32 ifindex = READ_ONCE(k->ifindex);

	if (!protocol || (ifindex && ifindex != dev->index))
		return false;
	if (kind == PACKET_OUTGOING && (k->ignore_outgoing || k == this_cpu(sender)))
		return false;
	return protocol == ETH_P_ALL || (protocol == type && kind != PACKET_OUTGOING);
}

static void show_all(struct netdev *dev, struct packet *p, u8 kind)
{
	u16 type = be16(((struct eth_header *)p->data)->type), off = p->network_off;
	struct packet_sock *k;
	struct packet_note n;
	u8 was = p->kind;

	fill_note(&n, dev, p, kind);
	p->kind = kind;
	p->protocol = type;
	p->network_off = (u16)(packet_headroom(p) + ETH_HDR_LEN);
	hlist_for_each_entry(k, &socks, node)
	{
		if (wants(k, dev, type, kind))
			show(k, p, n);
	}
	p->network_off = off;
	p->kind = was;
}

static void tap(struct netdev *dev, struct packet *p, u8 kind)
{
	struct eth_header *eth;

	if (!READ_ONCE(socks.first))
		return;
	if (!(dev->flags & IFF_LOOPBACK)) {
		if (packet_linear(p) >= ETH_HDR_LEN)
			show_all(dev, p, kind);
		return;
	}
	if (packet_headroom(p) < ETH_HDR_LEN)
		return;
	if (p->protocol == ETH_TYPE_IP4 && packet_linear(p) >= IP_HDR_LEN) { /* the loopback does without */
		struct iphdr *ip = (struct iphdr *)p->data;

		if (!ip->check && ip->ihl >= 5 && ip->ihl * 4u <= packet_linear(p))
			ip->check = ip_checksum(ip, ip->ihl * 4u);
	}
	eth = (struct eth_header *)packet_push(p, ETH_HDR_LEN);
	memset(eth, 0, sizeof(*eth));
	eth->type = be16(p->protocol);
	show_all(dev, p, kind);
	packet_advance(p, ETH_HDR_LEN);
}

static int packet_bind(struct socket *s, const struct sockaddr *sa, int len)
{
	const struct sockaddr_ll *ll = (const struct sockaddr_ll *)sa;
	struct packet_sock *k = packet_sk(s);
	struct netdev *dev = NULL;

	if (len < (int)sizeof(*ll) || ll->sll_family != AF_PACKET)
		return -EINVAL;
	if (ll->sll_ifindex) {
		dev = net_device_by_index(s->net, (u32)ll->sll_ifindex);
		if (!dev)
			return -ENODEV;
	}
	WRITE_ONCE(k->ifindex, (u32)ll->sll_ifindex);
	if (ll->sll_protocol)
		WRITE_ONCE(k->protocol, be16(ll->sll_protocol));
	if (dev && !(dev->flags & IFF_UP))
		socket_set_error(s, ENETDOWN);
	return 0;
}

static int packet_getname(struct socket *s, struct sockaddr *sa, bool peer)
{
	struct packet_sock *k = packet_sk(s);
	struct netdev *dev = net_device_by_index(s->net, k->ifindex);
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET, .sll_protocol = be16(k->protocol), .sll_ifindex = (int)k->ifindex};

	if (peer)
		return -EOPNOTSUPP;
	if (dev) {
		ll.sll_hatype = dev->flags & IFF_LOOPBACK ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		ll.sll_halen = 6;
		memcpy(ll.sll_addr, dev->mac, 6);
	}
	memcpy(sa, &ll, sizeof(ll));
	return (int)offsetof(struct sockaddr_ll, sll_addr) + ll.sll_halen;
}

/* A complete frame. Takes P over. Section. */
static int transmit(struct packet_sock *k, struct netdev *dev, struct packet *p)
{
	u16 type = be16(((struct eth_header *)p->data)->type);
	int err;

	p->protocol = type;
	this_cpu(sender) = k;
	if (!(dev->flags & IFF_LOOPBACK)) {
		err = netdev_send(dev, p);
	} else if (type == ETH_TYPE_IP4 || type == ETH_TYPE_IP6) {
		packet_advance(p, ETH_HDR_LEN);
		err = netdev_send(dev, p);
	} else { /* only other packet sockets receive it */
		packet_advance(p, ETH_HDR_LEN);
		netdev_tap(dev, p, PACKET_OUTGOING);
		netdev_tap(dev, p, PACKET_HOST);
		packet_free(p);
		err = 0;
	}
	this_cpu(sender) = NULL;
	return err;
}

static ssize_t packet_sendmsg(struct socket *s, struct net_msg *m)
{
	const struct sockaddr_ll *to = m->namelen ? m->name : NULL;
	struct packet_sock *k = packet_sk(s);
	u32 ifindex = READ_ONCE(k->ifindex), front = s->type == SOCK_DGRAM ? ETH_HDR_LEN : 0;
	u16 protocol = k->protocol;
	size_t n = m->iter->left;
	struct netdev *dev;
	struct packet *p;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (to) {
		if (m->namelen < (int)offsetof(struct sockaddr_ll, sll_addr) || to->sll_family != AF_PACKET ||
		    m->namelen < (int)offsetof(struct sockaddr_ll, sll_addr) + to->sll_halen)
			return -EINVAL;
		ifindex = (u32)to->sll_ifindex;
		protocol = be16(to->sll_protocol);
		if (front && m->namelen < (int)offsetof(struct sockaddr_ll, sll_addr) + 6)
			return -EINVAL;
	}
	err = socket_error(s);
	if (err)
		return err;
	dev = net_device_by_index(s->net, ifindex);
	if (!dev)
		return -ENXIO;
	if (!(dev->flags & IFF_UP))
		return -ENETDOWN;
	if (!front && n < ETH_HDR_LEN)
		return -EINVAL;
	if (n > dev->mtu + (front ? 0u : ETH_HDR_LEN))
		return -EMSGSIZE;
	p = packet_alloc(PACKET_HEADROOM, front + n);
	if (!p)
		return -ENOBUFS;
	if (front) {
		struct eth_header *eth = (struct eth_header *)packet_put(p, ETH_HDR_LEN);

		if (to)
			memcpy(eth->dst, to->sll_addr, 6);
		else
			memset(eth->dst, 0, 6);
		memcpy(eth->src, dev->mac, 6);
		eth->type = be16(protocol);
	}
	if (iter_copy_in(m->iter, packet_put(p, (u32)n), n) < n) {
		packet_free(p);
		return -EFAULT;
	}
	net_enter();
	err = transmit(k, dev, p);
	net_leave();
	return err && !k->loss ? err : (ssize_t)n;
}

static void put_auxdata(struct net_msg *m, const struct packet_note *n, u32 snaplen)
{
	struct tpacket_auxdata aux = {.tp_status = TP_STATUS_USER | n->status,
				      .tp_len = n->len,
				      .tp_snaplen = snaplen,
				      .tp_net = n->net};

	msg_put_cmsg(m, SOL_PACKET, PACKET_AUXDATA, &aux, sizeof(aux));
}

static ssize_t packet_recvmsg(struct socket *s, struct net_msg *m)
{
	struct packet_sock *k = packet_sk(s);
	const struct packet_note *n;
	struct packet *p;
	size_t len, take;
	ssize_t ret;

	if (m->flags & ~(u32)(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC | MSG_ERRQUEUE))
		return -EINVAL;
	if (m->flags & MSG_ERRQUEUE)
		return error_queue_recv(s, m);
	p = rx_queue_get(s, &k->rx, m->flags);
	if (!p || IS_ERR(p))
		return p ? PTR_ERR(p) : 0;
	n = (const struct packet_note *)p->cb;
	len = p->len;
	take = min(len, m->iter->left);
	if (take < len)
		m->out_flags |= MSG_TRUNC;
	ret = (ssize_t)(m->flags & MSG_TRUNC ? len : take);
	if (packet_copy_to_iter(p, 0, m->iter, take) < take)
		ret = -EFAULT;
	if (m->name) {
		memcpy(m->name, &n->from, sizeof(n->from));
		m->namelen = sizeof(n->from);
	}
	s->stamp = n->stamp;
	msg_put_timestamp(s, m, n->stamp);
	if (socket_flag(s, SOCKF_RXQ_OVFL) && p->drops)
		msg_put_cmsg(m, SOL_SOCKET, SO_RXQ_OVFL, &p->drops, sizeof(u32));
	if (k->auxdata)
		put_auxdata(m, n, (u32)len);
	packet_free(p);
	return ret;
}

static u32 packet_poll(struct socket *s)
{
	struct packet_sock *k = packet_sk(s);
	u32 mask = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	struct packet_ring *r;

	if (atomic_load(&s->err) || !error_queue_empty(s))
		mask |= EPOLLERR;
	rcu_read_lock();
	r = rcu_dereference(k->ring);
	if (READ_ONCE(k->rx.count) || (r && packet_ring_readable(r)))
		mask |= EPOLLIN | EPOLLRDNORM;
	rcu_read_unlock();
	return mask;
}

static int packet_ioctl(struct socket *s, unsigned cmd, int *val)
{
	return rx_queue_ioctl(&packet_sk(s)->rx, cmd, val);
}

static void packet_close(struct socket *s)
{
	struct packet_sock *k = packet_sk(s);

	net_lock(&list_lock);
	hlist_del(&k->node);
	if (!socks.first)
		WRITE_ONCE(s->net->tap, NULL);
	net_unlock(&list_lock);
	packet_drop_members(k);
	socket_put(s); /* its memory goes after a grace period: the tap may be looking at it */
}

static void packet_free_sock(struct socket *s)
{
	struct packet_sock *k = packet_sk(s);

	packet_ring_free(k);
	rx_queue_purge(s, &k->rx);
	kfree(k);
}

static const struct socket_ops packet_ops = {
	.bind = packet_bind,
	.getname = packet_getname,
	.sendmsg = packet_sendmsg,
	.recvmsg = packet_recvmsg,
	.setsockopt = packet_setsockopt,
	.getsockopt = packet_getsockopt,
	.poll = packet_poll,
	.ioctl = packet_ioctl,
	.mmap = packet_mmap,
	.close = packet_close,
	.free = packet_free_sock,
};

static struct socket *create(struct net_stack *net, int type, int protocol)
{
	struct packet_sock *k;

	if (!process_capable(CAP_NET_RAW))
		return ERR_PTR(-EPERM);
	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return ERR_PTR(-ESOCKTNOSUPPORT);
	k = kzalloc(sizeof(*k));
	if (!k)
		return ERR_PTR(-ENOMEM);
	socket_init(&k->s, net, &packet_ops, AF_PACKET, type, (u16)protocol);
	rx_queue_init(&k->rx);
	mutex_init(&k->ring_lock);
	k->protocol = be16((u16)protocol); /* the call gives it in network order */
	net_lock(&list_lock);
	hlist_add(&socks, &k->node);
	WRITE_ONCE(net->tap, tap);
	net_unlock(&list_lock);
	return &k->s;
}

void packet_for_each(void (*fn)(struct packet_sock *, void *), void *arg)
{
	struct packet_sock *k;

	rcu_read_lock();
	hlist_for_each_entry(k, &socks, node) fn(k, arg);
	rcu_read_unlock();
}

static int packet_init(void)
{
	socket_serve_packet(create);
	return 0;
}
INITCALL(packet_init, INIT_NET);
