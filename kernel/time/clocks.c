// SPDX-License-Identifier: BSD-2-Clause
/* Clocks by id: clock_gettime(2), clock_settime(2), clock_getres(2). A negative id is a CPU clock: bits 3 and
 * up hold ~pid, bit 2 says thread, bits 0-1 say which time. */
#include "kernel/ipc.h"
#include "time_internal.h"

#define RATE_LOOK_MIN (1 * NSEC_PER_MSEC)
#define RATE_LOOK_MAX (50 * NSEC_PER_MSEC)

int clock_tai_offset;

static int cpu_clock_get(int id, struct clock *c)
{
	u32 pid = ~(u32)(id >> 3);

	if ((id & 3) == 3)
		return -EINVAL;
	*c = (struct clock){
		.kind = CLOCK_KIND_CPU, .cpu = (enum cpu_clock)(id & 3), .dynamic = true, .sleeps = true};
	if (id & 4) {
		c->thread = pid ? thread_find(pid) : current;
		if (!c->thread)
			return -EINVAL;
		if (!pid)
			thread_get(c->thread);
		if (c->thread->proc == current->proc)
			return 0;
	} else {
		c->process = pid ? process_find(pid) : current->proc;
		if (!c->process)
			return -EINVAL;
		if (!pid)
			process_get(c->process);
		return 0;
	}
	clock_put(c);
	return -EINVAL;
}

int clock_get(int id, struct clock *c)
{
	if (id < 0)
		return cpu_clock_get(id, c);
	*c = (struct clock){.kind = CLOCK_KIND_MONO};
	switch (id) {
	case CLOCK_REALTIME_ALARM:
		c->alarm = true;
		/* fall through */
	case CLOCK_REALTIME:
		c->kind = CLOCK_KIND_REAL;
		c->sleeps = true;
		c->settable = id == CLOCK_REALTIME;
		return 0;
	case CLOCK_TAI:
		c->kind = CLOCK_KIND_REAL;
		c->sleeps = true;
		c->offset = (u64)READ_ONCE(clock_tai_offset) * NSEC_PER_SEC;
		return 0;
	case CLOCK_REALTIME_COARSE:
		c->kind = CLOCK_KIND_REAL;
		return 0;
	case CLOCK_BOOTTIME_ALARM:
		c->alarm = true;
		/* fall through */
	case CLOCK_BOOTTIME:
		c->offset = clock_boottime() - clock_monotonic();
		/* fall through */
	case CLOCK_MONOTONIC:
		c->sleeps = true;
		return 0;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*c = (struct clock){.kind = CLOCK_KIND_CPU,
				    .cpu = CPU_CLOCK_SCHED,
				    .process = current->proc,
				    .sleeps = true};
		process_get(c->process);
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*c = (struct clock){
			.kind = CLOCK_KIND_CPU, .cpu = CPU_CLOCK_SCHED, .thread = current, .sleeps = true};
		thread_get(c->thread);
		return 0;
	}
	return -EINVAL;
}

void clock_put(struct clock *c)
{
	if (c->thread)
		thread_put(c->thread);
	if (c->process)
		process_put(c->process);
	c->thread = NULL;
	c->process = NULL;
}

u64 cpu_clock_read(enum cpu_clock which, struct thread *t, struct process *p)
{
	u64 user, system;

	if (t && which == CPU_CLOCK_SCHED)
		return thread_cpu_time(t);
	if (t)
		thread_times(t, &user, &system);
	else
		process_times(p, &user, &system);
	return which == CPU_CLOCK_VIRT ? user : user + system;
}

u64 clock_read(const struct clock *c)
{
	switch (c->kind) {
	case CLOCK_KIND_MONO:
		return clock_monotonic() + c->offset;
	case CLOCK_KIND_REAL:
		return clock_realtime() + c->offset;
	case CLOCK_KIND_CPU:
		break;
	}
	return cpu_clock_read(c->cpu, c->thread, c->process);
}

u64 cpu_clock_next_look(u64 left, bool moved, unsigned *idle)
{
	u64 wait = max(left / cpu_count, RATE_LOOK_MIN);

	if (moved)
		*idle = 0;
	else if (*idle < 6)
		++*idle;
	return clock_monotonic() + max(wait, min(RATE_LOOK_MIN << *idle, RATE_LOOK_MAX));
}

int clock_step(u64 realtime_ns)
{
	if (!process_capable(CAP_SYS_TIME))
		return -EPERM;
	clock_set_realtime(realtime_ns);
	clock_stepped();
	timerfd_clock_was_set();
	return 0;
}

SYSCALL_DEFINE2(clock_gettime, int, id, struct __kernel_timespec __app *, out)
{
	struct clock c;
	struct __kernel_timespec now;
	int err = clock_get(id, &c);

	if (err)
		return err;
	now = ns_ts(clock_read(&c));
	clock_put(&c);
	return copy_to_app(out, &now, sizeof now);
}

SYSCALL_DEFINE2(clock_getres, int, id, struct __kernel_timespec __app *, out)
{
	struct __kernel_timespec res = {.tv_nsec = 1};
	struct clock c;
	int err = clock_get(id, &c);

	if (err)
		return err;
	if (c.kind == CLOCK_KIND_CPU && c.cpu != CPU_CLOCK_SCHED)
		res.tv_nsec = TICK_NS; /* the split into user and system is sampled */
	clock_put(&c);
	return out ? copy_to_app(out, &res, sizeof res) : 0;
}

SYSCALL_DEFINE2(clock_settime, int, id, const struct __kernel_timespec __app *, in)
{
	struct clock c;
	bool settable;
	struct __kernel_timespec t;
	int err = clock_get(id, &c);

	if (err)
		return err;
	settable = c.settable;
	err = c.dynamic ? -EPERM : -EINVAL;
	clock_put(&c);
	if (!settable)
		return err;
	if (copy_from_app(&t, in, sizeof t))
		return -EFAULT;
	if (!ts_valid(&t) || ts_ns(&t) == TIME_MAX_NS)
		return -EINVAL;
	return clock_step(ts_ns(&t));
}
