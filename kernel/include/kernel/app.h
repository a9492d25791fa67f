/* SPDX-License-Identifier: BSD-2-Clause */
/* Checked access to the application's memory. Hardware does not tell its pointers from the kernel's (same ring), so each
 * of these accepts only ranges that end below APP_LIMIT and survives a fault through the exception table.
 * May sleep (the fault may read a file): thread context, no spin lock held. */
#pragma once

#include "base/err.h"
#include "base/types.h"

#define APP_LIMIT 0x00007ffffffff000ull /* first address above the lower half's last usable page */

static inline bool app_range_ok(const void __app *p, size_t n)
{
	u64 a = (u64)(__force const void *)p;

	return n <= APP_LIMIT && a <= APP_LIMIT - n;
}

/* 0 or -EFAULT. On a fault the bytes before it may have been copied. */
int __must_check copy_from_app(void *dst, const void __app *src, size_t n);
int __must_check copy_to_app(void __app *dst, const void *src, size_t n);
int __must_check zero_app(void __app *dst, size_t n);
/* Bytes NOT copied (0 is success), for partial transfers. */
size_t __must_check copy_from_app_partial(void *dst, const void __app *src, size_t n);
size_t __must_check copy_to_app_partial(void __app *dst, const void *src, size_t n);
/* A string of at most SIZE-1 bytes. Returns its length; -EFAULT; -ENAMETOOLONG when there is no NUL in SIZE bytes. */
ssize_t __must_check string_from_app(char *dst, const char __app *src, size_t size);

#define get_app(var, ptr) copy_from_app(&(var), (ptr), sizeof(var))
#define put_app(val, ptr)                                                                                            \
	({                                                                                                           \
		typeof(*(ptr)) _v = (val);                                                                           \
		copy_to_app((ptr), (const void *)&_v, sizeof _v);                                                    \
	})

/* Atomic 32-bit access for futexes: never sleeps, -EFAULT when the page is not mapped writable right now (the caller
 * then calls vm_fault_in() and tries again). */
int __must_check app_load_u32_nofault(u32 *val, const u32 __app *p);
int __must_check app_cmpxchg_u32_nofault(u32 __app *p, u32 *expected, u32 desired);

/* The #PF handler's question for a fault taken in the kernel that vm_handle_fault() did not resolve, and the #GP
 * handler's for a non-canonical or misaligned access: true when the instruction has a fix-up, and REGS now goes there.
 * A fault with interrupts off, or in one of the _nofault calls, is never resolved but goes straight here. */
struct regs;
bool extable_fixup(struct regs *regs);
