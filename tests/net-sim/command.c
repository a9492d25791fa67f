/* SPDX-License-Identifier: BSD-2-Clause */
/* See command.h. */
#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "kernel/clock.h"
#include "net/tcp.h"

#define SOCKETS	 64
#define EBADMSG_ 74
#define PEER	 IP4(10, 0, 0, 2)

static struct remote {
	struct socket *s;
	u64 sent, received;
} table[SOCKETS];
static u32 squeeze[2];

static long enter(struct socket *s)
{
	if (IS_ERR(s))
		return PTR_ERR(s);
	for (long i = 0; i < SOCKETS; i++)
		if (!table[i].s) {
			table[i] = (struct remote){.s = s};
			return i;
		}
	socket_close(s);
	return -ENFILE;
}

/* Windows on the way become no larger than asked for. The scale is ours: the link saw no SYN of its own. */
static bool narrow(struct sim_link *l, unsigned side, u8 *f, u32 len, void *arg)
{
	u8 *t = f + ETH_HDR_LEN + (f[14] & 15) * 4u;
	u32 wnd, most;

	if (!squeeze[side] || f[12] != 8 || f[13] != 0 || f[23] != IPPROTO_TCP || (t[13] & 6))
		return true;
	wnd = (u32)(t[14] << 8 | t[15]);
	most = squeeze[side] - 1;
	if (wnd > most) {
		t[14] = (u8)(most >> 8);
		t[15] = (u8)most;
		sim_fix_tcp_checksum(f, len);
	}
	return true;
}

static long set(struct sim_host *h, struct sim_link *l, const char *name, u32 v)
{
	struct tcp_tunables *c = &h->net.tcp_conf;
	const struct {
		const char *name;
		u32 *at;
	} numbers[] = {{"loss", &l->p.loss},
		       {"reorder", &l->p.reorder},
		       {"dup", &l->p.dup},
		       {"corrupt", &l->p.corrupt},
		       {"path_mtu", &l->path_mtu},
		       {"squeeze0", &squeeze[0]},
		       {"squeeze1", &squeeze[1]},
		       {"syncookies", &c->syncookies},
		       {"ecn", &c->ecn},
		       {"fastopen", &c->fastopen},
		       {"sack", &c->sack},
		       {"timestamps", &c->timestamps},
		       {"window_scaling", &c->window_scaling}};

	l->filter = narrow;
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		if (strcmp(name, numbers[i].name) == 0) {
			*numbers[i].at = v;
			return 0;
		}
	if (strcmp(name, "delay_ms") == 0) {
		l->p.delay_ns = v * NSEC_PER_MSEC;
		l->p.reorder_ns = 2 * l->p.delay_ns + NSEC_PER_MSEC;
	} else if (strcmp(name, "blackhole") == 0) {
		l->blackhole = v;
	} else if (strcmp(name, "down") == 0) {
		l->down = v;
	} else {
		return -ENOENT;
	}
	return 0;
}

static long send_flow(struct remote *x, u32 n, u32 flags)
{
	u8 buf[65536];
	ssize_t r;

	n = min(n, (u32)sizeof(buf));
	if (flags & MSG_OOB)
		return sim_send(x->s, "!", 1, flags);
	for (u32 i = 0; i < n; i++)
		buf[i] = (u8)((x->sent + i) * 7);
	r = sim_send(x->s, buf, n, flags);
	x->sent += r > 0 ? (u64)r : 0;
	return r;
}

static long send_fastopen(struct remote *x, u16 port, u32 n)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = be16(port), .sin_addr.s_addr = PEER};
	u8 buf[4096];
	struct iter it;
	struct net_msg m = {
		.iter = &it, .flags = MSG_FASTOPEN | MSG_DONTWAIT, .name = &a, .namelen = sizeof(a)};
	ssize_t r;

	n = min(n, (u32)sizeof(buf));
	for (u32 i = 0; i < n; i++)
		buf[i] = (u8)(i * 7);
	iter_init_kernel(&it, buf, n);
	r = x->s->ops->sendmsg(x->s, &m);
	x->sent = r > 0 ? (u64)r : 0;
	return r;
}

static long recv_flow(struct remote *x, u32 n, u32 flags)
{
	u8 buf[65536];
	ssize_t r = sim_recv(x->s, buf, min(n, (u32)sizeof(buf)), flags);

	if (flags & MSG_OOB)
		return r == 1 ? buf[0] : r;
	for (ssize_t i = 0; i < r; i++)
		if (buf[i] != (u8)((x->received + (u64)i) * 7))
			return -EBADMSG_;
	if (!(flags & MSG_PEEK))
		x->received += r > 0 ? (u64)r : 0;
	return r;
}

static long get_int(struct socket *s, int level, int opt)
{
	int v = 0, len = sizeof(v);
	int err = level == SOL_SOCKET ? socket_get_option(s, opt, &v, &len)
				      : s->ops->getsockopt(s, level, opt, &v, &len);

	return err ? err : v;
}

static long with_socket(struct remote *x, const char *word, const u32 *a)
{
	struct linger l = {1, (int)a[0]};
	int v = 0;

	if (strcmp(word, "opt") == 0)
		return sim_setopt(x->s, (int)a[0], (int)a[1], (int)a[2]);
	if (strcmp(word, "get") == 0)
		return get_int(x->s, (int)a[0], (int)a[1]);
	if (strcmp(word, "linger") == 0)
		return socket_set_option(x->s, SO_LINGER, &l, sizeof(l));
	if (strcmp(word, "bind") == 0)
		return sim_bind(x->s, 0, (u16)a[0]);
	if (strcmp(word, "listen") == 0)
		return x->s->ops->listen(x->s, (int)a[0]);
	if (strcmp(word, "connect") == 0)
		return sim_connect(x->s, PEER, (u16)a[0]);
	if (strcmp(word, "accept") == 0)
		return enter(x->s->ops->accept(x->s, true));
	if (strcmp(word, "shutdown") == 0)
		return x->s->ops->shutdown(x->s, (int)a[0]);
	if (strcmp(word, "send") == 0)
		return send_flow(x, a[0], a[1]);
	if (strcmp(word, "tfo") == 0)
		return send_fastopen(x, (u16)a[0], a[1]);
	if (strcmp(word, "recv") == 0)
		return recv_flow(x, a[0], a[1]);
	if (strcmp(word, "state") == 0)
		return tcp_sk(x->s)->state;
	if (strcmp(word, "poll") == 0)
		return x->s->ops->poll(x->s);
	if (strcmp(word, "mark") == 0)
		return x->s->ops->ioctl(x->s, SIOCATMARK, &v) ? -EINVAL : v;
	if (strcmp(word, "close") == 0) {
		socket_close(x->s);
		x->s = NULL;
		return 0;
	}
	return -ENOENT;
}

static long carry_out(struct sim_host *h, struct sim_link *l, const char *line)
{
	char word[16] = "", name[16] = "";
	u32 n = 0, a[3] = {};

	if (sscanf(line, "set %15s %u", name, &n) == 2)
		return set(h, l, name, n);
	if (sscanf(line, "%15s %u %u %u %u", word, &n, &a[0], &a[1], &a[2]) >= 2)
		return n < SOCKETS && table[n].s ? with_socket(&table[n], word, a) : -EBADF;
	if (strcmp(word, "new") == 0)
		return enter(sim_socket(&h->net, AF_INET, SOCK_STREAM));
	if (strcmp(word, "sockets") == 0)
		return atomic_load(&h->net.tcp->sockets);
	if (strcmp(word, "memory") == 0)
		return (long)atomic_load(&h->net.mem_used);
	if (strcmp(word, "timewait") == 0)
		return h->net.tcp->tw_count;
	if (strcmp(word, "cookies") == 0)
		return (long)atomic_load(&h->net.mib[MIB_EXT_SYNCOOKIES_RECV]);
	return -ENOENT;
}

bool commands(struct sim_host *h, struct sim_link *l)
{
	static char line[256];
	static u32 have;
	ssize_t n = read(0, line + have, sizeof(line) - 1 - have);
	char *end;

	if (n <= 0)
		return false;
	have += (u32)n;
	line[have] = 0;
	while ((end = strchr(line, '\n'))) {
		*end = 0;
		printf("%ld\n", carry_out(h, l, line));
		fflush(stdout);
		have -= (u32)(end + 1 - line);
		memmove(line, end + 1, have + 1);
	}
	return true;
}
