/* SPDX-License-Identifier: BSD-2-Clause */
/* SOL_SOCKET options (socket(7)). Values are kernel memory. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "kernel/process.h"
#include "net/socket.h"
#include "net/unix.h"
#include <linux/capability.h>
#include <linux/net_tstamp.h>

#define MIN_RCVBUF 2304
#define MIN_SNDBUF 4608

int option_put(void *val, int *len, const void *v, size_t size)
{
	size_t n = min((size_t)*len, size);

	memcpy(val, v, n);
	*len = (int)n;
	return 0;
}

static int set_buffer(struct socket *s, bool rx, int val, u32 limit)
{
	u32 v = val < 0 ? limit : min((u32)val, limit);

	/* The figure is doubled to make room for bookkeeping (socket(7)). */
	v = min(v, 0x3fffffffu) * 2;
	if (rx) {
		WRITE_ONCE(s->rcvbuf, max(v, (u32)MIN_RCVBUF));
		socket_set_flag(s, SOCKF_RCVBUF_SET, true);
	} else {
		WRITE_ONCE(s->sndbuf, max(v, (u32)MIN_SNDBUF));
		socket_set_flag(s, SOCKF_SNDBUF_SET, true);
		if (s->ops->wrote_space)
			s->ops->wrote_space(s);
	}
	return 0;
}

static int set_timeout(const void *val, int len, u64 *out)
{
	s64 tv[2];

	if (len < (int)sizeof(tv))
		return -EINVAL;
	memcpy(tv, val, sizeof(tv));
	if (tv[1] < 0 || tv[1] >= 1000000)
		return -EDOM;
	if (tv[0] < 0) {
		*out = 0; /* as Linux: a negative time does not wait */
		return 0;
	}
	if ((!tv[0] && !tv[1]) || (u64)tv[0] >= WAIT_FOREVER / NSEC_PER_SEC / 2)
		*out = WAIT_FOREVER;
	else
		*out = (u64)tv[0] * NSEC_PER_SEC + (u64)tv[1] * 1000;
	return 0;
}

static int get_timeout(void *val, int *len, u64 t)
{
	s64 tv[2] = {0, 0};

	if (t != WAIT_FOREVER) {
		tv[0] = (s64)(t / NSEC_PER_SEC);
		tv[1] = (s64)(t % NSEC_PER_SEC / 1000);
	}
	return option_put(val, len, tv, sizeof(tv));
}

static int set_flag_option(struct socket *s, u32 flag, const void *val, int len)
{
	int v, err = option_int(val, len, &v);

	if (!err && flag == SOCKF_DEBUG && v && !process_capable(CAP_NET_ADMIN))
		err = -EACCES;
	if (!err && flag == SOCKF_ZEROCOPY) {
		if ((s->family != AF_INET && s->family != AF_INET6) || s->type == SOCK_RAW)
			err = -EOPNOTSUPP;
		else if (v < 0 || v > 1)
			err = -EINVAL;
	}
	if (!err)
		socket_set_flag(s, flag, v != 0);
	if (!err && flag == SOCKF_KEEPALIVE && s->ops->keepalive)
		s->ops->keepalive(s);
	return err;
}

/* Anyone may bind a socket to an interface once; only the privileged change that again. */
static int bind_to_index(struct socket *s, int index)
{
	if (index < 0)
		return -EINVAL;
	if (s->bound_if && !process_capable(CAP_NET_RAW))
		return -EPERM;
	if (index && !net_device_by_index(s->net, (u32)index))
		return -ENODEV;
	s->bound_if = (u32)index;
	return 0;
}

static int bind_to_device(struct socket *s, const void *val, int len)
{
	char name[IFNAMSIZ] = "";
	struct netdev *dev;

	if (len < 0)
		return -EINVAL;
	memcpy(name, val, min((size_t)len, sizeof(name) - 1));
	if (!name[0])
		return bind_to_index(s, 0);
	dev = net_device_find(s->net, name);
	return dev ? bind_to_index(s, (int)dev->index) : -ENODEV;
}

static bool may_mark(void)
{
	return process_capable(CAP_NET_RAW) || process_capable(CAP_NET_ADMIN);
}

static int set_timestamp(struct socket *s, int opt, const void *val, int len)
{
	bool ns = opt == SO_TIMESTAMPNS_OLD || opt == SO_TIMESTAMPNS_NEW;
	int v, err = option_int(val, len, &v);

	if (err)
		return err;
	socket_set_flag(s, SOCKF_TIMESTAMP | SOCKF_TIMESTAMPNS | SOCKF_TIMESTAMP_NEW, false);
	if (v) {
		socket_set_flag(s, ns ? SOCKF_TIMESTAMPNS : SOCKF_TIMESTAMP, true);
		socket_set_flag(s, SOCKF_TIMESTAMP_NEW, opt == SO_TIMESTAMP_NEW || opt == SO_TIMESTAMPNS_NEW);
	}
	return 0;
}

static int set_timestamping(struct socket *s, int opt, const void *val, int len)
{
	u32 v;

	if (len < (int)sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v)); /* struct so_timestamping may follow with more */
	if (v & ~(u32)SOF_TIMESTAMPING_MASK)
		return -EINVAL;
	if ((v & SOF_TIMESTAMPING_OPT_STATS) && !(v & SOF_TIMESTAMPING_OPT_TSONLY))
		return -EINVAL;
	if ((v & SOF_TIMESTAMPING_OPT_ID) && !(s->tsflags & SOF_TIMESTAMPING_OPT_ID))
		s->tskey = 0;
	s->tsflags = v;
	socket_set_flag(s, SOCKF_TIMESTAMP_NEW, opt == SO_TIMESTAMPING_NEW);
	return 0;
}

static int set_peek_off(struct socket *s, int v)
{
	bool udp = (s->family == AF_INET || s->family == AF_INET6) && s->type == SOCK_DGRAM &&
		   s->protocol == IPPROTO_UDP;

	if (!udp && s->family != AF_UNIX)
		return -EOPNOTSUPP;
	WRITE_ONCE(s->peek_off, v < 0 ? -1 : v);
	return 0;
}

static int set_linger(struct socket *s, const void *val, int len)
{
	struct linger l;

	if (len < (int)sizeof(l))
		return -EINVAL;
	memcpy(&l, val, sizeof(l));
	if (l.l_onoff)
		s->linger = (u32)l.l_linger; /* below zero: very long */
	socket_set_flag(s, SOCKF_LINGER, l.l_onoff != 0);
	return 0;
}

static const struct {
	int opt;
	u32 flag;
} flag_options[] = {
	{SO_REUSEADDR, SOCKF_REUSEADDR},
	{SO_REUSEPORT, SOCKF_REUSEPORT},
	{SO_KEEPALIVE, SOCKF_KEEPALIVE},
	{SO_BROADCAST, SOCKF_BROADCAST},
	{SO_OOBINLINE, SOCKF_OOBINLINE},
	{SO_PASSCRED, SOCKF_PASSCRED},
	{SO_DONTROUTE, SOCKF_DONTROUTE},
	{SO_DEBUG, SOCKF_DEBUG},
	{SO_NO_CHECK, SOCKF_NO_CHECK},
	{SO_ZEROCOPY, SOCKF_ZEROCOPY},
	{SO_RXQ_OVFL, SOCKF_RXQ_OVFL},
	{SO_PASSSEC, SOCKF_PASSSEC},
	{SO_SELECT_ERR_QUEUE, SOCKF_SELECT_ERR_QUEUE},
};

static int find_flag(int opt, u32 *flag)
{
	for (unsigned i = 0; i < ARRAY_SIZE(flag_options); i++)
		if (flag_options[i].opt == opt) {
			*flag = flag_options[i].flag;
			return 0;
		}
	return -ENOPROTOOPT;
}

int socket_set_option(struct socket *s, int opt, const void *val, int len)
{
	int v = 0, err;
	u32 flag;

	if (!find_flag(opt, &flag))
		return set_flag_option(s, flag, val, len);
	switch (opt) {
	case SO_BINDTODEVICE:
		return bind_to_device(s, val, len);
	case SO_LINGER:
		return set_linger(s, val, len);
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		return set_timeout(val, len, &s->rcvtimeo);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		return set_timeout(val, len, &s->sndtimeo);
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMPNS_NEW:
		return set_timestamp(s, opt, val, len);
	case SO_TIMESTAMPING_OLD:
	case SO_TIMESTAMPING_NEW:
		return set_timestamping(s, opt, val, len);
	case SO_TYPE:
	case SO_PROTOCOL:
	case SO_DOMAIN:
	case SO_ERROR:
	case SO_ACCEPTCONN:
	case SO_PEERCRED:
	case SO_INCOMING_NAPI_ID:
	case SO_COOKIE:
		return -ENOPROTOOPT;
	}
	err = option_int(val, len, &v);
	if (err)
		return err;
	switch (opt) {
	case SO_SNDBUF:
		return set_buffer(s, false, v, s->net->wmem_max);
	case SO_SNDBUFFORCE:
		if (!process_capable(CAP_NET_ADMIN))
			return -EPERM;
		return set_buffer(s, false, v, 0x3fffffff);
	case SO_RCVBUF:
		return set_buffer(s, true, v, s->net->rmem_max);
	case SO_RCVBUFFORCE:
		if (!process_capable(CAP_NET_ADMIN))
			return -EPERM;
		return set_buffer(s, true, v, 0x3fffffff);
	case SO_PRIORITY:
		if ((v < 0 || v > 6) && !may_mark())
			return -EPERM;
		s->priority = (u32)v;
		return 0;
	case SO_MARK:
		if (!may_mark())
			return -EPERM;
		s->mark = (u32)v;
		return 0;
	case SO_BINDTOIFINDEX:
		return bind_to_index(s, v);
	case SO_DETACH_FILTER:
		return socket_filter_detach(s, false);
	case SO_DETACH_REUSEPORT_BPF:
		return socket_filter_detach(s, true);
	case SO_LOCK_FILTER:
		if (!v && socket_flag(s, SOCKF_FILTER_LOCKED))
			return -EPERM;
		socket_set_flag(s, SOCKF_FILTER_LOCKED, v);
		return 0;
	case SO_RCVLOWAT:
		s->rcvlowat = v > 0 ? (u32)v : (v < 0 ? 0x7fffffff : 1);
		if (s->protocol == IPPROTO_TCP &&
		    s->type == SOCK_STREAM) { /* what cannot be held is not waited for */
			bool fixed = socket_flag(s, SOCKF_RCVBUF_SET);

			s->rcvlowat = min(s->rcvlowat, (fixed ? s->rcvbuf : s->net->tcp_rmem[2]) / 2);
			if (!fixed && s->rcvbuf < 2 * s->rcvlowat)
				WRITE_ONCE(s->rcvbuf, 2 * s->rcvlowat);
			socket_wake(s, EPOLLIN | EPOLLRDNORM); /* what is there may be enough now */
		}
		return 0;
	case SO_BUSY_POLL:
		if (v < 0)
			return -EINVAL;
		if ((u32)v > s->busy_poll && !process_capable(CAP_NET_ADMIN))
			return -EPERM;
		s->busy_poll = (u32)v;
		return 0;
	case SO_MAX_PACING_RATE:
		s->pacing_rate = v == -1 ? ~0ull : (u32)v;
		if (len == sizeof(s->pacing_rate))
			memcpy(&s->pacing_rate, val, sizeof(s->pacing_rate));
		return 0;
	case SO_INCOMING_CPU:
		WRITE_ONCE(s->incoming_cpu, v);
		return 0;
	case SO_PREFER_BUSY_POLL:
	case SO_BUSY_POLL_BUDGET:
	case SO_TXREHASH:
	case SO_RESERVE_MEM:
		return 0; /* hints */
	case SO_PEEK_OFF:
		return set_peek_off(s, v);
	}
	return -ENOPROTOOPT;
}

static int get_linger(struct socket *s, void *val, int *len)
{
	struct linger l = {.l_onoff = socket_flag(s, SOCKF_LINGER) != 0, .l_linger = (int)s->linger};

	return option_put(val, len, &l, sizeof(l));
}

static int get_bound_name(struct socket *s, void *val, int *len)
{
	struct netdev *dev = s->bound_if ? net_device_by_index(s->net, s->bound_if) : NULL;

	if (!dev) {
		*len = 0;
		return 0;
	}
	if (*len < IFNAMSIZ)
		return -EINVAL;
	return option_put(val, len, dev->name, strlen(dev->name) + 1);
}

int socket_get_option(struct socket *s, int opt, void *val, int *len)
{
	u32 flag;

	if (!find_flag(opt, &flag))
		return option_put_int(val, len, socket_flag(s, flag) != 0);
	switch (opt) {
	case SO_TYPE:
		return option_put_int(val, len, s->type);
	case SO_DOMAIN:
		return option_put_int(val, len, s->family);
	case SO_PROTOCOL:
		return option_put_int(val, len, s->protocol);
	case SO_ERROR: {
		int err = -socket_error(s);

		if (!err && s->soft_err) {
			err = s->soft_err;
			s->soft_err = 0;
		}
		return option_put_int(val, len, err);
	}
	case SO_ACCEPTCONN: {
		int v = 0;

		if (s->ops->ioctl && s->ops->ioctl(s, SOCKET_IOC_LISTENING, &v) != 0)
			v = 0;
		return option_put_int(val, len, v);
	}
	case SO_SNDBUF:
		return option_put_int(val, len, (int)s->sndbuf);
	case SO_RCVBUF:
		return option_put_int(val, len, (int)s->rcvbuf);
	case SO_LINGER:
		return get_linger(s, val, len);
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		return get_timeout(val, len, s->rcvtimeo);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		return get_timeout(val, len, s->sndtimeo);
	case SO_RCVLOWAT:
		return option_put_int(val, len, (int)s->rcvlowat);
	case SO_SNDLOWAT:
		return option_put_int(val, len, 1);
	case SO_PRIORITY:
		return option_put_int(val, len, (int)s->priority);
	case SO_MARK:
		return option_put_int(val, len, (int)s->mark);
	case SO_BINDTODEVICE:
		return get_bound_name(s, val, len);
	case SO_BINDTOIFINDEX:
		return option_put_int(val, len, (int)s->bound_if);
	case SO_PEERCRED: {
		struct ucred nobody = {.uid = ~0u, .gid = ~0u};

		return option_put(val, len, s->family == AF_UNIX ? &unix_sk(s)->peer_cred.id : &nobody,
				  sizeof(nobody));
	}
	case SO_TIMESTAMP_OLD:
		return option_put_int(val, len, socket_flag(s, SOCKF_TIMESTAMP) != 0);
	case SO_TIMESTAMPNS_OLD:
		return option_put_int(val, len, socket_flag(s, SOCKF_TIMESTAMPNS) != 0);
	case SO_INCOMING_NAPI_ID:
		return option_put_int(val, len, 0);
	case SO_INCOMING_CPU:
		if (s->type == SOCK_STREAM && s->incoming_cpu < 0) /* TCP does not note it */
			return option_put_int(val, len, (int)cpu_id());
		return option_put_int(val, len, READ_ONCE(s->incoming_cpu));
	case SO_BUSY_POLL:
		return option_put_int(val, len, (int)s->busy_poll);
	case SO_PREFER_BUSY_POLL:
		return option_put_int(val, len, 0);
	case SO_LOCK_FILTER:
		return option_put_int(val, len, socket_flag(s, SOCKF_FILTER_LOCKED) != 0);
	case SO_TIMESTAMPING_OLD:
	case SO_TIMESTAMPING_NEW:
		return option_put_int(val, len, (int)s->tsflags);
	case SO_NETNS_COOKIE: {
		u64 cookie = 1; /* one name space */

		return *len < (int)sizeof(cookie) ? -EINVAL : option_put(val, len, &cookie, sizeof(cookie));
	}
	case SO_MAX_PACING_RATE: {
		u64 rate = *len < (int)sizeof(rate) ? min(s->pacing_rate, 0xffffffffull) : s->pacing_rate;

		return option_put(val, len, &rate, *len < (int)sizeof(rate) ? sizeof(u32) : sizeof(rate));
	}
	case SO_COOKIE:
		if (*len < (int)sizeof(s->id))
			return -EINVAL;
		return option_put(val, len, &s->id, sizeof(s->id));
	case SO_PEEK_OFF:
		if (set_peek_off(s, READ_ONCE(s->peek_off)))
			return -EOPNOTSUPP;
		return option_put_int(val, len, READ_ONCE(s->peek_off));
	case SO_PEERSEC:
		return -ENOPROTOOPT;
	case SO_MEMINFO: {
		u32 m[9] = {s->rmem, s->rcvbuf, s->wmem, s->sndbuf, 0, s->wmem, 0, s->backlog_len, 0};

		return option_put(val, len, m, sizeof(m));
	}
	case SO_PEERNAME: {
		struct __kernel_sockaddr_storage ss;
		int n = s->ops->getname(s, (struct sockaddr *)&ss, true);

		if (n < 0)
			return n;
		if (*len < n)
			return -EINVAL;
		return option_put(val, len, &ss, (size_t)n);
	}
	}
	return -ENOPROTOOPT;
}
