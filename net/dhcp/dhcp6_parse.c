/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading DHCPv6 replies (RFC 8415, 3646, 4242). */
#include "base/string.h"
#include "net/dhcp.h"
#include "net/netdev.h"

#define REFRESH	    86400u /* seconds, if the server does not say */
#define REFRESH_MIN 600u

void dhcp6_duid(const struct netdev *dev, u8 id[10])
{
	memcpy(id, (u8[]){0, 3, 0, 1}, 4); /* DUID-LL, Ethernet */
	memcpy(id + 4, dev->mac, 6);
}

bool dhcp6_parse(const u8 *p, size_t len, const struct netdev *dev, u32 xid, struct dhcp6_answer *a)
{
	const u8 *end = p + len;
	bool ours = false, server = false;
	u8 id[10];

	memset(a, 0, sizeof(*a));
	a->refresh = REFRESH;
	if (len < 4 || p[0] != DHCP6_REPLY || ((u32)p[1] << 16 | (u32)p[2] << 8 | p[3]) != xid)
		return false;
	dhcp6_duid(dev, id);
	for (p += 4; end - p >= 4;) {
		u16 code = (u16)(p[0] << 8 | p[1]), n = (u16)(p[2] << 8 | p[3]);

		p += 4;
		if (n > end - p)
			return false;
		switch (code) {
		case DHCP6_OPT_CLIENT_ID:
			ours = n == sizeof(id) && memcmp(p, id, sizeof(id)) == 0;
			break;
		case DHCP6_OPT_SERVER_ID:
			server = n >= 2;
			break;
		case DHCP6_OPT_DNS:
			for (a->ndns = 0; a->ndns < ARRAY_SIZE(a->dns) && 16 * (a->ndns + 1u) <= n; a->ndns++)
				memcpy(&a->dns[a->ndns], p + 16 * a->ndns, 16);
			break;
		case DHCP6_OPT_DOMAINS:
			dns_name_list(p, n, false, a->search, sizeof(a->search));
			break;
		case DHCP6_OPT_REFRESH:
			if (n == 4)
				a->refresh = (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
			break;
		}
		p += n;
	}
	a->refresh = max(a->refresh, REFRESH_MIN);
	return ours && server && p == end;
}
