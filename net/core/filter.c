/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters of sockets (socket(7): SO_ATTACH_FILTER): classic BPF over a packet, in network byte order. An
 * offset below zero means the network header, the link header, or something else that is known of the packet
 * (linux/filter.h). A filter is replaced under RCU; receivers run it without a lock. */
#include "base/bpf.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/percpu.h"
#include "kernel/random.h"
#include "net/ip.h"
#include "net/socket.h"

struct socket_filter {
	struct rcu_head rcu;
	struct refcount ref; /* sockets that have it: accepted ones share their listener's */
	u16 len;
	struct sock_filter insns[];
};

static bool allowed(const struct sock_filter *i)
{
	/* What is above is known by name: up to the last of them. */
	return BPF_CLASS(i->code) != BPF_LD || BPF_MODE(i->code) != BPF_ABS || i->k < (u32)SKF_AD_OFF ||
	       (i->k - (u32)SKF_AD_OFF < SKF_AD_MAX && !((i->k - (u32)SKF_AD_OFF) & 3));
}

/* N bytes of P at OFF, in network order. False: not there. */
static bool read(const struct packet *p, u32 off, u32 n, u32 *out)
{
	s64 at = (s32)off;
	u8 b[4];

	if (at >= 0) {
		if (off > p->len || n > p->len - off)
			return false;
		packet_copy_bits(p, off, b, n);
	} else {
		s64 net = (s64)p->network_off;

		if (off >= (u32)SKF_NET_OFF)
			at = net + (at - SKF_NET_OFF);
		else if (off >= (u32)SKF_LL_OFF)
			at = net - ETH_HDR_LEN + (at - SKF_LL_OFF);
		else
			return false;
		if (at < 0 || at + n > p->tail - p->head)
			return false;
		memcpy(b, p->head + at, n);
	}
	*out = 0;
	for (u32 i = 0; i < n; i++)
		*out = *out << 8 | b[i];
	return true;
}

static bool load_fact(const struct packet *p, u32 what, u32 *a, u32 x)
{
	switch (what) {
	case SKF_AD_PROTOCOL:
		*a = p->protocol;
		return true;
	case SKF_AD_PKTTYPE:
		*a = p->kind;
		return true;
	case SKF_AD_IFINDEX:
		*a = p->dev ? p->dev->index : 0;
		return p->dev;
	case SKF_AD_HATYPE:
		*a = p->dev && p->dev->flags & IFF_LOOPBACK ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		return p->dev;
	case SKF_AD_CPU:
		*a = cpu_id();
		return true;
	case SKF_AD_ALU_XOR_X:
		*a ^= x;
		return true;
	case SKF_AD_RANDOM:
		*a = (u32)random_u64();
		return true;
	}
	*a = 0; /* marks, VLAN tags, hashes, queues: packets carry none */
	return true;
}

static bool load(const void *data, const struct sock_filter *i, u32 *a, u32 *x)
{
	const struct packet *p = data;
	u32 off = i->k, v, n = BPF_SIZE(i->code) == BPF_W ? 4 : BPF_SIZE(i->code) == BPF_H ? 2 : 1;

	if (BPF_MODE(i->code) == BPF_ABS && off >= (u32)SKF_AD_OFF)
		return load_fact(p, off - (u32)SKF_AD_OFF, a, *x);
	if (BPF_MODE(i->code) == BPF_IND)
		off += *x;
	if (!read(p, off, n, &v))
		return false;
	if (BPF_MODE(i->code) == BPF_MSH)
		*x = (v & 0xf) << 2;
	else
		*a = v;
	return true;
}

u32 socket_filter_run(const struct socket_filter *f, const struct packet *p)
{
	return bpf_run(f->insns, p, p->len, load);
}

bool socket_filter_accept(struct socket *s, struct packet *p, u32 back, u32 least)
{
	struct socket_filter *f;
	u32 keep = ~0u;

	rcu_read_lock();
	f = rcu_dereference(s->filter);
	if (f) {
		packet_push(p, back);
		keep = socket_filter_run(f, p);
		packet_advance(p, back);
	}
	rcu_read_unlock();
	if (!keep)
		return false;
	packet_trim(p, max(keep, least) > back ? max(keep, least) - back : 0);
	return true;
}

static void filter_free(struct rcu_head *h)
{
	kfree(container_of(h, struct socket_filter, rcu));
}

static void put(struct socket_filter *f)
{
	if (f && refcount_put(&f->ref))
		rcu_call(&f->rcu, filter_free);
}

void socket_filter_inherit(struct socket *s, const struct socket *from)
{
	if (unlikely(from->filter)) {
		refcount_get(&from->filter->ref);
		s->filter = from->filter;
	}
}

/* Put NEW in the place of what is at AT. */
static void replace(struct socket *s, struct socket_filter **at, struct socket_filter *new)
{
	struct socket_filter *old;

	socket_lock(s);
	old = *at;
	rcu_assign_pointer(*at, new);
	socket_unlock(s);
	put(old);
}

int socket_filter_attach(struct socket *s, const struct sock_filter *insns, unsigned len, bool reuse)
{
	struct socket_filter *f;
	int err;

	if (!reuse && socket_flag(s, SOCKF_FILTER_LOCKED))
		return -EPERM;
	if (!len || len > BPF_MAXINSNS)
		return -EINVAL;
	err = bpf_check(insns, len, allowed);
	if (err)
		return err;
	f = kmalloc(sizeof(*f) + len * sizeof(f->insns[0]));
	if (!f)
		return -ENOMEM;
	refcount_set(&f->ref, 1);
	f->len = (u16)len;
	memcpy(f->insns, insns, len * sizeof(f->insns[0]));
	replace(s, reuse ? &s->reuse_filter : &s->filter, f);
	return 0;
}

int socket_filter_detach(struct socket *s, bool reuse)
{
	struct socket_filter **at = reuse ? &s->reuse_filter : &s->filter;

	if (!reuse && socket_flag(s, SOCKF_FILTER_LOCKED))
		return -EPERM;
	if (!*at)
		return -ENOENT;
	replace(s, at, NULL);
	return 0;
}

unsigned socket_filter_get(struct socket *s, struct sock_filter *out, unsigned room)
{
	const struct socket_filter *f;
	unsigned n;

	rcu_read_lock();
	f = rcu_dereference(s->filter);
	n = f ? f->len : 0;
	if (n && n <= room)
		memcpy(out, f->insns, n * sizeof(*out));
	rcu_read_unlock();
	return n;
}

void socket_filter_free(struct socket *s)
{
	put(s->filter);
	put(s->reuse_filter);
}
