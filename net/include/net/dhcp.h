/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCPv4 messages (RFC 2131 section 2, RFC 2132). */
#pragma once

#include "net/addr.h"

struct netdev;

#define DHCP_COOKIE be32_const(0x63825363)

enum { DHCP_DISCOVER = 1, DHCP_OFFER, DHCP_REQUEST, DHCP_DECLINE, DHCP_ACK, DHCP_NAK, DHCP_RELEASE };
enum {
	DHCP_OPT_PAD = 0,
	DHCP_OPT_MASK = 1,
	DHCP_OPT_ROUTER = 3,
	DHCP_OPT_DNS = 6,
	DHCP_OPT_HOSTNAME = 12,
	DHCP_OPT_DOMAIN = 15,
	DHCP_OPT_MTU = 26,
	DHCP_OPT_BROADCAST = 28,
	DHCP_OPT_NTP = 42,
	DHCP_OPT_REQUESTED = 50,
	DHCP_OPT_LEASE = 51,
	DHCP_OPT_OVERLOAD = 52,
	DHCP_OPT_TYPE = 53,
	DHCP_OPT_SERVER = 54,
	DHCP_OPT_PARAMETERS = 55,
	DHCP_OPT_MAX_SIZE = 57,
	DHCP_OPT_T1 = 58,
	DHCP_OPT_T2 = 59,
	DHCP_OPT_CLIENT_ID = 61,
	DHCP_OPT_SEARCH = 119,
	DHCP_OPT_ROUTES = 121,
	DHCP_OPT_END = 255,
};

struct dhcp_message {
	u8 op, htype, hlen, hops;
	u32 xid;
	u16 secs, flags;
	u32 ciaddr, yiaddr, siaddr, giaddr;
	u8 chaddr[16], sname[64], file[128];
	u32 cookie;
} __packed;

#define DHCP_ROUTES_MAX 8
#define DNS_SEARCH_MAX	256
struct dhcp_lease {
	u32 addr, server, broadcast, ntp, dns[3];
	u8 plen;
	u16 mtu;	     /* 0: not given */
	u32 seconds, t1, t2; /* ~0: for ever */
	unsigned nroutes;
	struct {
		u32 dst, gateway;
		u8 plen;
	} routes[DHCP_ROUTES_MAX];
	char hostname[64], domain[64], search[DNS_SEARCH_MAX]; /* search: names with spaces between */
};

/* Parse a server's message of LEN bytes to the client with XID and MAC. Returns the message type; -EINVAL:
 * malformed; -ESRCH: not for us. Every field of *L is set. */
int dhcp_parse(const void *msg, size_t len, u32 xid, const u8 mac[6], struct dhcp_lease *l);

/* A list of encoded domain names (with RFC 1035 compression if COMPRESSED) as words in OUT; its length, 0
 * when it is malformed. Cut to SIZE at a name's end. */
size_t dns_name_list(const u8 *p, size_t len, bool compressed, char *out, size_t size);

/* DHCPv6 (RFC 8415), as far as a host that needs no address asks. */
enum { DHCP6_REPLY = 7, DHCP6_INFORMATION_REQUEST = 11 };
enum {
	DHCP6_OPT_CLIENT_ID = 1,
	DHCP6_OPT_SERVER_ID = 2,
	DHCP6_OPT_ORO = 6,
	DHCP6_OPT_ELAPSED = 8,
	DHCP6_OPT_DNS = 23,
	DHCP6_OPT_DOMAINS = 24,
	DHCP6_OPT_REFRESH = 32,
};
void dhcp6_duid(const struct netdev *dev, u8 id[10]);

struct dhcp6_answer {
	struct net_addr dns[3];
	u8 ndns;
	u32 refresh; /* seconds; ~0: never */
	char search[DNS_SEARCH_MAX];
};
/* Is this the reply to DEV's request XID? Then every field of *A is set. */
bool dhcp6_parse(const u8 *p, size_t len, const struct netdev *dev, u32 xid, struct dhcp6_answer *a);
