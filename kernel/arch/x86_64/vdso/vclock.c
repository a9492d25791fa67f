/* SPDX-License-Identifier: BSD-2-Clause */
/* Application code that the kernel supplies: clocks and the CPU number without a system call (Linux: vdso(7)). Compiled
 * apart from the kernel, position-independent, without relocations; reads the vvar page in front of it. */

#include "arch/vvar.h"
#include <asm/unistd_64.h>
#include <linux/time.h>

extern const struct vvar_page shared __asm__("vvar") __attribute__((visibility("hidden")));

#define NS 1000000000ull

static long fallback(long nr, long a, long b)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "0"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return ret;
}

/* Monotonic time plus *OFFSET, which is one of the page's. The TSC must be usable. */
static inline u64 read_clock(const u64 *offset)
{
	u32 seq;
	u64 ns;

	do {
		while (__builtin_expect((seq = __atomic_load_n(&shared.seq, __ATOMIC_ACQUIRE)) & 1, 0))
			__builtin_ia32_pause();
		ns = vvar_elapsed(&shared, arch_cycles_ordered()) + shared.mono_base + *offset;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__builtin_expect(seq != __atomic_load_n(&shared.seq, __ATOMIC_RELAXED), 0));
	return ns;
}

int __vdso_clock_gettime(int clock, struct __kernel_timespec *ts);
int __vdso_clock_gettime(int clock, struct __kernel_timespec *ts)
{
	const u64 *offset;
	u64 ns;

	switch (clock) {
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
		offset = &shared.mono_offset;
		break;
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		offset = &shared.wall_offset;
		break;
	case CLOCK_BOOTTIME:
		offset = &shared.boot_offset;
		break;
	default:
		goto call;
	}
	if (__builtin_expect(!shared.tsc_usable, 0))
		goto call;
	ns = read_clock(offset);
	ts->tv_sec = (long long)(ns / NS);
	ts->tv_nsec = (long long)(ns % NS);
	return 0;
call:
	return (int)fallback(__NR_clock_gettime, clock, (long)ts);
}

int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz);
int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz)
{
	u64 ns;

	if (tz || !shared.tsc_usable)
		return (int)fallback(__NR_gettimeofday, (long)tv, (long)tz);
	if (tv) {
		ns = read_clock(&shared.wall_offset);
		tv->tv_sec = (long)(ns / NS);
		tv->tv_usec = (long)(ns % NS / 1000);
	}
	return 0;
}

long __vdso_time(long *t);
long __vdso_time(long *t)
{
	u64 ns;

	if (!shared.tsc_usable)
		return fallback(__NR_time, (long)t, 0);
	ns = read_clock(&shared.wall_offset);
	if (t)
		*t = (long)(ns / NS);
	return (long)(ns / NS);
}

int __vdso_clock_getres(int clock, struct __kernel_timespec *ts);
int __vdso_clock_getres(int clock, struct __kernel_timespec *ts)
{
	return (int)fallback(__NR_clock_getres, clock, (long)ts);
}

long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);
long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	u32 lo, hi, aux;

	if (shared.tsc_usable != 1)
		return fallback(__NR_getcpu, (long)cpu, (long)node);
	__asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(aux));
	if (cpu)
		*cpu = aux & 0xfff;
	if (node)
		*node = 0;
	return 0;
}

int clock_gettime(int, struct __kernel_timespec *) __attribute__((weak, alias("__vdso_clock_gettime")));
int gettimeofday(struct __kernel_old_timeval *, struct timezone *) __attribute__((weak, alias("__vdso_gettimeofday")));
long time(long *) __attribute__((weak, alias("__vdso_time")));
int clock_getres(int, struct __kernel_timespec *) __attribute__((weak, alias("__vdso_clock_getres")));
long getcpu(unsigned *, unsigned *, void *) __attribute__((weak, alias("__vdso_getcpu")));
