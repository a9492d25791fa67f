/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/net/{tcp,tcp6,udp,udp6,raw,unix,netlink,sockstat}: one line a socket, in Linux's columns (proc(5)).
 */
#include "base/bits.h"
#include "base/string.h"
#include "fs/pseudo.h"
#include "kernel/clock.h"
#include "kernel/init.h"
#include "net/netlink.h"
#include "net/raw.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "net/unix.h"
#include "text.h"

struct walk {
	struct text t;
	unsigned n;
	int family;
};

static void put_addr(struct walk *w, const struct net_addr *a, u16 port)
{
	if (w->family == AF_INET) {
		text_printf(&w->t, "%08X:%04X", a->w[3], port);
	} else {
		struct net_addr out = *a;

		if (addr_is_v4(a) && addr_is_any(a))
			out = NET_ADDR_ANY;
		text_printf(&w->t, "%08X%08X%08X%08X:%04X", out.w[0], out.w[1], out.w[2], out.w[3], port);
	}
}

static void put_addrs(struct walk *w, const struct net_addr *l, u16 lport, const struct net_addr *f,
		      u16 fport)
{
	put_addr(w, l, lport);
	text_printf(&w->t, " ");
	put_addr(w, f, fport);
}

static long ticks_until(u64 when)
{
	u64 now = clock_monotonic();

	return when > now ? (long)((when - now) / (NSEC_PER_SEC / 100)) : 0;
}

static void tcp_line(struct tcp_sock *tp, struct tcp_tw *tw, void *arg)
{
	struct walk *w = arg;
	size_t start = w->t.len;

	if (tw) {
		if ((addr_is_v4(&tw->laddr) ? AF_INET : AF_INET6) != w->family)
			return;
		text_printf(&w->t, "%4u: ", w->n++);
		put_addrs(w, &tw->laddr, tw->lport, &tw->faddr, tw->fport);
		text_printf(&w->t, " %02X %08X:%08X %02X:%08lX %08X %5u %8d %d %d 0000000000000000",
			    TCP_STATE_TIME_WAIT, 0, 0, 3, ticks_until(tw->expires), 0, 0, 0, 0, 3);
	} else {
		struct socket *s = tcp_socket(tp);
		bool listen = tp->state == TCP_STATE_LISTEN;
		unsigned timer = 0;
		u64 when = 0;

		if (s->family != w->family)
			return;
		if (tp->rtx_at) {
			timer = tp->rtx_kind == RTX_PERSIST ? 4 : 1;
			when = tp->rtx_at;
		} else if (tp->keep_at) {
			timer = 2;
			when = tp->keep_at;
		}
		text_printf(&w->t, "%4u: ", w->n++);
		put_addrs(w, &tp->inet.laddr, tp->inet.lport, &tp->inet.faddr, tp->inet.fport);
		text_printf(
			&w->t,
			" %02X %08X:%08X %02X:%08lX %08X %5u %8d %llu %u 0000000000000000 %llu %u %u %u %d",
			tp->state, listen ? 0 : tp->write_seq - tp->snd_una,
			listen ? tp->listen->accept_count : tcp_readable(tp), timer, timer ? ticks_until(when) : 0,
			(unsigned)tp->retries, 0u, (int)tp->probes_out,
			(unsigned long long)(s->file ? s->id : 0), refcount_read(&s->ref),
			(unsigned long long)(tcp_rto(tp) / 10000000), 4u,
			(unsigned)tp->pingpong, tp->mss ? tp->cwnd / tp->mss : 0,
			tp->ssthresh >= 0x7fffffff || !tp->mss ? -1 : (int)(tp->ssthresh / tp->mss));
	}
	text_pad(&w->t, start, 149);
	text_printf(&w->t, "\n");
}

static size_t show_tcp_family(char *buf, size_t size, int family)
{
	struct walk w = {.t = {buf, size, 0}, .family = family};

	if (family == AF_INET)
		text_printf(&w.t, "%-149s\n",
			    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
			    "uid  timeout inode");
	else
		text_printf(&w.t, "  sl  local_address                         remote_address                "
				  "        st tx_queue "
				  "rx_queue tr tm->when retrnsmt   uid  timeout inode\n");
	tcp_for_each(&net_default, tcp_line, &w);
	return w.t.len;
}

static size_t show_tcp(char *buf, size_t size)
{
	return show_tcp_family(buf, size, AF_INET);
}

static size_t show_tcp6(char *buf, size_t size)
{
	return show_tcp_family(buf, size, AF_INET6);
}

static void datagram_line(struct walk *w, struct inet_sock *i, u16 lport, bool connected, u32 drops)
{
	size_t start = w->t.len;

	if (i->s.family != w->family)
		return;
	text_printf(&w->t, "%5u: ", w->n++);
	put_addrs(w, &i->laddr, lport, &i->faddr, connected ? i->fport : 0);
	text_printf(&w->t, " %02X %08X:%08X %02X:%08lX %08X %5u %8d %llu %u %016d %u", connected ? 1 : 7, 0,
		    atomic_load(&i->s.rmem), 0, 0ul, 0, 0u, 0, (unsigned long long)i->s.id,
		    refcount_read(&i->s.ref), 0, drops);
	text_pad(&w->t, start, 127);
	text_printf(&w->t, "\n");
}

static void udp_line(struct udp_sock *u, void *arg)
{
	datagram_line(arg, &u->inet, u->inet.lport, u->connected, u->rx.drops);
}

static void raw_line(struct raw_sock *r, void *arg)
{
	datagram_line(arg, &r->inet, r->inet.s.protocol, r->connected, r->rx.drops);
}

static void datagram_head(struct walk *w)
{
	if (w->family == AF_INET)
		text_printf(&w->t, "%-127s\n",
			    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
			    "uid  timeout inode "
			    "ref pointer drops");
	else
		text_printf(&w->t, "  sl  local_address                         remote_address               "
				   "         st tx_queue "
				   "rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n");
}

static size_t show_datagrams(char *buf, size_t size, int family, u8 protocol)
{
	struct walk w = {.t = {buf, size, 0}, .family = family};

	datagram_head(&w);
	udp_for_each(&net_default, protocol, udp_line, &w);
	return w.t.len;
}

static size_t show_udp(char *buf, size_t size)
{
	return show_datagrams(buf, size, AF_INET, IPPROTO_UDP);
}

static size_t show_udp6(char *buf, size_t size)
{
	return show_datagrams(buf, size, AF_INET6, IPPROTO_UDP);
}

static size_t show_udplite(char *buf, size_t size)
{
	return show_datagrams(buf, size, AF_INET, IPPROTO_UDPLITE);
}

static size_t show_udplite6(char *buf, size_t size)
{
	return show_datagrams(buf, size, AF_INET6, IPPROTO_UDPLITE);
}

static size_t show_raw(char *buf, size_t size)
{
	struct walk w = {.t = {buf, size, 0}, .family = AF_INET};

	datagram_head(&w);
	raw_for_each(&net_default, raw_line, &w);
	return w.t.len;
}

static size_t show_raw6(char *buf, size_t size)
{
	struct walk w = {.t = {buf, size, 0}, .family = AF_INET6};

	datagram_head(&w);
	raw_for_each(&net_default, raw_line, &w);
	return w.t.len;
}

static bool unix_line(struct unix_sock *u, void *arg)
{
	struct walk *w = arg;
	bool listen = u->state == UNIX_LISTEN;

	text_printf(&w->t, "0000000000000000: %08X %08X %08X %04X %02X %5llu", refcount_read(&u->s.ref), 0,
		    listen ? 0x10000 : 0, u->s.type, u->state == UNIX_CONNECTED ? 3 : 1,
		    (unsigned long long)u->s.id);
	if (u->name) {
		int n = u->name->len - (int)offsetof(struct sockaddr_un, sun_path);
		const char *p = u->name->addr.sun_path;

		text_printf(&w->t, " ");
		if (!p[0]) { /* abstract: every zero byte shows as @ */
			for (int i = 0; i < n; i++)
				text_printf(&w->t, "%c", p[i] ? p[i] : '@');
		} else {
			text_printf(&w->t, "%.*s", n, p);
		}
	}
	text_printf(&w->t, "\n");
	return true;
}

static size_t show_unix(char *buf, size_t size)
{
	struct walk w = {.t = {buf, size, 0}};

	text_printf(&w.t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	unix_for_each(unix_line, &w);
	return w.t.len;
}

static void netlink_line(struct netlink_sock *n, void *arg)
{
	struct walk *w = arg;

	text_printf(&w->t, "%016d %-3d %-10u %08x %-8u %-8u %-5d %-8u %-8u %-8llu\n", 0, n->s.protocol,
		    n->portid, n->groups, atomic_load(&n->s.rmem), 0u, n->dump != NULL,
		    refcount_read(&n->s.ref), n->rx.drops, (unsigned long long)n->s.id);
}

static size_t show_netlink(char *buf, size_t size)
{
	struct walk w = {.t = {buf, size, 0}};

	text_printf(
		&w.t,
		"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n");
	netlink_for_each(netlink_line, &w);
	return w.t.len;
}

/* Sockets by family: [0] all, [1] of AF_INET6. */
static void count_socket(const struct socket *s, unsigned *n)
{
	n[0]++;
	n[1] += s->family == AF_INET6;
}

static void count_udp(struct udp_sock *u, void *arg)
{
	count_socket(&u->inet.s, arg);
}

static void count_raw(struct raw_sock *r, void *arg)
{
	count_socket(&r->inet.s, arg);
}

static bool count_unix(struct unix_sock *u, void *arg)
{
	++*(unsigned *)arg;
	return true;
}

static void count_tcp(struct tcp_sock *tp, struct tcp_tw *tw, void *arg)
{
	if (tp)
		count_socket(tcp_socket(tp), arg);
}

struct socket_counts {
	unsigned tcp[2], udp[2], lite[2], raw[2];
};

static struct socket_counts count_inet(void)
{
	struct socket_counts n = {};

	udp_for_each(&net_default, IPPROTO_UDP, count_udp, n.udp);
	udp_for_each(&net_default, IPPROTO_UDPLITE, count_udp, n.lite);
	raw_for_each(&net_default, count_raw, n.raw);
	tcp_for_each(&net_default, count_tcp, n.tcp);
	return n;
}

static size_t show_sockstat(char *buf, size_t size)
{
	struct text t = {buf, size, 0};
	struct socket_counts n = count_inet();
	struct tcp_stack *ts = net_default.tcp;
	unsigned un = 0;

	unix_for_each(count_unix, &un);
	text_printf(&t, "sockets: used %u\n",
		    n.udp[0] + n.lite[0] + n.raw[0] + un + atomic_load(&ts->sockets));
	text_printf(&t, "TCP: inuse %u orphan %d tw %u alloc %u mem %llu\n", n.tcp[0] - n.tcp[1],
		    max((int)atomic_load(&ts->orphans), 0), ts->tw_count, atomic_load(&ts->sockets),
		    (unsigned long long)(atomic_load(&net_default.mem_used) / PAGE_SIZE));
	text_printf(&t, "UDP: inuse %u mem 0\nUDPLITE: inuse %u\nRAW: inuse %u\nFRAG: inuse 0 memory 0\n",
		    n.udp[0] - n.udp[1], n.lite[0] - n.lite[1], n.raw[0] - n.raw[1]);
	return t.len;
}

static size_t show_sockstat6(char *buf, size_t size)
{
	struct text t = {buf, size, 0};
	struct socket_counts n = count_inet();

	text_printf(&t,
		    "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse %u\nRAW6: inuse %u\nFRAG6: inuse 0 "
		    "memory 0\n",
		    n.tcp[1], n.udp[1], n.lite[1], n.raw[1]);
	return t.len;
}

static int proc_sockets_init(void)
{
	static const struct {
		const char *name;
		size_t (*show)(char *, size_t);
		bool v6;
	} files[] = {
		{"tcp", show_tcp, false},	   {"udp", show_udp, false},
		{"raw", show_raw, false},	   {"unix", show_unix, false},
		{"netlink", show_netlink, false},  {"sockstat", show_sockstat, false},
		{"tcp6", show_tcp6, true},	   {"udp6", show_udp6, true},
		{"raw6", show_raw6, true},	   {"udplite", show_udplite, false},
		{"udplite6", show_udplite6, true}, {"sockstat6", show_sockstat6, true},
	};
	int err = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(files) && !err; i++)
		if (!files[i].v6 || net_default.ip6)
			err = proc_net_register(files[i].name, files[i].show);
	return err;
}
INITCALL(proc_sockets_init, INIT_NET);
