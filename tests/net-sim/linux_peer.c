/* SPDX-License-Identifier: BSD-2-Clause */
/* linux-peer TAP SEED LOSS REORDER DUP CORRUPT DELAY_MS: our stack at 10.0.0.1 on a TAP device, in real time,
 *behind a link that loses, reorders, duplicates and corrupts so many frames in 10,000 both ways. Whoever
 *connects to
 *
 *	port 7	gets his bytes back;
 *	port 9	is told, when he has shut down his side, how many bytes came and their sum;
 *	port 19	says how many bytes he wants (32 bits) and gets them: byte K is K * 7;
 *	port 20	says a port and how many bytes he wants there (32 bits each): we connect to him.
 *
 * It carries out the commands on its standard input (command.h), and ends with it. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "command.h"
#include "host/host_private.h"
#include "kernel/clock.h"
#include "net/tcp.h"
#include "sim.h"
#include "tap.h"

enum { ECHO = 7, DISCARD = 9, SOURCE = 19, CALL_BACK = 20 };
#define SESSIONS 64

struct session {
	struct socket *s;
	u16 port;
	bool told, done; /* what is to be sent is known; everything was written and shut down */
	u32 request[2], have;
	u64 sent, total;
	u32 sum;
	u8 buf[65536];
	u32 start, end; /* of what waits in buf */
};

static struct sim_host host;
static struct sim_link link_;
static struct session sessions[SESSIONS];
static int tap;

static void to_tap(struct sim_link *l, const u8 *frame, u32 len)
{
	if (write(tap, frame, len) < 0)
		l->lost++; /* the device's queue is full: a loss like others */
}

static struct session *new_session(struct socket *s, u16 port)
{
	for (unsigned i = 0; i < SESSIONS; i++)
		if (!sessions[i].s) {
			memset(&sessions[i], 0, offsetof(struct session, buf));
			sessions[i].start = sessions[i].end = 0;
			sessions[i].s = s;
			sessions[i].port = port;
			return &sessions[i];
		}
	socket_close(s);
	return NULL;
}

static void finish(struct session *x)
{
	if (!x->done)
		x->s->ops->shutdown(x->s, SHUT_WR);
	x->done = true;
}

/* Send what waits in buf. False: it does not all go now. */
static bool flush(struct session *x)
{
	while (x->start < x->end) {
		ssize_t n = sim_send(x->s, x->buf + x->start, x->end - x->start, 0);

		if (n <= 0)
			return false;
		x->start += (u32)n;
	}
	x->start = x->end = 0;
	return true;
}

static void call_back(struct session *x)
{
	struct socket *s = sim_socket(&host.net, AF_INET, SOCK_STREAM);
	struct session *y;

	if (IS_ERR(s))
		return;
	sim_connect(s, IP4(10, 0, 0, 2), (u16)x->request[0]);
	y = new_session(s, SOURCE);
	if (y) {
		y->told = true;
		y->total = x->request[1];
	}
}

/* Read the request. False: it has not come yet. */
static bool told(struct session *x)
{
	u32 want = x->port == CALL_BACK ? 8 : 4;
	ssize_t n;

	if (x->told)
		return true;
	n = sim_recv(x->s, (u8 *)x->request + x->have, want - x->have, 0);
	if (n <= 0)
		return false;
	x->have += (u32)n;
	x->told = x->have == want;
	if (x->told && x->port == CALL_BACK)
		call_back(x);
	else if (x->told)
		x->total = x->request[0];
	return x->told;
}

static void serve(struct session *x)
{
	static u8 in[65536];
	ssize_t n;

	if (x->port == SOURCE || x->port == CALL_BACK) {
		if (!told(x) || !flush(x))
			return;
		while (x->sent < x->total) {
			x->end = (u32)min(x->total - x->sent, (u64)sizeof(x->buf));
			for (u32 i = 0; i < x->end; i++)
				x->buf[i] = (u8)((x->sent + i) * 7);
			x->sent += x->end;
			if (!flush(x))
				return;
		}
		finish(x);
	}
	while (flush(x) && (n = sim_recv(x->s, in, sizeof(in), 0)) > 0) {
		if (x->port == ECHO) {
			memcpy(x->buf, in, (size_t)n);
			x->end = (u32)n;
		}
		x->total += x->port == DISCARD ? (u64)n : 0;
		for (ssize_t i = 0; x->port == DISCARD && i < n; i++)
			x->sum = x->sum * 31 + in[i];
	}
	if (x->end || n == -EAGAIN)
		return;
	if (n == 0 && x->port == DISCARD && !x->done) {
		x->end = (u32)snprintf((char *)x->buf, 64, "%llu %u\n", (unsigned long long)x->total, x->sum);
		if (!flush(x))
			return;
	}
	finish(x);
	socket_close(x->s);
	x->s = NULL;
}

static u64 real_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
}

static struct socket *listen_at(u16 port)
{
	struct socket *l = sim_socket(&host.net, AF_INET, SOCK_STREAM);

	if (IS_ERR(l) || sim_bind(l, 0, port) || l->ops->listen(l, 16))
		abort();
	return l;
}

int main(int argc, char **argv)
{
	static const u16 ports[] = {ECHO, DISCARD, SOURCE, CALL_BACK};
	struct socket *listeners[4];
	struct sim_link_params p = {.mtu = 1500};
	u64 offset;

	if (argc != 8)
		return 2;
	p.loss = (unsigned)atoi(argv[3]);
	p.reorder = (unsigned)atoi(argv[4]);
	p.dup = (unsigned)atoi(argv[5]);
	p.corrupt = (unsigned)atoi(argv[6]);
	p.delay_ns = strtoull(argv[7], NULL, 0) * NSEC_PER_MSEC;
	p.reorder_ns = 2 * p.delay_ns + NSEC_PER_MSEC;
	tap = tap_open(argv[1]);
	if (tap < 0)
		return 1;
	sim_single(&host, &link_, &p, strtoull(argv[2], NULL, 0));
	link_.outside = to_tap;
	for (unsigned i = 0; i < 4; i++)
		listeners[i] = listen_at(ports[i]);
	offset = real_now() - clock_monotonic();
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd fds[2] = {{.fd = tap, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
		u64 now = real_now() - offset, next;
		u8 frame[65536];
		ssize_t n;

		host_time_advance(now - clock_monotonic());
		for (unsigned i = 0; i < 4; i++) {
			struct socket *s = listeners[i]->ops->accept(listeners[i], true);

			if (!IS_ERR(s))
				new_session(s, ports[i]);
		}
		for (unsigned i = 0; i < SESSIONS; i++)
			if (sessions[i].s)
				serve(&sessions[i]);
		host_rcu_quiesce();
		next = host_next_timer();
		now = real_now() - offset;
		poll(fds, 2, next <= now ? 0 : (int)min((next - now) / NSEC_PER_MSEC + 1, 100ull));
		if (fds[1].revents && !commands(&host, &link_))
			return 0;
		while ((n = read(tap, frame, sizeof(frame))) > 0)
			sim_from_outside(&link_, frame, (u32)n);
	}
}
