/* SPDX-License-Identifier: BSD-2-Clause */
/* Bit and byte-order helpers. */
#pragma once

#include "base/types.h"

static inline unsigned log2_floor(u64 v)
{
	return 63 - (unsigned)__builtin_clzll(v); /* v != 0 */
}

static inline unsigned log2_ceil(u64 v)
{
	return v <= 1 ? 0 : log2_floor(v - 1) + 1;
}

static inline bool is_power_of_2(u64 v)
{
	return v && !(v & (v - 1));
}

static inline u16 be16(u16 v)
{
	return __builtin_bswap16(v);
}

static inline u32 be32(u32 v)
{
	return __builtin_bswap32(v);
}

static inline u64 be64(u64 v)
{
	return __builtin_bswap64(v);
}

/* Unaligned little-endian loads, for on-disk structures. */
static inline u16 le16_get(const void *p)
{
	u16 v;
	__builtin_memcpy(&v, p, sizeof v);
	return v;
}

static inline u32 le32_get(const void *p)
{
	u32 v;
	__builtin_memcpy(&v, p, sizeof v);
	return v;
}

static inline u64 le64_get(const void *p)
{
	u64 v;
	__builtin_memcpy(&v, p, sizeof v);
	return v;
}
