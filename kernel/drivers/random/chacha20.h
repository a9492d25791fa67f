/* SPDX-License-Identifier: BSD-2-Clause */
/* The ChaCha20 block function (RFC 8439, section 2.3). */
#pragma once

#include "base/types.h"

#define CHACHA20_KEY_SIZE   32
#define CHACHA20_NONCE_SIZE 12
#define CHACHA20_BLOCK_SIZE 64

/* One block of key stream. Any context. */
void chacha20_block(const u8 key[CHACHA20_KEY_SIZE], u32 counter, const u8 nonce[CHACHA20_NONCE_SIZE],
		    u8 out[CHACHA20_BLOCK_SIZE]);
