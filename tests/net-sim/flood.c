/* SPDX-License-Identifier: BSD-2-Clause */
/* net-flood [PERCENT]: floods against a simulated host that serves somebody else at the same time. Each must
 * cost the flooder and not the service: what sockets hold stays within the stack's limit (and the least that
 * every socket is owed), the service's bytes keep coming, and when the flood is over all memory comes back.
 * Prints a line a flood, with its greatest figures. PERCENT of the full size, 100 by default. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "host.h"
#include "kernel/clock.h"
#include "net/checksum.h"
#include "net/ip6.h"
#include "net/tcp.h"
#include "sim.h"

#define SEC    NSEC_PER_SEC
#define MS     NSEC_PER_MSEC
#define PORT   80
#define SERVED 9 /* where the service is */
#define B_IP   IP4(10, 0, 0, 2)

static struct sim_host *a, *b; /* clients; the host that is flooded */
static struct sim_link link_;
static struct socket *listener,
	*service[2]; /* of the flood; client's and server's end of the good connection */
static const char *flood_name;
static u64 served, peak, peak_heap;
static u32 percent = 100;

static void fail(const char *format, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "not ok flood: %s: ", flood_name);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(1);
}

static u32 scaled(u32 n)
{
	return max(n * percent / 100, 10u);
}

static struct socket *listen_at(u16 port, int backlog)
{
	struct socket *l = sim_socket(&b->net, AF_INET, SOCK_STREAM);

	if (IS_ERR(l) || sim_bind(l, 0, port) || l->ops->listen(l, backlog))
		fail("cannot listen");
	return l;
}

static struct socket *await(struct socket *l)
{
	for (unsigned i = 0; i < 3000; i++) {
		struct socket *s = l->ops->accept(l, true);

		if (!IS_ERR(s))
			return s;
		sim_run(10 * MS);
	}
	fail("nobody came");
	return NULL;
}

/* A packet of an address that is not ours, as if it had come off the wire. */
static void inject(u32 src, u8 proto, u16 frag, u16 id, const void *payload, u32 n)
{
	struct packet *p = packet_alloc(66, ETH_HDR_LEN + 20 + n);
	u8 *f = packet_put(p, ETH_HDR_LEN + 20 + n);
	struct iphdr ip = {
		.version = 4, .ihl = 5, .ttl = 64, .protocol = proto, .id = id, .frag_off = be16(frag)};

	memset(f, 0, ETH_HDR_LEN);
	memcpy(f, b->dev.mac, 6);
	f[12] = 8;
	ip.tot_len = be16((u16)(20 + n));
	ip.saddr = src;
	ip.daddr = B_IP;
	ip.check = ip_checksum(&ip, 20);
	memcpy(f + ETH_HDR_LEN, &ip, 20);
	memcpy(f + ETH_HDR_LEN + 20, payload, n);
	net_enter();
	netdev_receive(&b->dev, p);
	net_leave();
}

static void tcp_segment(u32 src, u16 sport, u16 dport, u32 seq, u32 ack, u8 flags, const void *data, u32 n)
{
	struct net_addr s = addr_v4(src), d = addr_v4(B_IP);
	u8 t[20 + 1460] = {};
	struct tcphdr *th = (struct tcphdr *)t;

	th->source = be16(sport);
	th->dest = be16(dport);
	th->seq = be32(seq);
	th->ack_seq = be32(ack);
	th->doff = 5;
	t[13] = flags;
	th->window = be16(60000);
	memcpy(t + 20, data, n);
	th->check = csum_fold(csum_partial(t, 20 + n, csum_pseudo(&s, &d, 20 + n, IPPROTO_TCP)));
	inject(src, IPPROTO_TCP, 0, 0, t, 20 + n);
}

/* Half a second's service: a request of 1000 bytes and its answer, as often as that goes. The limit is
 * checked all the while. */
static void serve(u32 sockets)
{
	static u8 buf[65536];
	u64 until = clock_monotonic() + SEC / 2, least = sockets * 4096ull + 2 * 66000;

	while (clock_monotonic() < until) {
		u64 used = atomic_load(&b->net.mem_used);
		ssize_t n;

		peak = max(peak, used);
		peak_heap = max(peak_heap, host_heap_live());
		if (used > b->net.mem_limit + least)
			fail("sockets hold %llu bytes, the limit is %llu", (unsigned long long)used,
			     (unsigned long long)b->net.mem_limit);
		sim_send(service[0], buf, 1000, 0);
		n = sim_recv(service[1], buf, sizeof(buf), 0);
		if (n > 0)
			sim_send(service[1], buf, (size_t)n, 0);
		n = sim_recv(service[0], buf, sizeof(buf), 0);
		if (n == 0 || (n < 0 && n != -EAGAIN))
			fail("the service broke off: %zd", n);
		served += n > 0 ? (u64)n : 0;
		sim_step(10 * MS);
	}
}

static void begin(const char *name, u64 limit)
{
	struct sim_link_params p = {.delay_ns = 2 * MS, .mtu = 1500};
	struct socket *l;

	flood_name = name;
	a = calloc(2, sizeof(*a));
	b = a + 1;
	sim_pair(a, b, &link_, &p, 99);
	if (limit)
		b->net.mem_limit = limit;
	l = listen_at(SERVED, 5);
	service[0] = sim_socket(&a->net, AF_INET, SOCK_STREAM);
	sim_connect(service[0], B_IP, SERVED);
	service[1] = await(l);
	socket_close(l);
	sim_run(100 * MS);
	served = peak = peak_heap = 0;
	serve(0);
	served = 0;
}

static void close_all(struct socket **s, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (s[i])
			socket_close(s[i]);
	free(s);
}

/* The flood is over: everything goes away by itself. FLOODED: half seconds of service during the flood. */
static void end(u32 size, u32 flooded, u64 heap)
{
	u64 until = clock_monotonic() + 3600 * SEC;

	if (served < (u64)flooded * 1000)
		fail("the service had %llu bytes in %u half seconds", (unsigned long long)served, flooded);
	socket_close(service[0]);
	socket_close(service[1]);
	while ((atomic_load(&a->net.tcp->sockets) || atomic_load(&b->net.tcp->sockets) ||
		a->net.tcp->tw_count || b->net.tcp->tw_count || link_.in_flight) &&
	       clock_monotonic() < until)
		sim_step(SEC);
	if (atomic_load(&b->net.tcp->sockets) || atomic_load(&b->net.mem_used) ||
	    atomic_load(&b->net.tcp->orphans))
		fail("%u sockets and %llu bytes are left", atomic_load(&b->net.tcp->sockets),
		     (unsigned long long)atomic_load(&b->net.mem_used));
	printf("ok   flood: %s (%u): at most %llu KiB of %llu in sockets, %llu objects; %llu KiB served "
	       "meanwhile\n",
	       flood_name, size, (unsigned long long)peak >> 10, (unsigned long long)b->net.mem_limit >> 10,
	       (unsigned long long)(peak_heap - heap), (unsigned long long)served >> 10);
	sim_pair_destroy(a, b, &link_);
	free(a);
	if (host_heap_live() != heap)
		fail("%lld objects leak", (long long)(host_heap_live() - heap));
}

/* SYNs of 200 hosts that never answer. */
static void half_open(void)
{
	u64 heap = host_heap_live();
	u32 n = scaled(100000), rounds = 0;

	begin("half-open connections", 0);
	listener = listen_at(PORT, 512);
	for (u32 i = 0; i < n; i++) {
		tcp_segment(IP4(10, 0, 0, 50 + i % 200), (u16)(1000 + i / 200), PORT, i * 77777, 0, 2, NULL,
			    0);
		if (i % 5000 == 4999) {
			serve(0);
			rounds++;
		}
	}
	if (tcp_sk(listener)->listen->syn_count > 512)
		fail("%u half-open connections are kept", tcp_sk(listener)->listen->syn_count);
	/* Half-open ones, neighbours and what waits for those: bounded, whatever N. */
	if (peak_heap - heap > 512 + 4096)
		fail("%llu objects", (unsigned long long)(peak_heap - heap));
	socket_close(listener);
	end(n, rounds, heap);
}

/* Connections to PORT, ours and theirs. */
static struct socket **connect_many(u32 n, struct socket ***theirs)
{
	struct socket **mine = calloc(n, sizeof(*mine));

	*theirs = calloc(n, sizeof(**theirs));
	listener = listen_at(PORT, 128);
	for (u32 i = 0; i < n; i++) {
		mine[i] = sim_socket(&a->net, AF_INET, SOCK_STREAM);
		sim_connect(mine[i], B_IP, PORT);
		(*theirs)[i] = await(listener);
	}
	socket_close(listener);
	return mine;
}

/* Our side never reads what they send, as much as goes. */
static void nobody_reads(void)
{
	static u8 buf[65536];
	u64 heap = host_heap_live();
	u32 n = scaled(1000);
	struct socket **theirs, **mine;

	begin("applications that never read", MIB(8));
	mine = connect_many(n, &theirs);
	for (u32 round = 0; round < 20; round++) {
		for (u32 i = 0; i < n; i++)
			sim_send(mine[i], buf, sizeof(buf), 0);
		serve(n);
	}
	close_all(mine, n);
	close_all(theirs, n);
	end(n, 20, heap);
}

/* They never read what our side sends. */
static void peers_never_read(void)
{
	static u8 buf[65536];
	u64 heap = host_heap_live();
	u32 n = scaled(1000);
	struct socket **theirs, **mine;

	begin("peers that never read", MIB(8));
	mine = connect_many(n, &theirs);
	for (u32 round = 0; round < 20; round++) {
		for (u32 i = 0; i < n; i++) {
			ssize_t r = sim_send(theirs[i], buf, sizeof(buf), 0);

			if (r < 0 && r != -EAGAIN)
				fail("an application is told %zd", r);
		}
		serve(n);
	}
	close_all(mine, n);
	close_all(theirs, n);
	end(n, 20, heap);
}

/* Connections that send everything but their first byte, in small pieces. */
static void first_missing(void)
{
	u64 heap = host_heap_live();
	u32 n = scaled(1000);
	struct socket **theirs, **mine;
	u8 data[500] = {};

	begin("segments behind a gap", MIB(8));
	mine = connect_many(n, &theirs);
	for (u32 round = 0; round < 20; round++) {
		for (u32 i = 0; i < n; i++) {
			struct tcp_sock *tp = tcp_sk(mine[i]);

			for (u32 k = 0; k < 5; k++)
				tcp_segment(IP4(10, 0, 0, 1), tp->inet.lport, PORT,
					    tp->snd_nxt + 2 + (round * 5 + k) * 502, tp->rcv_nxt, 0x10, data,
					    k % 2 ? 500 : 1);
		}
		serve(n);
	}
	close_all(mine, n);
	close_all(theirs, n);
	end(n, 20, heap);
}

/* Datagrams to sockets that nobody reads. */
static void datagrams_unread(void)
{
	u64 heap = host_heap_live();
	u32 n = scaled(1000);
	struct socket **s = calloc(n, sizeof(*s)), *from;
	u8 data[1000] = {};

	begin("datagrams that nobody reads", MIB(8));
	from = sim_socket(&a->net, AF_INET, SOCK_DGRAM);
	for (u32 i = 0; i < n; i++) {
		s[i] = sim_socket(&b->net, AF_INET, SOCK_DGRAM);
		sim_bind(s[i], 0, (u16)(2000 + i));
	}
	for (u32 round = 0; round < 20; round++) {
		for (u32 i = 0; i < n; i++)
			for (u32 k = 0; k < 5; k++)
				sim_sendto(from, data, sizeof(data), B_IP, (u16)(2000 + i));
		serve(0);
	}
	socket_close(from);
	close_all(s, n);
	end(n, 20, heap);
}

/* Datagrams whose last fragment never comes: first many, then long ones. */
static void last_missing(void)
{
	u64 heap = host_heap_live();
	u32 n = scaled(100000), most;
	u8 data[1400] = {};

	begin("datagrams without an end", 0);
	most = (u32)(min(MIB(4), b->net.mem_limit / 4) /
		     400); /* objects: a fragment costs more than 400 bytes */
	for (u32 round = 0; round < 20; round++) {
		for (u32 i = 0; i < n / 20; i++)
			if (round < 10)
				inject(IP4(10, 0, 0, 50 + i % 200), IPPROTO_UDP, 0x2000,
				       (u16)(i / 200 + round * 100), data, 8);
			else
				inject(IP4(10, 0, 0, 50 + i % 200), IPPROTO_UDP,
				       (u16)(0x2000 | (1 + (round - 10) * 175)), (u16)(i / 200 + 900), data,
				       1400);
		serve(0);
		if (host_heap_live() - heap > 2 * most + 4096)
			fail("%llu objects", (unsigned long long)(host_heap_live() - heap));
	}
	sim_run(31 * SEC);
	end(n, 20, heap);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		percent = (u32)atoi(argv[1]);
	half_open();
	nobody_reads();
	peers_never_read();
	first_missing();
	datagrams_unread();
	last_missing();
	return 0;
}
