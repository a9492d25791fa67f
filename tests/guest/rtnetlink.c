// SPDX-License-Identifier: BSD-2-Clause
// NETLINK_ROUTE (rtnetlink(7)) on the loopback: links, addresses, routes and rules read and changed, refusals
// in words, strict requests, listeners. Needs CAP_NET_ADMIN; on Linux it works in a name space of its own.
#include "check.h"
#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
		struct rtmsg route;
		struct fib_rule_hdr rule;
		char room[1024];
	};
} ask;
static _Alignas(8) char answer[65536];
static int talk = -1;
static uint32_t seq;
static char words[256]; // of the last refusal

BEFORE_TESTS(int argc, char **argv)
{
	struct ifreq r = {.ifr_name = "lo"};
	int s;

	(void)!unshare(CLONE_NEWNET); // without name spaces it is the machine's own loopback
	s = socket(AF_INET, SOCK_DGRAM, 0);
	if (!ioctl(s, SIOCGIFFLAGS, &r)) {
		r.ifr_flags |= IFF_UP;
		ioctl(s, SIOCSIFFLAGS, &r);
	}
	close(s);
	talk = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}

static void begin(int type, int flags, size_t header)
{
	memset(&ask, 0, sizeof ask);
	ask.h = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(header),
				  .nlmsg_type = type,
				  .nlmsg_flags = NLM_F_REQUEST | flags,
				  .nlmsg_seq = ++seq};
}

static void attr(int type, const void *data, size_t n)
{
	struct rtattr *a = (void *)((char *)&ask + NLMSG_ALIGN(ask.h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(n);
	memcpy(RTA_DATA(a), data, n);
	ask.h.nlmsg_len = NLMSG_ALIGN(ask.h.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

static void attr4(int type, const char *addr)
{
	uint32_t v = inet_addr(addr);

	attr(type, &v, 4);
}

static void attr_u32(int type, uint32_t v)
{
	attr(type, &v, 4);
}

// The words of a refusal, which follow the header of what was refused.
static void load_words(struct nlmsghdr *h)
{
	struct nlmsgerr *e = NLMSG_DATA(h);
	size_t skip = sizeof *e +
		      (h->nlmsg_flags & NLM_F_CAPPED ? 0 : NLMSG_ALIGN(e->msg.nlmsg_len) - sizeof e->msg);
	struct rtattr *a = (void *)((char *)e + skip);
	int left = (int)(h->nlmsg_len - NLMSG_HDRLEN - skip);

	words[0] = 0;
	for (; h->nlmsg_flags & NLM_F_ACK_TLVS && RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == NLMSGERR_ATTR_MSG)
			snprintf(words, sizeof words, "%s", (char *)RTA_DATA(a));
}

// Send and get the acknowledgement: 0 or -errno.
static int change(void)
{
	ask.h.nlmsg_flags |= NLM_F_ACK;
	send(talk, &ask, ask.h.nlmsg_len, 0);
	for (;;) {
		ssize_t n = recv(talk, answer, sizeof answer, 0);
		struct nlmsghdr *h = (void *)answer;

		if (n < (ssize_t)sizeof *h)
			return -EIO;
		if (h->nlmsg_seq != seq || h->nlmsg_type != NLMSG_ERROR)
			continue;
		load_words(h);
		return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
	}
}

// Send a dump; call FN for each message. How many there were, or -errno.
static int dump(int (*fn)(struct nlmsghdr *))
{
	int count = 0;

	ask.h.nlmsg_flags |= NLM_F_DUMP;
	send(talk, &ask, ask.h.nlmsg_len, 0);
	for (;;) {
		ssize_t n = recv(talk, answer, sizeof answer, 0);

		for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_seq != seq)
				continue;
			if (h->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
			if (h->nlmsg_type == NLMSG_DONE)
				return *(int *)NLMSG_DATA(h) < 0 ? *(int *)NLMSG_DATA(h) : count;
			if (!(h->nlmsg_flags & NLM_F_MULTI))
				return -EPROTO;
			count += fn(h);
		}
	}
}

static struct rtattr *find(struct nlmsghdr *h, size_t header, int type)
{
	struct rtattr *a = (void *)((char *)NLMSG_DATA(h) + NLMSG_ALIGN(header));
	int left = (int)NLMSG_PAYLOAD(h, NLMSG_ALIGN(header));

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == type)
			return a;
	return NULL;
}

static uint32_t u32_of(struct nlmsghdr *h, size_t header, int type)
{
	struct rtattr *a = find(h, header, type);

	return a ? *(uint32_t *)RTA_DATA(a) : ~0u;
}

static int loopback;
static int note_loopback(struct nlmsghdr *h)
{
	struct ifinfomsg *i = NLMSG_DATA(h);

	if (i->ifi_flags & IFF_LOOPBACK)
		loopback = i->ifi_index;
	return 1;
}

TEST(links)
{
	struct nlmsghdr *h = (void *)answer;
	struct rtattr *a;

	begin(RTM_GETLINK, 0, sizeof ask.link);
	EXPECT(dump(note_loopback) >= 1);
	EXPECT(loopback > 0);
	begin(RTM_GETLINK, 0, sizeof ask.link);
	attr(IFLA_IFNAME, "lo", 3);
	EXPECT_EQ(send(talk, &ask, ask.h.nlmsg_len, 0), ask.h.nlmsg_len);
	EXPECT(recv(talk, answer, sizeof answer, 0) > 0);
	EXPECT_EQ(h->nlmsg_type, RTM_NEWLINK);
	EXPECT_EQ(h->nlmsg_flags & NLM_F_MULTI, 0);
	EXPECT_EQ(((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index, loopback);
	EXPECT_EQ(u32_of(h, sizeof ask.link, IFLA_MTU), 65536);
	EXPECT_EQ(u32_of(h, sizeof ask.link, IFLA_PROMISCUITY), 0);
	a = find(h, sizeof ask.link, IFLA_QDISC);
	EXPECT(a && !strcmp(RTA_DATA(a), "noqueue"));
	EXPECT(find(h, sizeof ask.link, IFLA_STATS64));
	begin(RTM_GETLINK, 0, sizeof ask.link);
	ask.link.ifi_index = 9999;
	EXPECT_EQ(change(), -ENODEV);
	begin(RTM_GETLINK, 0, sizeof ask.link);
	EXPECT_EQ(change(), -EINVAL); // which?
}

static int of_loopback;
static int count_addr(struct nlmsghdr *h)
{
	of_loopback += ((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_index == (unsigned)loopback;
	return 1;
}

static void address(int type, int flags, const char *addr, int plen)
{
	begin(type, flags, sizeof ask.addr);
	ask.addr = (struct ifaddrmsg){.ifa_family = AF_INET, .ifa_prefixlen = plen, .ifa_index = loopback};
	attr4(IFA_LOCAL, addr);
	attr4(IFA_ADDRESS, addr);
}

TEST(addresses)
{
	int on = 1, groups[] = {RTNLGRP_IPV4_IFADDR}, listen = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	struct nlmsghdr *h = (void *)answer;
	struct ifa_cacheinfo *ci;

	EXPECT_EQ(bind(listen, (void *)&any, sizeof any), 0);
	EXPECT_EQ(setsockopt(listen, 270, NETLINK_ADD_MEMBERSHIP, groups, sizeof groups[0]), 0);
	setsockopt(talk, 270, NETLINK_EXT_ACK, &on, sizeof on);
	address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "10.211.0.1", 32);
	EXPECT_EQ(change(), 0);
	EXPECT(recv(listen, answer, sizeof answer, MSG_DONTWAIT) > 0);
	EXPECT_EQ(h->nlmsg_type, RTM_NEWADDR);
	EXPECT_EQ(u32_of(h, sizeof ask.addr, IFA_LOCAL), inet_addr("10.211.0.1"));
	ci = RTA_DATA(find(h, sizeof ask.addr, IFA_CACHEINFO));
	EXPECT_EQ(ci->ifa_valid, ~0u);
	address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "10.211.0.1", 32);
	EXPECT_EQ(change(), -EEXIST);
	address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, "10.211.0.1", 32);
	EXPECT_EQ(change(), 0);
	address(RTM_NEWADDR, NLM_F_CREATE, "10.211.0.1", 33);
	EXPECT_EQ(change(), -EINVAL);
	EXPECT(words[0]);
	address(RTM_DELADDR, 0, "10.211.0.1", 32);
	EXPECT_EQ(change(), 0);
	do {
		EXPECT(recv(listen, answer, sizeof answer, MSG_DONTWAIT) > 0);
	} while (h->nlmsg_type == RTM_NEWADDR);
	EXPECT_EQ(h->nlmsg_type, RTM_DELADDR);
	address(RTM_DELADDR, 0, "10.211.0.1", 32);
	EXPECT_EQ(change(), -EADDRNOTAVAIL);
	address(RTM_NEWADDR, NLM_F_CREATE, "10.211.0.1", 32);
	ask.addr.ifa_index = 9999;
	EXPECT_EQ(change(), -ENODEV);
	close(listen);
}

TEST(strict_requests)
{
	int on = 1, off = 0, all;

	EXPECT_EQ(setsockopt(talk, 270, NETLINK_GET_STRICT_CHK, &on, sizeof on), 0);
	begin(RTM_GETADDR, 0, sizeof ask.addr);
	ask.addr.ifa_family = AF_INET;
	ask.addr.ifa_index = loopback;
	of_loopback = 0;
	all = dump(count_addr);
	EXPECT(all >= 1);
	EXPECT_EQ(all, of_loopback);
	begin(RTM_GETADDR, 0, sizeof ask.addr);
	ask.addr.ifa_family = AF_INET;
	ask.addr.ifa_scope = 7;
	EXPECT_EQ(dump(count_addr), -EINVAL);
	begin(RTM_GETADDR, 0, sizeof ask.addr);
	ask.addr.ifa_family = AF_INET;
	ask.addr.ifa_index = 9999;
	EXPECT_EQ(dump(count_addr), -ENODEV);
	EXPECT_EQ(setsockopt(talk, 270, NETLINK_GET_STRICT_CHK, &off, sizeof off), 0);
}

static void route(int type, int flags, const char *dst, int plen)
{
	begin(type, flags, sizeof ask.route);
	ask.route = (struct rtmsg){.rtm_family = AF_INET,
				   .rtm_dst_len = plen,
				   .rtm_table = RT_TABLE_MAIN,
				   .rtm_protocol = RTPROT_BOOT,
				   .rtm_scope = RT_SCOPE_LINK,
				   .rtm_type = RTN_UNICAST};
	attr4(RTA_DST, dst);
}

static void route_by_lo(int type, int flags, const char *dst, int plen)
{
	route(type, flags, dst, plen);
	attr_u32(RTA_OIF, (uint32_t)loopback);
}

static int ours;
static int find_ours(struct nlmsghdr *h)
{
	if (u32_of(h, sizeof ask.route, RTA_DST) == inet_addr("10.212.0.0")) {
		ours++;
		return ((struct rtmsg *)NLMSG_DATA(h))->rtm_dst_len == 16;
	}
	return 0;
}

TEST(routes)
{
	int listen = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct sockaddr_nl group = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_ROUTE};
	struct nlmsghdr *h = (void *)answer;

	EXPECT_EQ(bind(listen, (void *)&group, sizeof group), 0);
	route_by_lo(RTM_NEWROUTE, 0, "10.212.0.0", 16);
	EXPECT_EQ(change(), -ENOENT); // there is none to change
	route_by_lo(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.212.0.0", 16);
	EXPECT_EQ(change(), 0);
	EXPECT(recv(listen, answer, sizeof answer, MSG_DONTWAIT) > 0);
	EXPECT_EQ(h->nlmsg_type, RTM_NEWROUTE);
	route_by_lo(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.212.0.0", 16);
	EXPECT_EQ(change(), -EEXIST);
	route_by_lo(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, "10.212.0.0", 16);
	EXPECT_EQ(change(), 0);
	route_by_lo(RTM_NEWROUTE, NLM_F_CREATE, "10.212.1.0", 16); // bits beyond the prefix
	EXPECT_EQ(change(), -EINVAL);
	EXPECT(words[0]);
	route(RTM_NEWROUTE, NLM_F_CREATE, "10.213.0.0", 16);
	attr4(RTA_GATEWAY, "192.0.2.77"); // nowhere
	EXPECT_EQ(change(), -ENETUNREACH);
	EXPECT(words[0]);
	route_by_lo(RTM_NEWROUTE, NLM_F_CREATE, "10.213.0.0", 16);
	attr4(RTA_PREFSRC, "192.0.2.77"); // not ours
	EXPECT_EQ(change(), -EINVAL);
	ours = 0;
	begin(RTM_GETROUTE, 0, sizeof ask.route);
	ask.route.rtm_family = AF_INET;
	EXPECT_EQ(dump(find_ours), 1);
	EXPECT_EQ(ours, 1);
	begin(RTM_GETROUTE, 0, sizeof ask.route);
	ask.route.rtm_family = AF_INET;
	ask.route.rtm_dst_len = 32;
	attr4(RTA_DST, "127.0.0.1");
	EXPECT_EQ(send(talk, &ask, ask.h.nlmsg_len, 0), ask.h.nlmsg_len);
	EXPECT(recv(talk, answer, sizeof answer, 0) > 0);
	EXPECT_EQ(h->nlmsg_type, RTM_NEWROUTE);
	EXPECT_EQ(((struct rtmsg *)NLMSG_DATA(h))->rtm_type, RTN_LOCAL);
	EXPECT_EQ(u32_of(h, sizeof ask.route, RTA_OIF), loopback);
	route(RTM_DELROUTE, 0, "10.212.0.0", 16);
	ask.route.rtm_scope = RT_SCOPE_NOWHERE;
	EXPECT_EQ(change(), 0);
	route(RTM_DELROUTE, 0, "10.212.0.0", 16);
	ask.route.rtm_scope = RT_SCOPE_NOWHERE;
	EXPECT_EQ(change(), -ESRCH);
	do {
		EXPECT(recv(listen, answer, sizeof answer, MSG_DONTWAIT) > 0);
	} while (h->nlmsg_type == RTM_NEWROUTE);
	EXPECT_EQ(h->nlmsg_type, RTM_DELROUTE);
	EXPECT_EQ(u32_of(h, sizeof ask.route, RTA_OIF), loopback); // what went is told in full
	close(listen);
}

static unsigned priorities;
static int note_rule(struct nlmsghdr *h)
{
	uint32_t p = u32_of(h, sizeof ask.rule, FRA_PRIORITY), t = u32_of(h, sizeof ask.rule, FRA_TABLE);

	priorities |= p == ~0u && t == RT_TABLE_LOCAL	 ? 1
		      : p == 32766 && t == RT_TABLE_MAIN ? 2
		      : p == 32767			 ? 4
							 : 8;
	return 1;
}

TEST(rules)
{
	begin(RTM_GETRULE, 0, sizeof ask.rule);
	ask.rule.family = AF_INET;
	EXPECT_EQ(dump(note_rule), 3);
	EXPECT_EQ(priorities, 7);
}

TEST(only_the_privileged_change)
{
	int status, pid = fork();

	if (!pid) {
		if (setgid(1) || setuid(1))
			_exit(1);
		close(talk);
		talk = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
		address(RTM_NEWADDR, NLM_F_CREATE, "10.211.0.2", 32);
		if (change() != -EPERM)
			_exit(2);
		begin(RTM_GETLINK, 0, sizeof ask.link);
		_exit(dump(note_loopback) < 1);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}
