// SPDX-License-Identifier: BSD-2-Clause
/* The DHCP message parsers: any bytes, of which the fixed part is put right. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/dhcp.h"
#include "net/netdev.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const u8 mac[6] = {2, 0, 0, 0, 0, 1};
	static const struct netdev dev = {.mac = {2, 0, 0, 0, 0, 1}};
	struct dhcp6_answer a;
	struct dhcp_lease l;
	u8 *copy = malloc(size + 1); /* exactly sized: a read beyond is seen */
	struct dhcp_message *m = (struct dhcp_message *)copy;

	memcpy(copy, data, size);
	if (dhcp6_parse(copy, size, &dev, 1, &a) &&
	    (a.ndns > ARRAY_SIZE(a.dns) || strlen(a.search) >= sizeof(a.search)))
		abort();
	if (size >= sizeof(*m)) {
		m->op = 2;
		m->htype = 1;
		m->hlen = 6;
		m->xid = 1;
		m->cookie = DHCP_COOKIE;
		memcpy(m->chaddr, mac, 6);
	}
	if (dhcp_parse(copy, size, 1, mac, &l) > 0 && (l.plen > 32 || l.nroutes > DHCP_ROUTES_MAX ||
						       strlen(l.domain) >= sizeof(l.domain) || l.t1 > l.t2))
		abort();
	free(copy);
	return 0;
}
