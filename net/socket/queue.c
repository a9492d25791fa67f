/* SPDX-License-Identifier: BSD-2-Clause */
/* Queues of received datagrams and of reported errors; see net/socket.h. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "net/socket.h"
#include <linux/time.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

void rx_queue_init(struct rx_queue *q)
{
	spin_init(&q->lock);
	list_init(&q->packets);
}

bool rx_queue_add(struct socket *s, struct rx_queue *q, struct packet *p)
{
	u32 size = packet_truesize(p);

	/* A socket takes one packet more than its buffer holds, as Linux does, so that any datagram fits an
	 * empty one. */
	if (atomic_load_explicit(&s->rmem, memory_order_relaxed) > s->rcvbuf ||
	    !net_mem_charge(s->net, size, false)) {
		q->drops++;
		packet_free(p);
		return false;
	}
	atomic_fetch_add_explicit(&s->rmem, size, memory_order_relaxed);
	p->drops = q->drops;
	net_lock(&q->lock);
	list_add_tail(&p->node, &q->packets);
	WRITE_ONCE(q->count, q->count + 1);
	WRITE_ONCE(q->added, q->added + 1);
	net_unlock(&q->lock);
	socket_wake(s, EPOLLIN | EPOLLRDNORM);
	return true;
}

static void uncharge(struct socket *s, struct packet *p)
{
	u32 size = packet_truesize(p);

	atomic_fetch_sub_explicit(&s->rmem, size, memory_order_relaxed);
	net_mem_uncharge(s->net, size);
}

static struct packet *peek(struct rx_queue *q, u32 *off)
{
	struct packet *p;

	list_for_each_entry (p, &q->packets, node) {
		if (!*off || *off < p->len) {
			p = packet_copy(p, packet_headroom(p));
			return p ? p : ERR_PTR(-ENOMEM);
		}
		*off -= p->len;
	}
	return NULL;
}

static struct packet *take(struct rx_queue *q)
{
	struct packet *p;

	if (list_empty(&q->packets))
		return NULL;
	p = list_first_entry(&q->packets, struct packet, node);
	list_del(&p->node);
	WRITE_ONCE(q->count, q->count - 1);
	return p;
}

struct packet *rx_queue_get_at(struct socket *s, struct rx_queue *q, u32 flags, u32 *off)
{
	u64 deadline = socket_rcv_deadline(s, flags);
	u32 from = *off;

	for (;;) {
		int err = socket_error(s);
		struct packet *p;
		u32 seen;

		if (err)
			return ERR_PTR(err);
		*off = from;
		net_lock(&q->lock);
		seen = q->added;
		p = flags & MSG_PEEK ? peek(q, off) : take(q);
		net_unlock(&q->lock);
		if (p && !(flags & MSG_PEEK))
			uncharge(s, p);
		if (p)
			return p;
		if (!deadline) /* even after shutdown, as on Linux */
			return ERR_PTR(-EAGAIN);
		if (s->shutdown & RCV_SHUTDOWN)
			return NULL;
		err = wait_event_interruptible_exclusive(
			&s->waitq,
			(!from && READ_ONCE(q->count)) || READ_ONCE(q->added) != seen ||
				atomic_load(&s->err) || (READ_ONCE(s->shutdown) & RCV_SHUTDOWN),
			deadline);
		if (err) {
			if (READ_ONCE(q->count)) /* the wake-up may have been ours: pass it on */
				socket_wake(s, EPOLLIN | EPOLLRDNORM);
			return ERR_PTR(socket_wait_result(err, deadline));
		}
	}
}

struct packet *rx_queue_get(struct socket *s, struct rx_queue *q, u32 flags)
{
	u32 off = 0;

	return rx_queue_get_at(s, q, flags, &off);
}

void rx_queue_purge(struct socket *s, struct rx_queue *q)
{
	struct packet *p;

	do {
		net_lock(&q->lock);
		p = take(q);
		net_unlock(&q->lock);
		if (p)
			uncharge(s, p);
		packet_free(p);
	} while (p);
}

int rx_queue_ioctl(struct rx_queue *q, unsigned cmd, int *val)
{
	if (cmd != SIOCINQ && cmd != SIOCOUTQ)
		return -ENOTTY;
	*val = 0;
	if (cmd == SIOCINQ) {
		net_lock(&q->lock);
		if (!list_empty(&q->packets))
			*val = (int)list_first_entry(&q->packets, struct packet, node)->len;
		net_unlock(&q->lock);
	}
	return 0;
}

#define ERRQ_MAX     64
#define ERRQ_PAYLOAD 548

struct error_entry {
	struct list_head node;
	int level, type;
	_Alignas(8)
		u8 ee[16 + sizeof(struct sockaddr_in6)]; /* sock_extended_err, then the offender's address */
	u32 ee_len;
	struct __kernel_sockaddr_storage dst;
	int dst_len;
	u64 stamp; /* of a sent packet: CLOCK_REALTIME */
	u32 payload_len;
	u8 payload[];
};

struct error_queue {
	struct spinlock lock;
	struct list_head entries;
	u32 count;
};

static struct error_queue *get_queue(struct socket *s)
{
	struct error_queue *q = READ_ONCE(s->errq), *none = NULL;

	if (q)
		return q;
	q = net_zalloc(sizeof(*q));
	if (!q)
		return NULL;
	spin_init(&q->lock);
	list_init(&q->entries);
	if (!atomic_compare_exchange_strong((_Atomic(struct error_queue *) *)&s->errq, &none, q)) {
		kfree(q);
		q = none;
	}
	return q;
}

/* E, complete, to the end of the queue; takes it over. */
static int enqueue(struct socket *s, struct error_queue *q, struct error_entry *e)
{
	bool full;

	net_lock(&q->lock);
	full = q->count >= ERRQ_MAX;
	if (!full) {
		list_add_tail(&e->node, &q->entries);
		q->count++;
	}
	net_unlock(&q->lock);
	if (full)
		kfree(e);
	socket_wake(s, EPOLLERR);
	return full ? -ENOBUFS : 0;
}

int error_queue_add(struct socket *s, const void *ee, size_t ee_len, const struct sockaddr *offender,
		    int offender_len, const void *payload, size_t payload_len, const struct sockaddr *dst,
		    int dst_len, int level, int type)
{
	struct error_queue *q = get_queue(s);
	struct error_entry *e;

	payload_len = min(payload_len, (size_t)ERRQ_PAYLOAD);
	if (!q || ee_len + (size_t)offender_len > sizeof(e->ee))
		return -ENOMEM;
	e = net_zalloc(sizeof(*e) + payload_len);
	if (!e)
		return -ENOMEM;
	e->level = level;
	e->type = type;
	memcpy(e->ee, ee, ee_len);
	if (offender_len)
		memcpy(e->ee + ee_len, offender, (size_t)offender_len);
	e->ee_len = (u32)ee_len + (u32)offender_len;
	if (dst_len)
		memcpy(&e->dst, dst, (size_t)dst_len);
	e->dst_len = dst_len;
	e->payload_len = (u32)payload_len;
	if (payload_len)
		memcpy(e->payload, payload, payload_len);
	return enqueue(s, q, e);
}

void error_queue_add_sent(struct socket *s, const void *data, size_t len, int level, int type)
{
	static const struct {
		u32 flag, info;
	} kinds[] = {{SOF_TIMESTAMPING_TX_SCHED, SCM_TSTAMP_SCHED},
		     {SOF_TIMESTAMPING_TX_SOFTWARE, SCM_TSTAMP_SND}};
	u32 key = s->tskey++;

	if (s->tsflags & SOF_TIMESTAMPING_OPT_TSONLY)
		len = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct sock_extended_err ee = {
			.ee_errno = ENOMSG, .ee_origin = SO_EE_ORIGIN_TIMESTAMPING, .ee_info = kinds[i].info};
		struct error_queue *q = get_queue(s);
		struct error_entry *e;

		if (!(s->tsflags & kinds[i].flag) || !q)
			continue;
		e = net_zalloc(sizeof(*e) + len);
		if (!e)
			return;
		if (s->tsflags & SOF_TIMESTAMPING_OPT_ID)
			ee.ee_data = key;
		e->level = level;
		e->type = type;
		memcpy(e->ee, &ee, sizeof(ee));
		e->ee_len = sizeof(ee) + (s->family == AF_INET6 ? sizeof(struct sockaddr_in6)
								: sizeof(struct sockaddr_in));
		e->stamp = clock_realtime();
		e->payload_len = (u32)len;
		memcpy(e->payload, data, len);
		(void)!enqueue(s, q, e);
	}
}

int error_queue_add_range(struct socket *s, const struct sock_extended_err *ee,
			  const struct sockaddr *offender, int offender_len, int level, int type)
{
	struct error_queue *q = get_queue(s);
	bool joined = false;

	if (!q)
		return -ENOMEM;
	net_lock(&q->lock);
	if (!list_empty(&q->entries)) {
		struct error_entry *last = list_last_entry(&q->entries, struct error_entry, node);
		struct sock_extended_err *e = (struct sock_extended_err *)last->ee;

		joined = e->ee_origin == ee->ee_origin && e->ee_code == ee->ee_code &&
			 e->ee_data + 1 == ee->ee_info;
		if (joined)
			e->ee_data = ee->ee_data;
	}
	net_unlock(&q->lock);
	if (!joined)
		return error_queue_add(s, ee, sizeof(*ee), offender, offender_len, NULL, 0, NULL, 0, level,
				       type);
	socket_wake(s, EPOLLERR);
	return 0;
}

static int icmp_errno(const struct error_entry *e)
{
	const struct sock_extended_err *ee = (const struct sock_extended_err *)e->ee;

	return ee->ee_origin == SO_EE_ORIGIN_ICMP || ee->ee_origin == SO_EE_ORIGIN_ICMP6 ? (int)ee->ee_errno
											 : 0;
}

static void put_timestamping(struct socket *s, struct net_msg *m, u64 stamp)
{
	struct __kernel_timespec ts[3] = {
		{.tv_sec = (s64)(stamp / NSEC_PER_SEC), .tv_nsec = (s64)(stamp % NSEC_PER_SEC)}};

	msg_put_cmsg(m, SOL_SOCKET,
		     socket_flag(s, SOCKF_TIMESTAMP_NEW) ? SO_TIMESTAMPING_NEW : SO_TIMESTAMPING_OLD, ts,
		     sizeof(ts));
}

ssize_t error_queue_recv(struct socket *s, struct net_msg *m)
{
	struct error_queue *q = READ_ONCE(s->errq);
	struct error_entry *e = NULL;
	int next = 0;
	size_t n;

	if (!q)
		return -EAGAIN;
	net_lock(&q->lock);
	if (!list_empty(&q->entries)) {
		e = list_first_entry(&q->entries, struct error_entry, node);
		list_del(&e->node);
		q->count--;
		if (!list_empty(&q->entries))
			next = icmp_errno(list_first_entry(&q->entries, struct error_entry, node));
	}
	net_unlock(&q->lock);
	if (!e)
		return -EAGAIN;
	if (next || icmp_errno(e)) /* what SO_ERROR tells follows the queue */
		atomic_store(&s->err, next);
	n = min((size_t)e->payload_len, m->iter->left);
	if (iter_copy_out(m->iter, e->payload, n) < n) {
		kfree(e);
		return -EFAULT;
	}
	if (n < e->payload_len)
		m->out_flags |= MSG_TRUNC;
	if (m->name) {
		memcpy(m->name, &e->dst, (size_t)e->dst_len);
		m->namelen = e->dst_len;
	}
	if (e->stamp && (s->tsflags & SOF_TIMESTAMPING_SOFTWARE))
		put_timestamping(s, m, e->stamp);
	msg_put_cmsg(m, e->level, e->type, e->ee, e->ee_len);
	m->out_flags |= MSG_ERRQUEUE;
	kfree(e);
	return (ssize_t)n;
}

bool error_queue_empty(struct socket *s)
{
	struct error_queue *q = READ_ONCE(s->errq);

	return !q || list_empty(&q->entries);
}

void error_queue_free(struct socket *s)
{
	struct error_queue *q = s->errq;

	if (!q)
		return;
	while (!list_empty(&q->entries)) {
		struct error_entry *e = list_first_entry(&q->entries, struct error_entry, node);

		list_del(&e->node);
		kfree(e);
	}
	kfree(q);
	s->errq = NULL;
}

void msg_put_timestamp(struct socket *s, struct net_msg *m, u64 stamp)
{
	bool software = (s->tsflags & (SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE)) ==
			(SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE);

	if (!software && !socket_flag(s, SOCKF_TIMESTAMP | SOCKF_TIMESTAMPNS))
		return;
	if (!stamp)
		stamp = clock_realtime();
	if (software)
		put_timestamping(s, m, stamp);
	if (socket_flag(s, SOCKF_TIMESTAMPNS)) {
		struct __kernel_timespec ts = {.tv_sec = (s64)(stamp / NSEC_PER_SEC),
					       .tv_nsec = (s64)(stamp % NSEC_PER_SEC)};

		msg_put_cmsg(m, SOL_SOCKET,
			     socket_flag(s, SOCKF_TIMESTAMP_NEW) ? SO_TIMESTAMPNS_NEW : SO_TIMESTAMPNS_OLD,
			     &ts, sizeof(ts));
	} else if (socket_flag(s, SOCKF_TIMESTAMP)) {
		s64 tv[2] = {(s64)(stamp / NSEC_PER_SEC), (s64)(stamp % NSEC_PER_SEC / 1000)};

		msg_put_cmsg(m, SOL_SOCKET,
			     socket_flag(s, SOCKF_TIMESTAMP_NEW) ? SO_TIMESTAMP_NEW : SO_TIMESTAMP_OLD, tv,
			     sizeof(tv));
	}
}

void msg_put_cmsg(struct net_msg *m, int level, int type, const void *data, size_t len)
{
	struct cmsghdr h = {.cmsg_len = CMSG_LEN_(len), .cmsg_level = level, .cmsg_type = type};
	size_t room = m->cbuf_size - m->cbuf_len, space = CMSG_SPACE_(len);

	if (!m->want_control || room < sizeof(h)) {
		m->out_flags |= MSG_CTRUNC;
		return;
	}
	if (room < h.cmsg_len) {
		m->out_flags |= MSG_CTRUNC;
		h.cmsg_len = room;
	}
	memcpy(m->cbuf + m->cbuf_len, &h, sizeof(h));
	memcpy(m->cbuf + m->cbuf_len + sizeof(h), data, h.cmsg_len - sizeof(h));
	if (space > h.cmsg_len && room > h.cmsg_len)
		memset(m->cbuf + m->cbuf_len + h.cmsg_len, 0, min(space, room) - h.cmsg_len);
	m->cbuf_len += min(space, room);
}

const struct cmsghdr *msg_next_cmsg(const struct net_msg *m, size_t *pos)
{
	const struct cmsghdr *h;

	if (!m->control || m->controllen - *pos < sizeof(*h) || *pos > m->controllen)
		return NULL;
	h = (const struct cmsghdr *)((const u8 *)m->control + *pos);
	if (h->cmsg_len < sizeof(*h) || h->cmsg_len > m->controllen - *pos)
		return ERR_PTR(-EINVAL);
	*pos += CMSG_ALIGN_(h->cmsg_len);
	if (*pos > m->controllen)
		*pos = m->controllen;
	return h;
}
