/* SPDX-License-Identifier: BSD-2-Clause */
/* Allocation failures on demand, for tests of the debugging kernel (DEBUG=1): /proc/cortado/fail_nth. A thread
 * writes N there; the N-th allocation of its next system call fails; reading tells whether that call came so far
 * (1) or not (0). Allocations with interrupts off are left alone: they may be an interrupt's. */
#pragma once

#include "base/types.h"

#ifdef DEBUG
struct alloc_fail {
	u32 next; /* for the next system call */
	u32 left; /* of this one; 0: none fails */
	bool hit;
};
bool alloc_should_fail(void);
void alloc_fail_enter(void); /* around a system call */
void alloc_fail_leave(void);
void alloc_fail_next(u32 n); /* of the current thread's next call */
bool alloc_fail_hit(void);   /* did it come so far? */
#else
static inline bool alloc_should_fail(void)
{
	return false;
}
static inline void alloc_fail_enter(void)
{
}
static inline void alloc_fail_leave(void)
{
}
#endif
