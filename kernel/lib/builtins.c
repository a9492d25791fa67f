/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that compiled code calls by itself. */

#include "kernel/log.h"

void __stack_chk_fail(void) __noreturn;
void __stack_chk_fail(void)
{
	panic("stack smashed: a function overran an array");
}

/* Without the POPCNT instruction in the base instruction set the compiler calls this. */
int __popcountdi2(long v);
int __popcountdi2(long v)
{
	u64 x = (u64)v;

	x -= x >> 1 & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (int)(x * 0x0101010101010101ull >> 56);
}
