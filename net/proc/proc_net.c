/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/net files about interfaces, routes, neighbours and figures: dev, route, arp, if_inet6, igmp,
 * protocols, pnp, snmp, netstat (proc(5)). */
#include "base/bits.h"
#include "base/string.h"
#include "fs/pseudo.h"
#include "kernel/clock.h"
#include "kernel/init.h"
#include "net/abi.h"
#include "net/config.h"
#include "net/ip.h"
#include "text.h"

static struct net_stack *const net = &net_default;

#define for_each_dev(dev)                                           \
	for (struct netdev *dev = net_device_by_index(net, 1); dev; \
	     dev = net_device_by_index(net, dev->index + 1))

static size_t show_dev(char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	text_printf(&t,
		    "Inter-|   Receive                                                |  Transmit\n"
		    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
		    "drop fifo colls carrier compressed\n");
	for_each_dev(d) text_printf(
		&t,
		"%6s: %7llu %7llu %4llu %4llu    0     0          0         0 %8llu %7llu %4llu %4llu    0   "
		"  "
		"0       0          0\n",
		d->name, (unsigned long long)d->stats.rx_bytes, (unsigned long long)d->stats.rx_packets,
		(unsigned long long)d->stats.rx_errors, (unsigned long long)d->stats.rx_dropped,
		(unsigned long long)d->stats.tx_bytes, (unsigned long long)d->stats.tx_packets,
		(unsigned long long)d->stats.tx_errors, (unsigned long long)d->stats.tx_dropped);
	return t.len;
}

static size_t show_route(char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	text_printf(&t, "%-127s\n",
		    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
	for (struct route *r = rcu_dereference(net->routes[0]); r; r = rcu_dereference(r->next)) {
		unsigned flags = RTF_UP | (addr_is_any(&r->gateway) ? 0 : RTF_GATEWAY) |
				 (r->plen == 32 ? RTF_HOST : 0) |
				 (r->type == RTN_UNREACHABLE ? RTF_REJECT : 0);
		size_t start = t.len;

		text_printf(&t, "%s\t%08X\t%08X\t%04X\t%d\t%u\t%u\t%08X\t%u\t%u\t%u",
			    r->dev ? r->dev->name : "*", r->dst.w[3], r->gateway.w[3], flags, 0, 0, r->metric,
			    ip4_mask(r->plen), r->mtu, 0, 0);
		text_pad(&t, start, 127);
		text_printf(&t, "\n");
	}
	return t.len;
}

static bool arp_line(const struct neigh_info *i, void *arg)
{
	char addr[ADDR_TEXT_MAX], mac[18];
	struct text *t = arg;

	if (!addr_is_v4(&i->addr))
		return true;
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", i->mac[0], i->mac[1], i->mac[2],
		 i->mac[3], i->mac[4], i->mac[5]);
	text_printf(t, "%-16s 0x%-10x0x%-10x%s     *        %s\n", addr_text(&i->addr, addr), ARPHRD_ETHER,
		    i->state & NUD_PERMANENT ? 6 : (i->state & (NUD_INCOMPLETE | NUD_FAILED) ? 0 : 2), mac,
		    i->dev->name);
	return true;
}

static size_t show_arp(char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	text_printf(&t, "IP address       HW type     Flags       HW address            Mask     Device\n");
	neigh_for_each(net, arp_line, &t);
	return t.len;
}

static void put_bytes(struct text *t, const struct net_addr *a)
{
	for (unsigned i = 0; i < 16; i++)
		text_printf(t, "%02x", a->b[i]);
}

static size_t show_if_inet6(char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	for_each_dev(d) for (struct if_addr *a = rcu_dereference(net_if(d)->addrs); a;
			     a = rcu_dereference(a->next))
	{
		unsigned scope =
			addr_is_loopback(&a->addr) ? 0x10 : (addr_is_link_local(&a->addr) ? 0x20 : 0);

		if (addr_is_v4(&a->addr))
			continue;
		put_bytes(&t, &a->addr);
		text_printf(&t, " %02x %02x %02x %02x %8s\n", d->index, a->plen, scope,
			    a->flags | (a->valid_until == ~0ull ? IFA_F_PERMANENT : 0), d->name);
	}
	return t.len;
}

/* Destination, source, next hop, metric, references, uses, flags, interface; own addresses come last, as
 * routes of metric 0 over the loopback. */
static void put_route6(struct text *t, const struct net_addr *dst, unsigned plen, const struct net_addr *via,
		       u32 metric, u32 flags, const char *dev)
{
	put_bytes(t, dst);
	text_printf(t, " %02x ", plen);
	put_bytes(t, &NET_ADDR_ANY);
	text_printf(t, " 00 ");
	put_bytes(t, via);
	text_printf(t, " %08x %08x %08x %08x %8s\n", metric, 1, 0, flags, dev);
}

#define RTF_LOCAL_ 0x80000000u /* linux/ipv6_route.h */

static size_t show_ipv6_route(char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	for (struct route *r = rcu_dereference(net->routes[1]); r; r = rcu_dereference(r->next)) {
		u32 flags = RTF_UP | (addr_is_any(&r->gateway) ? 0 : RTF_GATEWAY) |
			    (r->plen == 128 ? RTF_HOST : 0) | (r->type == RTN_UNREACHABLE ? RTF_REJECT : 0);

		put_route6(&t, &r->dst, r->plen, &r->gateway, r->metric, flags, r->dev ? r->dev->name : "lo");
	}
	for_each_dev(d) for (struct if_addr *a = rcu_dereference(net_if(d)->addrs); a;
			     a = rcu_dereference(a->next)) if (!addr_is_v4(&a->addr))
		put_route6(&t, &a->addr, 128, &NET_ADDR_ANY, 0, RTF_UP | RTF_LOCAL_, d->name);
	return t.len;
}

static size_t show_igmp(char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	text_printf(&t, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
	for_each_dev(d)
	{
		unsigned n = 1;

		for (struct if_group *g = rcu_dereference(net_if(d)->groups); g; g = rcu_dereference(g->next))
			n += addr_is_v4(&g->addr);
		text_printf(&t, "%u\t%-10s: %5u %7s\n", d->index, d->name, n, "V3");
		for (struct if_group *g = rcu_dereference(net_if(d)->groups); g; g = rcu_dereference(g->next))
			if (addr_is_v4(&g->addr))
				text_printf(&t, "\t\t\t\t%08X %5u 0:%08lX\t\t%d\n", g->addr.w[3], g->users,
					    0ul, 0);
		text_printf(&t, "\t\t\t\t%08X %5d 0:%08lX\t\t%d\n", IP4(224, 0, 0, 1), 1, 0ul, 0);
	}
	return t.len;
}

static size_t show_protocols(char *buf, size_t size)
{
	static const char *const names[] = {"NETLINK", "UNIX-STREAM", "UNIX",  "PING",	"RAW",	"UDP",
					    "TCP",     "PINGv6",      "RAWv6", "UDPv6", "TCPv6"};
	struct text t = {buf, size, 0};

	text_printf(&t, "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de "
			"sh ss gs se re sp bi "
			"br ha uh gp em\n");
	for (unsigned i = 0; i < (net->ip6 ? ARRAY_SIZE(names) : 7); i++)
		text_printf(&t,
			    "%-9s %4u %6d  %6d   no       0   no   kernel      n  n  n  n  n  n  n  n  n  n  "
			    "n  n  n  n  n  n  n  n  n\n",
			    names[i], 1024, 0, -1);
	return t.len;
}

/* As the kernel's own configuration leaves it: the form of resolv.conf. */
static size_t show_pnp(char *buf, size_t size)
{
	struct text t = {buf, size, 0};
	char a[ADDR_TEXT_MAX];
	struct net_addr addr;
	bool dhcp = false;

	for_each_dev(d) dhcp |= strcmp(dhcp_state(d), "off") != 0;
	text_printf(&t, "#PROTO: %s\n", dhcp ? "DHCP" : "MANUAL");
	if (net->domain[0])
		text_printf(&t, "domain %s\n", net->domain);
	if (net->search[0])
		text_printf(&t, "search %s\n", net->search);
	else if (net->search6[0] && net->search6_until > clock_monotonic())
		text_printf(&t, "search %s\n", net->search6);
	for (unsigned i = 0; i < ARRAY_SIZE(net->dns); i++)
		if (net->dns[i]) {
			addr = addr_v4(net->dns[i]);
			text_printf(&t, "nameserver %s\n", addr_text(&addr, a));
		}
	for (unsigned i = 0; i < ARRAY_SIZE(net->dns6) && net->dns6_until > clock_monotonic(); i++)
		if (!addr_is_any(&net->dns6[i]))
			text_printf(&t, "nameserver %s\n", addr_text(&net->dns6[i], a));
	if (net->boot_server) {
		addr = addr_v4(net->boot_server);
		text_printf(&t, "bootserver %s\n", addr_text(&addr, a));
	}
	return t.len;
}

struct figure {
	const char *name;
	int mib; /* enum mib_index; -1: VALUE */
	int value;
};
#define CONST(v) -1, v

static void put_figures(struct text *t, const char *title, const struct figure *f, unsigned n)
{
	text_printf(t, "%s:", title);
	for (unsigned i = 0; i < n; i++)
		text_printf(t, " %s", f[i].name);
	text_printf(t, "\n%s:", title);
	for (unsigned i = 0; i < n; i++) {
		long long v = f[i].mib >= 0 ? (long long)atomic_load_explicit(&net->mib[f[i].mib],
									      memory_order_relaxed)
					    : f[i].value;

		text_printf(t, " %lld", v);
	}
	text_printf(t, "\n");
}
#define PUT(t, title, table) put_figures(t, title, table, ARRAY_SIZE(table))

static size_t show_snmp(char *buf, size_t size)
{
	static const struct figure ip[] = {
		{"Forwarding", CONST(2)},
		{"DefaultTTL", CONST(64)},
		{"InReceives", MIB_IP_IN_RECEIVES, 0},
		{"InHdrErrors", MIB_IP_IN_HDR_ERRORS, 0},
		{"InAddrErrors", MIB_IP_IN_ADDR_ERRORS, 0},
		{"ForwDatagrams", CONST(0)},
		{"InUnknownProtos", MIB_IP_IN_UNKNOWN_PROTOS, 0},
		{"InDiscards", MIB_IP_IN_DISCARDS, 0},
		{"InDelivers", MIB_IP_IN_DELIVERS, 0},
		{"OutRequests", MIB_IP_OUT_REQUESTS, 0},
		{"OutDiscards", MIB_IP_OUT_DISCARDS, 0},
		{"OutNoRoutes", MIB_IP_OUT_NO_ROUTES, 0},
		{"ReasmTimeout", MIB_IP_REASM_TIMEOUT, 0},
		{"ReasmReqds", MIB_IP_REASM_REQDS, 0},
		{"ReasmOKs", MIB_IP_REASM_OKS, 0},
		{"ReasmFails", MIB_IP_REASM_FAILS, 0},
		{"FragOKs", MIB_IP_FRAG_OKS, 0},
		{"FragFails", MIB_IP_FRAG_FAILS, 0},
		{"FragCreates", MIB_IP_FRAG_CREATES, 0},
	};
	static const struct figure icmp[] = {
		{"InMsgs", MIB_ICMP_IN_MSGS, 0},
		{"InErrors", MIB_ICMP_IN_ERRORS, 0},
		{"InCsumErrors", MIB_ICMP_IN_CSUM_ERRORS, 0},
		{"InDestUnreachs", MIB_ICMP_IN_DEST_UNREACHS, 0},
		{"InTimeExcds", MIB_ICMP_IN_TIME_EXCDS, 0},
		{"InParmProbs", CONST(0)},
		{"InSrcQuenchs", CONST(0)},
		{"InRedirects", CONST(0)},
		{"InEchos", MIB_ICMP_IN_ECHOS, 0},
		{"InEchoReps", MIB_ICMP_IN_ECHO_REPS, 0},
		{"InTimestamps", CONST(0)},
		{"InTimestampReps", CONST(0)},
		{"InAddrMasks", CONST(0)},
		{"InAddrMaskReps", CONST(0)},
		{"OutMsgs", MIB_ICMP_OUT_MSGS, 0},
		{"OutErrors", MIB_ICMP_OUT_ERRORS, 0},
		{"OutRateLimitGlobal", MIB_ICMP_OUT_RATE_LIMIT, 0},
		{"OutRateLimitHost", CONST(0)},
		{"OutDestUnreachs", MIB_ICMP_OUT_DEST_UNREACHS, 0},
		{"OutTimeExcds", CONST(0)},
		{"OutParmProbs", CONST(0)},
		{"OutSrcQuenchs", CONST(0)},
		{"OutRedirects", CONST(0)},
		{"OutEchos", MIB_ICMP_OUT_ECHOS, 0},
		{"OutEchoReps", MIB_ICMP_OUT_ECHO_REPS, 0},
		{"OutTimestamps", CONST(0)},
		{"OutTimestampReps", CONST(0)},
		{"OutAddrMasks", CONST(0)},
		{"OutAddrMaskReps", CONST(0)},
	};
	static const struct figure tcp[] = {
		{"RtoAlgorithm", CONST(1)},
		{"RtoMin", CONST(200)},
		{"RtoMax", CONST(120000)},
		{"MaxConn", CONST(-1)},
		{"ActiveOpens", MIB_TCP_ACTIVE_OPENS, 0},
		{"PassiveOpens", MIB_TCP_PASSIVE_OPENS, 0},
		{"AttemptFails", MIB_TCP_ATTEMPT_FAILS, 0},
		{"EstabResets", MIB_TCP_ESTAB_RESETS, 0},
		{"CurrEstab", MIB_TCP_CURR_ESTAB, 0},
		{"InSegs", MIB_TCP_IN_SEGS, 0},
		{"OutSegs", MIB_TCP_OUT_SEGS, 0},
		{"RetransSegs", MIB_TCP_RETRANS_SEGS, 0},
		{"InErrs", MIB_TCP_IN_ERRS, 0},
		{"OutRsts", MIB_TCP_OUT_RSTS, 0},
		{"InCsumErrors", MIB_TCP_IN_CSUM_ERRORS, 0},
	};
	static const struct figure udp[] = {
		{"InDatagrams", MIB_UDP_IN_DATAGRAMS, 0},
		{"NoPorts", MIB_UDP_NO_PORTS, 0},
		{"InErrors", MIB_UDP_IN_ERRORS, 0},
		{"OutDatagrams", MIB_UDP_OUT_DATAGRAMS, 0},
		{"RcvbufErrors", MIB_UDP_RCVBUF_ERRORS, 0},
		{"SndbufErrors", MIB_UDP_SNDBUF_ERRORS, 0},
		{"InCsumErrors", MIB_UDP_IN_CSUM_ERRORS, 0},
		{"IgnoredMulti", CONST(0)},
		{"MemErrors", CONST(0)},
	};
	static const struct figure udplite[] = {
		{"InDatagrams", CONST(0)},  {"NoPorts", CONST(0)},	{"InErrors", CONST(0)},
		{"OutDatagrams", CONST(0)}, {"RcvbufErrors", CONST(0)}, {"SndbufErrors", CONST(0)},
		{"InCsumErrors", CONST(0)}, {"IgnoredMulti", CONST(0)}, {"MemErrors", CONST(0)},
	};
	struct text t = {buf, size, 0};

	PUT(&t, "Ip", ip);
	PUT(&t, "Icmp", icmp);
	PUT(&t, "Tcp", tcp);
	PUT(&t, "Udp", udp);
	PUT(&t, "UdpLite", udplite);
	return t.len;
}

static size_t show_netstat(char *buf, size_t size)
{
	static const struct figure ext[] = {
		{"SyncookiesSent", MIB_EXT_SYNCOOKIES_SENT, 0},
		{"SyncookiesRecv", MIB_EXT_SYNCOOKIES_RECV, 0},
		{"SyncookiesFailed", MIB_EXT_SYNCOOKIES_FAILED, 0},
		{"TW", MIB_EXT_TW, 0},
		{"TWRecycled", MIB_EXT_TW_RECYCLED, 0},
		{"PAWSEstab", MIB_EXT_PAWS_ESTAB, 0},
		{"DelayedACKs", MIB_EXT_DELAYED_ACKS, 0},
		{"ListenOverflows", MIB_EXT_LISTEN_OVERFLOWS, 0},
		{"ListenDrops", MIB_EXT_LISTEN_DROPS, 0},
		{"TCPSackRecovery", MIB_EXT_SACK_RECOVERY, 0},
		{"TCPTimeouts", MIB_EXT_TIMEOUTS, 0},
		{"TCPLossProbes", MIB_EXT_LOSS_PROBES, 0},
		{"TCPSpuriousRTOs", MIB_EXT_SPURIOUS_RTOS, 0},
		{"TCPBacklogDrop", MIB_EXT_BACKLOG_DROP, 0},
		{"TCPChallengeACK", MIB_EXT_CHALLENGE_ACK, 0},
		{"TCPOFOQueue", MIB_EXT_OFO_QUEUE, 0},
		{"TCPOFODrop", MIB_EXT_OFO_DROP, 0},
		{"TCPRcvCollapsed", CONST(0)},
		{"RcvPruned", MIB_EXT_RCV_PRUNED, 0},
		{"TCPAbortOnData", MIB_EXT_ABORT_ON_DATA, 0},
		{"TCPAbortOnClose", MIB_EXT_ABORT_ON_CLOSE, 0},
		{"TCPAbortOnMemory", MIB_EXT_ABORT_ON_MEMORY, 0},
		{"TCPAbortOnTimeout", MIB_EXT_ABORT_ON_TIMEOUT, 0},
		{"TCPAbortOnLinger", MIB_EXT_ABORT_ON_LINGER, 0},
		{"TCPKeepAlive", MIB_EXT_KEEPALIVE, 0},
		{"TCPDSACKRecv", MIB_EXT_DSACK_RECV, 0},
		{"TCPFastOpenActive", MIB_EXT_FASTOPEN_ACTIVE, 0},
		{"TCPFastOpenActiveFail", MIB_EXT_FASTOPEN_ACTIVE_FAIL, 0},
		{"TCPFastOpenPassive", MIB_EXT_FASTOPEN_PASSIVE, 0},
		{"TCPFastOpenPassiveFail", MIB_EXT_FASTOPEN_PASSIVE_FAIL, 0},
		{"TCPFastOpenListenOverflow", MIB_EXT_FASTOPEN_OVERFLOW, 0},
		{"TCPFastOpenCookieReqd", MIB_EXT_FASTOPEN_COOKIE_REQD, 0},
		{"TCPRcvQDrop", MIB_EXT_RCVQ_DROP, 0},
	};
	static const struct figure ip[] = {
		{"InOctets", MIB_IP_IN_OCTETS, 0},
		{"OutOctets", MIB_IP_OUT_OCTETS, 0},
	};
	struct text t = {buf, size, 0};

	PUT(&t, "TcpExt", ext);
	PUT(&t, "IpExt", ip);
	return t.len;
}

static int proc_net_init(void)
{
	static const struct {
		const char *name;
		size_t (*show)(char *, size_t);
	} files[] = {
		{"dev", show_dev},	   {"route", show_route},	  {"arp", show_arp},
		{"igmp", show_igmp},	   {"protocols", show_protocols}, {"snmp", show_snmp},
		{"netstat", show_netstat},
	};
	/* Images link /etc/resolv.conf to pnp, and some resolvers measure that file before they read it. */
	int err = proc_net_register_sized("pnp", show_pnp);

	for (unsigned i = 0; i < ARRAY_SIZE(files) && !err; i++)
		err = proc_net_register(files[i].name, files[i].show);
	if (!err && net->ip6)
		err = proc_net_register("if_inet6", show_if_inet6);
	if (!err && net->ip6)
		err = proc_net_register("ipv6_route", show_ipv6_route);
	return err;
}
INITCALL(proc_net_init, INIT_NET);
