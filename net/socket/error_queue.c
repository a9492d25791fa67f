/* SPDX-License-Identifier: BSD-2-Clause */
/* The error queue of Internet sockets (ip(7): IP_RECVERR; MSG_ERRQUEUE): ICMP errors and refusals of our own
 * with the datagram that they concern, and notices about what was sent. It has a lock of its own, so packets
 * report while a thread owns the socket. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "net/inet.h"
#include <linux/time.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#define ENTRIES_MAX 64
#define PAYLOAD_MAX 548

struct error_entry {
	struct list_head node;
	struct error_report { /* as the control message has it */
		struct sock_extended_err ee;
		struct sockaddr_in6 offender;
	} report;
	struct sockaddr_in6 dst; /* whom the datagram was sent to */
	int dst_len;
	u32 payload_len;
	u64 stamp;	 /* of what was sent: CLOCK_REALTIME */
	struct ip_cb cb; /* of the ICMP message; no addresses: there was none */
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

/* An entry for EE with the first bytes of PAYLOAD; NULL without memory. */
static struct error_entry *new_entry(const struct sock_extended_err *ee, const void *payload, u32 len)
{
	struct error_entry *e;

	len = min(len, (u32)PAYLOAD_MAX);
	e = net_zalloc(sizeof(*e) + len);
	if (!e)
		return NULL;
	e->report.ee = *ee;
	e->payload_len = len;
	if (len)
		memcpy(e->payload, payload, len);
	return e;
}

/* E, complete or NULL, to the end of the queue; takes it over. */
static void enqueue(struct socket *s, struct error_entry *e)
{
	struct error_queue *q = e ? get_queue(s) : NULL;

	if (q) {
		net_lock(&q->lock);
		if (q->count < ENTRIES_MAX) {
			list_add_tail(&e->node, &q->entries);
			q->count++;
			e = NULL;
		}
		net_unlock(&q->lock);
		socket_wake(s, EPOLLERR);
	}
	kfree(e);
}

void inet_report_error(struct inet_sock *i, const struct icmp_error *icmp, const void *payload, u32 len,
		       u16 port)
{
	struct sock_extended_err ee = {.ee_errno = (u32)icmp->err,
				       .ee_type = icmp->type,
				       .ee_code = icmp->code,
				       .ee_info = icmp->mtu,
				       .ee_origin = icmp->v6 ? SO_EE_ORIGIN_ICMP6 : SO_EE_ORIGIN_ICMP};
	struct error_entry *e = new_entry(&ee, payload, len);
	u32 iif = icmp->cb ? icmp->cb->iif : 0;

	if (e) {
		e->dst_len = inet_fill(i->s.family, &icmp->dst, port, iif, (struct sockaddr *)&e->dst);
		inet_fill(i->s.family, &icmp->offender, 0, iif, (struct sockaddr *)&e->report.offender);
		if (icmp->cb) {
			e->cb = *icmp->cb;
			e->cb.dport = 0; /* ICMP has none */
		}
	}
	enqueue(&i->s, e);
}

void inet_local_error(struct inet_sock *i, int err, const struct net_addr *dst, u16 port, u32 info)
{
	struct sock_extended_err ee = {
		.ee_errno = (u32)err, .ee_origin = SO_EE_ORIGIN_LOCAL, .ee_info = info};
	struct error_entry *e;

	if (!inet_wants_errors(i, dst))
		return;
	e = new_entry(&ee, NULL, 0);
	if (e)
		e->dst_len = inet_fill(i->s.family, dst, port, 0, (struct sockaddr *)&e->dst);
	enqueue(&i->s, e);
}

void inet_zerocopy_done(struct inet_sock *i)
{
	struct error_queue *q = get_queue(&i->s);
	u32 id = i->zerocopy_next++;
	struct sock_extended_err ee = {.ee_origin = SO_EE_ORIGIN_ZEROCOPY,
				       .ee_code = SO_EE_CODE_ZEROCOPY_COPIED,
				       .ee_info = id,
				       .ee_data = id};
	bool joined = false;

	if (!q)
		return;
	net_lock(&q->lock);
	if (!list_empty(&q->entries)) { /* a range grows */
		struct sock_extended_err *last =
			&list_last_entry(&q->entries, struct error_entry, node)->report.ee;

		joined = last->ee_origin == SO_EE_ORIGIN_ZEROCOPY && last->ee_data + 1 == id;
		if (joined)
			last->ee_data = id;
	}
	net_unlock(&q->lock);
	if (joined)
		socket_wake(&i->s, EPOLLERR);
	else
		enqueue(&i->s, new_entry(&ee, NULL, 0));
}

void inet_report_sent(struct inet_sock *i, const void *data, u32 len)
{
	static const struct {
		u32 flag, info;
	} kinds[] = {{SOF_TIMESTAMPING_TX_SCHED, SCM_TSTAMP_SCHED},
		     {SOF_TIMESTAMPING_TX_SOFTWARE, SCM_TSTAMP_SND}};
	struct socket *s = &i->s;
	u32 key = s->tskey++;

	if (s->tsflags & SOF_TIMESTAMPING_OPT_TSONLY)
		len = 0;
	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct sock_extended_err ee = {.ee_errno = ENOMSG,
					       .ee_origin = SO_EE_ORIGIN_TIMESTAMPING,
					       .ee_info = kinds[k].info,
					       .ee_data = s->tsflags & SOF_TIMESTAMPING_OPT_ID ? key : 0};
		struct error_entry *e;

		if (!(s->tsflags & kinds[k].flag))
			continue;
		e = new_entry(&ee, data, len);
		if (e)
			e->stamp = clock_realtime();
		enqueue(s, e);
	}
}

static int icmp_errno(const struct error_entry *e)
{
	const struct sock_extended_err *ee = &e->report.ee;

	return ee->ee_origin == SO_EE_ORIGIN_ICMP || ee->ee_origin == SO_EE_ORIGIN_ICMP6 ? (int)ee->ee_errno
											 : 0;
}

ssize_t error_queue_recv(struct socket *s, struct net_msg *m)
{
	struct error_queue *q = READ_ONCE(s->errq);
	struct error_entry *e = NULL;
	bool v6 = s->family == AF_INET6;
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
		msg_put_timestamping(s, m, e->stamp);
	if (!addr_is_any(&e->cb.dst))
		inet_put_control(inet_sk(s), m, &e->cb);
	msg_put_cmsg(m, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &e->report,
		     sizeof(e->report.ee) + (v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in)));
	m->out_flags |= MSG_ERRQUEUE;
	kfree(e);
	return (ssize_t)n;
}

bool error_queue_empty(struct socket *s)
{
	struct error_queue *q = READ_ONCE(s->errq);

	return !q || list_empty(&q->entries);
}

void error_queue_purge(struct socket *s, bool all)
{
	struct error_queue *q = READ_ONCE(s->errq);
	struct error_entry *e, *next;

	if (!q)
		return;
	net_lock(&q->lock);
	list_for_each_entry_safe (e, next, &q->entries, node)
		if (all || !e->report.ee.ee_origin || e->report.ee.ee_origin < SO_EE_ORIGIN_TIMESTAMPING) {
			list_del(&e->node);
			q->count--;
			kfree(e);
		}
	net_unlock(&q->lock);
	if (all) {
		kfree(q);
		s->errq = NULL;
	}
}
