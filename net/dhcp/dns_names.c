/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of domain names as configuration protocols carry them (RFC 1035 3.1; RFC 3397 with compression, 3646,
 * 8106 without), turned into words for resolv.conf. A list with anything in it that is no host name is none:
 * the words end up in a file. */
#include "base/err.h"
#include "base/string.h"
#include "net/dhcp.h"

#define JUMPS_MAX 16

static bool host_char(u8 c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

/* One name from *POS on; appends it to OUT, which has ROOM bytes left, and moves *POS behind it. Its length
 * without a NUL; -EINVAL: malformed; -ENOSPC. */
static int one_name(const u8 *p, size_t len, bool compressed, size_t *pos, char *out, size_t room)
{
	size_t at = *pos, n = 0;
	unsigned jumps = 0;

	for (;;) {
		u8 label;

		if (at >= len)
			return -EINVAL;
		label = p[at++];
		if (label >= 0xc0) {
			size_t to;

			if (!compressed || at >= len || ++jumps > JUMPS_MAX)
				return -EINVAL;
			to = (size_t)(label & 0x3f) << 8 | p[at++];
			if (jumps == 1)
				*pos = at;
			if (to >= at - 2)
				return -EINVAL; /* only backwards (RFC 1035 4.1.4) */
			at = to;
			continue;
		}
		if (!label)
			break;
		if (label > 63 || len - at < label)
			return -EINVAL;
		if (room - n < label + 2u)
			return -ENOSPC;
		if (n)
			out[n++] = '.';
		for (; label; label--, at++) {
			if (!host_char(p[at]))
				return -EINVAL;
			out[n++] = (char)p[at];
		}
	}
	if (!jumps)
		*pos = at;
	return (int)n;
}

size_t dns_name_list(const u8 *p, size_t len, bool compressed, char *out, size_t size)
{
	size_t pos = 0, n = 0;

	while (pos < len) {
		int k;

		if (n + 2 >= size)
			break;
		k = one_name(p, len, compressed, &pos, out + n + (n != 0), size - n - 2);
		if (k == -ENOSPC)
			break;
		if (k < 0) {
			n = 0;
			break;
		}
		if (!k)
			continue; /* padding */
		if (n)
			out[n++] = ' ';
		n += (size_t)k;
	}
	out[n] = 0;
	return n;
}
