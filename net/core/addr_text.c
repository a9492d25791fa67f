/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses as text: RFC 5952 for IPv6, dotted decimals for IPv4. */
#include "base/format.h"
#include "net/addr.h"

char *addr_text(const struct net_addr *a, char buf[ADDR_TEXT_MAX])
{
	unsigned best = 8, best_len = 1, n = 0;

	if (addr_is_v4(a)) {
		snprintf(buf, ADDR_TEXT_MAX, "%u.%u.%u.%u", a->b[12], a->b[13], a->b[14], a->b[15]);
		return buf;
	}
	for (unsigned i = 0; i < 8; i++) { /* RFC 5952: the longest run of zero groups becomes "::" */
		unsigned len = 0;

		while (i + len < 8 && !a->b[2 * (i + len)] && !a->b[2 * (i + len) + 1])
			len++;
		if (len > best_len) {
			best = i;
			best_len = len;
		}
	}
	for (unsigned i = 0; i < 8; i++) {
		if (i == best) {
			n += (unsigned)scnprintf(buf + n, ADDR_TEXT_MAX - n, "::");
			i += best_len - 1;
			continue;
		}
		n += (unsigned)scnprintf(buf + n, ADDR_TEXT_MAX - n, i && i != best + best_len ? ":%x" : "%x",
					 a->b[2 * i] << 8 | a->b[2 * i + 1]);
	}
	return buf;
}

bool ip4_parse(const char *s, u32 *out, const char **end)
{
	u32 v = 0;

	for (unsigned i = 0; i < 4; i++) {
		unsigned n = 0, digits = 0;

		while (*s >= '0' && *s <= '9' && digits < 4) {
			n = n * 10 + (unsigned)(*s++ - '0');
			digits++;
		}
		if (!digits || n > 255 || (i < 3 && *s++ != '.'))
			return false;
		v = v << 8 | n;
	}
	*out = be32(v);
	if (end)
		*end = s;
	return true;
}
