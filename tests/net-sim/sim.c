/* SPDX-License-Identifier: BSD-2-Clause */
/* See sim.h. A frame in flight is a timer of its own. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "host/host_private.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "net/checksum.h"
#include "net/gso.h"
#include "net/ip6.h"

u64 sim_rand(struct sim_rng *r)
{
	r->s += 0x9e3779b97f4a7c15ull; /* splitmix64 */
	u64 z = r->s;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

struct frame {
	struct timer timer;
	struct sim_link *link;
	unsigned to;
	bool corrupt;
	u32 len;
	u8 data[];
};

static void arrive(struct timer *t)
{
	struct frame *f = (struct frame *)((char *)t - offsetof(struct frame, timer));
	struct sim_host *h = f->link->end[f->to];
	struct packet *p;

	f->link->in_flight--;
	if (!h) {
		if (!f->link->down)
			f->link->outside(f->link, f->data, f->len);
		free(f);
		return;
	}
	p = f->link->down ? NULL : packet_alloc(2, f->len);
	if (p) {
		memcpy(packet_put(p, f->len), f->data, f->len);
		if (f->link->observe && !f->corrupt)
			f->link->observe(f->link, 1 - f->to, f->data, f->len, true, f->link->observe_arg);
		net_enter();
		netdev_receive(&h->dev, p);
		net_leave();
	}
	free(f);
}

static void launch(struct sim_link *l, unsigned from, const u8 *data, u32 len, u64 at, bool corrupt)
{
	struct frame *f = malloc(sizeof(*f) + len);

	if (!f)
		abort();
	timer_init(&f->timer, arrive);
	f->link = l;
	f->to = 1 - from;
	f->len = len;
	memcpy(f->data, data, len);
	f->corrupt = corrupt && len > ETH_HDR_LEN && (data[12] != 8 || data[13] == 0);
	if (f->corrupt) { /* what a checksum covers: not ARP, not the front of an IPv6 header */
		u32 from = data[12] == 8 ? ETH_HDR_LEN : ETH_HDR_LEN + 8,
		    at_byte = (u32)sim_range(&l->rng, from, len - 1);

		f->data[at_byte] ^= (u8)(1u << sim_range(&l->rng, 0, 7));
		l->corrupted++;
	}
	l->in_flight++;
	timer_set(&f->timer, at);
}

/* What hardware with NETDEV_CSUM would do. */
static void finish_checksum(struct packet *p, u8 *frame, u32 len)
{
	u32 sum = 0;

	if (p->ip_summed != PACKET_CSUM_PARTIAL)
		return;
	for (u32 i = p->csum_start; i < len; i += 2)
		sum += (u32)frame[i] << 8 | (i + 1 < len ? frame[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	frame[p->csum_start + p->csum_offset] = (u8)(sum >> 8);
	frame[p->csum_start + p->csum_offset + 1] = (u8)sum;
}

static int tracing = -1;

/* A line for each TCP frame, for SIM_TRACE=1. */
static void trace(struct sim_link *l, unsigned side, const u8 *f, u32 len)
{
	bool v4 = f[12] == 8 && f[13] == 0 && f[23] == 6, v6 = f[12] == 0x86 && len > 54 && f[20] == 6;
	const u8 *t = f + (v4 ? 34 : 54);
	u32 n = v4 ? (u32)(f[16] << 8 | f[17]) - 20 : (u32)(f[18] << 8 | f[19]);

	fprintf(stderr, "%12.6f %c: ", (double)clock_monotonic() / 1e9, 'a' + side);
	if (!v4 && !v6)
		fprintf(stderr, "%u bytes, type %02x%02x\n", len, f[12], f[13]);
	else
		fprintf(stderr, "seq %u ack %u len %u win %u %s%s%s%s%s\n",
			(u32)t[4] << 24 | t[5] << 16 | t[6] << 8 | t[7],
			(u32)t[8] << 24 | t[9] << 16 | t[10] << 8 | t[11], n - (t[12] >> 4) * 4u,
			t[14] << 8 | t[15], t[13] & 2 ? "S" : "", t[13] & 1 ? "F" : "", t[13] & 4 ? "R" : "",
			t[13] & 8 ? "P" : "", t[13] & 16 ? "." : "");
}

void sim_fix_tcp_checksum(u8 *frame, u32 len)
{
	bool v4 = frame[12] == 8;
	u32 at = ETH_HDR_LEN + (v4 ? (frame[ETH_HDR_LEN] & 15) * 4u : 40u);
	u32 n = v4 ? (u32)(frame[16] << 8 | frame[17]) + ETH_HDR_LEN - at : len - at;
	struct net_addr src, dst;
	u16 sum = 0;

	if (v4) {
		u32 a[2];

		memcpy(a, frame + 26, 8);
		src = addr_v4(a[0]);
		dst = addr_v4(a[1]);
	} else {
		memcpy(&src, frame + 22, 16);
		memcpy(&dst, frame + 38, 16);
	}
	memcpy(frame + at + 16, &sum, 2);
	sum = csum_fold(csum_partial(frame + at, n, csum_pseudo(&src, &dst, n, IPPROTO_TCP)));
	memcpy(frame + at + 16, &sum, 2);
}

/* The router's answer to a packet that its next link cannot take (RFC 792, 4443 3.2). */
static void too_big(struct sim_link *l, unsigned side, const u8 *frame, u32 len)
{
	bool v4 = frame[12] == 8;
	u32 ip = v4 ? 20 : 40, quote = min(len - ETH_HDR_LEN, v4 ? 28u : 1232u),
	    n = ETH_HDR_LEN + ip + 8 + quote;
	u8 *o = calloc(1, n), *ic = o + ETH_HDR_LEN + ip;
	u16 sum;

	memcpy(o, frame + 6, 6);
	memcpy(o + 12, frame + 12, 2);
	memcpy(ic + 8, frame + ETH_HDR_LEN, quote);
	ic[0] = v4 ? 3 : 2;
	ic[1] = v4 ? 4 : 0;
	ic[6] = (u8)(l->path_mtu >> 8);
	ic[7] = (u8)l->path_mtu;
	if (v4) {
		u32 router = IP4(10, 0, 0, 9);

		memcpy(o + 14, (u8[]){0x45, 0, 0, (u8)(n - ETH_HDR_LEN), 0, 0, 0, 0, 64, 1}, 10);
		memcpy(o + 26, &router, 4);
		memcpy(o + 30, frame + 26, 4);
		sum = ip_checksum(o + 14, 20);
		memcpy(o + 24, &sum, 2);
		sum = ip_checksum(ic, 8 + quote);
	} else {
		struct net_addr from = {.b = {0xfd, [15] = 9}}, to;

		memcpy(&to, frame + 22, 16);
		memcpy(o + 14, (u8[]){0x60, 0, 0, 0, (u8)((8 + quote) >> 8), (u8)(8 + quote), 58, 64}, 8);
		memcpy(o + 22, &from, 16);
		memcpy(o + 38, &to, 16);
		sum = csum_fold(
			csum_partial(ic, 8 + quote, csum_pseudo(&from, &to, 8 + quote, IPPROTO_ICMPV6)));
	}
	memcpy(ic + 2, &sum, 2);
	launch(l, 1 - side, o, n, clock_monotonic() + l->p.delay_ns, false);
	free(o);
}

/* True: the frame is longer than the path takes, and gone. */
static bool beyond_path(struct sim_link *l, unsigned side, const u8 *frame, u32 len)
{
	if (!l->path_mtu || len <= l->path_mtu + ETH_HDR_LEN)
		return false;
	if (!l->blackhole && (frame[12] != 8 || (frame[20] & 0x40)))
		too_big(l, side, frame, len);
	l->lost++;
	return true;
}

/* A router that would rather say that there is too much (RFC 3168). False: the sender would not understand.
 */
static bool mark(u8 *frame, u32 len)
{
	u16 sum;

	if (frame[12] == 0x86) {
		if (!(frame[15] & 0x30))
			return false;
		frame[15] |= 0x30;
		return true;
	}
	if (len < 34 || frame[12] != 8 || frame[13] || !(frame[15] & 3))
		return false;
	frame[15] |= 3;
	frame[24] = frame[25] = 0;
	sum = ip_checksum(frame + 14, 20);
	memcpy(frame + 24, &sum, 2);
	return true;
}

/* SIDE sends FRAME, which the link may change. */
static void link_send(struct sim_link *l, unsigned side, u8 *frame, u32 len)
{
	u64 now = clock_monotonic(), at;

	l->frames++;
	if (unlikely(tracing < 0))
		tracing = getenv("SIM_TRACE") != NULL;
	if (tracing)
		trace(l, side, frame, len);
	if (l->observe)
		l->observe(l, side, frame, len, false, l->observe_arg);
	if (beyond_path(l, side, frame, len))
		return;
	if (l->filter && !l->filter(l, side, frame, len, l->filter_arg))
		return;
	if (l->down || (sim_chance(&l->rng, l->p.loss) && !(mark(frame, len) && sim_chance(&l->rng, 7500)))) {
		l->lost++;
		return;
	}
	at = now;
	if (l->p.bits_per_second) {
		u64 cost = (u64)len * 8 * NSEC_PER_SEC / l->p.bits_per_second,
		    start = max(now, l->busy_until[side]);

		if (l->p.queue && start > now + cost * l->p.queue) {
			l->lost++;
			return;
		}
		l->busy_until[side] = at = start + cost;
	}
	at += l->p.delay_ns + (l->p.jitter_ns ? sim_rand(&l->rng) % l->p.jitter_ns : 0);
	if (sim_chance(&l->rng, l->p.reorder)) {
		at += l->p.reorder_ns;
		l->reordered++;
	}
	launch(l, side, frame, len, at, sim_chance(&l->rng, l->p.corrupt));
	if (sim_chance(&l->rng, l->p.dup)) {
		l->duplicated++;
		launch(l, side, frame, len, at + sim_range(&l->rng, 0, 2 * l->p.delay_ns), false);
	}
}

static int transmit(struct netdev *dev, struct packet *p)
{
	struct sim_host *h = dev->priv;
	u32 len = p->len;
	u8 *frame;

	if (p->gso_size) /* the device cuts it up */
		return gso_send_segments(dev, p);
	frame = malloc(len);
	if (!frame)
		abort();
	packet_copy_bits(p, 0, frame, len);
	finish_checksum(p, frame, len);
	packet_free(p);
	link_send(h->link, h->side, frame, len);
	free(frame);
	return 0;
}

void sim_from_outside(struct sim_link *l, const u8 *frame, u32 len)
{
	u8 copy[65536];

	memcpy(copy, frame, len);
	link_send(l, 1, copy, len);
}

static const struct netdev_ops sim_ops = {.transmit = transmit};

static int offer_ipv6(struct sim_host *h)
{
	struct net_addr net6 = {.b = {0xfd}};
	struct if_addr a = {.addr = net6, .plen = 64, .valid_until = ~0ull, .preferred_until = ~0ull};
	struct route r = {.dst = net6, .plen = 64, .type = RTN_UNICAST, .dev = &h->dev};

	a.addr.b[15] = (u8)(h->side + 1);
	return ip6_stack_init(&h->net) || if_addr_add(&h->dev, &a) || route_add(&h->net, &r, false);
}

static void host_up(struct sim_host *h, struct sim_link *l, unsigned side, const struct sim_link_params *p)
{
	struct if_addr a = {.addr = addr_v4(IP4(10, 0, 0, side + 1)),
			    .plen = 24,
			    .valid_until = ~0ull,
			    .preferred_until = ~0ull};
	struct route r = {
		.dst = addr_v4(IP4(10, 0, 0, 0)), .plen = 24, .type = RTN_UNICAST, .gateway = addr_v4(0)};

	memset(h, 0, sizeof(*h));
	if (net_stack_init(&h->net))
		abort();
	h->link = l;
	h->side = side;
	h->dev.mtu = p->mtu ? p->mtu : 1500;
	h->dev.features = p->features;
	h->dev.mac[0] = 2;
	h->dev.mac[5] = (u8)(side + 1);
	h->dev.ops = &sim_ops;
	h->dev.priv = h;
	h->dev.link_up = true;
	if (net_add_device(&h->net, &h->dev) || net_device_up(&h->dev, true) || if_addr_add(&h->dev, &a))
		abort();
	r.dev = &h->dev;
	r.src = a.addr;
	if (route_add(&h->net, &r, false) || (p->ipv6 && offer_ipv6(h)))
		abort();
	l->end[side] = h;
}

void sim_single(struct sim_host *a, struct sim_link *l, const struct sim_link_params *p, u64 seed)
{
	memset(l, 0, sizeof(*l));
	l->p = *p;
	l->rng.s = seed;
	host_now = NSEC_PER_SEC;
	host_random_seed(seed);
	host_rcu_defer(true); /* as in the kernel: memory goes when nobody can look at it any more */
	host_up(a, l, 0, p);
}

void sim_pair(struct sim_host *a, struct sim_host *b, struct sim_link *l, const struct sim_link_params *p,
	      u64 seed)
{
	sim_single(a, l, p, seed);
	host_up(b, l, 1, p);
}

void sim_pair_destroy(struct sim_host *a, struct sim_host *b, struct sim_link *l)
{
	net_stack_destroy(&a->net);
	net_stack_destroy(&b->net);
	host_rcu_quiesce();
	host_rcu_defer(false);
}

void sim_step(u64 ns)
{
	u64 next = host_next_timer(), now = clock_monotonic();

	host_time_advance(next > now && next - now < ns ? next - now : (next <= now ? 0 : ns));
	host_rcu_quiesce();
}

void sim_run(u64 ns)
{
	u64 until = clock_monotonic() + ns;

	while (clock_monotonic() < until)
		sim_step(until - clock_monotonic());
}

struct socket *sim_socket(struct net_stack *net, int family, int type)
{
	return socket_create(net, family, type, 0);
}

static struct sockaddr_in in_addr(u32 v4, u16 port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = be16(port), .sin_addr.s_addr = v4};
}

int sim_bind(struct socket *s, u32 v4, u16 port)
{
	struct sockaddr_in a = in_addr(v4, port);

	return s->ops->bind(s, (struct sockaddr *)&a, sizeof(a));
}

int sim_connect(struct socket *s, u32 v4, u16 port)
{
	struct sockaddr_in a = in_addr(v4, port);

	return s->ops->connect(s, (struct sockaddr *)&a, sizeof(a), true);
}

ssize_t sim_send(struct socket *s, const void *buf, size_t n, u32 flags)
{
	struct iter it;
	struct net_msg m = {.iter = &it, .flags = flags | MSG_DONTWAIT};

	iter_init_kernel(&it, (void *)buf, n);
	return s->ops->sendmsg(s, &m);
}

ssize_t sim_recv(struct socket *s, void *buf, size_t n, u32 flags)
{
	struct iter it;
	struct net_msg m = {.iter = &it, .flags = flags | MSG_DONTWAIT};

	iter_init_kernel(&it, buf, n);
	return s->ops->recvmsg(s, &m);
}

ssize_t sim_sendto(struct socket *s, const void *buf, size_t n, u32 v4, u16 port)
{
	struct sockaddr_in a = in_addr(v4, port);
	struct iter it;
	struct net_msg m = {.iter = &it, .flags = MSG_DONTWAIT, .name = &a, .namelen = sizeof(a)};

	iter_init_kernel(&it, (void *)buf, n);
	return s->ops->sendmsg(s, &m);
}

int sim_setopt(struct socket *s, int level, int opt, int v)
{
	if (level == SOL_SOCKET)
		return socket_set_option(s, opt, &v, sizeof(v));
	return s->ops->setsockopt(s, level, opt, &v, sizeof(v));
}

int sim_sockaddr(const struct socket *s, unsigned side, u16 port, struct __kernel_sockaddr_storage *ss)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = be16(port)};
	struct sockaddr_in four = in_addr(IP4(10, 0, 0, side + 1), port);

	if (s->family == AF_INET) {
		memcpy(ss, &four, sizeof(four));
		return sizeof(four);
	}
	six.sin6_addr.s6_addr[0] = 0xfd;
	six.sin6_addr.s6_addr[15] = (u8)(side + 1);
	memcpy(ss, &six, sizeof(six));
	return sizeof(six);
}

/* AF_UNIX needs the file system, which is not part of this library. */
struct socket *unix_create(struct net_stack *net, int type, int protocol)
{
	return ERR_PTR(-EAFNOSUPPORT);
}
