/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCPv4 messages (RFC 2131 section 2, RFC 2132). */
#pragma once

#include "net/addr.h"

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
	char hostname[64], domain[64];
};

/* Parse a server's message of LEN bytes to the client with XID and MAC. Returns the message type; -EINVAL:
 * malformed; -ESRCH: not for us. Every field of *L is set. */
int dhcp_parse(const void *msg, size_t len, u32 xid, const u8 mac[6], struct dhcp_lease *l);
