/* SPDX-License-Identifier: BSD-2-Clause */
/* CRC-32C over the superblock, once a mount: a nibble table is enough. RFC 3720 appendix B.4 gives the
 * polynomial. */
#include "erofs.h"

#define CRC32C_POLY 0x82f63b78u

u32 crc32c(u32 crc, const void *data, size_t len)
{
	const u8 *p = data;
	u32 table[16];

	for (u32 n = 0; n < 16; n++) {
		u32 v = n;

		for (int bit = 0; bit < 4; bit++)
			v = v & 1 ? v >> 1 ^ CRC32C_POLY : v >> 1;
		table[n] = v;
	}
	while (len--) {
		crc ^= *p++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}
