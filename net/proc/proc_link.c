/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/net files below IP and beside it: packet, ptype, softnet_stat, dev_mcast, igmp6, snmp6 (proc(5)). */
#include "base/bits.h"
#include "base/string.h"
#include "fs/pseudo.h"
#include "kernel/init.h"
#include "net/af_packet.h"
#include "net/ip6.h"
#include "text.h"

static struct net_stack *const net = &net_default;

#define for_each_dev(dev)                                           \
	for (struct netdev *dev = net_device_by_index(net, 1); dev; \
	     dev = net_device_by_index(net, dev->index + 1))

static void packet_line(struct packet_sock *k, void *arg)
{
	text_printf(arg, "%016d %-6u %-4u %04x   %-5u %1d %-6u %-6u %-6llu\n", 0, refcount_read(&k->s.ref),
		    k->s.type, k->protocol, k->ifindex, k->protocol != 0, atomic_load(&k->s.rmem), 0u,
		    (unsigned long long)k->s.id);
}

static size_t show_packet(char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	text_printf(&t, "%-17sRefCnt Type Proto  Iface R Rmem   User   Inode\n", "sk");
	packet_for_each(packet_line, &t);
	return t.len;
}

static void ptype_line(struct packet_sock *k, void *arg)
{
	struct netdev *dev = net_device_by_index(net, k->ifindex);
	const char *receiver = k->ring ? "tpacket_rcv" : "packet_rcv";

	if (k->protocol == ETH_P_ALL)
		text_printf(arg, "ALL  %-8s %s\n", dev ? dev->name : "", receiver);
	else if (k->protocol)
		text_printf(arg, "%04x %-8s %s\n", k->protocol, dev ? dev->name : "", receiver);
}

static size_t show_ptype(char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	text_printf(&t, "Type Device      Function\n");
	packet_for_each(ptype_line, &t);
	text_printf(&t, "0800          ip_rcv\n0806          arp_rcv\n");
	if (net->ip6)
		text_printf(&t, "86dd          ipv6_rcv\n");
	return t.len;
}

static size_t show_softnet_stat(char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	for (unsigned i = 0; i < cpu_count; i++) {
		const struct net_cpu *c = per_cpu_ptr(&net_cpu, i);

		text_printf(&t, "%08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x\n",
			    READ_ONCE(c->processed), 0, READ_ONCE(c->squeezed), 0, 0, 0, 0, 0, 0, 0, 0,
			    READ_ONCE(c->loop_len), i);
	}
	return t.len;
}

static void mac_line(struct text *t, const struct netdev *d, unsigned users, const struct net_addr *group)
{
	const u8 *b = group->b;

	text_printf(t, "%-4u %-15s %-5u %-5u ", d->index, d->name, users, 0u);
	if (addr_is_v4(group))
		text_printf(t, "01005e%02x%02x%02x\n", b[13] & 0x7f, b[14], b[15]);
	else
		text_printf(t, "3333%02x%02x%02x%02x\n", b[12], b[13], b[14], b[15]);
}

static size_t show_dev_mcast(char *buf, size_t size)
{
	struct net_addr all4 = addr_v4(IP4(224, 0, 0, 1)), all6 = IP6_ALL_NODES;
	struct text t = {buf, size, 0};

	for_each_dev(d)
	{
		if (d->flags & IFF_LOOPBACK)
			continue;
		if (net->ip6)
			mac_line(&t, d, 1, &all6);
		mac_line(&t, d, 1, &all4);
		for (struct if_group *g = rcu_dereference(net_if(d)->groups); g; g = rcu_dereference(g->next))
			if ((g->users || g->nsources) && !addr_equal(&g->addr, &all4) &&
			    !addr_equal(&g->addr, &all6))
				mac_line(&t, d, 1, &g->addr);
	}
	return t.len;
}

static void group6_line(struct text *t, const struct netdev *d, const struct net_addr *a, u32 users,
			u32 flags)
{
	text_printf(t, "%-4u %-15s ", d->index, d->name);
	for (unsigned i = 0; i < 16; i++)
		text_printf(t, "%02x", a->b[i]);
	text_printf(t, " %5u %08X %ld\n", users, flags, 0l);
}

static size_t show_igmp6(char *buf, size_t size)
{
	struct net_addr all = IP6_ALL_NODES, own = {.b = {0xff, 1, [15] = 1}};
	struct text t = {buf, size, 0};

	for_each_dev(d)
	{
		for (struct if_group *g = rcu_dereference(net_if(d)->groups); g; g = rcu_dereference(g->next))
			if (!addr_is_v4(&g->addr) && (g->users || g->nsources) &&
			    !addr_equal(&g->addr, &all) && !addr_equal(&g->addr, &own))
				group6_line(&t, d, &g->addr, max(g->users, 1u), 4);
		group6_line(&t, d, &all, 1, 0xc);
		group6_line(&t, d, &own, 1, 8);
	}
	return t.len;
}

static size_t show_snmp6(char *buf, size_t size)
{
	static const struct {
		const char *name;
		int mib; /* -1: not counted */
	} figures[] = {
		{"Ip6InReceives", MIB_IP6_IN_RECEIVES},
		{"Ip6InHdrErrors", MIB_IP6_IN_HDR_ERRORS},
		{"Ip6InTooBigErrors", -1},
		{"Ip6InNoRoutes", -1},
		{"Ip6InAddrErrors", -1},
		{"Ip6InUnknownProtos", -1},
		{"Ip6InTruncatedPkts", -1},
		{"Ip6InDiscards", -1},
		{"Ip6InDelivers", MIB_IP6_IN_DELIVERS},
		{"Ip6OutForwDatagrams", -1},
		{"Ip6OutRequests", MIB_IP6_OUT_REQUESTS},
		{"Ip6OutDiscards", -1},
		{"Ip6OutNoRoutes", -1},
		{"Ip6ReasmTimeout", -1},
		{"Ip6ReasmReqds", -1},
		{"Ip6ReasmOKs", -1},
		{"Ip6ReasmFails", -1},
		{"Ip6FragOKs", -1},
		{"Ip6FragFails", -1},
		{"Ip6FragCreates", -1},
		{"Ip6InMcastPkts", -1},
		{"Ip6OutMcastPkts", -1},
		{"Ip6InOctets", -1},
		{"Ip6OutOctets", -1},
		{"Ip6InMcastOctets", -1},
		{"Ip6OutMcastOctets", -1},
		{"Ip6InBcastOctets", -1},
		{"Ip6OutBcastOctets", -1},
		{"Ip6InNoECTPkts", -1},
		{"Ip6InECT1Pkts", -1},
		{"Ip6InECT0Pkts", -1},
		{"Ip6InCEPkts", -1},
		{"Icmp6InMsgs", -1},
		{"Icmp6InErrors", -1},
		{"Icmp6OutMsgs", -1},
		{"Icmp6OutErrors", -1},
		{"Icmp6InCsumErrors", -1},
		{"Icmp6InDestUnreachs", -1},
		{"Icmp6InPktTooBigs", -1},
		{"Icmp6InTimeExcds", -1},
		{"Icmp6InParmProblems", -1},
		{"Icmp6InEchos", -1},
		{"Icmp6InEchoReplies", -1},
		{"Icmp6InGroupMembQueries", -1},
		{"Icmp6InGroupMembResponses", -1},
		{"Icmp6InGroupMembReductions", -1},
		{"Icmp6InRouterSolicits", -1},
		{"Icmp6InRouterAdvertisements", -1},
		{"Icmp6InNeighborSolicits", -1},
		{"Icmp6InNeighborAdvertisements", -1},
		{"Icmp6InRedirects", -1},
		{"Icmp6InMLDv2Reports", -1},
		{"Icmp6OutDestUnreachs", -1},
		{"Icmp6OutPktTooBigs", -1},
		{"Icmp6OutTimeExcds", -1},
		{"Icmp6OutParmProblems", -1},
		{"Icmp6OutEchos", -1},
		{"Icmp6OutEchoReplies", -1},
		{"Icmp6OutGroupMembQueries", -1},
		{"Icmp6OutGroupMembResponses", -1},
		{"Icmp6OutGroupMembReductions", -1},
		{"Icmp6OutRouterSolicits", -1},
		{"Icmp6OutRouterAdvertisements", -1},
		{"Icmp6OutNeighborSolicits", -1},
		{"Icmp6OutNeighborAdvertisements", -1},
		{"Icmp6OutRedirects", -1},
		{"Icmp6OutMLDv2Reports", -1},
		{"Udp6InDatagrams", MIB_UDP6 + MIB_UDP_IN_DATAGRAMS},
		{"Udp6NoPorts", MIB_UDP6 + MIB_UDP_NO_PORTS},
		{"Udp6InErrors", MIB_UDP6 + MIB_UDP_IN_ERRORS},
		{"Udp6OutDatagrams", MIB_UDP6 + MIB_UDP_OUT_DATAGRAMS},
		{"Udp6RcvbufErrors", MIB_UDP6 + MIB_UDP_RCVBUF_ERRORS},
		{"Udp6SndbufErrors", MIB_UDP6 + MIB_UDP_SNDBUF_ERRORS},
		{"Udp6InCsumErrors", MIB_UDP6 + MIB_UDP_IN_CSUM_ERRORS},
		{"Udp6IgnoredMulti", -1},
		{"Udp6MemErrors", -1},
		{"UdpLite6InDatagrams", -1},
		{"UdpLite6NoPorts", -1},
		{"UdpLite6InErrors", -1},
		{"UdpLite6OutDatagrams", -1},
		{"UdpLite6RcvbufErrors", -1},
		{"UdpLite6SndbufErrors", -1},
		{"UdpLite6InCsumErrors", -1},
		{"UdpLite6MemErrors", -1},
	};
	struct text t = {buf, size, 0};

	for (unsigned i = 0; i < ARRAY_SIZE(figures); i++)
		text_printf(&t, "%-32s\t%llu\n", figures[i].name,
			    figures[i].mib < 0 ? 0ull
					       : (unsigned long long)atomic_load(&net->mib[figures[i].mib]));
	return t.len;
}

static int proc_link_init(void)
{
	static const struct {
		const char *name;
		size_t (*show)(char *, size_t);
		bool v6;
	} files[] = {
		{"packet", show_packet, false},
		{"ptype", show_ptype, false},
		{"softnet_stat", show_softnet_stat, false},
		{"dev_mcast", show_dev_mcast, false},
		{"igmp6", show_igmp6, true},
		{"snmp6", show_snmp6, true},
	};
	int err = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(files) && !err; i++)
		if (!files[i].v6 || net->ip6)
			err = proc_net_register(files[i].name, files[i].show);
	return err;
}
INITCALL(proc_link_init, INIT_NET);
