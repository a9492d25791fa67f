// SPDX-License-Identifier: BSD-2-Clause
// AF_PACKET sockets on the loopback (packet(7)): frames both ways, filters, the mapped ring, statistics.
// Needs CAP_NET_RAW.
#include "check.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define BLOCK 16384u
#define FRAME 2048u

static int udp = -1; // bound to a port of the loopback, connected to itself
static uint16_t port;

static int traffic(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;

	if (udp >= 0)
		return 0;
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(udp, (void *)&a, sizeof a) || getsockname(udp, (void *)&a, &n) ||
	    connect(udp, (void *)&a, sizeof a))
		return -1;
	port = a.sin_port;
	return 0;
}

static void say(const char *what)
{
	char b[256];

	send(udp, what, strlen(what), 0);
	recv(udp, b, sizeof b, 0);
}

// Bound to the loopback: sees datagrams to our port only, at offset LINK of which the IP header begins.
static int listener(int type, int protocol)
{
	int s = socket(AF_PACKET, type, 0), link = type == SOCK_RAW ? 14 : 0;
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, link + 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ, IPPROTO_UDP, 0, 4),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, link),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, link + 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ, ntohs(port), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {sizeof f / sizeof f[0], f};
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons(protocol),
				.sll_ifindex = (int)if_nametoindex("lo")};

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog) ||
	    bind(s, (void *)&a, sizeof a)) {
		close(s);
		return -1;
	}
	return s;
}

TEST(not_for_everybody)
{
	int status, pid = fork();

	if (!pid) {
		int s = setgid(1) || setuid(1) ? 0 : socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

		_exit(s == -1 && errno == EPERM ? 0 : 1);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_ERR(socket(AF_PACKET, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
}

TEST(frames)
{
	struct sockaddr_ll from;
	socklen_t n = sizeof from;
	unsigned char b[256];
	int s;

	EXPECT_EQ(traffic(), 0);
	s = listener(SOCK_RAW, ETH_P_ALL);
	EXPECT(s >= 0);
	say("hello");
	// It goes out, and comes in.
	EXPECT_EQ(recvfrom(s, b, sizeof b, 0, (void *)&from, &n), 14 + 20 + 8 + 5);
	EXPECT_EQ(from.sll_pkttype, PACKET_OUTGOING);
	EXPECT_EQ(from.sll_hatype, 772);
	EXPECT_EQ(from.sll_protocol, htons(ETH_P_IP));
	EXPECT_EQ(from.sll_ifindex, if_nametoindex("lo"));
	EXPECT_EQ(from.sll_halen, 6);
	EXPECT_EQ(b[12] << 8 | b[13], ETH_P_IP);
	EXPECT_EQ(memcmp(b + 14 + 28, "hello", 5), 0);
	EXPECT_EQ(recvfrom(s, b, 20, MSG_TRUNC, (void *)&from, &n), 14 + 20 + 8 + 5);
	EXPECT_EQ(from.sll_pkttype, PACKET_HOST);
	EXPECT_ERR(recv(s, b, sizeof b, MSG_DONTWAIT), EAGAIN);
	EXPECT_ERR(recv(s, b, sizeof b, MSG_OOB), EINVAL);
	close(s);
	// Without link header, and only what comes in when an EtherType is asked for.
	s = listener(SOCK_DGRAM, ETH_P_IP);
	EXPECT(s >= 0);
	say("again");
	EXPECT_EQ(recvfrom(s, b, sizeof b, 0, (void *)&from, &n), 20 + 8 + 5);
	EXPECT_EQ(from.sll_pkttype, PACKET_HOST);
	EXPECT_EQ(b[0] >> 4, 4);
	EXPECT_ERR(recv(s, b, sizeof b, MSG_DONTWAIT), EAGAIN);
	close(s);
}

TEST(names_and_errors)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_ifindex = 9999};
	int s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ARP));
	socklen_t n = sizeof a;
	char frame[20] = {0};

	EXPECT(s >= 0);
	EXPECT_ERR(bind(s, (void *)&a, sizeof a), ENODEV);
	EXPECT_ERR(bind(s, (void *)&a, sizeof a - 1), EINVAL);
	EXPECT_ERR(send(s, frame, sizeof frame, 0), ENXIO); // through which interface?
	a.sll_ifindex = (int)if_nametoindex("lo");
	EXPECT_EQ(bind(s, (void *)&a, sizeof a), 0);
	memset(&a, 0, sizeof a);
	EXPECT_EQ(getsockname(s, (void *)&a, &n), 0);
	EXPECT_EQ(n, 18);
	EXPECT_EQ(a.sll_protocol, htons(ETH_P_ARP)); // kept, for none was given
	EXPECT_EQ(a.sll_halen, 6);
	EXPECT_ERR(getpeername(s, (void *)&a, &n), EOPNOTSUPP);
	EXPECT_ERR(listen(s, 1), EOPNOTSUPP);
	EXPECT_ERR(send(s, frame, 13, 0), EINVAL); // no whole header
	close(s);
}

// What one socket puts onto the loopback another receives.
TEST(sending)
{
	enum { LOCAL = 0x88b5 }; // an EtherType for experiments
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_ifindex = (int)if_nametoindex("lo"),
				 .sll_halen = 6},
			   from;
	unsigned char f[14 + 3] = {[12] = LOCAL >> 8, [13] = LOCAL & 0xff, 'r', 'a', 'w'}, b[64];
	int r = socket(AF_PACKET, SOCK_RAW, htons(LOCAL)), s = socket(AF_PACKET, SOCK_RAW, 0);
	socklen_t n = sizeof from;

	EXPECT_EQ(sendto(s, f, sizeof f, 0, (void *)&to, sizeof to), sizeof f);
	EXPECT_EQ(recvfrom(r, b, sizeof b, 0, (void *)&from, &n), sizeof f);
	EXPECT_EQ(memcmp(b, f, sizeof f), 0);
	EXPECT_EQ(from.sll_pkttype, PACKET_HOST);
	EXPECT_EQ(from.sll_protocol, htons(LOCAL));
	close(s);
	s = socket(AF_PACKET, SOCK_DGRAM, 0);
	to.sll_protocol = htons(LOCAL);
	EXPECT_EQ(sendto(s, "cooked", 6, 0, (void *)&to, sizeof to), 6);
	EXPECT_EQ(recv(r, b, sizeof b, 0), 14 + 6);
	EXPECT_EQ(memcmp(b + 14, "cooked", 6), 0);
	to.sll_halen = 0;
	EXPECT_ERR(sendto(s, "cooked", 6, 0, (void *)&to, 14), EINVAL); // two bytes are no address
	close(s);
	close(r);
}

TEST(auxdata_and_statistics)
{
	char b[256], control[256];
	struct iovec v = {b, sizeof b};
	struct msghdr h = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct tpacket_auxdata aux = {0};
	struct tpacket_stats st;
	socklen_t n = sizeof st;
	int s, on = 1;

	EXPECT_EQ(traffic(), 0);
	s = listener(SOCK_RAW, ETH_P_ALL);
	EXPECT_EQ(setsockopt(s, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on), 0);
	say("one");
	EXPECT_EQ(recvmsg(s, &h, 0), 14 + 28 + 3);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
		if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA)
			memcpy(&aux, CMSG_DATA(c), sizeof aux);
	EXPECT(aux.tp_status & TP_STATUS_USER);
	EXPECT_EQ(aux.tp_len, 14 + 28 + 3);
	EXPECT_EQ(aux.tp_snaplen, 14 + 28 + 3);
	EXPECT_EQ(aux.tp_net, 14);
	EXPECT_EQ(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &n), 0);
	EXPECT_EQ(n, sizeof st);
	EXPECT_EQ(st.tp_packets, 2);
	EXPECT_EQ(st.tp_drops, 0);
	EXPECT_EQ(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &n), 0);
	EXPECT_EQ(st.tp_packets, 0);
	close(s);
}

static int flags_of(const char *name)
{
	struct ifreq r = {0};

	strcpy(r.ifr_name, name);
	return ioctl(udp, SIOCGIFFLAGS, &r) ? -1 : (unsigned short)r.ifr_flags;
}

TEST(memberships)
{
	struct packet_mreq m = {.mr_ifindex = (int)if_nametoindex("lo"), .mr_type = PACKET_MR_PROMISC},
			   none = m;
	int s;

	EXPECT_EQ(traffic(), 0);
	s = socket(AF_PACKET, SOCK_RAW, 0);
	none.mr_ifindex = 9999;
	EXPECT_ERR(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &none, sizeof none), ENODEV);
	EXPECT_EQ(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m), 0);
	EXPECT_EQ(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m), 0);
	EXPECT_EQ(setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof m), 0);
	EXPECT_EQ(setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof m), 0);
	EXPECT_EQ(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m), 0);
	close(s); // closing leaves them
	EXPECT(!(flags_of("lo") & IFF_PROMISC));
}

static void ring(int version, unsigned header)
{
	struct tpacket_req q = {BLOCK, 2, FRAME, 2 * BLOCK / FRAME}, bad = q;
	unsigned char *at;
	int s, v = version;
	socklen_t n = sizeof v;
	struct pollfd p;

	EXPECT_EQ(traffic(), 0);
	s = listener(SOCK_RAW, ETH_P_ALL);
	EXPECT_EQ(getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &v, &n), 0);
	EXPECT_EQ(v, header);
	EXPECT_EQ(setsockopt(s, SOL_PACKET, PACKET_VERSION, &version, sizeof version), 0);
	EXPECT_EQ(mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0), MAP_FAILED);
	bad.tp_block_size = 1000;
	EXPECT_ERR(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &bad, sizeof bad), EINVAL);
	bad = q;
	bad.tp_frame_nr++;
	EXPECT_ERR(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &bad, sizeof bad), EINVAL);
	bad = q;
	bad.tp_frame_size = 16;
	EXPECT_ERR(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &bad, sizeof bad), EINVAL);
	EXPECT_EQ(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof q), 0);
	EXPECT_ERR(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof q), EBUSY);
	EXPECT_ERR(setsockopt(s, SOL_PACKET, PACKET_VERSION, &version, sizeof version), EBUSY);
	EXPECT_EQ(mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0), MAP_FAILED);
	EXPECT_EQ(errno, 0);
	at = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0);
	EXPECT(at != MAP_FAILED);
	p = (struct pollfd){.fd = s, .events = POLLIN};
	EXPECT_EQ(poll(&p, 1, 0), 0);
	for (unsigned round = 0; round < 24; round++) { // more frames than there are places
		say("ring");
		for (unsigned k = 0; k < 2; k++) {
			unsigned char *f = at + (round * 2 + k) % q.tp_frame_nr * FRAME;
			uint32_t len, snaplen;
			uint16_t mac, net;
			struct sockaddr_ll *ll;

			EXPECT_EQ(poll(&p, 1, 1000), 1);
			EXPECT(*(volatile uint32_t *)f & TP_STATUS_USER);
			if (version == TPACKET_V1) {
				struct tpacket_hdr *h = (void *)f;

				len = h->tp_len, snaplen = h->tp_snaplen, mac = h->tp_mac, net = h->tp_net;
				ll = (void *)(f + TPACKET_ALIGN(sizeof *h));
			} else {
				struct tpacket2_hdr *h = (void *)f;

				len = h->tp_len, snaplen = h->tp_snaplen, mac = h->tp_mac, net = h->tp_net;
				ll = (void *)(f + TPACKET_ALIGN(sizeof *h));
			}
			EXPECT_EQ(len, 14 + 28 + 4);
			EXPECT_EQ(snaplen, len);
			EXPECT_EQ(net, mac + 14);
			EXPECT_EQ(net % 16, 0);
			EXPECT_EQ(memcmp(f + net + 28, "ring", 4), 0);
			EXPECT_EQ(ll->sll_pkttype, k ? PACKET_HOST : PACKET_OUTGOING);
			memset(f, 0, sizeof(unsigned long)); // back to the kernel
		}
	}
	EXPECT_EQ(poll(&p, 1, 0), 0);
	// A ring that nobody empties: what does not fit is counted.
	for (unsigned i = 0; i < q.tp_frame_nr; i++)
		say("full");
	struct tpacket_stats st;

	n = sizeof st;
	EXPECT_EQ(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &n), 0);
	EXPECT_EQ(st.tp_packets, 48 + 2 * q.tp_frame_nr);
	EXPECT_EQ(st.tp_drops, q.tp_frame_nr);
	munmap(at, 2 * BLOCK);
	memset(&q, 0, sizeof q);
	EXPECT_EQ(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof q), 0); // none any more
	close(s);
}

// Blocks: handed over when they are full, or after a time.
TEST(ring_v3)
{
	struct tpacket_req3 q = {.tp_block_size = 4096,
				 .tp_block_nr = 3,
				 .tp_frame_size = 2048,
				 .tp_frame_nr = 6,
				 .tp_retire_blk_tov = 40,
				 .tp_sizeof_priv = 13},
			    bad = q;
	int s, version = TPACKET_V3, seen = 0, block = 0;
	unsigned char *at;
	struct pollfd p;
	socklen_t n;

	EXPECT_EQ(traffic(), 0);
	s = listener(SOCK_RAW, ETH_P_ALL);
	p = (struct pollfd){.fd = s, .events = POLLIN};
	EXPECT_EQ(setsockopt(s, SOL_PACKET, PACKET_VERSION, &version, sizeof version), 0);
	EXPECT_ERR(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof(struct tpacket_req)), EINVAL);
	bad.tp_sizeof_priv = 1u << 31;
	EXPECT_ERR(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &bad, sizeof bad), EINVAL);
	bad.tp_sizeof_priv = 4096 - 48;
	EXPECT_ERR(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &bad, sizeof bad), EINVAL);
	EXPECT_EQ(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof q), 0);
	at = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0);
	EXPECT(at != MAP_FAILED);
	EXPECT_EQ(poll(&p, 1, 0), 0);
	say("first"); // two packets: far from a block's worth
	EXPECT_EQ(poll(&p, 1, 2000), 1);
	for (int i = 0; i < 20; i++)
		say("more");
	pause_ms(150);
	for (uint64_t sequence = 1; seen < 2 * 21; sequence++) {
		struct tpacket_block_desc *d = (void *)(at + block * 4096);
		struct tpacket3_hdr *h = (void *)((char *)d + d->hdr.bh1.offset_to_first_pkt);
		unsigned count = d->hdr.bh1.num_pkts;

		if (!(*(volatile uint32_t *)&d->hdr.bh1.block_status & TP_STATUS_USER))
			EXPECT_EQ(poll(&p, 1, 2000), 1);
		EXPECT(d->hdr.bh1.block_status & TP_STATUS_USER);
		EXPECT_EQ(d->version, TPACKET_V3);
		EXPECT_EQ(d->offset_to_priv, 48);
		EXPECT_EQ(d->hdr.bh1.offset_to_first_pkt, 48 + 16);
		EXPECT_EQ(d->hdr.bh1.seq_num, sequence);
		EXPECT(count > 0 && d->hdr.bh1.blk_len <= 4096);
		if (sequence == 1)
			EXPECT_EQ(count, 2);
		for (unsigned i = 0; i < count; i++) {
			const char *want = seen < 2 ? "first" : "more";

			EXPECT_EQ(h->tp_len, 14 + 28 + strlen(want));
			EXPECT_EQ(h->tp_snaplen, h->tp_len);
			EXPECT_EQ(memcmp((char *)h + h->tp_net + 28, want, strlen(want)), 0);
			EXPECT_EQ(!h->tp_next_offset, i + 1 == count);
			h = (void *)((char *)h + h->tp_next_offset);
			seen++;
		}
		__atomic_store_n(&d->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		block = (block + 1) % 3;
	}
	// Nobody gives blocks back: what does not fit any more is counted.
	for (int i = 0; i < 100; i++)
		say("flood");
	struct tpacket_stats_v3 st;

	n = sizeof st;
	EXPECT_EQ(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &n), 0);
	EXPECT_EQ(n, sizeof st);
	EXPECT_EQ(st.tp_packets, 2 * 21 + 200);
	EXPECT(st.tp_drops > 0 && st.tp_drops < 200);
	EXPECT(st.tp_freeze_q_cnt > 0);
	munmap(at, 3 * 4096);
	close(s);
}

TEST(ring_v1)
{
	ring(TPACKET_V1, sizeof(struct tpacket_hdr));
}

TEST(ring_v2)
{
	ring(TPACKET_V2, sizeof(struct tpacket2_hdr));
}
