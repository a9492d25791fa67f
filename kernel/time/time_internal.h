/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of kernel/time/ share: conversions of the ABI's times, and clocks by their id. */
#pragma once

#include "base/err.h"
#include "kernel/app.h"
#include "kernel/clock.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include <linux/capability.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/times.h>

/* Times saturate here: 292 years, as in Linux. */
#define TIME_MAX_NS 0x7fffffffffffffffull
#define USER_HZ	    100u
#define TICK_NS	    (NSEC_PER_SEC / USER_HZ)

static inline bool ts_valid(const struct __kernel_timespec *t)
{
	return t->tv_sec >= 0 && t->tv_nsec >= 0 && (u64)t->tv_nsec < NSEC_PER_SEC;
}

static inline u64 ts_ns(const struct __kernel_timespec *t) /* of a valid one */
{
	return (u64)t->tv_sec >= TIME_MAX_NS / NSEC_PER_SEC ? TIME_MAX_NS
							    : (u64)t->tv_sec * NSEC_PER_SEC + (u64)t->tv_nsec;
}

static inline struct __kernel_timespec ns_ts(u64 ns)
{
	return (struct __kernel_timespec){.tv_sec = (s64)(ns / NSEC_PER_SEC),
					  .tv_nsec = (long long)(ns % NSEC_PER_SEC)};
}

static inline bool tv_valid(const struct __kernel_old_timeval *t)
{
	return t->tv_sec >= 0 && t->tv_usec >= 0 && t->tv_usec < 1000000;
}

static inline u64 tv_ns(const struct __kernel_old_timeval *t)
{
	return (u64)t->tv_sec >= TIME_MAX_NS / NSEC_PER_SEC
		       ? TIME_MAX_NS
		       : (u64)t->tv_sec * NSEC_PER_SEC + (u64)t->tv_usec * NSEC_PER_USEC;
}

static inline struct __kernel_old_timeval ns_tv(u64 ns)
{
	return (struct __kernel_old_timeval){.tv_sec = (long)(ns / NSEC_PER_SEC),
					     .tv_usec = (long)(ns % NSEC_PER_SEC / NSEC_PER_USEC)};
}

static inline u64 ns_add(u64 a, u64 b)
{
	return b >= TIME_MAX_NS - min(a, TIME_MAX_NS) ? TIME_MAX_NS : a + b;
}

/* What a clock id stands for. */
enum clock_kind { CLOCK_KIND_MONO, CLOCK_KIND_REAL, CLOCK_KIND_CPU };
enum cpu_clock { CPU_CLOCK_PROF, CPU_CLOCK_VIRT, CPU_CLOCK_SCHED }; /* user + system, user, exact total */

struct clock {
	enum clock_kind kind;
	u64 offset;  /* MONO, REAL: added to the kind's clock (TAI) */
	bool sleeps; /* clock_nanosleep and timer_create take it */
	bool alarm;  /* needs CAP_WAKE_ALARM for a timer */
	bool settable;
	bool dynamic; /* a CPU clock by pid */
	enum cpu_clock cpu;
	struct thread *thread;	 /* CPU: of one thread, with a reference; else */
	struct process *process; /* of a process, with a reference */
};

/* 0 or -EINVAL; then clock_put(). */
int clock_get(int id, struct clock *c);
void clock_put(struct clock *c);
u64 clock_read(const struct clock *c);
u64 cpu_clock_read(enum cpu_clock which, struct thread *t, struct process *p);
/* The next look at a CPU clock that has LEFT ns to go: it runs at most cpu_count times as fast as the wall
 * clock. *IDLE counts looks at which it had not moved. */
u64 cpu_clock_next_look(u64 left, bool moved, unsigned *idle);
extern int clock_tai_offset;	 /* seconds */
int clock_step(u64 realtime_ns); /* CAP_SYS_TIME is checked here */
