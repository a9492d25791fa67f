// SPDX-License-Identifier: BSD-2-Clause
/* kernel/app.h on the host: the application's memory is the test's own, with ranges that a test declares bad.
 * Weak. */
#include <string.h>

#include "host.h"
#include "kernel/app.h"

#define MAX_BAD 16
static struct bad_range {
	u64 start, end;
} bad[MAX_BAD];
static unsigned nbad;

void host_app_bad_range(const void *p, size_t n)
{
	if (nbad < MAX_BAD)
		bad[nbad++] = (struct bad_range){(u64)p, (u64)p + n};
}

void host_app_clear(void)
{
	nbad = 0;
}

/* Bytes of [P, P + N) before the first bad one. */
static size_t good_bytes(const void __app *p, size_t n)
{
	u64 a = (u64)p, end = a + n;

	if (!app_range_ok(p, n) || (n && a < PAGE_SIZE))
		return 0;
	for (unsigned i = 0; i < nbad; i++)
		if (bad[i].start < end && bad[i].end > a)
			end = max(bad[i].start, a);
	return end - a;
}

__weak size_t copy_from_app_partial(void *dst, const void __app *src, size_t n)
{
	size_t good = good_bytes(src, n);

	if (good)
		memcpy(dst, (const void *)src, good);
	return n - good;
}

__weak size_t copy_to_app_partial(void __app *dst, const void *src, size_t n)
{
	size_t good = good_bytes(dst, n);

	if (good)
		memcpy((void *)dst, src, good);
	return n - good;
}

__weak int copy_from_app(void *dst, const void __app *src, size_t n)
{
	return copy_from_app_partial(dst, src, n) ? -EFAULT : 0;
}

__weak int copy_to_app(void __app *dst, const void *src, size_t n)
{
	return copy_to_app_partial(dst, src, n) ? -EFAULT : 0;
}

__weak int zero_app(void __app *dst, size_t n)
{
	size_t good = good_bytes(dst, n);

	if (good)
		memset((void *)dst, 0, good);
	return good == n ? 0 : -EFAULT;
}

__weak ssize_t string_from_app(char *dst, const char __app *src, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (copy_from_app(dst + i, src + i, 1))
			return -EFAULT;
		if (!dst[i])
			return (ssize_t)i;
	}
	return -ENAMETOOLONG;
}

__weak int app_load_u32_nofault(u32 *val, const u32 __app *p)
{
	if (good_bytes(p, sizeof *p) < sizeof *p)
		return -EFAULT;
	*val = __atomic_load_n((const u32 *)p, __ATOMIC_SEQ_CST);
	return 0;
}

__weak int app_cmpxchg_u32_nofault(u32 __app *p, u32 *expected, u32 desired)
{
	if (good_bytes(p, sizeof *p) < sizeof *p)
		return -EFAULT;
	__atomic_compare_exchange_n((u32 *)p, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return 0;
}
