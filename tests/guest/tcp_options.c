// SPDX-License-Identifier: BSD-2-Clause
// TCP's options, what they read back, and what TCP_INFO tells.
#include "tcp.h"

TEST(options_as_set)
{
	static const struct {
		int name, in, out;
	} cases[] = {
		{TCP_LINGER2, 30, 30},
		{TCP_LINGER2, -5, -1},
		{TCP_LINGER2, 300, 120},
		{TCP_LINGER2, 0, 60},
		{TCP_DEFER_ACCEPT, 1, 1},
		{TCP_DEFER_ACCEPT, 5, 7},
		{TCP_DEFER_ACCEPT, 0, 0},
		{TCP_SYNCNT, 1, 1},
		{TCP_SYNCNT, 127, 127},
		{TCP_KEEPIDLE, 32767, 32767},
		{TCP_KEEPINTVL, 1, 1},
		{TCP_KEEPCNT, 127, 127},
		{TCP_USER_TIMEOUT, 7777, 7777},
		{TCP_NOTSENT_LOWAT, 5000, 5000},
		{TCP_MAXSEG, 88, 88},
		{TCP_MAXSEG, 0, 536},
		{TCP_WINDOW_CLAMP, 100, 1152},
		{TCP_WINDOW_CLAMP, 50000, 50000},
		{TCP_WINDOW_CLAMP, 0, 0},
		{TCP_CORK, 5, 1},
		{TCP_NODELAY, 7, 1},
		{TCP_QUICKACK, 0, 0},
		{TCP_QUICKACK, 1, 1},
		{TCP_INQ, 1, 1},
		{TCP_THIN_LINEAR_TIMEOUTS, 1, 1},
		{TCP_SAVE_SYN, 2, 2},
		{TCP_SAVE_SYN, 0, 0},
	};
	int s = socket(AF_INET, SOCK_STREAM, 0);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (set(s, cases[i].name, cases[i].in))
			FAIL("option %d refuses %d: errno %d", cases[i].name, cases[i].in, errno);
		if (get(s, cases[i].name) != cases[i].out)
			FAIL("option %d, set to %d, is %d", cases[i].name, cases[i].in,
			     get(s, cases[i].name));
	}
	close(s);
}

TEST(options_out_of_range)
{
	static const struct {
		int name, value, error;
	} cases[] = {
		{TCP_KEEPIDLE, 0, EINVAL},
		{TCP_KEEPIDLE, 32768, EINVAL},
		{TCP_KEEPINTVL, 0, EINVAL},
		{TCP_KEEPINTVL, 32768, EINVAL},
		{TCP_KEEPCNT, 0, EINVAL},
		{TCP_KEEPCNT, 128, EINVAL},
		{TCP_SYNCNT, 0, EINVAL},
		{TCP_SYNCNT, 128, EINVAL},
		{TCP_MAXSEG, 87, EINVAL},
		{TCP_MAXSEG, 32768, EINVAL},
		{TCP_USER_TIMEOUT, -1, EINVAL},
		{TCP_INQ, 2, EINVAL},
		{TCP_SAVE_SYN, 3, EINVAL},
		{TCP_SAVE_SYN, -1, EINVAL},
		{TCP_FASTOPEN, -1, EINVAL},
		{TCP_FASTOPEN_CONNECT, 2, EINVAL},
		{TCP_FASTOPEN_NO_COOKIE, 2, EINVAL},
		{TCP_THIN_LINEAR_TIMEOUTS, 2, EINVAL},
		{TCP_THIN_DUPACK, 2, EINVAL},
		{TCP_TIMESTAMP, 1, EPERM},
		{9999, 1, ENOPROTOOPT},
		{TCP_INFO, 1, ENOPROTOOPT},
	};
	int s = socket(AF_INET, SOCK_STREAM, 0);
	char b[4];
	socklen_t len = 0;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (set(s, cases[i].name, cases[i].value) != -1 || errno != cases[i].error)
			FAIL("option %d with %d: errno %d, not %d", cases[i].name, cases[i].value, errno,
			     cases[i].error);
	EXPECT_ERR(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, b, 3), EINVAL);
	EXPECT_ERR(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, NULL, 4), EFAULT);
	EXPECT_ERR(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, b, NULL), EFAULT);
	EXPECT_EQ(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, b, &len), 0);
	EXPECT_ERR(getsockopt(s, IPPROTO_TCP, 9999, b, &len), ENOPROTOOPT);
	EXPECT_ERR(setsockopt(s, IPPROTO_TCP, TCP_ULP, "none such", 9), ENOENT);
	len = sizeof b;
	EXPECT_EQ(getsockopt(s, IPPROTO_TCP, TCP_ULP, b, &len), 0);
	EXPECT_EQ(len, 0);
	close(s);
}

TEST(congestion_control_by_name)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	char name[32] = "";
	socklen_t len = sizeof name;

	EXPECT_EQ(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
	EXPECT_EQ(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	EXPECT_EQ(len, 16);
	EXPECT(!strcmp(name, "reno"));
	EXPECT_ERR(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "no such", 7), ENOENT);
	EXPECT_ERR(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "", 0), EINVAL);
	EXPECT_EQ(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "cubic", 6), 0);
	len = 3;
	EXPECT_EQ(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	EXPECT_EQ(len, 3);
	EXPECT(!memcmp(name, "cub", 3));
	close(s);
}

TEST(accepted_sockets_inherit)
{
	int l = listener(5), c, s, v;
	socklen_t len = sizeof v;

	EXPECT(!set(l, TCP_NODELAY, 1) && !set(l, TCP_KEEPIDLE, 77) && !set(l, TCP_USER_TIMEOUT, 4321) &&
	       !set(l, TCP_LINGER2, 9));
	v = 1;
	EXPECT_EQ(setsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &v, sizeof v), 0);
	EXPECT_EQ(setsockopt(l, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
	c = client();
	s = accept(l, NULL, NULL);
	EXPECT(c >= 0 && s >= 0);
	EXPECT_EQ(get(s, TCP_NODELAY), 1);
	EXPECT_EQ(get(s, TCP_KEEPIDLE), 77);
	EXPECT_EQ(get(s, TCP_USER_TIMEOUT), 4321);
	EXPECT_EQ(get(s, TCP_LINGER2), 9);
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &v, &len), 0);
	EXPECT_EQ(v, 1);
	close(c), close(s), close(l);
}

TEST(segment_size)
{
	int l = listener(5), c = socket(AF_INET, SOCK_STREAM, 0), s;

	EXPECT_EQ(set(c, TCP_MAXSEG, 600), 0);
	EXPECT_EQ(get(c, TCP_MAXSEG), 600);
	EXPECT_EQ(connect(c, (void *)&addr, sizeof addr), 0);
	s = accept(l, NULL, NULL);
	EXPECT_EQ(get(c, TCP_MAXSEG), 588); // less twelve bytes of timestamps
	EXPECT_EQ(get(s, TCP_MAXSEG), 588);
	close(c), close(s), close(l);
}

TEST(low_water_within_reason)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), v = -1, size = 20000;
	socklen_t len = sizeof v;

	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof v), 0);
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &v, &len), 0);
	EXPECT(v >= 4096 && v < 0x7fffffff);
	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof v), 0);
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &v, &len), 0);
	EXPECT_EQ(v, size);
	close(s);
}

// A lower mark makes what is there enough: waiters and edge-triggered sets are told.
TEST(low_water_sinks)
{
	struct epoll_event e = {EPOLLIN | EPOLLET, {0}};
	int c, s, v = 10, set = epoll_create1(0), n = 0;

	EXPECT_EQ(pair(&c, &s), 0);
	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof v), 0);
	EXPECT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, s, &e), 0);
	EXPECT_EQ(send(c, "12345", 5, 0), 5);
	for (int i = 0; i < 1000 && n < 5; i++, pause_ms(5))
		EXPECT_EQ(ioctl(s, SIOCINQ, &n), 0);
	EXPECT_EQ(n, 5);
	EXPECT_EQ(epoll_wait(set, &e, 1, 0), 0);
	v = 3;
	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof v), 0);
	EXPECT_EQ(epoll_wait(set, &e, 1, 0), 1);
	close(c), close(s), close(set);
}

// SO_MAX_PACING_RATE: four bytes or eight, as asked.
TEST(pacing_rate)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t rate = 0, large = 1234567890123;
	uint32_t small = 5000000;
	socklen_t len = sizeof rate;

	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len), 0);
	EXPECT(rate == UINT64_MAX && len == 8);
	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &large, sizeof large), 0);
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len), 0);
	EXPECT_EQ(rate, large);
	len = sizeof small;
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &small, &len), 0);
	EXPECT_EQ(small, UINT32_MAX);
	small = 5000000;
	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &small, sizeof small), 0);
	len = sizeof rate;
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len), 0);
	EXPECT_EQ(rate, 5000000);
	close(s);
}

TEST(info_of_an_unconnected_socket)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	struct tcp_info i = info(s);

	EXPECT_EQ(i.tcpi_state, 7);
	EXPECT_EQ(i.tcpi_rto, 1000000);
	EXPECT_EQ(i.tcpi_ato, 0);
	EXPECT_EQ(i.tcpi_snd_mss, 536);
	EXPECT_EQ(i.tcpi_snd_cwnd, 10);
	EXPECT_EQ(i.tcpi_snd_ssthresh, 0x7fffffff);
	EXPECT_EQ(i.tcpi_reordering, 3);
	EXPECT_EQ(i.tcpi_options, 0);
	EXPECT_EQ(i.tcpi_max_pacing_rate, ~0ull);
	close(s);
}

TEST(info_of_a_listener)
{
	int l = listener(7), c[3];
	struct tcp_info i;

	for (int k = 0; k < 3; k++)
		EXPECT((c[k] = client()) >= 0);
	EXPECT(wait_for(l, POLLIN));
	i = info(l);
	EXPECT_EQ(i.tcpi_state, 10);
	EXPECT_EQ(i.tcpi_unacked, 3);
	EXPECT_EQ(i.tcpi_sacked, 7);
	EXPECT_EQ(i.tcpi_snd_cwnd, 10);
	for (int k = 0; k < 3; k++)
		close(c[k]);
	close(l);
}

TEST(info_of_a_connection)
{
	static char b[5000];
	struct tcp_info ci, si;
	int c, s;

	EXPECT_EQ(pair(&c, &s), 0);
	EXPECT_EQ(send(c, b, 3000, 0), 3000);
	EXPECT_EQ(recv(s, b, 3000, MSG_WAITALL), 3000);
	EXPECT_EQ(send(s, b, 70, 0), 70);
	EXPECT_EQ(recv(c, b, 70, MSG_WAITALL), 70);
	for (int k = 0; k < 100 && info(c).tcpi_unacked + info(s).tcpi_unacked; k++)
		pause_ms(5);
	ci = info(c), si = info(s);
	EXPECT(ci.tcpi_state == 1 && si.tcpi_state == 1);
	EXPECT_EQ(ci.tcpi_options & 7, 7); // timestamps, SACK, window scaling
	EXPECT_EQ(ci.tcpi_bytes_sent, 3000);
	EXPECT_EQ(ci.tcpi_bytes_acked, 3001); // and the SYN
	EXPECT_EQ(si.tcpi_bytes_acked, 70);
	EXPECT_EQ(ci.tcpi_bytes_received, 70);
	EXPECT_EQ(si.tcpi_bytes_received, 3000);
	EXPECT_EQ(ci.tcpi_total_retrans, 0);
	EXPECT_EQ(ci.tcpi_notsent_bytes, 0);
	EXPECT_EQ(ci.tcpi_data_segs_in, 1);
	EXPECT_EQ(si.tcpi_data_segs_out, 1);
	EXPECT(ci.tcpi_delivered >= 2 && si.tcpi_delivered >= 1);
	EXPECT(ci.tcpi_rtt > 0 && ci.tcpi_min_rtt > 0 && ci.tcpi_rtt < 1000000);
	EXPECT(ci.tcpi_rto >= 200000 && ci.tcpi_rto <= 1000000);
	EXPECT(ci.tcpi_snd_cwnd >= 10 && ci.tcpi_snd_mss > 10000 && ci.tcpi_pmtu >= 65535);
	EXPECT(ci.tcpi_pacing_rate > 0 && ci.tcpi_pacing_rate < ~0ull);
	EXPECT(ci.tcpi_snd_wnd > 10000);
	EXPECT(ci.tcpi_ato > 0);
	close(c), close(s);
}
