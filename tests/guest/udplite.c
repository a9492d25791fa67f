// SPDX-License-Identifier: BSD-2-Clause
// UDP-Lite sockets (udplite(7), RFC 3828).
#include "check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#define SEND_COVERAGE 10 // UDPLITE_SEND_CSCOV
#define RECV_COVERAGE 11 // UDPLITE_RECV_CSCOV

static struct sockaddr_in at; // where the last one of bound() is

static int bound(int protocol, uint16_t port)
{
	int s = socket(AF_INET, SOCK_DGRAM, protocol);
	socklen_t n = sizeof at;

	at = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = port};
	if (s >= 0 &&
	    (bind(s, (struct sockaddr *)&at, sizeof at) || getsockname(s, (struct sockaddr *)&at, &n))) {
		close(s);
		return -1;
	}
	return s;
}

static int option(int s, int name)
{
	int v = -1;
	socklen_t n = sizeof v;

	return getsockopt(s, IPPROTO_UDPLITE, name, &v, &n) ? -1 : v;
}

static int set_option(int s, int name, int v)
{
	return setsockopt(s, IPPROTO_UDPLITE, name, &v, sizeof v);
}

static bool nothing_within(int s, int ms)
{
	return poll(&(struct pollfd){.fd = s, .events = POLLIN}, 1, ms) == 0;
}

TEST(there_and_back)
{
	int s = bound(IPPROTO_UDPLITE, 0), c = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), v;
	struct sockaddr_in from;
	socklen_t n = sizeof from, k = sizeof v;
	char buf[16];

	if (c < 0 && errno == EPROTONOSUPPORT)
		SKIP("no UDP-Lite");
	EXPECT(s >= 0 && c >= 0);
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_PROTOCOL, &v, &k), 0);
	EXPECT_EQ(v, IPPROTO_UDPLITE);
	EXPECT_EQ(sendto(c, "hello", 5, 0, (struct sockaddr *)&at, sizeof at), 5);
	EXPECT_EQ(recvfrom(s, buf, sizeof buf, 0, (struct sockaddr *)&from, &n), 5);
	EXPECT(!memcmp(buf, "hello", 5));
	EXPECT_EQ(sendto(s, "", 0, 0, (struct sockaddr *)&from, n), 0);
	EXPECT_EQ(recv(c, buf, sizeof buf, 0), 0);
	close(s);
	close(c);
}

TEST(ports_of_its_own)
{
	int lite = bound(IPPROTO_UDPLITE, 0), udp;

	if (lite < 0)
		SKIP("no UDP-Lite");
	udp = bound(IPPROTO_UDP, at.sin_port);
	EXPECT(udp >= 0);
	EXPECT_EQ(sendto(udp, "x", 1, 0, (struct sockaddr *)&at, sizeof at), 1);
	EXPECT(nothing_within(lite, 50));
	EXPECT_EQ(recv(udp, (char[4]){0}, 4, MSG_DONTWAIT), 1);
	EXPECT(bound(IPPROTO_UDPLITE, at.sin_port) < 0);
	close(lite);
	close(udp);
}

TEST(coverage)
{
	int s = bound(IPPROTO_UDPLITE, 0), c = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	char buf[128] = "";

	if (c < 0)
		SKIP("no UDP-Lite");
	EXPECT_EQ(option(c, SEND_COVERAGE), 0);
	EXPECT_EQ(set_option(c, SEND_COVERAGE, 3), 0); // the header at least
	EXPECT_EQ(option(c, SEND_COVERAGE), 8);
	EXPECT_EQ(set_option(c, SEND_COVERAGE, 1 << 20), 0);
	EXPECT_EQ(option(c, SEND_COVERAGE), 65535);
	EXPECT_ERR(set_option(udp, SEND_COVERAGE, 8), ENOPROTOOPT);
	EXPECT_EQ(connect(c, (struct sockaddr *)&at, sizeof at), 0);

	EXPECT_EQ(set_option(s, RECV_COVERAGE, 28), 0);
	EXPECT_EQ(set_option(c, SEND_COVERAGE, 20), 0);
	EXPECT_EQ(send(c, buf, 100, 0), 100); // covered too little: not delivered
	EXPECT(nothing_within(s, 50));
	EXPECT_EQ(set_option(c, SEND_COVERAGE, 28), 0);
	EXPECT_EQ(send(c, buf, 100, 0), 100);
	EXPECT_EQ(recv(s, buf, sizeof buf, 0), 100);
	EXPECT_EQ(send(c, buf, 4, 0), 4); // short, but covered as a whole
	EXPECT_EQ(recv(s, buf, sizeof buf, 0), 4);
	EXPECT_EQ(set_option(c, SEND_COVERAGE, 0), 0);
	EXPECT_EQ(send(c, buf, 100, 0), 100);
	EXPECT_EQ(recv(s, buf, sizeof buf, 0), 100);
	close(s);
	close(c);
	close(udp);
}

// What travels, through a raw socket: the length field is the coverage.
TEST(on_the_wire)
{
	int s = bound(IPPROTO_UDPLITE, 0), c = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDPLITE);
	uint8_t buf[128], data[40] = "some words, the last of which may rot";
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (c < 0 || raw < 0)
		SKIP("no UDP-Lite, or no raw sockets");
	EXPECT_EQ(set_option(c, SEND_COVERAGE, 16), 0);
	EXPECT_EQ(connect(c, (struct sockaddr *)&at, sizeof at), 0);
	EXPECT_EQ(send(c, data, sizeof data, 0), (int)sizeof data);
	EXPECT_EQ(recv(raw, buf, sizeof buf, 0), 20 + 8 + (int)sizeof data);
	EXPECT_EQ(buf[9], IPPROTO_UDPLITE);
	EXPECT_EQ(buf[24] << 8 | buf[25], 16);
	EXPECT_EQ(recv(s, data, sizeof data, 0), (int)sizeof data);

	buf[20 + 8 + 30] ^= 1; // beyond what is covered: delivered as it is
	EXPECT_EQ(sendto(raw, buf + 20, 8 + sizeof data, 0, (struct sockaddr *)&from, sizeof from), 48);
	EXPECT_EQ(recv(s, data, sizeof data, 0), (int)sizeof data);
	EXPECT_EQ(data[30], buf[20 + 8 + 30]);
	buf[20 + 8 + 2] ^= 1; // covered: dropped
	EXPECT_EQ(sendto(raw, buf + 20, 8 + sizeof data, 0, (struct sockaddr *)&from, sizeof from), 48);
	EXPECT(nothing_within(s, 50));
	close(s);
	close(c);
	close(raw);
}

TEST(nobody_there)
{
	int s = bound(IPPROTO_UDPLITE, 0), c = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);

	if (c < 0)
		SKIP("no UDP-Lite");
	close(s);
	EXPECT_EQ(connect(c, (struct sockaddr *)&at, sizeof at), 0);
	EXPECT_EQ(send(c, "x", 1, 0), 1);
	EXPECT_ERR(recv(c, (char[1]){0}, 1, 0), ECONNREFUSED);
	close(c);
}
