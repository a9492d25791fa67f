/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets: life, lock, errors and wake-ups, common to all families; see net/socket.h. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "net/socket.h"

static DEFINE_COUNTER(socket_backlog_drops, "packets dropped because the socket's owner was too slow");
static _Atomic u64 next_id = 1;

void socket_init(struct socket *s, struct net_stack *net, const struct socket_ops *ops, int family, int type,
		 int protocol)
{
	s->ops = ops;
	s->net = net;
	refcount_set(&s->ref, 1);
	s->family = (u16)family;
	s->type = (u8)type;
	s->protocol = (u16)protocol;
	spin_init(&s->slock);
	waitq_init(&s->lock_wait);
	waitq_init(&s->waitq);
	s->rcvbuf = net->rmem_default;
	s->sndbuf = net->wmem_default;
	s->rcvtimeo = s->sndtimeo = WAIT_FOREVER;
	s->rcvlowat = 1;
	s->pacing_rate = ~0ull;
	s->peek_off = s->incoming_cpu = -1;
	s->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
}

static socket_create_fn packet_family;

void socket_serve_packet(socket_create_fn fn)
{
	packet_family = fn;
}

struct socket *socket_create(struct net_stack *net, int family, int type, int protocol)
{
	if (family < 0 || family >= AF_MAX_)
		return ERR_PTR(-EAFNOSUPPORT);
	if (type < 0 || type > SOCK_PACKET)
		return ERR_PTR(-EINVAL);
	switch (family) {
	case AF_UNIX:
		return unix_create(net, type, protocol);
	case AF_INET6:
		if (!net->ip6)
			return ERR_PTR(-EAFNOSUPPORT);
		/* fall through */
	case AF_INET:
		return inet_create(net, family, type, protocol);
	case AF_NETLINK:
		return netlink_create(net, type, protocol);
	case AF_PACKET:
		if (packet_family)
			return packet_family(net, type, protocol);
		break;
	}
	return ERR_PTR(-EAFNOSUPPORT);
}

void socket_close(struct socket *s)
{
	s->file = NULL;
	s->ops->close(s);
}

static void socket_rcu_free(struct rcu_head *h)
{
	struct socket *s = container_of(h, struct socket, rcu);

	error_queue_purge(s, true);
	socket_filter_free(s);
	if (s->ops->free)
		s->ops->free(s);
	else
		kfree(s);
}

void socket_put(struct socket *s)
{
	if (refcount_put(&s->ref))
		rcu_call(&s->rcu, socket_rcu_free);
}

void socket_lock(struct socket *s)
{
	net_lock(&s->slock);
	while (unlikely(s->owned)) {
		s->lock_waiters++;
		net_unlock(&s->slock);
		wait_event_state_(&s->lock_wait, !READ_ONCE(s->owned), THREAD_UNINTERRUPTIBLE, WAIT_FOREVER,
				  true);
		net_lock(&s->slock);
		s->lock_waiters--;
	}
	s->owned = true;
	net_unlock(&s->slock);
}

void socket_unlock(struct socket *s)
{
	bool wake;

	net_lock(&s->slock);
	while (unlikely(s->backlog_last)) {
		struct packet *last = s->backlog_last, *p = (struct packet *)last->node.next;

		last->node.next = p->node.next;
		if (p == last)
			s->backlog_last = NULL;
		s->backlog_len -= packet_truesize(p);
		s->ops->backlog(s, p);
	}
	s->owned = false;
	if (unlikely(s->timer_due)) {
		s->timer_due = false;
		s->ops->timer(s);
	}
	wake = s->lock_waiters;
	net_unlock(&s->slock);
	if (unlikely(wake))
		waitq_wake_one(&s->lock_wait);
}

bool socket_add_backlog(struct socket *s, struct packet *p)
{
	u32 size = packet_truesize(p);

	if (s->backlog_len + size > 2 * (s->rcvbuf + s->sndbuf) + KIB(64)) {
		counter_inc(&socket_backlog_drops);
		mib_inc(s->net, MIB_EXT_BACKLOG_DROP);
		packet_free(p);
		return false;
	}
	p->node.next = s->backlog_last ? s->backlog_last->node.next : (struct list_head *)p;
	if (s->backlog_last)
		s->backlog_last->node.next = (struct list_head *)p;
	s->backlog_last = p;
	s->backlog_len += size;
	return true;
}

void socket_wake(struct socket *s, u32 events)
{
	if (waitq_active(&s->waitq))
		waitq_wake(&s->waitq, events & (EPOLLERR | EPOLLHUP) ? ~0u : 1, events);
}

void socket_set_error(struct socket *s, int err)
{
	atomic_store_explicit(&s->err, err, memory_order_release);
	socket_wake(s, EPOLLERR | EPOLLIN | EPOLLOUT);
}

void socket_peek_moved(struct socket *s, size_t n, bool peeked)
{
	s32 off = READ_ONCE(s->peek_off);

	if (off >= 0)
		WRITE_ONCE(s->peek_off, peeked ? off + (s32)n : max(off - (s32)n, 0));
}

u64 socket_deadline(u64 timeout, bool nonblock)
{
	u64 now;

	if (nonblock)
		return 0;
	if (timeout == WAIT_FOREVER)
		return WAIT_FOREVER;
	now = clock_monotonic();
	return now + timeout < now ? WAIT_FOREVER : now + timeout;
}
