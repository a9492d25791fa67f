// SPDX-License-Identifier: BSD-2-Clause
/* adjtimex(2), clock_adjtime(2). The host disciplines the clock of a virtual machine, so frequency and slew
 * cannot be set (EOPNOTSUPP); reading, stepping (ADJ_SETOFFSET) and the TAI offset work. The clock counts as
 * not synchronised. */
#include "time_internal.h"
#include <linux/timex.h>

#define TOLERANCE_PPM16 (500l << 16)
#define MAX_ERROR_US	16000000l
#define CHANGES \
	(ADJ_OFFSET | ADJ_FREQUENCY | ADJ_MAXERROR | ADJ_ESTERROR | ADJ_STATUS | ADJ_TIMECONST | ADJ_TICK)

static int step_by(const struct __kernel_timex *tx, bool nano)
{
	s64 unit = nano ? 1 : NSEC_PER_USEC, limit = NSEC_PER_SEC / (u64)unit, ns;

	if (tx->time.tv_usec < 0 || tx->time.tv_usec >= limit)
		return -EINVAL;
	if (tx->time.tv_sec > (s64)(TIME_MAX_NS / NSEC_PER_SEC) ||
	    tx->time.tv_sec < -(s64)(TIME_MAX_NS / NSEC_PER_SEC))
		return -EINVAL;
	ns = tx->time.tv_sec * (s64)NSEC_PER_SEC + tx->time.tv_usec * unit + (s64)clock_realtime();
	return ns < 0 ? -EINVAL : clock_step((u64)ns);
}

static long adjust(struct __kernel_timex __app *app)
{
	struct __kernel_timex tx;
	bool nano;
	u64 now;
	int err;

	if (copy_from_app(&tx, app, sizeof tx))
		return -EFAULT;
	nano = tx.modes & ADJ_NANO;
	/* ADJ_OFFSET_SS_READ only reads; everything else that has a mode changes something. */
	if (tx.modes && tx.modes != ADJ_OFFSET_SS_READ && !process_capable(CAP_SYS_TIME))
		return -EPERM;
	if (tx.modes & ADJ_TICK && (tx.tick < 900000 / (long)USER_HZ || tx.tick > 1100000 / (long)USER_HZ))
		return -EINVAL;
	if (tx.modes != ADJ_OFFSET_SS_READ && tx.modes & CHANGES)
		return -EOPNOTSUPP;
	if (tx.modes & ADJ_SETOFFSET) {
		err = step_by(&tx, nano);
		if (err)
			return err;
	}
	if (tx.modes & ADJ_TAI && tx.constant >= 0)
		WRITE_ONCE(clock_tai_offset, (int)min(tx.constant, 1000ll));
	now = clock_realtime();
	tx = (struct __kernel_timex){
		.modes = tx.modes,
		.maxerror = MAX_ERROR_US,
		.esterror = MAX_ERROR_US,
		.status = STA_UNSYNC | (nano ? STA_NANO : 0),
		.constant = 2,
		.precision = 1,
		.tolerance = TOLERANCE_PPM16,
		.tick = 1000000 / USER_HZ,
		.tai = READ_ONCE(clock_tai_offset),
	};
	tx.time.tv_sec = (s64)(now / NSEC_PER_SEC);
	tx.time.tv_usec = (s64)(now % NSEC_PER_SEC / (nano ? 1 : NSEC_PER_USEC));
	if (copy_to_app(app, &tx, sizeof tx))
		return -EFAULT;
	return TIME_ERROR;
}

SYSCALL_DEFINE1(adjtimex, struct __kernel_timex __app *, tx)
{
	return adjust(tx);
}

SYSCALL_DEFINE2(clock_adjtime, int, id, struct __kernel_timex __app *, tx)
{
	struct __kernel_timex probe;
	struct clock c;
	int err;

	if (copy_from_app(&probe, tx, sizeof probe)) /* before the clock is looked at */
		return -EFAULT;
	err = clock_get(id, &c);
	if (err)
		return err;
	clock_put(&c);
	return id == CLOCK_REALTIME ? adjust(tx) : -EOPNOTSUPP;
}
