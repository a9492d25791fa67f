// SPDX-License-Identifier: BSD-2-Clause
/* kernel/random.h: a seeded xorshift, the same sequence in every run. Weak. */
#include "host.h"
#include "kernel/random.h"

static _Atomic u64 state = 0x9e3779b97f4a7c15ull;

void host_random_seed(u64 seed)
{
	state = seed * 0x9e3779b97f4a7c15ull | 1;
}

__weak u64 random_u64(void)
{
	u64 x = state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	state = x;
	return x * 0x2545f4914f6cdd1dull;
}

__weak void random_bytes(void *buf, size_t n)
{
	u8 *p = buf;

	while (n--)
		*p++ = (u8)(random_u64() >> 32);
}

__weak bool random_ready(void)
{
	return true;
}

__weak void random_wait_ready(void)
{
}

__weak void random_add_entropy(const void *data, size_t n, unsigned bits)
{
}

__weak void random_bump_generation(void)
{
}
