// SPDX-License-Identifier: BSD-2-Clause
/* Timeouts of the waiting calls: the ABI's timespec to deadlines on CLOCK_MONOTONIC and back. Also their
 * scratch memory. */
#include "ipc.h"

#define NS_MAX 0x7fffffffffffffffull

bool timespec_valid(const struct __kernel_timespec *ts)
{
	return ts->tv_sec >= 0 && (u64)ts->tv_nsec < NSEC_PER_SEC;
}

u64 timespec_to_ns(const struct __kernel_timespec *ts)
{
	if ((u64)ts->tv_sec >= NS_MAX / NSEC_PER_SEC)
		return NS_MAX;
	return (u64)ts->tv_sec * NSEC_PER_SEC + (u64)ts->tv_nsec;
}

struct __kernel_timespec ns_to_timespec(u64 ns)
{
	return (struct __kernel_timespec){.tv_sec = (s64)(ns / NSEC_PER_SEC),
					  .tv_nsec = (long)(ns % NSEC_PER_SEC)};
}

u64 deadline_after(u64 ns)
{
	u64 now;

	if (!ns)
		return 0;
	now = clock_monotonic();
	return ns >= NS_MAX - now ? NS_MAX : now + ns;
}

u64 time_left(u64 deadline)
{
	u64 now = clock_monotonic();

	return deadline > now ? deadline - now : 0;
}

void *scratch_alloc(size_t size)
{
	return size <= 4 * PAGE_SIZE ? kmalloc(size) : vmalloc(size);
}

void scratch_free(void *p, size_t size)
{
	if (size <= 4 * PAGE_SIZE)
		kfree(p);
	else
		vfree(p);
}
