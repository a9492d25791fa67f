/* SPDX-License-Identifier: BSD-2-Clause */
/* BLAKE2s with a 32-byte result, unkeyed (RFC 7693): the entropy pool's hash. The caller guards the state.
 * Any context. */
#pragma once

#include "base/types.h"

#define BLAKE2S_SIZE  32
#define BLAKE2S_BLOCK 64

struct blake2s {
	u32 h[8];
	u64 total; /* bytes compressed */
	u8 buf[BLAKE2S_BLOCK];
	size_t used; /* bytes of buf; a full buffer waits until more comes, for the last block is marked */
};

void blake2s_init(struct blake2s *s);
void blake2s_update(struct blake2s *s, const void *data, size_t n);
void blake2s_final(struct blake2s *s, u8 out[BLAKE2S_SIZE]);
