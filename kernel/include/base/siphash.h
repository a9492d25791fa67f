/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash-2-4 (Aumasson, Bernstein): keyed hash for tables that outsiders can fill. */
#pragma once

#include "base/types.h"

struct siphash_key {
	u64 k[2];
};

u64 siphash(const void *data, size_t len, const struct siphash_key *key);
