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
