// SPDX-License-Identifier: BSD-2-Clause
// What accompanies datagrams: control messages both ways, errors with and about them, their greatest sizes.
#include "check.h"
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#ifndef IPV6_PMTUDISC_DONT
#define IPV6_PMTUDISC_DONT 0
#endif

static struct sockaddr_in at4;
static struct sockaddr_in6 at6;
static char buf[66000], control[512];
static struct iovec io = {.iov_base = buf, .iov_len = sizeof buf};
static struct msghdr got = {.msg_iov = &io, .msg_iovlen = 1};

// A socket on a free port of the loopback; its name is in at4 or at6.
static int bound(int family)
{
	int s = socket(family, SOCK_DGRAM, 0);
	socklen_t n4 = sizeof at4, n6 = sizeof at6;

	at4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	at6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	if (family == AF_INET) {
		bind(s, (struct sockaddr *)&at4, sizeof at4);
		getsockname(s, (struct sockaddr *)&at4, &n4);
	} else {
		bind(s, (struct sockaddr *)&at6, sizeof at6);
		getsockname(s, (struct sockaddr *)&at6, &n6);
	}
	return s;
}

static int on(int s, int level, int option)
{
	return setsockopt(s, level, option, &(int){1}, sizeof(int));
}

static ssize_t receive(int s, int flags, size_t room)
{
	got.msg_control = room ? control : NULL;
	got.msg_controllen = room;
	return recvmsg(s, &got, flags | MSG_DONTWAIT);
}

// What the last message came with, of N bytes at least.
static void *told(int level, int type, size_t n)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&got); h; h = CMSG_NXTHDR(&got, h))
		if (h->cmsg_level == level && h->cmsg_type == type && h->cmsg_len == CMSG_LEN(n))
			return CMSG_DATA(h);
	return NULL;
}

static ssize_t send_with(int s, const void *to, socklen_t tolen, int level, int type, const void *data,
			 size_t n)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(64)];
	} c = {.h = {.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(n)}};
	struct iovec one = {.iov_base = "x", .iov_len = 1};
	struct msghdr m = {.msg_name = (void *)to,
			   .msg_namelen = tolen,
			   .msg_iov = &one,
			   .msg_iovlen = 1,
			   .msg_control = &c,
			   .msg_controllen = CMSG_SPACE(n)};

	memcpy(CMSG_DATA(&c.h), data, n);
	return sendmsg(s, &m, 0);
}
#define SEND4(s, level, type, data, n) send_with(s, &at4, sizeof at4, level, type, data, n)
#define SEND6(s, level, type, data, n) send_with(s, &at6, sizeof at6, level, type, data, n)

TEST(an_interface_and_address_of_ipv6_take_20_bytes)
{
	int r = bound(AF_INET6), s = socket(AF_INET6, SOCK_DGRAM, 0);
	struct in6_pktinfo pi = {.ipi6_addr = in6addr_loopback}, *told6;

	EXPECT_EQ(on(r, IPPROTO_IPV6, IPV6_RECVPKTINFO), 0);
	EXPECT_EQ(SEND6(s, IPPROTO_IPV6, IPV6_PKTINFO, &pi, 20), 1);
	EXPECT_EQ(receive(r, 0, sizeof control), 1);
	told6 = told(IPPROTO_IPV6, IPV6_PKTINFO, 20);
	EXPECT(told6 && !memcmp(&told6->ipi6_addr, &in6addr_loopback, 16) && told6->ipi6_ifindex);
	// The options of RFC 2292, which came first.
	EXPECT_EQ(on(r, IPPROTO_IPV6, 2), 0);
	EXPECT_EQ(on(r, IPPROTO_IPV6, 8), 0);
	EXPECT_EQ(SEND6(s, IPPROTO_IPV6, 8, &(int){7}, 4), 1);
	EXPECT_EQ(receive(r, 0, sizeof control), 1);
	EXPECT(told(IPPROTO_IPV6, IPV6_PKTINFO, 20) && told(IPPROTO_IPV6, 2, 20));
	EXPECT(told(IPPROTO_IPV6, 8, 4) && *(int *)told(IPPROTO_IPV6, 8, 4) == 7);
	pi.ipi6_addr.s6_addr[0] = 0x20; // not ours
	EXPECT_ERR(SEND6(s, IPPROTO_IPV6, IPV6_PKTINFO, &pi, 20), EINVAL);
	EXPECT_ERR(SEND6(s, IPPROTO_IPV6, IPV6_PKTINFO, &pi, 16), EINVAL);
	close(r);
	close(s);
}

TEST(a_source_address_must_be_ours)
{
	int r = bound(AF_INET), s = socket(AF_INET, SOCK_DGRAM, 0);
	struct in_pktinfo pi = {.ipi_spec_dst.s_addr = htonl(0x7f000009)};
	struct sockaddr_in from;

	got.msg_name = &from;
	got.msg_namelen = sizeof from;
	EXPECT_EQ(SEND4(s, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi), 1);
	EXPECT_EQ(receive(r, 0, 0), 1);
	got.msg_name = NULL;
	EXPECT_EQ(from.sin_addr.s_addr, htonl(0x7f000009));
	pi.ipi_spec_dst.s_addr = htonl(0x01020304);
	EXPECT_ERR(SEND4(s, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi), ENETUNREACH);
	close(r);
	close(s);
}

TEST(values_of_control_messages_are_checked)
{
	int r = bound(AF_INET), s = socket(AF_INET, SOCK_DGRAM, 0), v = 9;

	EXPECT_EQ(on(r, IPPROTO_IP, IP_RECVTOS), 0);
	EXPECT_ERR(SEND4(s, IPPROTO_IP, IP_TTL, (long[]){9}, 8), EINVAL);
	EXPECT_ERR(SEND4(s, IPPROTO_IP, IP_TTL, &v, 1), EINVAL);
	EXPECT_ERR(SEND4(s, IPPROTO_IP, IP_TOS, &(int){-1}, 4), EINVAL);
	EXPECT_ERR(SEND4(s, IPPROTO_IP, IP_TOS, &(int){256}, 4), EINVAL);
	EXPECT_ERR(SEND4(s, IPPROTO_IP, IP_TOS, &v, 2), EINVAL);
	EXPECT_ERR(SEND4(s, IPPROTO_UDP, UDP_SEGMENT, &v, 4), EINVAL);
	EXPECT_ERR(SEND4(s, IPPROTO_UDP, 99, &v, 2), EINVAL);
	EXPECT_EQ(SEND4(s, IPPROTO_IPV6, IPV6_TCLASS, &v, 4), 1); // the other family's: passed over
	EXPECT_EQ(receive(r, 0, sizeof control), 1);
	EXPECT_EQ(*(uint8_t *)told(IPPROTO_IP, IP_TOS, 1), 0);
	close(r);
	close(s);
	r = bound(AF_INET6);
	s = socket(AF_INET6, SOCK_DGRAM, 0);
	EXPECT_ERR(SEND6(s, IPPROTO_IPV6, IPV6_TCLASS, &(int){256}, 4), EINVAL);
	EXPECT_ERR(SEND6(s, IPPROTO_IPV6, IPV6_TCLASS, &(int){-2}, 4), EINVAL);
	EXPECT_EQ(SEND6(s, IPPROTO_IPV6, IPV6_DONTFRAG, &(int){1}, 4), 1);
	EXPECT_ERR(SEND6(s, IPPROTO_IPV6, IPV6_DONTFRAG, &(int){7}, 4), EINVAL);
	EXPECT_EQ(SEND6(s, IPPROTO_IP, IP_TTL, &v, 4), 1);
	close(r);
	close(s);
}

TEST(a_dual_stack_socket_tells_of_ipv4_in_its_terms)
{
	int r = socket(AF_INET6, SOCK_DGRAM, 0), s = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	socklen_t n = sizeof any;

	EXPECT_EQ(bind(r, (struct sockaddr *)&any, sizeof any), 0);
	EXPECT_EQ(getsockname(r, (struct sockaddr *)&any, &n), 0);
	on(r, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
	on(r, IPPROTO_IPV6, IPV6_RECVTCLASS);
	on(r, IPPROTO_IPV6, IPV6_RECVPKTINFO);
	on(r, IPPROTO_IP, IP_RECVTTL);
	at4 = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = any.sin6_port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	EXPECT_EQ(sendto(s, "x", 1, 0, (struct sockaddr *)&at4, sizeof at4), 1);
	EXPECT_EQ(receive(r, 0, sizeof control), 1);
	EXPECT(told(IPPROTO_IP, IP_TTL, 4) && told(IPPROTO_IPV6, IPV6_PKTINFO, 20));
	EXPECT(!told(IPPROTO_IPV6, IPV6_HOPLIMIT, 4) && !told(IPPROTO_IPV6, IPV6_TCLASS, 4));
	EXPECT_EQ(connect(r, (struct sockaddr *)&at4, sizeof at4), 0); // IPv4's form will do
	close(r);
	close(s);
}

TEST(no_room_for_control_messages_shows)
{
	int r = bound(AF_INET), s = socket(AF_INET, SOCK_DGRAM, 0);

	on(r, IPPROTO_IP, IP_RECVTTL);
	for (size_t room = 0; room < 3; room++) {
		EXPECT_EQ(sendto(s, "x", 1, 0, (struct sockaddr *)&at4, sizeof at4), 1);
		EXPECT_EQ(receive(r, 0, room * 16), 1);
		EXPECT_EQ(got.msg_flags, room < 2 ? MSG_CTRUNC : 0);
	}
	close(r);
	close(s);
}

TEST(an_error_comes_with_what_is_known_of_its_message)
{
	int closed = bound(AF_INET), s = bound(AF_INET);
	struct sockaddr_in to, name;
	struct sock_extended_err *e;

	close(s); // at4 is now a port that nobody has
	to = at4;
	s = socket(AF_INET, SOCK_DGRAM, 0);
	on(s, IPPROTO_IP, IP_RECVERR);
	on(s, IPPROTO_IP, IP_RECVTTL);
	EXPECT_EQ(sendto(s, "data", 4, 0, (struct sockaddr *)&to, sizeof to), 4);
	EXPECT_ERR(send(s, "x", 1, 0), EDESTADDRREQ); // before the pending error
	got.msg_name = &name;
	got.msg_namelen = sizeof name;
	EXPECT_EQ(receive(s, MSG_ERRQUEUE, sizeof control), 4);
	got.msg_name = NULL;
	EXPECT(name.sin_port == to.sin_port && !memcmp(buf, "data", 4));
	e = told(IPPROTO_IP, IP_RECVERR, sizeof *e + sizeof to);
	EXPECT(e && e->ee_errno == ECONNREFUSED && e->ee_origin == SO_EE_ORIGIN_ICMP);
	EXPECT(told(IPPROTO_IP, IP_TTL, 4));
	EXPECT_EQ(sendto(s, "data", 4, 0, (struct sockaddr *)&to, sizeof to), 4);
	EXPECT_EQ(setsockopt(s, IPPROTO_IP, IP_RECVERR, &(int){0}, sizeof(int)), 0);
	EXPECT_ERR(receive(s, MSG_ERRQUEUE, sizeof control), EAGAIN); // forgotten
	EXPECT_ERR(recv(s, buf, 1, MSG_DONTWAIT), ECONNREFUSED);
	close(s);
	close(closed);
}

TEST(each_family_of_destinations_has_its_error_option)
{
	int probe = bound(AF_INET), s = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = at4.sin_port};

	close(probe);
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr);
	on(s, IPPROTO_IPV6, IPV6_RECVERR);
	EXPECT_EQ(sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
	EXPECT_ERR(receive(s, MSG_ERRQUEUE, sizeof control), EAGAIN);
	on(s, IPPROTO_IP, IP_RECVERR);
	EXPECT_EQ(sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
	EXPECT_EQ(receive(s, MSG_ERRQUEUE, sizeof control), 1);
	EXPECT(told(IPPROTO_IPV6, IPV6_RECVERR, sizeof(struct sock_extended_err) + sizeof to));
	close(s);
}

TEST(the_longest_datagrams)
{
	static char longest[128000];
	int r = bound(AF_INET), s = socket(AF_INET, SOCK_DGRAM, 0);
	struct sock_extended_err *e;

	on(s, IPPROTO_IP, IP_RECVERR);
	EXPECT_EQ(setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &(int){1400}, sizeof(int)), 0);
	EXPECT_ERR(sendto(s, buf, 65508, 0, (struct sockaddr *)&at4, sizeof at4), EMSGSIZE);
	EXPECT_EQ(setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &(int){0}, sizeof(int)), 0);
	while (receive(s, MSG_ERRQUEUE, 0) >= 0)
		;
	EXPECT_EQ(sendto(s, buf, 65507, 0, (struct sockaddr *)&at4, sizeof at4), 65507);
	EXPECT_EQ(recv(r, buf, sizeof buf, MSG_DONTWAIT), 65507);
	EXPECT_ERR(sendto(s, buf, 65508, 0, (struct sockaddr *)&at4, sizeof at4), EMSGSIZE);
	EXPECT_EQ(receive(s, MSG_ERRQUEUE, sizeof control), 0);
	e = told(IPPROTO_IP, IP_RECVERR, sizeof *e + sizeof at4);
	EXPECT(e && e->ee_errno == EMSGSIZE && e->ee_origin == SO_EE_ORIGIN_LOCAL && e->ee_info >= 65535);
	close(r);
	close(s);
	r = bound(AF_INET6);
	s = socket(AF_INET6, SOCK_DGRAM, 0);
	setsockopt(s, SOL_SOCKET, SO_SNDBUF, &(int){200000}, sizeof(int));
	EXPECT_EQ(sendto(s, buf, 65527, 0, (struct sockaddr *)&at6, sizeof at6), 65527);
	EXPECT_EQ(recv(r, buf, sizeof buf, MSG_DONTWAIT), 65527);
	EXPECT_ERR(sendto(s, buf, 65528, 0, (struct sockaddr *)&at6, sizeof at6), EMSGSIZE);
	EXPECT_EQ(on(s, IPPROTO_IPV6, IPV6_RECVERR), 0);
	EXPECT_ERR(sendto(s, longest, sizeof longest, 0, (struct sockaddr *)&at6, sizeof at6), EMSGSIZE);
	EXPECT_EQ(receive(s, MSG_ERRQUEUE, sizeof control), 0); // as tracepath(8) finds its first size
	EXPECT_EQ(on(s, IPPROTO_IPV6, IPV6_DONTFRAG), 0);
	EXPECT_ERR(sendto(s, buf, 65527, 0, (struct sockaddr *)&at6, sizeof at6), EMSGSIZE);
	close(r);
	close(s);
}

TEST(what_is_gathered_is_lost_when_it_grows_too_long)
{
	int r = bound(AF_INET), s = socket(AF_INET, SOCK_DGRAM, 0);

	EXPECT_EQ(sendto(s, buf, 65000, MSG_MORE, (struct sockaddr *)&at4, sizeof at4), 65000);
	EXPECT_ERR(sendto(s, buf, 1000, MSG_MORE, (struct sockaddr *)&at4, sizeof at4), EMSGSIZE);
	EXPECT_EQ(sendto(s, buf, 1, 0, (struct sockaddr *)&at4, sizeof at4), 1);
	EXPECT_EQ(recv(r, buf, sizeof buf, MSG_DONTWAIT), 1);
	close(r);
	close(s);
}

// The Internet checksum of what is the same to either byte order.
static uint16_t sum(const void *p, size_t n)
{
	const uint16_t *w = p;
	uint32_t s = 0;

	for (size_t i = 0; i < n / 2; i++)
		s += w[i];
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t) ~(s + (s >> 16));
}

// A router at 127.0.0.9 says about what FROM sent to TO that it is too long for the next link.
static bool too_long(const struct sockaddr_in *from, const struct sockaddr_in *to, uint16_t mtu)
{
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	struct {
		struct iphdr ip;
		struct icmphdr icmp;
		struct iphdr about;
		struct udphdr udp;
	} p = {.ip = {.version = 4,
		      .ihl = 5,
		      .ttl = 64,
		      .protocol = IPPROTO_ICMP,
		      .saddr = htonl(0x7f000009),
		      .daddr = from->sin_addr.s_addr},
	       .icmp = {.type = ICMP_DEST_UNREACH, .code = ICMP_FRAG_NEEDED, .un.frag.mtu = htons(mtu)},
	       .about = {.version = 4,
			 .ihl = 5,
			 .ttl = 60,
			 .protocol = IPPROTO_UDP,
			 .tot_len = htons(2000),
			 .frag_off = htons(IP_DF),
			 .saddr = from->sin_addr.s_addr,
			 .daddr = to->sin_addr.s_addr},
	       .udp = {.source = from->sin_port, .dest = to->sin_port, .len = htons(1980)}};
	ssize_t n;

	if (raw < 0)
		return false;
	p.about.check = sum(&p.about, sizeof p.about);
	p.icmp.checksum = sum(&p.icmp, sizeof p - sizeof p.ip);
	n = sendto(raw, &p, sizeof p, 0, (struct sockaddr *)from, sizeof *from);
	close(raw);
	return n == sizeof p;
}

TEST(too_long_for_a_link_on_the_way)
{
	static const struct {
		int mode, err;
	} modes[] = {{IP_PMTUDISC_DONT, 0}, {IP_PMTUDISC_WANT, EMSGSIZE}, {IP_PMTUDISC_DO, EMSGSIZE}};
	int s, err;
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x7f000005)};
	socklen_t n = sizeof err;

	for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
		s = bound(AF_INET);
		EXPECT_EQ(setsockopt(s, IPPROTO_IP, IP_MTU_DISCOVER, &modes[i].mode, sizeof(int)), 0);
		EXPECT_EQ(connect(s, (struct sockaddr *)&to, sizeof to), 0);
		if (!too_long(&at4, &to, 1400))
			SKIP("no raw sockets");
		EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_ERROR, &err, &n), 0);
		EXPECT_EQ(err, modes[i].err);
		close(s);
	}
}

TEST(short_datagrams_forbid_fragments)
{
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP), r = bound(AF_INET),
	    s = socket(AF_INET, SOCK_DGRAM, 0);
	struct iphdr *ip = (struct iphdr *)buf;
	bool df;

	if (raw < 0)
		SKIP("no raw sockets");
	for (int mode = IP_PMTUDISC_DONT; mode <= IP_PMTUDISC_DO; mode++) {
		setsockopt(s, IPPROTO_IP, IP_MTU_DISCOVER, &mode, sizeof mode);
		EXPECT_EQ(sendto(s, "x", 1, 0, (struct sockaddr *)&at4, sizeof at4), 1);
		do { // others may talk, too
			EXPECT(recv(raw, buf, sizeof buf, 0) >= 28);
		} while (((struct udphdr *)(ip + 1))->dest != at4.sin_port);
		df = ip->frag_off & htons(IP_DF);
		EXPECT_EQ(df, mode != IP_PMTUDISC_DONT);
	}
	close(raw);
	close(r);
	close(s);
}

TEST(errors_of_membership)
{
	struct ip_mreq_source r = {.imr_multiaddr.s_addr = htonl(0xe0010203),
				   .imr_interface.s_addr = htonl(INADDR_LOOPBACK),
				   .imr_sourceaddr.s_addr = htonl(0x7f000009)};
	struct ip_mreqn m = {.imr_multiaddr = r.imr_multiaddr, .imr_address = r.imr_interface};
	struct group_req g = {.gr_interface = 1};
	int s = socket(AF_INET, SOCK_DGRAM, 0), six = socket(AF_INET6, SOCK_DGRAM, 0),
	    tcp = socket(AF_INET, SOCK_STREAM, 0);

	EXPECT_ERR(setsockopt(s, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, &r, sizeof r), EINVAL);
	EXPECT_EQ(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m), 0);
	EXPECT_ERR(setsockopt(s, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, &r, sizeof r), EADDRNOTAVAIL);
	// All sources, none of them blocked, may become some.
	EXPECT_EQ(setsockopt(s, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &r, sizeof r), 0);
	EXPECT_ERR(setsockopt(s, IPPROTO_IP, IP_BLOCK_SOURCE, &r, sizeof r), EINVAL);
	EXPECT_EQ(setsockopt(s, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, &r, sizeof r), 0);
	EXPECT_ERR(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof m), EADDRNOTAVAIL);
	EXPECT_ERR(setsockopt(tcp, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m), EPROTO);
	EXPECT_ERR(setsockopt(tcp, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m), EINVAL);
	memcpy(&g.gr_group, &(struct sockaddr_in){.sin_family = AF_INET, .sin_addr = r.imr_multiaddr},
	       sizeof(struct sockaddr_in));
	EXPECT_ERR(setsockopt(six, IPPROTO_IPV6, MCAST_JOIN_GROUP, &g, sizeof g), EADDRNOTAVAIL);
	EXPECT_EQ(setsockopt(six, IPPROTO_IP, MCAST_JOIN_GROUP, &g, sizeof g), 0);
	close(s);
	close(six);
	close(tcp);
}

TEST(raw_checksums_of_ipv6)
{
	int s = socket(AF_INET6, SOCK_RAW, 200), icmp = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), v = 0;
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	socklen_t n = sizeof v;

	if (s < 0)
		SKIP("no raw sockets");
	EXPECT_EQ(setsockopt(s, IPPROTO_IPV6, IPV6_CHECKSUM, &(int){2}, sizeof v), 0);
	EXPECT_ERR(setsockopt(s, IPPROTO_IPV6, IPV6_CHECKSUM, &(int){3}, sizeof v), EINVAL);
	EXPECT_EQ(getsockopt(s, IPPROTO_IPV6, IPV6_CHECKSUM, &v, &n), 0);
	EXPECT_EQ(v, 2);
	EXPECT_EQ(sendto(s, "\1\2\0\0\5\6", 6, 0, (struct sockaddr *)&to, sizeof to), 6);
	EXPECT_EQ(recv(s, buf, sizeof buf, MSG_DONTWAIT), 6);
	EXPECT(buf[2] || buf[3]);
	EXPECT_ERR(sendto(s, "\1\2\0", 3, 0, (struct sockaddr *)&to, sizeof to), EINVAL); // no place for it
	EXPECT_EQ(setsockopt(s, IPPROTO_IPV6, IPV6_CHECKSUM, &(int){-1}, sizeof v), 0);
	EXPECT_EQ(sendto(s, "\1\2\0\0\5\6", 6, 0, (struct sockaddr *)&to, sizeof to), 6);
	EXPECT_EQ(recv(s, buf, sizeof buf, MSG_DONTWAIT), 6);
	EXPECT(!buf[2] && !buf[3]);
	EXPECT_ERR(setsockopt(icmp, IPPROTO_IPV6, IPV6_CHECKSUM, &(int){2}, sizeof v), EINVAL);
	to.sin6_port = htons(99); // names a protocol, and not this one
	EXPECT_ERR(sendto(s, "\1\2", 2, 0, (struct sockaddr *)&to, sizeof to), EINVAL);
	close(s);
	close(icmp);
}
