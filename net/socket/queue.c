/* SPDX-License-Identifier: BSD-2-Clause */
/* Queues of received datagrams, and control messages; see net/socket.h. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "net/socket.h"
#include <linux/time.h>
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

void msg_put_timestamping(struct socket *s, struct net_msg *m, u64 stamp)
{
	struct __kernel_timespec ts[3] = {
		{.tv_sec = (s64)(stamp / NSEC_PER_SEC), .tv_nsec = (s64)(stamp % NSEC_PER_SEC)}};

	msg_put_cmsg(m, SOL_SOCKET,
		     socket_flag(s, SOCKF_TIMESTAMP_NEW) ? SO_TIMESTAMPING_NEW : SO_TIMESTAMPING_OLD, ts,
		     sizeof(ts));
}

void msg_put_timestamp(struct socket *s, struct net_msg *m, u64 stamp)
{
	bool software = (s->tsflags & (SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE)) ==
			(SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE);

	if (!software && !socket_flag(s, SOCKF_TIMESTAMP | SOCKF_TIMESTAMPNS))
		return;
	if (!stamp)
		stamp = clock_realtime();
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
	if (software)
		msg_put_timestamping(s, m, stamp);
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
