// SPDX-License-Identifier: BSD-2-Clause
/* nanosleep(2) and clock_nanosleep(2). A relative sleep is measured on the monotonic clock, whatever its
 * clock, and restarts with the deadline that it had; an absolute one by CLOCK_REALTIME follows steps of the
 * clock. */
#include "time_internal.h"

/* restart_block.arg */
enum { ARG_DEADLINE, ARG_REM, ARG_CLOCK };

/* Interruptible sleep. 0 or -ERESTARTSYS. */
static int sleep_until(u64 deadline, bool realtime)
{
	for (;;) {
		bool in_time;

		thread_set_state(THREAD_INTERRUPTIBLE);
		if (signal_pending(current)) {
			thread_set_state(THREAD_RUNNING);
			return -ERESTARTSYS;
		}
		in_time = realtime ? schedule_until_realtime(deadline) : schedule_until(deadline);
		thread_set_state(THREAD_RUNNING);
		if (!in_time)
			return 0;
	}
}

/* Sleep until process CPU clock C shows DEADLINE. */
static int sleep_cpu(const struct clock *c, u64 deadline)
{
	u64 last = 0, now;
	unsigned idle = 0;
	int err;

	while ((now = clock_read(c)) < deadline) {
		err = sleep_until(cpu_clock_next_look(deadline - now, now != last, &idle), false);
		if (err)
			return err;
		last = now;
	}
	return 0;
}

static int sleep_on(const struct clock *c, u64 deadline, bool absolute)
{
	if (c->kind == CLOCK_KIND_CPU)
		return sleep_cpu(c, deadline);
	if (!absolute)
		return sleep_until(deadline, false); /* monotonic */
	return sleep_until(deadline > c->offset ? deadline - c->offset : 0, c->kind == CLOCK_KIND_REAL);
}

static long restart_sleep(struct restart_block *r);

/* A relative sleep until DEADLINE of C's CPU clock or the monotonic clock was interrupted: say what is left.
 */
static long interrupted(const struct clock *c, int id, u64 deadline, struct __kernel_timespec __app *rem)
{
	u64 now = c->kind == CLOCK_KIND_CPU ? clock_read(c) : clock_monotonic();
	struct __kernel_timespec left;

	if (now >= deadline)
		return 0;
	left = ns_ts(deadline - now);
	if (rem && copy_to_app(rem, &left, sizeof left))
		return -EFAULT;
	current->restart = (struct restart_block){
		.fn = restart_sleep,
		.arg = {[ARG_DEADLINE] = deadline,
			[ARG_REM] = (u64)(__force struct __kernel_timespec *)rem,
			[ARG_CLOCK] = (u64)(u32)id},
	};
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_relative(int id, u64 deadline, struct __kernel_timespec __app *rem)
{
	struct clock c;
	long ret = clock_get(id, &c);

	if (ret)
		return ret;
	ret = sleep_on(&c, deadline, false);
	if (ret)
		ret = interrupted(&c, id, deadline, rem);
	clock_put(&c);
	return ret;
}

static long restart_sleep(struct restart_block *r)
{
	return sleep_relative((int)r->arg[ARG_CLOCK], r->arg[ARG_DEADLINE],
			      (struct __kernel_timespec __app *)r->arg[ARG_REM]);
}

SYSCALL_DEFINE2(nanosleep, const struct __kernel_timespec __app *, request, struct __kernel_timespec __app *,
		rem)
{
	struct __kernel_timespec t;

	if (copy_from_app(&t, request, sizeof t))
		return -EFAULT;
	if (!ts_valid(&t))
		return -EINVAL;
	return sleep_relative(CLOCK_MONOTONIC, ns_add(clock_monotonic(), ts_ns(&t)), rem);
}

static bool own_thread_clock(const struct clock *c)
{
	return c->thread == current;
}

SYSCALL_DEFINE4(clock_nanosleep, int, id, int, flags, const struct __kernel_timespec __app *, request,
		struct __kernel_timespec __app *, rem)
{
	struct clock c;
	struct __kernel_timespec t;
	long ret = clock_get(id, &c);
	u64 now;

	if (ret)
		return ret;
	ret = -EOPNOTSUPP;
	if (!c.sleeps || id == CLOCK_THREAD_CPUTIME_ID)
		goto out;
	ret = -EINVAL; /* one's own CPU time stands still while one sleeps */
	if (own_thread_clock(&c))
		goto out;
	ret = -EPERM;
	if (c.alarm && !process_capable(CAP_WAKE_ALARM))
		goto out;
	ret = -EFAULT;
	if (copy_from_app(&t, request, sizeof t))
		goto out;
	ret = -EINVAL;
	if (!ts_valid(&t))
		goto out;
	if (flags & TIMER_ABSTIME) {
		ret = sleep_on(&c, ts_ns(&t), true);
		if (ret)
			ret = -ERESTARTNOHAND;
	} else {
		now = c.kind == CLOCK_KIND_CPU ? clock_read(&c) : clock_monotonic();
		clock_put(&c);
		return sleep_relative(id, ns_add(now, ts_ns(&t)), rem);
	}
out:
	clock_put(&c);
	return ret;
}
