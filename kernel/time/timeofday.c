// SPDX-License-Identifier: BSD-2-Clause
/* The older time calls: gettimeofday(2), settimeofday(2), time(2), times(2). */
#include "time_internal.h"

static struct timezone time_zone; /* kept for whoever asks; the kernel's times are UTC */

SYSCALL_DEFINE2(gettimeofday, struct __kernel_old_timeval __app *, tv, struct timezone __app *, tz)
{
	struct __kernel_old_timeval now = ns_tv(clock_realtime());

	if (tv && copy_to_app(tv, &now, sizeof now))
		return -EFAULT;
	if (tz && copy_to_app(tz, &time_zone, sizeof time_zone))
		return -EFAULT;
	return 0;
}

SYSCALL_DEFINE2(settimeofday, const struct __kernel_old_timeval __app *, tv, const struct timezone __app *,
		tz)
{
	struct timezone zone;
	struct __kernel_old_timeval t;

	if (tv && copy_from_app(&t, tv, sizeof t))
		return -EFAULT;
	if (tz && copy_from_app(&zone, tz, sizeof zone))
		return -EFAULT;
	if (tv && !tv_valid(&t))
		return -EINVAL;
	if (!process_capable(CAP_SYS_TIME))
		return -EPERM;
	if (tz) {
		if (zone.tz_minuteswest > 15 * 60 || zone.tz_minuteswest < -15 * 60)
			return -EINVAL;
		time_zone = zone;
	}
	return tv ? clock_step(tv_ns(&t)) : 0;
}

SYSCALL_DEFINE1(time, __kernel_old_time_t __app *, out)
{
	__kernel_old_time_t now = (__kernel_old_time_t)(clock_realtime() / NSEC_PER_SEC);

	if (out && copy_to_app(out, &now, sizeof now))
		return -EFAULT;
	return now;
}

SYSCALL_DEFINE1(times, struct tms __app *, out)
{
	struct process *p = current->proc;
	u64 user, system;
	struct tms t;

	if (out) {
		process_times(p, &user, &system);
		t = (struct tms){
			.tms_utime = (long)(user / TICK_NS),
			.tms_stime = (long)(system / TICK_NS),
			.tms_cutime = (long)(READ_ONCE(p->child_user_ns) / TICK_NS),
			.tms_cstime = (long)(READ_ONCE(p->child_system_ns) / TICK_NS),
		};
		if (copy_to_app(out, &t, sizeof t))
			return -EFAULT;
	}
	return (long)(clock_monotonic() / TICK_NS);
}
