// SPDX-License-Identifier: BSD-2-Clause
// Multicast and link-local addresses through an interface that is not the loopback, with a TTL of 0: nothing
// leaves this host. What the interface's own members get back, and how the settings of IPv4 and IPv6 stay
// apart in one socket.
#include "check.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

static unsigned ifindex;
static struct in_addr local;

BEFORE_TESTS(int argc, char **argv)
{
	struct ifaddrs *all;

	if (getifaddrs(&all))
		return;
	for (struct ifaddrs *a = all; a && !ifindex; a = a->ifa_next)
		if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET && !(a->ifa_flags & IFF_LOOPBACK) &&
		    (a->ifa_flags & (IFF_UP | IFF_MULTICAST)) == (IFF_UP | IFF_MULTICAST)) {
			ifindex = if_nametoindex(a->ifa_name);
			local = ((struct sockaddr_in *)a->ifa_addr)->sin_addr;
		}
	freeifaddrs(all);
}

static int set(int s, int level, int option, int value)
{
	return setsockopt(s, level, option, &value, sizeof value);
}

static int get(int s, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof value;

	getsockopt(s, level, option, &value, &len);
	return value;
}

// A UDP socket of FAMILY on a free port, which is returned in network order.
static int bound(int family, in_port_t *port)
{
	struct sockaddr_in6 any = {.sin6_family = family};
	socklen_t len = sizeof any;
	int s = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (bind(s, (struct sockaddr *)&any, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof any) ||
	    getsockname(s, (struct sockaddr *)&any, &len))
		return -1;
	*port = any.sin6_port;
	return s;
}

// 1: a datagram came, from the interface.
static int came(int s)
{
	char byte, control[256];
	struct iovec v = {&byte, 1};
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct pollfd p = {s, POLLIN, 0};

	if (poll(&p, 1, 300) != 1 || recvmsg(s, &m, 0) != 1)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			return ((struct in_pktinfo *)CMSG_DATA(c))->ipi_ifindex == (int)ifindex;
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			return ((struct in6_pktinfo *)CMSG_DATA(c))->ipi6_ifindex == ifindex;
	}
	return 0;
}

TEST(ipv4_loops_back_to_members)
{
	struct ip_mreq group = {.imr_multiaddr.s_addr = htonl(0xef010203), .imr_interface = local};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = group.imr_multiaddr};
	in_port_t port;
	int s;

	if (!ifindex)
		SKIP("no interface for multicast");
	s = bound(AF_INET, &port);
	to.sin_port = port;
	EXPECT(s >= 0);
	EXPECT_EQ(set(s, IPPROTO_IP, IP_MULTICAST_ALL, 0), 0);
	EXPECT_EQ(set(s, IPPROTO_IP, IP_PKTINFO, 1), 0);
	EXPECT_EQ(set(s, IPPROTO_IP, IP_MULTICAST_TTL, 0), 0);
	EXPECT_EQ(get(s, IPPROTO_IP, IP_MULTICAST_TTL), 0);
	EXPECT_EQ(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &local, sizeof local), 0);
	EXPECT_EQ(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group), 0);
	EXPECT_EQ(sendto(s, "a", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
	EXPECT_EQ(came(s), 1);
	EXPECT_EQ(set(s, IPPROTO_IP, IP_MULTICAST_LOOP, 0), 0);
	EXPECT_EQ(sendto(s, "b", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
	EXPECT_EQ(came(s), 0);
	close(s);
}

TEST(ipv6_loops_back_to_members)
{
	struct ipv6_mreq group = {.ipv6mr_interface = ifindex};
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_scope_id = ifindex};
	in_port_t port;
	int s;

	if (!ifindex)
		SKIP("no interface for multicast");
	s = bound(AF_INET6, &port);
	if (s < 0)
		SKIP("no IPv6");
	inet_pton(AF_INET6, "ff12::1:2", &group.ipv6mr_multiaddr);
	to.sin6_addr = group.ipv6mr_multiaddr;
	to.sin6_port = port;
	EXPECT_EQ(set(s, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0), 0);
	EXPECT_EQ(set(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1), 0);
	EXPECT_EQ(set(s, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 0), 0);
	EXPECT_EQ(set(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)ifindex), 0);
	EXPECT_EQ(setsockopt(s, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &group, sizeof group), 0);
	EXPECT_ERR(setsockopt(s, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &group, sizeof group), EADDRINUSE);
	if (sendto(s, "a", 1, 0, (struct sockaddr *)&to, sizeof to) != 1)
		SKIP("no IPv6 address on the interface");
	EXPECT_EQ(came(s), 1);
	EXPECT_EQ(set(s, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0), 0);
	EXPECT_EQ(sendto(s, "b", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
	EXPECT_EQ(came(s), 0);
	EXPECT_EQ(setsockopt(s, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &group, sizeof group), 0);
	close(s);
}

// An address receives nothing until it is known that no other host has it (RFC 4862, 5.4), which takes a
// second.
static bool is_any_address_tentative(void)
{
	FILE *f = fopen("/proc/net/if_inet6", "r");
	bool tentative = false;
	unsigned flags;

	while (f && !tentative && fscanf(f, "%*s %*x %*x %*x %x %*s", &flags) == 1)
		tentative = flags & 0x40;
	if (f)
		fclose(f);
	return tentative;
}

TEST(own_link_local_address_keeps_its_scope)
{
	struct sockaddr_in6 to = {}, from;
	socklen_t len = sizeof from;
	struct pollfd p = {.events = POLLIN};
	struct ifaddrs *all;
	in_port_t port;
	char byte;

	for (int i = 0; i < 500 && is_any_address_tentative(); i++)
		usleep(10000);
	EXPECT_EQ(getifaddrs(&all), 0);
	for (struct ifaddrs *a = all; a; a = a->ifa_next)
		if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET6 &&
		    IN6_IS_ADDR_LINKLOCAL(&((struct sockaddr_in6 *)a->ifa_addr)->sin6_addr))
			to = *(struct sockaddr_in6 *)a->ifa_addr;
	freeifaddrs(all);
	p.fd = bound(AF_INET6, &port);
	to.sin6_port = port;
	if (p.fd < 0 || !to.sin6_scope_id || sendto(p.fd, "a", 1, 0, (struct sockaddr *)&to, sizeof to) != 1)
		SKIP("no link-local address");
	EXPECT_EQ(poll(&p, 1, 1000), 1);
	EXPECT_EQ(recvfrom(p.fd, &byte, 1, 0, (struct sockaddr *)&from, &len), 1);
	EXPECT_EQ(from.sin6_scope_id, to.sin6_scope_id);
	close(p.fd);
}

TEST(the_two_protocols_keep_their_own)
{
	in_port_t port;
	int s = bound(AF_INET6, &port);

	if (s < 0)
		SKIP("no IPv6");
	EXPECT_EQ(set(s, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 7), 0);
	EXPECT_EQ(get(s, IPPROTO_IP, IP_MULTICAST_TTL), 1);
	EXPECT_EQ(set(s, IPPROTO_IP, IP_MULTICAST_TTL, 9), 0);
	EXPECT_EQ(get(s, IPPROTO_IPV6, IPV6_MULTICAST_HOPS), 7);
	EXPECT_EQ(set(s, IPPROTO_IP, IP_MULTICAST_LOOP, 0), 0);
	EXPECT_EQ(get(s, IPPROTO_IPV6, IPV6_MULTICAST_LOOP), 1);
	EXPECT_EQ(get(s, IPPROTO_IP, IP_MULTICAST_ALL), 0);
	EXPECT_EQ(set(s, IPPROTO_IP, IP_MULTICAST_ALL, 1), 0);
	EXPECT_EQ(set(s, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0), 0);
	EXPECT_EQ(get(s, IPPROTO_IP, IP_MULTICAST_ALL), 1);
	EXPECT_EQ(set(s, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 1), 0);
	EXPECT_EQ(set(s, IPPROTO_IP, IP_MULTICAST_ALL, 0), 0);
	EXPECT_EQ(get(s, IPPROTO_IPV6, IPV6_MULTICAST_ALL), 1);
	EXPECT_EQ(set(s, IPPROTO_IPV6, IPV6_TCLASS, 0x20), 0);
	EXPECT_EQ(get(s, IPPROTO_IP, IP_TOS), 0);
	EXPECT_EQ(set(s, IPPROTO_IP, IP_TOS, 0x10), 0);
	EXPECT_EQ(get(s, IPPROTO_IPV6, IPV6_TCLASS), 0x20);
	close(s);
}

// IP_MSFILTER's and MCAST_MSFILTER's values, which not every C library has.
struct filter4 {
	struct in_addr group, interface;
	uint32_t mode, n;
	struct in_addr source[12];
};

struct filter {
	uint32_t interface;
	struct sockaddr_storage group;
	uint32_t mode, n;
	struct sockaddr_storage source[65];
};

#define FILTER_SIZE(type, n) (offsetof(type, source) + (n) * sizeof((type *)NULL)->source[0])

static int filter4(int s, uint32_t mode, uint32_t n, const char *first)
{
	struct filter4 f = {.group.s_addr = htonl(0xef010204),
			    .interface.s_addr = htonl(INADDR_LOOPBACK),
			    .mode = mode,
			    .n = n};

	for (uint32_t i = 0; i < n && i < 12; i++)
		f.source[i].s_addr = htonl(ntohl(inet_addr(first)) + i);
	return setsockopt(s, IPPROTO_IP, IP_MSFILTER, &f, FILTER_SIZE(struct filter4, n < 12 ? n : 12));
}

static struct sockaddr_storage address(const char *text, unsigned add)
{
	union {
		struct sockaddr_storage any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} a = {};

	if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1) {
		a.in.sin_family = AF_INET;
		a.in.sin_addr.s_addr = htonl(ntohl(a.in.sin_addr.s_addr) + add);
	} else {
		inet_pton(AF_INET6, text, &a.in6.sin6_addr);
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_addr.s6_addr[15] += add;
	}
	return a.any;
}

static int filter(int s, int level, const char *group, uint32_t mode, uint32_t n, const char *first)
{
	struct filter f = {
		.interface = if_nametoindex("lo"), .group = address(group, 0), .mode = mode, .n = n};

	for (uint32_t i = 0; i < n && i < 65; i++)
		f.source[i] = address(first, i);
	return setsockopt(s, level, MCAST_MSFILTER, &f, FILTER_SIZE(struct filter, n));
}

// A sender at ADDR whose multicasts go over the loopback.
static int sender(const char *addr)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(addr)};
	struct in_addr lo = {htonl(INADDR_LOOPBACK)};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (bind(s, (struct sockaddr *)&a, sizeof a) ||
	    setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof lo))
		return -1;
	return s;
}

TEST(filter_lists_choose_who_is_heard)
{
	struct ip_mreqn group = {.imr_multiaddr.s_addr = htonl(0xef010204),
				 .imr_ifindex = (int)if_nametoindex("lo")};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = group.imr_multiaddr};
	int one = sender("127.0.0.1"), two = sender("127.0.0.2");
	static const struct {
		uint32_t mode;
		const char *sources;
		uint32_t n;
		const char *heard;
	} t[] = {{MCAST_EXCLUDE, "127.0.0.1", 1, "2"},
		 {MCAST_INCLUDE, "127.0.0.1", 1, "1"},
		 {MCAST_EXCLUDE, "127.0.0.3", 9, "12"},
		 {MCAST_INCLUDE, "127.0.0.2", 10, "2"},
		 {MCAST_EXCLUDE, "0.0.0.0", 0, "12"}};
	in_port_t port;
	int s = bound(AF_INET, &port);

	to.sin_port = port;
	EXPECT(s >= 0 && one >= 0 && two >= 0);
	EXPECT_EQ(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group), 0);
	for (unsigned i = 0; i < sizeof t / sizeof t[0] * 2; i++) {
		const char *heard = t[i / 2].heard;
		struct pollfd p = {s, POLLIN, 0};
		char byte;

		if (i % 2)
			EXPECT_EQ(filter(s, IPPROTO_IP, "239.1.2.4", t[i / 2].mode, t[i / 2].n,
					 t[i / 2].sources),
				  0);
		else
			EXPECT_EQ(filter4(s, t[i / 2].mode, t[i / 2].n, t[i / 2].sources), 0);
		EXPECT_EQ(sendto(one, "1", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
		EXPECT_EQ(sendto(two, "2", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
		for (; *heard; heard++) {
			EXPECT_EQ(poll(&p, 1, 5000), 1);
			EXPECT_EQ(recv(s, &byte, 1, 0), 1);
			EXPECT_EQ(byte, *heard);
		}
		EXPECT_ERR(recv(s, &byte, 1, MSG_DONTWAIT), EAGAIN);
	}
	close(s);
	close(one);
	close(two);
}

TEST(filter_lists_are_told)
{
	struct ip_mreq_source also = {.imr_multiaddr.s_addr = htonl(0xef010204),
				      .imr_interface.s_addr = htonl(INADDR_LOOPBACK),
				      .imr_sourceaddr.s_addr = inet_addr("10.0.0.1")};
	struct filter4 f = {.group = {htonl(0xef010204)}, .interface = {htonl(INADDR_LOOPBACK)}, .n = 12};
	struct filter g = {.interface = if_nametoindex("lo"), .group = address("239.1.2.4", 0), .n = 2};
	socklen_t len = sizeof f;
	in_port_t port;
	int s = bound(AF_INET, &port);

	EXPECT_ERR(getsockopt(s, IPPROTO_IP, IP_MSFILTER, &f, &len), EADDRNOTAVAIL);
	EXPECT_ERR(filter4(s, MCAST_EXCLUDE, 1, "10.0.0.1"), EINVAL);
	EXPECT_ERR(filter4(s, MCAST_INCLUDE, 0, "0.0.0.0"), EADDRNOTAVAIL);
	EXPECT_EQ(setsockopt(s, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &also, sizeof also), 0);
	EXPECT_EQ(getsockopt(s, IPPROTO_IP, IP_MSFILTER, &f, &len), 0);
	EXPECT_EQ(f.mode, MCAST_INCLUDE);
	EXPECT_EQ(f.n, 1);
	EXPECT_EQ(f.source[0].s_addr, inet_addr("10.0.0.1"));
	EXPECT_EQ(len, FILTER_SIZE(struct filter4, 1));
	EXPECT_ERR(filter4(s, 2, 1, "10.0.0.1"), EINVAL);
	EXPECT_ERR(filter4(s, MCAST_EXCLUDE, 11, "10.0.0.1"), ENOBUFS);
	EXPECT_EQ(filter4(s, MCAST_EXCLUDE, 10, "10.0.0.1"), 0);
	EXPECT_ERR(setsockopt(s, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &also, sizeof also), EINVAL);
	EXPECT_ERR(setsockopt(s, IPPROTO_IP, IP_BLOCK_SOURCE, &also, sizeof also), ENOBUFS);
	EXPECT_EQ(setsockopt(s, IPPROTO_IP, IP_UNBLOCK_SOURCE, &also, sizeof also), 0);
	EXPECT_ERR(setsockopt(s, IPPROTO_IP, IP_UNBLOCK_SOURCE, &also, sizeof also), EADDRNOTAVAIL);
	EXPECT_EQ(setsockopt(s, IPPROTO_IP, IP_BLOCK_SOURCE, &also, sizeof also), 0);
	len = sizeof g;
	EXPECT_EQ(getsockopt(s, IPPROTO_IP, MCAST_MSFILTER, &g, &len), 0);
	EXPECT_EQ(g.mode, MCAST_EXCLUDE);
	EXPECT_EQ(g.n, 10);
	EXPECT_EQ(len, FILTER_SIZE(struct filter, 2));
	EXPECT_EQ(((struct sockaddr_in *)&g.source[1])->sin_family, AF_INET);
	len = FILTER_SIZE(struct filter, 0) - 1;
	EXPECT_ERR(getsockopt(s, IPPROTO_IP, MCAST_MSFILTER, &g, &len), EINVAL);
	EXPECT_ERR(filter(s, IPPROTO_IP, "239.1.2.4", MCAST_EXCLUDE, 1, "::1"), EADDRNOTAVAIL);
	EXPECT_ERR(filter(s, IPPROTO_IP, "10.1.2.4", MCAST_EXCLUDE, 1, "10.0.0.1"), EINVAL);
	EXPECT_EQ(filter(s, IPPROTO_IP, "239.1.2.4", MCAST_INCLUDE, 0, "0.0.0.0"), 0); // leaves
	len = sizeof f;
	EXPECT_ERR(getsockopt(s, IPPROTO_IP, IP_MSFILTER, &f, &len), EADDRNOTAVAIL);
	close(s);
}

TEST(ipv6_filter_lists)
{
	struct group_req join = {.gr_interface = if_nametoindex("lo"), .gr_group = address("ff12::1:4", 0)};
	struct filter f = {.interface = join.gr_interface, .group = join.gr_group, .n = 65};
	socklen_t len = sizeof f;
	in_port_t port;
	int s = bound(AF_INET6, &port);

	if (s < 0)
		SKIP("no IPv6");
	EXPECT_ERR(filter(s, IPPROTO_IPV6, "ff12::1:4", MCAST_EXCLUDE, 1, "fd00::1"), EINVAL);
	EXPECT_EQ(setsockopt(s, IPPROTO_IPV6, MCAST_JOIN_GROUP, &join, sizeof join), 0);
	EXPECT_EQ(getsockopt(s, IPPROTO_IPV6, MCAST_MSFILTER, &f, &len), 0);
	EXPECT_EQ(f.mode, MCAST_EXCLUDE);
	EXPECT_EQ(f.n, 0);
	EXPECT_EQ(len, FILTER_SIZE(struct filter, 0));
	EXPECT_ERR(filter(s, IPPROTO_IPV6, "ff12::1:4", MCAST_INCLUDE, 65, "fd00::1"), ENOBUFS);
	EXPECT_EQ(filter(s, IPPROTO_IPV6, "ff12::1:4", MCAST_INCLUDE, 64, "fd00::1"), 0);
	f.n = 65;
	len = sizeof f;
	EXPECT_EQ(getsockopt(s, IPPROTO_IPV6, MCAST_MSFILTER, &f, &len), 0);
	EXPECT_EQ(f.mode, MCAST_INCLUDE);
	EXPECT_EQ(f.n, 64);
	EXPECT_EQ(len, FILTER_SIZE(struct filter, 64));
	EXPECT_EQ(((struct sockaddr_in6 *)&f.source[63])->sin6_addr.s6_addr[15], 64);
	f.interface = 0;
	len = sizeof f;
	EXPECT_ERR(getsockopt(s, IPPROTO_IPV6, MCAST_MSFILTER, &f, &len), EADDRNOTAVAIL);
	EXPECT_EQ(filter(s, IPPROTO_IPV6, "ff12::1:4", MCAST_INCLUDE, 0, "::"), 0);
	EXPECT_ERR(setsockopt(s, IPPROTO_IPV6, MCAST_LEAVE_GROUP, &join, sizeof join), EADDRNOTAVAIL);
	close(s);
}
