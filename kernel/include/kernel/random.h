/* SPDX-License-Identifier: BSD-2-Clause */
/* The random generator: ChaCha20 with fast key erasure, per CPU, reseeded from the entropy pool; sources RDSEED/RDRAND,
 * virtio-rng, interrupt times, the boot protocol. */
#pragma once

#include "base/types.h"

void random_bytes(void *buf, size_t n); /* any context; never fails */
u64 random_u64(void);
bool random_ready(void); /* seeded from a trusted source; getrandom(2) without GRND_INSECURE waits for it */
void random_wait_ready(void);
/* As random_wait_ready, but a signal ends it: 0 or -ERESTARTSYS. What getrandom(2) calls. */
int __must_check random_wait_ready_interruptible(void);
/* Mix N bytes in; BITS is the entropy credited. Any context. */
void random_add_entropy(const void *data, size_t n, unsigned bits);
/* A device that can deliver more: ASK is called (in any context, must not block) whenever the pool was drawn on; the device
 * answers with random_add_entropy when it likes. One source; a later one is ignored. */
void random_register_source(void (*ask)(void));
/* The time of an interrupt from SOURCE: a few instructions, credited sparingly. Interrupt context. */
void random_add_interrupt(u32 source);
/* The VM was restored from a snapshot (VMGenID): every generator re-keys before its next byte. */
void random_bump_generation(void);
